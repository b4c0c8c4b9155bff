using PacsCluster.Catalog;
using PacsCluster.Dicom;

namespace PacsCluster.Engine.Tests;

/// <summary>Each kind of damage is planted, found and named.</summary>
public sealed class VerifyTests
{
    private static byte[] Instance(int sop, string content = "a") =>
        new ScriptLine(0, "", "store", new Dictionary<string, string> { ["study"] = "1", ["sop"] = $"{sop}", ["content"] = content }, "", "", [])
            .DataSet(TransferSyntax.ExplicitVRLittleEndian);

    private static async Task<(TestArchive Archive, Dictionary<int, string> Files)> StartAsync()
    {
        TestArchive archive = await TestArchive.StartAsync(inFiles: true);
        var files = new Dictionary<int, string>();
        for (int sop = 1; sop <= 5; sop++)
        {
            await archive.StoreAsync(Instance(sop));
            files[sop] = PathOf(archive, Assert.Single(await archive.LocateAsync($"1.2.3.200.{sop}")).StoreKey);
        }
        await archive.AssertCleanAsync();
        return (archive, files);
    }

    private static string PathOf(TestArchive archive, string key) => Directory.EnumerateFiles(archive.Folder, key, SearchOption.AllDirectories).Single();

    private static async Task<(VerifyReport Report, List<VerifyFinding> Findings)> VerifyAsync(TestArchive archive, VerifyOptions? options = null)
    {
        var findings = new List<VerifyFinding>();
        var progress = new List<VerifyProgress>();
        VerifyReport report = await archive.Archive.Verify.RunAsync(options ?? new VerifyOptions { OrphanAge = TimeSpan.Zero }, findings.Add, progress.Add, CancellationToken.None);
        Assert.Equal(report.Blobs, progress[^1].Blobs);
        Assert.Equal(report.Blobs, progress[^1].BlobsTotal);
        return (report, findings);
    }

    [Fact]
    public async Task EveryPlantedDamageIsFoundAndNothingElse()
    {
        (TestArchive archive, Dictionary<int, string> files) = await StartAsync();
        await using TestArchive _ = archive;
        File.Delete(files[1]);
        byte[] bytes = await File.ReadAllBytesAsync(files[2]);
        bytes[^3] ^= 1;
        await File.WriteAllBytesAsync(files[2], bytes);
        await File.WriteAllBytesAsync(files[3], bytes[..^2]);
        await using (Blobs.BlobWriter orphan = await archive.Files.CreateAsync())
        {
            await orphan.WriteAsync(bytes);
            await orphan.CommitAsync();
        }
        (VerifyReport report, List<VerifyFinding> findings) = await VerifyAsync(archive);
        Assert.Equal((5, 5), (report.Blobs, report.Instances));
        Assert.False(report.IsClean);
        Assert.Equal(
            [(VerifyProblem.BlobMissing, "1.2.3.200.1"), (VerifyProblem.WrongDigest, "1.2.3.200.2"), (VerifyProblem.WrongLength, "1.2.3.200.3"), (VerifyProblem.Orphan, "")],
            findings.OrderBy(f => f.Problem == VerifyProblem.Orphan).ThenBy(f => f.SopInstanceUid, StringComparer.Ordinal).Select(f => (f.Problem, f.SopInstanceUid)));
        Assert.All(findings, f => Assert.Equal(f.Problem != VerifyProblem.Orphan, f.IsAlarm));

        // Without digests only lengths are looked at; a young orphan may be a store in flight.
        (report, findings) = await VerifyAsync(archive, new VerifyOptions { Digests = false });
        Assert.Equal([VerifyProblem.BlobMissing, VerifyProblem.WrongLength], findings.Select(f => f.Problem).Order());
    }

    [Fact]
    public async Task AHeaderThatIsNotTheFilesIsFound()
    {
        await using TestArchive archive = await TestArchive.StartAsync(inFiles: true);
        // The catalog is told another header, another offset and a count too many, as a fault of ours would.
        archive.Catalog.BeforeCommit = changes =>
        {
            if (changes.NewInstances.Count == 0) return Task.CompletedTask;
            InstanceRow row = changes.NewInstances[0];
            if (row.SopInstanceUid == "1.2.3.200.1") changes.NewHeaders[0] = changes.NewHeaders[0] with { Bytes = Instance(1, "other") };
            if (row.SopInstanceUid == "1.2.3.200.2") changes.NewInstances[0] = row with { DataSetOffset = row.DataSetOffset + 2 };
            if (row.SopInstanceUid == "1.2.3.200.3") changes.ChangedStudies[0] = changes.ChangedStudies[0] with { InstanceCount = 7 };
            return Task.CompletedTask;
        };
        for (int sop = 1; sop <= 3; sop++) await archive.StoreAsync(Instance(sop));
        (VerifyReport report, List<VerifyFinding> findings) = await VerifyAsync(archive);
        Assert.Equal([VerifyProblem.HeaderMismatch, VerifyProblem.HeaderMismatch, VerifyProblem.WrongCount], findings.Select(f => f.Problem).Order());
        Assert.Equal(2, report.Counts[VerifyProblem.HeaderMismatch]);
        Assert.DoesNotContain(findings, f => f.ToString().Contains("Doe", StringComparison.Ordinal));
    }

