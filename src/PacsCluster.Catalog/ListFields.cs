namespace PacsCluster.Catalog;

/// <summary>What the lists of the catalog select and how their rows are read, the same in every database.</summary>
internal static class ListFields
{
    /// <summary>The columns of a location, with the copies of its blob as one text: store and key with a space between, copies with commas between.</summary>
    public const string LocationColumns = BeforeCopies + "c.copies" + BehindCopies;

    /// <summary>For an engine that has to put something else there; without a comma in it, since columns are counted by them.</summary>
    public const string BeforeCopies = "i.instance_key, i.sop_class_uid, i.sop_instance_uid, s.study_instance_uid, r.series_instance_uid, i.transfer_syntax_uid, ";
    public const string BehindCopies = ", i.blob_offset, i.length, i.data_set_offset, i.pixel_data_offset, i.number_of_frames";

    public const string QuarantineColumns = "q.quarantine_key, q.reason, q.study_instance_uid, q.series_instance_uid, q.sop_instance_uid, q.sop_class_uid, "
        + "q.transfer_syntax_uid, q.blob_key, q.detail, q.source, q.received_at, " + BlobColumns;

    /// <summary>Without the blob's key, which the rows that it belongs to have.</summary>
    public const string BlobColumns = "b.length, b.sha256, b.created_at, b.original_length, b.original_sha256, b.retired_at";

    public const string ConflictColumns = "conflict_key, kind, study_instance_uid, sop_instance_uid, detail, source, created_at, resolved_at";

    public const string OutboxColumns = "sequence, kind, study_instance_uid, series_instance_uid, sop_instance_uid, payload, created_at";

    public const string CopyColumns = "blob_key, store, store_key, tier, verified_at";

    public const string Counts = "SELECT CAST(sum(patients) AS BIGINT), CAST(sum(studies) AS BIGINT), CAST(sum(series) AS BIGINT), CAST(sum(instances) AS BIGINT), "
        + "CAST(sum(blobs) AS BIGINT), CAST(sum(blob_bytes) AS BIGINT), CAST(sum(quarantined) AS BIGINT), CAST(sum(conflicts) AS BIGINT) FROM total";

    public static HeaderRow ReadHeader(IRow row)
    {
        int at = RowFields.Count(LocationColumns);
        return new HeaderRow(row.Int64(0), (HeaderEncoding)row.Int32(at), row.Bytes(at + 1), row.IsNull(at + 2) ? default : row.Bytes(at + 2));
    }

    public static InstanceLocation ReadLocation(IRow row, int at)
    {
        string copies = row.Text(at + 6);
        int comma = copies.IndexOf(',', StringComparison.Ordinal);
        BlobPlace first = ReadPlace(comma < 0 ? copies : copies.AsSpan(0, comma));
        return new InstanceLocation
        {
            InstanceKey = row.Int64(at), SopClassUid = row.Text(at + 1), SopInstanceUid = row.Text(at + 2), StudyInstanceUid = row.Text(at + 3),
            SeriesInstanceUid = row.Text(at + 4), TransferSyntaxUid = row.Text(at + 5), Store = first.Store, StoreKey = first.Key,
            MoreCopies = comma < 0 ? [] : [.. copies[(comma + 1)..].Split(',').Select(place => ReadPlace(place))],
            Offset = row.Int64(at + 7), Length = row.Int64(at + 8), DataSetOffset = row.Int32(at + 9), PixelDataOffset = row.Int64(at + 10),
            NumberOfFrames = row.IsNull(at + 11) ? 1 : Math.Max(1, row.Int32(at + 11)),
        };
    }

    // A blob without any copy has an empty one: who reads it learns that it is in no store.
    private static BlobPlace ReadPlace(ReadOnlySpan<char> text)
    {
        int space = text.IndexOf(' ');
        return space < 0 ? new BlobPlace("", "") : new BlobPlace(text[..space].ToString(), text[(space + 1)..].ToString());
    }

    public static QuarantineEntry ReadQuarantine(IRow row, IReadOnlyList<BlobCopyRow> copies) => new(
        new QuarantineRow
        {
            Key = row.Int64(0), Reason = row.Text(1), StudyInstanceUid = row.Text(2), SeriesInstanceUid = row.Text(3), SopInstanceUid = row.Text(4), SopClassUid = row.Text(5),
            TransferSyntaxUid = row.Text(6), BlobKey = row.Int64(7), Detail = row.Text(8), Source = row.Text(9), ReceivedAt = row.Time(10),
        },
        ReadBlob(row, row.Int64(7), 11),
        copies);

    public static ConflictRow ReadConflict(IRow row) => new()
    {
        Key = row.Int64(0), Kind = row.Text(1), StudyInstanceUid = row.Text(2), SopInstanceUid = row.Text(3), Detail = row.Text(4), Source = row.Text(5),
        CreatedAt = row.Time(6), ResolvedAt = row.TimeOrNull(7),
    };

