using System.Buffers;
using PacsCluster.Blobs;
using PacsCluster.Catalog;
using PacsCluster.Dicom;

namespace PacsCluster.Engine;

/// <summary>One instance on its way in: one pass over the bytes, which are read into one rented buffer, parsed, digested and written from there.
/// The File Meta Information goes in front as soon as the data set has said its UIDs. Disposed without commit, nothing is left.</summary>
internal sealed class Receiver(CopyPlan plan, PushReader reader, StoreOrigin origin, EngineOptions options) : IAsyncDisposable
{
    // Room in front of the first bytes, so that File Meta Information and data set go out in one write. What does not fit is written by itself.
    private const int HeadRoom = 2048;

    // Parsed as soon as it is full, while the sender goes on.
    private const int PieceBytes = 256 * 1024;

    private static readonly Tag s_sopClassUid = new(0x00080016), s_sopInstanceUid = new(0x00080018);

    private readonly byte[] _buffer = ArrayPool<byte>.Shared.Rent(options.ReadBufferBytes);
    private readonly BlobDigest _digest = new(options.Sha256);
    private BlobWriter? _blob;
    private BlobWriter? _sized;
    private long _sizedLength;
    private int _start = HeadRoom;
    private int _end = HeadRoom;
    private int _dataSetOffset;

    /// <summary>Up to here the buffer is in the digest.</summary>
    private int _digested;

    /// <summary>Reads to the end; the blob is written then, and not durable yet.</summary>
    public async Task ReceiveAsync(Stream dataSet, CancellationToken cancellationToken)
    {
        while (true)
        {
            if (_end == options.ReadBufferBytes) await SpillAsync(cancellationToken);
            Memory<byte> room = _buffer.AsMemory(_end, Math.Min(PieceBytes, options.ReadBufferBytes - _end));
            int filled = await FillAsync(dataSet, room, cancellationToken);
            reader.Feed(room.Span[..filled]);
            // The parser has seen the whole header when the first piece holds it, which all but freaks do.
            if (filled < room.Length) reader.Complete();
            if (_dataSetOffset == 0) await PutFileMetaAsync(cancellationToken);
            _end += filled;
            if (filled < room.Length) break;
            await WriteAheadAsync(cancellationToken);
            // While the disk writes, and the bytes are still in the processor's cache.
            Digest();
        }
        ReadOnlyMemory<byte> rest = _buffer.AsMemory(_start.._end);
        if (_blob is not null)
        {
            await _blob.WriteAsync(rest, cancellationToken);
            _blob.BeginCommit();
        }
        else if (_sized is not null && rest.Length == _sizedLength)
        {
            _blob = _sized;
            await _blob.WriteAsync(rest[(int)_blob.Length..], cancellationToken);
            _blob.BeginCommit();
        }
        else
        {
            // All of it is here, as a CT slice is.
            _blob = plan.Now.Count == 1 ? await plan.Now[0].CreateWholeAsync(rest, cancellationToken) : await CopiesWriter.CreateWholeAsync(plan.Now, rest, cancellationToken);
        }
        Digest();
    }

    /// <summary>Bytes of the blob so far.</summary>
    public long Length => _blob!.Length;

    /// <summary>The blob, when all of it has come.</summary>
    public BlobWriter Blob => _blob!;

    /// <summary>It is not committed, and only a local disk is to be waited for.</summary>
    public bool IsFlushLeft => _blob!.IsFlushLeft;

    /// <summary>Begins to make the blob durable; it is when the task has ended well.</summary>
    public Task CommitAsync() => _blob!.CommitAsync(CancellationToken.None).AsTask();

    /// <summary>What was written.</summary>
    public WrittenBlob Written() => new(
        new BlobPlace(plan.Now[0].Name, _blob!.Key),
        _blob is CopiesWriter copies ? [.. copies.Keys.Select((key, i) => new BlobPlace(plan.Now[i].Name, key)).Skip(1)] : [],
        plan.Later,
        _blob.Length, _dataSetOffset, _digest.End());

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        ArrayPool<byte>.Shared.Return(_buffer);
        _digest.Dispose();
        if (_sized is not null && _sized != _blob) await _sized.DisposeAsync();
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

    // The disk can begin when the length can be told: as most data sets do, this one is taken to end with its pixels. Where it does not, it is written whole from the buffer.
    private ValueTask WriteAheadAsync(CancellationToken cancellationToken)
    {
        if (_blob is not null) return default;
        int here = _end - _start;
        if (_sized is null)
        {
            if (plan.Now.Count > 1 || reader.NativePixelDataEnd < 0 || origin.TransferSyntax.IsDeflated) return default;
            _sizedLength = _dataSetOffset + reader.NativePixelDataEnd;
            if (_sizedLength < here || _sizedLength > options.ReadBufferBytes - _start) return default;
            _sized = plan.Now[0].TryCreateSized(_sizedLength);
        }
        return _sized is null || here > _sizedLength ? default : _sized.WriteAsync(_buffer.AsMemory((_start + (int)_sized.Length).._end), cancellationToken);
    }

    private async ValueTask PutFileMetaAsync(CancellationToken cancellationToken)
    {
        DataSet header = reader.Header;
        string sopClassUid = UidCheck.Trim(header.GetString(s_sopClassUid)) ?? origin.AffectedSopClassUid ?? "";
        string sopInstanceUid = UidCheck.Trim(header.GetString(s_sopInstanceUid)) ?? origin.AffectedSopInstanceUid ?? "";
        byte[] fileMeta = Part10.BuildFileMeta(origin.TransferSyntax, sopClassUid, sopInstanceUid,
            origin.CallingAETitle.Length > 0 ? origin.CallingAETitle : null, origin.SourceFileMeta);
        _dataSetOffset = fileMeta.Length;
        if (fileMeta.Length <= HeadRoom)
        {
            _start = HeadRoom - fileMeta.Length;
            fileMeta.CopyTo(_buffer.AsSpan(_start));
            _digested = _start;
            return;
        }
        _digest.Append(fileMeta);
        _digested = _start;
        _blob = await CreateAsync(cancellationToken);
        await _blob.WriteAsync(fileMeta, cancellationToken);
    }

    private async ValueTask<BlobWriter> CreateAsync(CancellationToken cancellationToken) =>
        plan.Now.Count == 1 ? await plan.Now[0].CreateAsync(cancellationToken) : await CopiesWriter.CreateAsync(plan.Now, cancellationToken);

    // The buffer is full and there may be more.
    private async ValueTask SpillAsync(CancellationToken cancellationToken)
    {
        _blob ??= await CreateAsync(cancellationToken);
        await _blob.WriteAsync(_buffer.AsMemory(_start.._end), cancellationToken);
        Digest();
        _start = _end = _digested = HeadRoom;
    }

    private void Digest()
    {
        _digest.Append(_buffer.AsSpan(_digested.._end));
        _digested = _end;
    }
}
