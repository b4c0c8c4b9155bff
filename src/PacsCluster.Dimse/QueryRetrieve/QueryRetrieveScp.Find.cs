using System.Diagnostics;
using PacsCluster.Catalog;
using PacsCluster.Dicom;
using PacsCluster.Dicom.Network;

namespace PacsCluster.Dimse;

internal sealed partial class QueryRetrieveScp
{
    /// <summary>Matches that wait in the write buffer at most so long, while the cursor looks for the next one.</summary>
    private static readonly TimeSpan s_flushAfter = TimeSpan.FromMilliseconds(5);

    /// <summary>Matches after which the association is read again: up to here a C-CANCEL could not arrive in time anyway, and most queries end
    /// before without a switch of threads.</summary>
    private const int YieldAfterMatches = 32;

    /// <summary>Serves a C-FIND-RQ to its final response; returns the status answered.</summary>
    public async Task<ushort> FindAsync(DimseRequest request)
    {
        long start = Stopwatch.GetTimestamp();
        (DataSet? identifier, MatchingOptions matching, CommandSet? refusal) = ReadIdentifier(request, QueryRetrieveVerb.Find);
        if (refusal is not null) return await AnswerAsync(request, refusal);
        (SearchRequest? search, KeysFailure? failure) = MatchingKeys.Parse(identifier!, null, matching);
        if (failure is not null) return await AnswerAsync(request, Refuse(request, failure));

        ushort status;
        int matches = 0;
        try
        {
            (status, matches) = await SendMatchesAsync(request, search!, identifier!.CharacterSet);
        }
        catch (CatalogUnavailableException)
        {
            return await AnswerAsync(request, Refuse(request, DimseStatus.OutOfResources, "the catalog cannot answer now"));
        }
        CommandSet final = status == DimseStatus.OutOfResources
            ? Refuse(request, status, $"more than {options.QueryRetrieve.FindMatchesMax} matches: narrow the query")
            : request.Command.Respond(status);
        await request.RespondAsync(final);
        Log.Found(logger, request.ConnectionId, request.Association.CallingAETitle, search!.Level, matches, status, Stopwatch.GetElapsedTime(start).TotalMilliseconds);
        return status;
    }

    private async Task<(ushort Status, int Matches)> SendMatchesAsync(DimseRequest request, SearchRequest search, CharacterSet preferred)
    {
        int matchesMax = options.QueryRetrieve.FindMatchesMax;
        TransferSyntax encoding = request.Context.TransferSyntax;
        bool wantsRetrieveAE = search.ReturnKeys.Contains(s_retrieveAETitle);
        CommandSet pending = request.Command.Respond(IsFullySupported(search) ? DimseStatus.Pending : DimseStatus.PendingOptionalKeysUnsupported, hasDataSet: true);
        CancellationToken cancel = request.CancelRequested;
        long flushed = Stopwatch.GetTimestamp();
        int matches = 0;
        try
        {
            await using IAsyncEnumerator<SearchRow> rows = Catalog.SearchAsync(search with { Limit = matchesMax + 1 }, cancel).GetAsyncEnumerator(cancel);
            while (true)
            {
                ValueTask<bool> next = rows.MoveNextAsync();
                // Matches wait for the next ones and share their system call, but not while the cursor takes its time.
                if (!next.IsCompleted || Stopwatch.GetElapsedTime(flushed) > s_flushAfter)
                {
                    await request.FlushAsync();
                    flushed = Stopwatch.GetTimestamp();
                }
                if (!await next || cancel.IsCancellationRequested) break;
                if (matches == matchesMax) return (DimseStatus.OutOfResources, matches);
                DataSet answer = rows.Current.ToDataSet(preferred, encoding);
                if (wantsRetrieveAE) answer.Set(s_retrieveAETitle, options.AETitle, VR.AE);
                await request.SendPendingAsync(pending, answer.ToArray(encoding));
                matches++;
                if (matches == YieldAfterMatches) await Task.Yield();
            }
        }
        catch (OperationCanceledException) when (cancel.IsCancellationRequested)
        {
            // Said below.
        }
        return (cancel.IsCancellationRequested ? DimseStatus.Cancel : DimseStatus.Success, matches);
    }

    // The Retrieve AE Title is ours to give, whatever the catalog says of it.
    private static bool IsFullySupported(SearchRequest search) =>
        search.UnmatchedKeys.All(tag => tag == s_retrieveAETitle) && search.UnsupportedKeys.All(tag => tag == s_retrieveAETitle);
}
