using System.Collections.Concurrent;
using Microsoft.Extensions.Logging.Abstractions;
using PacsCluster.Catalog;
using PacsCluster.Testing;

namespace PacsCluster.Engine.Tests;

/// <summary>Durable reminders: none lost, none kept from others, and no faster a clock than needed.</summary>
public sealed class ReminderTests
{
    private static readonly DateTimeOffset s_start = new(2026, 11, 22, 8, 0, 0, TimeSpan.Zero);

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    private static ReminderRow Reminder(string key, DateTimeOffset due) => new() { Id = new ReminderId("test", key, "do"), DueAt = due };

    private static (Reminders Reminders, ObservedWriter Writer) Worker(TestArchive archive, TimeProvider time, ReminderHandler handler, EngineOptions? options = null, string owner = "a")
    {
        var writer = new ObservedWriter(archive.Catalog);
        var reminders = new Reminders(writer, options ?? new EngineOptions(), time, new Metrics(), NullLogger.Instance, owner);
        reminders.Handle("test", "do", handler);
        return (reminders, writer);
    }

    [Fact]
    public async Task TwoEnginesOnOneCatalogHandleEachOnceAndLoseNone()
    {
        await using TestArchive first = await TestArchive.StartAsync(), second = await TestArchive.StartAsync(over: first);
        var handled = new ConcurrentDictionary<string, int>();
        var all = new TaskCompletionSource();
        Task<ReminderResult> Handle(ReminderRow row, CancellationToken ct)
        {
            handled.AddOrUpdate(row.Id.Key, 1, (_, times) => times + 1);
            if (handled.Count == 150) all.TrySetResult();
            return Task.FromResult(ReminderResult.Done);
        }
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Ct);
        var options = new EngineOptions { ReminderConcurrency = 3, ReminderIdle = TimeSpan.FromMilliseconds(100) };
        (Reminders a, ObservedWriter writer) = Worker(first, TimeProvider.System, Handle, options, "a");
        (Reminders b, ObservedWriter _) = Worker(second, TimeProvider.System, Handle, options, "b");
        Task[] loops = [a.RunAsync(stop.Token), b.RunAsync(stop.Token)];
        for (int i = 0; i < 150; i += 10)
        {
            var changes = new CatalogChanges();
            for (int j = i; j < i + 10; j++) changes.Reminders.Add(Reminder($"{j}", DateTimeOffset.UtcNow));
            await writer.CommitAsync(changes, Ct);
        }
        await all.Task.WaitAsync(TimeSpan.FromMinutes(2), Ct);
        await stop.CancelAsync();
        await Task.WhenAll(loops);
        Assert.All(handled, one => Assert.Equal(1, one.Value));
        Assert.Empty(await first.Sqlite.ListRemindersAsync(10, Ct));
    }

    [Fact]
    public async Task AHandlerThatFailsIsTriedAgainLaterAndLater()
    {
        var time = new ManualTime(s_start);
        await using TestArchive archive = await TestArchive.StartAsync(time: time);
        int calls = 0;
        (Reminders reminders, ObservedWriter writer) = Worker(archive, time, (_, _) => ++calls < 4 ? throw new InvalidOperationException("not yet") : Task.FromResult(ReminderResult.Done));
        await writer.CommitAsync(new CatalogChanges { Reminders = { Reminder("1", s_start) } }, Ct);
        foreach (int wait in (int[])[5, 10, 20])
        {
            Assert.Equal(1, await reminders.RunDueAsync(Ct));
            time.Advance(TimeSpan.FromSeconds(wait - 1));
            Assert.Equal(0, await reminders.RunDueAsync(Ct));
            time.Advance(TimeSpan.FromSeconds(1));
        }
        Assert.Equal(1, await reminders.RunDueAsync(Ct));
        Assert.Equal(4, calls);
        Assert.Empty(await archive.Sqlite.ListRemindersAsync(10, Ct));
        Assert.Equal(TimeSpan.FromHours(1), Reminders.BackOff(50));
    }

    [Fact]
    public async Task OneThatNobodyKnowsStaysAndHoldsNobodyUp()
    {
        var time = new ManualTime(s_start);
        await using TestArchive archive = await TestArchive.StartAsync(time: time);
        var done = new List<string>();
        (Reminders reminders, ObservedWriter writer) = Worker(archive, time, (row, _) =>
        {
            done.Add(row.Id.Key);
            return Task.FromResult(ReminderResult.Done);
        });
        await writer.CommitAsync(
            new CatalogChanges { Reminders = { new ReminderRow { Id = new ReminderId("test", "1", "of a newer program"), DueAt = s_start }, Reminder("2", s_start.AddSeconds(1)), new ReminderRow { Id = new ReminderId("foreign", "3", "do"), DueAt = s_start } } }, Ct);
        time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(2, await reminders.RunDueAsync(Ct));
        Assert.Equal(["2"], done);
        Assert.Equal(["3", "1"], (await archive.Sqlite.ListRemindersAsync(10, Ct)).Select(r => r.Id.Key));
    }

    [Fact]
    public async Task OneThatComesAgainStartsWithoutFailures()
    {
        var time = new ManualTime(s_start);
        await using TestArchive archive = await TestArchive.StartAsync(time: time);
        (Reminders reminders, ObservedWriter writer) = Worker(archive, time, (_, _) => Task.FromResult(ReminderResult.At(time.GetUtcNow().AddMinutes(1))));
        await writer.CommitAsync(new CatalogChanges { Reminders = { Reminder("1", s_start) } }, Ct);
        await reminders.RunDueAsync(Ct);
        ReminderRow again = Assert.Single(await archive.Sqlite.ListRemindersAsync(10, Ct));
        Assert.Equal((s_start.AddMinutes(1), 0, ""), (again.DueAt, again.Attempts, again.LeasedBy));
    }

    [Fact]
    public async Task TheLoopWakesWhenOneIsDueAndWhenOneIsSetAndNotBefore()
    {
        var time = new ManualTime(s_start);
        await using TestArchive archive = await TestArchive.StartAsync(time: time);
        var handled = System.Threading.Channels.Channel.CreateUnbounded<(string Key, DateTimeOffset At)>();
        (Reminders reminders, ObservedWriter writer) = Worker(archive, time, async (row, ct) =>
        {
            await handled.Writer.WriteAsync((row.Id.Key, time.GetUtcNow()), ct);
            return ReminderResult.Done;
        });
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Ct);
        Task loop = reminders.RunAsync(stop.Token);
        await writer.CommitAsync(new CatalogChanges { Reminders = { Reminder("now", s_start) } }, Ct);
        Assert.Equal("now", (await handled.Reader.ReadAsync(Ct)).Key);
        await writer.CommitAsync(new CatalogChanges { Reminders = { Reminder("later", s_start.AddSeconds(90)) } }, Ct);
        // Sleeps end at the idle time and at the due time; a second of the test's clock at a time reaches both.
        Task<bool> there = handled.Reader.WaitToReadAsync(Ct).AsTask();
        for (int second = 0; !there.IsCompleted && second < 100_000; second++)
        {
            if (time.Waiting > 0) time.Advance(TimeSpan.FromSeconds(1));
            else await Task.Yield();
        }
        (string key, DateTimeOffset at) = await handled.Reader.ReadAsync(Ct);
        Assert.Equal("later", key);
        Assert.True(at >= s_start.AddSeconds(90), $"{at:O}");
        await stop.CancelAsync();
        await loop;
    }

    [Fact]
    public async Task AStopGivesBackWhatIsNotDone()
    {
        var time = new ManualTime(s_start);
        await using TestArchive archive = await TestArchive.StartAsync(time: time);
        var begun = new TaskCompletionSource();
        (Reminders reminders, ObservedWriter writer) = Worker(archive, time, async (_, ct) =>
        {
            begun.SetResult();
            await Task.Delay(Timeout.Infinite, ct);
            return ReminderResult.Done;
        });
        await writer.CommitAsync(new CatalogChanges { Reminders = { Reminder("1", s_start) } }, Ct);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Ct);
        Task loop = reminders.RunAsync(stop.Token);
        await begun.Task;
        await stop.CancelAsync();
        await loop;
        ReminderRow row = Assert.Single(await archive.Sqlite.ListRemindersAsync(10, Ct));
        Assert.Equal((s_start, ""), (row.DueAt, row.LeasedBy));
    }

    [Fact]
    public async Task GarbageIsSweptByReminderWhichEveryStartKeeps()
    {
        var time = new ManualTime(DateTimeOffset.UtcNow);
        await using TestArchive archive = await TestArchive.StartAsync(time: time);
        await using (Blobs.BlobWriter orphan = await archive.Files.CreateAsync(Ct))
        {
            await orphan.WriteAsync(new byte[10], Ct);
            await orphan.CommitAsync(Ct);
        }
        await archive.ChangeAsync(new EngineOptions());
        await archive.ChangeAsync(new EngineOptions { OrphanSweepInterval = TimeSpan.FromHours(1) });
        ReminderRow sweep = (await archive.Sqlite.ListRemindersAsync(10, Ct)).Single(r => r.Id.Kind == "store");
        Assert.InRange(sweep.DueAt - time.GetUtcNow(), TimeSpan.FromHours(6) - TimeSpan.FromSeconds(1), TimeSpan.FromHours(6));
        await archive.ChangeAsync(archive.Options with { OrphanSweepInterval = TimeSpan.FromHours(1) });
        time.Advance(TimeSpan.FromHours(30));
        await archive.Archive.Reminders.RunDueAsync(Ct);
        Assert.Empty(await archive.BlobsAsync());
        Assert.Equal(time.GetUtcNow() + TimeSpan.FromHours(1), (await archive.Sqlite.ListRemindersAsync(10, Ct)).Single(r => r.Id.Kind == "store").DueAt, TimeSpan.FromMilliseconds(1));
    }

    [Fact]
    public async Task ALivingNodeIsListedAndAnotherOfItsNameIsNot()
    {
        var time = new ManualTime(s_start);
        await using TestArchive archive = await TestArchive.StartAsync(time: time);
        var node = new NodeDescription { Name = "n1", Site = "east", Roles = ["worker"], Addresses = ["http://x"], SoftwareVersion = "1" };
        Archive NewNode(string site) => new(archive.Options, archive.Catalog, archive.Catalog, archive.Stores, time, NullLoggerFactory.Instance) { Node = node with { Site = site } };
        var committed = new SemaphoreSlim(0);
        archive.Catalog.AfterCommit = changes =>
        {
            if (changes.Nodes.Count + changes.RemovedNodes.Count > 0) committed.Release();
            return Task.CompletedTask;
        };
        Archive first = NewNode("east");
        await first.StartAsync(Ct);
        await committed.WaitAsync(Ct);
        NodeRow row = Assert.Single(await archive.Sqlite.ListNodesAsync(Ct));
        Assert.Equal(("n1", "east", s_start, s_start.AddSeconds(30)), (row.Name, row.Site, row.StartedAt, row.LeasedUntil));
        await using (Archive twin = NewNode("west")) await twin.StartAsync(Ct);
        Assert.Equal("east", Assert.Single(await archive.Sqlite.ListNodesAsync(Ct)).Site);
        time.Advance(TimeSpan.FromSeconds(10));
        await committed.WaitAsync(Ct);
        // The twin's refused lease and its own end wrote nothing of the first's.
        while (Assert.Single(await archive.Sqlite.ListNodesAsync(Ct)).LeasedUntil != s_start.AddSeconds(40)) await committed.WaitAsync(Ct);
        await first.DisposeAsync();
        Assert.Empty(await archive.Sqlite.ListNodesAsync(Ct));
    }
}
