using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using PacsCluster.Catalog;
using PacsCluster.Dimse;
using PacsCluster.Server.Conformance;
using PacsCluster.Server.Health;
using PacsCluster.Server.Options;
using PacsCluster.Server.Viewer;
using PacsCluster.Web;

namespace PacsCluster.Server.Commands;

/// <summary><c>serve</c>: the doors over one node, until the process is told to stop.</summary>
internal static class ServeCommand
{
    /// <summary>Serves; returns after a drained stop.</summary>
    /// <exception cref="CommandException">The data folder is taken, or a port is.</exception>
    public static async Task<int> RunAsync(ServerOptions options, CancellationToken ct)
    {
        // Durable writes hold a thread each while the disk works; the pool would add threads only one per half second.
        ThreadPool.GetMinThreads(out int workers, out int ports);
        ThreadPool.SetMinThreads(Math.Max(workers, options.MinThreads), ports);
        using DataFolder? folder = DataFolder.TryTake(options.Data);
        if (folder is null)
        {
            string who = DataFolder.Serving(options.Data) is { } other ? $"process {other.ProcessId}, DICOM port {other.DicomPort}" : "an import or another server";
            throw new CommandException($"the data folder {options.Data} is in use by {who}");
        }
        FindTakenPort("Dimse", options.Dimse.BindAddress, options.Dimse.Port);
        FindTakenPort("Http", options.Http.BindAddress, options.Http.Port);
        if (options.Http.Http2Port > 0) FindTakenPort("Http:Http2", options.Http.BindAddress, options.Http.Http2Port);

        using var metrics = new PrometheusText();
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { Args = [] });
        Loggers.Configure(builder.Logging, options.Log);
        builder.Services.AddRoutingCore();
        builder.Services.Configure<HostOptions>(o => o.ShutdownTimeout = options.StopTimeout);
        using ILoggerFactory loggers = LoggerFactory.Create(b => Loggers.Configure(b, options.Log));
        await using Node node = await Node.OpenAsync(options, loggers, start: true, ct, serves: true);
        builder.Services.AddSingleton(node.Archive.Ingest).AddSingleton(node.Archive.Retrieve).AddSingleton(node.Archive.Metadata).AddSingleton(node.Archive.ChangeFeed).AddSingleton(node.Archive.Deletion)
            .AddSingleton(node.Archive.Completion).AddSingleton(node.Archive.Codecs).AddSingleton<ICatalog>(node.Catalog);
        bool listening = false;
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.ListenDicom(options.Dimse);
            kestrel.Limits.MaxResponseBufferSize = options.Http.ResponseBufferBytes;
            IPAddress address = IPAddress.Parse(options.Http.BindAddress);
            kestrel.Listen(address, options.Http.Port);
            if (options.Http.Http2Port > 0) kestrel.Listen(address, options.Http.Http2Port, listen => listen.Protocols = HttpProtocols.Http2);
        });
        // After Kestrel, which brings its TCP transport only where no transport is there yet.
        builder.Services.AddPacsDimse(options.Dimse);
        builder.Services.AddPacsWeb(options.Web);
        await using WebApplication web = builder.Build();
        web.MapDicomWeb();
        web.MapGet("/conformance", (HttpContext http) =>
        {
            http.Response.ContentType = "text/html; charset=utf-8";
            http.Response.Headers.ContentSecurityPolicy = "default-src 'none'; style-src 'unsafe-inline'";
            return http.Response.WriteAsync(ConformanceStatement.Write(options), http.RequestAborted);
        });
        web.MapViewer(options.Http, options.Web.Path);
        web.MapHealth(node, new Readiness(node, () => Volatile.Read(ref listening)), metrics);
        try
        {
            await web.StartAsync(ct);
        }
        catch (Exception e) when (e is IOException or SocketException)
        {
            throw new CommandException($"cannot listen: {e.Message}");
        }
        Volatile.Write(ref listening, true);
        folder.Publish(new ServingNode(Environment.ProcessId, options.Dimse.AETitle, options.Dimse.BindAddress, options.Dimse.Port, options.Http.Port));
        ILogger logger = loggers.CreateLogger("PacsCluster.Server");
        Log.Serving(logger, ServerVersion.Text, options.Data, options.Dimse.AETitle, options.Dimse.BindAddress, options.Dimse.Port, options.Http.BindAddress, options.Http.Port);
        foreach (string address in new[] { options.Dimse.BindAddress, options.Http.BindAddress }.Distinct())
        {
            if (!IPAddress.IsLoopback(IPAddress.Parse(address))) Log.BeyondLoopback(logger, address);
        }
        await StopAskedAsync(web.Lifetime, ct);
        Volatile.Write(ref listening, false);
        Log.Stopping(logger, options.StopTimeout);
        using var limit = new CancellationTokenSource(options.StopTimeout);
        await web.StopAsync(limit.Token);
        Log.Stopped(logger);
        return 0;
    }

    /// <summary>A port in use is one clear line before anything is opened, and says whose option it is.</summary>
    private static void FindTakenPort(string option, string address, int port)
    {
        try
        {
            IPAddress ip = IPAddress.Parse(address);
            using var probe = new Socket(ip.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
            probe.Bind(new IPEndPoint(ip, port));
            probe.Listen(1);
        }
        catch (SocketException e)
        {
            string why = e.SocketErrorCode switch
            {
                SocketError.AddressAlreadyInUse => "another program has it",
                SocketError.AccessDenied => "ports below 1024 need a right (CAP_NET_BIND_SERVICE)",
                SocketError.AddressNotAvailable => "this machine has no such address",
                _ => e.Message,
            };
            throw new CommandException($"{option}:Port: cannot listen on {address}:{port}: {why}");
        }
    }

    private static async Task StopAskedAsync(IHostApplicationLifetime lifetime, CancellationToken ct)
    {
        var asked = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using CancellationTokenRegistration host = lifetime.ApplicationStopping.Register(asked.SetResult);
        using CancellationTokenRegistration command = ct.Register(() => asked.TrySetResult());
        await asked.Task;
    }
}
