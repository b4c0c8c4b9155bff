using System.Diagnostics;
using System.Text;

namespace PacsCluster.Testing;

/// <summary>What a finished program said.</summary>
/// <param name="ExitCode">Its exit code.</param>
/// <param name="Output">Standard output and error, lines as they came.</param>
public sealed record ToolResult(int ExitCode, string Output);

/// <summary>Programs that we did not write (DCMTK, GDCM, python3 with pydicom, node): found on PATH, run with a time limit.</summary>
public static class Tool
{
    /// <summary>Full path of a program on PATH, or null.</summary>
    public static string? Find(string name)
    {
        foreach (string folder in (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator))
        {
            string path = Path.Combine(folder, name);
            if (File.Exists(path)) return path;
        }
        return null;
    }

    /// <summary>Runs to the end. A missing program skips the test, or fails it in CI; so does one that takes longer than the limit.</summary>
    /// <param name="name">Program name, or a full path.</param>
    /// <param name="arguments">Its arguments, one each.</param>
    /// <param name="timeoutSeconds">Limit in seconds; the program is ended there and the call throws TimeoutException.</param>
    /// <param name="environment">Variables to set for it.</param>
    /// <param name="workingDirectory">Where it runs.</param>
    public static async Task<ToolResult> RunAsync(string name, IEnumerable<string> arguments, int timeoutSeconds = 60,
        IReadOnlyDictionary<string, string>? environment = null, string? workingDirectory = null)
    {
        string path = Path.IsPathRooted(name) ? name : Find(name) ?? throw Missing.Because($"{name} is not installed: tests/run installs it as root on Debian");
        using Process process = Start(path, arguments, environment, workingDirectory);
        var output = new StringBuilder();
        void Take(object sender, DataReceivedEventArgs e)
        {
            if (e.Data is null) return;
            lock (output) output.AppendLine(e.Data);
        }
        process.OutputDataReceived += Take;
        process.ErrorDataReceived += Take;
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(timeoutSeconds));
        try
        {
            await process.WaitForExitAsync(limit.Token);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw new TimeoutException($"{name} ran longer than {timeoutSeconds} s; it said: {output}");
        }
        lock (output) return new ToolResult(process.ExitCode, output.ToString());
    }

    /// <summary>Starts a program with both outputs redirected; the caller ends and disposes it.</summary>
    public static Process Start(string path, IEnumerable<string> arguments, IReadOnlyDictionary<string, string>? environment = null, string? workingDirectory = null)
    {
        var start = new ProcessStartInfo(path)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
            WorkingDirectory = workingDirectory ?? "",
        };
        foreach (string argument in arguments) start.ArgumentList.Add(argument);
        foreach ((string key, string value) in environment ?? new Dictionary<string, string>()) start.Environment[key] = value;
        Process process = Process.Start(start)!;
        process.StandardInput.Close();
        return process;
    }
}
