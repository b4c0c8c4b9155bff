using System.Buffers;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using PacsCluster.Dicom;
using PacsCluster.Dicom.Network;

namespace PacsCluster.Dimse;

internal sealed partial class DimseConnection
{
    /// <summary>One receive of small PDUs takes in what is there up to this; longer fragments go past it straight into the reader's memory.</summary>
    private const int InBufferBytes = 64 * 1024;

    /// <summary>From this many bytes on, wanted and outstanding, a receive goes past our buffer.</summary>
    private const int DirectBytes = 4 * 1024;

    /// <summary>A sender whose fragments are this long is read header by header, so that nearly all of its bytes are copied by the kernel only:
    /// one more system call (about 1 µs) against copying up to 64 KiB (about 6 µs).</summary>
    private const int LongFragmentBytes = 64 * 1024;

    private const int MaxCommandBytes = 64 * 1024;

    private readonly byte[] _in;
    private int _inStart;
    private int _inEnd;
    private int _receiving;
    private uint _pduLeft;
    private int _pdvLeft;
    private PdvHeader _pdv;
    private byte _dataSetContextId;
    private bool _inDataSet;

    /// <summary>The data set that follows the command set read last; ends where that data set ends. One object for the whole association.</summary>
    public DataSetStream DataSet { get; }

    /// <summary>Bytes of the current data set that came so far.</summary>
    public long DataSetBytes { get; private set; }

    /// <summary>The first bytes of a connection that turned out not to be DICOM, for the log.</summary>
    public ReadOnlySpan<byte> FirstBytes => _in.AsSpan(0, Math.Min(_inEnd, 16));

    /// <summary>Reads the next command set; first to its end the data set that the one before had, if its reader left some of it.</summary>
    /// <param name="wait">For the first byte; within the message the receive time-out holds.</param>
    /// <returns>Null when the association was released instead (in good order, the answer is sent).</returns>
    /// <exception cref="AssociationEndedException">It ended otherwise.</exception>
    public async ValueTask<DimseMessage?> ReadCommandAsync(TimeSpan wait)
    {
        if (_inDataSet) await DrainDataSetAsync();
        byte[]? collected = null;
        int length = 0;
        byte contextId = 0;
        bool first = true;
        while (true)
        {
            if (!await NextPdvAsync(first ? wait : _settings.Timeouts.Receive, first)) return null;
            if (!_pdv.IsCommand) throw await BreachAsync(AbortReason.UnexpectedPduParameter, "a data set fragment where a command set was due");
            if (first) contextId = _pdv.ContextId;
            else if (contextId != _pdv.ContextId) throw await BreachAsync(AbortReason.UnexpectedPduParameter, "fragments of two messages interleaved");
            first = false;
            if (length + _pdvLeft > MaxCommandBytes) throw await BreachAsync(AbortReason.InvalidPduParameterValue, "a command set longer than 64 KiB");
            if (_pdv.IsLast && collected is null && _pdvLeft <= InBufferBytes)
            {
                // The usual case: a command set in one fragment, read where it lies.
                await FillAsync(_pdvLeft, _settings.Timeouts.Receive);
                int start = _inStart, count = _pdvLeft;
                Consume(count);
                return await ParseCommandAsync(_in, start, count, contextId);
            }
            collected ??= new byte[MaxCommandBytes];
            while (_pdvLeft > 0) length += await ReadFragmentAsync(collected.AsMemory(length));
            if (_pdv.IsLast) return await ParseCommandAsync(collected, 0, length, contextId);
        }
    }

    /// <summary>Reads the next bytes of the data set, as many as came together; 0 at its end.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<int> ReadDataSetAsync(Memory<byte> destination)
    {
        while (_inDataSet)
        {
            if (_pdvLeft > 0)
            {
                if (destination.IsEmpty) return 0;
                int count = await ReadFragmentAsync(destination);
                if (_pdvLeft == 0 && _pdv.IsLast) _inDataSet = false;
                DataSetBytes += count;
                return count;
            }
            await NextPdvAsync(_settings.Timeouts.Receive, atMessageStart: false);
            if (_pdv.IsCommand || _pdv.ContextId != _dataSetContextId)
            {
                throw await BreachAsync(AbortReason.UnexpectedPduParameter, "another message's fragment inside a data set");
            }
            if (_pdvLeft == 0 && _pdv.IsLast) _inDataSet = false;
        }
        return 0;
    }

