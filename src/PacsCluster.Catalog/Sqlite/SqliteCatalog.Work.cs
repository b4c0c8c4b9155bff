using System.Runtime.CompilerServices;
using PacsCluster.Catalog.Sqlite;

namespace PacsCluster.Catalog;

// Reading what is still to be done and who does it.
public sealed partial class SqliteCatalog
{
    private static readonly string s_contentOfStudy = $"SELECT {RowFields.SeriesColumns}, {WorkFields.BlockColumns} FROM series r LEFT JOIN metadata_block m ON m.series_key = r.series_key "
        + "WHERE r.study_key = ? ORDER BY r.series_key";

    async ValueTask<ReminderClaim> ICatalogWriter.ClaimRemindersAsync(ClaimRequest request, CancellationToken ct)
    {
        // The plus keeps SQLite from going by kind, through all that are waiting, where the first that are due are asked for.
        string kinds = $" +kind IN ({Marks(request.Kinds.Count)})";
        string ofKinds = "SELECT min(due_at) FROM reminder WHERE" + kinds;
        DateTimeOffset? next = await ReadAsync(NextDue, ct);
        if (next is null || next > request.Now || request.Limit == 0) return new ReminderClaim([], next);
        return await _writer.WriteAsync(database =>
        {
            Statement due = database.Prepare($"SELECT {WorkFields.ReminderColumns} FROM reminder WHERE due_at <= ? AND{kinds} ORDER BY due_at LIMIT ?");
            List<ReminderRow> claimed = ReadRows(BindKinds(due.Bind(request.Now)).Bind(request.Limit), WorkFields.ReadReminder);
            for (int i = 0; i < claimed.Count; i++)
            {
                // Due again when the lease ends: one column says when anybody may have it, and its index orders all.
                claimed[i] = claimed[i] with { DueAt = request.LeasedUntil, LeasedBy = request.Owner, Attempts = claimed[i].Attempts + 1 };
                BindId(database.Prepare("UPDATE reminder SET due_at = ?, leased_until = ?, leased_by = ?, attempts = attempts + 1 WHERE kind = ? AND grain_key = ? AND name = ?")
                    .Bind(request.LeasedUntil).Bind(request.LeasedUntil).Bind(request.Owner), claimed[i].Id).Run();
            }
            return new ReminderClaim(claimed, NextDueBut(database, claimed));
        });

        Statement BindKinds(Statement statement) => BindList(statement, request.Kinds);

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
        database => ReadRows(database.Prepare($"SELECT {WorkFields.ReminderColumns} FROM reminder ORDER BY due_at, kind, grain_key, name LIMIT ?").Bind(limit), WorkFields.ReadReminder), ct);

    /// <inheritdoc/>
    public ValueTask<FeedState> GetFeedAsync(CancellationToken ct = default) => ReadAsync(
        database => ReadRows(
            database.Prepare(WorkFields.Feed),
            WorkFields.ReadFeed)[0],
        ct);

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<ConsumerRow>> ListConsumersAsync(CancellationToken ct = default) => ReadAsync<IReadOnlyList<ConsumerRow>>(
        database => ReadRows(database.Prepare("SELECT name, sequence, updated_at FROM consumer ORDER BY name"), WorkFields.ReadConsumer), ct);

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<NodeRow>> ListNodesAsync(CancellationToken ct = default) => ReadAsync<IReadOnlyList<NodeRow>>(
        database => ReadRows(
            database.Prepare($"SELECT {WorkFields.NodeColumns} FROM node ORDER BY name"),
            WorkFields.ReadNode),
        ct);

    /// <inheritdoc/>
    public ValueTask<StudyContent?> GetContentAsync(string studyInstanceUid, string? seriesInstanceUid = null, CancellationToken ct = default) => ReadAsync(
        database =>
        {
            // One snapshot for all; the lease ends it.
            database.Execute("BEGIN");
            List<StudyRow> study = ReadRows(database.Prepare($"SELECT {RowFields.StudyColumns} FROM study s WHERE s.study_instance_uid = ?").Bind(studyInstanceUid), row => RowFields.ReadStudy(row, 0));
            if (study.Count == 0) return null;
            int at = RowFields.Count(RowFields.SeriesColumns);
            List<SeriesContent> series = ReadRows(
                database.Prepare(s_contentOfStudy).Bind(study[0].Key),
                row => new SeriesContent(RowFields.ReadSeries(row, 0), row.IsNull(at) ? null : WorkFields.ReadBlock(row, at)));
            if (seriesInstanceUid is null) return new StudyContent(study[0], series);
            series.RemoveAll(one => one.Series.SeriesInstanceUid != seriesInstanceUid);
            return series.Count == 0 ? null : new StudyContent(study[0], series);
        },
        ct);

    /// <inheritdoc/>
    public ValueTask<MetadataBlockRow?> ReadMetadataBlockAsync(long seriesKey, CancellationToken ct = default) => ReadAsync(
        database => ReadRows(
            database.Prepare($"SELECT {WorkFields.BlockColumns}, m.bytes FROM metadata_block m WHERE m.series_key = ?").Bind(seriesKey),
            row => WorkFields.ReadBlock(row, 0) with { Bytes = row.Bytes(RowFields.Count(WorkFields.BlockColumns)) }).FirstOrDefault(),
        ct);

    /// <inheritdoc/>
    public async IAsyncEnumerable<RejectionRow> ListRejectionsAsync(long afterKey = 0, [EnumeratorCancellation] CancellationToken ct = default)
    {
        const string sql = $"SELECT {WorkFields.RejectionColumns} FROM rejection WHERE rejection_key > ? ORDER BY rejection_key LIMIT ?";
        for (List<RejectionRow> page = [null!]; page.Count > 0;)
        {
            long after = afterKey;
            page = await ReadAsync(database => ReadRows(database.Prepare(sql).Bind(after).Bind(RowsPerPage), WorkFields.ReadRejection), ct);
            foreach (RejectionRow row in page) yield return row;
            if (page.Count > 0) afterKey = page[^1].Key;
        }
    }

    /// <inheritdoc/>
    public ValueTask<RejectionRow?> GetRejectionAsync(long key, CancellationToken ct = default) => ReadAsync(
        database => ReadRows(database.Prepare($"SELECT {WorkFields.RejectionColumns} FROM rejection WHERE rejection_key = ?").Bind(key), WorkFields.ReadRejection).FirstOrDefault(), ct);

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<RejectedEntry>> ListRejectedAsync(long rejectionKey, long afterKey, int limit, CancellationToken ct = default) => ReadAsync<IReadOnlyList<RejectedEntry>>(
        database => ReadRows(
            database.Prepare(WorkFields.Rejected("?", "?", "?"))
                .Bind(rejectionKey).Bind(afterKey).Bind(limit),
            row => WorkFields.ReadRejected(row, ReadCopies(database, row.Int64(7)))),
        ct);
}
