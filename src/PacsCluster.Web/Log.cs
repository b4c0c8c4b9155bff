using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace PacsCluster.Web;

/// <summary>All log lines of this room. Paths hold UIDs; queries hold patient data and are never logged.</summary>
internal static partial class Log
{
    [LoggerMessage(300, LogLevel.Error, "{Method} {Path} failed by a fault of ours ({TraceIdentifier})")]
    public static partial void Faulted(ILogger logger, string method, PathString path, string traceIdentifier, Exception fault);

    [LoggerMessage(301, LogLevel.Warning, "{Method} {Path} broken off in the midst of its answer")]
    public static partial void BrokenOff(ILogger logger, string method, PathString path, Exception fault);

    [LoggerMessage(302, LogLevel.Error, "{Method} {Path}: catalog or blob store out of reach")]
    public static partial void Unavailable(ILogger logger, string method, PathString path, Exception fault);
}
