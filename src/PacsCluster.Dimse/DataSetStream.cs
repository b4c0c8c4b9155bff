namespace PacsCluster.Dimse;

/// <summary>The data set of the message being read, as a stream that pulls from the connection: what the socket delivers lands in the caller's
/// memory. Not to be kept after the message, not disposed by whom it is given to.</summary>
internal class DataSetStream(DimseConnection connection) : Stream
{
    public override bool CanRead => true;
    public override bool CanWrite => false;
    public override bool CanSeek => false;
    public override long Length => throw new NotSupportedException();
    public override long Position { get => connection.DataSetBytes; set => throw new NotSupportedException(); }

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        // A receive cannot be taken back without losing bytes, so a cancelled reader stops between receives.
        cancellationToken.ThrowIfCancellationRequested();
        return connection.ReadDataSetAsync(buffer);
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException("read asynchronously");
    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    public override void Flush()
    {
    }
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
    public override void SetLength(long value) => throw new NotSupportedException();
}
