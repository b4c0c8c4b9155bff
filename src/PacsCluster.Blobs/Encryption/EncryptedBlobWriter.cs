using System.Buffers;
using System.Security.Cryptography;

namespace PacsCluster.Blobs;

/// <summary>Encrypts chunk by chunk on the way into another store's writer. One chunk is kept back, since only the end says which one is the last.</summary>
internal sealed class EncryptedBlobWriter : BlobWriter
{
    private readonly BlobWriter _inner;
    private readonly AesGcm _cipher;
    private readonly byte[] _chunk = ArrayPool<byte>.Shared.Rent(Envelope.ChunkBytes);
    private readonly byte[] _sealed = ArrayPool<byte>.Shared.Rent(Envelope.HeaderBytes + Envelope.SealedChunkBytes);
    private byte[]? _header;
    private int _filled;
    private long _number;
    private Task? _lastChunk;
    private bool _hasFailed;
    private bool _isCommitted;
    private bool _isDisposed;

    public EncryptedBlobWriter(BlobWriter inner, KeyRing ring) : base(inner.Key)
    {
        _inner = inner;
        (_header, _cipher) = Envelope.Create(inner.Key, ring);
    }

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken ct = default)
    {
        ct.ThrowIfCancellationRequested();
        EnsureWriting();
        int length = bytes.Length;
        try
        {
            while (bytes.Length > 0)
            {
                if (_filled == Envelope.ChunkBytes) await SealAsync(isLast: false, ct);
                int taken = Math.Min(bytes.Length, Envelope.ChunkBytes - _filled);
                bytes.Span[..taken].CopyTo(_chunk.AsSpan(_filled));
                _filled += taken;
                bytes = bytes[taken..];
            }
        }
        catch
        {
            _hasFailed = true;
            throw;
        }
        Length += length;
    }

    public override void BeginCommit()
    {
        EnsureWriting();
        _lastChunk = EndAsync();
    }

    public override async ValueTask CommitAsync(CancellationToken ct = default)
    {
        ct.ThrowIfCancellationRequested();
        if (_hasFailed || _isCommitted) throw Ended();
        _isCommitted = true;
        await (_lastChunk ??= SealAsync(isLast: true, ct));
        await _inner.CommitAsync(ct);
    }

    public override async ValueTask DisposeAsync()
    {
        if (_isDisposed) return;
        _isDisposed = true;
        if (_lastChunk is not null) await _lastChunk.ContinueWith(static _ => { }, TaskScheduler.Default);
        await _inner.DisposeAsync();
        _cipher.Dispose();
        CryptographicOperations.ZeroMemory(_chunk);
        ArrayPool<byte>.Shared.Return(_chunk);
        ArrayPool<byte>.Shared.Return(_sealed);
    }

    private static InvalidOperationException Ended() => new("the blob cannot be written or committed any more");

    private void EnsureWriting()
    {
        if (_hasFailed || _isCommitted || _lastChunk is not null) throw Ended();
    }

    private async Task EndAsync()
    {
        await SealAsync(isLast: true, CancellationToken.None);
        _inner.BeginCommit();
    }

    private async Task SealAsync(bool isLast, CancellationToken ct)
    {
        // The header goes with the first chunk: one write.
        int at = 0;
        if (_header is not null)
        {
            _header.CopyTo(_sealed, 0);
            at = _header.Length;
            _header = null;
        }
        Envelope.Seal(_cipher, _number++, isLast, _chunk.AsSpan(0, _filled), _sealed.AsSpan(at));
        int length = at + _filled + Envelope.TagBytes;
        _filled = 0;
        await _inner.WriteAsync(_sealed.AsMemory(0, length), ct);
    }
}
