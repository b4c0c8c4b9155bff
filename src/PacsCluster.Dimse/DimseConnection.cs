using System.Buffers;
using PacsCluster.Dicom;
using PacsCluster.Dicom.Network;

namespace PacsCluster.Dimse;

/// <summary>What differs between the connections of one process.</summary>
/// <param name="Id">Name for the log.</param>
/// <param name="RemoteAddress">Peer's address, for the log and for origins.</param>
/// <param name="IsRequestor">We asked for the association.</param>
/// <param name="MaxPduBytes">Largest P-DATA-TF length we announce.</param>
/// <param name="MaxAssociatePduBytes">Largest association PDU we read.</param>
/// <param name="Timeouts">Times.</param>
/// <param name="Time">Clock.</param>
internal sealed record DimseConnectionSettings(
    string Id, string RemoteAddress, bool IsRequestor, int MaxPduBytes, int MaxAssociatePduBytes, DimseTimeouts Timeouts, TimeProvider Time);

/// <summary>One message's command set and the context it came by.</summary>
internal readonly record struct DimseMessage(CommandSet Command, PresentationContext Context);

/// <summary>One association on one connection, in either role: drives <see cref="UpperLayer"/>, reads and writes DIMSE messages. One reader at a
/// time; writers queue up. It knows no service: <see cref="DimseConnectionHandler"/> serves requests, <see cref="DimseClient"/> makes them.</summary>
internal sealed partial class DimseConnection : IAsyncDisposable
{
    private readonly Stream _stream;
    private readonly DimseConnectionSettings _settings;
    private readonly UpperLayer _upperLayer;
    private readonly Lock _gate = new();
    private readonly CancellationTokenSource _readGone = new();
    private readonly CancellationTokenSource _writeGone = new();
    private readonly ITimer _watchdog;
    private long _readDeadline;
    private long _writeDeadline;
    private long _artimDeadline;
    private AssociationEnd _why = AssociationEnd.ReceiveTimeout;
    private bool _draining;
    private bool _idle;
    private bool _atMessageStart;
    private bool _disposed;

    public DimseConnection(Stream stream, DimseConnectionSettings settings)
    {
        _stream = stream;
        _settings = settings;
        _upperLayer = new UpperLayer(settings.IsRequestor);
        _in = ArrayPool<byte>.Shared.Rent(InBufferBytes);
        _out = new PdvWriter(ArrayPool<byte>.Shared.Rent(SmallOutBytes), SmallOutBytes);
        DataSet = new DataSetStream(this);
        TimeSpan period = TimeSpan.FromTicks(Math.Clamp(settings.Timeouts.Shortest.Ticks / 4, TimeSpan.TicksPerMillisecond * 10, TimeSpan.TicksPerSecond));
        _watchdog = settings.Time.CreateTimer(static state => ((DimseConnection)state!).CheckDeadlines(), this, period, period);
    }

    /// <summary>Name for the log.</summary>
    public string Id => _settings.Id;

    /// <summary>Reads may hold the association's thread: while nothing else of the association can go on.</summary>
    public bool ReadsBlock
    {
        set
        {
            if (_stream is DicomSocketStream socket) socket.ReadsBlock = value;
        }
    }

    /// <summary>Set once the association is established.</summary>
    public Association? Association { get; private set; }

    /// <summary>Where the state machine stands.</summary>
    public UpperLayerState State => _upperLayer.State;

    /// <summary>As acceptor: waits for the A-ASSOCIATE-RQ, at most ARTIM.</summary>
    public async ValueTask<AssociateRequest> ReceiveAssociateAsync()
    {
        Fire(UpperLayerEvent.Evt5);
        _artimDeadline = DeadlineIn(_settings.Timeouts.Artim);
        byte[] body = await ReadAssociatePduAsync(PduType.AssociateRequest);
        AssociateRequest request = await DecodeAsync(() => PduDecoder.ReadAssociateRequest(body));
        _artimDeadline = 0;
        return request;
    }

    /// <summary>As acceptor: accepts.</summary>
    public async ValueTask AcceptAsync(AssociateRequest request, AssociationDecision decision)
    {
        Fire(UpperLayerEvent.Evt7);
        Establish(request, decision.Accept!, decision.Contexts);
        await SendPduAsync(PduEncoder.Encode(decision.Accept!));
    }

