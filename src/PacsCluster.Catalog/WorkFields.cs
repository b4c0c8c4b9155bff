namespace PacsCluster.Catalog;

/// <summary>What the lists of work and of deletions select and how their rows are read, the same in every database.</summary>
internal static class WorkFields
{
    public const string ReminderColumns = "kind, grain_key, name, due_at, payload, attempts, leased_by";

    public const string RejectionColumns = "rejection_key, level, study_instance_uid, series_instance_uid, sop_instance_uid, rejected_by, reason, instance_count, rejected_at, purge_at";

    public const string BlockColumns = "m.series_key, m.instance_count, m.bulk_data_base, m.length, m.crc32, m.packed_length";

    public const string NodeColumns = "name, session, site, roles, addresses, software_version, started_at, leased_until";

    public const string Feed = "SELECT value, coalesce((SELECT min(sequence) FROM outbox), value + 1) FROM sequence WHERE name = 'outbox'";

    /// <summary>The next instances of a deletion; the marks are of the deletion's key, the key before, and the limit.</summary>
    public static string Rejected(string rejection, string after, string limit) =>
        "SELECT r.rejected_key, r.rejection_key, r.study_instance_uid, r.series_instance_uid, r.sop_instance_uid, r.sop_class_uid, r.transfer_syntax_uid, r.blob_key, "
        + "r.blob_offset, r.length, r.received_at, r.source, " + ListFields.BlobColumns + ", CASE WHEN EXISTS (SELECT 1 FROM instance i WHERE i.blob_key = r.blob_key) "
        + "OR EXISTS (SELECT 1 FROM quarantine q WHERE q.blob_key = r.blob_key) OR EXISTS (SELECT 1 FROM rejected o WHERE o.blob_key = r.blob_key AND o.rejected_key <> r.rejected_key) "
        + "THEN 1 ELSE 0 END "
        + $"FROM rejected r JOIN blob b ON b.blob_key = r.blob_key WHERE r.rejection_key = {rejection} AND r.rejected_key > {after} ORDER BY r.rejected_key LIMIT {limit}";

    public static FeedState ReadFeed(IRow row) => new(row.Int64(1), row.Int64(0));

    public static ConsumerRow ReadConsumer(IRow row) => new(row.Text(0), row.Int64(1), row.Time(2));

    public static NodeRow ReadNode(IRow row) => new()
    {
        Name = row.Text(0), Session = row.Text(1), Site = row.Text(2), Roles = RowFields.Split(row.Text(3)), Addresses = RowFields.Split(row.Text(4)), SoftwareVersion = row.Text(5),
        StartedAt = row.Time(6), LeasedUntil = row.Time(7),
    };

    public static RejectedEntry ReadRejected(IRow row, IReadOnlyList<BlobCopyRow> copies) => new(
        new RejectedRow
        {
            Key = row.Int64(0), RejectionKey = row.Int64(1), StudyInstanceUid = row.Text(2), SeriesInstanceUid = row.Text(3), SopInstanceUid = row.Text(4), SopClassUid = row.Text(5),
            TransferSyntaxUid = row.Text(6), BlobKey = row.Int64(7), Offset = row.Int64(8), Length = row.Int64(9), ReceivedAt = row.Time(10), Source = row.Text(11),
        },
        ListFields.ReadBlob(row, row.Int64(7), 12),
        copies,
        row.Int64(18) != 0);

    public static ReminderRow ReadReminder(IRow row) => new()
    {
        Id = new ReminderId(row.Text(0), row.Text(1), row.Text(2)), DueAt = row.Time(3), Payload = row.Text(4), Attempts = row.Int32(5), LeasedBy = row.TextOrNull(6) ?? "",
    };

    public static MetadataBlockRow ReadBlock(IRow row, int at) => new()
    {
        SeriesKey = row.Int64(at), InstanceCount = row.Int32(at + 1), BulkDataBase = row.Text(at + 2), Length = row.Int64(at + 3), Crc32 = (uint)row.Int64(at + 4), PackedLength = row.Int32(at + 5),
    };

    public static RejectionRow ReadRejection(IRow row) => new()
    {
        Key = row.Int64(0), Level = (QueryLevel)row.Int32(1), StudyInstanceUid = row.Text(2), SeriesInstanceUid = row.Text(3), SopInstanceUid = row.Text(4), By = row.Text(5), Reason = row.Text(6),
        InstanceCount = row.Int32(7), RejectedAt = row.Time(8), PurgeAt = row.Time(9),
    };
}
