namespace PacsCluster.Catalog;

public sealed partial class SqliteCatalog
{
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
}
