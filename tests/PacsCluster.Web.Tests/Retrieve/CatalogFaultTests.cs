using System.Net;
using System.Reflection;
using System.Runtime.CompilerServices;
using PacsCluster.Catalog;

namespace PacsCluster.Web.Tests;

public sealed class CatalogFaultTests
{
    [Fact]
    public async Task C_93_a_client_that_goes_away_ends_the_cursor_of_its_search()
    {
        var begun = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var ended = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using WebServer server = await WebServer.StartAsync(wrap: inner => ReplacedCatalog.Of(inner, (method, arguments) => method.Name == nameof(ICatalog.SearchAsync) ? Endless(begun, ended, (CancellationToken)arguments[1]!) : null));
        using var away = new CancellationTokenSource();
        Task<HttpResponseMessage> request = server.Client.GetAsync("studies", away.Token);
        await begun.Task.WaitAsync(TimeSpan.FromSeconds(60), TestContext.Current.CancellationToken);
        await away.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => request);
        await ended.Task.WaitAsync(TimeSpan.FromSeconds(60), TestContext.Current.CancellationToken);
    }

    [Theory]
    [InlineData(nameof(ICatalog.SearchAsync), "studies")]
    [InlineData(nameof(ICatalog.LocateAsync), "studies/1.2.3")]
    [InlineData(nameof(ICatalog.LocateHeadersAsync), "studies/1.2.3/series/1.2.3/instances/1.2.3/frames/1")]
    [InlineData(nameof(ICatalog.GetContentAsync), "studies/1.2.3/tree")]
    public async Task C_93_a_catalog_that_is_away_is_503_with_the_time_to_try_again(string call, string path)
    {
        await using WebServer server = await WebServer.StartAsync(wrap: inner => ReplacedCatalog.Of(inner, (method, _) => method.Name == call ? throw new CatalogUnavailableException("away") : null));
        using HttpResponseMessage response = await server.GetAsync(path);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
        Assert.True(response.Headers.RetryAfter?.Delta > TimeSpan.Zero);
        Assert.Equal("application/problem+json", response.Content.Headers.ContentType?.MediaType);
    }

    private static async IAsyncEnumerable<SearchRow> Endless(TaskCompletionSource begun, TaskCompletionSource ended, [EnumeratorCancellation] CancellationToken ct)
    {
        try
        {
            begun.SetResult();
            await Task.Delay(Timeout.Infinite, ct);
        }
        finally
        {
            ended.SetResult();
        }
        yield break;
    }

    /// <summary>A catalog some of whose calls are answered otherwise.</summary>
    public class ReplacedCatalog : DispatchProxy
    {
        private ICatalog? _inner;
        private Func<MethodInfo, object?[], object?>? _replace;

        internal static ICatalog Of(ICatalog inner, Func<MethodInfo, object?[], object?> replace)
        {
            ICatalog made = Create<ICatalog, ReplacedCatalog>();
            var proxy = (ReplacedCatalog)(object)made;
            proxy._inner = inner;
            proxy._replace = replace;
            return made;
        }

        /// <inheritdoc/>
        protected override object? Invoke(MethodInfo? targetMethod, object?[]? args) =>
            _replace!(targetMethod!, args ?? []) ?? targetMethod!.Invoke(_inner, BindingFlags.DoNotWrapExceptions, null, args, null);
    }
}
