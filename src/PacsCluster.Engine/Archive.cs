using Microsoft.Extensions.Logging;
using PacsCluster.Blobs;
using PacsCluster.Catalog;
using PacsCluster.Imaging;

namespace PacsCluster.Engine;

/// <summary>Everything of the engine over one catalog and the blob stores of this node. The caller owns those and disposes them after this.</summary>
public sealed class Archive : IAsyncDisposable
{
    private readonly EngineOptions _options;
    private readonly TimeProvider _time;
    private readonly Metrics _metrics = new();
    private readonly ILogger _logger;
    private readonly CommitQueue _queue;
    private readonly ObservedWriter _writer;
    private readonly BlobStores _stores;
    private readonly CancellationTokenSource _stopping = new();
    private Task _working = Task.CompletedTask;
    private Task _leasing = Task.CompletedTask;
    private bool _isStarted;
    private int _isDisposed;

    /// <summary>Composes; nothing runs before <see cref="StartAsync"/>.</summary>
    /// <param name="options">Validated options.</param>
    /// <param name="catalog">The catalog, one that can be written.</param>
    /// <param name="stores">Where instances go: the stores that the policies name; the first is the one for policies that name none.</param>
    /// <param name="time">The clock.</param>
    /// <param name="loggers">Loggers.</param>
    /// <exception cref="ArgumentException">The options are wrong (every error is named), or the catalog can only be read.</exception>
    public Archive(EngineOptions options, ICatalog catalog, IReadOnlyList<IBlobStore> stores, TimeProvider time, ILoggerFactory loggers)
        : this(options, catalog, catalog as ICatalogWriter ?? throw new ArgumentException("the catalog can only be read", nameof(catalog)), stores, time, loggers)
    {
    }

    internal Archive(EngineOptions options, ICatalog catalog, ICatalogWriter writer, IReadOnlyList<IBlobStore> stores, TimeProvider time, ILoggerFactory loggers)
    {
        if (options.Validate() is { Count: > 0 } errors) throw new ArgumentException(string.Join("; ", errors), nameof(options));
        _options = options;
        _time = time;
        _logger = loggers.CreateLogger("PacsCluster.Engine");
        _stores = new BlobStores(stores, options, _logger);
        _writer = new ObservedWriter(writer);
        _queue = new CommitQueue(options, catalog, _writer, _stores, time, _metrics, _logger);
        Catalog = catalog;
        Ingest = new Ingest(options, _stores, _queue, time, _metrics, _logger);
        Codecs = new FrameCodecs(options.Codecs);
        Retrieve = new Retrieve(_stores, Codecs);
        Verify = new Verify(options, catalog, _writer, _stores, time);
        OrphanSweep = new OrphanSweep(catalog, _stores, time, _logger);
        Quarantine = new Quarantine(options, catalog, _writer, _stores, _queue);
        Metadata = new Metadata(catalog, () => BulkDataBase);
        Completion = new StudyCompletion(options, catalog, _writer, () => BulkDataBase, time, _logger);
        var compression = new StudyCompression(options, catalog, _writer, _stores, _queue, Completion, Codecs, time, _logger);
        ChangeFeed = new ChangeFeed(options, catalog, _writer, time);
        Deletion = new Deletion(options, catalog, _writer, _stores, _queue, time, _logger);
        Reminders = new Reminders(_writer, options, time, _metrics, _logger, $"{Environment.MachineName}-{Guid.NewGuid():N}");
        Reminders.Handle(StudyCompletion.Kind, StudyCompletion.Name, Completion.HandleAsync);
        Reminders.Handle(StudyCompression.Kind, StudyCompression.StudyName, compression.HandleAsync);
        Reminders.Handle(StudyCompression.Kind, StudyCompression.RetiredName, (_, ct) => compression.HandleRetiredAsync(ct));
        Reminders.Handle(Deletion.Kind, Deletion.PurgeName, Deletion.HandlePurgeAsync);
        Reminders.Handle(ChangeFeed.Kind, ChangeFeed.Name, (_, ct) => ChangeFeed.TrimAsync(ct));
        Reminders.Handle(OrphanSweep.Kind, OrphanSweep.Name, (reminder, ct) => OrphanSweep.HandleAsync(reminder, options, ct));
        var later = new LaterCopies(options, catalog, _writer, _stores, time, _logger);
        foreach (IBlobStore store in _stores.All) Reminders.Handle(LaterCopies.KindOf(store.Name), LaterCopies.Name, later.HandleAsync);
    }

