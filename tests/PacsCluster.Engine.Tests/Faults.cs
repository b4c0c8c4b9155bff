using PacsCluster.Blobs;
using PacsCluster.Catalog;

namespace PacsCluster.Engine.Tests;

/// <summary>The real SQLite catalog, with a hook before and after each commit.</summary>
internal sealed class FaultyCatalog(SqliteCatalog inner) : ICatalog, ICatalogWriter
{
    private int _commits;

    /// <summary>Runs before a commit; what it throws the commit throws.</summary>
    public Func<CatalogChanges, Task>? BeforeCommit { get; set; }

    /// <summary>Runs after a commit that succeeded; what it throws the commit throws, as a connection that breaks before the answer comes.</summary>
    public Func<CatalogChanges, Task>? AfterCommit { get; set; }

    public int Commits => Volatile.Read(ref _commits);

    /// <summary>No more faults.</summary>
    public void Heal() => (BeforeCommit, AfterCommit) = (null, null);

    public ValueTask<LoadedState> LoadAsync(LoadRequest request, CancellationToken ct) => ((ICatalogWriter)inner).LoadAsync(request, ct);

    public async ValueTask CommitAsync(CatalogChanges changes, CancellationToken ct)
    {
        if (BeforeCommit is { } before) await before(changes);
        await ((ICatalogWriter)inner).CommitAsync(changes, ct);
        Interlocked.Increment(ref _commits);
        if (AfterCommit is { } after) await after(changes);
    }

    public ValueTask<ReminderClaim> ClaimRemindersAsync(ClaimRequest request, CancellationToken ct) => ((ICatalogWriter)inner).ClaimRemindersAsync(request, ct);

    public IAsyncEnumerable<SearchRow> SearchAsync(SearchRequest request, CancellationToken ct = default) => inner.SearchAsync(request, ct);
    public ValueTask<int> CountMatchesAsync(SearchRequest request, int upTo, CancellationToken ct = default) => inner.CountMatchesAsync(request, upTo, ct);
    public IAsyncEnumerable<InstanceLocation> LocateAsync(LocateRequest request, CancellationToken ct = default) => inner.LocateAsync(request, ct);
    public IAsyncEnumerable<(InstanceLocation Location, HeaderRow Header)> LocateHeadersAsync(LocateRequest request, CancellationToken ct = default) => inner.LocateHeadersAsync(request, ct);
    public IAsyncEnumerable<QuarantineEntry> ListQuarantineAsync(long afterKey = 0, int limit = int.MaxValue, CancellationToken ct = default) => inner.ListQuarantineAsync(afterKey, limit, ct);
    public ValueTask<QuarantineEntry?> GetQuarantineAsync(long key, CancellationToken ct = default) => inner.GetQuarantineAsync(key, ct);
    public IAsyncEnumerable<ConflictRow> ListConflictsAsync(long afterKey = 0, bool alsoResolved = false, CancellationToken ct = default) => inner.ListConflictsAsync(afterKey, alsoResolved, ct);
    public IAsyncEnumerable<OutboxRow> ReadOutboxAsync(long afterSequence, int limit, CancellationToken ct = default) => inner.ReadOutboxAsync(afterSequence, limit, ct);
    public ValueTask<FeedState> GetFeedAsync(CancellationToken ct = default) => inner.GetFeedAsync(ct);
    public ValueTask<IReadOnlyList<ConsumerRow>> ListConsumersAsync(CancellationToken ct = default) => inner.ListConsumersAsync(ct);
    public ValueTask<StudyContent?> GetContentAsync(string studyInstanceUid, string? seriesInstanceUid = null, CancellationToken ct = default) => inner.GetContentAsync(studyInstanceUid, seriesInstanceUid, ct);
    public ValueTask<MetadataBlockRow?> ReadMetadataBlockAsync(long seriesKey, CancellationToken ct = default) => inner.ReadMetadataBlockAsync(seriesKey, ct);
    public ValueTask<IReadOnlyList<ReminderRow>> ListRemindersAsync(int limit, CancellationToken ct = default) => inner.ListRemindersAsync(limit, ct);
    public IAsyncEnumerable<RejectionRow> ListRejectionsAsync(long afterKey = 0, CancellationToken ct = default) => inner.ListRejectionsAsync(afterKey, ct);
    public ValueTask<RejectionRow?> GetRejectionAsync(long key, CancellationToken ct = default) => inner.GetRejectionAsync(key, ct);
    public ValueTask<IReadOnlyList<RejectedEntry>> ListRejectedAsync(long rejectionKey, long afterKey, int limit, CancellationToken ct = default) => inner.ListRejectedAsync(rejectionKey, afterKey, limit, ct);
    public ValueTask<IReadOnlyList<NodeRow>> ListNodesAsync(CancellationToken ct = default) => inner.ListNodesAsync(ct);
    public ValueTask<IReadOnlyList<WantedCopyEntry>> ListWantedCopiesAsync(string store, IReadOnlyCollection<string> from, DateTimeOffset dueBy, int limit, CancellationToken ct = default) => inner.ListWantedCopiesAsync(store, from, dueBy, limit, ct);
    public ValueTask<IReadOnlyDictionary<string, long>> CountWantedCopiesAsync(CancellationToken ct = default) => inner.CountWantedCopiesAsync(ct);
    public IAsyncEnumerable<BlobEntry> WalkBlobsAsync(long afterKey = 0, CancellationToken ct = default) => inner.WalkBlobsAsync(afterKey, ct);
    public IAsyncEnumerable<WrongCount> FindWrongCountsAsync(CancellationToken ct = default) => inner.FindWrongCountsAsync(ct);
    public ValueTask<IReadOnlyList<string>> FindUnknownBlobsAsync(string store, IReadOnlyCollection<string> storeKeys, CancellationToken ct = default) => inner.FindUnknownBlobsAsync(store, storeKeys, ct);
    public ValueTask<IReadOnlyList<RetiredBlob>> ListRetiredBlobsAsync(int limit, CancellationToken ct = default) => inner.ListRetiredBlobsAsync(limit, ct);
    public ValueTask<CatalogCounts> CountAsync(CancellationToken ct = default) => inner.CountAsync(ct);
    public ValueTask PingAsync(CancellationToken ct = default) => inner.PingAsync(ct);
    public ValueTask DisposeAsync() => inner.DisposeAsync();
}

