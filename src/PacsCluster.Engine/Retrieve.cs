using System.Buffers;
using PacsCluster.Blobs;
using PacsCluster.Catalog;
using PacsCluster.Dicom;
using PacsCluster.Imaging;
using PacsCluster.Imaging.Transcoding;

namespace PacsCluster.Engine;

/// <summary>Gives instances back: as they were stored, or in another transfer syntax. Thread-safe.</summary>
public sealed class Retrieve
{
    // Little endian before big, since its pixels need no swapping; explicit before implicit, which loses the VRs of private elements.
    private readonly TransferSyntax[] _preferred =
    [
        TransferSyntax.ExplicitVRLittleEndian, TransferSyntax.ImplicitVRLittleEndian,
        TransferSyntax.DeflatedExplicitVRLittleEndian, TransferSyntax.ExplicitVRBigEndian,
        // Lossless ones after these, since they have to be encoded: the fastest that is small first.
        TransferSyntax.FromUid(Uids.JPEGLSLossless), TransferSyntax.FromUid(Uids.JPEG2000Lossless), TransferSyntax.FromUid(Uids.RLELossless),
        TransferSyntax.FromUid(Uids.HTJ2KLossless),
    ];

    private readonly BlobStores _stores;

    private readonly FrameCodecs _codecs;

    internal Retrieve(BlobStores stores, FrameCodecs codecs)
    {
        _stores = stores;
        _codecs = codecs;
    }

    /// <summary>Whether an instance can be given in another transfer syntax than it is stored in. Nothing lossy is made from what is lossy already.</summary>
    public static bool CanConvert(TransferSyntax stored, TransferSyntax target) => DataSetTranscoder.CanConvert(stored, target) || InstanceTranscoder.CanTranscode(stored, target);

    /// <summary>Chooses the transfer syntax to send an instance in: as stored where that is accepted; else the first that is accepted
    /// of Explicit VR Little Endian, Implicit VR Little Endian, Deflated, Explicit VR Big Endian, lossless JPEG-LS, lossless JPEG 2000, RLE and lossless HTJ2K, if the pixels
    /// can be decoded. Never one that loses anything.</summary>
    /// <param name="instance">The instance.</param>
    /// <param name="accepted">What the receiver takes, in any order; empty for nothing.</param>
    /// <returns>Null when the instance cannot be sent in any of them.</returns>
    public TransferSyntax? Choose(InstanceLocation instance, IReadOnlyCollection<TransferSyntax> accepted)
    {
        ArgumentNullException.ThrowIfNull(instance);
        ArgumentNullException.ThrowIfNull(accepted);
        foreach (TransferSyntax one in accepted)
        {
            if (one.Uid == instance.TransferSyntaxUid) return one;
        }
        TransferSyntax stored = TransferSyntax.FromUid(instance.TransferSyntaxUid);
        return Array.Find(_preferred, one => accepted.Contains(one) && CanConvert(stored, one));
    }

    /// <summary>Opens an instance's data set for one forward read.</summary>
    /// <param name="instance">The instance.</param>
    /// <param name="target">As stored, or one that <see cref="CanConvert"/> allows; a lossy one only when that was asked for.</param>
    /// <param name="cancellationToken">Cancels the opening, and a transcoding while it is read.</param>
    /// <exception cref="InstanceUnavailableException">Its blob is missing or cannot be read now; or its pixels cannot be converted, with the
    /// <see cref="ImagingException"/> inside.</exception>
    /// <exception cref="NotSupportedException">No conversion to <paramref name="target"/>.</exception>
    public async ValueTask<RetrievedInstance> OpenAsync(InstanceLocation instance, TransferSyntax target, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(instance);
        ArgumentNullException.ThrowIfNull(target);
        TransferSyntax stored = TransferSyntax.FromUid(instance.TransferSyntaxUid);
        if (!CanConvert(stored, target)) throw new NotSupportedException($"no conversion from {stored.Uid} to {target.Uid}");
        long length = instance.Length - instance.DataSetOffset;
        Stream dataSet = await OpenRangeAsync(instance, 0, length, cancellationToken);
        if (stored.Uid == target.Uid) return new RetrievedInstance(instance, stored, dataSet, length);
        if (DataSetTranscoder.CanConvert(stored, target)) return new RetrievedInstance(instance, target, DataSetTranscoder.Convert(dataSet, stored, target), null);
        try
        {
            return new RetrievedInstance(instance, target, await InstanceTranscoder.OpenAsync(dataSet, stored, target, _codecs, cancellationToken: cancellationToken), null);
        }
        catch (ImagingException e)
        {
            throw new InstanceUnavailableException("its pixels cannot be converted: " + e.Message, isMissing: false, e);
        }
    }

