using System.Text.Json;

namespace PacsCluster.Server;

/// <summary>Who serves a data folder: where commands on the same machine reach the running node.</summary>
/// <param name="ProcessId">Process.</param>
/// <param name="AETitle">Its AE title.</param>
/// <param name="DicomHost">Address of the DICOM port.</param>
/// <param name="DicomPort">The DICOM port.</param>
/// <param name="HttpPort">The HTTP port.</param>
internal sealed record ServingNode(int ProcessId, string AETitle, string DicomHost, int DicomPort, int HttpPort);

/// <summary>The data folder and its one owner. <c>serve</c> and <c>import</c> hold the lock while they run; the lock goes with the process,
/// however that ends. Layout: <c>catalog.db</c>, <c>blobs/</c>, <c>imports/</c> (what import has done), <c>lock</c>, <c>node.json</c>, <c>pacscluster.json</c>.</summary>
internal sealed class DataFolder : IDisposable
{
    private readonly FileStream _lock;

    private DataFolder(string path, FileStream held)
    {
        Path = path;
        _lock = held;
    }

    /// <summary>Full path.</summary>
    public string Path { get; }

    /// <summary>File of the catalog.</summary>
    public static string Catalog(string path) => System.IO.Path.Combine(path, "catalog.db");

    /// <summary>Folder of the blobs.</summary>
    public static string Blobs(string path) => System.IO.Path.Combine(path, "blobs");

    /// <summary>Takes the folder, making it when missing; null when another process has it.</summary>
    /// <exception cref="CommandException">The folder cannot be made or written.</exception>
    public static DataFolder? TryTake(string path)
    {
        try
        {
            Directory.CreateDirectory(path);
            // FileShare.None is flock(2) here: it ends with the process, so nothing stale is ever left to clean up.
            return new DataFolder(path, new FileStream(System.IO.Path.Combine(path, "lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, 1));
        }
        catch (UnauthorizedAccessException e)
        {
            throw new CommandException($"the data folder {path} cannot be written: {e.Message}");
        }
        catch (IOException e) when (Directory.Exists(path) && File.Exists(System.IO.Path.Combine(path, "lock")) && e is not DirectoryNotFoundException)
        {
            return null;
        }
        catch (IOException e)
        {
            throw new CommandException($"the data folder {path} cannot be used: {e.Message}");
        }
    }

    /// <summary>Tells other commands where the node listens.</summary>
    public void Publish(ServingNode node) => File.WriteAllText(NodeFile(Path), JsonSerializer.Serialize(node));

    /// <summary>The node that serves the folder, as it told; null when it told nothing.</summary>
    public static ServingNode? Serving(string path)
    {
        try
        {
            return JsonSerializer.Deserialize<ServingNode>(File.ReadAllText(NodeFile(path)));
        }
        catch (Exception e) when (e is IOException or JsonException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        File.Delete(NodeFile(Path));
        _lock.Dispose();
    }

    private static string NodeFile(string path) => System.IO.Path.Combine(path, "node.json");
}
