using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using PacsCluster.Catalog;
using PacsCluster.Engine;
using PacsCluster.Imaging;

namespace PacsCluster.Web;

/// <summary>Puts DICOMweb (PS3.18) into a host: services first, then the routes.</summary>
public static class PacsWeb
{
    /// <summary>Adds the services of DICOMweb. The host must have an ICatalog and, of one Archive, the Ingest, Retrieve, Metadata, ChangeFeed, Deletion and Codecs.</summary>
    /// <param name="services">The host's services.</param>
    /// <param name="options">Valid options: see <see cref="WebOptions.Validate"/>.</param>
    public static IServiceCollection AddPacsWeb(this IServiceCollection services, WebOptions options)
    {
        services.TryAddSingleton(TimeProvider.System);
        services.AddSingleton(options);
        services.AddSingleton(s => new PictureMaker(s.GetRequiredService<Retrieve>(), s.GetRequiredService<ICatalog>(), s.GetRequiredService<FrameCodecs>(), options.ThumbnailCacheBytes));
        services.AddSingleton<IMemoryPoolFactory<byte>, BlockPoolFactory>();
        services.AddSingleton<ServiceRoot>();
        services.AddRetrieve();
        services.AddSingleton<SearchTransaction>();
        services.AddSingleton<StoreFunction>(provider => provider.GetRequiredService<Ingest>().StoreAsync);
        services.AddSingleton<StoreTransaction>();
        services.AddSingleton<Capabilities>();
        services.AddCors();
        return services;
    }

    /// <summary>Maps every resource under <see cref="WebOptions.Path"/>, with what stands around them: faults as problem documents.</summary>
    /// <param name="web">The application; AddPacsWeb was called on its services.</param>
    public static void MapDicomWeb(this WebApplication web)
    {
        WebOptions options = web.Services.GetRequiredService<WebOptions>();
        web.UseWhen(http => http.Request.Path.StartsWithSegments(options.Path), branch =>
        {
            branch.UseCors(options.Cors);
            branch.UseMiddleware<WebEdge>();
        });
        RouteGroupBuilder root = web.MapGroup(options.Path);
        root.MapRetrieve(web.Services);
        web.Services.GetRequiredService<SearchTransaction>().Map(root);
        web.Services.GetRequiredService<StoreTransaction>().Map(root);
        web.Services.GetRequiredService<Capabilities>().Map(root);
    }
}
