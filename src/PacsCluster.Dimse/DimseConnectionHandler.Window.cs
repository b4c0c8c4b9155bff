using PacsCluster.Dicom.Network;

namespace PacsCluster.Dimse;

internal sealed partial class DimseConnectionHandler
{
    /// <summary>Serves an association whose requestor negotiated an asynchronous operations window (PS3.7 annex D.3.3.3): message after message is read, and what a request has to
    /// wait for (disk, cloud, catalog, other peers) goes on beside that. Responses go out as they come.</summary>
    private async Task ServeWindowAsync(Session session)
    {
        DimseConnection dimse = session.Dimse;
        await using CancellationTokenRegistration drain = session.Drain.UnsafeRegister(static state => ((DimseConnection)state!).Drain(), dimse);
        using var queries = new OpenQueries(session.Connection.ConnectionClosed);
        try
        {
            while (await dimse.ReadCommandAsync(options.Timeouts.Inactivity) is { } message)
            {
                CommandSet command = message.Command;
                if (command.Field == CommandField.CCancelRequest) queries.Cancel(command.MessageIdBeingRespondedTo);
                else if (command.IsResponse) queries.Complete(command);
                else if (command.Field == CommandField.CStoreRequest && message.Context.RequestorIsScu) await BeginStoreAsync(session, message);
                else if (command.Field is CommandField.CFindRequest or CommandField.CMoveRequest or CommandField.CGetRequest) await BeginQueryAsync(session, queries, message);
                else await ServeShortAsync(session, message);
            }
        }
        finally
        {
            // Nobody waits for queries any more. Stores whose data sets are here come to their end: a sender that hears nothing of one can send it again.
            await queries.EndAsync();
            await dimse.SettleAsync();
        }
    }

    /// <summary>Returns when the data set has been read.</summary>
    private async ValueTask BeginStoreAsync(Session session, DimseMessage message)
    {
        await BeginOperationAsync(session);
        var dataSet = new OperationDataSet(session.Dimse);
        CancellationToken closed = session.Connection.ConnectionClosed;
        _ = AssociationThread.Begin(() => RunOperationAsync(session, message, storage.ServeAsync(session.Dimse, message, dataSet, closed).AsTask(), dataSet, closed));
        await dataSet.Taken;
    }

    private async ValueTask BeginQueryAsync(Session session, OpenQueries queries, DimseMessage message)
    {
        ReadOnlyMemory<byte>? identifier = await ReadIdentifierAsync(session.Dimse, message);
        await BeginOperationAsync(session);
        if (RefusalOf(session, message, identifier) is { } refusal)
        {
            await RunOperationAsync(session, message, AnswerAsync(session.Dimse, message, refusal), null, queries.Ended);
            return;
        }
        DimseRequest query = queries.Open(session.Dimse, message, identifier!.Value);
        _ = Task.Run(() => RunOperationAsync(session, message, queries.ServeAsync(query, ServeAsync), null, queries.Ended), CancellationToken.None);
    }

    /// <summary>C-ECHO, and what is refused: answered before the next message is read.</summary>
    private async ValueTask ServeShortAsync(Session session, DimseMessage message)
    {
        await BeginOperationAsync(session);
        try
        {
            bool isEcho = message.Command.Field == CommandField.CEchoRequest;
            if ((isEcho ? await VerificationScp.ServeAsync(session.Dimse, message) : await RefuseAsync(session.Dimse, message)) is { } status) session.Count(message, status);
        }
        finally
        {
            session.Dimse.EndOperation(limits);
        }
    }

    /// <summary>More requests than were negotiated stay in the socket, one after the other: the peer loses its haste, where an abort would cost it all that is under way.</summary>
    private async ValueTask BeginOperationAsync(Session session)
    {
        if (await session.Dimse.BeginOperationAsync(limits) || session.IsBeyondWindow) return;
        session.IsBeyondWindow = true;
        Log.BeyondWindow(logger, session.Dimse.Id, session.Calling, session.Dimse.Association!.Window.Invoked);
    }

    /// <summary>One operation to its end. A fault of ours is its own answer: others under way have nothing to do with it.</summary>
    private async Task RunOperationAsync(Session session, DimseMessage message, Task<ushort> serving, OperationDataSet? dataSet, CancellationToken ended)
    {
        DimseConnection dimse = session.Dimse;
        try
        {
            ushort status;
            try
            {
                status = await serving;
            }
            catch (Exception e) when (e is not AssociationEndedException && !(e is OperationCanceledException && ended.IsCancellationRequested))
            {
                Log.OperationFaulted(logger, dimse.Id, session.Calling, (ushort)message.Command.Field, DimseStatus.ProcessingFailure, e);
                if (dataSet is not null) await dataSet.DrainAsync();
                // A C-GET that broke off inside an instance has aborted the association, and then nothing more is read.
                if (dimse.State == UpperLayerState.Sta13) dimse.Cut(AssociationEnd.AbortedByUs);
                status = await AnswerAsync(dimse, message, DimseStatus.ProcessingFailure);
            }
            session.Count(message, status);
        }
        catch (Exception e) when (e is AssociationEndedException or OperationCanceledException)
        {
            // Who reads hears of it too, but of the end of a data set only from here.
            dataSet?.Fail(e);
        }
        finally
        {
            dimse.EndOperation(limits);
        }
    }

    /// <summary>C-FIND, C-MOVE and C-GET under way on one association.</summary>
    private sealed class OpenQueries(CancellationToken closed) : IDisposable
    {
        private readonly CancellationTokenSource _ended = CancellationTokenSource.CreateLinkedTokenSource(closed);
        private readonly List<DimseRequest> _open = [];

        // Two at once could give their sub-operations the same message IDs, and the peer need not perform more than one at a time.
        private readonly SemaphoreSlim _gets = new(1, 1);

        /// <summary>Nobody waits for them any more.</summary>
        public CancellationToken Ended => _ended.Token;

        /// <summary>To be opened before the next message is read: that may be its C-CANCEL.</summary>
        public DimseRequest Open(DimseConnection dimse, DimseMessage message, ReadOnlyMemory<byte> identifier)
        {
            var query = new DimseRequest(dimse, message, identifier, Ended);
            lock (_open) _open.Add(query);
            return query;
        }

        public async Task<ushort> ServeAsync(DimseRequest query, Func<DimseRequest, Task<ushort>> serve)
        {
            bool isGet = query.Command.Field == CommandField.CGetRequest, isTurn = false;
            try
            {
                if (isGet) await _gets.WaitAsync(Ended);
                isTurn = isGet;
                return await serve(query);
            }
            finally
            {
                if (isTurn) _gets.Release();
                lock (_open) _open.Remove(query);
                query.Dispose();
            }
        }

        /// <summary>A C-CANCEL-RQ came; one for a query that has ended is late and means nothing (C-52).</summary>
        public void Cancel(ushort? messageId)
        {
            lock (_open) _open.Find(query => query.Command.MessageId == messageId)?.Cancel();
        }

        /// <summary>A response came, to a sub-operation of C-GET.</summary>
        public void Complete(CommandSet response)
        {
            lock (_open)
            {
                foreach (DimseRequest query in _open)
                {
                    if (query.Complete(response)) return;
                }
            }
        }

        public Task EndAsync()
        {
            lock (_open)
            {
                foreach (DimseRequest query in _open.ToArray()) query.End(new AssociationEndedException(AssociationEnd.ReleasedByPeer, "ended while a request was served"));
            }
            return _ended.CancelAsync();
        }

        public void Dispose()
        {
            _ended.Dispose();
            _gets.Dispose();
        }
    }
}
