using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace PacsCluster.Web;

/// <summary>The resources of the Retrieve Transaction (PS3.18 10.4) and their routes.</summary>
internal static class RetrieveRoutes
{
    private const string Study = "/studies/{study}", Series = Study + "/series/{series}", Instance = Series + "/instances/{instance}";

    private static readonly string[] s_read = ["GET", "HEAD"];

    /// <summary>Adds the services.</summary>
    public static void AddRetrieve(this IServiceCollection services) => services
        .AddSingleton<Locator>().AddSingleton<InstancesTransaction>().AddSingleton<FramesTransaction>().AddSingleton<BulkdataTransaction>();

    /// <summary>Maps the resources.</summary>
    public static void MapRetrieve(this RouteGroupBuilder root, IServiceProvider services)
    {
        InstancesTransaction instances = services.GetRequiredService<InstancesTransaction>();
        FramesTransaction frames = services.GetRequiredService<FramesTransaction>();
        BulkdataTransaction bulk = services.GetRequiredService<BulkdataTransaction>();
        foreach (string level in new[] { Study, Series, Instance })
        {
            Map(level, instances.HandleAsync);
            Map(level + "/bulkdata", bulk.HandleAllAsync);
            Map(level + "/pixeldata", level == Instance ? bulk.HandleInstancePixelsAsync : bulk.HandlePixelsAsync);
        }
        Map(Instance + "/frames/{frames}", frames.HandleAsync);
        Map(Instance + "/bulkdata/{**path}", bulk.HandleValueAsync);

        void Map(string pattern, RequestDelegate handler) => root.MapMethods(pattern, s_read, handler);
    }
}
