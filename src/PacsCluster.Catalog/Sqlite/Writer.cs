namespace PacsCluster.Catalog.Sqlite;

/// <summary>
/// The one connection that writes. A commit is durable when its record is in the <see cref="CommitLog"/> and its blobs are flushed; the database gets many commits in one transaction of its own, which stays
/// open meanwhile ("published" when it ends). So a commit costs one write of a few KiB and one flush, where the database alone wrote each page that the commit touched, whole,
/// and pages that every commit touches with every commit. Who reads on another connection publishes first, and so sees all that was acknowledged. While another
/// process has the database open too, or where there is no log, each commit is published, and flushed, by itself.
/// </summary>
internal sealed class Writer : IAsyncDisposable
{
    private static readonly TimeSpan s_tryAgainAfter = TimeSpan.FromSeconds(1);

    private readonly SqliteCatalogOptions _options;
    private readonly Database _database;
    private readonly CommitLog? _log;
    private readonly CommitRecord _record = new();
    private readonly WriterThread _thread = new();
    private readonly Timer _timer;
    private Action _published = () => { };

    /// <summary>A transaction is open, and all commits up to <see cref="_number"/> are in it or in front of it.</summary>
    private bool _isOpen;

    /// <summary>Commits go to the log, and the database does not flush its own.</summary>
    private bool _isLogging;

    /// <summary>Records of the log are to be applied again: the transaction that had them is lost.</summary>
    private bool _isBehind;

    /// <summary>Records were applied again: a next failure should not have to do it once more.</summary>
    private bool _isToPublish;

    /// <summary>A commit was published that is not flushed, and is not in the log.</summary>
    private bool _isToFlush;

    /// <summary>The database refused to publish.</summary>
    private bool _isRefused;

    /// <summary>The disk refused a record. This process does without the log from then on.</summary>
    private bool _isLogLost;

    /// <summary>Number of a record that is not to count; 0 when there is none, or another has its number.</summary>
    private long _takenBack;

    /// <summary>Of the last commit, and of the last one that the database has as far as this connection knows.</summary>
    private long _number;
    private long _applied;

    // For any thread.
    private int _hasUnpublished;
    private int _isArmed;

    /// <summary>Opens the log, and brings the database up to it when a process has died.</summary>
    /// <param name="database">Open for writing, with <c>synchronous</c> FULL. Belongs to this then.</param>
    /// <param name="options">Where it lies.</param>
    /// <exception cref="CatalogUnavailableException">The log cannot be opened, or does not go with the database.</exception>
    public Writer(Database database, SqliteCatalogOptions options)
    {
        (_database, _options) = (database, options);
        _timer = new Timer(_ => OnTimer());
        try
        {
            _log = CommitLog.Open(options.Path);
            if (_log is null || database.QueryInt64("SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'sequence'") == 0) return;
            Begin(mayLog: false);
            Publish();
        }
        catch (Exception fault)
        {
            _ = _thread.EndAsync();
            database.Dispose();
            _log?.Dispose();
            if (Told(fault) is { } told) throw told;
            throw;
        }
    }

    /// <summary>Called on the writer's turn after a transaction of the database has ended.</summary>
    public void OnPublished(Action published) => _published = published;

    /// <summary>Runs one commit; durable on return.</summary>
    /// <param name="write">What it does.</param>
    /// <param name="blobs">What must be durable with it.</param>
    public Task<T> WriteAsync<T>(Func<Database, T> write, UnflushedBlobs? blobs = null) => _thread.RunAsync(() =>
    {
        try
        {
            return Write(write, blobs);
        }
        catch (Exception fault) when (Told(fault) is { } told)
        {
            throw told;
        }
    });

    /// <summary>Reads as of one moment, with all commits.</summary>
    public Task<T> ReadAsync<T>(Func<Database, T> read) => _thread.RunAsync(() =>
    {
        try
        {
            if (_isBehind) Begin(mayLog: true);
            if (_isOpen) return read(_database);
            _database.Execute("BEGIN");
            T result = read(_database);
            _database.Execute("COMMIT");
            return result;
        }
        catch (Exception fault)
        {
            GiveUp();
            if (Told(fault) is { } told) throw told;
            throw;
        }
    });

    /// <summary>Lets other connections see all that is committed.</summary>
    /// <exception cref="CatalogUnavailableException">They will not see the last commits, and not for a full disk.</exception>
    public ValueTask PublishAsync() => Volatile.Read(ref _hasUnpublished) == 0 ? default : new ValueTask(PublishOnTurnAsync(isForReader: true));

