using System.Buffers;

namespace PacsCluster.Dimse;

/// <summary>A data set on its way out, read from its source in pieces of up to 1 MiB, the first one before anybody asks. The connection takes it
/// in PDUs of maybe 16 KB: from memory each is a copy of 1 µs, from a file it would be a read on another thread. Forward only.</summary>
internal sealed class ReadAheadStream : Stream
{
    /// <summary>Bytes of one piece; an instance that is shorter is read as a whole.</summary>
    public const int PieceBytes = 1024 * 1024;

    private readonly Stream _source;
    private readonly byte[] _piece;
    private int _start;
    private int _end;
    private bool _atEnd;
    private bool _disposed;

    /// <param name="source">Disposed with this.</param>
    /// <param name="length">In bytes when known; -1 otherwise.</param>
    public ReadAheadStream(Stream source, long length)
    {
        _source = source;
        _piece = ArrayPool<byte>.Shared.Rent(length is >= 0 and < PieceBytes ? Math.Max(1, (int)length) : PieceBytes);
    }

    /// <summary>The length in bytes if it is known by now: the source ended in the piece that was read first.</summary>
    public long? LengthIfWhole => _atEnd ? _end - _start : null;

    /// <summary>Reads the first piece.</summary>
    public async ValueTask PrepareAsync(CancellationToken cancellationToken)
    {
        _end = await _source.ReadAtLeastAsync(_piece, _piece.Length, throwOnEndOfStream: false, cancellationToken);
        _atEnd = _end < _piece.Length;
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (_start == _end && !_atEnd)
        {
            _start = 0;
            await PrepareAsync(cancellationToken);
        }
        int count = Math.Min(buffer.Length, _end - _start);
        _piece.AsSpan(_start, count).CopyTo(buffer.Span);
        _start += count;
        return count;
    }

    public override async ValueTask DisposeAsync()
    {
        if (_disposed) return;
        _disposed = true;
        ArrayPool<byte>.Shared.Return(_piece);
        await _source.DisposeAsync();
        await base.DisposeAsync();
    }

    public override bool CanRead => true;
    public override bool CanSeek => false;
    public override bool CanWrite => false;
    public override long Length => throw new NotSupportedException();
    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }
    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();
    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException("read asynchronously");
    public override void Flush()
    {
    }
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
    public override void SetLength(long value) => throw new NotSupportedException();
    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}
