using System.Net;
using System.Text.Json;
using System.Xml.Linq;

namespace PacsCluster.Web.Tests.Around;

public sealed class CapabilitiesTests
{
    private static async Task<JsonElement> OpenApiAsync(WebServer server) => JsonDocument.Parse(await server.Client.GetStringAsync("openapi.json", TestContext.Current.CancellationToken)).RootElement;

    [Fact]
    public async Task C_92_the_OpenAPI_document_describes_every_mapped_route_and_nothing_else()
    {
        await using WebServer server = await WebServer.StartAsync();
        JsonElement document = await OpenApiAsync(server);
        Assert.Equal("3.1.0", document.GetProperty("openapi").GetString());
        Assert.Equal(server.Root, document.GetProperty("servers")[0].GetProperty("url").GetString());
        string[] mapped = [.. document.GetProperty("paths").EnumerateObject().SelectMany(path => path.Value.EnumerateObject().Select(method => $"{method.Name.ToUpperInvariant()} {path.Name}")).Order(StringComparer.Ordinal)];
        string[] described = [.. WebResources.All.Select(r => $"{r.Method} {r.Path.Replace("{**", "{", StringComparison.Ordinal)}").Order(StringComparer.Ordinal)];
        Assert.Equal(described, mapped);
        foreach (JsonProperty path in document.GetProperty("paths").EnumerateObject())
        {
            int placeholders = path.Name.Count(c => c == '{');
            foreach (JsonProperty method in path.Value.EnumerateObject())
                Assert.Equal(placeholders, method.Value.GetProperty("parameters").EnumerateArray().Count(p => p.GetProperty("in").GetString() == "path" && p.GetProperty("required").GetBoolean()));
        }
        Assert.True(document.GetProperty("components").GetProperty("responses").GetProperty("Problem").GetProperty("content").TryGetProperty("application/problem+json", out _));
    }

    [Theory]
    [InlineData("", "DELETE, GET, HEAD, OPTIONS, POST, PUT")]
    [InlineData("studies", "GET, HEAD, OPTIONS, POST")]
    [InlineData("studies/1.2", "DELETE, GET, HEAD, OPTIONS, POST")]
    [InlineData("studies/1.2/series/1.3/instances", "GET, HEAD, OPTIONS")]
    [InlineData("studies/1.2/series/1.3/instances/1.4/bulkdata/7FE00010/1", "GET, HEAD, OPTIONS")]
    public async Task C_92_OPTIONS_allows_what_the_resource_takes_and_describes_the_service_as_WADL(string resource, string allow)
    {
        await using WebServer server = await WebServer.StartAsync();
        using var request = new HttpRequestMessage(HttpMethod.Options, resource.Length == 0 ? server.Root : $"{server.Root}/{resource}");
        using HttpResponseMessage response = await server.Client.SendAsync(request, TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(allow, string.Join(", ", response.Content.Headers.Allow.Order(StringComparer.Ordinal)));
        Assert.Equal("application/vnd.sun.wadl+xml", response.Content.Headers.ContentType?.MediaType);
        XNamespace wadl = "http://wadl.dev.java.net/2009/02";
        XDocument document = XDocument.Parse(await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
        Assert.Equal(server.Root, document.Root!.Element(wadl + "resources")!.Attribute("base")!.Value);
        Assert.Contains(document.Descendants(wadl + "resource"), r => r.Attribute("path")!.Value == "studies/{study}/bulkdata");
    }

    [Fact]
    public async Task C_92_OPTIONS_of_nothing_is_404_and_a_method_that_a_resource_lacks_405()
    {
        await using WebServer server = await WebServer.StartAsync();
        using var options = new HttpRequestMessage(HttpMethod.Options, "nothing/here");
        using HttpResponseMessage unknown = await server.Client.SendAsync(options, TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.NotFound, unknown.StatusCode);
        using HttpResponseMessage wrong = await server.Client.DeleteAsync("studies", TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.MethodNotAllowed, wrong.StatusCode);
        Assert.Equal("application/problem+json", wrong.Content.Headers.ContentType?.MediaType);
        Assert.Contains("GET", wrong.Content.Headers.Allow);
    }

    [Fact]
    public async Task C_92_CORS_answers_preflights_of_allowed_origins_with_the_headers_that_viewers_use()
    {
        await using WebServer server = await WebServer.StartAsync(new WebOptions { Cors = new CorsOptions { Origins = ["https://viewer.example.org"] } });
        using var preflight = new HttpRequestMessage(HttpMethod.Options, "studies");
        preflight.Headers.Add("Origin", "https://viewer.example.org");
        preflight.Headers.Add("Access-Control-Request-Method", "GET");
        preflight.Headers.Add("Access-Control-Request-Headers", "range,if-none-match,authorization");
        using HttpResponseMessage response = await server.Client.SendAsync(preflight, TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.NoContent, response.StatusCode);
        Assert.Equal("https://viewer.example.org", Assert.Single(response.Headers.GetValues("Access-Control-Allow-Origin")));
        string allowed = string.Join(',', response.Headers.GetValues("Access-Control-Allow-Headers")).ToLowerInvariant();
        foreach (string header in (string[])["range", "if-none-match", "authorization"]) Assert.Contains(header, allowed, StringComparison.Ordinal);
        Assert.Equal("600", Assert.Single(response.Headers.GetValues("Access-Control-Max-Age")));

        using var get = new HttpRequestMessage(HttpMethod.Get, "studies");
        get.Headers.Add("Origin", "https://viewer.example.org");
        using HttpResponseMessage simple = await server.Client.SendAsync(get, TestContext.Current.CancellationToken);
        string exposed = string.Join(',', simple.Headers.GetValues("Access-Control-Expose-Headers"));
        foreach (string header in (string[])["Warning", "Content-Location", "ETag"]) Assert.Contains(header, exposed, StringComparison.Ordinal);

        using var stranger = new HttpRequestMessage(HttpMethod.Get, "studies");
        stranger.Headers.Add("Origin", "https://elsewhere.example.org");
        using HttpResponseMessage refused = await server.Client.SendAsync(stranger, TestContext.Current.CancellationToken);
        Assert.False(refused.Headers.Contains("Access-Control-Allow-Origin"));
    }

    [Fact]
    public async Task A_store_refused_by_a_limit_is_still_readable_by_the_page_that_sent_it()
    {
        await using WebServer server = await WebServer.StartAsync(new WebOptions { Cors = new CorsOptions { Origins = ["*"] } });
        using var post = new HttpRequestMessage(HttpMethod.Post, "studies") { Content = new StringContent("x") };
        post.Headers.Add("Origin", "https://any.example.org");
        using HttpResponseMessage response = await server.Client.SendAsync(post, TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.UnsupportedMediaType, response.StatusCode);
        Assert.Equal("*", Assert.Single(response.Headers.GetValues("Access-Control-Allow-Origin")));
    }

    [Theory]
    [InlineData("viewer.example.org")]
    [InlineData("https://viewer.example.org/")]
    [InlineData("ftp://viewer.example.org")]
    public void Origins_that_are_none_are_refused_at_the_start(string origin) => Assert.NotEmpty(new WebOptions { Cors = new CorsOptions { Origins = [origin] } }.Validate());
}
