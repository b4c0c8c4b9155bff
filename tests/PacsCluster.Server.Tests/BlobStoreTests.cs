using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using PacsCluster.Blobs;
using PacsCluster.Testing;

namespace PacsCluster.Server.Tests;

/// <summary>The real executable with its blobs in Azurite and in an S3 server, stored into and read back by DCMTK.</summary>
public sealed partial class BlobStoreTests(BlobServers servers) : IClassFixture<BlobServers>
{
    private const int Instances = 4;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_is_stored_in_Azure_comes_back_and_lies_nowhere_else()
    {
        using var folder = new TempFolder();
        JsonObject azure = await AzureAsync(await servers.AzuriteAsync());
        Write(folder, new JsonObject { ["Blobs"] = new JsonObject { ["Azure"] = new JsonObject { ["Azure"] = azure } }, ["Engine"] = Policy(["azure"]) });
        (string study, Dictionary<string, string> sent) = Make(folder);
        await using (RunningServer server = await RunningServer.StartAsync(folder.At("data")))
        {
            await StoreAsync(server, folder);
            await ExpectBackAsync(server, folder, study, sent);
            Assert.Equal(0, await server.StopAsync());
        }
        Assert.Equal(Instances, await CountAsync(azure));
        Assert.Empty(Blobs(folder));
        await ExpectCleanAsync(folder, $"read {Instances} blobs");
    }

