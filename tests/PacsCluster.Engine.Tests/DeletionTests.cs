using PacsCluster.Catalog;
using PacsCluster.Testing;

namespace PacsCluster.Engine.Tests;

/// <summary>Deleting in two steps: what is hidden, what comes back, what is gone, and what a sender may do meanwhile.</summary>
public sealed class DeletionTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    private static DeletionRequest Request(int study, int? series = null, int? instance = null) => new()
    {
        StudyInstanceUid = Made.Study(study), SeriesInstanceUid = series is { } s ? Made.Series(study, s) : null,
        SopInstanceUid = instance is { } i ? Made.Sop(study, series ?? 1, i) : null, By = "admin", Reason = "wrong patient",
    };

    private static async Task<(TestArchive Archive, ManualTime Time)> FilledAsync()
    {
        var time = new ManualTime(DateTimeOffset.UtcNow);
        TestArchive archive = await TestArchive.StartAsync(time: time, inFiles: true);
        for (int series = 1; series <= 2; series++)
        {
            for (int instance = 1; instance <= 3; instance++) Assert.True((await archive.StoreAsync(Made.Image(1, series, instance))).IsSuccess);
        }
        return (archive, time);
    }

    private static async Task<List<string>> FoundAsync(TestArchive archive, int study = 1) =>
        [.. (await TestArchive.ListAsync(archive.Sqlite.LocateAsync(new LocateRequest { StudyInstanceUids = [Made.Study(study)] }))).Select(l => l.SopInstanceUid).Order(StringComparer.Ordinal)];

    private static async Task<List<string>> KindsAsync(TestArchive archive) => [.. (await archive.Archive.ChangeFeed.ReadAsync(0, 1000, Ct)).Changes.Select(c => c.Kind).Where(k => k != Events.InstanceStored)];

    [Fact]
    public async Task AStudyIsHiddenAtOnceAndComesBackWhole()
    {
        (TestArchive archive, ManualTime _) = await FilledAsync();
        await using TestArchive _1 = archive;
        List<InstanceLocation> before = await TestArchive.ListAsync(archive.Sqlite.LocateAsync(new LocateRequest { StudyInstanceUids = [Made.Study(1)] }));
        StudyContent content = (await archive.Sqlite.GetContentAsync(Made.Study(1), null, Ct))!;
        RejectionRow deletion = (await archive.Archive.Deletion.RejectAsync(Request(1), Ct))!;
        Assert.Equal((QueryLevel.Study, 6, "admin", TimeSpan.FromDays(7)), (deletion.Level, deletion.InstanceCount, deletion.By, deletion.PurgeAt - deletion.RejectedAt));
        Assert.Empty(await FoundAsync(archive));
        Assert.Null(await archive.Archive.Metadata.OpenAsync(new MetadataRequest { StudyInstanceUid = Made.Study(1) }, Ct));
        Assert.Equal((0L, 0L, 0L, 0L, 6L), (await archive.Sqlite.CountAsync(Ct)) is var c ? (c.Patients, c.Studies, c.Series, c.Instances, c.Blobs) : default);
        Assert.Null(await archive.Archive.Deletion.RejectAsync(Request(1), Ct));
        Assert.Equal((deletion.Id(), "purge"), (await archive.Sqlite.ListRemindersAsync(10, Ct)) is [var purge] ? (purge.Id.Key, purge.Id.Name) : default);
        await archive.AssertCleanAsync();

        Assert.Equal(new RestoreReport(6, 0, 0), await archive.Archive.Deletion.RestoreAsync(deletion.Key, "admin", Ct));
        Assert.Null(await archive.Archive.Deletion.RestoreAsync(deletion.Key, "admin", Ct));
        List<InstanceLocation> after = await TestArchive.ListAsync(archive.Sqlite.LocateAsync(new LocateRequest { StudyInstanceUids = [Made.Study(1)] }));
        Assert.Equal(before.Select(l => l with { InstanceKey = 0 }).OrderBy(l => l.StoreKey, StringComparer.Ordinal), after.Select(l => l with { InstanceKey = 0 }).OrderBy(l => l.StoreKey, StringComparer.Ordinal));
        StudyRow restored = (await archive.Sqlite.GetContentAsync(Made.Study(1), null, Ct))!.Study;
        Assert.Equal(content.Study.Attributes, restored.Attributes);
        Assert.Equal((2, 6, StudyStatus.Receiving), (restored.SeriesCount, restored.InstanceCount, restored.Status));
        Assert.Equal(["study-rejected", .. Enumerable.Repeat("instance-restored", 6), "rejection-restored"], await KindsAsync(archive));
        Assert.Equal("completion", Assert.Single(await archive.Sqlite.ListRemindersAsync(10, Ct)).Id.Name);
        await archive.AssertCleanAsync();
    }

    [Fact]
    public async Task ASeriesAndAnInstanceLeaveTheRestWithRightCountsListsAndMetadata()
    {
        (TestArchive archive, ManualTime time) = await FilledAsync();
        await using TestArchive _ = archive;
        await archive.Archive.Completion.CompleteAsync(Made.Study(1), Ct);
        RejectionRow series = (await archive.Archive.Deletion.RejectAsync(Request(1, 2), Ct))!;
        Assert.Equal((QueryLevel.Series, 3), (series.Level, series.InstanceCount));
        StudyRow study = (await archive.Sqlite.GetContentAsync(Made.Study(1), null, Ct))!.Study;
        Assert.Equal((1, 3), (study.SeriesCount, study.InstanceCount));
        Assert.Equal(["CT"], study.ModalitiesInStudy);
        Assert.Equal(2, study.SopClassesInStudy.Count);

        RejectionRow instance = (await archive.Archive.Deletion.RejectAsync(Request(1, 1, 2), Ct))!;
        Assert.Equal((QueryLevel.Image, 1, Made.Series(1, 1)), (instance.Level, instance.InstanceCount, instance.SeriesInstanceUid));
        study = (await archive.Sqlite.GetContentAsync(Made.Study(1), null, Ct))!.Study;
        Assert.Equal(["1.2.840.10008.5.1.4.1.1.3"], study.SopClassesInStudy); // 1 and 3 are of one class, 2 was of the other
        Assert.Equal([Made.Sop(1, 1, 1), Made.Sop(1, 1, 3)], await FoundAsync(archive));
        // Packed anew after a while, and that is no news.
        Assert.False((await archive.Archive.Metadata.OpenAsync(new MetadataRequest { StudyInstanceUid = Made.Study(1) }, Ct))!.IsPacked);
        time.Advance(TimeSpan.FromSeconds(60));
        await archive.Archive.Reminders.RunDueAsync(Ct);
        MetadataAnswer packed = (await archive.Archive.Metadata.OpenAsync(new MetadataRequest { StudyInstanceUid = Made.Study(1) }, Ct))!;
        Assert.Equal((true, 2), (packed.IsPacked, packed.InstanceCount));
        Assert.Single(await KindsAsync(archive), k => k == Events.StudyCompleted);

        foreach (DeletionRequest nothing in (DeletionRequest[])[Request(1, 2), Request(1, 1, 2), Request(2), Request(1) with { SopInstanceUid = Made.Sop(1, 1, 2) }])
            Assert.Null(await archive.Archive.Deletion.RejectAsync(nothing, Ct));
        Assert.Equal(new RestoreReport(1, 0, 0), await archive.Archive.Deletion.RestoreAsync(instance.Key, "x", Ct));
        Assert.Equal(new RestoreReport(3, 0, 0), await archive.Archive.Deletion.RestoreAsync(series.Key, "x", Ct));
        Assert.Equal(6, (await FoundAsync(archive)).Count);
        await archive.AssertCleanAsync();
    }

    [Fact]
    public async Task TheLastInstanceTakesItsSeriesAndStudyAlong()
    {
        await using TestArchive archive = await TestArchive.StartAsync();
        await archive.StoreAsync(Made.Image(1, 1, 1));
        RejectionRow deletion = (await archive.Archive.Deletion.RejectAsync(Request(1) with { SopInstanceUid = Made.Sop(1, 1, 1) }, Ct))!;
        Assert.Equal(QueryLevel.Image, deletion.Level);
        Assert.Equal((0L, 0L, 0L), (await archive.Sqlite.CountAsync(Ct)) is var c ? (c.Patients, c.Studies, c.Series) : default);
        Assert.Equal(new RestoreReport(1, 0, 0), await archive.Archive.Deletion.RestoreAsync(deletion.Key, "x", Ct));
        Assert.Single(await FoundAsync(archive));
    }

    [Fact]
    public async Task WhatIsSentAgainIsStoredAndStaysWhenTheDeletionIsTakenBack()
    {
        (TestArchive archive, ManualTime _) = await FilledAsync();
        await using TestArchive _1 = archive;
        RejectionRow deletion = (await archive.Archive.Deletion.RejectAsync(Request(1), Ct))!;
        Assert.Equal(StoreOutcomeKind.Stored, (await archive.StoreAsync(Made.Image(1, 1, 1))).Kind); // the same again
        Assert.Equal(StoreOutcomeKind.Stored, (await archive.StoreAsync(Made.Image(1, 1, 2, "corrected"))).Kind);
        Assert.Equal([Made.Sop(1, 1, 1), Made.Sop(1, 1, 2)], await FoundAsync(archive));
        string corrected = Assert.Single(await archive.LocateAsync(Made.Sop(1, 1, 2))).StoreKey;

        Assert.Equal(new RestoreReport(4, 1, 1), await archive.Archive.Deletion.RestoreAsync(deletion.Key, "admin", Ct));
        Assert.Equal(6, (await FoundAsync(archive)).Count);
        Assert.Equal(corrected, Assert.Single(await archive.LocateAsync(Made.Sop(1, 1, 2))).StoreKey);
        // What was left can still be purged, and is, at the time that was said.
        RejectedEntry left = Assert.Single(await archive.Sqlite.ListRejectedAsync(deletion.Key, 0, 10, Ct));
        Assert.Equal(Made.Sop(1, 1, 2), left.Row.SopInstanceUid);
        Assert.Equal(deletion.PurgeAt, (await archive.Sqlite.ListRemindersAsync(10, Ct)).Single(r => r.Id.Name == "purge").DueAt, TimeSpan.FromMilliseconds(1));
        Assert.True(await archive.Archive.Deletion.PurgeAsync(deletion.Key, Ct));
        Assert.Equal(6, (await archive.BlobsAsync()).Count);
        await archive.AssertCleanAsync();
    }

    [Fact]
    public async Task APurgeTakesRowsAndBlobsInPiecesWhenItsTimeIsOver()
    {
        (TestArchive archive, ManualTime time) = await FilledAsync();
        await using TestArchive _ = archive;
        for (int i = 10; i < 260; i++) await archive.StoreAsync(Made.Image(1, 3, i));
        await archive.StoreAsync(Made.Image(2, 1, 1));
        RejectionRow deletion = (await archive.Archive.Deletion.RejectAsync(Request(1), Ct))!;
        time.Advance(TimeSpan.FromDays(7) - TimeSpan.FromSeconds(1));
        await archive.Archive.Reminders.RunDueAsync(Ct);
        Assert.Equal(257, (await archive.BlobsAsync()).Count);
        int pieces = 0;
        archive.Catalog.BeforeCommit = changes =>
        {
            if (changes.RemovedRejected.Count > 0) pieces++;
            Assert.True(changes.RemovedRejected.Count <= 200);
            return Task.CompletedTask;
        };
        time.Advance(TimeSpan.FromSeconds(1));
        await archive.Archive.Reminders.RunDueAsync(Ct);
        Assert.Equal(2, pieces);
        Assert.Single(await archive.BlobsAsync());
        Assert.Null(await archive.Archive.Deletion.RestoreAsync(deletion.Key, "x", Ct));
        Assert.Empty(await TestArchive.ListAsync(archive.Sqlite.ListRejectionsAsync(ct: Ct)));
        Assert.DoesNotContain(await archive.Sqlite.ListRemindersAsync(10, Ct), r => r.Id.Name == "purge");
        Assert.Equal(Events.RejectionPurged, (await KindsAsync(archive))[^1]);
        Assert.Single(await FoundAsync(archive, 2));
        await archive.AssertCleanAsync();
    }

    [Fact]
    public async Task APurgeThatBreaksOffGoesOnAndLeavesGarbageToTheSweepOnly()
    {
        (TestArchive archive, ManualTime time) = await FilledAsync();
        await using TestArchive _ = archive;
        await archive.Archive.Deletion.RejectAsync(Request(1), Ct);
        time.Advance(TimeSpan.FromDays(7));
        // The node dies between the rows and the blobs.
        archive.Catalog.AfterCommit = changes => changes.RemovedRejected.Count > 0 ? throw new CatalogUnavailableException("died") : Task.CompletedTask;
        await archive.Archive.Reminders.RunDueAsync(Ct);
        archive.Catalog.Heal();
        Assert.Equal(6, (await archive.BlobsAsync()).Count);
        time.Advance(TimeSpan.FromMinutes(1));
        await archive.Archive.Reminders.RunDueAsync(Ct);
        Assert.Empty(await TestArchive.ListAsync(archive.Sqlite.ListRejectionsAsync(ct: Ct)));
        Assert.Equal(6, (await archive.Archive.OrphanSweep.RunAsync(TimeSpan.Zero, Ct)).Deleted);
        await archive.AssertCleanAsync();
    }

    [Fact]
    public async Task ADeletionAmidStoresEitherHasAnInstanceOrLeavesIt()
    {
        await using TestArchive archive = await TestArchive.StartAsync();
        await archive.StoreAsync(Made.Image(1, 1, 0));
        Task stores = Parallel.ForAsync(1, 5, Ct, async (n, _) =>
        {
            for (int i = 0; i < 20; i++) Assert.True((await archive.StoreAsync(Made.Image(1, n, (n * 100) + i))).IsSuccess);
        });
        var deletions = new List<RejectionRow>();
        while (!stores.IsCompleted)
        {
            if (await archive.Archive.Deletion.RejectAsync(Request(1), Ct) is { } deletion) deletions.Add(deletion);
            await Task.Yield();
        }
        await stores;
        int left = (await FoundAsync(archive)).Count;
        Assert.Equal(81, left + deletions.Sum(d => d.InstanceCount));
        foreach (RejectionRow deletion in deletions) Assert.Equal(deletion.InstanceCount, (await archive.Archive.Deletion.RestoreAsync(deletion.Key, "x", Ct))!.Restored);
        Assert.Equal(81, (await FoundAsync(archive)).Count);
        await archive.AssertCleanAsync();
    }

    [Fact]
    public async Task ABlobThatCannotBeReadStaysDeletedAndCanBeTriedAgain()
    {
        (TestArchive archive, ManualTime _) = await FilledAsync();
        await using TestArchive _1 = archive;
        InstanceLocation one = Assert.Single(await archive.LocateAsync(Made.Sop(1, 1, 1)));
        string path = Directory.EnumerateFiles(archive.Folder, one.StoreKey, SearchOption.AllDirectories).Single();
        RejectionRow deletion = (await archive.Archive.Deletion.RejectAsync(Request(1), Ct))!;
        File.Move(path, path + ".away");
        Assert.Equal(new RestoreReport(5, 0, 1), await archive.Archive.Deletion.RestoreAsync(deletion.Key, "x", Ct));
        File.Move(path + ".away", path);
        Assert.Equal(new RestoreReport(1, 0, 0), await archive.Archive.Deletion.RestoreAsync(deletion.Key, "x", Ct));
        await archive.AssertCleanAsync();
    }
}

internal static class RejectionRows
{
    public static string Id(this RejectionRow row) => row.Key.ToString(System.Globalization.CultureInfo.InvariantCulture);
}
