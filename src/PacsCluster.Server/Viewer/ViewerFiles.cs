using Microsoft.Extensions.FileProviders;
using PacsCluster.Server.Options;

namespace PacsCluster.Server.Viewer;

/// <summary>A web viewer's built files (OHIF's <c>dist</c>, or any other page) at <c>/</c>, from the same origin as DICOMweb: no CORS, no second server.</summary>
internal static class ViewerFiles
{
    private static readonly string[] s_read = ["GET", "HEAD"];

    /// <summary>Serves them where <see cref="HttpOptions.Viewer"/> names their folder. Paths that are no file give <c>index.html</c>, which routes them in the browser.</summary>
    /// <param name="web">The host.</param>
    /// <param name="options">Valid options.</param>
    /// <param name="dicomWebPath">Path of DICOMweb; what is not there stays 404.</param>
    public static void MapViewer(this WebApplication web, HttpOptions options, string dicomWebPath)
    {
        if (options.Viewer.Length == 0) return;
        var files = new PhysicalFileProvider(Path.GetFullPath(options.Viewer));
        string config = options.ViewerConfig.Length > 0 ? File.ReadAllText(options.ViewerConfig) : DefaultConfig(dicomWebPath);
        web.UseStaticFiles(new StaticFileOptions
        {
            FileProvider = files,
            ServeUnknownFileTypes = true,
            // Built names carry digests, but not all of them: a question by ETag is cheap.
            OnPrepareResponse = served => served.Context.Response.Headers.CacheControl = "no-cache",
        });
        web.MapMethods("/app-config.js", s_read, (HttpContext http) =>
        {
            http.Response.ContentType = "text/javascript; charset=utf-8";
            http.Response.Headers.CacheControl = "no-cache";
            return HttpMethods.IsHead(http.Request.Method) ? Task.CompletedTask : http.Response.WriteAsync(config, http.RequestAborted);
        });
        web.MapFallback(http =>
        {
            if (http.Request.Path.StartsWithSegments(dicomWebPath) || !s_read.Contains(http.Request.Method))
            {
                http.Response.StatusCode = StatusCodes.Status404NotFound;
                return Task.CompletedTask;
            }
            http.Response.ContentType = "text/html; charset=utf-8";
            http.Response.Headers.CacheControl = "no-cache";
            return HttpMethods.IsHead(http.Request.Method) ? Task.CompletedTask : http.Response.SendFileAsync(files.GetFileInfo("index.html"), http.RequestAborted);
        });
    }

    private static string DefaultConfig(string dicomWebPath)
    {
        using Stream stream = typeof(ViewerFiles).Assembly.GetManifestResourceStream("app-config.js")!;
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd().Replace("{DICOMWEB}", dicomWebPath, StringComparison.Ordinal);
    }
}
