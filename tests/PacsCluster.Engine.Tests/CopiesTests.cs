using PacsCluster.Blobs;
using PacsCluster.Catalog;
using PacsCluster.Dicom;
using PacsCluster.Testing;

namespace PacsCluster.Engine.Tests;

/// <summary>Copy policies over two stores, <c>files</c> and <c>far</c>: what is there before success and what follows, what is read, and what becomes of copies that are lost.</summary>
public sealed class CopiesTests
{
    private static readonly DateTimeOffset s_start = new(2026, 11, 22, 8, 0, 0, TimeSpan.Zero);

    private static EngineOptions Options(string[] copies, string[] later) => new()
    {
        CatalogRetryDelay = TimeSpan.FromMilliseconds(1),
        // Some reminders are worked on where a test says so, by RunDueAsync.
        ReminderConcurrency = 0,
        Policy = new StorePolicy { Copies = copies, LaterCopies = later },
    };

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    private static async Task<TestArchive> BothAsync() => await TestArchive.StartAsync(Options(["files", "far"], []), far: true, inFiles: true);

    private static async Task<(TestArchive Archive, ManualTime Time)> LaterAsync()
    {
        var time = new ManualTime(s_start);
        TestArchive archive = await TestArchive.StartAsync(Options(["files"], ["far"]) with { OrphanSweepInterval = TimeSpan.Zero }, time: time, far: true, inFiles: true);
        await archive.Catalog.CommitAsync(new CatalogChanges { NewReminders = { new ReminderRow { Id = LaterCopies.ReminderOf("far"), DueAt = s_start } } }, Ct);
        return (archive, time);
    }

    private static async Task<List<string>> KeysAsync(FaultyBlobStore store) => [.. (await TestArchive.ListAsync(store.ListAsync(null, Ct))).Select(b => b.Key)];

    private static async Task<InstanceLocation> StoreOneAsync(TestArchive archive, int instance = 1, string content = "a")
    {
        Assert.Equal(StoreOutcomeKind.Stored, (await archive.StoreAsync(Made.Image(1, 1, instance, content))).Kind);
        return Assert.Single(await archive.LocateAsync(Made.Sop(1, 1, instance)));
    }

    private static IEnumerable<BlobPlace> Places(InstanceLocation location) => location.MoreCopies.Prepend(location.Place);

    private static string PathOf(TestArchive archive, BlobPlace place) => Directory.EnumerateFiles(Path.Combine(archive.Folder, place.Store == "far" ? "far" : "blobs"), place.Key, SearchOption.AllDirectories).Single();

    private static void Damage(string path)
    {
        byte[] bytes = File.ReadAllBytes(path);
        bytes[^3] ^= 1;
        File.WriteAllBytes(path, bytes);
    }

    private static async Task<(VerifyReport Report, List<VerifyFinding> Findings)> VerifyAsync(TestArchive archive, bool repair)
    {
        var findings = new List<VerifyFinding>();
        return (await archive.Archive.Verify.RunAsync(new VerifyOptions { OrphanAge = TimeSpan.Zero, Repair = repair }, findings.Add, null, Ct), findings);
    }

