using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using PacsCluster.Blobs;
using PacsCluster.Catalog;
using PacsCluster.Dicom;
using PacsCluster.Dimse;
using PacsCluster.Engine;
using PacsCluster.Testing;

namespace PacsCluster.Web.Tests;

/// <summary>DICOMweb and the DICOM application entity over one real archive (SQLite, files) in a folder of its own, on free ports of loopback.</summary>
internal sealed class WebServer : IAsyncDisposable
{
    private readonly TempFolder _folder;
    private readonly WebApplication _app;
    private readonly SqliteCatalog _catalog;
    private readonly FileBlobStore _blobs;

    private WebServer(TempFolder folder, WebApplication app, SqliteCatalog catalog, FileBlobStore blobs, Archive archive, WebOptions options, int dicomPort, int httpPort)
    {
        _folder = folder;
        _app = app;
        _catalog = catalog;
        _blobs = blobs;
        Archive = archive;
        DicomPort = dicomPort;
        Host = new Uri($"http://127.0.0.1:{httpPort}");
        Root = $"http://127.0.0.1:{httpPort}{options.Path}";
        Client = new HttpClient(new SocketsHttpHandler { AutomaticDecompression = DecompressionMethods.None, UseProxy = false }) { BaseAddress = new Uri(Root + "/"), Timeout = TimeSpan.FromMinutes(2) };
    }

    public Archive Archive { get; }

    public ICatalog Catalog => _catalog;

    /// <summary>http://127.0.0.1:PORT/</summary>
    public Uri Host { get; }

    /// <summary>http://127.0.0.1:PORT/dicom-web, without a slash at its end.</summary>
    public string Root { get; }

    public int DicomPort { get; }

    /// <summary>The application entity's title is PACSCLUSTER.</summary>
    public DimsePeer Peer => new("PACSCLUSTER", "127.0.0.1", DicomPort);

    /// <summary>Relative to <see cref="Root"/>: GetAsync("studies"). Decompresses nothing.</summary>
    public HttpClient Client { get; }

    public string BlobFolder => _folder.At("blobs");

    /// <param name="options">Options of DICOMweb.</param>
    /// <param name="engine">Options of the engine.</param>
    /// <param name="wrap">Puts something between the doors and the catalog.</param>
    /// <param name="wrapBlobs">Puts something between the archive and the blobs.</param>
    /// <param name="before">Puts something in front of DICOMweb.</param>
    /// <param name="protocols">What HTTP speaks on its port.</param>
    public static async Task<WebServer> StartAsync(WebOptions? options = null, EngineOptions? engine = null, Func<ICatalog, ICatalog>? wrap = null, Func<IBlobStore, IBlobStore>? wrapBlobs = null,
        Action<WebApplication>? before = null, HttpProtocols protocols = HttpProtocols.Http1)
    {
        options ??= new WebOptions();
        Assert.Empty(options.Validate());
        var folder = new TempFolder();
        SqliteCatalog catalog = await SqliteCatalog.OpenAsync(new SqliteCatalogOptions { Path = folder.At("catalog.db") }, TimeProvider.System, CancellationToken.None);
        var blobs = new FileBlobStore(new FileBlobStoreOptions { Folder = folder.At("blobs") }, TimeProvider.System);
        var archive = new Archive(engine ?? new EngineOptions(), catalog, [wrapBlobs is null ? blobs : wrapBlobs(blobs)], TimeProvider.System, NullLoggerFactory.Instance);
        await archive.StartAsync(CancellationToken.None);

        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        var dimse = new DimseOptions { Port = 0 };
        ListenOptions? dicom = null, http = null;
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.ListenDicom(dimse, listen => dicom = listen);
            kestrel.Listen(IPAddress.Loopback, 0, listen =>
            {
                listen.Protocols = protocols;
                http = listen;
            });
        });
        builder.Services.AddRoutingCore();
        builder.Services.AddSingleton(archive.Ingest).AddSingleton(archive.Retrieve).AddSingleton(archive.Metadata).AddSingleton(archive.ChangeFeed).AddSingleton(archive.Deletion).AddSingleton(archive.Codecs).AddSingleton(wrap is null ? catalog : wrap(catalog));
        builder.Services.AddPacsDimse(dimse);
        builder.Services.AddPacsWeb(options);
        WebApplication app = builder.Build();
        before?.Invoke(app);
        app.MapDicomWeb();
        await app.StartAsync();
        return new WebServer(folder, app, catalog, blobs, archive, options, ((DicomEndPoint)dicom!.EndPoint).Address.Port, http!.IPEndPoint!.Port);
    }

    /// <summary>Stores a PS3.10 file as an import would.</summary>
    public async Task StoreAsync(string file) => await StoreAsync(await File.ReadAllBytesAsync(file));

    /// <summary>Stores the bytes of a PS3.10 file as an import would.</summary>
    public async Task StoreAsync(byte[] file)
    {
        StoreOutcome outcome = await TryStoreAsync(file);
        Assert.True(outcome.IsSuccess, $"{outcome.Kind} {outcome.Comment}");
    }

    /// <summary>As StoreAsync, for what may be refused.</summary>
    public async Task<StoreOutcome> TryStoreAsync(byte[] file)
    {
        FileStart start = Part10.ReadStart(file);
        using var dataSet = new MemoryStream(file, start.DataSetOffset, file.Length - start.DataSetOffset, writable: false);
        return await Archive.Ingest.StoreAsync(dataSet, new StoreOrigin { TransferSyntax = start.TransferSyntax, RemoteAddress = "127.0.0.1", Door = StoreDoor.Import }, CancellationToken.None);
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(2));
        await _app.StopAsync(limit.Token);
        await _app.DisposeAsync();
        await Archive.DisposeAsync();
        await _blobs.DisposeAsync();
        await _catalog.DisposeAsync();
        _folder.Dispose();
    }
}
