using System.Net;
using System.Net.Sockets;
using PacsCluster.Dicom.Network;

namespace PacsCluster.Dimse;

/// <summary>Where a peer is.</summary>
/// <param name="AETitle">Called AE title.</param>
/// <param name="Host">Host name or IP address.</param>
/// <param name="Port">TCP port.</param>
public sealed record DimsePeer(string AETitle, string Host, int Port);

/// <summary>How we ask for an association.</summary>
public sealed record DimseClientOptions
{
    /// <summary>Calling AE title. Default PACSCLUSTER.</summary>
    public string CallingAETitle { get; init; } = "PACSCLUSTER";
    /// <summary>Largest P-DATA-TF length we announce, in bytes. Default 131,072.</summary>
    public int MaxPduBytes { get; init; } = 128 * 1024;
    /// <summary>Socket buffers in bytes; 0 leaves them to the kernel. Default 0.</summary>
    public int SocketBufferBytes { get; init; }
    /// <summary>Times.</summary>
    public DimseTimeouts Timeouts { get; init; } = new();
    /// <summary>Role selections to propose. Default none.</summary>
    public IReadOnlyList<RoleSelection> Roles { get; init; } = [];
    /// <summary>Extended negotiations to propose. Default none.</summary>
    public IReadOnlyList<ExtendedNegotiation> Extended { get; init; } = [];
    /// <summary>Common extended negotiations to propose. Default none.</summary>
    public IReadOnlyList<CommonExtendedNegotiation> CommonExtended { get; init; } = [];
    /// <summary>Asynchronous operations window to propose; null proposes none. This client invokes one operation at a time in any case.</summary>
    public AsyncWindow? Window { get; init; }
    /// <summary>User identity; null sends none.</summary>
    public UserIdentity? Identity { get; init; }
    /// <summary>Clock.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>As this application entity asks for associations.</summary>
    public static DimseClientOptions From(DimseOptions options, string? callingAETitle = null) => new()
    {
        CallingAETitle = callingAETitle ?? options.AETitle,
        MaxPduBytes = options.MaxPduBytes,
        SocketBufferBytes = options.SocketBufferBytes,
        Timeouts = options.Timeouts,
    };
}

/// <summary>An association that we asked for, as Service Class User. One operation at a time; a caller that wants several at once opens several
/// associations. Every member throws <see cref="AssociationEndedException"/> when the association ends under way; after that, or after a
/// cancelled operation, it cannot be used again. Disposing it releases it if it is still open.</summary>
public sealed partial class DimseClient : IAsyncDisposable
{
    private static long s_last;
    private readonly DimseConnection _connection;
    private readonly DimseClientOptions _options;
    private ushort _messageId;

    private DimseClient(DimseConnection connection, DimseClientOptions options)
    {
        _connection = connection;
        _options = options;
    }

    /// <summary>What was agreed on.</summary>
    public Association Association => _connection.Association!;

    /// <summary>Still open as far as we know.</summary>
    public bool IsOpen => _connection.State == UpperLayerState.Sta6;

