using PacsCluster.Catalog;
using PacsCluster.Testing;

namespace PacsCluster.Engine.Tests;

/// <summary>The change feed: in order, without gaps, and nobody waits longer than needed.</summary>
public sealed class ChangeFeedTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    private static async Task StoreAsync(TestArchive archive, int from, int to)
    {
        for (int i = from; i <= to; i++) Assert.True((await archive.StoreAsync(Made.Image(1, 1, i))).IsSuccess);
    }

    [Fact]
    public async Task EachStoreIsAnEntryReadInPages()
    {
        await using TestArchive archive = await TestArchive.StartAsync();
        await StoreAsync(archive, 1, 5);
        ChangeFeed feed = archive.Archive.ChangeFeed;
        ChangePage page = await feed.ReadAsync(0, 3, Ct);
        Assert.Equal([1L, 2L, 3L], page.Changes.Select(c => c.Sequence));
        Assert.Equal((new FeedState(1, 5), false), (page.Feed, page.IsTrimmed));
        page = await feed.ReadAsync(3, 10, Ct);
        Assert.Equal([(4L, Made.Sop(1, 1, 4)), (5L, Made.Sop(1, 1, 5))], page.Changes.Select(c => (c.Sequence, c.SopInstanceUid)));
        Assert.All(page.Changes, c => Assert.Equal(Events.InstanceStored, c.Kind));
        Assert.Empty((await feed.ReadAsync(5, 10, Ct)).Changes);
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(async () => await feed.ReadAsync(-1, 10, Ct));
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(async () => await feed.ReadAsync(0, 0, Ct));
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(async () => await feed.ReadAsync(0, ChangeFeed.LimitMax + 1, Ct));
    }

    [Fact]
    public async Task ALongPollEndsWithTheNextCommitOrWithItsTime()
    {
        // The clock stands still: only the signal can end it.
        var time = new ManualTime(DateTimeOffset.UtcNow);
        await using TestArchive archive = await TestArchive.StartAsync(time: time);
        Task<ChangePage> poll = archive.Archive.ChangeFeed.WaitAsync(0, 10, TimeSpan.FromSeconds(30), Ct);
        Assert.False(poll.IsCompleted);
        await StoreAsync(archive, 1, 1);
        Assert.Equal(1, Assert.Single((await poll).Changes).Sequence);

        poll = archive.Archive.ChangeFeed.WaitAsync(1, 10, TimeSpan.FromSeconds(30), Ct);
        for (int i = 0; !poll.IsCompleted && i < 100_000; i++)
        {
            if (time.Waiting > 0) time.Advance(TimeSpan.FromSeconds(1));
            else await Task.Yield();
        }
        Assert.Empty((await poll).Changes);

        using var cancel = CancellationTokenSource.CreateLinkedTokenSource(Ct);
        poll = archive.Archive.ChangeFeed.WaitAsync(1, 10, TimeSpan.FromSeconds(30), cancel.Token);
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => poll);
    }

    [Fact]
    public async Task ACommitOfAnotherNodeEndsALongPollToo()
    {
        var time = new ManualTime(DateTimeOffset.UtcNow);
        await using TestArchive archive = await TestArchive.StartAsync(time: time), other = await TestArchive.StartAsync(over: archive, time: time);
        Task<ChangePage> poll = archive.Archive.ChangeFeed.WaitAsync(0, 10, TimeSpan.FromDays(1), Ct);
        await StoreAsync(other, 1, 1);
        // No signal comes from there: looking now and then must find it, long before the poll's own time is over.
        DateTimeOffset stored = time.GetUtcNow();
        for (int i = 0; !poll.IsCompleted && i < 100_000; i++)
        {
            if (time.Waiting > 1) time.Advance(TimeSpan.FromMilliseconds(100));
            // A look takes real time, in which made-up time must not run away.
            await Task.Delay(1, Ct);
        }
        Assert.Single((await poll).Changes);
        Assert.InRange(time.GetUtcNow() - stored, TimeSpan.Zero, TimeSpan.FromHours(1));
    }

    [Fact]
    public async Task ManyFollowersSeeEverythingInOrderWhileEightStore()
    {
        await using TestArchive archive = await TestArchive.StartAsync();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Ct);
        Task<List<long>>[] followers = [.. Enumerable.Range(0, 4).Select(_ => Task.Run(async () =>
        {
            var seen = new List<long>();
            await foreach (OutboxRow row in archive.Archive.ChangeFeed.FollowAsync(0, stop.Token))
            {
                seen.Add(row.Sequence);
                if (seen.Count == 80) break;
            }
            return seen;
        }))];
        await Parallel.ForAsync(0, 8, Ct, async (n, _) =>
        {
            for (int i = 0; i < 10; i++) Assert.True((await archive.StoreAsync(Made.Image(n % 3, n, (n * 10) + i))).IsSuccess);
        });
        foreach (List<long> seen in await Task.WhenAll(followers).WaitAsync(TimeSpan.FromMinutes(2), Ct)) Assert.Equal(Enumerable.Range(1, 80).Select(i => (long)i), seen);
    }

    [Fact]
    public async Task ANamedConsumerGoesOnWhereItWasAlsoAfterARestart()
    {
        await using TestArchive archive = await TestArchive.StartAsync();
        await StoreAsync(archive, 1, 4);
        ChangeFeed feed = archive.Archive.ChangeFeed;
        Assert.Equal(0, (await feed.OpenConsumerAsync("fhir", 0, Ct)).Sequence);
        Assert.Equal(4, (await feed.OpenConsumerAsync("from-now", null, Ct)).Sequence);
        await feed.AcknowledgeAsync("fhir", 3, Ct);
        await feed.AcknowledgeAsync("fhir", 2, Ct);
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => feed.AcknowledgeAsync("fhir", 5, Ct));
        await Assert.ThrowsAsync<ArgumentException>(() => feed.OpenConsumerAsync("a b", 0, Ct));
        await using TestArchive again = await TestArchive.StartAsync(over: archive);
        Assert.Equal(3, (await again.Archive.ChangeFeed.OpenConsumerAsync("fhir", 0, Ct)).Sequence);
        await again.Archive.ChangeFeed.ForgetConsumerAsync("fhir", Ct);
        Assert.Equal("from-now", Assert.Single(await archive.Sqlite.ListConsumersAsync(Ct)).Name);
    }

    [Fact]
    public async Task TheFeedIsTrimmedByAgeButNotBeforeALivingConsumer()
    {
        var time = new ManualTime(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));
        await using TestArchive archive = await TestArchive.StartAsync(time: time);
        ChangeFeed feed = archive.Archive.ChangeFeed;
        await StoreAsync(archive, 1, 10);
        await feed.OpenConsumerAsync("slow", 4, Ct);
        await feed.OpenConsumerAsync("dead", 1, Ct);
        time.Advance(TimeSpan.FromDays(8));
        await StoreAsync(archive, 11, 13);
        await feed.TrimAsync(Ct);
        Assert.Equal(new FeedState(2, 13), await archive.Sqlite.GetFeedAsync(Ct));
        time.Advance(TimeSpan.FromDays(23));
        await feed.AcknowledgeAsync("slow", 11, Ct);
        await feed.TrimAsync(Ct);
        Assert.Equal(new FeedState(12, 13), await archive.Sqlite.GetFeedAsync(Ct));
        Assert.Equal("slow", Assert.Single(await archive.Sqlite.ListConsumersAsync(Ct)).Name);

        ChangePage missed = await feed.ReadAsync(5, 10, Ct);
        Assert.True(missed.IsTrimmed);
        Assert.Equal(12, missed.Feed.First);
        Assert.False((await feed.ReadAsync(11, 10, Ct)).IsTrimmed);
        Assert.Empty(await TestArchive.ListAsync(feed.FollowAsync(5, Ct)));
    }
}
