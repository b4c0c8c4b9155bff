using System.Runtime.CompilerServices;
using PacsCluster.Catalog.Sqlite;

namespace PacsCluster.Catalog;

public sealed partial class SqliteCatalog
{
    /// <summary>Rows of a walk read in one short query. A walk of hours in one query would keep the WAL from beginning anew for as long.</summary>
    private const int RowsPerPage = 256;

    private const string QuarantineColumns = "q.quarantine_key, q.reason, q.study_instance_uid, q.series_instance_uid, q.sop_instance_uid, q.sop_class_uid, "
        + "q.transfer_syntax_uid, q.blob_key, q.detail, q.source, q.received_at, b.length, b.sha256, b.created_at";

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
        string sql = "SELECT conflict_key, kind, study_instance_uid, sop_instance_uid, detail, source, created_at, resolved_at FROM conflict WHERE conflict_key > ?"
            + (alsoResolved ? "" : " AND resolved_at IS NULL") + " ORDER BY conflict_key LIMIT ?";
        for (List<ConflictRow> page = [null!]; page.Count > 0;)
        {
            long after = afterKey;
            page = await ReadAsync(database => ReadRows(database.Prepare(sql).Bind(after).Bind(RowsPerPage), ReadConflict), ct);
            foreach (ConflictRow row in page) yield return row;
            if (page.Count > 0) afterKey = page[^1].Key;
        }
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<OutboxRow> ReadOutboxAsync(long afterSequence, int limit, [EnumeratorCancellation] CancellationToken ct = default)
    {
        const string sql = "SELECT sequence, kind, study_instance_uid, series_instance_uid, sop_instance_uid, payload, created_at FROM outbox WHERE sequence > ? ORDER BY sequence LIMIT ?";
        for (List<OutboxRow> page = [null!]; page.Count > 0 && limit > 0;)
        {
            long after = afterSequence;
            int most = Math.Min(limit, RowsPerPage);
            page = await ReadAsync(database => ReadRows(database.Prepare(sql).Bind(after).Bind(most), ReadOutbox), ct);
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
    public async IAsyncEnumerable<WrongCount> FindWrongCountsAsync([EnumeratorCancellation] CancellationToken ct = default)
    {
        // One row for each series of a page of studies, with what is kept and what there is.
        const string sql = "SELECT s.study_key, s.study_instance_uid, s.series_count, s.instance_count, r.series_instance_uid, r.instance_count, "
            + "(SELECT count(*) FROM instance i WHERE i.series_key = r.series_key) "
            + "FROM (SELECT * FROM study WHERE study_key > ? ORDER BY study_key LIMIT ?) s LEFT JOIN series r ON r.study_key = s.study_key ORDER BY s.study_key, r.series_key";
        long afterKey = 0;
        for (bool more = true; more;)
        {
            long after = afterKey;
            List<CountedSeries> page = await ReadAsync(
                database => ReadRows(
                    database.Prepare(sql).Bind(after).Bind(RowsPerPage),
                    row => new CountedSeries(row.Int64(0), row.Text(1), row.Int64(2), row.Int64(3), row.TextOrNull(4), row.Int64(5), row.Int64(6))),
                ct);
            more = page.Count > 0;
            foreach (IGrouping<long, CountedSeries> study in page.GroupBy(row => row.StudyKey))
            {
                CountedSeries first = study.First();
                long series = study.Count(row => row.SeriesUid is not null);
                if (first.SeriesKept != series) yield return new WrongCount(first.StudyUid, "", first.SeriesKept, series);
                if (first.InstancesKept != study.Sum(row => row.Actual)) yield return new WrongCount(first.StudyUid, "", first.InstancesKept, study.Sum(row => row.Actual));
                foreach (CountedSeries row in study.Where(row => row.SeriesUid is not null && row.Kept != row.Actual)) yield return new WrongCount(row.StudyUid, row.SeriesUid!, row.Kept, row.Actual);
                afterKey = study.Key;
            }
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
    public ValueTask<CatalogCounts> CountAsync(CancellationToken ct = default) => ReadAsync(
        database => ReadRows(
            database.Prepare("SELECT sum(patients), sum(studies), sum(series), sum(instances), sum(blobs), sum(blob_bytes), sum(quarantined), sum(conflicts) FROM total"),
            row => new CatalogCounts(row.Int64(0), row.Int64(1), row.Int64(2), row.Int64(3), row.Int64(4), row.Int64(5), row.Int64(6), row.Int64(7)))[0],
        ct);

    /// <inheritdoc/>
    public async ValueTask PingAsync(CancellationToken ct = default) => await ReadAsync(database => database.Prepare("SELECT slot FROM total WHERE slot = 0").Run(), ct);

    private sealed record CountedSeries(long StudyKey, string StudyUid, long SeriesKept, long InstancesKept, string? SeriesUid, long Kept, long Actual);

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
        string sql = $"SELECT {QuarantineColumns} FROM quarantine q CROSS JOIN blob b ON b.blob_key = q.blob_key WHERE {where} ORDER BY q.quarantine_key LIMIT ?";
        return ReadRows(database.Prepare(sql).Bind(key).Bind(limit), row => new QuarantineEntry(
            new QuarantineRow
            {
                Key = row.Int64(0), Reason = row.Text(1), StudyInstanceUid = row.Text(2), SeriesInstanceUid = row.Text(3), SopInstanceUid = row.Text(4), SopClassUid = row.Text(5),
                TransferSyntaxUid = row.Text(6), BlobKey = row.Int64(7), Detail = row.Text(8), Source = row.Text(9), ReceivedAt = row.Time(10),
            },
            new BlobRow(row.Int64(7), row.Int64(11), row.Bytes(12), row.Time(13)),
            ReadCopies(database, row.Int64(7))));
    }

    private static List<BlobCopyRow> ReadCopies(Database database, long blobKey) => ReadRows(
        database.Prepare("SELECT blob_key, store, store_key, tier, verified_at FROM blob_copy WHERE blob_key = ? ORDER BY store").Bind(blobKey),
        row => new BlobCopyRow(row.Int64(0), row.Text(1), row.Text(2), row.Text(3), row.TimeOrNull(4)));

    private static List<BlobEntry> ReadBlobs(Database database, long afterKey)
    {
        string instances = $"SELECT {LocationColumns} FROM instance i {LocationJoins} WHERE i.blob_key = ? ORDER BY i.blob_offset";
        List<BlobRow> blobs = ReadRows(
            database.Prepare("SELECT blob_key, length, sha256, created_at FROM blob WHERE blob_key > ? ORDER BY blob_key LIMIT ?").Bind(afterKey).Bind(RowsPerPage),
            row => new BlobRow(row.Int64(0), row.Int64(1), row.Bytes(2), row.Time(3)));
        return [.. blobs.Select(blob => new BlobEntry(
            blob,
            ReadCopies(database, blob.Key),
            ReadRows(database.Prepare(instances).Bind(blob.Key), row => ReadLocation(row, 0)),
            ReadRows(database.Prepare("SELECT 1 FROM quarantine WHERE blob_key = ?").Bind(blob.Key), row => row.Int64(0)).Count > 0,
            ReadRows(database.Prepare("SELECT 1 FROM rejected WHERE blob_key = ? LIMIT 1").Bind(blob.Key), row => row.Int64(0)).Count > 0))];
    }

    private static ConflictRow ReadConflict(Statement row) => new()
    {
        Key = row.Int64(0), Kind = row.Text(1), StudyInstanceUid = row.Text(2), SopInstanceUid = row.Text(3), Detail = row.Text(4), Source = row.Text(5),
        CreatedAt = row.Time(6), ResolvedAt = row.TimeOrNull(7),
    };

    private static OutboxRow ReadOutbox(Statement row) => new()
    {
        Sequence = row.Int64(0), Kind = row.Text(1), StudyInstanceUid = row.Text(2), SeriesInstanceUid = row.Text(3), SopInstanceUid = row.Text(4), Payload = row.Text(5),
        CreatedAt = row.Time(6),
    };
}