    /// <summary>Opens an instance for reading its frames and values one by one. Nothing is read unless the data set has to be converted for it
    /// (big endian, deflated) or its row was written before rows said where values lie: then it is walked through once.</summary>
    /// <param name="instance">The instance.</param>
    /// <param name="header">Its header row.</param>
    /// <param name="cancellationToken">Cancels.</param>
    /// <exception cref="InstanceUnavailableException">Its blob is missing or cannot be read now.</exception>
    public async ValueTask<InstanceContent> OpenContentAsync(InstanceLocation instance, HeaderRow header, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(instance);
        ArgumentNullException.ThrowIfNull(header);
        var bytes = new DataSetBytes(this, instance);
        InstanceLayout layout = InstanceLayout.Unpack(header.Frames.Span);
        bool isUnknown = instance.PixelDataOffset >= 0 && layout.Bulk.Count == 0;
        if (isUnknown || (layout.Bulk.Count > 0 && DataSetBytes.NeedsConversion(instance))) layout = await FindLayoutAsync(instance, cancellationToken);
        return new InstanceContent(instance, header.ToDataSet(instance.TransferSyntaxUid), layout, bytes);
    }

    private async ValueTask<InstanceLayout> FindLayoutAsync(InstanceLocation instance, CancellationToken cancellationToken)
    {
        TransferSyntax target = DataSetBytes.NeedsConversion(instance) ? TransferSyntax.ExplicitVRLittleEndian : TransferSyntax.FromUid(instance.TransferSyntaxUid);
        await using RetrievedInstance whole = await OpenAsync(instance, target, cancellationToken);
        using var reader = new PushReader(target);
        byte[] buffer = ArrayPool<byte>.Shared.Rent(256 * 1024);
        try
        {
            for (int read; (read = await whole.DataSet.ReadAsync(buffer, cancellationToken)) > 0;) reader.Feed(buffer.AsSpan(0, read));
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
        reader.Complete();
        return new InstanceLayout(target.IsEncapsulated ? reader.Frames : [], reader.Bulk);
    }

    /// <summary>Opens a range of a data set as stored.</summary>
    /// <exception cref="InstanceUnavailableException">Its blob is missing or cannot be read now.</exception>
    internal ValueTask<Stream> OpenRangeAsync(InstanceLocation instance, long offset, long length, CancellationToken cancellationToken) =>
        OpenFileAsync(instance, instance.DataSetOffset + offset, length, cancellationToken);

    /// <summary>Opens a range of an instance's PS3.10 file as stored, for one forward read.</summary>
    /// <param name="instance">The instance.</param>
    /// <param name="offset">First byte, from the start of the file.</param>
    /// <param name="length">Bytes; offset and length lie within the file's <see cref="InstanceLocation.Length"/>.</param>
    /// <param name="cancellationToken">Cancels the opening.</param>
    /// <exception cref="InstanceUnavailableException">Its blob is missing or cannot be read now.</exception>
    public async ValueTask<Stream> OpenFileAsync(InstanceLocation instance, long offset, long length, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(instance);
        try
        {
            return await _stores.OpenReadAsync(instance.Place, instance.MoreCopies, instance.Offset + offset, length, cancellationToken);
        }
        catch (BlobNotFoundException e)
        {
            throw new InstanceUnavailableException("its blob is missing: run verify", isMissing: true, e);
        }
        catch (BlobStoreUnavailableException e)
        {
            throw new InstanceUnavailableException("the blob store cannot be read now", isMissing: false, e);
        }
    }
}

/// <summary>The catalog knows an instance whose bytes cannot be had, or not in the transfer syntax that was asked for. Doors do not know blob stores, so this is
/// what they catch.</summary>
public sealed class InstanceUnavailableException : IOException
{
    /// <summary>Made by <see cref="Retrieve"/>.</summary>
    public InstanceUnavailableException(string what, bool isMissing, Exception inner) : base(what, inner) => IsMissing = isMissing;

    /// <summary>True: the store has no such blob, an alarm. False: trying again later may help.</summary>
    public bool IsMissing { get; }
}

/// <summary>An instance on its way out. Disposing closes the stream.</summary>
/// <param name="Location">What was asked for.</param>
/// <param name="TransferSyntax">Encoding of <paramref name="DataSet"/>.</param>
/// <param name="DataSet">The data set's bytes, without File Meta Information; forward only. When it is converted on the way, reading throws
/// <see cref="DicomFormatException"/> where the stored bytes break off (nothing like that is ever taken in), and IOException at a frame behind the first
/// that cannot be converted.</param>
/// <param name="Length">Bytes of it when known: always when it goes out as stored.</param>
public sealed record RetrievedInstance(InstanceLocation Location, TransferSyntax TransferSyntax, Stream DataSet, long? Length) : IAsyncDisposable
{
    /// <inheritdoc/>
    public ValueTask DisposeAsync() => DataSet.DisposeAsync();
}
