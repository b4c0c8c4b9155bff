using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using PacsCluster.Engine;

namespace PacsCluster.Dimse.Tests;

/// <summary>One instance that a test server was given.</summary>
internal sealed record Received(StoreOrigin Origin, byte[] DataSet);

/// <summary>The application entity on Kestrel, on a free port of loopback, with a sink where the engine would be.</summary>
internal sealed class TestServer : IAsyncDisposable
{
    private readonly WebApplication _app;

    private TestServer(WebApplication app, int port)
    {
        _app = app;
        Port = port;
    }

    public int Port { get; }

    public ConcurrentQueue<Received> Stored { get; private init; } = new();

    public ConcurrentQueue<string> LogLines { get; private init; } = new();

    public static async Task<TestServer> StartAsync(DimseOptions? options = null, StoreFunction? store = null, Action<ListenOptions>? configure = null, TimeProvider? time = null)
    {
        options = (options ?? new DimseOptions()) with { Port = 0 };
        Assert.Empty(options.Validate());
        var stored = new ConcurrentQueue<Received>();
        var lines = new ConcurrentQueue<string>();
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        ListenOptions? listening = null;
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.ListenDicom(options, listen =>
        {
            listening = listen;
            configure?.Invoke(listen);
        }));
        builder.Logging.SetMinimumLevel(LogLevel.Debug).AddProvider(new Lines(lines));
        if (time is not null) builder.Services.AddSingleton(time);
        DimseServer.AddCore(builder.Services, options);
        builder.Services.AddSingleton(store ?? (async (dataSet, origin, cancellationToken) =>
        {
            var bytes = new MemoryStream();
            await dataSet.CopyToAsync(bytes, cancellationToken);
            stored.Enqueue(new Received(origin, bytes.ToArray()));
            return new StoreOutcome { Kind = StoreOutcomeKind.Stored, SopInstanceUid = origin.AffectedSopInstanceUid };
        }));
        WebApplication app = builder.Build();
        await app.StartAsync();
        return new TestServer(app, ((DicomEndPoint)listening!.EndPoint).Address.Port) { Stored = stored, LogLines = lines };
    }

    public DimsePeer Peer => new("PACSCLUSTER", "127.0.0.1", Port);

    public async Task<Socket> ConnectAsync()
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(IPAddress.Loopback, Port);
        return socket;
    }

    /// <summary>Waits until a line of the log holds a text.</summary>
    public async Task<string> LogLineAsync(string text)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(10));
        while (true)
        {
            if (LogLines.FirstOrDefault(line => line.Contains(text, StringComparison.Ordinal)) is { } found) return found;
            if (limit.IsCancellationRequested) Assert.Fail($"no line with '{text}' in: {string.Join('\n', LogLines)}");
            await Task.Delay(10, CancellationToken.None);
        }
    }

    public Task StopAsync(TimeSpan limit) => _app.StopAsync(new CancellationTokenSource(limit).Token);

    public async ValueTask DisposeAsync()
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(2));
        await _app.StopAsync(limit.Token);
        await _app.DisposeAsync();
    }

    private sealed class Lines(ConcurrentQueue<string> lines) : ILoggerProvider
    {
        public ILogger CreateLogger(string categoryName) => new Line(lines);

        public void Dispose()
        {
        }

        private sealed class Line(ConcurrentQueue<string> lines) : ILogger
        {
            public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;
            public bool IsEnabled(LogLevel logLevel) => true;
            public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
                lines.Enqueue($"{logLevel} {formatter(state, exception)} {exception}");
        }
    }
}
