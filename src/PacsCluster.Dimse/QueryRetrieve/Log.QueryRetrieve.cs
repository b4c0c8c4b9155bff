using Microsoft.Extensions.Logging;
using PacsCluster.Catalog;
using PacsCluster.Dicom.Network;

namespace PacsCluster.Dimse;

internal static partial class Log
{
    [LoggerMessage(130, LogLevel.Information, "{Connection} {Calling} queried at {Level}: {Matches} matches, answered {Status:X4} in {Milliseconds:F1} ms")]
    public static partial void Found(ILogger logger, string connection, string calling, QueryLevel level, int matches, ushort status, double milliseconds);

    [LoggerMessage(131, LogLevel.Information,
        "{Connection} {Calling} {Field} to {Destination}: {Completed} completed, {Warning} with warning, {Failed} failed, {Remaining} remaining, answered {Status:X4} in {Seconds:F2} s")]
    public static partial void Retrieved(ILogger logger, string connection, string calling, CommandField field, string destination,
        int completed, int warning, int failed, int remaining, ushort status, double seconds);

    [LoggerMessage(132, LogLevel.Warning, "{Connection} {Calling}: {SopInstanceUid} was not sent: {Why}")]
    public static partial void NotSent(ILogger logger, string connection, string calling, string sopInstanceUid, string why);

    [LoggerMessage(133, LogLevel.Warning, "{Connection} {Calling}: association with {Destination} failed with {Remaining} instances to send: {Why}")]
    public static partial void DestinationLost(ILogger logger, string connection, string calling, string destination, int remaining, string why);
}
