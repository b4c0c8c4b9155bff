using PacsCluster.Imaging.Workers;

namespace PacsCluster.Imaging;

/// <summary>Lets a program be its own codec worker, so that a node that brings its runtime along needs nothing else on the machine. A program says so by the assembly
/// metadata <c>CodecWorker</c> and calls <see cref="TryRun"/> before anything else; for programs that do not, this assembly is run by the installed runtime.</summary>
public static class CodecWorkerHost
{
    /// <summary>First argument of a worker.</summary>
    public const string Command = "codec-worker";

    /// <summary>Runs as a worker where the arguments ask for one.</summary>
    /// <returns>The exit code; null when the arguments are the program's own.</returns>
    public static int? TryRun(string[] arguments)
    {
        ArgumentNullException.ThrowIfNull(arguments);
        return arguments is [Command, .. string[] rest] ? WorkerProgram.Main(rest) : null;
    }
}