/// <summary>The real file store, which fills up after so many bytes or cannot be reached.</summary>
internal sealed class FaultyBlobStore(FileBlobStore inner) : IBlobStore
{
    private long _room = long.MaxValue;

    /// <summary>Bytes that still fit.</summary>
    public long Room { get => Volatile.Read(ref _room); set => Volatile.Write(ref _room, value); }

    /// <summary>Thrown by commits of blobs.</summary>
    public Exception? CommitFault { get; set; }

    /// <summary>Asked by each commit of a blob in turn: what it throws, or null.</summary>
    public Func<Exception?>? NextCommitFault { get; set; }

    /// <summary>Every call fails as if the store could not be reached.</summary>
    public bool IsDown { get; set; }

    /// <summary>Runs when a blob is begun.</summary>
    public Action? AfterCreate { get; set; }

    /// <summary>Runs when a blob is durable, before its writer hears of it.</summary>
    public Func<Task>? AfterCommit { get; set; }

    /// <summary>Small blobs lie in packs.</summary>
    public bool IsPacked { get; set; }

    public string Name => inner.Name;

    public BlobBuffer? TryRentBuffer(int length) => IsPacked ? inner.TryRentBuffer(length) : null;

    public BlobWriter? TryCreateSized(long length, BlobBuffer? from = null) => IsPacked && Up().TryCreateSized(length, from) is { } writer ? new Writer(this, writer) : null;

    public async ValueTask<BlobWriter> CreateWholeAsync(ReadOnlyMemory<byte> bytes, CancellationToken ct = default)
    {
        BlobWriter writer = TryCreateSized(bytes.Length) ?? await CreateAsync(ct);
        try
        {
            await writer.WriteAsync(bytes, ct);
            return writer;
        }
        catch
        {
            await writer.DisposeAsync();
            throw;
        }
    }

    public async ValueTask<BlobWriter> CreateAsync(CancellationToken ct = default)
    {
        var writer = new Writer(this, await Up().CreateAsync(ct));
        AfterCreate?.Invoke();
        return writer;
    }

    public ValueTask<Stream> OpenReadAsync(string key, long offset = 0, long length = -1, CancellationToken ct = default) => Up().OpenReadAsync(key, offset, length, ct);
    public ValueTask DeleteAsync(string key, CancellationToken ct = default) => Up().DeleteAsync(key, ct);
    public ValueTask<BlobStat?> StatAsync(string key, CancellationToken ct = default) => Up().StatAsync(key, ct);
    public IAsyncEnumerable<BlobStat> ListAsync(string? afterKey = null, CancellationToken ct = default) => Up().ListAsync(afterKey, ct);
    public ValueTask DisposeAsync() => inner.DisposeAsync();

    private FileBlobStore Up() => IsDown ? throw new BlobStoreUnavailableException(Name, "cannot be reached") : inner;

    private sealed class Writer(FaultyBlobStore store, BlobWriter inner) : BlobWriter(inner.Key)
    {
        public override async ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken ct = default)
        {
            if (Interlocked.Add(ref store._room, -bytes.Length) < 0) throw new BlobStoreFullException(store.Name);
            await inner.WriteAsync(bytes, ct);
            Length = inner.Length;
        }

        public override bool IsFlushLeft => inner.IsFlushLeft;

        public override void EndWrites() => inner.EndWrites();

        public override void BeginFlush() => inner.BeginFlush();

        public override async ValueTask CommitAsync(CancellationToken ct = default)
        {
            if ((store.CommitFault ?? store.NextCommitFault?.Invoke()) is { } fault) throw fault;
            await inner.CommitAsync(ct);
            if (store.AfterCommit is { } after) await after();
        }

        public override ValueTask DisposeAsync() => inner.DisposeAsync();
    }
}
