using System.IO.Pipelines;
using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http.Features;

namespace PacsCluster.Dimse;

/// <summary>An address that speaks DICOM. A type of its own, so that Kestrel gives it to <see cref="DicomTransportFactory"/> and web addresses to
/// its own socket transport.</summary>
public sealed class DicomEndPoint(IPEndPoint address) : EndPoint
{
    /// <summary>IP address and port.</summary>
    public IPEndPoint Address { get; } = address;

    /// <inheritdoc/>
    public override AddressFamily AddressFamily => Address.AddressFamily;

    /// <inheritdoc/>
    public override string ToString() => $"dicom://{Address}";
}

/// <summary>Kestrel transport for <see cref="DicomEndPoint"/>: sockets without pipes in between, acknowledging at once (see <see cref="DicomSocketStream"/>).</summary>
internal sealed class DicomTransportFactory(DimseOptions options) : IConnectionListenerFactory, IConnectionListenerFactorySelector
{
    public bool CanBind(EndPoint endpoint) => endpoint is DicomEndPoint;

    public ValueTask<IConnectionListener> BindAsync(EndPoint endpoint, CancellationToken cancellationToken = default)
    {
        var dicom = (DicomEndPoint)endpoint;
        var listener = new Socket(dicom.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            if (dicom.Address.Address.Equals(IPAddress.IPv6Any)) listener.DualMode = true;
            listener.Bind(dicom.Address);
            listener.Listen(512);
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.AddressAlreadyInUse)
        {
            listener.Dispose();
            throw new AddressInUseException(e.Message, e);
        }
        catch
        {
            listener.Dispose();
            throw;
        }
        return ValueTask.FromResult<IConnectionListener>(new DicomListener(listener, options.SocketBufferBytes));
    }
}

internal sealed class DicomListener(Socket listener, int socketBufferBytes) : IConnectionListener
{
    private readonly DicomEndPoint _bound = new((IPEndPoint)listener.LocalEndPoint!);

    public EndPoint EndPoint => _bound;

    public async ValueTask<ConnectionContext?> AcceptAsync(CancellationToken cancellationToken = default)
    {
        while (true)
        {
            Socket socket;
            try
            {
                socket = await listener.AcceptAsync(cancellationToken);
            }
            catch (ObjectDisposedException)
            {
                return null;
            }
            catch (SocketException e) when (e.SocketErrorCode == SocketError.OperationAborted)
            {
                return null;
            }
            catch (SocketException)
            {
                // The connection was reset while it waited in the backlog; the next one is as good.
                continue;
            }
            try
            {
                return new DicomSocketConnection(socket, socketBufferBytes);
            }
            catch (SocketException)
            {
                socket.Dispose();
            }
        }
    }

    public ValueTask UnbindAsync(CancellationToken cancellationToken = default)
    {
        listener.Dispose();
        return default;
    }

    public ValueTask DisposeAsync()
    {
        listener.Dispose();
        return default;
    }
}

/// <summary>One accepted connection as Kestrel knows it. <see cref="Transport"/> makes its pipes only when a middleware (TLS) asks for them;
/// <see cref="DimseConnectionHandler"/> reads the stream itself when nothing stands in between.</summary>
internal sealed class DicomSocketConnection : ConnectionContext
{
    private readonly CancellationTokenSource _closed = new();
    private IDuplexPipe? _transport;

    public DicomSocketConnection(Socket socket, int socketBufferBytes)
    {
        Stream = new DicomSocketStream(socket, socketBufferBytes);
        ConnectionId = $"D{Interlocked.Increment(ref s_last):X}";
        LocalEndPoint = socket.LocalEndPoint;
        RemoteEndPoint = socket.RemoteEndPoint;
        ConnectionClosed = _closed.Token;
        Features.Set(this);
    }

    private static long s_last;

    public DicomSocketStream Stream { get; }

    public override string ConnectionId { get; set; }

    public override IFeatureCollection Features { get; } = new FeatureCollection();

    public override IDictionary<object, object?> Items { get; set; } = new ConnectionItems();

    public override IDuplexPipe Transport
    {
        get => _transport ??= new SocketDuplexPipe(Stream);
        set => _transport = value;
    }

    /// <summary>Nobody asked for pipes, or put others in their place: the stream is free to be read.</summary>
    public bool IsBare => _transport is null;

    /// <summary>Closes the connection; pending reads and writes fail. The handler hears of it first and sends its A-ABORT.</summary>
    public override void Abort(ConnectionAbortedException abortReason)
    {
        try
        {
            _closed.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // It has ended by itself.
        }
        Stream.Dispose();
    }

    public override async ValueTask DisposeAsync()
    {
        Stream.Dispose();
        await _closed.CancelAsync();
        _closed.Dispose();
        await base.DisposeAsync();
    }

    private sealed class SocketDuplexPipe(DicomSocketStream stream) : IDuplexPipe
    {
        public PipeReader Input { get; } = PipeReader.Create(stream, new StreamPipeReaderOptions(bufferSize: 64 * 1024, leaveOpen: true));
        public PipeWriter Output { get; } = PipeWriter.Create(stream, new StreamPipeWriterOptions(minimumBufferSize: 64 * 1024, leaveOpen: true));
    }
}