    /// <summary>As acceptor: rejects, and waits for the peer to close.</summary>
    public async ValueTask RejectAsync(AssociateReject reject)
    {
        Fire(UpperLayerEvent.Evt8);
        await SendPduAsync(PduEncoder.Encode(reject));
        await AwaitCloseAsync(_settings.Timeouts.Artim);
    }

    /// <summary>As requestor: asks and waits for the answer.</summary>
    /// <exception cref="AssociationRejectedException">The peer rejected.</exception>
    public async ValueTask RequestAsync(AssociateRequest request)
    {
        Fire(UpperLayerEvent.Evt1);
        Fire(UpperLayerEvent.Evt2);
        _artimDeadline = DeadlineIn(_settings.Timeouts.Associate);
        await SendPduAsync(PduEncoder.Encode(request));
        byte[] body = await ReadAssociatePduAsync(PduType.AssociateAccept);
        AssociateAccept accept = await DecodeAsync(() => PduDecoder.ReadAssociateAccept(body));
        _artimDeadline = 0;
        Establish(request, accept, AssociationPolicy.Agreed(request, accept));
    }

    /// <summary>Releases in good order and waits for the answer; data that crosses is thrown away.</summary>
    public async ValueTask ReleaseAsync()
    {
        if (State != UpperLayerState.Sta6) return;
        _artimDeadline = DeadlineIn(_settings.Timeouts.Associate);
        await SendReleaseAsync();
        while (await ReadCommandAsync(_settings.Timeouts.Associate) is not null)
        {
        }
        _artimDeadline = 0;
    }

    /// <summary>Asks for release as soon as no request is being served (C-24). From any thread.</summary>
    public void Drain()
    {
        lock (_gate)
        {
            if (_draining) return;
            _draining = true;
            if (!_idle) return;
        }
        _ = ReleaseIdleAsync();
    }

    /// <summary>Sends A-ABORT if the association is open and nobody is stuck in a write. Safe in any state and from any thread.</summary>
    public async ValueTask AbortAsync(AbortSource source = AbortSource.ServiceUser, AbortReason reason = AbortReason.NotSpecified)
    {
        lock (_gate)
        {
            if (State is UpperLayerState.Sta1 or UpperLayerState.Sta2 or UpperLayerState.Sta4 or UpperLayerState.Sta13) return;
            _upperLayer.Fire(UpperLayerEvent.Evt15);
        }
        await TrySendAbortAsync(new Abort(source, reason));
    }

    /// <summary>Ends every pending and later read and write with an exception that says why. From any thread.</summary>
    public void Cut(AssociationEnd why)
    {
        lock (_gate)
        {
            if (_disposed) return;
            _why = why;
        }
        CancelQuietly(_readGone);
        CancelQuietly(_writeGone);
    }

    /// <summary>The host's patience is over (C-24): A-ABORT as far as the socket takes it at once, then <see cref="Cut"/>. From any thread.</summary>
    public void AbortAndCut()
    {
        _ = AbortAsync().AsTask();
        Cut(AssociationEnd.AbortedByUs);
    }

    /// <summary>In Sta13: throws away what comes until the peer closes, for so long and not for more than 4 MiB. Closing with unread bytes
    /// would reset the connection, and the reset can overtake what we sent last.</summary>
    public async ValueTask AwaitCloseAsync(TimeSpan wait)
    {
        (_stream as DicomSocketStream)?.ShutdownSend();
        _artimDeadline = DeadlineIn(wait);
        try
        {
            for (int discarded = 0; discarded < 4 * 1024 * 1024;)
            {
                int count = await ReceiveAsync(_in.AsMemory(0, InBufferBytes), wait);
                if (count == 0) return;
                discarded += count;
            }
        }
        catch (AssociationEndedException)
        {
            // Lost or too late: closed either way.
        }
    }

