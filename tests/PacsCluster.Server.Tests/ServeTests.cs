using System.Net;
using System.Net.Sockets;
using PacsCluster.Testing;

namespace PacsCluster.Server.Tests;

public sealed class ServeTests
{
    [Fact]
    public async Task Health_page_live_ready_and_metrics_answer()
    {
        using var folder = new TempFolder();
        await using RunningServer server = await RunningServer.StartAsync(folder.At("data"), "--aet", "HEALTHY");
        Assert.Equal(HttpStatusCode.OK, (await server.GetAsync("/health/live")).Status);
        (HttpStatusCode status, string body) = await server.GetAsync("/");
        Assert.Equal(HttpStatusCode.OK, status);
        Assert.Contains("HEALTHY", body, StringComparison.Ordinal);
        Assert.Contains("Disk free", body, StringComparison.Ordinal);
        Assert.Contains("process_resident_memory_bytes", (await server.GetAsync("/metrics")).Body, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.NotFound, (await server.GetAsync("/nothing")).Status);

        // Without its blobs' folder it is alive and not ready, and says why.
        Directory.Move(folder.At("data", "blobs"), folder.At("data", "away"));
        (status, body) = await server.GetAsync("/health/ready");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, status);
        Assert.Contains("blobs: the folder", body, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.OK, (await server.GetAsync("/health/live")).Status);
        Directory.Move(folder.At("data", "away"), folder.At("data", "blobs"));
        Assert.Equal(HttpStatusCode.OK, (await server.GetAsync("/health/ready")).Status);
    }

    [Fact]
    public async Task A_port_in_use_is_one_clear_line()
    {
        using var folder = new TempFolder();
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        int port = ((IPEndPoint)taken.LocalEndpoint).Port;
        ToolResult result = await RunningServer.RunAsync("serve", "--data", folder.At("data"), "--dicom-port", $"{port}", "--http-port", $"{FreePort.Next()}");
        Assert.Equal(1, result.ExitCode);
        Assert.Equal($"Dimse:Port: cannot listen on 127.0.0.1:{port}: another program has it", result.Output.Trim());
    }

    [Fact]
    public async Task A_data_folder_has_one_server()
    {
        using var folder = new TempFolder();
        await using RunningServer server = await RunningServer.StartAsync(folder.At("data"));
        ToolResult result = await RunningServer.RunAsync("serve", "--data", folder.At("data"), "--dicom-port", $"{FreePort.Next()}", "--http-port", $"{FreePort.Next()}");
        Assert.Equal(1, result.ExitCode);
        Assert.Contains($"is in use by process", result.Output, StringComparison.Ordinal);
        Assert.Contains($"DICOM port {server.DicomPort}", result.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Wrong_options_stop_the_start_with_a_line_each_and_exit_code_2()
    {
        using var folder = new TempFolder();
        ToolResult result = await RunningServer.RunAsync("--data", folder.At("data"), "--dicom-port", "99999", "--bind", "0.0.0.0", "--set", "Engine:Nonsense=1");
        Assert.Equal(2, result.ExitCode);
        string[] lines = result.Output.Trim().Split('\n');
        Assert.Contains(lines, l => l.Contains(":Port: 99999", StringComparison.Ordinal));
        Assert.Contains(lines, l => l.StartsWith("Engine:Nonsense: no such option", StringComparison.Ordinal));
        Assert.Contains(lines, l => l.StartsWith("Dimse:BindAddress: 0.0.0.0 is not loopback", StringComparison.Ordinal));
        Assert.False(Directory.Exists(folder.At("data")));
        Assert.Equal(2, (await RunningServer.RunAsync("frobnicate")).ExitCode);
    }

    [Fact]
    public async Task A_stop_lets_a_store_in_flight_finish()
    {
        using var folder = new TempFolder();
        Directory.CreateDirectory(folder.At("in"));
        string study = Synthetic.NewUid(), series = Synthetic.NewUid();
        for (int i = 0; i < 40; i++) Synthetic.Write(folder.At("in", $"{i}.dcm"), study, series, 200_000);
        await using RunningServer server = await RunningServer.StartAsync(folder.At("data"));
        Task<ToolResult> store = server.DcmtkAsync("storescu", ["-v", "+sd"], folder.At("in"));
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        while (!(await server.GetAsync("/metrics")).Body.Contains("outcome=\"stored\"", StringComparison.Ordinal)) await Task.Delay(10, limit.Token);
        Assert.Equal(0, await server.StopAsync());
        int acknowledged = (await store).Output.Split("Received Store Response (Success)").Length - 1;
        ToolResult verified = await RunningServer.RunAsync("verify", "--data", folder.At("data"));
        Assert.True(verified.ExitCode == 0, verified.Output);
        Assert.Contains($", {acknowledged} instances,", verified.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Help_teaches_with_examples()
    {
        foreach (string[] command in new[] { [], new[] { "serve" }, ["import"], ["find"], ["send"], ["echo"], ["verify"], ["quarantine"] })
        {
            ToolResult help = await RunningServer.RunAsync([.. command, "--help"]);
            Assert.Equal(0, help.ExitCode);
            Assert.Contains("Examples:", help.Output, StringComparison.Ordinal);
        }
    }
}
