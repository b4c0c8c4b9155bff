using System.Security.Cryptography;
using System.Text.Json;
using PacsCluster.Testing;

namespace PacsCluster.Server.Tests;

/// <summary>HTTP/2 without TLS, as a proxy in front of the node speaks it (RFC 9113 3.3, prior knowledge).</summary>
public sealed class Http2Tests
{
    private const int Count = 12;

    [Fact]
    public async Task C_93_curl_speaks_http2_by_prior_knowledge_and_nothing_else_on_its_port()
    {
        using var folder = new TempFolder();
        (int port, string[] paths) = await ImportAsync(folder);
        await using RunningServer server = await RunningServer.StartAsync(folder.At("data"), "--set", $"Http:Http2Port={port}");
        // A connection each: curl 7.88, which Debian has, cannot use one that it made with prior knowledge a second time.
        ToolResult[] said = await Task.WhenAll(paths.Select((path, i) => Tool.RunAsync("curl",
            ["--http2-prior-knowledge", "-sS", "--max-time", "60", "-H", "Accept: application/dicom", "-w", "%{http_version} %{http_code}", "-o", folder.At($"{i}.got"), $"http://127.0.0.1:{port}{path}"])));
        Assert.All(said, one => Assert.Equal("2 200", one.Output.Trim()));
        for (int i = 0; i < Count; i++) Assert.True(Synthetic.DataSetOf(folder.At("in", $"{i}.dcm")).Span.SequenceEqual(Synthetic.DataSetOf(folder.At($"{i}.got")).Span), $"instance {i} came back otherwise");
        ToolResult old = await Tool.RunAsync("curl", ["--http1.1", "-sS", "--max-time", "30", "-w", "%{http_code}", "-o", folder.At("old"), $"http://127.0.0.1:{port}{paths[0]}"]);
        Assert.False(old.ExitCode == 0 && old.Output.EndsWith("200", StringComparison.Ordinal), old.Output);
    }

    /// <summary>nghttp2 is the judge, as node has it.</summary>
    [Fact]
    public async Task C_93_streams_of_one_connection_run_in_parallel_and_one_that_is_cancelled_ends_alone()
    {
        using var folder = new TempFolder();
        (int port, string[] paths) = await ImportAsync(folder);
        await using RunningServer server = await RunningServer.StartAsync(folder.At("data"), "--set", $"Http:Http2Port={port}");
        string study = paths[0][..paths[0].IndexOf("/series", StringComparison.Ordinal)];
        ToolResult said = await Tool.RunAsync("node", [Path.Combine(ViewerTests.Folder, "http2.mjs"), $"http://127.0.0.1:{port}", study, .. paths], timeoutSeconds: 300);
        Assert.True(said.ExitCode == 0, said.Output);
        using JsonDocument got = JsonDocument.Parse(said.Output);
        string[] expected = [.. (await Task.WhenAll(paths.Select(async (path, i) =>
        {
            ToolResult one = await Tool.RunAsync("curl", ["-sS", "-H", "Accept: application/dicom", "-o", folder.At($"{i}.got"), $"http://127.0.0.1:{server.HttpPort}{path}"]);
            Assert.Equal(0, one.ExitCode);
            return Convert.ToHexStringLower(SHA256.HashData(await File.ReadAllBytesAsync(folder.At($"{i}.got"))));
        })))];
        Assert.Equal(expected, got.RootElement.GetProperty("parallel").EnumerateArray().Select(one => one.GetProperty("digest").GetString()!));
        Assert.Equal(expected[0], got.RootElement.GetProperty("again").GetProperty("digest").GetString());
        Assert.Equal(8, got.RootElement.GetProperty("code").GetInt32());
        // A client that goes away is no fault of the node's.
        Assert.DoesNotContain("fail:", server.Output, StringComparison.Ordinal);
        Assert.Equal(0, await server.StopAsync());
    }

    private static async Task<(int Port, string[] Paths)> ImportAsync(TempFolder folder)
    {
        Directory.CreateDirectory(folder.At("in"));
        string study = Synthetic.NewUid(), series = Synthetic.NewUid();
        string[] uids = [.. Enumerable.Range(0, Count).Select(i => Synthetic.Write(folder.At("in", $"{i}.dcm"), study, series, 800_000))];
        Assert.Equal(0, (await RunningServer.RunAsync("import", "--data", folder.At("data"), folder.At("in"))).ExitCode);
        return (FreePort.Next(), [.. uids.Select(uid => $"/dicom-web/studies/{study}/series/{series}/instances/{uid}")]);
    }
}
