using Microsoft.Extensions.Logging;
using PacsCluster.Dicom.Network;

namespace PacsCluster.Dimse;

/// <summary>All log lines of this room. AE titles, addresses and UIDs; never a value of a data set.</summary>
internal static partial class Log
{
    [LoggerMessage(100, LogLevel.Information, "{Connection} {Calling} at {Remote} associated, {Contexts} contexts, {Implementation}")]
    public static partial void Associated(ILogger logger, string connection, string calling, string remote, int contexts, string implementation);

    [LoggerMessage(101, LogLevel.Warning, "{Connection} {Calling} at {Remote} calling {Called} rejected: {Result}, {Reason}")]
    public static partial void Rejected(ILogger logger, string connection, string calling, string called, string remote, RejectResult result, RejectReason reason);

    [LoggerMessage(102, LogLevel.Information, "{Connection} {Calling} released after {Requests} requests")]
    public static partial void Released(ILogger logger, string connection, string calling, long requests);

    [LoggerMessage(103, LogLevel.Warning, "{Connection} {Calling} at {Remote} ended after {Requests} requests: {End}, {Message}")]
    public static partial void Ended(ILogger logger, string connection, string calling, string remote, long requests, AssociationEnd end, string message);

    [LoggerMessage(104, LogLevel.Error, "{Connection} {Calling} at {Remote} aborted by a fault of ours")]
    public static partial void Faulted(ILogger logger, string connection, string calling, string remote, Exception fault);

    [LoggerMessage(105, LogLevel.Warning, "{Connection} {Remote} does not speak DICOM: {What}")]
    public static partial void NotDicom(ILogger logger, string connection, string remote, string what);

    [LoggerMessage(106, LogLevel.Warning, "{Connection} {Remote} closed at once: {Limit} connections are open")]
    public static partial void TooManyConnections(ILogger logger, string connection, string remote, int limit);

    [LoggerMessage(107, LogLevel.Information, "{Connection} {Calling} stored nothing of {SopInstanceUid}: {Status:X4}, {Comment}")]
    public static partial void StoreRefused(ILogger logger, string connection, string calling, string? sopInstanceUid, ushort status, string? comment);

    [LoggerMessage(108, LogLevel.Warning, "{Connection} {Calling} sent {Field:X4}, which {SopClassUid} does not know: answered {Status:X4}")]
    public static partial void Unrecognized(ILogger logger, string connection, string calling, ushort field, string sopClassUid, ushort status);

    [LoggerMessage(109, LogLevel.Debug, "{Connection} {Remote} connected and said nothing")]
    public static partial void Silent(ILogger logger, string connection, string remote);

    [LoggerMessage(110, LogLevel.Warning, "{Connection} {Calling} sent more requests at once than the {Window} negotiated: they are served in turn")]
    public static partial void BeyondWindow(ILogger logger, string connection, string calling, int window);

    [LoggerMessage(111, LogLevel.Error, "{Connection} {Calling} sent {Field:X4}, which met a fault of ours: answered {Status:X4}")]
    public static partial void OperationFaulted(ILogger logger, string connection, string calling, ushort field, ushort status, Exception fault);
}
