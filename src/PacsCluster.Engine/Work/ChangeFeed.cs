using System.Runtime.CompilerServices;
using PacsCluster.Catalog;

namespace PacsCluster.Engine;

/// <summary>A piece of the change feed.</summary>
/// <param name="Changes">Entries in order, without gaps; empty when there was none.</param>
/// <param name="Feed">How far the feed goes.</param>
/// <param name="IsTrimmed">Entries behind the place asked for are gone already: the reader missed some, and must look at the whole archive again.</param>
public sealed record ChangePage(IReadOnlyList<OutboxRow> Changes, FeedState Feed, bool IsTrimmed);

/// <summary>
/// What happened, in the order in which it was committed: numbered from 1 without gaps, so that whoever has read up to a number has missed nothing before it.
/// Any node reads it. A commit of this process wakes those who wait at once, one of another node within a second. Thread-safe.
/// </summary>
public sealed class ChangeFeed
{
    internal const string Kind = "feed", Key = "outbox", Name = "trim";

    /// <summary>Entries in one answer at most.</summary>
    public const int LimitMax = 10_000;

    private const int TrimmedInOneCommit = 5000;

    private static readonly TimeSpan s_otherNodes = TimeSpan.FromSeconds(1), s_trimInterval = TimeSpan.FromHours(1);

    private readonly ICatalog _catalog;
    private readonly ObservedWriter _writer;
    private readonly EngineOptions _options;
    private readonly TimeProvider _time;
    private readonly Pulse _more = new();
    private readonly Lock _lock = new();
    private int _waiting;
    private Task _looking = Task.CompletedTask;

    internal ChangeFeed(EngineOptions options, ICatalog catalog, ObservedWriter writer, TimeProvider time)
    {
        (_options, _catalog, _writer, _time) = (options, catalog, writer, time);
        writer.Committed += changes =>
        {
            if (changes.Outbox.Count > 0) _more.Set();
        };
    }

