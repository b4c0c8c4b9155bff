using System.Buffers;
using System.Security.Cryptography;
using PacsCluster.Blobs;
using PacsCluster.Dicom;

namespace PacsCluster.Engine;

/// <summary>One instance on its way in: one pass over the bytes, which are read into one rented buffer, parsed, digested and written from there.
/// The File Meta Information goes in front as soon as the data set has said its UIDs. Disposed without commit, nothing is left.</summary>
internal sealed class Receiver(IBlobStore blobs, PushReader reader, StoreOrigin origin, int bufferBytes) : IAsyncDisposable
{
    // Room in front of the first bytes, so that File Meta Information and data set go out in one write. What does not fit is written by itself.
    private const int HeadRoom = 2048;

    private static readonly Tag s_sopClassUid = new(0x00080016), s_sopInstanceUid = new(0x00080018);

    private readonly byte[] _buffer = ArrayPool<byte>.Shared.Rent(HeadRoom + bufferBytes);
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private BlobWriter? _blob;

    private int _dataSetOffset;

    /// <summary>Reads to the end; the blob is written then, and not durable yet.</summary>
    public async Task<WrittenBlob> ReceiveAsync(Stream dataSet, CancellationToken cancellationToken)
    {
        Memory<byte> room = _buffer.AsMemory(HeadRoom, bufferBytes);
        bool isFirst = true;
        int filled;
        do
        {
            filled = await FillAsync(dataSet, room, cancellationToken);
            if (filled == 0 && !isFirst) break;
            reader.Feed(room.Span[..filled]);
            // The parser has seen the whole header when the buffer holds it, which all but freaks do.
            if (filled < room.Length) reader.Complete();
            if (isFirst) await StartAsync(room[..filled], cancellationToken);
            else await WriteAsync(room[..filled], cancellationToken);
            isFirst = false;
            if (filled < room.Length) break;
        }
        while (true);
        if (filled == 0) reader.Complete();
        return new WrittenBlob(_blob!.Key, _blob.Length, _dataSetOffset, _hash.GetHashAndReset());
    }

    /// <summary>Makes the blob durable.</summary>
    public ValueTask CommitAsync() => _blob!.CommitAsync(CancellationToken.None);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        ArrayPool<byte>.Shared.Return(_buffer);
        _hash.Dispose();
        if (_blob is not null) await _blob.DisposeAsync();
    }

    // Senders write in PDUs of 16 KB and less: filling the buffer first makes one parse, one digest and one write of many.
    private static async ValueTask<int> FillAsync(Stream dataSet, Memory<byte> room, CancellationToken cancellationToken)
    {
        int filled = 0;
        while (filled < room.Length)
        {
            int read = await dataSet.ReadAsync(room[filled..], cancellationToken);
            if (read == 0) break;
            filled += read;
        }
        return filled;
    }

    private async ValueTask StartAsync(Memory<byte> first, CancellationToken cancellationToken)
    {
        DataSet header = reader.Header;
        string sopClassUid = UidCheck.Trim(header.GetString(s_sopClassUid)) ?? origin.AffectedSopClassUid ?? "";
        string sopInstanceUid = UidCheck.Trim(header.GetString(s_sopInstanceUid)) ?? origin.AffectedSopInstanceUid ?? "";
        byte[] fileMeta = Part10.BuildFileMeta(origin.TransferSyntax, sopClassUid, sopInstanceUid,
            origin.CallingAETitle.Length > 0 ? origin.CallingAETitle : null, origin.SourceFileMeta);
        _dataSetOffset = fileMeta.Length;
        _blob = await blobs.CreateAsync(cancellationToken);
        if (fileMeta.Length <= HeadRoom)
        {
            int start = HeadRoom - fileMeta.Length;
            fileMeta.CopyTo(_buffer.AsSpan(start));
            await WriteAsync(_buffer.AsMemory(start, fileMeta.Length + first.Length), cancellationToken);
            return;
        }
        await WriteAsync(fileMeta, cancellationToken);
        await WriteAsync(first, cancellationToken);
    }

    private ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        _hash.AppendData(bytes.Span);
        return _blob!.WriteAsync(bytes, cancellationToken);
    }
}
