using Microsoft.AspNetCore.Builder;

namespace PacsCluster.Web;

/// <summary>Cross-origin requests (C-92).</summary>
internal static class Cors
{
    /// <summary>Headers beside the safelisted ones that viewers send.</summary>
    private static readonly string[] s_requestHeaders = ["Accept", "Authorization", "Content-Type", "If-Match", "If-Modified-Since", "If-None-Match", "If-Range", "Last-Event-ID", "Range", "X-Requested-With"];

    /// <summary>Headers beside the safelisted ones that viewers need to see.</summary>
    private static readonly string[] s_responseHeaders = ["Accept-Ranges", "Content-Encoding", "Content-Length", "Content-Location", "Content-Range", "ETag", "Location", "Retry-After", "Warning", "WWW-Authenticate"];

    /// <summary>Answers preflights and adds the headers, when there are origins to allow.</summary>
    public static void UseCors(this IApplicationBuilder branch, CorsOptions options)
    {
        if (options.Origins.Count == 0) return;
        branch.UseCors(policy =>
        {
            if (options.Origins.Contains("*")) policy.AllowAnyOrigin();
            else policy.WithOrigins([.. options.Origins]);
            policy.WithMethods("GET", "HEAD", "POST", "DELETE", "OPTIONS").WithHeaders(s_requestHeaders).WithExposedHeaders(s_responseHeaders).SetPreflightMaxAge(options.PreflightMaxAge);
            if (options.Credentials) policy.AllowCredentials();
        });
    }
}
