namespace PacsCluster.Imaging.Transcoding;

/// <summary>A forward stream of chunks that are made as it is read. A chunk is good until the next one is asked for.
/// What goes wrong with pixels is an IOException here, as readers of streams expect, with the <see cref="ImagingException"/> inside.</summary>
internal sealed class ChunkStream(IAsyncEnumerator<ReadOnlyMemory<byte>> chunks, IAsyncDisposable source) : Stream
{
    private ReadOnlyMemory<byte> _chunk;

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        while (_chunk.IsEmpty)
        {
            try
            {
                if (!await chunks.MoveNextAsync()) return 0;
            }
            catch (ImagingException e)
            {
                throw new IOException("its pixels cannot be converted: " + e.Message, e);
            }
            _chunk = chunks.Current;
        }
        int count = Math.Min(buffer.Length, _chunk.Length);
        _chunk[..count].CopyTo(buffer);
        _chunk = _chunk[count..];
        return count;
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override async ValueTask DisposeAsync()
    {
        await chunks.DisposeAsync();
        await source.DisposeAsync();
        await base.DisposeAsync();
    }

    public override bool CanRead => true;
    public override bool CanSeek => false;
    public override bool CanWrite => false;
    public override long Length => throw new NotSupportedException();
    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }
    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException("read asynchronously");
    public override void Flush() { }
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
    public override void SetLength(long value) => throw new NotSupportedException();
    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}
