using System.Runtime.CompilerServices;
using PacsCluster.Catalog.Sqlite;

namespace PacsCluster.Catalog;

// Reading what is still to be done and who does it.
public sealed partial class SqliteCatalog
{
    private const string ReminderColumns = "kind, grain_key, name, due_at, payload, attempts, leased_by";
    private const string RejectionColumns = "rejection_key, level, study_instance_uid, series_instance_uid, sop_instance_uid, rejected_by, reason, instance_count, rejected_at, purge_at";

    private const string BlockColumns = "m.series_key, m.instance_count, m.bulk_data_base, m.length, m.crc32, m.packed_length";

    private static readonly string s_contentOfStudy = $"SELECT {RowSql.SeriesColumns}, {BlockColumns} FROM series r LEFT JOIN metadata_block m ON m.series_key = r.series_key "
        + "WHERE r.study_key = ? ORDER BY r.series_key";

    async ValueTask<ReminderClaim> ICatalogWriter.ClaimRemindersAsync(ClaimRequest request, CancellationToken ct)
    {
        string kinds = $" kind IN ({Marks(request.Kinds.Count)})";
        string ofKinds = "SELECT min(due_at) FROM reminder WHERE" + kinds;
        DateTimeOffset? next = await ReadAsync(NextDue, ct);
        if (next is null || next > request.Now || request.Limit == 0) return new ReminderClaim([], next);
        return await WriteAsync(database =>
        {
            Statement due = database.Prepare($"SELECT {ReminderColumns} FROM reminder WHERE due_at <= ? AND{kinds} ORDER BY due_at LIMIT ?");
            List<ReminderRow> claimed = ReadRows(BindKinds(due.Bind(request.Now)).Bind(request.Limit), ReadReminder);
            for (int i = 0; i < claimed.Count; i++)
            {
                // Due again when the lease ends: one column says when anybody may have it, and its index orders all.
                claimed[i] = claimed[i] with { DueAt = request.LeasedUntil, LeasedBy = request.Owner, Attempts = claimed[i].Attempts + 1 };
                BindId(database.Prepare("UPDATE reminder SET due_at = ?, leased_until = ?, leased_by = ?, attempts = attempts + 1 WHERE kind = ? AND grain_key = ? AND name = ?")
                    .Bind(request.LeasedUntil).Bind(request.LeasedUntil).Bind(request.Owner), claimed[i].Id).Run();
            }
            return new ReminderClaim(claimed, NextDueBut(database, claimed));
        });

        Statement BindKinds(Statement statement)
        {
            foreach (string kind in request.Kinds) statement.Bind(kind);
            // The marks are a power of two; what is not bound is NULL and equals nothing, but what follows must find its place.
            for (int i = request.Kinds.Count; i < (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)request.Kinds.Count); i++) statement.BindNull();
            return statement;
        }

        DateTimeOffset? NextDue(Database database) => ReadRows(BindKinds(database.Prepare(ofKinds)), row => row.TimeOrNull(0))[0];

