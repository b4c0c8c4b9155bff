namespace PacsCluster.Server;

/// <summary>A command cannot go on, and the message says all that its user needs: printed as one line, without a stack trace.</summary>
internal sealed class CommandException(string message) : Exception(message)
{
    /// <summary>Exit code: 1 for what went wrong, 2 for what was asked wrongly.</summary>
    public int ExitCode { get; init; } = 1;
}
