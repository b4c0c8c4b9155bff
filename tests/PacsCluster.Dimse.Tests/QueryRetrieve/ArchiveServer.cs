using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using PacsCluster.Blobs;
using PacsCluster.Catalog;
using PacsCluster.Dicom;
using PacsCluster.Engine;
using PacsCluster.Testing;

namespace PacsCluster.Dimse.Tests.QueryRetrieve;

/// <summary>The application entity over a real archive (SQLite, files) in a folder of its own, on a free port of loopback.</summary>
internal sealed class ArchiveServer : IAsyncDisposable
{
    private readonly TempFolder _folder;
    private readonly WebApplication _app;
    private readonly SqliteCatalog _catalog;
    private readonly FileBlobStore _blobs;

    private ArchiveServer(TempFolder folder, WebApplication app, SqliteCatalog catalog, FileBlobStore blobs, Archive archive, DimseOptions options, int port)
    {
        _folder = folder;
        _app = app;
        _catalog = catalog;
        _blobs = blobs;
        Archive = archive;
        Options = options;
        Port = port;
    }

    public Archive Archive { get; }

    public DimseOptions Options { get; }

    public int Port { get; }

    public DimsePeer Peer => new(Options.AETitle, "127.0.0.1", Port);

    public string BlobFolder => _folder.At("blobs");

    /// <param name="options">The port is chosen here.</param>
    /// <param name="wrap">Puts something between the service and the catalog.</param>
    /// <param name="wrapBlobs">Puts something between the archive and the files.</param>
    public static async Task<ArchiveServer> StartAsync(DimseOptions? options = null, Func<ICatalog, ICatalog>? wrap = null, Func<IBlobStore, IBlobStore>? wrapBlobs = null)
    {
        options = (options ?? new DimseOptions()) with { Port = 0 };
        Assert.Empty(options.Validate());
        var folder = new TempFolder();
        SqliteCatalog catalog = await SqliteCatalog.OpenAsync(new SqliteCatalogOptions { Path = folder.At("catalog.db") }, TimeProvider.System, CancellationToken.None);
        var blobs = new FileBlobStore(new FileBlobStoreOptions { Folder = folder.At("blobs") }, TimeProvider.System);
        var archive = new Archive(new EngineOptions(), catalog, [wrapBlobs is null ? blobs : wrapBlobs(blobs)], TimeProvider.System, NullLoggerFactory.Instance);
        await archive.StartAsync(CancellationToken.None);

        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        ListenOptions? listening = null;
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.ListenDicom(options, listen => listening = listen));
        builder.Services.AddSingleton(archive.Ingest);
        builder.Services.AddSingleton(archive.Retrieve);
        builder.Services.AddSingleton(wrap is null ? catalog : wrap(catalog));
        builder.Services.AddPacsDimse(options);
        WebApplication app = builder.Build();
        await app.StartAsync();
        return new ArchiveServer(folder, app, catalog, blobs, archive, options, ((DicomEndPoint)listening!.EndPoint).Address.Port);
    }

    /// <summary>Stores a PS3.10 file as an import would.</summary>
    public async Task StoreAsync(string file)
    {
        byte[] bytes = await File.ReadAllBytesAsync(file);
        FileStart start = Part10.ReadStart(bytes);
        using var dataSet = new MemoryStream(bytes, start.DataSetOffset, bytes.Length - start.DataSetOffset, writable: false);
        StoreOutcome outcome = await Archive.Ingest.StoreAsync(dataSet, new StoreOrigin
        {
            TransferSyntax = start.TransferSyntax,
            CallingAETitle = "TEST",
            CalledAETitle = Options.AETitle,
            RemoteAddress = "127.0.0.1",
            Door = StoreDoor.Import,
        }, CancellationToken.None);
        Assert.True(outcome.IsSuccess, $"{file}: {outcome.Kind} {outcome.Comment}");
    }

    public async ValueTask DisposeAsync()
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(2));
        await _app.StopAsync(limit.Token);
        await _app.DisposeAsync();
        await Archive.DisposeAsync();
        await _blobs.DisposeAsync();
        await _catalog.DisposeAsync();
        _folder.Dispose();
    }

    /// <summary>Waits until somebody listens on a port of loopback.</summary>
    public static async Task WaitForListenerAsync(int port)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        while (true)
        {
            using var probe = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            try
            {
                await probe.ConnectAsync(new IPEndPoint(IPAddress.Loopback, port), limit.Token);
                return;
            }
            catch (SocketException)
            {
                await Task.Delay(20, limit.Token);
            }
        }
    }
}