    [Fact]
    public async Task Success_means_that_every_store_of_the_policy_has_it()
    {
        await using TestArchive archive = await BothAsync();
        InstanceLocation location = await StoreOneAsync(archive);
        Assert.Equal(["far", "files"], Places(location).Select(p => p.Store).Order());
        Assert.Equal([location.StoreKey], location.Store == "far" ? await KeysAsync(archive.Far!) : await archive.BlobsAsync());
        Assert.Single(await archive.BlobsAsync());
        Assert.Single(await KeysAsync(archive.Far!));
        Assert.Equal(Made.Image(1, 1, 1), await archive.ReadAsync(location));
        await archive.AssertCleanAsync();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_store_that_fails_refuses_the_instance_and_nothing_of_it_is_left_in_any(bool atCommit)
    {
        await using TestArchive archive = await BothAsync();
        archive.Far!.IsDown = !atCommit;
        archive.Far.CommitFault = new BlobStoreUnavailableException("far", "cannot be reached");
        StoreOutcome outcome = await archive.StoreAsync(Made.Image(1, 1, 1));
        Assert.Equal(StoreOutcomeKind.OutOfResources, outcome.Kind);
        archive.Far.IsDown = false;
        Assert.Empty(await archive.BlobsAsync());
        Assert.Empty(await KeysAsync(archive.Far));
        archive.Far.CommitFault = new BlobStoreFullException("far");
        Assert.Equal(StoreOutcomeKind.OutOfResources, (await archive.StoreAsync(Made.Image(1, 1, 1))).Kind);
        archive.Far.CommitFault = null;
        await StoreOneAsync(archive);
        await archive.AssertCleanAsync();
    }

    [Fact]
    public async Task A_duplicate_leaves_no_blob_in_any_store_and_a_replaced_one_keeps_its_copies_in_quarantine()
    {
        await using TestArchive archive = await BothAsync();
        await StoreOneAsync(archive);
        Assert.Equal(StoreOutcomeKind.Duplicate, (await archive.StoreAsync(Made.Image(1, 1, 1), from: "CT2")).Kind);
        Assert.Equal((1, 1), ((await archive.BlobsAsync()).Count, (await KeysAsync(archive.Far!)).Count));
        Assert.Equal(StoreOutcomeKind.Quarantined, (await archive.StoreAsync(Made.Image(1, 1, 1, "b"))).Kind);
        Assert.Equal((2, 2), ((await archive.BlobsAsync()).Count, (await KeysAsync(archive.Far!)).Count));
        QuarantineEntry entry = Assert.Single(await TestArchive.ListAsync(archive.Sqlite.ListQuarantineAsync()));
        Assert.Equal(2, entry.Copies.Count);
        Assert.True(await archive.Archive.Quarantine.DeleteAsync(entry.Row.Key, Ct));
        Assert.Equal((1, 1), ((await archive.BlobsAsync()).Count, (await KeysAsync(archive.Far!)).Count));
        await archive.AssertCleanAsync();
    }

    [Fact]
    public async Task A_calling_AE_title_may_have_another_policy()
    {
        EngineOptions options = Options(["files"], []) with
        {
            CallingAETitles = new Dictionary<string, StorePolicyOverride> { ["CT2"] = new() { Copies = ["far"] }, ["CT3"] = new() { Copies = ["far", "files"], DifferentContent = DifferentContentPolicy.Refuse } },
        };
        await using TestArchive archive = await TestArchive.StartAsync(options, far: true, inFiles: true);
        foreach ((string from, int instance) in new[] { ("CT1", 1), ("CT2", 2), ("CT3", 3) })
            Assert.Equal(StoreOutcomeKind.Stored, (await archive.StoreAsync(Made.Image(1, 1, instance), from: from)).Kind);
        Assert.Equal("files", Assert.Single(Places(Assert.Single(await archive.LocateAsync(Made.Sop(1, 1, 1))))).Store);
        Assert.Equal("far", Assert.Single(Places(Assert.Single(await archive.LocateAsync(Made.Sop(1, 1, 2))))).Store);
        Assert.Equal(2, Places(Assert.Single(await archive.LocateAsync(Made.Sop(1, 1, 3)))).Count());
        for (int i = 1; i <= 3; i++) Assert.Equal(Made.Image(1, 1, i), await archive.ReadAsync(Assert.Single(await archive.LocateAsync(Made.Sop(1, 1, i)))));
        await archive.AssertCleanAsync();
    }

    [Fact]
    public void A_policy_that_names_a_store_that_is_not_there_or_one_twice_is_wrong()
    {
        EngineOptions options = Options(["files", "azure"], ["files"]) with { CallingAETitles = new Dictionary<string, StorePolicyOverride> { ["CT1"] = new() { LaterCopies = ["tape"] } } };
        Assert.Equal(
            ["Engine:Policy:Copies: there is no blob store 'azure' (there is far, files)", "Engine:CallingAETitles:CT1:LaterCopies: there is no blob store 'tape' (there is far, files)"],
            options.ValidateStores(["files", "far"]));
        Assert.Contains("Engine:Policy:Copies: 'files' is named twice, here or in LaterCopies", options.Validate());
    }

    [Fact]
    public async Task The_nearest_copy_is_read_and_another_where_it_is_missing_cut_or_out_of_reach()
    {
        await using TestArchive archive = await BothAsync();
        InstanceLocation location = await StoreOneAsync(archive);
        byte[] sent = Made.Image(1, 1, 1);
        // Nearest is the first of the policy: with the other one down nothing is missed.
        archive.Far!.IsDown = true;
        Assert.Equal(sent, await archive.ReadAsync(location));
        archive.Far.IsDown = false;

        string near = PathOf(archive, Places(location).Single(p => p.Store == "files"));
        byte[] file = await File.ReadAllBytesAsync(near, Ct);
        await File.WriteAllBytesAsync(near, file[..^10], Ct);
        Assert.Equal(sent, await archive.ReadAsync(location));
        File.Delete(near);
        Assert.Equal(sent, await archive.ReadAsync(location));
        Assert.Equal(sent, await archive.ReadAsync(location, TransferSyntax.ExplicitVRLittleEndian));

        // With the last one gone too: missing when both are, else to be tried again.
        archive.Far.IsDown = true;
        Assert.False((await Assert.ThrowsAsync<InstanceUnavailableException>(() => archive.ReadAsync(location))).IsMissing);
        archive.Far.IsDown = false;
        File.Delete(PathOf(archive, Places(location).Single(p => p.Store == "far")));
        Assert.True((await Assert.ThrowsAsync<InstanceUnavailableException>(() => archive.ReadAsync(location))).IsMissing);
    }

    [Fact]
    public async Task A_copy_in_a_store_that_this_node_has_not_is_out_of_reach_not_lost()
    {
        await using TestArchive archive = await TestArchive.StartAsync(Options(["far"], []), far: true, inFiles: true);
        InstanceLocation location = await StoreOneAsync(archive);
        await using TestArchive other = await TestArchive.StartAsync(over: archive, inFiles: true);
        InstanceUnavailableException thrown = await Assert.ThrowsAsync<InstanceUnavailableException>(() => other.ReadAsync(location));
        Assert.False(thrown.IsMissing);
        Assert.Contains("'far'", thrown.InnerException!.Message, StringComparison.Ordinal);
        (VerifyReport report, List<VerifyFinding> findings) = await VerifyAsync(other, repair: false);
        Assert.Equal((true, 0, 1L), (report.IsClean, findings.Count, report.Elsewhere["far"]));
    }

    [Fact]
    public async Task Later_copies_follow_and_are_made_once()
    {
        (TestArchive archive, ManualTime time) = await LaterAsync();
        await using TestArchive _ = archive;
        for (int i = 1; i <= 3; i++) await StoreOneAsync(archive, i);
        Assert.Empty(await KeysAsync(archive.Far!));
        Assert.Equal(3, (await archive.Sqlite.CountWantedCopiesAsync(Ct))["far"]);
        Assert.Equal(3, (await VerifyAsync(archive, repair: false)).Report.Wanted["far"]);

        await archive.Archive.Reminders.RunDueAsync(Ct);
        Assert.Equal(3, (await KeysAsync(archive.Far!)).Count);
        Assert.Empty(await archive.Sqlite.CountWantedCopiesAsync(Ct));
        Assert.Equal(["far", "files"], Places(Assert.Single(await archive.LocateAsync(Made.Sop(1, 1, 2)))).Select(p => p.Store));
        await archive.AssertCleanAsync();

        // It comes again, and finds what was stored since.
        await StoreOneAsync(archive, 4);
        time.Advance(archive.Options.CopyInterval);
        await archive.Archive.Reminders.RunDueAsync(Ct);
        Assert.Equal(4, (await KeysAsync(archive.Far!)).Count);
    }

    [Fact]
    public async Task A_far_store_that_is_down_loses_nothing_and_gets_its_copies_when_it_is_back()
    {
        (TestArchive archive, ManualTime time) = await LaterAsync();
        await using TestArchive _ = archive;
        archive.Far!.IsDown = true;
        for (int i = 1; i <= 5; i++) await StoreOneAsync(archive, i);
        await archive.Archive.Reminders.RunDueAsync(Ct);
        Assert.Equal(5, (await archive.Sqlite.CountWantedCopiesAsync(Ct))["far"]);
        archive.Far.IsDown = false;
        Assert.Empty(await KeysAsync(archive.Far));
        time.Advance(TimeSpan.FromSeconds(30));
        await archive.Archive.Reminders.RunDueAsync(Ct);
        Assert.Equal(5, (await KeysAsync(archive.Far)).Count);
        await archive.AssertCleanAsync();
    }

    [Fact]
    public async Task Damaged_bytes_are_never_copied_and_hold_up_no_other_blob()
    {
        (TestArchive archive, ManualTime time) = await LaterAsync();
        await using TestArchive _ = archive;
        InstanceLocation bad = await StoreOneAsync(archive, 1);
        await StoreOneAsync(archive, 2);
        string path = PathOf(archive, bad.Place);
        byte[] good = await File.ReadAllBytesAsync(path, Ct);
        Damage(path);
        await archive.Archive.Reminders.RunDueAsync(Ct);
        Assert.Single(await KeysAsync(archive.Far!));
        Assert.Equal(1, (await archive.Sqlite.CountWantedCopiesAsync(Ct))["far"]);

        await File.WriteAllBytesAsync(path, good, Ct);
        time.Advance(TimeSpan.FromMinutes(5));
        await archive.Archive.Reminders.RunDueAsync(Ct);
        Assert.Equal(2, (await KeysAsync(archive.Far!)).Count);
        await archive.AssertCleanAsync();
    }

    [Fact]
    public async Task A_copy_of_what_was_deleted_meanwhile_is_taken_back_and_the_others_stay()
    {
        (TestArchive archive, ManualTime _) = await LaterAsync();
        await using TestArchive __ = archive;
        await StoreOneAsync(archive, 1);
        await StoreOneAsync(archive, 2);
        archive.Catalog.BeforeCommit = async changes =>
        {
            if (changes.SettledCopies.Count < 2) return;
            archive.Catalog.BeforeCommit = null;
            RejectionRow row = (await archive.Archive.Deletion.RejectAsync(new DeletionRequest { StudyInstanceUid = Made.Study(1), SopInstanceUid = Made.Sop(1, 1, 1), By = "test" }, Ct))!;
            await archive.Archive.Deletion.PurgeAsync(row.Key, Ct);
        };
        await archive.Archive.Reminders.RunDueAsync(Ct);
        Assert.Single(await KeysAsync(archive.Far!));
        Assert.Single(await archive.BlobsAsync());
        Assert.Empty(await archive.Sqlite.CountWantedCopiesAsync(Ct));
        await archive.AssertCleanAsync();
    }

    [Fact]
    public async Task Purging_takes_every_copy_and_what_is_still_wanted()
    {
        (TestArchive archive, ManualTime _) = await LaterAsync();
        await using TestArchive __ = archive;
        await StoreOneAsync(archive, 1);
        await archive.Archive.Reminders.RunDueAsync(Ct);
        await StoreOneAsync(archive, 2);
        RejectionRow row = (await archive.Archive.Deletion.RejectAsync(new DeletionRequest { StudyInstanceUid = Made.Study(1), By = "test" }, Ct))!;
        await archive.Archive.Deletion.PurgeAsync(row.Key, Ct);
        Assert.Empty(await KeysAsync(archive.Far!));
        Assert.Empty(await archive.BlobsAsync());
        Assert.Empty(await archive.Sqlite.CountWantedCopiesAsync(Ct));
    }

    [Fact]
    public async Task The_sweep_takes_the_orphans_of_every_store_and_no_copy()
    {
        await using TestArchive archive = await BothAsync();
        await StoreOneAsync(archive);
        foreach (IBlobStore store in archive.Stores)
        {
            await using BlobWriter orphan = await store.CreateAsync(Ct);
            await orphan.WriteAsync(new byte[10], Ct);
            await orphan.CommitAsync(Ct);
        }
        Assert.Equal(["far", "files"], (await VerifyAsync(archive, repair: true)).Findings.Select(f => f.Store).Order());
        SweepReport report = await archive.Archive.OrphanSweep.RunAsync(TimeSpan.Zero, Ct);
        Assert.Equal((4, 2, 20), (report.Seen, report.Deleted, report.DeletedBytes));
        await archive.AssertCleanAsync();
    }

    [Fact]
    public async Task Verify_looks_at_every_copy_and_repairs_only_when_told_and_only_from_a_good_one()
    {
        await using TestArchive archive = await BothAsync();
        InstanceLocation[] all = [await StoreOneAsync(archive, 1), await StoreOneAsync(archive, 2), await StoreOneAsync(archive, 3), await StoreOneAsync(archive, 4)];
        string FileOf(int instance, string store) => PathOf(archive, Places(all[instance - 1]).Single(p => p.Store == store));
        File.Delete(FileOf(1, "files"));
        Damage(FileOf(2, "far"));
        File.WriteAllBytes(FileOf(3, "files"), [1, 2, 3]);
        Damage(FileOf(4, "files"));
        Damage(FileOf(4, "far"));

        (VerifyReport report, List<VerifyFinding> findings) = await VerifyAsync(archive, repair: false);
        Assert.Equal(
            [(VerifyProblem.BlobMissing, "files", 1), (VerifyProblem.WrongDigest, "far", 2), (VerifyProblem.WrongLength, "files", 3), (VerifyProblem.WrongDigest, "far", 4), (VerifyProblem.WrongDigest, "files", 4)],
            findings.OrderBy(f => f.SopInstanceUid, StringComparer.Ordinal).ThenBy(f => f.Store, StringComparer.Ordinal).Select(f => (f.Problem, f.Store, int.Parse(f.SopInstanceUid[^1..]))));
        Assert.Equal((false, 0L), (report.IsClean, report.Repaired));

        (report, findings) = await VerifyAsync(archive, repair: true);
        Assert.Equal((false, 3L), (report.IsClean, report.Repaired));
        Assert.Equal([Made.Sop(1, 1, 4)], findings.Where(f => f.IsAlarm).Select(f => f.SopInstanceUid).Distinct());
        (report, findings) = await VerifyAsync(archive, repair: true);
        Assert.All(findings, f => Assert.Equal(Made.Sop(1, 1, 4), f.SopInstanceUid));
        Assert.Equal(2, findings.Count);
        for (int i = 1; i <= 3; i++) Assert.Equal(Made.Image(1, 1, i), await archive.ReadAsync(Assert.Single(await archive.LocateAsync(Made.Sop(1, 1, i)))));
        // What was damaged is gone from the stores, not only from the rows.
        Assert.Equal((4, 4), ((await archive.BlobsAsync()).Count, (await KeysAsync(archive.Far!)).Count));
    }

    [Fact]
    public async Task A_quarantined_instance_is_released_from_the_copy_that_is_left()
    {
        await using TestArchive archive = await BothAsync();
        await StoreOneAsync(archive);
        await archive.StoreAsync(Made.Image(1, 1, 1, "b"));
        QuarantineEntry entry = Assert.Single(await TestArchive.ListAsync(archive.Sqlite.ListQuarantineAsync()));
        File.Delete(PathOf(archive, entry.Copies.Single(c => c.Store == "files").Place));
        Assert.Equal(StoreOutcomeKind.Replaced, (await archive.Archive.Quarantine.ReleaseAsync(entry.Row.Key, null, Ct))!.Kind);
        Assert.Equal(Made.Image(1, 1, 1, "b"), await archive.ReadAsync(Assert.Single(await archive.LocateAsync(Made.Sop(1, 1, 1)))));
        Assert.Equal(1, (await VerifyAsync(archive, repair: true)).Report.Repaired);
        await archive.AssertCleanAsync();
    }
}
