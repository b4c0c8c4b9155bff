namespace PacsCluster.Testing;

/// <summary>A file system that is soon full: a tmpfs, which only root may mount.</summary>
public sealed class SmallDisk : IDisposable
{
    private SmallDisk(string path) => Path = path;

    public string Path { get; }

    public static async Task<SmallDisk> MountAsync(string path, int kibibytes)
    {
        Directory.CreateDirectory(path);
        if (!OperatingSystem.IsLinux() || Environment.UserName != "root") throw Missing.Because("mounting a small disk needs root on Linux");
        ToolResult mounted = await Tool.RunAsync("mount", ["-t", "tmpfs", "-o", $"size={kibibytes}k", "tmpfs", path]);
        if (mounted.ExitCode != 0) throw Missing.Because("a tmpfs cannot be mounted here: " + mounted.Output);
        return new SmallDisk(path);
    }

    /// <summary>Writes a file until nothing more fits.</summary>
    public static void Fill(string file)
    {
        using FileStream stream = File.Create(file, bufferSize: 1);
        try
        {
            while (true) stream.Write(new byte[4096]);
        }
        catch (IOException)
        {
        }
    }

    public void Dispose()
    {
        using var unmount = Tool.Start(Tool.Find("umount")!, ["-l", Path]);
        unmount.WaitForExit();
    }
}
