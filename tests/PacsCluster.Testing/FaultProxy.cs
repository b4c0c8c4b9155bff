using System.Collections.Concurrent;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace PacsCluster.Testing;

/// <summary>What is done to one request.</summary>
public sealed record Fault
{
    /// <summary>Time before the request is passed on.</summary>
    public TimeSpan Delay { get; init; }

    /// <summary>Answered instead of the server.</summary>
    public int Status { get; init; }

    /// <summary>The connection breaks before the server hears of the request.</summary>
    public bool Refuse { get; init; }

    /// <summary>The server does as it was told, and the connection breaks before it can say so.</summary>
    public bool LoseAnswer { get; init; }

    /// <summary>The connection breaks after so many bytes of the answer's body.</summary>
    public long? CutAfter { get; init; }

    /// <summary>Held until this ends.</summary>
    public Task? Until { get; init; }
}

/// <summary>An HTTP proxy in front of a blob server that does to requests what a test says.</summary>
public sealed class FaultProxy : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly HttpClient _client = new(new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false, UseProxy = false });
    private readonly Uri _server;
    private int _now;

    private FaultProxy(Uri server)
    {
        _server = server;
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0").ConfigureKestrel(k =>
        {
            k.Limits.MaxRequestBodySize = null;
            k.Limits.MinRequestBodyDataRate = null;
        });
        _app = builder.Build();
        _app.Run(PassAsync);
    }

    /// <summary>What is done to the request of a method and a path with its query; null for nothing.</summary>
    public Func<string, Fault?> Rule { get; set; } = _ => null;

    /// <summary>Requests so far: method, path and query.</summary>
    public ConcurrentQueue<string> Requests { get; } = new();

    /// <summary>The most requests that were here at once.</summary>
    public int MostAtOnce { get; private set; }

    /// <summary>Where it listens.</summary>
    public Uri Address => new(_app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single() + "/");

    /// <summary>Starts one in front of a server.</summary>
    public static async Task<FaultProxy> StartAsync(Uri server)
    {
        var proxy = new FaultProxy(server);
        await proxy._app.StartAsync();
        return proxy;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        using var atOnce = new CancellationTokenSource(TimeSpan.FromMilliseconds(100));
        await _app.StopAsync(atOnce.Token);
        await _app.DisposeAsync();
        _client.Dispose();
    }

    private async Task PassAsync(HttpContext context)
    {
        string target = context.Features.Get<IHttpRequestFeature>()!.RawTarget;
        string said = $"{context.Request.Method} {target}";
        int now = Interlocked.Increment(ref _now);
        lock (_client) MostAtOnce = Math.Max(MostAtOnce, now);
        Requests.Enqueue(said);
        try
        {
            Fault fault = Rule(said) ?? new Fault();
            if (fault.Refuse)
            {
                context.Abort();
                return;
            }
            using var body = new MemoryStream();
            await context.Request.Body.CopyToAsync(body, context.RequestAborted);
            if (fault.Until is { } until) await until.WaitAsync(context.RequestAborted);
            if (fault.Delay > TimeSpan.Zero) await Task.Delay(fault.Delay, context.RequestAborted);
            if (fault.Status != 0)
            {
                context.Response.StatusCode = fault.Status;
                return;
            }
            using HttpResponseMessage answer = await _client.SendAsync(Copy(context.Request, target, body), HttpCompletionOption.ResponseHeadersRead, context.RequestAborted);
            if (fault.LoseAnswer)
            {
                context.Abort();
                return;
            }
            await AnswerAsync(context, answer, fault.CutAfter);
        }
        catch (Exception e) when (e is OperationCanceledException or HttpRequestException or IOException)
        {
            context.Abort();
        }
        finally
        {
            Interlocked.Decrement(ref _now);
        }
    }

    private HttpRequestMessage Copy(HttpRequest request, string target, MemoryStream body)
    {
        var copy = new HttpRequestMessage(new HttpMethod(request.Method), new Uri(_server, target)) { Content = new ByteArrayContent(body.ToArray()) };
        foreach ((string name, var values) in request.Headers)
        {
            // Host goes too: signatures cover it.
            if (name is "Transfer-Encoding" or "Content-Length" or "Connection") continue;
            if (!copy.Headers.TryAddWithoutValidation(name, values.ToArray())) copy.Content.Headers.TryAddWithoutValidation(name, values.ToArray());
        }
        return copy;
    }

    private static async Task AnswerAsync(HttpContext context, HttpResponseMessage answer, long? cutAfter)
    {
        context.Response.StatusCode = (int)answer.StatusCode;
        foreach ((string name, IEnumerable<string> values) in answer.Headers.Concat(answer.Content.Headers))
        {
            if (name is not ("Transfer-Encoding" or "Connection" or "Keep-Alive")) context.Response.Headers[name] = values.ToArray();
        }
        await using Stream body = await answer.Content.ReadAsStreamAsync(context.RequestAborted);
        var buffer = new byte[64 * 1024];
        for (int read; (read = await body.ReadAsync(buffer, context.RequestAborted)) > 0;)
        {
            if (cutAfter is { } left)
            {
                await context.Response.Body.WriteAsync(buffer.AsMemory(0, (int)Math.Min(left, read)), context.RequestAborted);
                if (left <= read)
                {
                    await context.Response.Body.FlushAsync(context.RequestAborted);
                    context.Abort();
                    return;
                }
                cutAfter = left - read;
                continue;
            }
            await context.Response.Body.WriteAsync(buffer.AsMemory(0, read), context.RequestAborted);
        }
    }
}
