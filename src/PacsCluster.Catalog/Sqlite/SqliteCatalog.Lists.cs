using System.Runtime.CompilerServices;
using PacsCluster.Catalog.Sqlite;

namespace PacsCluster.Catalog;

public sealed partial class SqliteCatalog
{
    /// <summary>Rows of a walk read in one short query. A walk of hours in one query would keep the WAL from beginning anew for as long.</summary>
    private const int RowsPerPage = 256;

    /// <inheritdoc/>
    public async IAsyncEnumerable<QuarantineEntry> ListQuarantineAsync(long afterKey = 0, int limit = int.MaxValue, [EnumeratorCancellation] CancellationToken ct = default)
    {
        for (List<QuarantineEntry> page = [null!]; page.Count > 0 && limit > 0;)
        {
            long after = afterKey;
            page = await ReadAsync(database => ReadQuarantine(database, "q.quarantine_key > ?", after, Math.Min(limit, RowsPerPage)), ct);
            foreach (QuarantineEntry entry in page) yield return entry;
            limit -= page.Count;
            if (page.Count > 0) afterKey = page[^1].Row.Key;
        }
    }

    /// <inheritdoc/>
    public async ValueTask<QuarantineEntry?> GetQuarantineAsync(long key, CancellationToken ct = default) =>
        (await ReadAsync(database => ReadQuarantine(database, "q.quarantine_key = ?", key, 1), ct)).FirstOrDefault();

