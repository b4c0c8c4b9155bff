namespace PacsCluster.Blobs;

/// <summary>A range of a blob as every store gives it out: read forward only, its length known. What remains for a store is how to read.</summary>
internal abstract class BlobRangeStream : Stream
{
    public sealed override bool CanRead => true;

    public sealed override bool CanSeek => false;

    public sealed override bool CanWrite => false;

    public sealed override long Position
    {
        get => Given;
        set => throw new NotSupportedException();
    }

    /// <summary>Bytes given out so far; for the one who reads to count.</summary>
    protected long Given { get; set; }

    public abstract override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default);

    public sealed override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    // On the pool, because the caller's thread may be the one that the awaited work would go on.
    public override int Read(byte[] buffer, int offset, int count) => Task.Run(() => ReadAsync(buffer, offset, count, CancellationToken.None)).GetAwaiter().GetResult();

    public sealed override void Flush() { }

    public sealed override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public sealed override void SetLength(long value) => throw new NotSupportedException();

    public sealed override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    /// <summary>How many of the bytes asked for are there to give.</summary>
    protected int Wanted(int asked) => (int)Math.Min(asked, Length - Given);
}
