namespace PacsCluster.Server;

/// <summary>What this room writes to the log.</summary>
internal static partial class Log
{
    [LoggerMessage(1, LogLevel.Information, "PacsCluster {Version} serves {Data}: DICOM {AETitle} on {DicomAddress}:{DicomPort}, http://{HttpAddress}:{HttpPort}/")]
    public static partial void Serving(ILogger logger, string version, string data, string aeTitle, string dicomAddress, int dicomPort, string httpAddress, int httpPort);

    [LoggerMessage(2, LogLevel.Warning, "Not ready: {Faults}")]
    public static partial void NotReady(ILogger logger, string faults);

    [LoggerMessage(3, LogLevel.Information, "Stopping: no new associations, {Limit} for those that are open")]
    public static partial void Stopping(ILogger logger, TimeSpan limit);

    [LoggerMessage(4, LogLevel.Information, "Stopped")]
    public static partial void Stopped(ILogger logger);

    [LoggerMessage(5, LogLevel.Warning, "Listening beyond loopback: whoever reaches {Address} can store, search and retrieve; nobody is asked who they are")]
    public static partial void BeyondLoopback(ILogger logger, string address);

    [LoggerMessage(6, LogLevel.Error, "The disk refuses the log of commits ({Reason}): stores go on, slower. Look after the disk, then start the server anew")]
    public static partial void CommitLogLost(ILogger logger, string reason);
}
