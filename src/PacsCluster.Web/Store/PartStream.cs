namespace PacsCluster.Web;

/// <summary>The data set of one part on its way into the engine: what was read of it already, then the rest, and a signal when all of it was read, because
/// the request goes on from there while the instance is still being made durable.</summary>
internal sealed class PartStream(ReadOnlyMemory<byte> first, Stream rest) : Stream
{
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private ReadOnlyMemory<byte> _first = first;

    /// <summary>Ends when the part was read to its end, or fails with what reading it threw.</summary>
    public Task Ended => _ended.Task;

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (buffer.IsEmpty) return 0;
        if (!_first.IsEmpty)
        {
            int taken = Math.Min(buffer.Length, _first.Length);
            _first[..taken].CopyTo(buffer);
            _first = _first[taken..];
            return taken;
        }
        try
        {
            int read = await rest.ReadAsync(buffer, cancellationToken);
            if (read == 0) _ended.TrySetResult();
            return read;
        }
        catch (Exception e)
        {
            _ended.TrySetException(e);
            throw;
        }
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException("asynchronous only");

    public override void Flush() { }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}
