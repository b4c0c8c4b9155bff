using System.Buffers;
using PacsCluster.Blobs;
using PacsCluster.Catalog;
using PacsCluster.Dicom;

namespace PacsCluster.Engine;

/// <summary>One instance on its way in: one pass over the bytes, which are read into one rented buffer, parsed, digested and written from there: the memory from which a local disk takes
/// them, where the store has such. The File Meta Information goes in front as soon as the data set has said its UIDs. Disposed without commit, nothing is left.</summary>
internal sealed class Receiver : IAsyncDisposable
{
    // Room in front of the first bytes, so that File Meta Information and data set go out in one write. What does not fit is written by itself.
    private const int HeadRoomMax = 2048;

    // PS3.5 9.1.
    private const int UidLengthMax = 64;

    // Parsed as soon as it is full, while the sender goes on.
    private const int PieceBytes = 256 * 1024;

    private static readonly Tag s_sopClassUid = new(0x00080016), s_sopInstanceUid = new(0x00080018);

    private readonly CopyPlan _plan;
    private readonly PushReader _reader;
    private readonly StoreOrigin _origin;

    /// <summary>Memory of the store that the blob goes to, or of nobody in particular.</summary>
    private readonly BlobBuffer? _ofStore;
    private readonly byte[]? _pooled;
    private readonly Memory<byte> _buffer;
    private readonly int _headRoom = HeadRoomMax;

    /// <summary>As long as the request says the truth about its data set, the File Meta Information is known before the first byte, and the data set can be received where it will lie.</summary>
    private readonly byte[]? _expectedMeta;
    private readonly BlobDigest _digest;
    private BlobWriter? _blob;
    private BlobWriter? _sized;
    private long _sizedLength;
    private int _start;
    private int _end;
    private int _dataSetOffset;

    /// <summary>Up to here the buffer is in the digest.</summary>
    private int _digested;

    public Receiver(CopyPlan plan, PushReader reader, StoreOrigin origin, EngineOptions options)
    {
        (_plan, _reader, _origin, _digest) = (plan, reader, origin, new BlobDigest(options.Sha256));
        _ofStore = plan.Now.Count == 1 ? plan.Now[0].TryRentBuffer(options.ReadBufferBytes) : null;
        if (_ofStore is null) _pooled = ArrayPool<byte>.Shared.Rent(options.ReadBufferBytes);
        _buffer = (_ofStore?.Memory ?? _pooled)[..options.ReadBufferBytes];
        if (_ofStore is not null && origin is { AffectedSopClassUid: { Length: <= UidLengthMax } sopClassUid, AffectedSopInstanceUid: { Length: <= UidLengthMax } sopInstanceUid })
        {
            _expectedMeta = FileMeta(sopClassUid, sopInstanceUid);
            _headRoom = Math.Min(_expectedMeta.Length, HeadRoomMax);
        }
        _start = _end = _headRoom;
    }

