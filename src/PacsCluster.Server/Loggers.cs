using Microsoft.Extensions.Logging.Console;
using PacsCluster.Server.Options;

namespace PacsCluster.Server;

/// <summary>Where log lines go.</summary>
internal static class Loggers
{
    /// <summary>For commands: faults on standard error, nothing else.</summary>
    public static ILoggerFactory Quiet { get; } = LoggerFactory.Create(b => b.SetMinimumLevel(LogLevel.Error)
        .AddSimpleConsole(o => o.SingleLine = true).Services.Configure<ConsoleLoggerOptions>(o => o.LogToStandardErrorThreshold = LogLevel.Trace));

    /// <summary>The server's log on standard output, one line an event.</summary>
    public static void Configure(ILoggingBuilder logging, LogOptions options)
    {
        logging.ClearProviders();
        logging.SetMinimumLevel(options.Level);
        // The framework's own chatter starts at Warning unless somebody asks for detail.
        if (options.Level >= LogLevel.Information) logging.AddFilter("Microsoft", LogLevel.Warning);
        if (options.Format == LogFormat.Json) logging.AddJsonConsole(o => (o.UseUtcTimestamp, o.TimestampFormat) = (true, "yyyy-MM-ddTHH:mm:ss.fffZ"));
        else logging.AddSimpleConsole(o => (o.SingleLine, o.UseUtcTimestamp, o.TimestampFormat) = (true, true, "yyyy-MM-dd HH:mm:ss.fff "));
    }
}
