using Microsoft.AspNetCore.Http;

namespace PacsCluster.Web;

/// <summary>The URLs in answers.</summary>
internal sealed class ServiceRoot(WebOptions options)
{
    /// <summary>URL of the service as this request's client sees it, without a slash at its end.</summary>
    public string Url(HttpContext http) => options.PublicUrl.Length > 0 ? options.PublicUrl : $"{http.Request.Scheme}://{http.Request.Host}{http.Request.PathBase}{options.Path}";
}