    /// <summary>Reads the rest of the data set and forgets it.</summary>
    public async ValueTask DrainDataSetAsync()
    {
        if (!_inDataSet) return;
        byte[] buffer = ArrayPool<byte>.Shared.Rent(32 * 1024);
        while (await ReadDataSetAsync(buffer) > 0)
        {
        }
        ArrayPool<byte>.Shared.Return(buffer);
    }

    /// <summary>Reads the whole data set; null when it is longer than <paramref name="maxBytes"/>, and then it is read to its end and forgotten.</summary>
    public async ValueTask<ReadOnlyMemory<byte>?> ReadDataSetAsync(int maxBytes)
    {
        byte[] bytes = new byte[Math.Min(maxBytes + 1, 4096)];
        int length = 0;
        while (true)
        {
            int count = await ReadDataSetAsync(bytes.AsMemory(length));
            length += count;
            if (count == 0) return bytes.AsMemory(0, length);
            if (length > maxBytes)
            {
                await DrainDataSetAsync();
                return null;
            }
            if (length == bytes.Length) Array.Resize(ref bytes, Math.Min(maxBytes + 1, length * 2));
        }
    }

    private async ValueTask<DimseMessage?> ParseCommandAsync(byte[] bytes, int start, int count, byte contextId)
    {
        CommandSet command;
        try
        {
            command = CommandSet.Read(bytes.AsSpan(start, count));
        }
        catch (DicomFormatException e)
        {
            throw await BreachAsync(AbortReason.InvalidPduParameterValue, e.Message);
        }
        PresentationContext? context = Association!.Find(contextId);
        if (context is null) throw await BreachAsync(AbortReason.InvalidPduParameterValue, "a presentation context that was not accepted");
        _inDataSet = command.HasDataSet;
        _dataSetContextId = contextId;
        DataSetBytes = 0;
        return new DimseMessage(command, context);
    }

    /// <summary>Reads on to the next fragment's header. False: released (only where a message may start).</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<bool> NextPdvAsync(TimeSpan wait, bool atMessageStart)
    {
        while (_pduLeft == 0)
        {
            if (!await NextDataPduAsync(wait, atMessageStart)) return false;
        }
        if (_pduLeft < PdvHeader.Size) throw await BreachAsync(AbortReason.InvalidPduParameterValue, "a PDU ends inside the header of a presentation data value");
        await FillAsync(PdvHeader.Size, _settings.Timeouts.Receive);
        PdvHeader pdv;
        try
        {
            pdv = PdvHeader.Read(_in.AsSpan(_inStart), _pduLeft);
        }
        catch (DicomFormatException e)
        {
            throw await BreachAsync(AbortReason.InvalidPduParameterValue, e.Message);
        }
        _inStart += PdvHeader.Size;
        _pduLeft -= PdvHeader.Size;
        _pdv = pdv;
        _pdvLeft = pdv.Length;
        return true;
    }

    /// <summary>Takes PDUs until one is P-DATA-TF; carries out what table 9-10 says for the others.</summary>
    private async ValueTask<bool> NextDataPduAsync(TimeSpan wait, bool atMessageStart)
    {
        while (true)
        {
            if (atMessageStart)
            {
                lock (_gate) _atMessageStart = true;
                // Waiting without limit is reading ahead while a request is served: not idle.
                if (wait != Timeout.InfiniteTimeSpan && BecomeIdle()) await ReleaseIdleAsync();
            }
            PduHeader header = await ReadPduHeaderAsync(wait);
            lock (_gate) _idle = _atMessageStart = false;
            UpperLayerAction action = Fire(UpperLayer.EventOf(header.Type));
            switch (action)
            {
                case UpperLayerAction.DT2:
                    _pduLeft = header.Length;
                    return true;
                case UpperLayerAction.AR6:
                    await SkipAsync(header.Length);
                    break;
                case UpperLayerAction.AR2:
                    await SkipAsync(header.Length);
                    if (!atMessageStart)
                    {
                        await AbortAsync(AbortSource.ServiceProvider, AbortReason.UnexpectedPdu);
                        throw new AssociationEndedException(AssociationEnd.ReleasedByPeer, "released in the middle of a message");
                    }
                    // PS3.8 table 9-10, Sta8: responses still go out, and then the release is answered.
                    if (_underWay == 0) await SettleAsync();
                    return false;
                case UpperLayerAction.AR8:
                    await SkipAsync(header.Length);
                    if (!_settings.IsRequestor) break;
                    Fire(UpperLayerEvent.Evt14);
                    await SendPduAsync(PduEncoder.EncodeReleaseResponse());
                    break;
                case UpperLayerAction.AR10:
                    await SkipAsync(header.Length);
                    Fire(UpperLayerEvent.Evt14);
                    await SendPduAsync(PduEncoder.EncodeReleaseResponse());
                    return false;
                case UpperLayerAction.AR3:
                    await SkipAsync(header.Length);
                    return false;
                default:
                    throw await EndByAsync(action, header);
            }
        }
    }

