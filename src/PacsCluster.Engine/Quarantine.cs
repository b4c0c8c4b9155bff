using System.Buffers;
using PacsCluster.Blobs;
using PacsCluster.Catalog;
using PacsCluster.Dicom;

namespace PacsCluster.Engine;

/// <summary>What a person may do with instances that were kept aside. Listing them is <see cref="ICatalog.ListQuarantineAsync"/>.</summary>
public sealed class Quarantine : IDisposable
{
    private const int BufferBytes = 256 * 1024;

    private readonly EngineOptions _options;
    private readonly ICatalog _catalog;
    private readonly ICatalogWriter _writer;
    private readonly IBlobStore _blobs;
    private readonly CommitQueue _queue;
    private readonly SemaphoreSlim _one = new(1, 1);

    internal Quarantine(EngineOptions options, ICatalog catalog, ICatalogWriter writer, IBlobStore blobs, CommitQueue queue) =>
        (_options, _catalog, _writer, _blobs, _queue) = (options, catalog, writer, blobs, queue);

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
        using PushReader reader = NewReader(entry);
        await FeedAsync(entry, reader, cancellationToken);
        return reader.Header;
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
            using PushReader reader = NewReader(entry);
            int dataSetOffset = await FeedAsync(entry, reader, cancellationToken);
            var origin = new StoreOrigin
            {
                TransferSyntax = TransferSyntax.FromUid(entry.Row.TransferSyntaxUid),
                CallingAETitle = entry.Row.Source,
                Door = StoreDoor.Import,
            };
            Judgement judged = CandidateReader.Judge(reader.Header, origin, policy);
            if (judged.Refusal is { } refusal) return refusal;
            var blob = new WrittenBlob(CopyOf(entry).StoreKey, entry.Blob.Length, dataSetOffset, entry.Blob.Sha256);
            Candidate candidate = CandidateReader.Read(judged, reader, blob, origin, policy, entry.Row.ReceivedAt) with { ReleasedFrom = entry };
            return (await _queue.CommitAsync(candidate, cancellationToken)).Outcome;
        }
        finally
        {
            _one.Release();
        }
    }

    /// <summary>Deletes an entry and its blob for good.</summary>
    /// <returns>False when there is no such entry.</returns>
    /// <exception cref="CatalogUnavailableException">The catalog cannot be written now; nothing is deleted.</exception>
    /// <exception cref="BlobStoreUnavailableException">The entry is gone, and the sweep will take its blob.</exception>
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
            foreach (BlobCopyRow copy in entry.Copies)
            {
                if (copy.Store == _blobs.Name) await _blobs.DeleteAsync(copy.StoreKey, CancellationToken.None);
            }
            return true;
        }
        finally
        {
            _one.Release();
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _one.Dispose();

    private PushReader NewReader(QuarantineEntry entry) => new(TransferSyntax.FromUid(entry.Row.TransferSyntaxUid), new PushReaderOptions
    {
        BulkThresholdBytes = _options.BulkThresholdBytes,
        HeaderMaxBytes = _options.HeaderMaxBytes,
    });

    private BlobCopyRow CopyOf(QuarantineEntry entry) =>
        entry.Copies.FirstOrDefault(c => c.Store == _blobs.Name) ?? throw new BlobNotFoundException(_blobs.Name, "(no copy)");

    /// <summary>Reads a blob through the reader; gives the offset of its data set.</summary>
    private async Task<int> FeedAsync(QuarantineEntry entry, PushReader reader, CancellationToken cancellationToken)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(BufferBytes);
        try
        {
            await using Stream stream = await _blobs.OpenReadAsync(CopyOf(entry).StoreKey, 0, -1, cancellationToken);
            int read = await stream.ReadAtLeastAsync(buffer, buffer.Length, throwOnEndOfStream: false, cancellationToken);
            int dataSetOffset = Part10.ReadStart(buffer.AsMemory(0, read)).DataSetOffset;
            reader.Feed(buffer.AsSpan(dataSetOffset, read - dataSetOffset));
            while ((read = await stream.ReadAsync(buffer, cancellationToken)) > 0) reader.Feed(buffer.AsSpan(0, read));
            reader.Complete();
            return dataSetOffset;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}