    [Fact]
    public async Task What_is_stored_in_S3_under_a_key_comes_back_and_only_under_that_key()
    {
        using var folder = new TempFolder();
        await File.WriteAllTextAsync(folder.At("key"), Convert.ToHexString(new byte[32]), Ct);
        await File.WriteAllTextAsync(folder.At("other"), Convert.ToHexString([.. Enumerable.Repeat((byte)7, 32)]), Ct);
        string endpoint = (await servers.S3Async()).ToString();
        JsonObject Options(string key) => new()
        {
            ["Blobs"] = new JsonObject
            {
                ["S3"] = new JsonObject
                {
                    ["bucket"] = new JsonObject
                    {
                        ["Bucket"] = BlobServers.S3Bucket, ["Prefix"] = "node/", ["Endpoint"] = endpoint, ["AccessKey"] = BlobServers.S3Key, ["SecretKey"] = BlobServers.S3Key,
                    },
                },
                ["Encryption"] = new JsonObject
                {
                    ["Stores"] = new JsonArray("bucket"), ["CurrentKey"] = "2026-11", ["Keys"] = new JsonArray(new JsonObject { ["Id"] = "2026-11", ["File"] = folder.At(key) }),
                },
            },
            ["Engine"] = Policy(["bucket"]),
        };
        Write(folder, Options("key"));
        (string study, Dictionary<string, string> sent) = Make(folder);
        await using (RunningServer server = await RunningServer.StartAsync(folder.At("data")))
        {
            await StoreAsync(server, folder);
            await ExpectBackAsync(server, folder, study, sent);
        }
        await ExpectCleanAsync(folder, $"read {Instances} blobs");
        Write(folder, Options("other"));
        ToolResult verified = await RunningServer.RunAsync("verify", "--data", folder.At("data"));
        Assert.Equal(1, verified.ExitCode);
        Assert.Contains($"{Instances} × Unreadable", verified.Output, StringComparison.Ordinal);
        Assert.Contains("key '2026-11' of the key ring does not open blob", verified.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_copy_follows_to_Azure_is_read_when_the_near_one_is_lost_and_repairs_it()
    {
        using var folder = new TempFolder();
        JsonObject azure = await AzureAsync(await servers.AzuriteAsync());
        JsonObject engine = Policy(["files"], ["azure"]);
        engine["CopyInterval"] = "1 s";
        Write(folder, new JsonObject { ["Blobs"] = new JsonObject { ["Azure"] = new JsonObject { ["azure"] = azure } }, ["Engine"] = engine });
        (string study, Dictionary<string, string> sent) = Make(folder);
        await using (RunningServer server = await RunningServer.StartAsync(folder.At("data")))
        {
            await StoreAsync(server, folder);
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(Ct);
            limit.CancelAfter(TimeSpan.FromSeconds(60));
            while (Copied().Matches(server.Output).Sum(m => int.Parse(m.Groups[1].Value)) < Instances) await Task.Delay(50, limit.Token);
            Assert.Equal(Instances, await CountAsync(azure));
            List<StoredBlob> blobs = Blobs(folder);
            Assert.Equal(Instances, blobs.Count);
            foreach (StoredBlob lost in blobs.Take(Instances - 1)) lost.Remove();
            await ExpectBackAsync(server, folder, study, sent);
            blobs[^1].Damage();
            Assert.Equal(0, await server.StopAsync());
        }
        ToolResult verified = await RunningServer.RunAsync("verify", "--data", folder.At("data"));
        Assert.Equal(1, verified.ExitCode);
        Assert.Contains($"{Instances - 1} × BlobMissing", verified.Output, StringComparison.Ordinal);
        Assert.Contains("1 × WrongDigest", verified.Output, StringComparison.Ordinal);
        ToolResult repaired = await RunningServer.RunAsync("verify", "--data", folder.At("data"), "--repair");
        Assert.True(repaired.ExitCode == 0, repaired.Output);
        Assert.Contains($"{Instances} copies repaired", repaired.Output, StringComparison.Ordinal);
        await ExpectCleanAsync(folder, "clean");
        Assert.Equal(Instances, Blobs(folder).Count);
    }

    [Fact]
    public async Task A_store_that_is_away_means_A700_and_searches_go_on_and_nothing_is_lost()
    {
        using var folder = new TempFolder();
        await using FaultProxy proxy = await FaultProxy.StartAsync(await servers.AzuriteAsync());
        JsonObject azure = await AzureAsync(proxy.Address);
        azure["Retries"] = "1";
        // Both before success: what is in one store alone was not acknowledged.
        Write(folder, new JsonObject { ["Blobs"] = new JsonObject { ["Azure"] = new JsonObject { ["azure"] = azure } }, ["Engine"] = Policy(["files", "azure"]) });
        (string study, Dictionary<string, string> sent) = Make(folder);
        await using (RunningServer server = await RunningServer.StartAsync(folder.At("data")))
        {
            await StoreAsync(server, folder, "0.dcm", "1.dcm");
            proxy.Rule = _ => new Fault { Refuse = true };
            ToolResult refused = await server.DcmtkAsync("storescu", ["-v"], folder.At("in", "2.dcm"));
            Assert.Contains("Received Store Response (Refused: OutOfResources)", refused.Output, StringComparison.Ordinal);
            proxy.Rule = said => said.StartsWith("PUT", StringComparison.Ordinal) ? new Fault { Status = 503 } : null;
            refused = await server.DcmtkAsync("storescu", ["-v"], folder.At("in", "3.dcm"));
            Assert.Contains("Received Store Response (Refused: OutOfResources)", refused.Output, StringComparison.Ordinal);
            proxy.Rule = _ => new Fault { Refuse = true };

            ToolResult found = await server.DcmtkAsync("findscu", ["-S", "-k", "0008,0052=STUDY", "-k", $"StudyInstanceUID={study}", "-k", "NumberOfStudyRelatedInstances"]);
            Assert.Contains("IS [2 ]", found.Output, StringComparison.Ordinal);
            // The node is not taken away for it, and says what it cannot.
            await server.GetAsync("/health/ready");
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(Ct);
            limit.CancelAfter(TimeSpan.FromSeconds(60));
            (System.Net.HttpStatusCode status, string body) = await server.GetAsync("/health/ready");
            while (!body.Contains("\"limited\"", StringComparison.Ordinal))
            {
                Assert.Equal(System.Net.HttpStatusCode.OK, status);
                await Task.Delay(100, limit.Token);
                (status, body) = await server.GetAsync("/health/ready");
            }
            Assert.Contains("store \\u0027azure\\u0027", body, StringComparison.Ordinal);

            proxy.Rule = _ => null;
            await StoreAsync(server, folder, "2.dcm", "3.dcm");
            await ExpectBackAsync(server, folder, study, sent);
        }
        await ExpectCleanAsync(folder, $"read {Instances} blobs");
        Assert.Equal((Instances, Instances), (Blobs(folder).Count, await CountAsync(azure)));
    }

    [GeneratedRegex("([0-9]+) copies made in store azure")]
    private static partial Regex Copied();

    private static JsonObject Policy(string[] copies, string[]? later = null) =>
        new() { ["Policy"] = new JsonObject { ["Copies"] = JsonSerializer.SerializeToNode(copies), ["LaterCopies"] = JsonSerializer.SerializeToNode(later ?? []) } };

    private static void Write(TempFolder folder, JsonObject options)
    {
        Directory.CreateDirectory(folder.At("data"));
        File.WriteAllText(folder.At("data", "pacscluster.json"), options.ToJsonString());
    }

    private async Task<JsonObject> AzureAsync(Uri address) =>
        new() { ["Container"] = await servers.CreateContainerAsync(), ["ConnectionString"] = BlobServers.AzuriteConnection(address) };

    private static async Task<int> CountAsync(JsonObject azure)
    {
        await using var store = new AzureBlobStore(new AzureBlobStoreOptions { Container = (string)azure["Container"]!, ConnectionString = (string)azure["ConnectionString"]! });
        int count = 0;
        await foreach (BlobStat _ in store.ListAsync(null, Ct)) count++;
        return count;
    }

    private static (string Study, Dictionary<string, string> Sent) Make(TempFolder folder)
    {
        string study = Synthetic.NewUid(), series = Synthetic.NewUid();
        Directory.CreateDirectory(folder.At("in"));
        var sent = new Dictionary<string, string>();
        for (int i = 0; i < Instances; i++) sent[Synthetic.Write(folder.At("in", $"{i}.dcm"), study, series)] = folder.At("in", $"{i}.dcm");
        return (study, sent);
    }

    private static async Task StoreAsync(RunningServer server, TempFolder folder, params string[] names)
    {
        string[] files = names.Length > 0 ? [.. names.Select(n => folder.At("in", n))] : Directory.GetFiles(folder.At("in"));
        ToolResult stored = await server.DcmtkAsync("storescu", ["-v"], files);
        Assert.True(stored.ExitCode == 0, stored.Output + server.Output);
        Assert.Equal(files.Length, stored.Output.Split("Received Store Response (Success)").Length - 1);
    }

    private static async Task ExpectBackAsync(RunningServer server, TempFolder folder, string study, Dictionary<string, string> sent)
    {
        string got = folder.At($"got-{Guid.NewGuid():N}");
        Directory.CreateDirectory(got);
        ToolResult result = await server.DcmtkAsync("getscu", ["-S", "-od", got, "-k", "0008,0052=STUDY", "-k", $"StudyInstanceUID={study}"]);
        Assert.True(result.ExitCode == 0, result.Output + server.Output);
        DcmtkSessionTests.AssertSame(sent, got);
    }

    private static async Task ExpectCleanAsync(TempFolder folder, string says)
    {
        ToolResult verified = await RunningServer.RunAsync("verify", "--data", folder.At("data"));
        Assert.True(verified.ExitCode == 0, verified.Output);
        Assert.Contains(says, verified.Output, StringComparison.Ordinal);
    }

    private static List<StoredBlob> Blobs(TempFolder folder) => StoredBlob.In(folder.At("data", "blobs"));
}