    /// <summary>Copies what it can from the WAL into the database; the WAL's length in pages.</summary>
    public Task<int> CheckpointAsync() => _thread.RunAsync(() =>
    {
        if (_isOpen) TryPublish();
        return _database.CheckpointPassively();
    });

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _timer.DisposeAsync();
        try
        {
            await PublishOnTurnAsync(isForReader: false);
        }
        catch (CatalogUnavailableException)
        {
            // The log has them; the next one to open the database applies them.
        }
        await _thread.EndAsync();
        // The last connection to close folds the WAL into the database.
        _database.Dispose();
        _log?.Dispose();
    }

    private T Write<T>(Func<Database, T> write, UnflushedBlobs? blobs)
    {
        // What was said already is not in the database yet: it takes no more until it has that.
        if (_isRefused) Publish();
        Begin(mayLog: true);
        T result;
        try
        {
            _record.Start();
            _database.Record = _isLogging ? _record : null;
            result = write(_database);
            if (_isLogging) blobs?.BeginFlush();
            else Wait(blobs);
        }
        catch
        {
            _record.Forget();
            GiveUp();
            throw;
        }
        finally
        {
            _database.Record = null;
        }
        bool isInDoubt = false;
        if (_isLogging)
        {
            bool isAppended = false;
            try
            {
                // The disk has both at once. A crash may leave the record without its blobs: then it is the last one, and CatchUp looks.
                if (blobs is not null) _record.Add(blobs.Blobs);
                isAppended = _log!.TryAppend(_number + 1, _record);
            }
            catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
            {
                _isLogLost = isInDoubt = true;
                _options.LogLost(fault);
            }
            try
            {
                Wait(blobs);
            }
            catch
            {
                _record.Forget();
                if (isAppended || isInDoubt) TakeBack();
                GiveUp();
                throw;
            }
            // What may be in the file of one in doubt counts as applied.
            if (isAppended || isInDoubt) (_number, _takenBack) = (_number + 1, 0);
            if (isAppended)
            {
                Volatile.Write(ref _hasUnpublished, 1);
                Arm(_options.PublishAfter);
                if (_isToPublish) TryPublish();
                return result;
            }
            _record.Forget();
        }
        try
        {
            Publish();
        }
        catch (SqliteFault fault) when (isInDoubt)
        {
            throw new CatalogUnavailableException("the disk refuses the log of commits and the catalog: whether this one is in the log is not known", false, fault);
        }
        if (!_isLogging) return result;
        _isToFlush = true;
        Volatile.Write(ref _hasUnpublished, 1);
        try
        {
            Publish();
        }
        catch (SqliteFault fault)
        {
            throw new CatalogUnavailableException("the disk refuses to flush the catalog: whether this commit will last is not known", false, fault);
        }
        return result;
    }

    /// <summary>A record whose blobs failed does not count, for us and for others that open the database.</summary>
    private void TakeBack()
    {
        _takenBack = _number + 1;
        try
        {
            _log!.TakeBack();
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            if (!_isLogLost) _options.LogLost(fault);
            _isLogLost = true;
        }
    }

    private static void Wait(UnflushedBlobs? blobs)
    {
        if (blobs is not null) WriterThread.Wait(blobs.FlushAsync);
    }

    private void Begin(bool mayLog)
    {
        if (_isOpen) return;
        if (_isToFlush) Flush();
        bool isAlone = _log is not null && !_isLogLost && _log.IsAlone();
        if (_isLogging && !isAlone)
        {
            _database.Execute("PRAGMA synchronous = FULL");
            _isLogging = false;
        }
        Open();
        if (!mayLog || !isAlone || _isLogging) return;
        // All that the log has must be durable before it is begun anew, and who wrote it may not have come to flush it.
        _number++;
        Publish();
        _database.Execute("PRAGMA synchronous = NORMAL");
        RestartLog();
        _isLogging = true;
        Open();
    }

    private void Open()
    {
        _database.Execute("BEGIN IMMEDIATE");
        try
        {
            if (_log is not null && (_isBehind || !_isLogging)) CatchUp();
        }
        catch
        {
            _database.Rollback();
            throw;
        }
        _isOpen = true;
        _isBehind = false;
    }

    /// <summary>Applies the records that the database does not have: ours, or those of a process that died.</summary>
    private void CatchUp()
    {
        _applied = _database.QueryInt64("SELECT value FROM sequence WHERE name = 'commits'");
        _number = Math.Max(_isLogging ? _number : 0, _applied);
        List<string> texts = [];
        List<(long Number, ReadOnlyMemory<byte> Record)> records = _log!.Read(_applied);
        foreach ((long number, ReadOnlyMemory<byte> record) in records)
        {
            bool isMissing = number > _applied;
            if (number == _takenBack) break;
            // Each but the last was told to its caller before the next was begun. Ours was too, else it was taken back.
            if (isMissing && !_isLogging && number == records[^1].Number && !MakeDurable(record)) break;
            try
            {
                CommitRecord.Apply(isMissing ? _database : null, record.Span, texts);
            }
            catch (SqliteFault fault) when (fault.IsConstraint)
            {
                throw new CatalogUnavailableException($"commit {number} of the log cannot be applied ({fault.Message})", false, fault);
            }
            if (!isMissing) continue;
            _number = Math.Max(_number, number);
            _isToPublish = true;
        }
    }

    private bool MakeDurable(ReadOnlyMemory<byte> record)
    {
        IReadOnlyList<UnflushedBlob> blobs = CommitRecord.BlobsOf(record.Span);
        return blobs.Count == 0 || Task.Run(() => _options.MakeDurableAsync(blobs)).GetAwaiter().GetResult();
    }

    private void TryPublish()
    {
        try
        {
            Publish();
        }
        catch (SqliteFault)
        {
            // It is in the log all the same, and tried again at the timer.
        }
    }

    /// <summary>Ends the transaction; on return other connections see what was in it.</summary>
    private void Publish()
    {
        if (_isToFlush) Flush();
        if (_isBehind) Begin(mayLog: false);
        try
        {
            if (_isOpen)
            {
                if (_applied != _number) SayApplied(_number);
                _database.Execute("COMMIT");
            }
        }
        catch
        {
            GiveUp();
            _isRefused = true;
            throw;
        }
        (_isOpen, _isToPublish, _isRefused, _applied) = (false, false, false, _number);
        Volatile.Write(ref _hasUnpublished, 0);
        _published();
    }

    /// <summary>Makes durable what was published without the log, and all before it; the log is begun anew then.</summary>
    private void Flush()
    {
        _database.Execute("PRAGMA synchronous = FULL");
        try
        {
            _database.Execute("BEGIN IMMEDIATE");
            SayApplied(_number + 1);
            _database.Execute("COMMIT");
        }
        catch
        {
            _database.Rollback();
            throw;
        }
        _applied = ++_number;
        _isToFlush = false;
        if (!_isLogging) return;
        _database.Execute("PRAGMA synchronous = NORMAL");
        RestartLog();
    }

    private void SayApplied(long number) => _database.Prepare("UPDATE sequence SET value = ? WHERE name = 'commits'").Bind(number).Run();

    private void RestartLog()
    {
        _log!.Restart();
        _record.Restart();
    }

    /// <summary>The transaction is lost. What it had of commits that were acknowledged is applied again by the next one.</summary>
    private void GiveUp()
    {
        _database.Rollback();
        _isOpen = false;
        _isBehind = _isLogging && _number != _applied;
        if (_isBehind) Arm(_options.PublishAfter);
    }

    private async Task PublishOnTurnAsync(bool isForReader) => await _thread.RunAsync(() =>
    {
        try
        {
            Publish();
        }
        catch (Exception fault) when (Told(fault) is { } told)
        {
            // Better yesterday's state than none; but nobody may see what may not last.
            if (!isForReader || _isToFlush || told is not CatalogUnavailableException { IsFull: true }) throw told;
        }
        return 0;
    });

    private void Arm(TimeSpan after)
    {
        if (Interlocked.Exchange(ref _isArmed, 1) == 0) _timer.Change(after, Timeout.InfiniteTimeSpan);
    }

    private async void OnTimer()
    {
        Volatile.Write(ref _isArmed, 0);
        try
        {
            await PublishOnTurnAsync(isForReader: false);
        }
        catch (ObjectDisposedException)
        {
        }
        catch (Exception)
        {
            // An edge. Writers try it themselves, and are told.
            Arm(s_tryAgainAfter);
        }
    }

    /// <summary>What a caller is told of a fault; null when it is not of this room's making.</summary>
    private static Exception? Told(Exception fault) => fault switch
    {
        SqliteFault { IsUnique: true } => new VersionConflictException("new", 0, fault),
        SqliteFault { IsConstraint: true } broken => new InvalidDataException($"a row breaks a rule of the schema ({broken.Result})", fault),
        SqliteFault other => other.ToUnavailable(),
        IOException lost => new CatalogUnavailableException($"the log of commits cannot be used ({lost.Message})", CommitLog.IsFull(lost), lost),
        _ => null,
    };
}
