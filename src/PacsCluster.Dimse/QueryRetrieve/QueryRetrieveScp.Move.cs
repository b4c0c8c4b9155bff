using System.Collections.Concurrent;
using System.Diagnostics;
using PacsCluster.Catalog;
using PacsCluster.Dicom;
using PacsCluster.Dicom.Network;

namespace PacsCluster.Dimse;

internal sealed partial class QueryRetrieveScp
{
    /// <summary>Associations that each destination may still be sent; by its AE title, of which the options have a bounded number.</summary>
    private readonly ConcurrentDictionary<string, SemaphoreSlim> _turns = new(StringComparer.Ordinal);

    /// <summary>Serves a C-MOVE-RQ to its final response: the instances go to the Move Destination over associations of our own (C-53, C-54).
    /// Returns the status answered.</summary>
    public async Task<ushort> MoveAsync(DimseRequest request)
    {
        long start = Stopwatch.GetTimestamp();
        (KnownAE? destination, CommandSet? refusal) = FindDestination(request);
        if (refusal is not null) return await AnswerAsync(request, refusal);
        (List<InstanceLocation> instances, refusal) = await LocateAsync(request, QueryRetrieveVerb.Move);
        if (refusal is not null) return await AnswerAsync(request, refusal);
        var move = new Move(request, destination!, new SubOperations(request.Command, instances.Count, options.QueryRetrieve, Stopwatch.GetElapsedTime(start)), start);
        using var done = CancellationTokenSource.CreateLinkedTokenSource(request.Aborted);
        Task reporting = ReportAsync(move, done.Token);
        try
        {
            foreach (PlannedAssociation planned in PlannedAssociation.Plan(instances))
            {
                await SendPlannedAsync(move, planned);
                if (request.CancelRequested.IsCancellationRequested) break;
            }
        }
        finally
        {
            await done.CancelAsync();
            await reporting;
        }
        return await EndRetrieveAsync(request, move.Operations, start);
    }

    /// <summary>Tells the requestor that the move is alive while a destination is slow, or busy with other moves.</summary>
    private async Task ReportAsync(Move move, CancellationToken done)
    {
        using var timer = new PeriodicTimer(options.QueryRetrieve.PendingInterval, time);
        try
        {
            while (await timer.WaitForNextTickAsync(done))
            {
                if (move.Operations.Pending(Stopwatch.GetElapsedTime(move.Start)) is { } pending) await move.Request.SendPendingAsync(pending, flush: true);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or AssociationEndedException)
        {
            // Done; or the requestor is gone, of which the move hears by its own.
        }
    }

    private (KnownAE? Destination, CommandSet? Refusal) FindDestination(DimseRequest request)
    {
        string? title = request.Command.MoveDestination;
        if (title is null || options.FindAE(title) is not { Host: not null } destination)
        {
            return (null, Refuse(request, DimseStatus.MoveDestinationUnknown, "the Move Destination is not known here"));
        }
        if (options.FindAE(request.Association.CallingAETitle)?.AllowedDestinations is { } allowed && !allowed.Contains(title))
        {
            return (null, Refuse(request, DimseStatus.NotAuthorized, "this AE may not name that Move Destination"));
        }
        return (destination, null);
    }

    /// <summary>Sends the instances of one planned association, over a new one when it is lost. An instance that was under way is sent again: a
    /// receiver that has it already takes it as a duplicate. What cannot be sent has failed.</summary>
    private async Task SendPlannedAsync(Move move, PlannedAssociation planned)
    {
        int next = 0;
        int lossesInARow = 0;
        CancellationToken cancel = move.Request.CancelRequested;
        SemaphoreSlim turn = _turns.GetOrAdd(move.Destination.AETitle, _ => new SemaphoreSlim(move.Destination.MaxSendAssociations));
        while (next < planned.Instances.Count && !cancel.IsCancellationRequested)
        {
            string why;
            int before = next;
            try
            {
                await turn.WaitAsync(cancel);
            }
            catch (OperationCanceledException)
            {
                break;
            }
            try
            {
                next = await SendOverOneAsync(move, planned, next, sent => next = sent);
                continue;
            }
            catch (AssociationEndedException e)
            {
                why = e.Message;
            }
            catch (AssociationRejectedException e)
            {
                why = e.Message;
            }
            catch (Exception e) when (e is IOException or DicomFormatException)
            {
                // Our own bytes failed in the middle of an instance, and the association with it: this one is not tried again.
                why = e.Message;
                move.Operations.Fail(planned.Instances[next++].SopInstanceUid);
            }
            finally
            {
                turn.Release();
            }
            move.Request.Aborted.ThrowIfCancellationRequested();
            Log.DestinationLost(logger, move.Request.ConnectionId, move.Request.Association.CallingAETitle, move.Destination.AETitle, planned.Instances.Count - next, why);
            lossesInARow = next > before ? 1 : lossesInARow + 1;
            if (lossesInARow > options.QueryRetrieve.MoveReconnects) break;
            await Task.Delay(options.QueryRetrieve.MoveReconnectDelay, time, cancel).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        if (cancel.IsCancellationRequested) return;
        for (; next < planned.Instances.Count; next++) move.Operations.Fail(planned.Instances[next].SopInstanceUid);
    }

    /// <summary>Sends from <paramref name="first"/> on, to the end or to a C-CANCEL.</summary>
    /// <returns>The first instance that was not counted.</returns>
    private async Task<int> SendOverOneAsync(Move move, PlannedAssociation planned, int first, Action<int> counted)
    {
        DimseRequest request = move.Request;
        var peer = new DimsePeer(move.Destination.AETitle, move.Destination.Host!, move.Destination.Port);
        DimseClientOptions how = DimseClientOptions.From(options, move.Destination.CallingAETitle) with { Time = time };
        await using DimseClient client = await DimseClient.ConnectAsync(peer, planned.Contexts, how, request.Aborted);
        var contexts = new AcceptedContexts(client.Association.Contexts.Where(context => context.RequestorIsScu));
        await using var ahead = new ReadAhead(Retrieve, planned.Instances, contexts, options.QueryRetrieve.ReadAheadInstances, request.Aborted, first);
        int next = first;
        while (!request.CancelRequested.IsCancellationRequested && await ahead.NextAsync() is { } opened)
        {
            await using (opened)
            {
                if (opened.DataSet is null)
                {
                    FailUnsent(request, move.Operations, opened);
                }
                else
                {
                    DimseResponse response = await client.StoreAsync(MessageOf(request, opened), request.Aborted);
                    move.Operations.Count(opened.Location.SopInstanceUid, response.Status);
                }
            }
            counted(++next);
            if (move.Operations.Pending(Stopwatch.GetElapsedTime(move.Start)) is { } pending) await request.SendPendingAsync(pending, flush: true);
        }
        return next;
    }

    private static StoreMessage MessageOf(DimseRequest request, OpenedInstance opened) => new()
    {
        Context = opened.Context!,
        SopInstanceUid = opened.Location.SopInstanceUid,
        DataSet = opened.DataSet!,
        LengthBytes = opened.Length,
        Priority = request.Command.Priority ?? Priority.Medium,
        MoveOriginatorAETitle = request.Association.CallingAETitle,
        MoveOriginatorMessageId = request.Command.MessageId,
    };

    /// <summary>One C-MOVE under way.</summary>
    private sealed record Move(DimseRequest Request, KnownAE Destination, SubOperations Operations, long Start);
}
