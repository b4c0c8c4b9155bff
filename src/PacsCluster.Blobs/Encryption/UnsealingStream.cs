using System.Buffers;
using System.Security.Cryptography;

namespace PacsCluster.Blobs;

/// <summary>Decrypts chunk by chunk as the caller pulls; nothing is given out that was not authenticated. Owns the stream under it.</summary>
internal sealed class UnsealingStream : BlobRangeStream
{
    private readonly Stream _sealed;
    private readonly AesGcm _cipher;
    private readonly string _storeName;
    private readonly string _key;
    private readonly bool _reachesEnd;
    private readonly byte[] _chunk = ArrayPool<byte>.Shared.Rent(Envelope.SealedChunkBytes);
    private long _number;
    private long _sealedLeft;
    private int _at;
    private int _end;
    private bool _mustCheckEmpty;
    private bool _isDisposed;

    /// <summary>Reads nothing yet.</summary>
    /// <param name="sealedChunks">Stands at the first chunk.</param>
    /// <param name="cipher">Of the blob's data key; owned.</param>
    /// <param name="storeName">For faults.</param>
    /// <param name="key">For faults.</param>
    /// <param name="number">Number of the first chunk.</param>
    /// <param name="sealedLength">Bytes of the chunks to read.</param>
    /// <param name="reachesEnd">The last of these chunks is the blob's last.</param>
    /// <param name="skip">Bytes of the first chunk to leave out.</param>
    /// <param name="length">Bytes wanted; -1 for all.</param>
    /// <exception cref="BlobTamperedException">No blob ends so.</exception>
    public UnsealingStream(Stream sealedChunks, AesGcm cipher, string storeName, string key, long number, long sealedLength, bool reachesEnd, int skip, long length)
    {
        (_sealed, _cipher, _storeName, _key, _number, _sealedLeft, _reachesEnd, _at) = (sealedChunks, cipher, storeName, key, number, sealedLength, reachesEnd, skip);
        // Behind the first chunk there may be nothing: the range begins past the end.
        long plain = sealedLength <= 0 && number > 0 ? 0 : Envelope.PlainLength(sealedLength + Envelope.HeaderBytes);
        if (plain < 0) throw new BlobTamperedException(storeName, key, "it was cut");
        long available = Math.Max(0, plain - skip);
        Length = length < 0 ? available : Math.Min(length, available);
        // An empty blob has one chunk too, which must be as it was written.
        _mustCheckEmpty = plain == 0 && number == 0;
    }

    public override long Length { get; }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (_mustCheckEmpty)
        {
            await NextAsync(cancellationToken);
            _mustCheckEmpty = false;
        }
        int wanted = Wanted(buffer.Length);
        if (wanted == 0) return 0;
        if (_end == 0 || _at >= _end) await NextAsync(cancellationToken);
        int taken = Math.Min(wanted, _end - _at);
        _chunk.AsSpan(_at, taken).CopyTo(buffer.Span);
        _at += taken;
        Given += taken;
        return taken;
    }

    public override async ValueTask DisposeAsync()
    {
        await _sealed.DisposeAsync();
        await base.DisposeAsync();
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing && !_isDisposed)
        {
            _isDisposed = true;
            _sealed.Dispose();
            _cipher.Dispose();
            CryptographicOperations.ZeroMemory(_chunk);
            ArrayPool<byte>.Shared.Return(_chunk);
        }
        base.Dispose(disposing);
    }

    private async ValueTask NextAsync(CancellationToken ct)
    {
        if (_end > 0) _at = 0;
        int length = (int)Math.Min(Envelope.SealedChunkBytes, _sealedLeft);
        int read = await _sealed.ReadAtLeastAsync(_chunk.AsMemory(0, length), length, throwOnEndOfStream: false, ct);
        if (read < length) throw new BlobTamperedException(_storeName, _key, "it was cut");
        _sealedLeft -= length;
        try
        {
            Envelope.Unseal(_cipher, _number, _reachesEnd && _sealedLeft == 0, _chunk.AsSpan(0, length));
        }
        catch (AuthenticationTagMismatchException e)
        {
            throw new BlobTamperedException(_storeName, _key, $"chunk {_number} was changed, or the blob was cut or extended", e);
        }
        _number++;
        _end = length - Envelope.TagBytes;
    }
}
