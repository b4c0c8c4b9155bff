using System.CommandLine;
using System.CommandLine.Parsing;
using PacsCluster.Imaging;
using PacsCluster.Server;
using PacsCluster.Server.Commands;
using PacsCluster.Server.Options;

if (CodecWorkerHost.TryRun(args) is { } exitCode) return exitCode;
try
{
    ParseResult parsed = CommandTree.Build().Parse(args);
    if (parsed.Errors.Count > 0)
    {
        foreach (ParseError error in parsed.Errors) Console.Error.WriteLine(error.Message);
        Console.Error.WriteLine("--help explains, with examples");
        return 2;
    }
    // SIGTERM and Ctrl-C cancel the command's token; serve drains by its own limit, so the library sets none.
    return await parsed.InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = Timeout.InfiniteTimeSpan });
}
catch (OptionsException e)
{
    foreach (string error in e.Errors) Console.Error.WriteLine(error);
    return 2;
}
catch (CommandException e)
{
    Console.Error.WriteLine(e.Message);
    return e.ExitCode;
}
catch (OperationCanceledException)
{
    Console.Error.WriteLine("stopped");
    return 130;
}
