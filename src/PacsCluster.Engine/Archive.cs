using Microsoft.Extensions.Logging;
using PacsCluster.Blobs;
using PacsCluster.Catalog;

namespace PacsCluster.Engine;

/// <summary>Everything of the engine over one catalog and one blob store. The caller owns those two and disposes them after this.</summary>
public sealed class Archive : IAsyncDisposable
{
    private readonly EngineOptions _options;
    private readonly TimeProvider _time;
    private readonly Metrics _metrics = new();
    private readonly ILogger _logger;
    private readonly CommitQueue _queue;
    private readonly CancellationTokenSource _stopping = new();
    private Task _sweeping = Task.CompletedTask;
    private bool _isStarted;
    private int _isDisposed;

    /// <summary>Composes; nothing runs before <see cref="StartAsync"/>.</summary>
    /// <param name="options">Validated options.</param>
    /// <param name="catalog">The catalog, one that can be written.</param>
    /// <param name="blobs">Where instances go.</param>
    /// <param name="time">The clock.</param>
    /// <param name="loggers">Loggers.</param>
    /// <exception cref="ArgumentException">The options are wrong (every error is named), or the catalog can only be read.</exception>
    public Archive(EngineOptions options, ICatalog catalog, IBlobStore blobs, TimeProvider time, ILoggerFactory loggers)
        : this(options, catalog, catalog as ICatalogWriter ?? throw new ArgumentException("the catalog can only be read", nameof(catalog)), blobs, time, loggers)
    {
    }

    internal Archive(EngineOptions options, ICatalog catalog, ICatalogWriter writer, IBlobStore blobs, TimeProvider time, ILoggerFactory loggers)
    {
        if (options.Validate() is { Count: > 0 } errors) throw new ArgumentException(string.Join("; ", errors), nameof(options));
        _options = options;
        _time = time;
        _logger = loggers.CreateLogger("PacsCluster.Engine");
        _queue = new CommitQueue(options, catalog, writer, blobs, time, _metrics, _logger);
        Catalog = catalog;
        Ingest = new Ingest(options, blobs, _queue, time, _metrics, _logger);
        Retrieve = new Retrieve(blobs);
        Verify = new Verify(options, catalog, blobs, time);
        OrphanSweep = new OrphanSweep(catalog, blobs, time, _logger);
        Quarantine = new Quarantine(options, catalog, writer, blobs, _queue);
    }

    /// <summary>Stores.</summary>
    public Ingest Ingest { get; }

    /// <summary>Retrieves.</summary>
    public Retrieve Retrieve { get; }

    /// <summary>Walks and compares.</summary>
    public Verify Verify { get; }

    /// <summary>Deletes garbage.</summary>
    public OrphanSweep OrphanSweep { get; }

    /// <summary>What was kept aside.</summary>
    public Quarantine Quarantine { get; }

    /// <summary>Instances that wait for the next commit.</summary>
    internal int Waiting => _queue.Waiting;

    /// <summary>What is held and where.</summary>
    public ICatalog Catalog { get; }

    /// <summary>Starts the sweep.</summary>
    public Task StartAsync(CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (_isStarted) throw new InvalidOperationException("started already");
        _isStarted = true;
        if (_options.OrphanSweepInterval > TimeSpan.Zero)
            _sweeping = Task.Run(() => OrphanSweep.RunForeverAsync(_options.OrphanSweepInterval, _options.OrphanAge, _stopping.Token), CancellationToken.None);
        return Task.CompletedTask;
    }

    /// <summary>Takes no new stores, waits for those in flight up to <see cref="EngineOptions.DrainTimeout"/>, and stops.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _isDisposed, 1) != 0) return;
        await _stopping.CancelAsync();
        await _sweeping.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        long deadline = _time.GetTimestamp() + (long)(_options.DrainTimeout.TotalSeconds * _time.TimestampFrequency);
        while (Ingest.InFlight > 0 && _time.GetTimestamp() < deadline) await Task.Delay(TimeSpan.FromMilliseconds(10), _time);
        if (Ingest.InFlight > 0) Log.DrainTimedOut(_logger, Ingest.InFlight, _options.DrainTimeout);
        await _queue.DisposeAsync();
        Quarantine.Dispose();
        _stopping.Dispose();
        _metrics.Dispose();
    }
}
