namespace PacsCluster.Catalog;

/// <summary>The reading side of the catalog: what we hold and where. Any number of callers at once. Every sequence streams from a cursor: memory
/// is bounded, and it ends when the caller stops enumerating or cancels.</summary>
public interface ICatalog : IAsyncDisposable
{
    /// <summary>Finds entities of one level (PS3.4 C.4.1, PS3.18 10.6).</summary>
    /// <exception cref="CatalogUnavailableException">The database cannot answer now.</exception>
    IAsyncEnumerable<SearchRow> SearchAsync(SearchRequest request, CancellationToken ct = default);

    /// <summary>How many entities a search finds, whatever its limit and offset; counting stops at <paramref name="upTo"/>, so that its cost has a bound.</summary>
    /// <exception cref="CatalogUnavailableException">The database cannot answer now.</exception>
    ValueTask<int> CountMatchesAsync(SearchRequest request, int upTo, CancellationToken ct = default);

    /// <summary>Finds where instances lie, by unique keys (PS3.4 C.4.2.2.1). Ordered by study and series as they were first stored, instances by Instance Number;
    /// an instance comes once for each study that has it.</summary>
    /// <exception cref="CatalogUnavailableException">The database cannot answer now.</exception>
    IAsyncEnumerable<InstanceLocation> LocateAsync(LocateRequest request, CancellationToken ct = default);

    /// <summary>As LocateAsync, with each instance's header.</summary>
    /// <exception cref="CatalogUnavailableException">The database cannot answer now.</exception>
    IAsyncEnumerable<(InstanceLocation Location, HeaderRow Header)> LocateHeadersAsync(LocateRequest request, CancellationToken ct = default);

    /// <summary>Quarantine, oldest first, behind <paramref name="afterKey"/>.</summary>
    IAsyncEnumerable<QuarantineEntry> ListQuarantineAsync(long afterKey = 0, int limit = int.MaxValue, CancellationToken ct = default);

    /// <summary>One entry of the quarantine; null when there is none.</summary>
    ValueTask<QuarantineEntry?> GetQuarantineAsync(long key, CancellationToken ct = default);

    /// <summary>The reconciliation list, oldest first, behind <paramref name="afterKey"/>.</summary>
    IAsyncEnumerable<ConflictRow> ListConflictsAsync(long afterKey = 0, bool alsoResolved = false, CancellationToken ct = default);

    /// <summary>The change feed behind a place.</summary>
    IAsyncEnumerable<OutboxRow> ReadOutboxAsync(long afterSequence, int limit, CancellationToken ct = default);

    /// <summary>How far the change feed goes.</summary>
    ValueTask<FeedState> GetFeedAsync(CancellationToken ct = default);

    /// <summary>The readers of the change feed that are remembered, by name.</summary>
    ValueTask<IReadOnlyList<ConsumerRow>> ListConsumersAsync(CancellationToken ct = default);

    /// <summary>A study with its series (or the one asked for), and which of them have a metadata block, as of one moment. Null when there is no such
    /// study, or no such series in it.</summary>
    ValueTask<StudyContent?> GetContentAsync(string studyInstanceUid, string? seriesInstanceUid = null, CancellationToken ct = default);

    /// <summary>A series' metadata block; null when it has none (any more).</summary>
    ValueTask<MetadataBlockRow?> ReadMetadataBlockAsync(long seriesKey, CancellationToken ct = default);

    /// <summary>Reminders, the one due first in front.</summary>
    ValueTask<IReadOnlyList<ReminderRow>> ListRemindersAsync(int limit, CancellationToken ct = default);

    /// <summary>Deletions that are not purged yet, oldest first, behind <paramref name="afterKey"/>.</summary>
    IAsyncEnumerable<RejectionRow> ListRejectionsAsync(long afterKey = 0, CancellationToken ct = default);

    /// <summary>One deletion; null when there is none or it is purged.</summary>
    ValueTask<RejectionRow?> GetRejectionAsync(long key, CancellationToken ct = default);

    /// <summary>The next instances of a deletion that are neither purged nor restored, in the order of their keys.</summary>
    ValueTask<IReadOnlyList<RejectedEntry>> ListRejectedAsync(long rejectionKey, long afterKey, int limit, CancellationToken ct = default);

    /// <summary>Nodes by name, also those whose lease is over.</summary>
    ValueTask<IReadOnlyList<NodeRow>> ListNodesAsync(CancellationToken ct = default);

