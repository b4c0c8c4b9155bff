using System.Net.Sockets;

namespace PacsCluster.Dimse;

/// <summary>A TCP socket as a stream, for both directions and both roles. Bytes go straight into the caller's memory.
/// <para>Many senders leave Nagle's algorithm on and write a message in pieces: their last piece waits for our ACK, and the kernel delays that
/// ACK by 40 ms because it hopes to put it on an answer. So TCP_QUICKACK is armed before each wait (the kernel disarms it by itself as soon
/// as we send), and TCP_NODELAY keeps our own answers from waiting.</para></summary>
internal sealed class DicomSocketStream : Stream
{
    private const int IpProtoTcp = 6;
    private const int TcpQuickAck = 12;
    private static readonly bool s_quickAck = OperatingSystem.IsLinux();
    private static readonly byte[] s_one = BitConverter.GetBytes(1);

    private readonly Socket _socket;
    private readonly Lock _waiting = new();
    private CancellationTokenRegistration _wake;

    public DicomSocketStream(Socket socket, int socketBufferBytes)
    {
        _socket = socket;
        socket.NoDelay = true;
        if (socketBufferBytes > 0) socket.ReceiveBufferSize = socket.SendBufferSize = socketBufferBytes;
        socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
    }

    /// <summary>On an association's thread a read waits there, in the kernel. To be false while the association has something else to do.</summary>
    public bool ReadsBlock { get; set; }

    public override bool CanRead => true;
    public override bool CanWrite => true;
    public override bool CanSeek => false;
    public override long Length => throw new NotSupportedException();
    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (ReadsBlock && AssociationThread.IsCurrent) return ValueTask.FromResult(Read(buffer.Span, cancellationToken));
        ArmQuickAck();
        return _socket.ReceiveAsync(buffer, SocketFlags.None, cancellationToken);
    }

    /// <summary>What is there is taken without a wait; else the thread sleeps until there is something.</summary>
    private int Read(Span<byte> buffer, CancellationToken cancellationToken)
    {
        if (_wake.Token != cancellationToken) WakeBy(cancellationToken);
        lock (_waiting)
        {
            while (true)
            {
                cancellationToken.ThrowIfCancellationRequested();
                int received = _socket.Receive(buffer, SocketFlags.None, out SocketError error);
                if (error == SocketError.Success)
                {
                    if (received == 0) cancellationToken.ThrowIfCancellationRequested();
                    return received;
                }
                if (error != SocketError.WouldBlock) throw new SocketException((int)error);
                ArmQuickAck();
                _socket.Poll(Timeout.InfiniteTimeSpan, SelectMode.SelectRead);
            }
        }
    }

    /// <summary>A thread in the kernel hears of a cancellation by the end of what it can receive. Registered once for many reads: the token of an
    /// association is always the same, and when it is cancelled nothing more will be read.</summary>
    private void WakeBy(CancellationToken cancellationToken)
    {
        _wake.Dispose();
        _socket.Blocking = false;
        _wake = cancellationToken.UnsafeRegister(static state => ((DicomSocketStream)state!).Shutdown(SocketShutdown.Receive), this);
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
    public void ShutdownSend() => Shutdown(SocketShutdown.Send);

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
        if (disposing)
        {
            _wake.Dispose();
            // Closed under a waiting thread, the connection would be reset, and what was sent last with it.
            Shutdown(SocketShutdown.Receive);
            lock (_waiting) _socket.Dispose();
        }
        base.Dispose(disposing);
    }

    private void Shutdown(SocketShutdown how)
    {
        try
        {
            _socket.Shutdown(how);
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