    /// <summary>Connects and negotiates.</summary>
    /// <param name="peer">Whom.</param>
    /// <param name="contexts">1 to 128 presentation contexts; see <see cref="ContextPlan"/>.</param>
    /// <param name="options">How.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="AssociationRejectedException">The peer rejected.</exception>
    /// <exception cref="AssociationEndedException">No connection, or no answer in time.</exception>
    public static async Task<DimseClient> ConnectAsync(DimsePeer peer, IReadOnlyList<ProposedContext> contexts, DimseClientOptions options, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfZero(contexts.Count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(contexts.Count, 128);
        Socket socket = await ConnectSocketAsync(peer, options, cancellationToken);
        var settings = new DimseConnectionSettings(
            $"U{Interlocked.Increment(ref s_last):X}", peer.Host, IsRequestor: true, options.MaxPduBytes, 1024 * 1024, options.Timeouts, options.Time);
        var connection = new DimseConnection(new DicomSocketStream(socket, options.SocketBufferBytes), settings);
        var client = new DimseClient(connection, options);
        try
        {
            var request = new AssociateRequest
            {
                CalledAETitle = peer.AETitle,
                CallingAETitle = options.CallingAETitle,
                Contexts = contexts,
                User = new UserInformation
                {
                    MaxPduLength = (uint)options.MaxPduBytes,
                    AsyncWindow = options.Window,
                    Roles = options.Roles,
                    Extended = options.Extended,
                    CommonExtended = options.CommonExtended,
                    Identity = options.Identity,
                },
            };
            await client.GuardAsync(async () =>
            {
                await connection.RequestAsync(request);
                return 0;
            }, cancellationToken);
            return client;
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    /// <summary>The accepted context for instances of a SOP class in a transfer syntax as stored; else one that the instance could be converted to
    /// without a codec; null when the peer accepted neither.</summary>
    /// <param name="sopClassUid">SOP class.</param>
    /// <param name="transferSyntaxUid">As stored.</param>
    public PresentationContext? FindContext(string sopClassUid, string transferSyntaxUid)
    {
        PresentationContext? other = null;
        foreach (PresentationContext context in Association.Contexts)
        {
            if (!context.RequestorIsScu || context.AbstractSyntax != sopClassUid) continue;
            if (context.TransferSyntax.Uid == transferSyntaxUid) return context;
            if (!context.TransferSyntax.IsEncapsulated) other ??= context;
        }
        return other;
    }

    /// <summary>Any accepted context of a SOP class; null when there is none.</summary>
    public PresentationContext? FindContext(string sopClassUid) =>
        Association.Contexts.FirstOrDefault(context => context.RequestorIsScu && context.AbstractSyntax == sopClassUid);

    /// <summary>Releases the association in good order.</summary>
    public Task ReleaseAsync(CancellationToken cancellationToken) => GuardAsync(async () =>
    {
        await _connection.ReleaseAsync();
        return 0;
    }, cancellationToken);

    /// <summary>Sends A-ABORT.</summary>
    public async Task AbortAsync()
    {
        await _connection.AbortAsync();
        await _connection.AwaitCloseAsync(TimeSpan.FromSeconds(1));
    }

    /// <summary>Releases if still open, then closes.</summary>
    public async ValueTask DisposeAsync()
    {
        try
        {
            if (IsOpen) await _connection.ReleaseAsync();
        }
        catch (AssociationEndedException)
        {
            // Closed either way.
        }
        await _connection.DisposeAsync();
    }

    private static async Task<Socket> ConnectSocketAsync(DimsePeer peer, DimseClientOptions options, CancellationToken cancellationToken)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(options.Timeouts.Connect);
        try
        {
            await socket.ConnectAsync(new DnsEndPoint(peer.Host, peer.Port), limit.Token);
            return socket;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            socket.Dispose();
            throw new AssociationEndedException(AssociationEnd.NotConnected, $"{peer.Host}:{peer.Port} did not answer in {options.Timeouts.Connect.TotalSeconds:0.#} s");
        }
        catch (SocketException e)
        {
            socket.Dispose();
            throw new AssociationEndedException(AssociationEnd.NotConnected, $"{peer.Host}:{peer.Port}: {e.Message}", e);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private ushort NextMessageId()
    {
        _messageId++;
        return _messageId == 0 ? ++_messageId : _messageId;
    }

    /// <summary>Runs an operation: cancellation cuts the connection, time-outs and breaches abort the association before the exception goes on.</summary>
    private async Task<T> GuardAsync<T>(Func<Task<T>> operation, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        await using CancellationTokenRegistration cut = cancellationToken.UnsafeRegister(
            static state => ((DimseConnection)state!).Cut(AssociationEnd.AbortedByUs), _connection);
        try
        {
            return await operation();
        }
        catch (AssociationEndedException e)
        {
            if (e.End is AssociationEnd.ReceiveTimeout or AssociationEnd.ReleasedByPeer) await _connection.AbortAsync();
            await _connection.DisposeAsync();
            cancellationToken.ThrowIfCancellationRequested();
            throw;
        }
        catch (AssociationRejectedException)
        {
            throw;
        }
        catch
        {
            // The source of a data set failed in the middle of a message, or a caller's callback did: the peer cannot go on from there.
            await _connection.AbortAsync();
            await _connection.DisposeAsync();
            throw;
        }
    }

    private async ValueTask<DimseMessage> ReadResponseAsync() =>
        await _connection.ReadCommandAsync(_options.Timeouts.Response)
        ?? throw new AssociationEndedException(AssociationEnd.ReleasedByPeer, "the peer released the association while a response was due");
}
