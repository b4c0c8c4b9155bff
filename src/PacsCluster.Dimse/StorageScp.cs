using System.Diagnostics;
using Microsoft.Extensions.Logging;
using PacsCluster.Dicom.Network;
using PacsCluster.Engine;

namespace PacsCluster.Dimse;

/// <summary>Takes a data set and where it comes from, and says what became of it: <see cref="Ingest.StoreAsync"/>.</summary>
internal delegate Task<StoreOutcome> StoreFunction(Stream dataSet, StoreOrigin origin, CancellationToken cancellationToken);

/// <summary>Storage Service Class as SCP (PS3.4 annex B): hands the data set to the engine while it arrives, and answers when the engine says
/// that it is durable and committed, or is not kept.</summary>
internal sealed class StorageScp(StoreFunction store, DimseOptions options, ILogger<StorageScp> logger)
{
    /// <summary>Serves one C-STORE-RQ to its response.</summary>
    /// <param name="connection">The association.</param>
    /// <param name="message">The request.</param>
    /// <param name="apart">Its data set when other operations go on beside this one; else null.</param>
    /// <param name="cancellationToken">Gives up while the data set comes in.</param>
    /// <returns>The status answered.</returns>
    public async ValueTask<ushort> ServeAsync(DimseConnection connection, DimseMessage message, OperationDataSet? apart, CancellationToken cancellationToken)
    {
        long start = Stopwatch.GetTimestamp();
        (CommandSet request, PresentationContext context) = message;
        Association association = connection.Association!;
        CommandSet response;
        if (options.FindAE(association.CallingAETitle) is { MayStore: false })
        {
            response = request.Respond(DimseStatus.NotAuthorized) with { ErrorComment = "this AE may not store" };
        }
        else if (!request.HasDataSet)
        {
            response = request.Respond(DimseStatus.CannotUnderstand) with { ErrorComment = "no data set" };
        }
        else
        {
            StoreOutcome outcome = await store(apart ?? connection.DataSet, OriginOf(request, context, association), cancellationToken);
            response = StoreStatus.Respond(request, outcome);
            if (!outcome.IsSuccess) Log.StoreRefused(logger, connection.Id, association.CallingAETitle, outcome.SopInstanceUid, response.Status!.Value, outcome.Comment);
        }
        // An outcome may come before the data set's end (disk full): the rest is read and forgotten so that the association goes on.
        await (apart is null ? connection.DrainDataSetAsync() : apart.DrainAsync());
        await connection.SendAsync(context.Id, response);
        Metrics.StoreSeconds.Record(Stopwatch.GetElapsedTime(start).TotalSeconds);
        Metrics.ReceivedBytes.Add(apart?.LengthBytes ?? connection.DataSetBytes);
        return response.Status!.Value;
    }

    private static StoreOrigin OriginOf(CommandSet request, PresentationContext context, Association association) => new()
    {
        TransferSyntax = context.TransferSyntax,
        AffectedSopClassUid = request.AffectedSopClassUid,
        AffectedSopInstanceUid = request.AffectedSopInstanceUid,
        CallingAETitle = association.CallingAETitle,
        CalledAETitle = association.CalledAETitle,
        RemoteAddress = association.RemoteAddress,
        Door = StoreDoor.Dimse,
    };
}
