using Microsoft.AspNetCore.Routing;

namespace PacsCluster.Web;

/// <summary>One resource and method of the service, for its descriptions: OPTIONS, OpenAPI and the conformance statement.</summary>
/// <param name="Method">HTTP method; GET stands for HEAD too.</param>
/// <param name="Path">Below the service's path, with parameters in braces.</param>
/// <param name="Transaction">PS3.18's word, or that it is an extension.</param>
/// <param name="Summary">What it does.</param>
/// <param name="Produces">Media types of a success, the default first.</param>
/// <param name="Query">Query parameters it takes.</param>
/// <param name="Consumes">Media types of the request's body; empty without body.</param>
public sealed record WebResource(string Method, string Path, string Transaction, string Summary, IReadOnlyList<string> Produces, IReadOnlyList<string> Query, IReadOnlyList<string> Consumes)
{
    /// <summary>Parameters of the path, in order.</summary>
    public IReadOnlyList<string> PathParameters => [.. Path.Split('/').Where(part => part.StartsWith('{')).Select(part => part.Trim('{', '}', '*'))];

    /// <summary>The resources that a host has mapped, each with what <see cref="WebResources"/> says of it, by path.</summary>
    internal static IReadOnlyList<WebResource> Mapped(IEnumerable<EndpointDataSource> sources, string servicePath) =>
    [
        .. from endpoint in sources.SelectMany(source => source.Endpoints).OfType<RouteEndpoint>()
           let pattern = "/" + endpoint.RoutePattern.RawText!.TrimStart('/')
           where pattern.StartsWith(servicePath + "/", StringComparison.Ordinal)
           from method in endpoint.Metadata.GetMetadata<HttpMethodMetadata>()?.HttpMethods ?? []
           where method != "HEAD"
           let path = pattern[servicePath.Length..]
           orderby path, method
           select WebResources.Find(method, path) ?? new WebResource(method, path, "Extension", endpoint.DisplayName ?? path, [], [], []),
    ];
}
