using System.Net;
using PacsCluster.Testing;

namespace PacsCluster.Server.Tests;

/// <summary>A small file system that fills up: A700, nothing half written, and on it goes when there is space again.</summary>
public sealed class DiskFullTests
{
    [Fact]
    public async Task A_full_disk_answers_A700_and_storing_resumes_when_space_returns()
    {
        using var folder = new TempFolder();
        Directory.CreateDirectory(folder.At("small"));
        ToolResult mounted = await Tool.RunAsync("mount", ["-t", "tmpfs", "-o", "size=24m", "tmpfs", folder.At("small")]);
        // Not every machine lets its root mount; this is no tool that could be installed.
        if (mounted.ExitCode != 0) Assert.Skip("a tmpfs cannot be mounted here: " + mounted.Output.Trim());
        try
        {
            Directory.CreateDirectory(folder.At("in"));
            string study = Synthetic.NewUid(), series = Synthetic.NewUid();
            for (int i = 0; i < 20; i++) Synthetic.Write(folder.At("in", $"{i:00}.dcm"), study, series, 1_000_000);
            // 14 of 24 MB are taken already.
            File.WriteAllBytes(folder.At("small", "filler"), new byte[14_000_000]);
            await using RunningServer server = await RunningServer.StartAsync(folder.At("small", "data"));

            ToolResult full = await server.DcmtkAsync("storescu", ["-v", "--no-halt", "+sd"], folder.At("in"));
            int acknowledged = full.Output.Split("Received Store Response (Success)").Length - 1;
            Assert.Contains("Received Store Response (Refused: OutOfResources)", full.Output, StringComparison.Ordinal);
            Assert.True(acknowledged is >= 1 and < 20, full.Output);
            Assert.Equal(HttpStatusCode.OK, (await server.GetAsync("/health/live")).Status);

            File.Delete(folder.At("small", "filler"));
            ToolResult again = await server.DcmtkAsync("storescu", ["-v", "--no-halt", "+sd"], folder.At("in"));
            Assert.True(again.ExitCode == 0, again.Output + server.Output);
            Assert.Equal(20, again.Output.Split("Received Store Response (Success)").Length - 1);
            Assert.Equal(HttpStatusCode.OK, (await server.GetAsync("/health/ready")).Status);
            ToolResult verified = await RunningServer.RunAsync("verify", "--data", folder.At("small", "data"));
            Assert.True(verified.ExitCode == 0, verified.Output);
            Assert.Contains(", 20 instances,", verified.Output, StringComparison.Ordinal);
        }
        finally
        {
            await Tool.RunAsync("umount", ["-l", folder.At("small")]);
        }
    }
}