    /// <inheritdoc/>
    public async IAsyncEnumerable<ConflictRow> ListConflictsAsync(long afterKey = 0, bool alsoResolved = false, [EnumeratorCancellation] CancellationToken ct = default)
    {
        string sql = $"SELECT {ListFields.ConflictColumns} FROM conflict WHERE conflict_key > ?"
            + (alsoResolved ? "" : " AND resolved_at IS NULL") + " ORDER BY conflict_key LIMIT ?";
        for (List<ConflictRow> page = [null!]; page.Count > 0;)
        {
            long after = afterKey;
            page = await ReadAsync(database => ReadRows(database.Prepare(sql).Bind(after).Bind(RowsPerPage), ListFields.ReadConflict), ct);
            foreach (ConflictRow row in page) yield return row;
            if (page.Count > 0) afterKey = page[^1].Key;
        }
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<OutboxRow> ReadOutboxAsync(long afterSequence, int limit, [EnumeratorCancellation] CancellationToken ct = default)
    {
        const string sql = $"SELECT {ListFields.OutboxColumns} FROM outbox WHERE sequence > ? ORDER BY sequence LIMIT ?";
        for (List<OutboxRow> page = [null!]; page.Count > 0 && limit > 0;)
        {
            long after = afterSequence;
            int most = Math.Min(limit, RowsPerPage);
            page = await ReadAsync(database => ReadRows(database.Prepare(sql).Bind(after).Bind(most), ListFields.ReadOutbox), ct);
            foreach (OutboxRow row in page) yield return row;
            limit -= page.Count;
            if (page.Count > 0) afterSequence = page[^1].Sequence;
        }
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<BlobEntry> WalkBlobsAsync(long afterKey = 0, [EnumeratorCancellation] CancellationToken ct = default)
    {
        for (List<BlobEntry> page = [null!]; page.Count > 0;)
        {
            long after = afterKey;
            page = await ReadAsync(database => ReadBlobs(database, after), ct);
            foreach (BlobEntry entry in page) yield return entry;
            if (page.Count > 0) afterKey = page[^1].Blob.Key;
        }
    }

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<RetiredBlob>> ListRetiredBlobsAsync(int limit, CancellationToken ct = default) => ReadAsync<IReadOnlyList<RetiredBlob>>(
        database => ReadRows(
            database.Prepare(ListFields.Retired("?")).Bind(limit),
            row => new RetiredBlob(ListFields.ReadBlob(row, row.Int64(0), 1), ReadCopies(database, row.Int64(0)))),
        ct);

    /// <inheritdoc/>
    public async IAsyncEnumerable<WrongCount> FindWrongCountsAsync([EnumeratorCancellation] CancellationToken ct = default)
    {
        long afterKey = 0;
        for (bool more = true; more;)
        {
            long after = afterKey;
            List<CountedSeries> page = await ReadAsync(
                database => ReadRows(
                    database.Prepare(CountedSeries.Sql("?", "?")).Bind(after).Bind(RowsPerPage),
                    CountedSeries.Read),
                ct);
            more = page.Count > 0;
            foreach (WrongCount wrong in CountedSeries.FindWrong(page)) yield return wrong;
            if (more) afterKey = page[^1].StudyKey;
        }
    }

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<string>> FindUnknownBlobsAsync(string store, IReadOnlyCollection<string> storeKeys, CancellationToken ct = default) => ReadAsync<IReadOnlyList<string>>(
        database =>
        {
            List<string> unknown = [];
            foreach (string key in storeKeys)
            {
                using Statement known = database.Prepare("SELECT 1 FROM blob_copy WHERE store = ? AND store_key = ?").Bind(store).Bind(key);
                if (!known.Step()) unknown.Add(key);
            }
            return unknown;
        },
        ct);

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<WantedCopyEntry>> ListWantedCopiesAsync(string store, IReadOnlyCollection<string> from, DateTimeOffset dueBy, int limit, CancellationToken ct = default) =>
        ReadAsync<IReadOnlyList<WantedCopyEntry>>(
            database => ReadRows(
                BindList(database.Prepare(ListFields.Wanted("?", "?", $"IN ({Marks(from.Count)})", "?")).Bind(store).Bind(dueBy), from).Bind(limit),
                row => ListFields.ReadWanted(row, ReadCopies(database, row.Int64(0)))),
            ct);

    /// <inheritdoc/>
    public ValueTask<IReadOnlyDictionary<string, long>> CountWantedCopiesAsync(CancellationToken ct = default) => ReadAsync<IReadOnlyDictionary<string, long>>(
        database => ReadRows(database.Prepare(ListFields.CountWanted), row => (Store: row.Text(0), Count: row.Int64(1))).ToDictionary(w => w.Store, w => w.Count, StringComparer.Ordinal), ct);

    /// <inheritdoc/>
    public ValueTask<CatalogCounts> CountAsync(CancellationToken ct = default) => ReadAsync(
        database => ReadRows(
            database.Prepare(ListFields.Counts),
            ListFields.ReadCounts)[0],
        ct);

    /// <inheritdoc/>
    public async ValueTask PingAsync(CancellationToken ct = default) => await ReadAsync(database => database.Prepare("SELECT slot FROM total WHERE slot = 0").Run(), ct);

    private static List<T> ReadRows<T>(Statement rows, Func<Statement, T> read)
    {
        List<T> all = [];
        using (rows)
        {
            while (rows.Step()) all.Add(read(rows));
        }
        return all;
    }

    private static List<QuarantineEntry> ReadQuarantine(Database database, string where, long key, int limit)
    {
        string sql = $"SELECT {ListFields.QuarantineColumns} FROM quarantine q CROSS JOIN blob b ON b.blob_key = q.blob_key WHERE {where} ORDER BY q.quarantine_key LIMIT ?";
        return ReadRows(database.Prepare(sql).Bind(key).Bind(limit), row => ListFields.ReadQuarantine(row, ReadCopies(database, row.Int64(7))));
    }

    private static List<BlobCopyRow> ReadCopies(Database database, long blobKey) => ReadRows(
        database.Prepare("SELECT blob_key, store, store_key, tier, verified_at FROM blob_copy WHERE blob_key = ? ORDER BY store").Bind(blobKey),
        ListFields.ReadCopy);

    private static List<BlobEntry> ReadBlobs(Database database, long afterKey)
    {
        string instances = $"SELECT {LocationColumns} FROM instance i {LocationJoins} WHERE i.blob_key = ? ORDER BY i.blob_offset";
        List<BlobRow> blobs = ReadRows(
            database.Prepare($"SELECT b.blob_key, {ListFields.BlobColumns} FROM blob b WHERE b.blob_key > ? ORDER BY b.blob_key LIMIT ?").Bind(afterKey).Bind(RowsPerPage),
            row => ListFields.ReadBlob(row, row.Int64(0), 1));
        return [.. blobs.Select(blob => new BlobEntry(
            blob,
            ReadCopies(database, blob.Key),
            ReadRows(database.Prepare(instances).Bind(blob.Key), row => ListFields.ReadLocation(row, 0)),
            ReadRows(database.Prepare("SELECT 1 FROM quarantine WHERE blob_key = ?").Bind(blob.Key), row => row.Int64(0)).Count > 0,
            ReadRows(database.Prepare("SELECT 1 FROM rejected WHERE blob_key = ? LIMIT 1").Bind(blob.Key), row => row.Int64(0)).Count > 0))];
    }
}
