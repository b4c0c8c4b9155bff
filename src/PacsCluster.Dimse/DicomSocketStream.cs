using System.Net.Sockets;

namespace PacsCluster.Dimse;

/// <summary>A TCP socket as a stream, for both directions and both roles. Bytes go straight into the caller's memory.
/// <para>Many senders leave Nagle's algorithm on and write a message in pieces: their last piece waits for our ACK, and the kernel delays that
/// ACK by 40 ms because it hopes to put it on an answer. So TCP_QUICKACK is armed before each receive (the kernel disarms it by itself as soon
/// as we send), and TCP_NODELAY keeps our own answers from waiting.</para></summary>
internal sealed class DicomSocketStream : Stream
{
    private const int IpProtoTcp = 6;
    private const int TcpQuickAck = 12;
    private static readonly bool s_quickAck = OperatingSystem.IsLinux();
    private static readonly byte[] s_one = BitConverter.GetBytes(1);

    private readonly Socket _socket;

    public DicomSocketStream(Socket socket, int socketBufferBytes)
    {
        _socket = socket;
        socket.NoDelay = true;
        if (socketBufferBytes > 0) socket.ReceiveBufferSize = socket.SendBufferSize = socketBufferBytes;
        socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
    }

    public override bool CanRead => true;
    public override bool CanWrite => true;
    public override bool CanSeek => false;
    public override long Length => throw new NotSupportedException();
    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        ArmQuickAck();
        return _socket.ReceiveAsync(buffer, SocketFlags.None, cancellationToken);
    }

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        while (!buffer.IsEmpty)
        {
            int sent = await _socket.SendAsync(buffer, SocketFlags.None, cancellationToken);
            buffer = buffer[sent..];
        }
    }

    /// <summary>Says that we send no more; what the peer still sends can be read.</summary>
    public void ShutdownSend()
    {
        try
        {
            _socket.Shutdown(SocketShutdown.Send);
        }
        catch (SocketException)
        {
            // The peer was first.
        }
        catch (ObjectDisposedException)
        {
            // We were first.
        }
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override void Flush()
    {
    }

    public override Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException("read asynchronously");

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException("write asynchronously");

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing) _socket.Dispose();
        base.Dispose(disposing);
    }

    private void ArmQuickAck()
    {
        if (!s_quickAck) return;
        try
        {
            _socket.SetRawSocketOption(IpProtoTcp, TcpQuickAck, s_one);
        }
        catch (SocketException)
        {
            // Not TCP, or closed by now: the receive itself will say.
        }
    }
}
