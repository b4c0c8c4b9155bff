using System.Diagnostics;
using System.Net;
using System.Text;
using PacsCluster.Testing;

namespace PacsCluster.Server.Tests;

/// <summary>The real executable as a process, on free ports of loopback.</summary>
internal sealed class RunningServer : IAsyncDisposable
{
    private readonly Process _process;
    private readonly StringBuilder _output = new();

    private RunningServer(string data, int dicomPort, int httpPort, Process process)
    {
        Data = data;
        DicomPort = dicomPort;
        HttpPort = httpPort;
        _process = process;
        process.OutputDataReceived += Take;
        process.ErrorDataReceived += Take;
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
    }

    public static string Executable => Path.Combine(AppContext.BaseDirectory, "PacsCluster.Server");

    public string Data { get; }

    public int DicomPort { get; }

    public int HttpPort { get; }

    public string Output
    {
        get
        {
            lock (_output) return _output.ToString();
        }
    }

    /// <summary>Starts and waits until it says that it is ready.</summary>
    public static async Task<RunningServer> StartAsync(string data, params string[] more)
    {
        int dicomPort = FreePort.Next(), httpPort = FreePort.Next();
        string[] arguments = ["serve", "--data", data, "--dicom-port", $"{dicomPort}", "--http-port", $"{httpPort}", .. more];
        var server = new RunningServer(data, dicomPort, httpPort, Tool.Start(Executable, arguments));
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        while (true)
        {
            if (server._process.HasExited) throw new InvalidOperationException($"the server ended with {server._process.ExitCode}: {server.Output}");
            try
            {
                (HttpStatusCode status, _) = await server.GetAsync("/health/ready");
                if (status == HttpStatusCode.OK) return server;
            }
            catch (HttpRequestException)
            {
                // Not listening yet.
            }
            await Task.Delay(20, limit.Token);
        }
    }

    /// <summary>Runs one command of the executable to its end.</summary>
    public static Task<ToolResult> RunAsync(params string[] arguments) => Tool.RunAsync(Executable, arguments, timeoutSeconds: 120);

    public async Task<(HttpStatusCode Status, string Body)> GetAsync(string path)
    {
        CancellationToken ct = TestContext.Current.CancellationToken;
        using var client = new HttpClient();
        using HttpResponseMessage response = await client.GetAsync(new Uri($"http://127.0.0.1:{HttpPort}{path}"), ct);
        return (response.StatusCode, await response.Content.ReadAsStringAsync(ct));
    }

    /// <summary>Runs a DCMTK tool against this server: options, then host and port, then what follows them.</summary>
    public Task<ToolResult> DcmtkAsync(string tool, string[] options, params string[] then) =>
        Tool.RunAsync(tool, [.. options, "-aec", "PACSCLUSTER", "127.0.0.1", $"{DicomPort}", .. then], 120, new Dictionary<string, string> { ["TCP_NODELAY"] = "1" });

    /// <summary>kill -9: no drain, no flush.</summary>
    public async Task KillAsync()
    {
        _process.Kill();
        await _process.WaitForExitAsync();
    }

    /// <summary>SIGTERM; gives the exit code after the drain.</summary>
    public async Task<int> StopAsync()
    {
        await Tool.RunAsync("kill", ["-TERM", $"{_process.Id}"]);
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        await _process.WaitForExitAsync(limit.Token);
        return _process.ExitCode;
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited) await KillAsync();
        _process.Dispose();
    }

    private void Take(object sender, DataReceivedEventArgs e)
    {
        if (e.Data is null) return;
        lock (_output) _output.AppendLine(e.Data);
    }
}