    /// <summary>Every blob with its copies and what lies in it, by key, for verify. Reads in pages, so that a walk of hours holds no old snapshot.</summary>
    IAsyncEnumerable<BlobEntry> WalkBlobsAsync(long afterKey = 0, CancellationToken ct = default);

    /// <summary>Blobs that another has taken the place of (<see cref="BlobRow.RetiredAt"/>) and that nothing needs any more, those longest retired first.</summary>
    ValueTask<IReadOnlyList<RetiredBlob>> ListRetiredBlobsAsync(int limit, CancellationToken ct = default);

    /// <summary>Every study whose kept counts (or those of its series) are not the numbers of its rows; for verify.</summary>
    IAsyncEnumerable<WrongCount> FindWrongCountsAsync(CancellationToken ct = default);

    /// <summary>Which of these keys of a store no row knows: the garbage of a sweep, if old enough.</summary>
    ValueTask<IReadOnlyList<string>> FindUnknownBlobsAsync(string store, IReadOnlyCollection<string> storeKeys, CancellationToken ct = default);

    /// <summary>Copies wanted in a store that are due, those due longest first, of blobs that have a copy in one of the stores <paramref name="from"/>.</summary>
    ValueTask<IReadOnlyList<WantedCopyEntry>> ListWantedCopiesAsync(string store, IReadOnlyCollection<string> from, DateTimeOffset dueBy, int limit, CancellationToken ct = default);

    /// <summary>How many copies are wanted, by store; stores where none is are left out.</summary>
    ValueTask<IReadOnlyDictionary<string, long>> CountWantedCopiesAsync(CancellationToken ct = default);

    /// <summary>How much there is; kept by delta, so asking costs nothing.</summary>
    ValueTask<CatalogCounts> CountAsync(CancellationToken ct = default);

    /// <summary>Answers when the database does; for the health page.</summary>
    /// <exception cref="CatalogUnavailableException">It does not.</exception>
    ValueTask PingAsync(CancellationToken ct = default);
}

/// <summary>Unique keys of a retrieve. Lists of several levels narrow each other; all empty finds nothing.</summary>
public sealed record LocateRequest
{
    /// <summary>Patient IDs, each with its issuer, or any issuer when that is null.</summary>
    public IReadOnlyCollection<(string Id, string? Issuer)> Patients { get; init; } = [];
    /// <summary>Study Instance UIDs.</summary>
    public IReadOnlyCollection<string> StudyInstanceUids { get; init; } = [];
    /// <summary>Series Instance UIDs.</summary>
    public IReadOnlyCollection<string> SeriesInstanceUids { get; init; } = [];
    /// <summary>SOP Instance UIDs.</summary>
    public IReadOnlyCollection<string> SopInstanceUids { get; init; } = [];
}

/// <summary>A quarantined instance with its blob.</summary>
public sealed record QuarantineEntry(QuarantineRow Row, BlobRow Blob, IReadOnlyList<BlobCopyRow> Copies);

/// <summary>A blob that is not needed any more, with its copies.</summary>
public sealed record RetiredBlob(BlobRow Blob, IReadOnlyList<BlobCopyRow> Copies);

/// <summary>A blob with its copies and what lies in it.</summary>
/// <param name="Blob">The blob.</param>
/// <param name="Copies">Its copies.</param>
/// <param name="Instances">Instances in it; none when it is quarantined, of a deleted instance, retired, or garbage.</param>
/// <param name="IsQuarantined">The quarantine needs it.</param>
/// <param name="IsRejected">An instance that was deleted but not purged lies in it.</param>
public sealed record BlobEntry(BlobRow Blob, IReadOnlyList<BlobCopyRow> Copies, IReadOnlyList<InstanceLocation> Instances, bool IsQuarantined, bool IsRejected);

/// <summary>A count that is not what the rows say.</summary>
/// <param name="StudyInstanceUid">Study.</param>
/// <param name="SeriesInstanceUid">Series, or empty for the study's own.</param>
/// <param name="Kept">What is kept.</param>
/// <param name="Actual">What the rows say.</param>
public sealed record WrongCount(string StudyInstanceUid, string SeriesInstanceUid, long Kept, long Actual);

/// <summary>How much there is.</summary>
public sealed record CatalogCounts(long Patients, long Studies, long Series, long Instances, long Blobs, long BlobBytes, long Quarantined, long OpenConflicts);
