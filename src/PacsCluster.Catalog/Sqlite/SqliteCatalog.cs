namespace PacsCluster.Catalog;

/// <summary>Where and how the catalog lies on SQLite.</summary>
public sealed record SqliteCatalogOptions
{
    /// <summary>File of the database; its folder must exist. Beside it lie <c>-wal</c> and <c>-shm</c>.</summary>
    public required string Path { get; init; }

    /// <summary>Connections for reading, each with a page cache of its own. Default 8; 1 to 64. More searches at once wait for one.</summary>
    public int ReadersMax { get; init; } = 8;

    /// <summary>Page cache of the writer, in MiB. Default 16; 1 to 1,024.</summary>
    public int WriterCacheMiB { get; init; } = 16;

    /// <summary>Page cache of each reader, in MiB. Default 4; 1 to 1,024.</summary>
    public int ReaderCacheMiB { get; init; } = 4;

    /// <summary>How long to wait for another process that writes. Default 10 s; 0 to 10 min. Then CatalogUnavailableException.</summary>
    public TimeSpan BusyTimeout { get; init; } = TimeSpan.FromSeconds(10);
}

/// <summary>The catalog on SQLite: one file, WAL, durable commits, one writer, a pool of readers.</summary>
public sealed class SqliteCatalog : ICatalog, ICatalogWriter
{
    private SqliteCatalog() { }

    /// <summary>Opens, making the database or migrating it to this program's schema first.</summary>
    /// <exception cref="CatalogUnavailableException">It cannot be opened, is no catalog, or is of a newer program.</exception>
    public static Task<SqliteCatalog> OpenAsync(SqliteCatalogOptions options, TimeProvider time, CancellationToken ct = default) => throw new NotImplementedException();

    /// <inheritdoc/>
    public IAsyncEnumerable<SearchRow> SearchAsync(SearchRequest request, CancellationToken ct = default) => throw new NotImplementedException();

    /// <inheritdoc/>
    public IAsyncEnumerable<InstanceLocation> LocateAsync(LocateRequest request, CancellationToken ct = default) => throw new NotImplementedException();

    /// <inheritdoc/>
    public IAsyncEnumerable<(InstanceLocation Location, HeaderRow Header)> LocateHeadersAsync(LocateRequest request, CancellationToken ct = default) => throw new NotImplementedException();

    /// <inheritdoc/>
    public IAsyncEnumerable<QuarantineEntry> ListQuarantineAsync(long afterKey = 0, int limit = int.MaxValue, CancellationToken ct = default) => throw new NotImplementedException();

    /// <inheritdoc/>
    public ValueTask<QuarantineEntry?> GetQuarantineAsync(long key, CancellationToken ct = default) => throw new NotImplementedException();

    /// <inheritdoc/>
    public IAsyncEnumerable<ConflictRow> ListConflictsAsync(long afterKey = 0, bool alsoResolved = false, CancellationToken ct = default) => throw new NotImplementedException();

    /// <inheritdoc/>
    public IAsyncEnumerable<OutboxRow> ReadOutboxAsync(long afterSequence, int limit, CancellationToken ct = default) => throw new NotImplementedException();

    /// <inheritdoc/>
    public IAsyncEnumerable<BlobEntry> WalkBlobsAsync(long afterKey = 0, CancellationToken ct = default) => throw new NotImplementedException();

    /// <inheritdoc/>
    public IAsyncEnumerable<WrongCount> FindWrongCountsAsync(CancellationToken ct = default) => throw new NotImplementedException();

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<string>> FindUnknownBlobsAsync(string store, IReadOnlyCollection<string> storeKeys, CancellationToken ct = default) => throw new NotImplementedException();

    /// <inheritdoc/>
    public ValueTask<CatalogCounts> CountAsync(CancellationToken ct = default) => throw new NotImplementedException();

    /// <inheritdoc/>
    public ValueTask PingAsync(CancellationToken ct = default) => throw new NotImplementedException();

    ValueTask<LoadedState> ICatalogWriter.LoadAsync(LoadRequest request, CancellationToken ct) => throw new NotImplementedException();

    ValueTask ICatalogWriter.CommitAsync(CatalogChanges changes, CancellationToken ct) => throw new NotImplementedException();

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