    public async ValueTask DisposeAsync()
    {
        lock (_gate)
        {
            if (_disposed) return;
            _disposed = true;
        }
        await _watchdog.DisposeAsync();
        await _stream.DisposeAsync();
        _readGone.Dispose();
        _writeGone.Dispose();
        // The buffers go back only when nobody can be inside a read or write of them any more.
        if (Volatile.Read(ref _receiving) == 0) ArrayPool<byte>.Shared.Return(_in);
        if (!_writeLock.Wait(0)) return;
        _writeFailed = _torn = true;
        ArrayPool<byte>.Shared.Return(_out.Buffer);
        _writeLock.Release();
    }

    private void Establish(AssociateRequest request, AssociateAccept accept, IReadOnlyList<PresentationContext> contexts)
    {
        Association = new Association(request, accept, contexts, _settings.IsRequestor, _settings.RemoteAddress);
        _out = new PdvWriter(_out.Buffer, PeerMaxPdu);
    }

    private int PeerMaxPdu => Association is { PeerMaxPduBytes: > 0 and < int.MaxValue } association ? (int)association.PeerMaxPduBytes : int.MaxValue;

    private async Task ReleaseIdleAsync()
    {
        try
        {
            await SendReleaseAsync(isIdle: true);
        }
        catch (AssociationEndedException)
        {
            // Whoever reads hears of it too.
        }
    }

    /// <param name="isIdle">Only while the association is still idle: a request that came in between goes first, and becoming idle after it is due again.</param>
    private async ValueTask SendReleaseAsync(bool isIdle = false)
    {
        lock (_gate)
        {
            if (State != UpperLayerState.Sta6 || (isIdle && !_idle)) return;
            _upperLayer.Fire(UpperLayerEvent.Evt11);
        }
        await SendPduAsync(PduEncoder.EncodeReleaseRequest());
    }

    private UpperLayerAction Fire(UpperLayerEvent upperLayerEvent)
    {
        lock (_gate) return _upperLayer.Fire(upperLayerEvent);
    }

    /// <summary>The peer broke the protocol: A-ABORT with the reason, and an exception to throw.</summary>
    private async ValueTask<AssociationEndedException> BreachAsync(AbortReason reason, string message)
    {
        UpperLayerAction action = Fire(UpperLayerEvent.Evt19);
        // Table 9-10 gives the abort of Sta2 the service user as source (AA-1), all others the service provider.
        await TrySendAbortAsync(action == UpperLayerAction.AA1 ? new Abort(AbortSource.ServiceUser, AbortReason.NotSpecified) : new Abort(AbortSource.ServiceProvider, reason));
        return new AssociationEndedException(AssociationEnd.ProtocolError, message);
    }

    private async ValueTask<T> DecodeAsync<T>(Func<T> decode)
    {
        try
        {
            return decode();
        }
        catch (DicomFormatException e)
        {
            // The PDU's type was fine, so the machine has moved on; what is in it is not.
            lock (_gate) _upperLayer.Fire(UpperLayerEvent.Evt15);
            await TrySendAbortAsync(new Abort(AbortSource.ServiceProvider, AbortReason.InvalidPduParameterValue));
            throw new AssociationEndedException(AssociationEnd.ProtocolError, e.Message, e);
        }
    }

    private long DeadlineIn(TimeSpan wait) =>
        wait == Timeout.InfiniteTimeSpan ? long.MaxValue : _settings.Time.GetTimestamp() + (long)(wait.TotalSeconds * _settings.Time.TimestampFrequency);

    private void CheckDeadlines()
    {
        long now = _settings.Time.GetTimestamp();
        long read = Volatile.Read(ref _readDeadline), write = Volatile.Read(ref _writeDeadline);
        if (write != 0 && now > write)
        {
            lock (_gate) _why = AssociationEnd.SendTimeout;
            CancelQuietly(_writeGone);
            CancelQuietly(_readGone);
        }
        else if (read != 0 && now > read)
        {
            lock (_gate)
            {
                if (_underWay > 0 && _atMessageStart)
                {
                    PutOffReadDeadline();
                    return;
                }
            }
            CancelQuietly(_readGone);
        }
    }

    private static void CancelQuietly(CancellationTokenSource source)
    {
        try
        {
            source.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // The connection closed while its timer was on the way.
        }
    }
}
