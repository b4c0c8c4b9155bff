using System.Globalization;
using PacsCluster.Blobs;
using PacsCluster.Catalog;
using PacsCluster.Engine;
using PacsCluster.Server.Options;

namespace PacsCluster.Server;

/// <summary>The composition: blobs, catalog and archive of one data folder, opened in that order.</summary>
internal sealed class Node : IAsyncDisposable
{
    private Node(ServerOptions options, ICatalog catalog, IReadOnlyList<OpenStore> stores, Archive archive)
    {
        Options = options;
        Catalog = catalog;
        Stores = stores;
        Archive = archive;
    }

    /// <summary>What it was opened with.</summary>
    public ServerOptions Options { get; }

    /// <summary>The catalog.</summary>
    public ICatalog Catalog { get; }

    /// <summary>The blob stores; the first is <c>files</c>.</summary>
    public IReadOnlyList<OpenStore> Stores { get; }

    /// <summary>The engine over both.</summary>
    public Archive Archive { get; }

    /// <summary>Opens what lies in the data folder, making it when it is new.</summary>
    /// <param name="options">Options; Data is a full path.</param>
    /// <param name="loggers">Loggers.</param>
    /// <param name="start">Start the work on reminders; commands that only read do not.</param>
    /// <param name="ct">Cancels.</param>
    /// <param name="serves">It opens doors, and is listed among the nodes.</param>
    /// <exception cref="CommandException">It cannot be opened.</exception>
    public static async Task<Node> OpenAsync(ServerOptions options, ILoggerFactory loggers, bool start, CancellationToken ct, bool serves = false)
    {
        try
        {
            Directory.CreateDirectory(options.Data);
            IReadOnlyList<OpenStore> opened = options.Blobs.Open(options.Data, TimeProvider.System);
            IBlobStore[] stores = [.. opened.Select(s => s.Store)];
            ICatalog catalog = options.Catalog.ConnectionString.Length > 0
                ? await PostgresCatalog.OpenAsync(options.Catalog, TimeProvider.System, ct)
                : await SqliteCatalog.OpenAsync(
                    new SqliteCatalogOptions
                    {
                        Path = DataFolder.Catalog(options.Data),
                        LogLost = fault => Log.CommitLogLost(loggers.CreateLogger<Node>(), fault.Message),
                        MakeDurableAsync = blobs => LastCommit.MakeDurableAsync(stores, blobs),
                    },
                    TimeProvider.System, ct);
            var archive = new Archive(options.Engine, catalog, stores, TimeProvider.System, loggers)
            {
                BulkDataBase = options.Web.PublicUrl.Length > 0 ? options.Web.PublicUrl : options.Web.Path,
                Node = serves ? Describe(options) : null,
            };
            if (start) await archive.StartAsync(ct);
            return new Node(options, catalog, opened, archive);
        }
        catch (Exception e) when (e is CatalogUnavailableException or BlobStoreUnavailableException or BlobStoreFullException or IOException or UnauthorizedAccessException)
        {
            throw new CommandException($"the archive in {options.Data} cannot be opened: {e.Message}");
        }
    }

    private static NodeDescription Describe(ServerOptions options) => new()
    {
        Name = options.Node.Name.Length > 0 ? options.Node.Name : Environment.MachineName,
        Site = options.Node.Site,
        Roles = ["dimse", "web", "worker"],
        Addresses =
        [
            string.Create(CultureInfo.InvariantCulture, $"dicom://{options.Dimse.BindAddress}:{options.Dimse.Port}/{options.Dimse.AETitle}"),
            string.Create(CultureInfo.InvariantCulture, $"http://{options.Http.BindAddress}:{options.Http.Port}{options.Web.Path}"),
        ],
        SoftwareVersion = ServerVersion.Text,
    };

    /// <summary>For commands that look at an archive: they make none.</summary>
    /// <exception cref="CommandException">There is none.</exception>
    public static void RequireArchive(ServerOptions options)
    {
        string place = options.Catalog.ConnectionString.Length > 0 ? options.Data : DataFolder.Catalog(options.Data);
        if (!Path.Exists(place)) throw new CommandException($"there is no archive in {options.Data} (--data names its folder)") { ExitCode = 2 };
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await Archive.DisposeAsync();
        foreach (OpenStore store in Stores) await store.Store.DisposeAsync();
        await Catalog.DisposeAsync();
    }
}