    /// <summary>Stores.</summary>
    public Ingest Ingest { get; }

    /// <summary>Retrieves.</summary>
    public Retrieve Retrieve { get; }

    /// <summary>Decodes and encodes frames: the one of this node, with its limits.</summary>
    public FrameCodecs Codecs { get; }

    /// <summary>Walks and compares.</summary>
    public Verify Verify { get; }

    /// <summary>Deletes garbage.</summary>
    public OrphanSweep OrphanSweep { get; }

    /// <summary>What was kept aside.</summary>
    public Quarantine Quarantine { get; }

    /// <summary>Metadata of instances, series and studies.</summary>
    public Metadata Metadata { get; }

    /// <summary>Completes studies.</summary>
    public StudyCompletion Completion { get; }

    /// <summary>What happened.</summary>
    public ChangeFeed ChangeFeed { get; }

    /// <summary>Deletes, and takes deletions back.</summary>
    public Deletion Deletion { get; }

    /// <summary>What the BulkDataURIs in metadata begin with, in front of <c>/studies/…</c>: an absolute path, or a URL, without a slash at its end. Default <c>/dicom-web</c>. Metadata
    /// packed with another one is packed anew when its study next completes, and made from the headers until then.</summary>
    public string BulkDataBase { get; init; } = "/dicom-web";

    /// <summary>This node, to be listed while it runs; null (default) for one that is not listed.</summary>
    public NodeDescription? Node { get; init; }

    /// <summary>What is to be done later.</summary>
    internal Reminders Reminders { get; }

    /// <summary>Instances that wait for the next commit.</summary>
    internal int Waiting => _queue.Waiting;

    /// <summary>What is held and where.</summary>
    public ICatalog Catalog { get; }

    /// <summary>Starts the work on reminders and the node's lease.</summary>
    /// <exception cref="CatalogUnavailableException">The catalog cannot be written now.</exception>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (_isStarted) throw new InvalidOperationException("started already");
        _isStarted = true;
        if (_options.ReminderConcurrency > 0)
        {
            await SetStandingRemindersAsync(cancellationToken);
            _working = Task.Run(() => Reminders.RunAsync(_stopping.Token), CancellationToken.None);
        }
        if (Node is { } node) _leasing = Task.Run(() => new NodeLeases(_options, _writer, _time, _logger, node).RunAsync(_stopping.Token), CancellationToken.None);
    }

    /// <summary>What is done again and again, on whichever node: set once, kept by every later start.</summary>
    private ValueTask SetStandingRemindersAsync(CancellationToken ct)
    {
        DateTimeOffset now = _time.GetUtcNow();
        var changes = new CatalogChanges { NewReminders = { new ReminderRow { Id = new ReminderId(ChangeFeed.Kind, ChangeFeed.Key, ChangeFeed.Name), DueAt = now }, StudyCompression.RetiredReminder(now) } };
        if (_options.OrphanSweepInterval > TimeSpan.Zero)
            changes.NewReminders.AddRange(_stores.All.Select(store => new ReminderRow { Id = OrphanSweep.ReminderOf(store.Name), DueAt = now + _options.OrphanSweepInterval }));
        changes.NewReminders.AddRange(_stores.Later.Select(store => new ReminderRow { Id = LaterCopies.ReminderOf(store), DueAt = now }));
        return _writer.CommitAsync(changes, ct);
    }

    /// <summary>Takes no new stores, waits for those in flight up to <see cref="EngineOptions.DrainTimeout"/>, and stops.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _isDisposed, 1) != 0) return;
        await _stopping.CancelAsync();
        await _working;
        await _leasing;
        long deadline = _time.GetTimestamp() + (long)(_options.DrainTimeout.TotalSeconds * _time.TimestampFrequency);
        while (Ingest.InFlight > 0 && _time.GetTimestamp() < deadline) await Task.Delay(TimeSpan.FromMilliseconds(10), _time);
        if (Ingest.InFlight > 0) Log.DrainTimedOut(_logger, Ingest.InFlight, _options.DrainTimeout);
        await _queue.DisposeAsync();
        Quarantine.Dispose();
        Deletion.Dispose();
        await Codecs.DisposeAsync();
        _stopping.Dispose();
        _metrics.Dispose();
    }
}
