using System.Buffers;
using PacsCluster.Blobs;
using PacsCluster.Catalog;
using PacsCluster.Dicom;

namespace PacsCluster.Engine;

/// <summary>An instance whose blob is kept though it is in no study, and that can come (back) into one: quarantined, or deleted and not purged.</summary>
internal abstract record HeldInstance(BlobRow Blob, IReadOnlyList<BlobCopyRow> Copies, string TransferSyntaxUid, string Source, DateTimeOffset ReceivedAt)
{
    /// <summary>The word of the change feed when it comes into its study.</summary>
    public abstract string Event { get; }

    /// <summary>Something else lies in the blob too.</summary>
    public virtual bool IsBlobShared => false;

    /// <summary>Takes it off its list.</summary>
    public abstract void TakeOut(CatalogChanges changes);
}

/// <summary>A quarantined instance.</summary>
internal sealed record QuarantinedInstance(QuarantineEntry Entry)
    : HeldInstance(Entry.Blob, Entry.Copies, Entry.Row.TransferSyntaxUid, Entry.Row.Source, Entry.Row.ReceivedAt)
{
    public override string Event => Events.InstanceStored;

    public override void TakeOut(CatalogChanges changes) => changes.RemovedQuarantine.Add(Entry.Row);
}

/// <summary>A deleted instance.</summary>
internal sealed record RejectedInstance(RejectedEntry Entry)
    : HeldInstance(Entry.Blob, Entry.Copies, Entry.Row.TransferSyntaxUid, Entry.Row.Source, Entry.Row.ReceivedAt)
{
    public override string Event => Events.InstanceRestored;

    public override bool IsBlobShared => Entry.IsBlobShared;

    public override void TakeOut(CatalogChanges changes) => changes.RemovedRejected.Add(Entry.Row);
}

/// <summary>Reads held instances from their blobs, as the store path read them when they came.</summary>
internal sealed class HeldReader(EngineOptions options, IBlobStore blobs)
{
    private const int BufferBytes = 256 * 1024;

    /// <summary>The attributes without bulk values.</summary>
    /// <exception cref="BlobNotFoundException">Its blob is gone.</exception>
    /// <exception cref="BlobStoreUnavailableException">Its blob cannot be read now.</exception>
    public async Task<DataSet> ReadHeaderAsync(HeldInstance held, CancellationToken cancellationToken)
    {
        using PushReader reader = NewReader(held);
        await FeedAsync(held, reader, cancellationToken);
        return reader.Header;
    }

    /// <summary>A candidate for the commit queue, or the refusal of the policy.</summary>
    /// <exception cref="BlobNotFoundException">Its blob is gone.</exception>
    /// <exception cref="BlobStoreUnavailableException">Its blob cannot be read now.</exception>
    public async Task<(Candidate? Candidate, StoreOutcome? Refusal)> ReadCandidateAsync(HeldInstance held, StorePolicy policy, CancellationToken cancellationToken)
    {
        using PushReader reader = NewReader(held);
        int dataSetOffset = await FeedAsync(held, reader, cancellationToken);
        var origin = new StoreOrigin
        {
            TransferSyntax = TransferSyntax.FromUid(held.TransferSyntaxUid),
            CallingAETitle = held.Source,
            Door = StoreDoor.Import,
        };
        Judgement judged = CandidateReader.Judge(reader.Header, origin, policy);
        if (judged.Refusal is { } refusal) return (null, refusal);
        var blob = new WrittenBlob(CopyOf(held).StoreKey, held.Blob.Length, dataSetOffset, held.Blob.Digest);
        return (CandidateReader.Read(judged, reader, blob, origin, policy, held.ReceivedAt) with { ReleasedFrom = held }, null);
    }

    private PushReader NewReader(HeldInstance held) => new(TransferSyntax.FromUid(held.TransferSyntaxUid), new PushReaderOptions
    {
        BulkThresholdBytes = options.BulkThresholdBytes,
        HeaderMaxBytes = options.HeaderMaxBytes,
    });

    private BlobCopyRow CopyOf(HeldInstance held) =>
        held.Copies.FirstOrDefault(c => c.Store == blobs.Name) ?? throw new BlobNotFoundException(blobs.Name, "(no copy)");

    /// <summary>Reads a blob through the reader; gives the offset of its data set.</summary>
    private async Task<int> FeedAsync(HeldInstance held, PushReader reader, CancellationToken cancellationToken)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(BufferBytes);
        try
        {
            await using Stream stream = await blobs.OpenReadAsync(CopyOf(held).StoreKey, 0, -1, cancellationToken);
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
