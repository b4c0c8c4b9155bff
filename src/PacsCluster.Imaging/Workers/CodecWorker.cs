using System.Diagnostics;
using System.Globalization;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Text;

namespace PacsCluster.Imaging.Workers;

/// <summary>One worker process and the pipes to it. Not safe for several threads at once.</summary>
internal sealed class CodecWorker : IDisposable
{
    private readonly Process _process;
    private readonly Stream _to;
    private readonly Stream _from;

    private CodecWorker(Process process)
    {
        _process = process;
        _to = process.StandardInput.BaseStream;
        _from = process.StandardOutput.BaseStream;
    }

    /// <summary>Starts one: the program that we are where it can be one (<see cref="CodecWorkerHost"/>), else this assembly by the runtime that runs us.</summary>
    /// <param name="options">Limits.</param>
    public static CodecWorker Start(CodecOptions options)
    {
        Assembly? entry = Assembly.GetEntryAssembly();
        bool isHost = entry?.GetCustomAttributes<AssemblyMetadataAttribute>().Any(a => a.Key == "CodecWorker") == true;
        bool isApphost = isHost && Path.GetFileName(Environment.ProcessPath) is { } name && (name == entry!.GetName().Name || name == entry.GetName().Name + ".exe");
        var start = new ProcessStartInfo(isApphost ? Environment.ProcessPath! : RuntimeHost())
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            WorkingDirectory = AppContext.BaseDirectory,
        };
        if (!isApphost) start.ArgumentList.Add(isHost ? entry!.Location : Path.Combine(AppContext.BaseDirectory, "PacsCluster.Imaging.dll"));
        if (isHost) start.ArgumentList.Add(CodecWorkerHost.Command);
        start.ArgumentList.Add((4L * options.FrameMaxBytes + (1L << 30)).ToString(CultureInfo.InvariantCulture));
        if (options.LibraryFolder is { } folder) start.ArgumentList.Add(folder);
        // One thread that waits in C: no collector threads, nothing to measure, no diagnostics socket.
        start.Environment["DOTNET_gcServer"] = "0";
        start.Environment["DOTNET_gcConcurrent"] = "0";
        start.Environment["DOTNET_TieredPGO"] = "0";
        start.Environment["DOTNET_EnableDiagnostics"] = "0";
        // The collector reserves no more addresses than this, so that the limit on them is about decoding.
        start.Environment["DOTNET_GCHeapHardLimit"] = "0x4000000";
        return new CodecWorker(Process.Start(start)!);
    }

    /// <summary>When it was last used, for ending idle ones.</summary>
    public long IdleSince { get; set; }

    /// <summary>Its process.</summary>
    public int ProcessId => _process.Id;

    /// <summary>Decodes. Blocks its thread while the worker works.</summary>
    /// <param name="request">What to do.</param>
    /// <param name="codestream">The bytes.</param>
    /// <param name="samples">Receives the samples.</param>
    /// <param name="limit">Ends the worker when it is cancelled.</param>
    /// <exception cref="ImagingException">The library refuses the codestream, or is missing. The worker is good for the next frame.</exception>
    /// <exception cref="IOException">The worker is dead.</exception>
    public void Decode(in WorkerRequest request, ReadOnlySpan<byte> codestream, Span<byte> samples, CancellationToken limit)
    {
        using CancellationTokenRegistration kill = limit.Register(static worker => ((CodecWorker)worker!).Kill(), this);
        WorkerRequest message = request;
        _to.Write(MemoryMarshal.AsBytes(new Span<WorkerRequest>(ref message)));
        _to.Write(codestream);
        _to.Flush();
        WorkerReply reply = default;
        _from.ReadExactly(MemoryMarshal.AsBytes(new Span<WorkerReply>(ref reply)));
        if (reply.Status == WorkerStatus.Done && reply.Length == samples.Length)
        {
            _from.ReadExactly(samples);
            return;
        }
        // Memory of a process that ran foreign code on hostile bytes: believed no further than it must be.
        if (reply.Status == WorkerStatus.Done || reply.Length is < 0 or > 4096) throw new IOException("the codec worker answers nonsense");
        byte[] text = new byte[reply.Length];
        _from.ReadExactly(text);
        throw new ImagingException(reply.Status == WorkerStatus.LibraryMissing ? ImagingError.LibraryMissing : ImagingError.Corrupt, Encoding.UTF8.GetString(text));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Kill();
        _to.Dispose();
        _from.Dispose();
        _process.WaitForExit();
        _process.Dispose();
    }

    private void Kill()
    {
        try
        {
            _process.Kill();
        }
        catch (InvalidOperationException)
        {
            // It has ended by itself.
        }
    }

    /// <summary>The program that starts .NET assemblies, of the runtime in use.</summary>
    private static string RuntimeHost()
    {
        string name = OperatingSystem.IsWindows() ? "dotnet.exe" : "dotnet";
        if (Path.GetFileName(Environment.ProcessPath) == name) return Environment.ProcessPath!;
        string beside = Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", "..", name));
        return File.Exists(beside) ? beside : name;
    }
}