        // What was just claimed is due at the lease's end, which is no news to the claimant.
        DateTimeOffset? NextDueBut(Database database, List<ReminderRow> claimed)
        {
            Statement rows = database.Prepare($"SELECT due_at FROM reminder WHERE{kinds} AND NOT (due_at = ? AND leased_by = ?) ORDER BY due_at LIMIT 1");
            List<DateTimeOffset> first = ReadRows(BindKinds(rows).Bind(request.LeasedUntil).Bind(request.Owner), row => row.Time(0));
            return first.Count > 0 ? first[0] : null;
        }
    }

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<ReminderRow>> ListRemindersAsync(int limit, CancellationToken ct = default) => ReadAsync<IReadOnlyList<ReminderRow>>(
        database => ReadRows(database.Prepare($"SELECT {ReminderColumns} FROM reminder ORDER BY due_at, kind, grain_key, name LIMIT ?").Bind(limit), ReadReminder), ct);

    /// <inheritdoc/>
    public ValueTask<FeedState> GetFeedAsync(CancellationToken ct = default) => ReadAsync(
        database => ReadRows(
            database.Prepare("SELECT value, coalesce((SELECT min(sequence) FROM outbox), value + 1) FROM sequence WHERE name = 'outbox'"),
            row => new FeedState(row.Int64(1), row.Int64(0)))[0],
        ct);

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<ConsumerRow>> ListConsumersAsync(CancellationToken ct = default) => ReadAsync<IReadOnlyList<ConsumerRow>>(
        database => ReadRows(database.Prepare("SELECT name, sequence, updated_at FROM consumer ORDER BY name"), row => new ConsumerRow(row.Text(0), row.Int64(1), row.Time(2))), ct);

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<NodeRow>> ListNodesAsync(CancellationToken ct = default) => ReadAsync<IReadOnlyList<NodeRow>>(
        database => ReadRows(
            database.Prepare("SELECT name, session, site, roles, addresses, software_version, started_at, leased_until FROM node ORDER BY name"),
            row => new NodeRow
            {
                Name = row.Text(0), Session = row.Text(1), Site = row.Text(2), Roles = RowSql.Split(row.Text(3)), Addresses = RowSql.Split(row.Text(4)), SoftwareVersion = row.Text(5),
                StartedAt = row.Time(6), LeasedUntil = row.Time(7),
            }),
        ct);

    /// <inheritdoc/>
    public ValueTask<StudyContent?> GetContentAsync(string studyInstanceUid, string? seriesInstanceUid = null, CancellationToken ct = default) => ReadAsync(
        database =>
        {
            // One snapshot for all; the lease ends it.
            database.Execute("BEGIN");
            List<StudyRow> study = ReadRows(database.Prepare($"SELECT {RowSql.StudyColumns} FROM study s WHERE s.study_instance_uid = ?").Bind(studyInstanceUid), row => RowSql.ReadStudy(row, 0));
            if (study.Count == 0) return null;
            int at = RowSql.Count(RowSql.SeriesColumns);
            List<SeriesContent> series = ReadRows(
                database.Prepare(s_contentOfStudy).Bind(study[0].Key),
                row => new SeriesContent(RowSql.ReadSeries(row, 0), row.IsNull(at) ? null : ReadBlock(row, at)));
            if (seriesInstanceUid is null) return new StudyContent(study[0], series);
            series.RemoveAll(one => one.Series.SeriesInstanceUid != seriesInstanceUid);
            return series.Count == 0 ? null : new StudyContent(study[0], series);
        },
        ct);

    /// <inheritdoc/>
    public ValueTask<MetadataBlockRow?> ReadMetadataBlockAsync(long seriesKey, CancellationToken ct = default) => ReadAsync(
        database => ReadRows(
            database.Prepare($"SELECT {BlockColumns}, m.bytes FROM metadata_block m WHERE m.series_key = ?").Bind(seriesKey),
            row => ReadBlock(row, 0) with { Bytes = row.Bytes(RowSql.Count(BlockColumns)) }).FirstOrDefault(),
        ct);

    /// <inheritdoc/>
    public async IAsyncEnumerable<RejectionRow> ListRejectionsAsync(long afterKey = 0, [EnumeratorCancellation] CancellationToken ct = default)
    {
        const string sql = $"SELECT {RejectionColumns} FROM rejection WHERE rejection_key > ? ORDER BY rejection_key LIMIT ?";
        for (List<RejectionRow> page = [null!]; page.Count > 0;)
        {
            long after = afterKey;
            page = await ReadAsync(database => ReadRows(database.Prepare(sql).Bind(after).Bind(RowsPerPage), ReadRejection), ct);
            foreach (RejectionRow row in page) yield return row;
            if (page.Count > 0) afterKey = page[^1].Key;
        }
    }

    /// <inheritdoc/>
    public ValueTask<RejectionRow?> GetRejectionAsync(long key, CancellationToken ct = default) => ReadAsync(
        database => ReadRows(database.Prepare($"SELECT {RejectionColumns} FROM rejection WHERE rejection_key = ?").Bind(key), ReadRejection).FirstOrDefault(), ct);

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<RejectedEntry>> ListRejectedAsync(long rejectionKey, long afterKey, int limit, CancellationToken ct = default) => ReadAsync<IReadOnlyList<RejectedEntry>>(
        database => ReadRows(
            database.Prepare("SELECT r.rejected_key, r.rejection_key, r.study_instance_uid, r.series_instance_uid, r.sop_instance_uid, r.sop_class_uid, r.transfer_syntax_uid, r.blob_key, "
                + "r.blob_offset, r.length, r.received_at, r.source, b.length, b.sha256, b.created_at, EXISTS (SELECT 1 FROM instance i WHERE i.blob_key = r.blob_key) "
                + "OR EXISTS (SELECT 1 FROM quarantine q WHERE q.blob_key = r.blob_key) OR EXISTS (SELECT 1 FROM rejected o WHERE o.blob_key = r.blob_key AND o.rejected_key <> r.rejected_key) "
                + "FROM rejected r CROSS JOIN blob b ON b.blob_key = r.blob_key WHERE r.rejection_key = ? AND r.rejected_key > ? ORDER BY r.rejected_key LIMIT ?")
                .Bind(rejectionKey).Bind(afterKey).Bind(limit),
            row => new RejectedEntry(
                new RejectedRow
                {
                    Key = row.Int64(0), RejectionKey = row.Int64(1), StudyInstanceUid = row.Text(2), SeriesInstanceUid = row.Text(3), SopInstanceUid = row.Text(4), SopClassUid = row.Text(5),
                    TransferSyntaxUid = row.Text(6), BlobKey = row.Int64(7), Offset = row.Int64(8), Length = row.Int64(9), ReceivedAt = row.Time(10), Source = row.Text(11),
                },
                new BlobRow(row.Int64(7), row.Int64(12), row.Bytes(13), row.Time(14)),
                ReadCopies(database, row.Int64(7)),
                row.Int64(15) != 0)),
        ct);

    private static ReminderRow ReadReminder(Statement row) => new()
    {
        Id = new ReminderId(row.Text(0), row.Text(1), row.Text(2)), DueAt = row.Time(3), Payload = row.Text(4), Attempts = row.Int32(5), LeasedBy = row.TextOrNull(6) ?? "",
    };

    private static MetadataBlockRow ReadBlock(Statement row, int at) => new()
    {
        SeriesKey = row.Int64(at), InstanceCount = row.Int32(at + 1), BulkDataBase = row.Text(at + 2), Length = row.Int64(at + 3), Crc32 = (uint)row.Int64(at + 4), PackedLength = row.Int32(at + 5),
    };

    private static RejectionRow ReadRejection(Statement row) => new()
    {
        Key = row.Int64(0), Level = (QueryLevel)row.Int32(1), StudyInstanceUid = row.Text(2), SeriesInstanceUid = row.Text(3), SopInstanceUid = row.Text(4), By = row.Text(5), Reason = row.Text(6),
        InstanceCount = row.Int32(7), RejectedAt = row.Time(8), PurgeAt = row.Time(9),
    };
}
