using System.Buffers;
using System.Security.Cryptography;
using PacsCluster.Blobs;
using PacsCluster.Catalog;
using PacsCluster.Dicom;

namespace PacsCluster.Engine;

/// <summary>One instance on its way in: one pass over the bytes, which are read into one rented buffer, parsed, digested and written from there.
/// The File Meta Information goes in front as soon as the data set has said its UIDs. Disposed without commit, nothing is left.</summary>
internal sealed class Receiver(CopyPlan plan, PushReader reader, StoreOrigin origin, int bufferBytes) : IAsyncDisposable
{
    // Room in front of the first bytes, so that File Meta Information and data set go out in one write. What does not fit is written by itself.
    private const int HeadRoom = 2048;

    // Parsed and written as soon as it is full, while the sender goes on; all pieces that the buffer holds are digested together.
    private const int PieceBytes = 256 * 1024;

    private static readonly Tag s_sopClassUid = new(0x00080016), s_sopInstanceUid = new(0x00080018);

    private readonly byte[] _buffer = ArrayPool<byte>.Shared.Rent(bufferBytes);
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private BlobWriter? _blob;
    private int _undigested = HeadRoom;
    private int _end = HeadRoom;
    private int _dataSetOffset;

    /// <summary>Reads to the end; the blob is written then, and not durable yet.</summary>
    public async Task ReceiveAsync(Stream dataSet, CancellationToken cancellationToken)
    {
        while (true)
        {
            if (_end == bufferBytes) Digest();
            Memory<byte> room = _buffer.AsMemory(_end, Math.Min(PieceBytes, bufferBytes - _end));
            int filled = await FillAsync(dataSet, room, cancellationToken);
            reader.Feed(room.Span[..filled]);
            // The parser has seen the whole header when the first piece holds it, which all but freaks do.
            if (filled < room.Length) reader.Complete();
            if (_blob is null) await StartAsync(filled, cancellationToken);
            else await _blob.WriteAsync(room[..filled], cancellationToken);
            _end += filled;
            if (filled < room.Length) break;
        }
        // An instance that fits into the buffer, as a CT slice does, is digested while the disk writes it.
        _blob!.BeginCommit();
        Digest();
    }

    /// <summary>Bytes of the blob so far.</summary>
    public long Length => _blob!.Length;

    /// <summary>Begins to make the blob durable; it is when the task has ended well.</summary>
    public Task CommitAsync() => _blob!.CommitAsync(CancellationToken.None).AsTask();

    /// <summary>What was written.</summary>
    public WrittenBlob Written() => new(
        new BlobPlace(plan.Now[0].Name, _blob!.Key),
        _blob is CopiesWriter copies ? [.. copies.Keys.Select((key, i) => new BlobPlace(plan.Now[i].Name, key)).Skip(1)] : [],
        plan.Later,
        _blob.Length, _dataSetOffset, _hash.GetHashAndReset());

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

    private async ValueTask StartAsync(int filled, CancellationToken cancellationToken)
    {
        DataSet header = reader.Header;
        string sopClassUid = UidCheck.Trim(header.GetString(s_sopClassUid)) ?? origin.AffectedSopClassUid ?? "";
        string sopInstanceUid = UidCheck.Trim(header.GetString(s_sopInstanceUid)) ?? origin.AffectedSopInstanceUid ?? "";
        byte[] fileMeta = Part10.BuildFileMeta(origin.TransferSyntax, sopClassUid, sopInstanceUid,
            origin.CallingAETitle.Length > 0 ? origin.CallingAETitle : null, origin.SourceFileMeta);
        _dataSetOffset = fileMeta.Length;
        _blob = plan.Now.Count == 1 ? await plan.Now[0].CreateAsync(cancellationToken) : await CopiesWriter.CreateAsync(plan.Now, cancellationToken);
        if (fileMeta.Length <= HeadRoom)
        {
            _undigested = HeadRoom - fileMeta.Length;
            fileMeta.CopyTo(_buffer.AsSpan(_undigested));
        }
        else
        {
            _hash.AppendData(fileMeta);
            await _blob.WriteAsync(fileMeta, cancellationToken);
        }
        await _blob.WriteAsync(_buffer.AsMemory(_undigested, HeadRoom + filled - _undigested), cancellationToken);
    }

    private void Digest()
    {
        _hash.AppendData(_buffer.AsSpan(_undigested.._end));
        _undigested = _end = HeadRoom;
    }
}
