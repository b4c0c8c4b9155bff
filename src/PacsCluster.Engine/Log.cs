using Microsoft.Extensions.Logging;

namespace PacsCluster.Engine;

/// <summary>What this room writes to the log. UIDs, blob keys and AE titles appear; nothing of a patient does.</summary>
internal static partial class Log
{
    [LoggerMessage(1, LogLevel.Warning, "{Door} store from {CallingAE} refused: {Reason}")]
    public static partial void StoreRefused(ILogger logger, StoreDoor door, string callingAE, string reason);

    [LoggerMessage(2, LogLevel.Warning, "SOP Instance {SopInstanceUid} from {CallingAE} went to quarantine: {Reason}")]
    public static partial void Quarantined(ILogger logger, string? sopInstanceUid, string callingAE, string reason);

    [LoggerMessage(3, LogLevel.Error, "Store from {CallingAE} failed: no space in blob store {Store}")]
    public static partial void BlobStoreFull(ILogger logger, string callingAE, string store);

    [LoggerMessage(4, LogLevel.Error, "Store from {CallingAE} failed: blob store {Store} is out of reach")]
    public static partial void BlobStoreUnavailable(ILogger logger, Exception fault, string callingAE, string store);

    [LoggerMessage(5, LogLevel.Error, "Commit of {Items} instances failed: the catalog has no space")]
    public static partial void CatalogFull(ILogger logger, int items);

    [LoggerMessage(6, LogLevel.Error, "Commit of {Items} instances failed after {Attempts} attempts: the catalog is out of reach")]
    public static partial void CatalogUnavailable(ILogger logger, Exception fault, int items, int attempts);

    [LoggerMessage(7, LogLevel.Error, "Commit of {Items} instances given up after {Attempts} version conflicts")]
    public static partial void ConflictsGivenUp(ILogger logger, int items, int attempts);

    [LoggerMessage(8, LogLevel.Error, "SOP Instance {SopInstanceUid} was cut out of its batch")]
    public static partial void PoisonedItem(ILogger logger, Exception fault, string? sopInstanceUid);

    [LoggerMessage(9, LogLevel.Warning, "Batch of {Items} instances failed and is tried one by one")]
    public static partial void BatchSplit(ILogger logger, Exception fault, int items);

    [LoggerMessage(10, LogLevel.Warning, "Blob {Key} that nothing refers to could not be deleted; the sweep will")]
    public static partial void BlobDeleteFailed(ILogger logger, Exception fault, string key);

    [LoggerMessage(11, LogLevel.Information, "Sweep: {Deleted} of {Seen} blobs had no row and were older than {Age}")]
    public static partial void Swept(ILogger logger, long deleted, long seen, TimeSpan age);

    [LoggerMessage(12, LogLevel.Error, "Sweep failed; the next one is due in {Interval}")]
    public static partial void SweepFailed(ILogger logger, Exception fault, TimeSpan interval);

    [LoggerMessage(13, LogLevel.Warning, "Stop: {Waiting} stores did not end within {Limit} and are given up unanswered")]
    public static partial void DrainTimedOut(ILogger logger, int waiting, TimeSpan limit);

    [LoggerMessage(14, LogLevel.Critical, "Batch of {Items} instances failed for a reason nobody foresaw; the commit loop goes on")]
    public static partial void BatchFailed(ILogger logger, Exception fault, int items);
}