    /// <summary>The request is served during which the next command set is being read ahead: from now on the wait for it has a limit, and a
    /// drain may end it.</summary>
    public async ValueTask ContinueIdleAsync(TimeSpan wait)
    {
        Interlocked.CompareExchange(ref _readDeadline, DeadlineIn(wait), long.MaxValue);
        if (BecomeIdle()) await ReleaseIdleAsync();
    }

    /// <summary>True when a drain is due and this call is the one to start it.</summary>
    private bool BecomeIdle()
    {
        lock (_gate)
        {
            if (!_atMessageStart || _settings.IsRequestor || _underWay > 0) return false;
            bool due = _draining && !_idle && State == UpperLayerState.Sta6;
            _idle = true;
            return due;
        }
    }

    private async ValueTask<byte[]> ReadAssociatePduAsync(PduType expected)
    {
        PduHeader header = await ReadPduHeaderAsync(_settings.Timeouts.Artim);
        UpperLayerAction action = Fire(UpperLayer.EventOf(header.Type));
        if (action is not (UpperLayerAction.AE6 or UpperLayerAction.AE3)) throw await EndByAsync(action, header);
        System.Diagnostics.Debug.Assert(header.Type == expected);
        // Room grows with what really comes, not with what is claimed.
        int total = (int)header.Length;
        byte[] body = new byte[Math.Min(total, 16 * 1024)];
        for (int length = 0; length < total;)
        {
            if (length == body.Length) Array.Resize(ref body, Math.Min(total, length * 2));
            length += await ReadBytesAsync(body.AsMemory(length));
        }
        return body;
    }

    /// <summary>Carries out the actions that end an association, and gives the exception to throw.</summary>
    private async ValueTask<IOException> EndByAsync(UpperLayerAction action, PduHeader header)
    {
        switch (action)
        {
            case UpperLayerAction.AE4:
                byte[] reject = await ReadFourAsync();
                return new AssociationRejectedException(PduDecoder.ReadAssociateReject(reject));
            case UpperLayerAction.AA2 or UpperLayerAction.AA3:
                Abort abort = PduDecoder.ReadAbort(await ReadFourAsync());
                return new AssociationEndedException(AssociationEnd.AbortedByPeer, $"A-ABORT: {abort.Source}, {abort.Reason}") { Abort = abort };
            case UpperLayerAction.AA1:
                await TrySendAbortAsync(new Abort(AbortSource.ServiceUser, AbortReason.NotSpecified));
                break;
            default:
                await TrySendAbortAsync(new Abort(AbortSource.ServiceProvider, AbortReason.UnexpectedPdu));
                break;
        }
        return new AssociationEndedException(AssociationEnd.ProtocolError, $"unexpected PDU of type {(byte)header.Type:X2}");
    }

    private async ValueTask<byte[]> ReadFourAsync()
    {
        await FillAsync(4, _settings.Timeouts.Receive);
        byte[] four = _in.AsSpan(_inStart, 4).ToArray();
        _inStart += 4;
        return four;
    }

