using PacsCluster.Blobs;
using PacsCluster.Catalog;
using PacsCluster.Dicom;

namespace PacsCluster.Engine;

/// <summary>What a person may do with instances that were kept aside. Listing them is <see cref="ICatalog.ListQuarantineAsync"/>.</summary>
public sealed class Quarantine : IDisposable
{
    private readonly ICatalog _catalog;
    private readonly ICatalogWriter _writer;
    private readonly BlobStores _stores;
    private readonly CommitQueue _queue;
    private readonly HeldReader _reader;
    private readonly SemaphoreSlim _one = new(1, 1);

    internal Quarantine(EngineOptions options, ICatalog catalog, ICatalogWriter writer, BlobStores stores, CommitQueue queue) =>
        (_catalog, _writer, _stores, _queue, _reader) = (catalog, writer, stores, queue, new HeldReader(options, stores));

    /// <summary>Judgement of a person who has looked: it is stored wherever that is possible, and takes the place of an instance with its UID,
    /// which goes to quarantine in turn.</summary>
    public static StorePolicy ReleasePolicy { get; } = new()
    {
        DifferentContent = DifferentContentPolicy.Replace,
        SopInstanceClash = ClashPolicy.KeepBoth,
        OtherPatient = MisfitPolicy.Store,
        MissingPatientId = MisfitPolicy.Store,
        BadUid = MisfitPolicy.Store,
        RequestMismatch = MisfitPolicy.Store,
    };

    /// <summary>The attributes of an entry without bulk values, read from its blob.</summary>
    /// <returns>Null when there is no such entry.</returns>
    /// <exception cref="BlobNotFoundException">Its blob is gone.</exception>
    /// <exception cref="BlobStoreUnavailableException">Its blob cannot be read now.</exception>
    public async Task<DataSet?> ReadHeaderAsync(long key, CancellationToken cancellationToken)
    {
        if (await _catalog.GetQuarantineAsync(key, cancellationToken) is not { } entry) return null;
        return await _reader.ReadHeaderAsync(new QuarantinedInstance(entry), cancellationToken);
    }

    /// <summary>Stores an entry under another policy, and takes it out of quarantine when that succeeds.</summary>
    /// <param name="key">Key of the entry.</param>
    /// <param name="policy">The policy; null for <see cref="ReleasePolicy"/>.</param>
    /// <param name="cancellationToken">Gives up before the commit.</param>
    /// <returns>The outcome; Quarantined when it does not fit even so and stays. Null when there is no such entry.</returns>
    /// <exception cref="BlobNotFoundException">Its blob is gone.</exception>
    /// <exception cref="BlobStoreUnavailableException">Its blob cannot be read now.</exception>
    public async Task<StoreOutcome?> ReleaseAsync(long key, StorePolicy? policy, CancellationToken cancellationToken)
    {
        policy ??= ReleasePolicy;
        await _one.WaitAsync(cancellationToken);
        try
        {
            if (await _catalog.GetQuarantineAsync(key, cancellationToken) is not { } entry) return null;
            (Candidate? candidate, StoreOutcome? refusal) = await _reader.ReadCandidateAsync(new QuarantinedInstance(entry), policy, cancellationToken);
            return refusal ?? (await _queue.CommitAsync(candidate!, null, cancellationToken)).Outcome;
        }
        finally
        {
            _one.Release();
        }
    }

    /// <summary>Deletes an entry and its blob for good. A copy that cannot be deleted now is left to the sweep.</summary>
    /// <returns>False when there is no such entry.</returns>
    /// <exception cref="CatalogUnavailableException">The catalog cannot be written now; nothing is deleted.</exception>
    public async Task<bool> DeleteAsync(long key, CancellationToken cancellationToken)
    {
        await _one.WaitAsync(cancellationToken);
        try
        {
            if (await _catalog.GetQuarantineAsync(key, cancellationToken) is not { } entry) return false;
            var changes = new CatalogChanges();
            changes.RemovedQuarantine.Add(entry.Row);
            changes.RemovedBlobs.Add(entry.Blob);
            await _writer.CommitAsync(changes, cancellationToken);
            foreach (BlobCopyRow copy in entry.Copies) await _stores.DeleteAsync(copy.Place);
            return true;
        }
        finally
        {
            _one.Release();
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _one.Dispose();
}
