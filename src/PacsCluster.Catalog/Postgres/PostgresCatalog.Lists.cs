using System.Runtime.CompilerServices;
using static PacsCluster.Catalog.Postgres.Parameters;

namespace PacsCluster.Catalog;

public sealed partial class PostgresCatalog
{
    /// <summary>Rows of a walk read in one short query. A walk of hours in one query would keep old rows from being cleaned up for as long.</summary>
    private const int RowsPerPage = 256;

    /// <inheritdoc/>
    public async IAsyncEnumerable<QuarantineEntry> ListQuarantineAsync(long afterKey = 0, int limit = int.MaxValue, [EnumeratorCancellation] CancellationToken ct = default)
    {
        for (List<QuarantineEntry> page = [null!]; page.Count > 0 && limit > 0;)
        {
            page = await ReadQuarantineAsync("q.quarantine_key > $1", afterKey, Math.Min(limit, RowsPerPage), ct);
            foreach (QuarantineEntry entry in page) yield return entry;
            limit -= page.Count;
            if (page.Count > 0) afterKey = page[^1].Row.Key;
        }
    }

    /// <inheritdoc/>
    public async ValueTask<QuarantineEntry?> GetQuarantineAsync(long key, CancellationToken ct = default) => (await ReadQuarantineAsync("q.quarantine_key = $1", key, 1, ct)).FirstOrDefault();

