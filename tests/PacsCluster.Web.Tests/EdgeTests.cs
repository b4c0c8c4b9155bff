using System.Net;
using System.Text.Json;

namespace PacsCluster.Web.Tests;

public sealed class EdgeTests
{
    [Fact]
    public async Task Unknown_resource_is_a_problem_document_that_says_what_to_do_next()
    {
        await using WebServer server = await WebServer.StartAsync();
        using HttpResponseMessage response = await server.Client.GetAsync("no-such-thing", TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.NotFound, response.StatusCode);
        Assert.Equal("application/problem+json", response.Content.Headers.ContentType?.ToString());
        using JsonDocument problem = JsonDocument.Parse(await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
        Assert.Equal(404, problem.RootElement.GetProperty("status").GetInt32());
        Assert.NotEmpty(problem.RootElement.GetProperty("next").GetString()!);
    }
}
