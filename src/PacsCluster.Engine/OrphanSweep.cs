using Microsoft.Extensions.Logging;
using PacsCluster.Blobs;
using PacsCluster.Catalog;

namespace PacsCluster.Engine;

/// <summary>What a sweep found.</summary>
/// <param name="Seen">Blobs listed.</param>
/// <param name="Deleted">Blobs deleted.</param>
/// <param name="DeletedBytes">Their bytes.</param>
public sealed record SweepReport(long Seen, long Deleted, long DeletedBytes);

/// <summary>Deletes blobs that no row refers to: what a crash left between the blob's commit and the catalog's. A blob younger than the age may belong to
/// a store that is still waiting for its commit, on this node or another, so it is left alone.</summary>
public sealed class OrphanSweep
{
    internal const string Kind = "store", Name = "sweep";

    private const int Page = 500;

    private static readonly TimeSpan s_passOn = TimeSpan.FromMinutes(1);

    private readonly ICatalog _catalog;
    private readonly BlobStores _stores;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;

    internal OrphanSweep(ICatalog catalog, BlobStores stores, TimeProvider time, ILogger logger) => (_catalog, _stores, _time, _logger) = (catalog, stores, time, logger);

    /// <summary>Sweeps every store of this node once. Memory is bounded whatever the number of blobs.</summary>
    /// <param name="age">Blobs younger than this stay.</param>
    /// <param name="cancellationToken">Stops between two pages.</param>
    /// <exception cref="BlobStoreUnavailableException">A store cannot be listed or refuses to delete.</exception>
    /// <exception cref="CatalogUnavailableException">The catalog cannot answer now.</exception>
    public async Task<SweepReport> RunAsync(TimeSpan age, CancellationToken cancellationToken)
    {
        var sum = new SweepReport(0, 0, 0);
        foreach (IBlobStore store in _stores.All)
        {
            SweepReport one = await SweepAsync(store, age, cancellationToken);
            sum = new SweepReport(sum.Seen + one.Seen, sum.Deleted + one.Deleted, sum.DeletedBytes + one.DeletedBytes);
        }
        return sum;
    }

    private async Task<SweepReport> SweepAsync(IBlobStore store, TimeSpan age, CancellationToken cancellationToken)
    {
        DateTimeOffset before = _time.GetUtcNow() - age;
        long seen = 0, deleted = 0, bytes = 0;
        var page = new Dictionary<string, long>(Page, StringComparer.Ordinal);
        await foreach (BlobStat blob in store.ListAsync(null, cancellationToken))
        {
            seen++;
            if (blob.LastModified > before) continue;
            page.Add(blob.Key, blob.Length);
            if (page.Count == Page) await SweepPageAsync();
        }
        await SweepPageAsync();
        Log.Swept(_logger, store.Name, deleted, seen, age);
        return new SweepReport(seen, deleted, bytes);

        async Task SweepPageAsync()
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (page.Count == 0) return;
            foreach (string key in await _catalog.FindUnknownBlobsAsync(store.Name, page.Keys, cancellationToken))
            {
                await store.DeleteAsync(key, cancellationToken);
                deleted++;
                bytes += page[key];
            }
            page.Clear();
        }
    }

    /// <summary>The reminder that sweeps a store.</summary>
    internal static ReminderId ReminderOf(string store) => new(Kind, store, Name);

    /// <summary>Sweeps and comes again; ends when sweeping is switched off.</summary>
    internal async Task<ReminderResult> HandleAsync(ReminderRow reminder, EngineOptions options, CancellationToken ct)
    {
        if (options.OrphanSweepInterval == TimeSpan.Zero) return ReminderResult.Done;
        // A store that only others have: perhaps one of them is quicker the next time.
        if (_stores.Find(reminder.Id.Key) is not { } store) return ReminderResult.At(_time.GetUtcNow() + s_passOn);
        await SweepAsync(store, options.OrphanAge, ct);
        return ReminderResult.At(_time.GetUtcNow() + options.OrphanSweepInterval);
    }
}
