using System.Diagnostics;
using PacsCluster.Catalog;
using PacsCluster.Dicom;
using PacsCluster.Dicom.Network;

namespace PacsCluster.Dimse;

internal sealed partial class QueryRetrieveScp
{
    /// <summary>Serves a C-GET-RQ to its final response: the instances go by C-STORE on the same association, in the contexts for which the
    /// requestor took the SCP role (C-13, C-56). Returns the status answered.</summary>
    public async Task<ushort> GetAsync(DimseRequest request)
    {
        long start = Stopwatch.GetTimestamp();
        (List<InstanceLocation> instances, CommandSet? refusal) = await LocateAsync(request, QueryRetrieveVerb.Get);
        if (refusal is not null) return await AnswerAsync(request, refusal);
        var operations = new SubOperations(request.Command, instances.Count, options.QueryRetrieve, Stopwatch.GetElapsedTime(start));
        var offer = new AcceptedContexts(request.Association.Contexts.Where(context => context.RequestorIsScp));
        await using (var ahead = new ReadAhead(Retrieve, instances, offer, options.QueryRetrieve.ReadAheadInstances, request.Aborted))
        {
            while (!request.CancelRequested.IsCancellationRequested && await ahead.NextAsync() is { } next)
            {
                await using (next)
                {
                    await SubStoreAsync(request, operations, next);
                }
                // The pending response goes out in one system call with the instance that follows.
                if (operations.Pending(Stopwatch.GetElapsedTime(start)) is { } pending) await request.SendPendingAsync(pending);
            }
        }
        return await EndRetrieveAsync(request, operations, start);
    }

    private async Task SubStoreAsync(DimseRequest request, SubOperations operations, OpenedInstance next)
    {
        if (next.DataSet is null)
        {
            FailUnsent(request, operations, next);
            return;
        }
        CommandSet response = await request.StoreAsync(next.Context!, next.Location.SopInstanceUid, next.DataSet, next.Length);
        operations.Count(next.Location.SopInstanceUid, response.Status ?? DimseStatus.ProcessingFailure);
    }

    private void FailUnsent(DimseRequest request, SubOperations operations, OpenedInstance unsent)
    {
        Log.NotSent(logger, request.ConnectionId, request.Association.CallingAETitle, unsent.Location.SopInstanceUid, unsent.Failure!);
        operations.Fail(unsent.Location.SopInstanceUid);
    }

    /// <summary>Everything that the identifier of a retrieve names, or why it cannot be served.</summary>
    private async Task<(List<InstanceLocation> Instances, CommandSet? Refusal)> LocateAsync(DimseRequest request, QueryRetrieveVerb verb)
    {
        var instances = new List<InstanceLocation>();
        (DataSet? identifier, MatchingOptions matching, CommandSet? refusal) = ReadIdentifier(request, verb);
        if (refusal is not null) return (instances, refusal);
        (LocateRequest? locate, KeysFailure? failure) = MatchingKeys.ParseRetrieve(identifier!, matching);
        if (failure is not null) return (instances, Refuse(request, failure));
        int instancesMax = options.QueryRetrieve.RetrieveInstancesMax;
        try
        {
            await foreach (InstanceLocation instance in Catalog.LocateAsync(locate!, request.CancelRequested))
            {
                if (instances.Count == instancesMax)
                {
                    return (instances, Refuse(request, DimseStatus.UnableToCalculateMatches, $"more than {instancesMax} instances: ask for less at once"));
                }
                instances.Add(instance);
            }
        }
        catch (CatalogUnavailableException)
        {
            return (instances, Refuse(request, DimseStatus.UnableToCalculateMatches, "the catalog cannot answer now"));
        }
        catch (OperationCanceledException) when (request.CancelRequested.IsCancellationRequested)
        {
            // Cancelled before anything was sent: what was found so far is what remains.
        }
        // So far everything may have run on the reading thread: let it read on, for a C-CANCEL and for the responses of sub-operations.
        await Task.Yield();
        return (instances, null);
    }

    private async Task<ushort> EndRetrieveAsync(DimseRequest request, SubOperations operations, long start)
    {
        bool cancelled = operations.Remaining > 0 && request.CancelRequested.IsCancellationRequested;
        CommandSet final = cancelled ? operations.Cancelled() : operations.Final();
        await request.RespondAsync(final, final.HasDataSet ? operations.EncodeFailed(request.Context.TransferSyntax) : default);
        Log.Retrieved(logger, request.ConnectionId, request.Association.CallingAETitle, request.Command.Field, request.Command.MoveDestination ?? "itself",
            operations.Completed, operations.Warning, operations.Failed, operations.Remaining, final.Status!.Value, Stopwatch.GetElapsedTime(start).TotalSeconds);
        return final.Status!.Value;
    }
}
