using System.Diagnostics;
using System.Text.RegularExpressions;
using PacsCluster.Testing;

namespace PacsCluster.Server.Tests;

/// <summary>kill -9 in the middle of a store over eight associations: what was answered with 0000 is there after a restart.</summary>
public sealed partial class CrashTests
{
    private const int Associations = 8;
    private const int PerAssociation = 60;

    [Fact]
    public async Task Every_acknowledged_instance_survives_kill_9_in_the_middle_of_an_eight_association_store()
    {
        // PACS_CRASH_ROUNDS=10 for the long run.
        int rounds = int.TryParse(Environment.GetEnvironmentVariable("PACS_CRASH_ROUNDS"), out int more) ? more : 2;
        using var folder = new TempFolder();
        var random = new Random(20261121);
        var acknowledged = new HashSet<string>();
        for (int round = 0; round < rounds; round++)
        {
            var uids = new Dictionary<string, string>();
            string study = Synthetic.NewUid(), series = Synthetic.NewUid();
            for (int a = 0; a < Associations; a++)
            {
                Directory.CreateDirectory(folder.At($"in{round}", $"{a}"));
                for (int i = 0; i < PerAssociation; i++)
                {
                    string path = folder.At($"in{round}", $"{a}", $"{i}.dcm");
                    uids[path] = Synthetic.Write(path, study, series, 40_000);
                }
            }
            int target = acknowledged.Count + random.Next(20, Associations * PerAssociation * 3 / 4);
            await using (RunningServer server = await RunningServer.StartAsync(folder.At("data")))
            {
                await StoreUntilKilledAsync(server, folder, round, uids, acknowledged, target);
            }
            await using RunningServer again = await RunningServer.StartAsync(folder.At("data"));
            ToolResult got = await again.DcmtkAsync("getscu", ["-S", "-od", Directory.CreateDirectory(folder.At($"got{round}")).FullName,
                "-k", "0008,0052=STUDY", "-k", $"StudyInstanceUID={study}"]);
            string[] files = [.. Directory.GetFiles(folder.At($"got{round}")).Select(f => Path.GetFileName(f))];
            string[] missing = [.. uids.Values.Where(acknowledged.Contains).Where(uid => !files.Any(f => f.EndsWith(uid, StringComparison.Ordinal)))];
            Assert.True(missing.Length == 0, $"{missing.Length} acknowledged instances are missing: {got.Output}");
            ToolResult verified = await RunningServer.RunAsync("verify", "--data", folder.At("data"));
            Assert.True(verified.ExitCode == 0, verified.Output);
            TestContext.Current.TestOutputHelper?.WriteLine($"round {round + 1}: {acknowledged.Count} acknowledged in all, {files.Length} of this round there; {verified.Output.Trim().Split('\n')[^1]}");
        }
        Assert.True(acknowledged.Count > rounds * 20);
    }

    private static async Task StoreUntilKilledAsync(RunningServer server, TempFolder folder, int round, Dictionary<string, string> uids, HashSet<string> acknowledged, int target)
    {
        using var enough = new SemaphoreSlim(0);
        Process[] senders = [.. Enumerable.Range(0, Associations).Select(a => Tool.Start(
            Tool.Find("storescu") ?? throw Missing.Because("storescu is not installed: tests/run installs it as root on Debian"),
            ["-v", "-aec", "PACSCLUSTER", "+sd", "127.0.0.1", $"{server.DicomPort}", folder.At($"in{round}", $"{a}")],
            new Dictionary<string, string> { ["TCP_NODELAY"] = "1" }))];
        foreach (Process sender in senders)
        {
            string? current = null;
            void Take(object source, DataReceivedEventArgs e)
            {
                if (e.Data is null) return;
                if (SendingFile().Match(e.Data) is { Success: true } match) current = match.Groups[1].Value;
                else if (current is not null && e.Data.Contains("Received Store Response (Success)", StringComparison.Ordinal))
                {
                    lock (acknowledged)
                    {
                        acknowledged.Add(uids[current]);
                        if (acknowledged.Count == target) enough.Release();
                    }
                }
            }
            sender.OutputDataReceived += Take;
            sender.ErrorDataReceived += Take;
            sender.BeginOutputReadLine();
            sender.BeginErrorReadLine();
        }
        Assert.True(await enough.WaitAsync(TimeSpan.FromSeconds(60)), $"only {acknowledged.Count} of {target} were stored: {server.Output}");
        await server.KillAsync();
        foreach (Process sender in senders)
        {
            await sender.WaitForExitAsync();
            sender.Dispose();
        }
    }

    [GeneratedRegex(@"Sending file: (.*\.dcm)")]
    private static partial Regex SendingFile();
}
