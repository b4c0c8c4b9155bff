using PacsCluster.Dicom.Network;

namespace PacsCluster.Dimse;

/// <summary>Operations that go on while the reader reads the next message (asynchronous operations window, PS3.7 annex D.3.3.3). While there are some the association is
/// neither idle nor released, so their responses go out first.</summary>
internal sealed partial class DimseConnection
{
    // All under _gate. Only the reader begins operations and waits here.
    private int _underWay;
    private int _unanswered;
    private TaskCompletionSource? _operationEnded;

    /// <summary>Begins an operation; waits while as many as were negotiated are under way, or all that the node has room for.</summary>
    /// <returns>False: the peer had already as many requests without a response as it negotiated, and this one had to wait.</returns>
    public async ValueTask<bool> BeginOperationAsync(AssociationLimits limits)
    {
        bool isWithin;
        lock (_gate) isWithin = _unanswered < Association!.Window.Invoked;
        while (true)
        {
            Task ended;
            lock (_gate)
            {
                if (_underWay == 0 || (_underWay < Association.Window.Invoked && limits.TryEnterAhead()))
                {
                    _underWay++;
                    _unanswered++;
                    return isWithin;
                }
                ended = NextEnd();
            }
            await ended;
        }
    }

    /// <summary>The operation has been answered, or never will be. From any thread.</summary>
    public void EndOperation(AssociationLimits limits)
    {
        TaskCompletionSource? waiting;
        bool release = false;
        lock (_gate)
        {
            if (--_underWay > 0)
            {
                limits.LeaveAhead();
            }
            else
            {
                release = BecomeIdle();
                if (_atMessageStart) PutOffReadDeadline();
            }
            (waiting, _operationEnded) = (_operationEnded, null);
        }
        waiting?.SetResult();
        if (release) _ = ReleaseIdleAsync();
    }

    /// <summary>Waits for the end of all operations, then answers a release that the peer has asked for meanwhile.</summary>
    public async ValueTask SettleAsync()
    {
        while (true)
        {
            Task ended;
            lock (_gate)
            {
                if (_underWay == 0) break;
                ended = NextEnd();
            }
            await ended;
        }
        lock (_gate)
        {
            if (State != UpperLayerState.Sta8) return;
            _upperLayer.Fire(UpperLayerEvent.Evt14);
        }
        await SendPduAsync(PduEncoder.EncodeReleaseResponse());
    }

    /// <summary>A message is about to go out, under <see cref="_gate"/>: when the peer has a final response, it may send its next request.</summary>
    private void CountAnswer(CommandSet command)
    {
        if (_underWay > 0 && command.IsResponse && DimseStatus.Categorize(command.Status ?? DimseStatus.Success) != StatusCategory.Pending) _unanswered--;
    }

    private Task NextEnd() => (_operationEnded ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task;

    /// <summary>A peer that waits for our responses is not idle: its time begins with the last of them.</summary>
    private void PutOffReadDeadline()
    {
        long armed = Volatile.Read(ref _readDeadline);
        if (armed != 0) Interlocked.CompareExchange(ref _readDeadline, DeadlineIn(_settings.Timeouts.Inactivity), armed);
    }
}
