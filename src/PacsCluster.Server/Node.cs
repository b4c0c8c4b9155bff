using PacsCluster.Blobs;
using PacsCluster.Catalog;
using PacsCluster.Engine;
using PacsCluster.Server.Options;

namespace PacsCluster.Server;

/// <summary>The composition: catalog, blobs and archive of one data folder, opened in that order and closed in the other.</summary>
internal sealed class Node : IAsyncDisposable
{
    private Node(ServerOptions options, SqliteCatalog catalog, FileBlobStore blobs, Archive archive)
    {
        Options = options;
        Catalog = catalog;
        Blobs = blobs;
        Archive = archive;
    }

    /// <summary>What it was opened with.</summary>
    public ServerOptions Options { get; }

    /// <summary>The catalog.</summary>
    public SqliteCatalog Catalog { get; }

    /// <summary>The blobs.</summary>
    public FileBlobStore Blobs { get; }

    /// <summary>The engine over both.</summary>
    public Archive Archive { get; }

    /// <summary>Opens what lies in the data folder, making it when it is new.</summary>
    /// <param name="options">Options; Data is a full path.</param>
    /// <param name="loggers">Loggers.</param>
    /// <param name="start">Start the commit loop and the sweeps; commands that only read do not.</param>
    /// <param name="ct">Cancels.</param>
    /// <exception cref="CommandException">It cannot be opened.</exception>
    public static async Task<Node> OpenAsync(ServerOptions options, ILoggerFactory loggers, bool start, CancellationToken ct)
    {
        try
        {
            Directory.CreateDirectory(options.Data);
            SqliteCatalog catalog = await SqliteCatalog.OpenAsync(new SqliteCatalogOptions { Path = DataFolder.Catalog(options.Data) }, TimeProvider.System, ct);
            var blobs = new FileBlobStore(new FileBlobStoreOptions { Folder = DataFolder.Blobs(options.Data) }, TimeProvider.System);
            var archive = new Archive(options.Engine, catalog, blobs, TimeProvider.System, loggers);
            if (start) await archive.StartAsync(ct);
            return new Node(options, catalog, blobs, archive);
        }
        catch (Exception e) when (e is CatalogUnavailableException or BlobStoreUnavailableException or IOException or UnauthorizedAccessException)
        {
            throw new CommandException($"the archive in {options.Data} cannot be opened: {e.Message}");
        }
    }

    /// <summary>For commands that look at an archive: they make none.</summary>
    /// <exception cref="CommandException">There is none.</exception>
    public static void RequireArchive(string data)
    {
        if (!File.Exists(DataFolder.Catalog(data))) throw new CommandException($"there is no archive in {data} (--data names its folder)") { ExitCode = 2 };
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await Archive.DisposeAsync();
        await Blobs.DisposeAsync();
        await Catalog.DisposeAsync();
    }
}
