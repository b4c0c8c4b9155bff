using PacsCluster.Catalog;
using PacsCluster.Dimse;
using PacsCluster.Engine;
using PacsCluster.Web;

namespace PacsCluster.Server.Options;

/// <summary>Everything that an operator can choose, read once at start and passed down as values.</summary>
public sealed record ServerOptions
{
    /// <summary>The words that <see cref="BeyondLoopback"/> wants.</summary>
    public const string BeyondLoopbackWords = "nobody is asked who they are";

    /// <summary>Folder of the catalog and the blobs (where no option puts them elsewhere), made when missing; relative to the working folder. Default <c>data</c>.</summary>
    public string Data { get; init; } = "data";

    /// <summary>This node among the others of the archive.</summary>
    public NodeOptions Node { get; init; } = new();

    /// <summary>Where the catalog lies: on PostgreSQL when there is a connection string, else in the data folder (SQLite).</summary>
    public PostgresCatalogOptions Catalog { get; init; } = new();

    /// <summary>Where blobs lie.</summary>
    public BlobsOptions Blobs { get; init; } = new();

    /// <summary>The DICOM application entity.</summary>
    public DimseOptions Dimse { get; init; } = new();

    /// <summary>Where HTTP listens: DICOMweb, the health page and what comes with it.</summary>
    public HttpOptions Http { get; init; } = new();

    /// <summary>DICOMweb.</summary>
    public WebOptions Web { get; init; } = new();

    /// <summary>Store, retrieve and their policies.</summary>
    public EngineOptions Engine { get; init; } = new();

    /// <summary>What is written to standard output.</summary>
    public LogOptions Log { get; init; } = new();

    /// <summary>DICOM authenticates no caller, and HTTP only where <c>Web:Access:Callers</c> names some; what does not, listens on loopback only. To listen elsewhere all the same,
    /// write here the words <c>nobody is asked who they are</c>. Default empty.</summary>
    public string BeyondLoopback { get; init; } = "";

    /// <summary>Time that a stop waits for associations and requests to end. Default 30 s, 0 to 10 min; then they are aborted.</summary>
    public TimeSpan StopTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Threads that the pool starts with at once; blocking syncs to disk hold one each. Default 16, 1 to 1,024.</summary>
    public int MinThreads { get; init; } = 16;
}

/// <summary>Who this node is.</summary>
public sealed record NodeOptions
{
    /// <summary>Its name, unique among the archive's nodes; up to 64 characters. Default empty: the machine's name.</summary>
    public string Name { get; init; } = "";

    /// <summary>Where it stands, e.g. <c>hospital-east</c>; up to 64 characters. Default empty: an archive of one site.</summary>
    public string Site { get; init; } = "";
}

/// <summary>The HTTP side.</summary>
public sealed record HttpOptions
{
    /// <summary>Address to listen on. Default <c>127.0.0.1</c>; see <see cref="ServerOptions.BeyondLoopback"/> for others. Nothing is encrypted here: a proxy in front has to do it.</summary>
    public string BindAddress { get; init; } = "127.0.0.1";

    /// <summary>TCP port. Default 8080, 1 to 65,535.</summary>
    public int Port { get; init; } = 8080;

    /// <summary>A second TCP port for HTTP/2 without TLS (prior knowledge), as proxies speak it to what is behind them: without TLS nothing tells the two apart on one port.
    /// Default 0: none; 1 to 65,535.</summary>
    public int Http2Port { get; init; }

    /// <summary>Bytes of an answer that wait in memory for a client that is slower than the disk; then no more is read. Default 524,288 (512 KiB), 64 KiB to 16 MiB.</summary>
    public int ResponseBufferBytes { get; init; } = 512 * 1024;

    /// <summary>Folder of a web viewer's built files, with an index.html (OHIF's <c>dist</c>, or any other): served at <c>/</c> from the same origin as DICOMweb; paths that are no file
    /// get index.html. The status page is at <c>/health</c> then. Default empty: none.</summary>
    public string Viewer { get; init; } = "";

    /// <summary>File served as <c>/app-config.js</c>, where OHIF reads its configuration. Default empty: one that uses this archive.</summary>
    public string ViewerConfig { get; init; } = "";

    /// <summary>What is wrong, a line each.</summary>
    internal IEnumerable<string> Validate()
    {
        if (Port is < 1 or > 65535) yield return $"Http:Port: {Port} is not between 1 and 65535";
        if (Http2Port is < 0 or > 65535) yield return $"Http:Http2Port: {Http2Port} is not between 0 and 65535";
        if (Http2Port == Port) yield return $"Http:Http2Port: {Http2Port} is the other port already";
        if (ResponseBufferBytes is < 64 * 1024 or > 16 * 1024 * 1024) yield return $"Http:ResponseBufferBytes: {ResponseBufferBytes} is not between 64 KiB and 16 MiB";
        if (Viewer.Length > 0 && !File.Exists(Path.Combine(Viewer, "index.html"))) yield return $"Http:Viewer: there is no index.html in {Viewer}";
        if (ViewerConfig.Length > 0 && !File.Exists(ViewerConfig)) yield return $"Http:ViewerConfig: there is no file {ViewerConfig}";
    }
}

/// <summary>How a line of the log looks.</summary>
public enum LogFormat
{
    /// <summary>One line of text.</summary>
    Simple,
    /// <summary>One line of JSON.</summary>
    Json,
}

/// <summary>The log.</summary>
public sealed record LogOptions
{
    /// <summary>Simple or Json. Default Simple.</summary>
    public LogFormat Format { get; init; } = LogFormat.Simple;

    /// <summary>Least level that is written: Trace, Debug, Information, Warning, Error, Critical or None. Default Information.</summary>
    public LogLevel Level { get; init; } = LogLevel.Information;
}