    [Fact]
    public async Task TheSweepTakesOldGarbageOnly()
    {
        (TestArchive archive, Dictionary<int, string> files) = await StartAsync();
        await using TestArchive _ = archive;
        for (int i = 0; i < 3; i++)
        {
            await using Blobs.BlobWriter orphan = await archive.Files.CreateAsync();
            await orphan.WriteAsync(new byte[100]);
            await orphan.CommitAsync();
        }
        Assert.Equal(new SweepReport(8, 0, 0), await archive.Archive.OrphanSweep.RunAsync(TimeSpan.FromHours(24), CancellationToken.None));
        foreach (string key in await archive.BlobsAsync()) File.SetLastWriteTimeUtc(PathOf(archive, key), DateTime.UnixEpoch.AddYears(50));
        Assert.Equal(new SweepReport(8, 3, 300), await archive.Archive.OrphanSweep.RunAsync(TimeSpan.FromHours(24), CancellationToken.None));
        Assert.All(files.Values, f => Assert.True(File.Exists(f)));
        await archive.AssertCleanAsync();
    }

    [Fact]
    public async Task QuarantineIsShownReleasedAndDeleted()
    {
        await using TestArchive archive = await TestArchive.StartAsync(inFiles: true);
        await archive.StoreAsync(Instance(1, "first"));
        await archive.StoreAsync(Instance(1, "second"), from: "CT2");
        await archive.StoreAsync(Instance(1, "third"));
        List<QuarantineEntry> entries = await TestArchive.ListAsync(archive.Sqlite.ListQuarantineAsync());
        Assert.Equal(2, entries.Count);
        Quarantine quarantine = archive.Archive.Quarantine;
        Assert.Equal("content second", (await quarantine.ReadHeaderAsync(entries[0].Row.Key, CancellationToken.None))!.GetString(new Tag(0x00204000)));

        // Released: it takes the first one's place, and the first one its place in quarantine.
        Assert.Equal(StoreOutcomeKind.Replaced, (await quarantine.ReleaseAsync(entries[0].Row.Key, null, CancellationToken.None))!.Kind);
        InstanceLocation location = Assert.Single(await archive.LocateAsync("1.2.3.200.1"));
        Assert.Equal(Instance(1, "second"), await archive.ReadAsync(location));
        Assert.Equal(2, (await TestArchive.ListAsync(archive.Sqlite.ListQuarantineAsync())).Count);
        await archive.AssertCleanAsync();

        // Under the sender's own policy it does not fit, and stays.
        Assert.Equal(StoreOutcomeKind.Quarantined, (await quarantine.ReleaseAsync(entries[1].Row.Key, new StorePolicy(), CancellationToken.None))!.Kind);
        Assert.Equal(StoreOutcomeKind.RefusedDuplicate, (await quarantine.ReleaseAsync(entries[1].Row.Key, new StorePolicy { DifferentContent = DifferentContentPolicy.Refuse }, CancellationToken.None))!.Kind);
        Assert.Equal(2, (await TestArchive.ListAsync(archive.Sqlite.ListQuarantineAsync())).Count);

        // What is stored meanwhile is a duplicate then: entry and blob go.
        Assert.Equal(StoreOutcomeKind.Duplicate, (await archive.StoreAsync(Instance(1, "second"))).Kind);
        await archive.ChangeAsync(new EngineOptions { Policy = new StorePolicy { DifferentContent = DifferentContentPolicy.Replace }, OrphanSweepInterval = TimeSpan.Zero });
        quarantine = archive.Archive.Quarantine;
        Assert.Equal(StoreOutcomeKind.Replaced, (await archive.StoreAsync(Instance(1, "third"), from: "CT9")).Kind);
        Assert.Equal(StoreOutcomeKind.Duplicate, (await quarantine.ReleaseAsync(entries[1].Row.Key, null, CancellationToken.None))!.Kind);
        await archive.AssertCleanAsync();
        entries = await TestArchive.ListAsync(archive.Sqlite.ListQuarantineAsync());
        Assert.Equal(2, entries.Count);
        foreach (QuarantineEntry entry in entries) Assert.True(await quarantine.DeleteAsync(entry.Row.Key, CancellationToken.None));
        Assert.False(await quarantine.DeleteAsync(entries[0].Row.Key, CancellationToken.None));
        Assert.Null(await quarantine.ReleaseAsync(entries[0].Row.Key, null, CancellationToken.None));
        Assert.Single(await archive.BlobsAsync());
        await archive.AssertCleanAsync();
    }
}
