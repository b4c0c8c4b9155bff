using System.Net;
using System.Net.Http.Headers;
using System.Text;
using PacsCluster.Dicom;

namespace PacsCluster.Web.Tests.Around;

public sealed class AccessTests
{
    private const string Reader = "reads-only-0123456789", Sender = "may-store-0123456789", Keeper = "may-do-all-0123456789";

    private static WebOptions Options(bool hide = false) => new()
    {
        Access = new AccessOptions
        {
            HideForbidden = hide,
            Callers =
            [
                new CallerOptions { Name = "viewer", Secret = Reader },
                new CallerOptions { Name = "modality", Secret = Sender, Read = false, Store = true },
                new CallerOptions { Name = "keeper", Secret = Keeper, Store = true, Delete = true },
            ],
        },
    };

    [Theory]
    [InlineData(null)]
    [InlineData("Bearer wrong-secret-0123456789")]
    [InlineData("Bearer ")]
    [InlineData("Basic not base64!")]
    [InlineData("Basic bm9ib2R5")]
    [InlineData("Digest username=\"viewer\"")]
    public async Task C_94_who_does_not_say_who_he_is_gets_401_with_the_ways_to_say_it(string? authorization)
    {
        await using WebServer server = await WebServer.StartAsync(Options());
        foreach ((HttpMethod method, string path) in new[] { (HttpMethod.Get, "studies"), (HttpMethod.Get, "studies/1.2.3/metadata"), (HttpMethod.Post, "studies"), (HttpMethod.Delete, "studies/1.2.3"), (HttpMethod.Get, "openapi.json"), (HttpMethod.Get, "nothing") })
        {
            using var request = new HttpRequestMessage(method, path);
            if (authorization is not null) request.Headers.TryAddWithoutValidation("Authorization", authorization);
            using HttpResponseMessage response = await server.Client.SendAsync(request, TestContext.Current.CancellationToken);
            Assert.Equal(HttpStatusCode.Unauthorized, response.StatusCode);
            Assert.Equal(["Bearer", "Basic"], response.Headers.WwwAuthenticate.Select(way => way.Scheme));
            Assert.Equal("application/problem+json", response.Content.Headers.ContentType?.MediaType);
        }
    }

