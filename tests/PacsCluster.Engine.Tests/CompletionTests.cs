using PacsCluster.Catalog;
using PacsCluster.Testing;

namespace PacsCluster.Engine.Tests;

/// <summary>When a study is complete, and what that costs and survives.</summary>
public sealed class CompletionTests
{
    private static readonly DateTimeOffset s_start = new(2026, 11, 22, 8, 0, 0, TimeSpan.Zero);

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    private static async Task<(TestArchive Archive, ManualTime Time)> StartAsync()
    {
        var time = new ManualTime(s_start);
        return (await TestArchive.StartAsync(time: time), time);
    }

    private static async Task<StudyContent> ContentAsync(TestArchive archive, int study = 1) => (await archive.Sqlite.GetContentAsync(Made.Study(study), null, Ct))!;

    private static async Task<int> EventsAsync(TestArchive archive) =>
        (await archive.Archive.ChangeFeed.ReadAsync(0, 1000, Ct)).Changes.Count(c => c.Kind == Events.StudyCompleted && c.StudyInstanceUid == Made.Study(1));

    [Fact]
    public async Task AStudyIsCompleteAfterItsQuietPeriodAndReceivingAgainWithTheNextInstance()
    {
        (TestArchive archive, ManualTime time) = await StartAsync();
        await using TestArchive _ = archive;
        await archive.StoreAsync(Made.Image(1, 1, 1));
        time.Advance(TimeSpan.FromSeconds(50));
        await archive.StoreAsync(Made.Image(1, 1, 2));
        time.Advance(TimeSpan.FromSeconds(10));
        Assert.Equal(1, await archive.Archive.Reminders.RunDueAsync(Ct)); // it was stored into since: comes again
        Assert.Equal((StudyStatus.Receiving, 0), ((await ContentAsync(archive)).Study.Status, await EventsAsync(archive)));
        time.Advance(TimeSpan.FromSeconds(49));
        Assert.Equal(0, await archive.Archive.Reminders.RunDueAsync(Ct));
        time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(1, await archive.Archive.Reminders.RunDueAsync(Ct));
        StudyContent complete = await ContentAsync(archive);
        Assert.Equal((StudyStatus.Complete, 2, 1), (complete.Study.Status, complete.Series[0].Block!.InstanceCount, await EventsAsync(archive)));
        Assert.Empty(await archive.Sqlite.ListRemindersAsync(10, Ct));

        await archive.StoreAsync(Made.Image(1, 1, 3));
        StudyContent again = await ContentAsync(archive);
        Assert.Equal((StudyStatus.Receiving, null), (again.Study.Status, again.Series[0].Block));
        time.Advance(TimeSpan.FromSeconds(60));
        await archive.Archive.Reminders.RunDueAsync(Ct);
        Assert.Equal((StudyStatus.Complete, 2), ((await ContentAsync(archive)).Study.Status, await EventsAsync(archive)));
        await archive.AssertCleanAsync();
    }

    [Fact]
    public async Task TheStorePathWritesTheReminderOnce()
    {
        (TestArchive archive, ManualTime _) = await StartAsync();
        await using TestArchive _1 = archive;
        int reminders = 0;
        archive.Catalog.BeforeCommit = changes =>
        {
            reminders += changes.Reminders.Count;
            return Task.CompletedTask;
        };
        for (int i = 1; i <= 30; i++) await archive.StoreAsync(Made.Image(1, 1 + (i % 3), i));
        Assert.Equal(1, reminders);
    }

    [Fact]
    public async Task WhatIsStoredWhileTheStudyIsPackedIsNotLost()
    {
        (TestArchive archive, ManualTime time) = await StartAsync();
        await using TestArchive _ = archive;
        await archive.StoreAsync(Made.Image(1, 1, 1));
        time.Advance(TimeSpan.FromSeconds(60));
        bool isFirst = true;
        archive.Catalog.BeforeCommit = async changes =>
        {
            if (changes.MetadataBlocks.Count == 0 || !isFirst) return;
            isFirst = false;
            Assert.True((await archive.StoreAsync(Made.Image(1, 1, 2))).IsSuccess);
        };
        Assert.Equal(1, await archive.Archive.Reminders.RunDueAsync(Ct));
        StudyContent content = await ContentAsync(archive);
        Assert.Equal((StudyStatus.Receiving, null, 0), (content.Study.Status, content.Series[0].Block, await EventsAsync(archive)));
        time.Advance(TimeSpan.FromSeconds(60));
        await archive.Archive.Reminders.RunDueAsync(Ct);
        content = await ContentAsync(archive);
        Assert.Equal((StudyStatus.Complete, 2, 1), (content.Study.Status, content.Series[0].Block!.InstanceCount, await EventsAsync(archive)));
    }

    [Fact]
    public async Task ACommitWhoseAnswerWasLostCompletesOnce()
    {
        (TestArchive archive, ManualTime time) = await StartAsync();
        await using TestArchive _ = archive;
        await archive.StoreAsync(Made.Image(1, 1, 1));
        time.Advance(TimeSpan.FromSeconds(60));
        archive.Catalog.AfterCommit = changes => changes.MetadataBlocks.Count > 0 ? throw new CatalogUnavailableException("the connection broke") : Task.CompletedTask;
        await archive.Archive.Reminders.RunDueAsync(Ct);
        archive.Catalog.Heal();
        time.Advance(TimeSpan.FromHours(1));
        await archive.Archive.Reminders.RunDueAsync(Ct);
        Assert.Equal((StudyStatus.Complete, 1), ((await ContentAsync(archive)).Study.Status, await EventsAsync(archive)));
        Assert.Empty(await archive.Sqlite.ListRemindersAsync(10, Ct));
    }

    [Fact]
    public async Task ADeathBetweenStoreAndCompletionIsMadeGoodByTheNextStart()
    {
        (TestArchive archive, ManualTime time) = await StartAsync();
        await using TestArchive _ = archive;
        await archive.StoreAsync(Made.Image(1, 1, 1));
        time.Advance(TimeSpan.FromSeconds(60));
        // Claimed by a node that dies at once.
        await ((ICatalogWriter)archive.Sqlite).ClaimRemindersAsync(new ClaimRequest("dead", ["study"], time.GetUtcNow(), time.GetUtcNow() + archive.Options.ReminderLease, 10), Ct);
        await using TestArchive other = await TestArchive.StartAsync(over: archive, time: time);
        Assert.Equal(0, await other.Archive.Reminders.RunDueAsync(Ct));
        time.Advance(archive.Options.ReminderLease);
        Assert.Equal(1, await other.Archive.Reminders.RunDueAsync(Ct));
        Assert.Equal(StudyStatus.Complete, (await ContentAsync(archive)).Study.Status);
    }

    [Fact]
    public async Task OnRequestAStudyIsCompleteAtOnce()
    {
        (TestArchive archive, ManualTime _) = await StartAsync();
        await using TestArchive _1 = archive;
        await archive.StoreAsync(Made.Image(1, 1, 1));
        Assert.True(await archive.Archive.Completion.CompleteAsync(Made.Study(1), Ct));
        Assert.True(await archive.Archive.Completion.CompleteAsync(Made.Study(1), Ct));
        Assert.False(await archive.Archive.Completion.CompleteAsync("9.9", Ct));
        Assert.Equal((StudyStatus.Complete, 1), ((await ContentAsync(archive)).Study.Status, await EventsAsync(archive)));
        Assert.Empty(await archive.Sqlite.ListRemindersAsync(10, Ct));
    }
}