    /// <summary>Reads what is there.</summary>
    /// <param name="after">The last entry that the reader knows; 0 for the start.</param>
    /// <param name="limit">Entries at most, 1 to <see cref="LimitMax"/>.</param>
    /// <param name="cancellationToken">Cancels.</param>
    /// <exception cref="CatalogUnavailableException">The catalog cannot answer now.</exception>
    public async ValueTask<ChangePage> ReadAsync(long after, int limit, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(after);
        ArgumentOutOfRangeException.ThrowIfLessThan(limit, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(limit, LimitMax);
        var changes = new List<OutboxRow>();
        await foreach (OutboxRow row in _catalog.ReadOutboxAsync(after, limit, cancellationToken)) changes.Add(row);
        // Asked after the entries: what a trim took before them is seen here, and what it takes later they are not missing.
        FeedState feed = await _catalog.GetFeedAsync(cancellationToken);
        return new ChangePage(changes, feed, changes.Count > 0 ? changes[0].Sequence > after + 1 : feed.First > after + 1);
    }

    /// <summary>Reads what is there, or waits until something is (a long poll).</summary>
    /// <param name="after">As in <see cref="ReadAsync"/>.</param>
    /// <param name="limit">As in <see cref="ReadAsync"/>.</param>
    /// <param name="most">How long to wait; then the page is empty.</param>
    /// <param name="cancellationToken">Cancels.</param>
    /// <exception cref="CatalogUnavailableException">The catalog cannot answer now.</exception>
    public async Task<ChangePage> WaitAsync(long after, int limit, TimeSpan most, CancellationToken cancellationToken)
    {
        long started = _time.GetTimestamp();
        BeginWaiting();
        try
        {
            while (true)
            {
                Task more = _more.Next;
                ChangePage page = await ReadAsync(after, limit, cancellationToken);
                TimeSpan left = most - _time.GetElapsedTime(started);
                if (page.Changes.Count > 0 || page.IsTrimmed || left <= TimeSpan.Zero) return page;
                await Pulse.WaitAsync(more, left, _time, cancellationToken);
            }
        }
        finally
        {
            lock (_lock) _waiting--;
        }
    }

    /// <summary>Every entry behind a place, those to come too, until cancelled (an event stream). Ends when entries were trimmed that the reader missed.</summary>
    /// <exception cref="CatalogUnavailableException">The catalog cannot answer now.</exception>
    public async IAsyncEnumerable<OutboxRow> FollowAsync(long after, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        while (true)
        {
            ChangePage page = await WaitAsync(after, 256, TimeSpan.FromDays(1), cancellationToken);
            if (page.IsTrimmed) yield break;
            foreach (OutboxRow row in page.Changes) yield return row;
            if (page.Changes.Count > 0) after = page.Changes[^1].Sequence;
        }
    }

    /// <summary>Where a named consumer is, making it when it is new.</summary>
    /// <param name="name">1 to 64 characters: letters, digits and <c>.-_</c>.</param>
    /// <param name="after">Where a new one begins; null for the end of the feed, that is: with what comes from now on.</param>
    /// <param name="cancellationToken">Cancels.</param>
    /// <exception cref="ArgumentException">No such name is allowed.</exception>
    /// <exception cref="CatalogUnavailableException">The catalog cannot be read or written now.</exception>
    public async Task<ConsumerRow> OpenConsumerAsync(string name, long? after, CancellationToken cancellationToken)
    {
        CheckName(name);
        foreach (ConsumerRow known in await _catalog.ListConsumersAsync(cancellationToken))
        {
            if (known.Name == name) return known;
        }
        var consumer = new ConsumerRow(name, after ?? (await _catalog.GetFeedAsync(cancellationToken)).Last, _time.GetUtcNow());
        await _writer.CommitAsync(new CatalogChanges { Consumers = { consumer } }, cancellationToken);
        return consumer;
    }

    /// <summary>A named consumer is done with all entries up to one: at its next start it goes on behind it, and the feed may be trimmed to there. Going back is not possible.</summary>
    /// <exception cref="ArgumentException">No such name is allowed, or the feed is not that long.</exception>
    /// <exception cref="CatalogUnavailableException">The catalog cannot be read or written now.</exception>
    public async Task AcknowledgeAsync(string name, long sequence, CancellationToken cancellationToken)
    {
        CheckName(name);
        ArgumentOutOfRangeException.ThrowIfNegative(sequence);
        if (sequence > (await _catalog.GetFeedAsync(cancellationToken)).Last) throw new ArgumentOutOfRangeException(nameof(sequence), "the change feed is not that long");
        await _writer.CommitAsync(new CatalogChanges { Consumers = { new ConsumerRow(name, sequence, _time.GetUtcNow()) } }, cancellationToken);
    }

    /// <summary>Forgets a named consumer; nothing is kept for it any more.</summary>
    /// <exception cref="CatalogUnavailableException">The catalog cannot be written now.</exception>
    public Task ForgetConsumerAsync(string name, CancellationToken cancellationToken) =>
        _writer.CommitAsync(new CatalogChanges { RemovedConsumers = { name } }, cancellationToken).AsTask();

    /// <summary>Takes out entries older than <see cref="EngineOptions.FeedRetention"/> that every named consumer has read, and forgets consumers that say nothing for
    /// <see cref="EngineOptions.ConsumerRetention"/>.</summary>
    internal async Task<ReminderResult> TrimAsync(CancellationToken ct)
    {
        DateTimeOffset now = _time.GetUtcNow();
        FeedState feed = await _catalog.GetFeedAsync(ct);
        long to = await FindLastBeforeAsync(feed, now - _options.FeedRetention, ct);
        var forgotten = new CatalogChanges();
        foreach (ConsumerRow consumer in await _catalog.ListConsumersAsync(ct))
        {
            if (consumer.UpdatedAt < now - _options.ConsumerRetention) forgotten.RemovedConsumers.Add(consumer.Name);
            else to = Math.Min(to, consumer.Sequence);
        }
        await _writer.CommitAsync(forgotten, ct);
        for (long at = feed.First - 1; at < to;)
        {
            at = Math.Min(to, at + TrimmedInOneCommit);
            await _writer.CommitAsync(new CatalogChanges { TrimOutboxTo = at }, ct);
        }
        return ReminderResult.At(now + s_trimInterval);
    }

    /// <summary>The last entry made before a time; 0 for none. Entries are numbered as time goes (within the nodes' clocks), so halving finds it.</summary>
    private async Task<long> FindLastBeforeAsync(FeedState feed, DateTimeOffset before, CancellationToken ct)
    {
        long low = feed.First - 1, high = feed.Last;
        while (low < high)
        {
            long middle = low + ((high - low + 1) / 2);
            OutboxRow? row = null;
            await foreach (OutboxRow one in _catalog.ReadOutboxAsync(middle - 1, 1, ct)) row = one;
            if (row is not null && row.CreatedAt < before) low = middle;
            else high = middle - 1;
        }
        return low;
    }

    /// <summary>While anybody waits, one task for all looks whether other nodes have written.</summary>
    private void BeginWaiting()
    {
        lock (_lock)
        {
            _waiting++;
            if (_looking.IsCompleted) _looking = Task.Run(LookAsync);
        }
    }

    private async Task LookAsync()
    {
        long last = -1;
        while (true)
        {
            await Task.Delay(s_otherNodes, _time);
            lock (_lock)
            {
                if (_waiting == 0)
                {
                    // Under the lock, so that who begins to wait now starts another.
                    _looking = Task.CompletedTask;
                    return;
                }
            }
            try
            {
                long now = (await _catalog.GetFeedAsync(CancellationToken.None)).Last;
                if (now != last) _more.Set();
                last = now;
            }
            catch (CatalogUnavailableException)
            {
                // Those who wait ask the catalog themselves, and get this fault.
                _more.Set();
            }
        }
    }

    private static void CheckName(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        if (name.Length is 0 or > 64 || name.Any(c => !char.IsAsciiLetterOrDigit(c) && c is not ('.' or '-' or '_')))
            throw new ArgumentException("a consumer's name has 1 to 64 letters, digits and .-_", nameof(name));
    }
}