    [Fact]
    public async Task C_94_bearer_and_basic_are_who_their_secret_says_and_may_do_what_they_may()
    {
        await using WebServer server = await WebServer.StartAsync(Options());
        DataSet image = Made.Image(Made.NewUid(), Made.NewUid());
        await server.StoreAsync(Made.File(image));
        string study = "studies/" + image.GetString(Tags.StudyInstanceUID);
        byte[] another = Made.File(Made.Image(Made.NewUid(), Made.NewUid()));
        foreach ((string name, string secret, bool read, bool store, bool delete) in new[] { ("viewer", Reader, true, false, false), ("modality", Sender, false, true, false), ("keeper", Keeper, true, true, true) })
        {
            foreach (AuthenticationHeaderValue way in new[] { new AuthenticationHeaderValue("Bearer", secret), new AuthenticationHeaderValue("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes($"{name}:{secret}"))) })
            {
                Assert.Equal(read, await MayAsync(HttpMethod.Get, study + "/metadata", way));
                Assert.Equal(read, await MayAsync(HttpMethod.Get, "changefeed", way));
                Assert.Equal(store, await MayAsync(HttpMethod.Post, "studies", way, another));
                Assert.Equal(delete, await MayAsync(HttpMethod.Get, "deletions", way));
            }
        }
        // A name with another's secret is nobody.
        using HttpResponseMessage mixed = await SendAsync(server, HttpMethod.Get, study, new AuthenticationHeaderValue("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes($"keeper:{Reader}"))));
        Assert.Equal(HttpStatusCode.Unauthorized, mixed.StatusCode);
        // Who deleted is told by name.
        using HttpResponseMessage deleted = await SendAsync(server, HttpMethod.Delete, study, new AuthenticationHeaderValue("Bearer", Keeper));
        Assert.Contains("\"by\":\"keeper\"", await deleted.Content.ReadAsStringAsync(TestContext.Current.CancellationToken), StringComparison.Ordinal);

        async Task<bool> MayAsync(HttpMethod method, string path, AuthenticationHeaderValue way, byte[]? body = null)
        {
            using HttpResponseMessage response = await SendAsync(server, method, path, way, body);
            Assert.True(response.IsSuccessStatusCode || response.StatusCode == HttpStatusCode.Forbidden, $"{method} {path}: {response.StatusCode}");
            return response.IsSuccessStatusCode;
        }
    }

    [Fact]
    public async Task C_94_what_a_caller_may_not_touch_looks_as_if_it_were_not_there_where_the_option_says_so()
    {
        await using WebServer server = await WebServer.StartAsync(Options(hide: true));
        DataSet image = Made.Image(Made.NewUid(), Made.NewUid());
        await server.StoreAsync(Made.File(image));
        foreach ((HttpMethod method, string secret) in new[] { (HttpMethod.Get, Sender), (HttpMethod.Delete, Reader) })
        {
            string[] bodies = new string[2];
            foreach ((int i, string study) in new[] { (0, image.GetString(Tags.StudyInstanceUID)!), (1, "1.2.3") })
            {
                using HttpResponseMessage response = await SendAsync(server, method, "studies/" + study, new AuthenticationHeaderValue("Bearer", secret));
                Assert.Equal(HttpStatusCode.NotFound, response.StatusCode);
                bodies[i] = (await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken)).Replace(study, "", StringComparison.Ordinal);
            }
            // And as what really is not there looks to who may look.
            using HttpResponseMessage none = await SendAsync(server, method, "studies/1.2.3", new AuthenticationHeaderValue("Bearer", Keeper));
            Assert.Equal(bodies[0], bodies[1]);
            Assert.Equal(bodies[0], (await none.Content.ReadAsStringAsync(TestContext.Current.CancellationToken)).Replace("1.2.3", "", StringComparison.Ordinal));
        }
    }

    [Fact]
    public async Task C_94_a_preflight_needs_no_caller_and_a_page_may_read_the_401()
    {
        await using WebServer server = await WebServer.StartAsync(Options() with { Cors = new CorsOptions { Origins = ["https://viewer.example.org"] } });
        using var preflight = new HttpRequestMessage(HttpMethod.Options, "studies");
        preflight.Headers.Add("Origin", "https://viewer.example.org");
        preflight.Headers.Add("Access-Control-Request-Method", "GET");
        preflight.Headers.Add("Access-Control-Request-Headers", "authorization");
        using HttpResponseMessage allowed = await server.Client.SendAsync(preflight, TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.NoContent, allowed.StatusCode);
        using var get = new HttpRequestMessage(HttpMethod.Get, "studies");
        get.Headers.Add("Origin", "https://viewer.example.org");
        using HttpResponseMessage refused = await server.Client.SendAsync(get, TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.Unauthorized, refused.StatusCode);
        Assert.Equal("https://viewer.example.org", Assert.Single(refused.Headers.GetValues("Access-Control-Allow-Origin")));
        Assert.Contains("WWW-Authenticate", string.Join(',', refused.Headers.GetValues("Access-Control-Expose-Headers")), StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public void Callers_without_a_name_with_short_or_shared_secrets_are_refused_at_the_start()
    {
        static IReadOnlyList<string> Wrong(params CallerOptions[] callers) => new WebOptions { Access = new AccessOptions { Callers = callers } }.Validate();
        Assert.Empty(Options().Validate());
        Assert.NotEmpty(Wrong(new CallerOptions { Name = "", Secret = Reader }));
        Assert.NotEmpty(Wrong(new CallerOptions { Name = "a:b", Secret = Reader }));
        Assert.NotEmpty(Wrong(new CallerOptions { Name = "a", Secret = "short" }));
        Assert.NotEmpty(Wrong(new CallerOptions { Name = "a", Secret = Reader }, new CallerOptions { Name = "a", Secret = Sender }));
        Assert.NotEmpty(Wrong(new CallerOptions { Name = "a", Secret = Reader }, new CallerOptions { Name = "b", Secret = Reader }));
        // What is wrong with a secret is said without the secret.
        Assert.DoesNotContain("short", Assert.Single(Wrong(new CallerOptions { Name = "a", Secret = "short" })), StringComparison.Ordinal);
    }

    private static async Task<HttpResponseMessage> SendAsync(WebServer server, HttpMethod method, string path, AuthenticationHeaderValue way, byte[]? body = null)
    {
        using var request = new HttpRequestMessage(method, path) { Content = body is null ? null : new ByteArrayContent(body) };
        if (body is not null) request.Content!.Headers.ContentType = new MediaTypeHeaderValue("application/dicom");
        request.Headers.Authorization = way;
        return await server.Client.SendAsync(request, TestContext.Current.CancellationToken);
    }
}
