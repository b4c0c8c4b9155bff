using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace PacsCluster.Web;

/// <summary>The resources of the Retrieve Transaction (PS3.18 10.4), of the change feed and of deletions, and their routes.</summary>
internal static class RetrieveRoutes
{
    private const string Study = "/studies/{study}", Series = Study + "/series/{series}", Instance = Series + "/instances/{instance}";

    private static readonly string[] s_read = ["GET", "HEAD"];

    /// <summary>Adds the services.</summary>
    public static void AddRetrieve(this IServiceCollection services) => services
        .AddSingleton<Locator>().AddSingleton<InstancesTransaction>().AddSingleton<ConvertedPixels>().AddSingleton<FramesTransaction>().AddSingleton<BulkdataTransaction>()
        .AddSingleton<MetadataTransaction>().AddSingleton<SkeletonTransaction>().AddSingleton<RenderedTransaction>().AddSingleton<WadoUri>()
        .AddSingleton<ChangefeedTransaction>().AddSingleton<DeletionTransaction>();

    /// <summary>Maps the resources.</summary>
    public static void MapRetrieve(this RouteGroupBuilder root, IServiceProvider services)
    {
        InstancesTransaction instances = services.GetRequiredService<InstancesTransaction>();
        FramesTransaction frames = services.GetRequiredService<FramesTransaction>();
        BulkdataTransaction bulk = services.GetRequiredService<BulkdataTransaction>();
        MetadataTransaction metadata = services.GetRequiredService<MetadataTransaction>();
        RenderedTransaction rendered = services.GetRequiredService<RenderedTransaction>();
        SkeletonTransaction skeleton = services.GetRequiredService<SkeletonTransaction>();
        DeletionTransaction deletion = services.GetRequiredService<DeletionTransaction>();
        ChangefeedTransaction changes = services.GetRequiredService<ChangefeedTransaction>();
        foreach (string level in new[] { Study, Series, Instance })
        {
            Map(level + "/metadata", metadata.HandleAsync);
            Map(level + "/rendered", rendered.HandleAsync);
            Map(level + "/thumbnail", rendered.HandleAsync);
            root.MapDelete(level, deletion.DeleteAsync);
            Map(level, instances.HandleAsync);
            Map(level + "/bulkdata", bulk.HandleAllAsync);
            Map(level + "/pixeldata", level == Instance ? bulk.HandleInstancePixelsAsync : bulk.HandlePixelsAsync);
        }
        Map(Instance + "/frames/{frames}", frames.HandleAsync);
        Map(Instance + "/frames/{frames}/rendered", rendered.HandleAsync);
        Map(Instance + "/frames/{frames}/thumbnail", rendered.HandleAsync);
        Map(Instance + "/bulkdata/{**path}", bulk.HandleValueAsync);
        Map(Study + "/skeleton", skeleton.HandleSkeletonAsync);
        Map(Study + "/tree", skeleton.HandleTreeAsync);
        Map("/wado", services.GetRequiredService<WadoUri>().HandleAsync);
        Map("/changefeed", changes.HandleAsync);
        root.MapPut("/changefeed/consumers/{name}", changes.PutConsumerAsync);
        root.MapDelete("/changefeed/consumers/{name}", changes.DeleteConsumerAsync);
        Map("/deletions", deletion.ListAsync);
        root.MapPost("/deletions/{key}/restore", deletion.RestoreAsync);

        void Map(string pattern, RequestDelegate handler) => root.MapMethods(pattern, s_read, handler);
    }
}
