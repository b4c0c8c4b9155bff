using Microsoft.Extensions.Logging;

namespace PacsCluster.Engine;

/// <summary>What this room writes to the log. UIDs, blob keys and AE titles appear; nothing of a patient does.</summary>
internal static partial class Log
{
    [LoggerMessage(1, LogLevel.Warning, "{Door} store from {CallingAE} refused: {Reason}")]
    public static partial void StoreRefused(ILogger logger, StoreDoor door, string callingAE, string reason);

    [LoggerMessage(2, LogLevel.Warning, "SOP Instance {SopInstanceUid} from {CallingAE} went to quarantine: {Reason}")]
    public static partial void Quarantined(ILogger logger, string? sopInstanceUid, string callingAE, string reason);

    [LoggerMessage(3, LogLevel.Error, "Store from {CallingAE} failed: {Reason}")]
    public static partial void BlobStoreFull(ILogger logger, string callingAE, string reason);

    [LoggerMessage(4, LogLevel.Error, "Store from {CallingAE} failed: a blob store is out of reach")]
    public static partial void BlobStoreUnavailable(ILogger logger, Exception fault, string callingAE);

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

    [LoggerMessage(11, LogLevel.Information, "Sweep of store {Store}: {Deleted} of {Seen} blobs had no row and were older than {Age}")]
    public static partial void Swept(ILogger logger, string store, long deleted, long seen, TimeSpan age);

    [LoggerMessage(24, LogLevel.Error, "Blob {Key} could not be read from store {Store}: another copy is read")]
    public static partial void CopyUnreadable(ILogger logger, Exception fault, string store, string key);

    [LoggerMessage(25, LogLevel.Warning, "Blob {Key} lies in store {Store}, which this node has not: the sweep of a node that has it will delete it")]
    public static partial void BlobElsewhere(ILogger logger, string key, string store);

    [LoggerMessage(26, LogLevel.Warning, "No copies can be made in store {Store} now; the next attempt is in {Wait}")]
    public static partial void CopyingUnavailable(ILogger logger, Exception fault, string store, TimeSpan wait);

    [LoggerMessage(27, LogLevel.Error, "No good copy of blob row {BlobKey} can be read for store {Store}: the next attempt is in {Wait}")]
    public static partial void CopyFailed(ILogger logger, Exception? fault, long blobKey, string store, TimeSpan wait);

    [LoggerMessage(28, LogLevel.Information, "{Copies} copies made in store {Store}")]
    public static partial void Copied(ILogger logger, int copies, string store);

    [LoggerMessage(13, LogLevel.Warning, "Stop: {Waiting} stores did not end within {Limit} and are given up unanswered")]
    public static partial void DrainTimedOut(ILogger logger, int waiting, TimeSpan limit);

    [LoggerMessage(15, LogLevel.Warning, "Reminders cannot be read or ended now; the next attempt is in {Wait}")]
    public static partial void RemindersUnavailable(ILogger logger, Exception fault, TimeSpan wait);

    [LoggerMessage(16, LogLevel.Error, "Reminder {Kind}/{Name} of {Key} failed {Attempts} times; the next attempt is in {Wait}")]
    public static partial void ReminderFailed(ILogger logger, Exception fault, string kind, string name, string key, int attempts, TimeSpan wait);

    [LoggerMessage(17, LogLevel.Information, "Study {StudyInstanceUid} is complete: {Series} series, {Instances} instances")]
    public static partial void StudyCompleted(ILogger logger, string studyInstanceUid, int series, int instances);

    [LoggerMessage(18, LogLevel.Information, "Deletion {Key}: {Level} of study {StudyInstanceUid}, {Instances} instances, by {By}; to be purged at {PurgeAt}")]
    public static partial void Rejected(ILogger logger, long key, string level, string studyInstanceUid, int instances, string by, DateTimeOffset purgeAt);

    [LoggerMessage(19, LogLevel.Information, "Deletion {Key} taken back by {By}: {Restored} instances restored, {Dropped} were stored again meanwhile, {Left} stay deleted")]
    public static partial void Restored(ILogger logger, long key, string by, int restored, int dropped, int left);

    [LoggerMessage(20, LogLevel.Information, "Deletion {Key} purged: {Instances} instances")]
    public static partial void Purged(ILogger logger, long key, int instances);

    [LoggerMessage(21, LogLevel.Error, "Another node has the name {Name}: this one is not listed until that one's lease ends")]
    public static partial void NodeNameTaken(ILogger logger, string name);

    [LoggerMessage(22, LogLevel.Warning, "The node's lease could not be renewed")]
    public static partial void NodeLeaseFailed(ILogger logger, Exception fault);

    [LoggerMessage(23, LogLevel.Error, "SOP Instance {SopInstanceUid} could not be restored: its blob cannot be read")]
    public static partial void RestoreFailed(ILogger logger, Exception fault, string sopInstanceUid);

    [LoggerMessage(24, LogLevel.Information, "SOP Instance {SopInstanceUid} is not compressed to {TransferSyntax}: {Reason}")]
    public static partial void NotCompressed(ILogger logger, string sopInstanceUid, string transferSyntax, string reason);

    [LoggerMessage(25, LogLevel.Warning, "SOP Instance {SopInstanceUid} could not be compressed to {TransferSyntax} and stays as it was received")]
    public static partial void CompressionFailed(ILogger logger, Exception fault, string sopInstanceUid, string transferSyntax);

    [LoggerMessage(26, LogLevel.Information, "Study {StudyInstanceUid}: {Instances} instances compressed in this turn")]
    public static partial void StudyCompressed(ILogger logger, string studyInstanceUid, int instances);

    [LoggerMessage(14, LogLevel.Critical, "Batch of {Items} instances failed for a reason nobody foresaw; the commit loop goes on")]
    public static partial void BatchFailed(ILogger logger, Exception fault, int items);
}