    /// <summary>Reads to the end; the blob is written then, and not durable yet.</summary>
    public async Task ReceiveAsync(Stream dataSet, CancellationToken cancellationToken)
    {
        while (true)
        {
            if (_end == _buffer.Length) await SpillAsync(cancellationToken);
            Memory<byte> room = _buffer.Slice(_end, Math.Min(PieceBytes, _buffer.Length - _end));
            int filled = await FillAsync(dataSet, room, cancellationToken);
            _reader.Feed(room.Span[..filled]);
            // The parser has seen the whole header when the first piece holds it, which all but freaks do.
            if (filled < room.Length) _reader.Complete();
            if (_dataSetOffset == 0) await PutFileMetaAsync(cancellationToken);
            _end += filled;
            if (filled < room.Length) break;
            await WriteAheadAsync(cancellationToken);
            // While the disk writes, and the bytes are still in the processor's cache.
            Digest();
        }
        ReadOnlyMemory<byte> rest = _buffer[_start.._end];
        if (_blob is null && _sized is null && IsInPlace) _sized = _plan.Now[0].TryCreateSized(_sizedLength = rest.Length, _ofStore);
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
            _blob = _plan.Now.Count == 1 ? await _plan.Now[0].CreateWholeAsync(rest, cancellationToken) : await CopiesWriter.CreateWholeAsync(_plan.Now, rest, cancellationToken);
        }
        Digest();
    }

    /// <summary>Bytes of the blob so far.</summary>
    public long Length => _blob!.Length;

    /// <summary>The blob, when all of it has come.</summary>
    public BlobWriter Blob => _blob!;

    /// <summary>Begins to make the blob durable; it is when the task has ended well.</summary>
    public Task CommitAsync() => _blob!.CommitAsync(CancellationToken.None).AsTask();

    /// <summary>What was written.</summary>
    public WrittenBlob Written() => new(
        new BlobPlace(_plan.Now[0].Name, _blob!.Key),
        _blob is CopiesWriter copies ? [.. copies.Keys.Select((key, i) => new BlobPlace(_plan.Now[i].Name, key)).Skip(1)] : [],
        _plan.Later,
        _blob.Length, _dataSetOffset, _digest.End());

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        _digest.Dispose();
        if (_sized is not null && _sized != _blob) await _sized.DisposeAsync();
        if (_blob is not null) await _blob.DisposeAsync();
        ((IDisposable?)_ofStore)?.Dispose();
        if (_pooled is not null) ArrayPool<byte>.Shared.Return(_pooled);
    }

    /// <summary>What has come lies in the store's memory where it belongs.</summary>
    private bool IsInPlace => _ofStore is not null && _start == 0;

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
            if (_plan.Now.Count > 1 || _reader.NativePixelDataEnd < 0 || _origin.TransferSyntax.IsDeflated) return default;
            _sizedLength = _dataSetOffset + _reader.NativePixelDataEnd;
            if (_sizedLength < here || _sizedLength > _buffer.Length - _start) return default;
            _sized = _plan.Now[0].TryCreateSized(_sizedLength, IsInPlace ? _ofStore : null);
        }
        return _sized is null || here > _sizedLength ? default : _sized.WriteAsync(_buffer[(_start + (int)_sized.Length).._end], cancellationToken);
    }

    private byte[] FileMeta(string sopClassUid, string sopInstanceUid) => Part10.BuildFileMeta(
        _origin.TransferSyntax, sopClassUid, sopInstanceUid, _origin.CallingAETitle.Length > 0 ? _origin.CallingAETitle : null, _origin.SourceFileMeta);

    private async ValueTask PutFileMetaAsync(CancellationToken cancellationToken)
    {
        DataSet header = _reader.Header;
        string sopClassUid = UidCheck.Trim(header.GetString(s_sopClassUid)) ?? _origin.AffectedSopClassUid ?? "";
        string sopInstanceUid = UidCheck.Trim(header.GetString(s_sopInstanceUid)) ?? _origin.AffectedSopInstanceUid ?? "";
        bool isExpected = _expectedMeta is not null && sopClassUid == _origin.AffectedSopClassUid && sopInstanceUid == _origin.AffectedSopInstanceUid;
        byte[] fileMeta = isExpected ? _expectedMeta! : FileMeta(sopClassUid, sopInstanceUid);
        _dataSetOffset = fileMeta.Length;
        if (fileMeta.Length <= _headRoom)
        {
            _start = _headRoom - fileMeta.Length;
            fileMeta.CopyTo(_buffer.Span[_start..]);
            _digested = _start;
            return;
        }
        _digest.Append(fileMeta);
        _digested = _start;
        _blob = await CreateAsync(cancellationToken);
        await _blob.WriteAsync(fileMeta, cancellationToken);
    }

    private async ValueTask<BlobWriter> CreateAsync(CancellationToken cancellationToken) =>
        _plan.Now.Count == 1 ? await _plan.Now[0].CreateAsync(cancellationToken) : await CopiesWriter.CreateAsync(_plan.Now, cancellationToken);

    // The buffer is full and there may be more.
    private async ValueTask SpillAsync(CancellationToken cancellationToken)
    {
        _blob ??= await CreateAsync(cancellationToken);
        await _blob.WriteAsync(_buffer[_start.._end], cancellationToken);
        Digest();
        _start = _end = _digested = _headRoom;
    }

    private void Digest()
    {
        _digest.Append(_buffer.Span[_digested.._end]);
        _digested = _end;
    }
}