    /// <inheritdoc/>
    public async IAsyncEnumerable<ConflictRow> ListConflictsAsync(long afterKey = 0, bool alsoResolved = false, [EnumeratorCancellation] CancellationToken ct = default)
    {
        string sql = $"SELECT {ListFields.ConflictColumns} FROM conflict WHERE conflict_key > $1{(alsoResolved ? "" : " AND resolved_at IS NULL")} ORDER BY conflict_key LIMIT $2";
        for (List<ConflictRow> page = [null!]; page.Count > 0;)
        {
            page = await ReadAsync(sql, ListFields.ReadConflict, ct, Number(afterKey), Number(RowsPerPage));
            foreach (ConflictRow row in page) yield return row;
            if (page.Count > 0) afterKey = page[^1].Key;
        }
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<OutboxRow> ReadOutboxAsync(long afterSequence, int limit, [EnumeratorCancellation] CancellationToken ct = default)
    {
        const string sql = $"SELECT {ListFields.OutboxColumns} FROM outbox WHERE sequence > $1 ORDER BY sequence LIMIT $2";
        await NumberOutboxAsync(ct);
        for (List<OutboxRow> page = [null!]; page.Count > 0 && limit > 0;)
        {
            page = await ReadAsync(sql, ListFields.ReadOutbox, ct, Number(afterSequence), Number(Math.Min(limit, RowsPerPage)));
            foreach (OutboxRow row in page) yield return row;
            limit -= page.Count;
            if (page.Count > 0) afterSequence = page[^1].Sequence;
        }
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<BlobEntry> WalkBlobsAsync(long afterKey = 0, [EnumeratorCancellation] CancellationToken ct = default)
    {
        const string blobs = $"SELECT b.blob_key, {ListFields.BlobColumns}, EXISTS (SELECT 1 FROM quarantine q WHERE q.blob_key = b.blob_key)::int::bigint, "
            + "EXISTS (SELECT 1 FROM rejected r WHERE r.blob_key = b.blob_key)::int::bigint "
            + "FROM blob b WHERE b.blob_key > $1 ORDER BY b.blob_key LIMIT $2";
        const string instances = $"SELECT {ListFields.LocationColumns}, i.blob_key FROM instance i {LocationJoins} WHERE i.blob_key = ANY($1) ORDER BY i.blob_offset";
        int blobAt = RowFields.Count(ListFields.LocationColumns);
        for (bool more = true; more;)
        {
            List<(BlobRow Blob, bool IsQuarantined, bool IsRejected)> page = await ReadAsync(
                blobs, row => (ListFields.ReadBlob(row, row.Int64(0), 1), row.Int64(7) == 1, row.Int64(8) == 1), ct, Number(afterKey), Number(RowsPerPage));
            more = page.Count > 0;
            if (!more) break;
            afterKey = page[^1].Blob.Key;
            long[] keys = [.. page.Select(b => b.Blob.Key)];
            ILookup<long, BlobCopyRow> copies = await ReadCopiesAsync(keys, ct);
            ILookup<long, InstanceLocation> within = (await ReadAsync(instances, row => (Blob: row.Int64(blobAt), Location: ListFields.ReadLocation(row, 0)), ct, Numbers(keys)))
                .ToLookup(i => i.Blob, i => i.Location);
            foreach ((BlobRow blob, bool isQuarantined, bool isRejected) in page) yield return new BlobEntry(blob, [.. copies[blob.Key]], [.. within[blob.Key]], isQuarantined, isRejected);
        }
    }

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<RetiredBlob>> ListRetiredBlobsAsync(int limit, CancellationToken ct = default)
    {
        List<BlobRow> blobs = await ReadAsync(ListFields.Retired("$1"), row => ListFields.ReadBlob(row, row.Int64(0), 1), ct, Number(limit));
        ILookup<long, BlobCopyRow> copies = await ReadCopiesAsync([.. blobs.Select(b => b.Key)], ct);
        return [.. blobs.Select(b => new RetiredBlob(b, [.. copies[b.Key]]))];
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<WrongCount> FindWrongCountsAsync([EnumeratorCancellation] CancellationToken ct = default)
    {
        long afterKey = 0;
        for (bool more = true; more;)
        {
            List<CountedSeries> page = await ReadAsync(CountedSeries.Sql("$1", "$2"), CountedSeries.Read, ct, Number(afterKey), Number(RowsPerPage));
            more = page.Count > 0;
            foreach (WrongCount wrong in CountedSeries.FindWrong(page)) yield return wrong;
            if (more) afterKey = page[^1].StudyKey;
        }
    }

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<string>> FindUnknownBlobsAsync(string store, IReadOnlyCollection<string> storeKeys, CancellationToken ct = default) => await ReadAsync(
        "SELECT w.key FROM unnest($2) AS w(key) WHERE NOT EXISTS (SELECT 1 FROM blob_copy c WHERE c.store = $1 AND c.store_key = w.key)",
        row => row.Text(0),
        ct,
        Text(store),
        Texts(storeKeys));

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<WantedCopyEntry>> ListWantedCopiesAsync(string store, IReadOnlyCollection<string> from, DateTimeOffset dueBy, int limit, CancellationToken ct = default)
    {
        List<WantedCopyEntry> page = await ReadAsync(
            ListFields.Wanted("$1", "$2", "= ANY($3)", "$4"), row => ListFields.ReadWanted(row, []), ct, Text(store), Milliseconds(dueBy), Texts(from), Number(limit));
        ILookup<long, BlobCopyRow> copies = await ReadCopiesAsync([.. page.Select(e => e.Blob.Key)], ct);
        return [.. page.Select(e => e with { Copies = [.. copies[e.Blob.Key]] })];
    }

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyDictionary<string, long>> CountWantedCopiesAsync(CancellationToken ct = default) =>
        (await ReadAsync(ListFields.CountWanted, row => (Store: row.Text(0), Count: row.Int64(1)), ct)).ToDictionary(w => w.Store, w => w.Count, StringComparer.Ordinal);

    /// <inheritdoc/>
    public async ValueTask<CatalogCounts> CountAsync(CancellationToken ct = default) => (await ReadAsync(ListFields.Counts, ListFields.ReadCounts, ct))[0];

    /// <inheritdoc/>
    public async ValueTask PingAsync(CancellationToken ct = default) =>
        await _server.RunAsync(_server.Readers, (connection, token) => ReadRowsAsync(connection, "SELECT slot FROM total WHERE slot = 0", row => row.Int64(0), token), ct, once: true);

    private async ValueTask<List<QuarantineEntry>> ReadQuarantineAsync(string where, long key, int limit, CancellationToken ct)
    {
        string sql = $"SELECT {ListFields.QuarantineColumns} FROM quarantine q JOIN blob b ON b.blob_key = q.blob_key WHERE {where} ORDER BY q.quarantine_key LIMIT $2";
        List<QuarantineEntry> page = await ReadAsync(sql, row => ListFields.ReadQuarantine(row, []), ct, Number(key), Number(limit));
        ILookup<long, BlobCopyRow> copies = await ReadCopiesAsync([.. page.Select(e => e.Blob.Key)], ct);
        return [.. page.Select(e => e with { Copies = [.. copies[e.Blob.Key]] })];
    }

    private async ValueTask<ILookup<long, BlobCopyRow>> ReadCopiesAsync(long[] blobKeys, CancellationToken ct) =>
        (await ReadAsync($"SELECT {ListFields.CopyColumns} FROM blob_copy WHERE blob_key = ANY($1) ORDER BY blob_key, store", ListFields.ReadCopy, ct, Numbers(blobKeys))).ToLookup(c => c.BlobKey);
}