    /// <summary>Type and length are checked here, before anybody makes room for anything.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<PduHeader> ReadPduHeaderAsync(TimeSpan wait)
    {
        await FillAsync(PduHeader.Size, wait);
        var header = PduHeader.Read(_in.AsSpan(_inStart));
        (bool fits, AbortReason reason) = header.Type switch
        {
            PduType.AssociateRequest or PduType.AssociateAccept =>
                (header.Length >= PduDecoder.AssociateFixedBytes && header.Length <= _settings.MaxAssociatePduBytes, AbortReason.InvalidPduParameterValue),
            PduType.Data =>
                // Some peers count the six bytes of the PDU header into the length that they were told.
                (header.Length >= PdvHeader.Size && header.Length <= _settings.MaxPduBytes + PduHeader.Size, AbortReason.InvalidPduParameterValue),
            PduType.AssociateReject or PduType.ReleaseRequest or PduType.ReleaseResponse or PduType.Abort =>
                (header.Length == 4, AbortReason.InvalidPduParameterValue),
            _ => (false, AbortReason.UnrecognizedPdu),
        };
        if (!fits) throw await BreachAsync(reason, $"a PDU of type {(byte)header.Type:X2} that claims {header.Length} bytes");
        _inStart += PduHeader.Size;
        return header;
    }

    private async ValueTask SkipAsync(uint count)
    {
        while (count > 0)
        {
            if (_inEnd == _inStart) await FillAsync(1, _settings.Timeouts.Receive);
            int skipped = (int)Math.Min(count, (uint)(_inEnd - _inStart));
            _inStart += skipped;
            count -= (uint)skipped;
        }
    }

    /// <summary>Bytes of the current fragment, at least one.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<int> ReadFragmentAsync(Memory<byte> destination)
    {
        int count = await ReadBytesAsync(destination.Length > _pdvLeft ? destination[.._pdvLeft] : destination);
        _pdvLeft -= count;
        _pduLeft -= (uint)count;
        return count;
    }

    private void Consume(int count)
    {
        _inStart += count;
        _pdvLeft -= count;
        _pduLeft -= (uint)count;
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<int> ReadBytesAsync(Memory<byte> destination)
    {
        if (_inEnd == _inStart)
        {
            if (destination.Length >= DirectBytes || IsInLongFragment)
            {
                int received = await ReceiveAsync(destination, _settings.Timeouts.Receive);
                return received > 0 ? received : throw Lost();
            }
            await FillAsync(1, _settings.Timeouts.Receive);
        }
        int count = Math.Min(destination.Length, _inEnd - _inStart);
        _in.AsSpan(_inStart, count).CopyTo(destination.Span);
        _inStart += count;
        return count;
    }

    /// <summary>The sender's fragments are long: only headers pass through our buffer.</summary>
    private bool IsInLongFragment => _inDataSet && _pdv.Length >= LongFragmentBytes;

    /// <summary>Has at least so many bytes in the buffer.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    private async ValueTask FillAsync(int count, TimeSpan wait)
    {
        if (_inEnd - _inStart >= count) return;
        if (_inStart > 0)
        {
            _in.AsSpan(_inStart, _inEnd - _inStart).CopyTo(_in);
            _inEnd -= _inStart;
            _inStart = 0;
        }
        while (_inEnd < count)
        {
            int room = (IsInLongFragment ? Math.Max(count, PduHeader.Size + PdvHeader.Size) : InBufferBytes) - _inEnd;
            int received = await ReceiveAsync(_in.AsMemory(_inEnd, room), wait);
            if (received == 0) throw Lost();
            _inEnd += received;
            wait = _settings.Timeouts.Receive;
        }
    }

    private AssociationEndedException Lost()
    {
        lock (_gate)
        {
            if (State != UpperLayerState.Sta1) _upperLayer.Fire(UpperLayerEvent.Evt17);
        }
        return new AssociationEndedException(AssociationEnd.ConnectionLost, "the peer closed the connection");
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<int> ReceiveAsync(Memory<byte> destination, TimeSpan wait)
    {
        Volatile.Write(ref _readDeadline, _artimDeadline != 0 ? _artimDeadline : DeadlineIn(wait));
        Volatile.Write(ref _receiving, 1);
        try
        {
            return await _stream.ReadAsync(destination, _readGone.Token);
        }
        catch (OperationCanceledException e)
        {
            throw new AssociationEndedException(_why, _why == AssociationEnd.ReceiveTimeout ? "the peer said nothing for too long" : "cut while receiving", e);
        }
        catch (Exception e) when (e is SocketException or IOException or ObjectDisposedException)
        {
            throw new AssociationEndedException(AssociationEnd.ConnectionLost, $"receiving failed: {e.Message}", e);
        }
        finally
        {
            Volatile.Write(ref _receiving, 0);
            Volatile.Write(ref _readDeadline, 0);
        }
    }
}
