using Microsoft.Extensions.Logging;
using PacsCluster.Blobs;
using PacsCluster.Catalog;

namespace PacsCluster.Engine;

/// <summary>Makes the copies that a policy wants later. The commit that stores an instance writes which it still wants; one standing reminder a store, claimed by any node that has the store, makes them. A copy that
/// a crash left without its row is an orphan, and one that two nodes made is a conflict for the second: so it comes out the same however often it runs.</summary>
internal sealed class LaterCopies
{
    internal const string Name = "make";

    private const int Page = 64, AtOnce = 4;

    /// <summary>It goes on in another claim after so long, well within a lease.</summary>
    private static readonly TimeSpan s_claimTime = TimeSpan.FromSeconds(30);

    /// <summary>Wait for a store that cannot be written.</summary>
    private static readonly TimeSpan s_targetWait = TimeSpan.FromSeconds(30);

    /// <summary>Wait for a blob of which no copy can be read.</summary>
    private static readonly TimeSpan s_sourceWait = TimeSpan.FromMinutes(5);

    private readonly EngineOptions _options;
    private readonly ICatalog _catalog;
    private readonly ICatalogWriter _writer;
    private readonly BlobStores _stores;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;

    public LaterCopies(EngineOptions options, ICatalog catalog, ICatalogWriter writer, BlobStores stores, TimeProvider time, ILogger logger) =>
        (_options, _catalog, _writer, _stores, _time, _logger) = (options, catalog, writer, stores, time, logger);

    /// <summary>The reminder that makes the copies of a store.</summary>
    public static ReminderId ReminderOf(string store) => new(KindOf(store), store, Name);

    /// <summary>A kind for each store: who has not the store never claims it.</summary>
    public static string KindOf(string store) => "copies-" + store;

    public async Task<ReminderResult> HandleAsync(ReminderRow reminder, CancellationToken ct)
    {
        string name = reminder.Id.Key;
        IBlobStore target = _stores.Find(name)!;
        string[] own = [.. _stores.All.Select(s => s.Name)];
        for (long started = _time.GetTimestamp(); _time.GetElapsedTime(started) < s_claimTime;)
        {
            IReadOnlyList<WantedCopyEntry> page = await _catalog.ListWantedCopiesAsync(name, own, _time.GetUtcNow(), Page, ct);
            if (page.Count == 0) return ReminderResult.At(_time.GetUtcNow() + _options.CopyInterval);
            if (await MakeAsync(page, target, ct) is not { } away) continue;
            Log.CopyingUnavailable(_logger, away, name, s_targetWait);
            return ReminderResult.At(_time.GetUtcNow() + s_targetWait);
        }
        return ReminderResult.At(_time.GetUtcNow());
    }

    /// <summary>Makes a page of copies and writes their rows; the fault when the target cannot be written, with what was made before it written all the same.</summary>
    private async Task<Exception?> MakeAsync(IReadOnlyList<WantedCopyEntry> page, IBlobStore target, CancellationToken ct)
    {
        var tried = new Tried?[page.Count];
        Exception? away = null;
        await Parallel.ForAsync(0, page.Count, new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = ct }, async (i, token) =>
        {
            if (Volatile.Read(ref away) is not null) return;
            try
            {
                tried[i] = await MakeAsync(page[i], target, token);
            }
            catch (Exception fault) when (fault is BlobStoreUnavailableException or BlobStoreFullException)
            {
                Volatile.Write(ref away, fault);
            }
        });
        List<Tried> all = [.. tried.OfType<Tried>()];
        try
        {
            await CommitAsync(all);
        }
        catch (VersionConflictException)
        {
            // One of them is wanted no more: deleted, or another node made it.
            foreach (Tried one in all) await CommitOrTakeBackAsync(one);
        }
        int copies = all.Count(one => one.Key is not null);
        if (copies > 0) Log.Copied(_logger, copies, target.Name);
        return away;
    }

    private async Task<Tried> MakeAsync(WantedCopyEntry entry, IBlobStore target, CancellationToken ct)
    {
        if (entry.Copies.Any(c => c.Store == target.Name)) return new Tried(entry.Row, null, IsSettled: true);
        Exception? why = null;
        foreach (BlobCopy source in _stores.Nearest(entry.Copies.Select(c => c.Place)))
        {
            (string? key, why) = await BlobTransfer.CopyAsync(source, target, entry.Blob, ct);
            if (key is not null) return new Tried(entry.Row, key, IsSettled: true);
        }
        Log.CopyFailed(_logger, why, entry.Blob.Key, target.Name, s_sourceWait);
        return new Tried(entry.Row, null, IsSettled: false);
    }

    private async Task CommitOrTakeBackAsync(Tried one)
    {
        try
        {
            await CommitAsync([one]);
        }
        catch (VersionConflictException)
        {
            if (one.Key is not null) await _stores.DeleteAsync(new BlobPlace(one.Row.Store, one.Key));
        }
    }

    private async Task CommitAsync(IReadOnlyCollection<Tried> all)
    {
        DateTimeOffset now = _time.GetUtcNow();
        var changes = new CatalogChanges();
        foreach ((WantedCopyRow row, string? key, bool isSettled) in all)
        {
            if (isSettled) changes.SettledCopies.Add(row);
            else changes.PostponedCopies.Add(row with { DueAt = now + s_sourceWait });
            if (key is not null) changes.NewCopies.Add(new BlobCopyRow(row.BlobKey, row.Store, key, VerifiedAt: now));
        }
        if (!changes.IsEmpty) await _writer.CommitAsync(changes, CancellationToken.None);
    }

    /// <summary>What became of one wanted copy.</summary>
    /// <param name="Row">What was wanted.</param>
    /// <param name="Key">Key of the copy that was made; null when there was one already, or none could be made.</param>
    /// <param name="IsSettled">It is there.</param>
    private sealed record Tried(WantedCopyRow Row, string? Key, bool IsSettled);
}