    public static OutboxRow ReadOutbox(IRow row) => new()
    {
        Sequence = row.Int64(0), Kind = row.Text(1), StudyInstanceUid = row.Text(2), SeriesInstanceUid = row.Text(3), SopInstanceUid = row.Text(4), Payload = row.Text(5),
        CreatedAt = row.Time(6),
    };

    public const string WantedColumns = "w.blob_key, w.store, w.due_at, " + BlobColumns;

    public const string CountWanted = "SELECT store, count(*) FROM wanted_copy GROUP BY store ORDER BY store";

    /// <summary>The copies wanted in a store that are due, longest first; the marks are of the store, the time, the stores to copy from (a comparison) and the limit.</summary>
    public static string Wanted(string store, string dueBy, string from, string limit) =>
        $"SELECT {WantedColumns} FROM wanted_copy w JOIN blob b ON b.blob_key = w.blob_key WHERE w.store = {store} AND w.due_at <= {dueBy} "
        + $"AND EXISTS (SELECT 1 FROM blob_copy c WHERE c.blob_key = w.blob_key AND c.store {from}) ORDER BY w.due_at, w.blob_key LIMIT {limit}";

    public static WantedCopyEntry ReadWanted(IRow row, IReadOnlyList<BlobCopyRow> copies) =>
        new(new WantedCopyRow(row.Int64(0), row.Text(1), row.Time(2)), ReadBlob(row, row.Int64(0), 3), copies);

    public static BlobRow ReadBlob(IRow row, long key, int at) => new(key, row.Int64(at), row.Bytes(at + 1), row.Time(at + 2))
    {
        Original = row.IsNull(at + 3) ? null : new OriginalContent(row.Int64(at + 3), row.Bytes(at + 4)),
        RetiredAt = row.TimeOrNull(at + 5),
    };

    /// <summary>Blobs that another has taken the place of and that nothing needs, the one longest retired in front; the mark is of the limit.</summary>
    public static string Retired(string limit) => $"SELECT b.blob_key, {BlobColumns} FROM blob b WHERE b.retired_at IS NOT NULL "
        + "AND NOT EXISTS (SELECT 1 FROM instance i WHERE i.blob_key = b.blob_key) AND NOT EXISTS (SELECT 1 FROM quarantine q WHERE q.blob_key = b.blob_key) "
        + $"AND NOT EXISTS (SELECT 1 FROM rejected r WHERE r.blob_key = b.blob_key) ORDER BY b.retired_at, b.blob_key LIMIT {limit}";

    public static BlobCopyRow ReadCopy(IRow row) => new(row.Int64(0), row.Text(1), row.Text(2), row.Text(3), row.TimeOrNull(4));

    public static CatalogCounts ReadCounts(IRow row) => new(row.Int64(0), row.Int64(1), row.Int64(2), row.Int64(3), row.Int64(4), row.Int64(5), row.Int64(6), row.Int64(7));
}

/// <summary>A series (or a study without one) with what is kept and what there is.</summary>
internal sealed record CountedSeries(long StudyKey, string StudyUid, long SeriesKept, long InstancesKept, string? SeriesUid, long Kept, long Actual)
{
    /// <summary>A row for each series of a page of studies.</summary>
    public static string Sql(string afterKey, string limit) => "SELECT s.study_key, s.study_instance_uid, s.series_count, s.instance_count, r.series_instance_uid, r.instance_count, "
        + "(SELECT count(*) FROM instance i WHERE i.series_key = r.series_key) "
        + $"FROM (SELECT * FROM study WHERE study_key > {afterKey} ORDER BY study_key LIMIT {limit}) s LEFT JOIN series r ON r.study_key = s.study_key ORDER BY s.study_key, r.series_key";

    public static CountedSeries Read(IRow row) =>
        new(row.Int64(0), row.Text(1), row.Int64(2), row.Int64(3), row.TextOrNull(4), row.IsNull(5) ? 0 : row.Int64(5), row.Int64(6));

    /// <summary>What is wrong in a page.</summary>
    public static IEnumerable<WrongCount> FindWrong(IEnumerable<CountedSeries> page)
    {
        foreach (IGrouping<long, CountedSeries> study in page.GroupBy(row => row.StudyKey))
        {
            CountedSeries first = study.First();
            long series = study.Count(row => row.SeriesUid is not null);
            long instances = study.Sum(row => row.Actual);
            if (first.SeriesKept != series) yield return new WrongCount(first.StudyUid, "", first.SeriesKept, series);
            if (first.InstancesKept != instances) yield return new WrongCount(first.StudyUid, "", first.InstancesKept, instances);
            foreach (CountedSeries row in study.Where(row => row.SeriesUid is not null && row.Kept != row.Actual)) yield return new WrongCount(row.StudyUid, row.SeriesUid!, row.Kept, row.Actual);
        }
    }
}
