using System.Runtime.CompilerServices;
using Npgsql;
using NpgsqlTypes;
using static PacsCluster.Catalog.Postgres.Parameters;

namespace PacsCluster.Catalog;

// Reading what is still to be done and who does it.
public sealed partial class PostgresCatalog
{
    // What another node is claiming at this moment is passed over, not waited for.
    private const string Claim = "WITH due AS (SELECT kind, grain_key, name, due_at FROM reminder WHERE due_at <= $1 AND kind = ANY($2) ORDER BY due_at LIMIT $3 FOR UPDATE SKIP LOCKED) "
        + "UPDATE reminder t SET due_at = $4, leased_until = $4, leased_by = $5, attempts = t.attempts + 1 FROM due "
        + "WHERE t.kind = due.kind AND t.grain_key = due.grain_key AND t.name = due.name "
        + "RETURNING t.kind, t.grain_key, t.name, t.due_at, t.payload, t.attempts, t.leased_by, due.due_at";

    private static readonly string s_content = $"SELECT {RowFields.StudyColumns}, {RowFields.SeriesColumns}, {WorkFields.BlockColumns} "
        + "FROM study s LEFT JOIN series r ON r.study_key = s.study_key LEFT JOIN metadata_block m ON m.series_key = r.series_key "
        + "WHERE s.study_instance_uid = $1 AND ($2::text IS NULL OR r.series_instance_uid = $2) ORDER BY r.series_key";

    async ValueTask<ReminderClaim> ICatalogWriter.ClaimRemindersAsync(ClaimRequest request, CancellationToken ct)
    {
        NpgsqlParameter kinds = Texts(request.Kinds);
        long? first = (await ReadAsync("SELECT min(due_at) FROM reminder WHERE kind = ANY($1)", row => row.IsNull(0) ? (long?)null : row.Int64(0), ct, kinds))[0];
        DateTimeOffset? next = first is { } time ? DateTimeOffset.FromUnixTimeMilliseconds(time) : null;
        if (next is null || next > request.Now || request.Limit == 0) return new ReminderClaim([], next);
        NpgsqlParameter until = Milliseconds(request.LeasedUntil);
        return await _server.RunAsync(
            _server.Writers,
            async (connection, token) =>
            {
                List<(ReminderRow Row, long Due)> claimed = await ReadRowsAsync(
                    connection, Claim, row => (WorkFields.ReadReminder(row), row.Int64(7)), token, Milliseconds(request.Now), kinds, Number(request.Limit), until, Text(request.Owner));
                // What was just claimed is due at the lease's end, which is no news to the claimant.
                List<DateTimeOffset> rest = await ReadRowsAsync(
                    connection, "SELECT due_at FROM reminder WHERE kind = ANY($1) AND (due_at <> $2 OR leased_by IS DISTINCT FROM $3) ORDER BY due_at LIMIT 1", row => row.Time(0), token,
                    kinds, until, Text(request.Owner));
                return new ReminderClaim([.. claimed.OrderBy(c => c.Due).Select(c => c.Row)], rest.Count > 0 ? rest[0] : null);
            },
            ct);
    }

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<ReminderRow>> ListRemindersAsync(int limit, CancellationToken ct = default) =>
        await ReadAsync($"SELECT {WorkFields.ReminderColumns} FROM reminder ORDER BY due_at, kind, grain_key, name LIMIT $1", WorkFields.ReadReminder, ct, Number(limit));

    /// <inheritdoc/>
    public async ValueTask<FeedState> GetFeedAsync(CancellationToken ct = default)
    {
        await NumberOutboxAsync(ct);
        return (await ReadAsync(WorkFields.Feed, WorkFields.ReadFeed, ct))[0];
    }

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<ConsumerRow>> ListConsumersAsync(CancellationToken ct = default) =>
        await ReadAsync("SELECT name, sequence, updated_at FROM consumer ORDER BY name", WorkFields.ReadConsumer, ct);

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<NodeRow>> ListNodesAsync(CancellationToken ct = default) => await ReadAsync($"SELECT {WorkFields.NodeColumns} FROM node ORDER BY name", WorkFields.ReadNode, ct);

    /// <inheritdoc/>
    public async ValueTask<StudyContent?> GetContentAsync(string studyInstanceUid, string? seriesInstanceUid = null, CancellationToken ct = default)
    {
        // One statement, so it is of one moment.
        int seriesAt = RowFields.Count(RowFields.StudyColumns);
        int blockAt = seriesAt + RowFields.Count(RowFields.SeriesColumns);
        List<(StudyRow Study, SeriesContent? Series)> rows = await ReadAsync(
            s_content,
            row => (RowFields.ReadStudy(row, 0), row.IsNull(seriesAt) ? null : new SeriesContent(RowFields.ReadSeries(row, seriesAt), row.IsNull(blockAt) ? null : WorkFields.ReadBlock(row, blockAt))),
            ct,
            Text(studyInstanceUid),
            new NpgsqlParameter { NpgsqlDbType = NpgsqlDbType.Text, Value = (object?)seriesInstanceUid ?? DBNull.Value });
        return rows.Count == 0 ? null : new StudyContent(rows[0].Study, [.. rows.Select(r => r.Series).OfType<SeriesContent>()]);
    }

    /// <inheritdoc/>
    public async ValueTask<MetadataBlockRow?> ReadMetadataBlockAsync(long seriesKey, CancellationToken ct = default)
    {
        int bytesAt = RowFields.Count(WorkFields.BlockColumns);
        return (await ReadAsync(
            $"SELECT {WorkFields.BlockColumns}, m.bytes FROM metadata_block m WHERE m.series_key = $1", row => WorkFields.ReadBlock(row, 0) with { Bytes = row.Bytes(bytesAt) }, ct, Number(seriesKey))).FirstOrDefault();
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<RejectionRow> ListRejectionsAsync(long afterKey = 0, [EnumeratorCancellation] CancellationToken ct = default)
    {
        const string sql = $"SELECT {WorkFields.RejectionColumns} FROM rejection WHERE rejection_key > $1 ORDER BY rejection_key LIMIT $2";
        for (List<RejectionRow> page = [null!]; page.Count > 0;)
        {
            page = await ReadAsync(sql, WorkFields.ReadRejection, ct, Number(afterKey), Number(RowsPerPage));
            foreach (RejectionRow row in page) yield return row;
            if (page.Count > 0) afterKey = page[^1].Key;
        }
    }

    /// <inheritdoc/>
    public async ValueTask<RejectionRow?> GetRejectionAsync(long key, CancellationToken ct = default) =>
        (await ReadAsync($"SELECT {WorkFields.RejectionColumns} FROM rejection WHERE rejection_key = $1", WorkFields.ReadRejection, ct, Number(key))).FirstOrDefault();

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<RejectedEntry>> ListRejectedAsync(long rejectionKey, long afterKey, int limit, CancellationToken ct = default)
    {
        List<RejectedEntry> entries = await ReadAsync(WorkFields.Rejected("$1", "$2", "$3"), row => WorkFields.ReadRejected(row, []), ct, Number(rejectionKey), Number(afterKey), Number(limit));
        ILookup<long, BlobCopyRow> copies = await ReadCopiesAsync([.. entries.Select(e => e.Blob.Key)], ct);
        return [.. entries.Select(e => e with { Copies = [.. copies[e.Blob.Key]] })];
    }

    private static NpgsqlParameter Milliseconds(DateTimeOffset time) => Number(time.ToUnixTimeMilliseconds());
}
