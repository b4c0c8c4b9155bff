namespace PacsCluster.Catalog.Postgres;

/// <summary>The statements of a commit. Each takes its rows as an array for each column.</summary>
internal static class CommitSql
{
    public const string Mark = "INSERT INTO commit_mark (token) VALUES ($1)";

    // Two nodes may be at it at once.
    public const string ForgetMarks = "DELETE FROM commit_mark WHERE token IN (SELECT token FROM commit_mark WHERE token < $1 ORDER BY token LIMIT 5000 FOR UPDATE SKIP LOCKED)";

    /// <summary>The version is looked at after the lock is had: READ COMMITTED gives the row as it then is.</summary>
    public static readonly string LockPatients = Lock("patient", "patient_key", "patient_key", "NO KEY UPDATE");

    /// <summary>For patients that must not change under the commit, but are not written: any number of new studies of one patient at a time.</summary>
    public static readonly string SharePatients = Lock("patient", "patient_key", "patient_key", "SHARE");

    public const string LockMerged = "SELECT patient_key FROM patient WHERE merged_into = ANY($1) ORDER BY patient_key FOR NO KEY UPDATE";

    public static readonly string LockStudies = Lock("study", "study_key", "study_instance_uid", "NO KEY UPDATE");

    /// <summary>With the studies of the patients ($3) that are merged into others.</summary>
    public static readonly string LockStudiesAndLosers = Lock("study", "study_key", "study_instance_uid", "NO KEY UPDATE", " OR t.patient_key = ANY($3)");

    /// <summary>After the study's lock, so that of two nodes with one instance the second finds it.</summary>
    public const string ExpectNewInstances = "SELECT catalog_expect('instance', ARRAY(SELECT i.instance_key FROM instance i WHERE i.sop_instance_uid = ANY($1)))";

    public static readonly RowsSql InsertPatients = Insert("patient", RowFields.Names(QueryLevel.Patient));
    public static readonly RowsSql InsertStudies = Insert("study", RowFields.Names(QueryLevel.Study), " ORDER BY study_instance_uid");
    public static readonly RowsSql InsertSeries = Insert("series", RowFields.Names(QueryLevel.Series));

    // The outbox comes behind the lock of the study, as all of these do: so its entries of one study arrive in the order of their commits.
    private static readonly (string Table, string[] Columns)[] s_stored =
    [
        ("blob", ["blob_key", "length", "sha256", "created_at", "original_length", "original_sha256"]),
        ("blob_copy", ["blob_key", "store", "store_key", "tier", "verified_at"]),
        ("instance", [.. RowFields.Names(QueryLevel.Image)]),
        ("header", ["instance_key", "encoding", "bytes", "frames"]),
        ("outbox_waiting", ["kind", "study_instance_uid", "series_instance_uid", "sop_instance_uid", "payload", "created_at"]),
    ];

    private static readonly RowsSql[] s_insertStored = [.. Enumerable.Range(0, 1 << s_stored.Length).Select(which => InsertAll(s_stored.Where((_, i) => (which & (1 << i)) != 0)))];

    // Whoever adds the same two patients waits for us at the first, not at the second.
    public static readonly RowsSql InsertIdentifiers = Insert("patient_identifier", ["patient_id", "issuer", "patient_key", "is_primary"], " ORDER BY patient_id, issuer, is_primary");
    public static readonly RowsSql RetireBlobs = RowsSql.Of(["blob_key", "retired_at"], rows => $"UPDATE blob t SET retired_at = w.retired_at FROM {rows} WHERE t.blob_key = w.blob_key");
    public static readonly RowsSql InsertConflicts = Insert("conflict", ListFields.ConflictColumns.Split(", "));
    public static readonly RowsSql InsertQuarantine = Insert(
        "quarantine",
        ["quarantine_key", "reason", "study_instance_uid", "series_instance_uid", "sop_instance_uid", "sop_class_uid", "transfer_syntax_uid", "blob_key", "detail", "source", "received_at"]);

    private static readonly string[] s_patientState = ["updated_at", "merged_into", "patient_id", "issuer"];
    private static readonly string[] s_studyState = ["updated_at", "patient_key", "status", "series_count", "instance_count", "modalities_in_study", "sop_classes_in_study"];
    private static readonly string[] s_seriesState = ["updated_at", "instance_count"];

    public static readonly RowsSql UpdatePatientStates = Update("patient", "patient_key", "version = t.version + 1, ", s_patientState);
    public static readonly RowsSql UpdatePatients = Update("patient", "patient_key", "version = t.version + 1, ", [.. s_patientState, .. RowFields.AttributeNames(QueryLevel.Patient)]);

    /// <summary>Each must have the version read, which comes behind the key. The rows are locked in the order of the arrays: they drive, and the study's key is looked up for each.</summary>
    public static readonly RowsSql UpdateStudyStates = UpdateVersion("study", "study_key", s_studyState);
    public static readonly RowsSql UpdateStudies = UpdateVersion("study", "study_key", [.. s_studyState, .. RowFields.AttributeNames(QueryLevel.Study)]);
    public static readonly RowsSql UpdateSeriesStates = UpdateSeriesRows(s_seriesState);
    public static readonly RowsSql UpdateSeries = UpdateSeriesRows([.. s_seriesState, .. RowFields.AttributeNames(QueryLevel.Series)]);
    public static readonly RowsSql InsertWanted = Insert("wanted_copy", ["blob_key", "store", "due_at"]);
    public static readonly RowsSql PostponeCopies = RowsSql.Of(
        ["blob_key", "store", "due_at"], rows => $"UPDATE wanted_copy t SET due_at = w.due_at FROM {rows} WHERE t.blob_key = w.blob_key AND t.store = w.store");

    /// <summary>Keys and stores; each must be wanted.</summary>
    public const string SettleCopies = "WITH done AS (DELETE FROM wanted_copy t USING unnest($1, $2) AS w(blob_key, store) WHERE t.blob_key = w.blob_key AND t.store = w.store "
        + "RETURNING t.blob_key, t.store) SELECT catalog_expect('blob', ARRAY(SELECT w.blob_key FROM unnest($1, $2) AS w(blob_key, store) "
        + "WHERE NOT EXISTS (SELECT 1 FROM done d WHERE d.blob_key = w.blob_key AND d.store = w.store)))";

    /// <summary>Each must still have the old key.</summary>
    public const string ReplaceCopies = "WITH done AS (UPDATE blob_copy t SET store_key = w.store_key, tier = w.tier, verified_at = w.verified_at "
        + "FROM unnest($1, $2, $3, $4, $5, $6) AS w(blob_key, store, store_key, tier, verified_at, old_key) WHERE t.blob_key = w.blob_key AND t.store = w.store AND t.store_key = w.old_key "
        + "RETURNING t.blob_key, t.store) SELECT catalog_expect('blob', ARRAY(SELECT w.blob_key FROM unnest($1, $2) AS w(blob_key, store) "
        + "WHERE NOT EXISTS (SELECT 1 FROM done d WHERE d.blob_key = w.blob_key AND d.store = w.store)))";
    public static readonly RowsSql UpdateVerified = RowsSql.Of(
        ["verified_at", "blob_key", "store"], rows => $"UPDATE blob_copy t SET verified_at = w.verified_at FROM {rows} WHERE t.blob_key = w.blob_key AND t.store = w.store");

    /// <summary>Arrays of keys, of the blobs that they are in, and of <see cref="RowFields.RewrittenColumns"/>.</summary>
    public static readonly string RewriteInstances = Expect(
        "instance",
        $"UPDATE instance t SET {string.Join(", ", RowFields.RewrittenColumns.Select(c => $"{c} = w.{c}"))} FROM unnest({Numbered(RowFields.RewrittenColumns.Length + 2)}) "
        + $"AS w(w_key, w_from, {string.Join(", ", RowFields.RewrittenColumns)}) WHERE t.instance_key = w.w_key AND t.blob_key = w.w_from RETURNING t.instance_key AS key");

    public static readonly RowsSql RewriteHeaders = Update("header", "instance_key", "", ["encoding", "bytes", "frames"]);

    /// <summary>Arrays of losers and survivors: the losers point to their survivors, and so do their earlier losers and their studies.</summary>
    public const string Merge = "WITH w AS (SELECT * FROM unnest($1, $2) AS w(loser, survivor)), "
        + "marked AS (UPDATE patient t SET merged_into = w.survivor, version = t.version + 1 FROM w WHERE t.patient_key = w.loser AND t.merged_into IS NULL RETURNING t.patient_key AS key), "
        + "fenced AS (UPDATE patient t SET version = t.version + 1 FROM w WHERE t.patient_key = w.survivor AND t.merged_into IS NULL RETURNING t.patient_key AS key), "
        + "earlier AS (UPDATE patient t SET merged_into = w.survivor, version = t.version + 1 FROM w WHERE t.merged_into = w.loser), "
        + "moved AS (UPDATE study t SET patient_key = w.survivor, version = t.version + 1 FROM w WHERE t.patient_key = w.loser) "
        + "SELECT catalog_expect('patient', ARRAY(SELECT x FROM unnest($1 || $2) AS x EXCEPT SELECT key FROM marked EXCEPT SELECT key FROM fenced))";

    public static readonly RowsSql InsertNameWords = Insert("patient_name_word", ["patient_key", "word", "sound"]);
    public const string DeleteNameWords = "DELETE FROM patient_name_word WHERE patient_key = ANY($1)";
    public const string DeleteIdentifiers = "DELETE FROM patient_identifier WHERE patient_key = ANY($1)";
    public const string DeleteHeaders = "DELETE FROM header WHERE instance_key = ANY($1)";
    public const string DeleteCopies = "DELETE FROM blob_copy WHERE blob_key = ANY($1)";
    public static readonly string DeleteInstances = Delete("instance");
    public static readonly string DeleteSeries = Delete("series");
    public static readonly string DeleteQuarantine = Delete("quarantine");
    public static readonly string DeleteBlobs = Delete("blob");

    public const string DeleteBlocks = "DELETE FROM metadata_block WHERE series_key = ANY($1)";
    public const string DeleteStudies = "DELETE FROM study WHERE study_key = ANY($1)";
    public static readonly string DeleteRejected = Expect("rejection", "DELETE FROM rejected WHERE rejected_key = ANY($1) RETURNING rejected_key AS key");
    public static readonly string DeleteRejections = Delete("rejection");

    /// <summary>Patients that have no study any more and to whom no other points, with their identifiers. Their rows are locked.</summary>
    public const string DeleteEmptied = "WITH emptied AS MATERIALIZED (SELECT p.patient_key FROM patient p WHERE p.patient_key = ANY($1) "
        + "AND NOT EXISTS (SELECT 1 FROM study s WHERE s.patient_key = p.patient_key) AND NOT EXISTS (SELECT 1 FROM patient m WHERE m.merged_into = p.patient_key)), "
        + "identifiers AS (DELETE FROM patient_identifier n USING emptied e WHERE n.patient_key = e.patient_key), "
        + "words AS (DELETE FROM patient_name_word w USING emptied e WHERE w.patient_key = e.patient_key), "
        + "gone AS (DELETE FROM patient p USING emptied e WHERE p.patient_key = e.patient_key RETURNING 1) "
        + "UPDATE total SET patients = patients - (SELECT count(*) FROM gone) WHERE slot = pg_backend_pid() % 32";

    public static readonly RowsSql InsertRejections = Insert("rejection", WorkFields.RejectionColumns.Split(", "));

    public const string InstancesOfStudy = "i.series_key IN (SELECT x.series_key FROM series x WHERE x.study_key = $1)";
    public const string InstancesOfSeries = "i.series_key = $1";
    public const string ThisInstance = "i.instance_key = $1";

    public static readonly RowsSql InsertBlocks = Insert(
        "metadata_block",
        ["series_key", "instance_count", "bulk_data_base", "length", "crc32", "packed_length", "bytes"],
        " ON CONFLICT (series_key) DO UPDATE SET instance_count = excluded.instance_count, bulk_data_base = excluded.bulk_data_base, length = excluded.length, crc32 = excluded.crc32, "
        + "packed_length = excluded.packed_length, bytes = excluded.bytes");

    private const string ClaimHolds = "t.kind = w.kind AND t.grain_key = w.grain_key AND t.name = w.name AND t.leased_by = w.leased_by AND t.due_at = w.due_at";

    private static readonly string[] s_claim = ["kind", "grain_key", "name", "leased_by", "due_at"];

    public static readonly RowsSql FinishReminders = RowsSql.Of(s_claim, rows => $"DELETE FROM reminder t USING {rows} WHERE {ClaimHolds}");
    public static readonly RowsSql PostponeReminders = RowsSql.Of(
        [.. s_claim, "until", "attempts", "payload"],
        rows => $"UPDATE reminder t SET due_at = w.until, leased_until = NULL, leased_by = NULL, attempts = w.attempts, payload = w.payload FROM {rows} WHERE {ClaimHolds}");
    public static readonly RowsSql CancelReminders = RowsSql.Of(
        ["kind", "grain_key", "name"], rows => $"DELETE FROM reminder t USING {rows} WHERE t.kind = w.kind AND t.grain_key = w.grain_key AND t.name = w.name");

    private static readonly RowsSql s_insertReminders = RowsSql.Of(
        ["kind", "grain_key", "name", "due_at", "payload"],
        rows => "INSERT INTO reminder (kind, grain_key, name, due_at, attempts, payload) SELECT kind, grain_key, name, due_at, 0, payload "
            + $"FROM {rows} ORDER BY kind, grain_key, name ON CONFLICT (kind, grain_key, name) ");

    public static readonly RowsSql AddReminders = s_insertReminders.With(sql => sql + "DO NOTHING");
    public static readonly RowsSql SetReminders = s_insertReminders.With(sql => sql + "DO UPDATE SET due_at = excluded.due_at, leased_until = NULL, leased_by = NULL, attempts = 0, payload = excluded.payload");

    public const string SetConsumers = "INSERT INTO consumer (name, sequence, updated_at) SELECT * FROM unnest($1, $2, $3) AS w(name, sequence, updated_at) ORDER BY name "
        + "ON CONFLICT (name) DO UPDATE SET sequence = greatest(consumer.sequence, excluded.sequence), updated_at = excluded.updated_at";
    public const string DeleteConsumers = "DELETE FROM consumer WHERE name = ANY($1)";
    public const string TrimOutbox = "DELETE FROM outbox WHERE sequence <= $1";

    /// <summary>$9 is the time by which another session's lease is over.</summary>
    public const string LeaseNode = $"WITH done AS (INSERT INTO node ({WorkFields.NodeColumns}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (name) DO UPDATE SET "
        + "session = excluded.session, site = excluded.site, roles = excluded.roles, addresses = excluded.addresses, software_version = excluded.software_version, "
        + "started_at = excluded.started_at, leased_until = excluded.leased_until WHERE node.session = excluded.session OR node.leased_until <= $9 RETURNING 1) "
        + "SELECT catalog_expect('node', CASE WHEN EXISTS (SELECT 1 FROM done) THEN '{}' ELSE '{0}' END::bigint[])";
    public const string DeleteNodes = "DELETE FROM node t USING unnest($1, $2) AS w(name, session) WHERE t.name = w.name AND t.session = w.session";

    /// <summary>Counts by delta, in one of several rows, so that commits do not wait for each other here.</summary>
    public const string UpdateTotals = "WITH resolved AS (UPDATE conflict SET resolved_at = (extract(epoch FROM clock_timestamp()) * 1000)::bigint "
        + "WHERE conflict_key = ANY($1) AND resolved_at IS NULL RETURNING 1) "
        + "UPDATE total SET patients = patients + $2, studies = studies + $3, series = series + $4, instances = instances + $5, blobs = blobs + $6, blob_bytes = blob_bytes + $7, "
        + "quarantined = quarantined + $8, conflicts = conflicts + $9 - (SELECT count(*) FROM resolved) WHERE slot = pg_backend_pid() % 32";

    /// <summary>Who numbers the outbox does it alone.</summary>
    public const string LockOutbox = "SELECT 1 FROM sequence WHERE name = 'outbox' FOR NO KEY UPDATE";

    /// <summary>Gives entries that wait their numbers, in the order of their arrival, up to $1 of them. In a statement behind the lock, which sees all that was committed before it was
    /// had: whatever was committed before another commit began is numbered before it.</summary>
    public const string NumberOutbox = "WITH moved AS (DELETE FROM outbox_waiting WHERE arrival IN (SELECT o.arrival FROM outbox_waiting o ORDER BY o.arrival LIMIT $1) RETURNING *), "
        + "taken AS (UPDATE sequence SET value = value + (SELECT count(*) FROM moved) WHERE name = 'outbox' AND EXISTS (SELECT 1 FROM moved) RETURNING value - (SELECT count(*) FROM moved) AS before) "
        + "INSERT INTO outbox (sequence, kind, study_instance_uid, series_instance_uid, sop_instance_uid, payload, created_at) "
        + "SELECT t.before + row_number() OVER (ORDER BY m.arrival), m.kind, m.study_instance_uid, m.series_instance_uid, m.sop_instance_uid, m.payload, m.created_at FROM taken t, moved m";

    public const string WaitsForNumbers = "SELECT EXISTS (SELECT 1 FROM outbox_waiting ORDER BY arrival LIMIT 1)::int::bigint";

    /// <summary>What storing writes anew, each as an array for each column, behind one another: those of blobs, copies, instances, headers and the outbox of which there are some. One
    /// statement instead of five, since a statement for one row costs more than the row; foreign keys are looked at when it ends.</summary>
    /// <param name="counts">How many rows of each, in this order.</param>
    public static string InsertStored(params ReadOnlySpan<int> counts)
    {
        (int which, int most) = (0, 0);
        for (int i = 0; i < counts.Length; i++)
        {
            if (counts[i] > 0) which |= 1 << i;
            most = Math.Max(most, counts[i]);
        }
        return s_insertStored[which].For(most);
    }

    /// <summary>Moves instances to the rejected ones: $1 says which, $2 is the deletion, $3 the Study Instance UID, $4 how many they must be.</summary>
    public static string Reject(string which) => "WITH moved AS (INSERT INTO rejected (rejected_key, rejection_key, study_instance_uid, series_instance_uid, sop_instance_uid, sop_class_uid, "
        + "transfer_syntax_uid, blob_key, blob_offset, length, received_at, source) SELECT i.instance_key, $2, $3, r.series_instance_uid, i.sop_instance_uid, i.sop_class_uid, "
        + $"i.transfer_syntax_uid, i.blob_key, i.blob_offset, i.length, i.received_at, i.source FROM instance i JOIN series r ON r.series_key = i.series_key WHERE {which} RETURNING 1) "
        + "SELECT catalog_expect('study', CASE WHEN (SELECT count(*) FROM moved) = $4 THEN '{}' ELSE '{0}' END::bigint[])";

    public static string DeleteHeadersOf(string which) => $"DELETE FROM header h USING instance i WHERE h.instance_key = i.instance_key AND {which}";

    public static string DeleteInstancesOf(string which) => $"DELETE FROM instance i WHERE {which}";

    /// <summary>Locks rows in order and raises the conflict of those whose version is not the one read. Arrays of keys and versions.</summary>
    private static string Lock(string table, string key, string order, string strength, string more = "") =>
        $"WITH locked AS MATERIALIZED (SELECT t.{key} AS key, t.version FROM {table} t WHERE t.{key} = ANY($1){more} ORDER BY t.{order} FOR {strength}) "
        + $"SELECT catalog_expect('{table}', ARRAY(SELECT w.key FROM unnest($1, $2) AS w(key, version) WHERE NOT EXISTS (SELECT 1 FROM locked l WHERE l.key = w.key AND l.version = w.version)))";

    private static RowsSql Insert(string table, IEnumerable<string> columns, string more = "", int first = 1)
    {
        string[] names = [.. columns];
        return RowsSql.Of(names, rows => $"INSERT INTO {table} ({string.Join(", ", names)}) SELECT * FROM {rows}{more}", first);
    }

    private static RowsSql InsertAll(IEnumerable<(string Table, string[] Columns)> tables)
    {
        List<RowsSql> inserts = [];
        int first = 1;
        foreach ((string table, string[] columns) in tables)
        {
            inserts.Add(Insert(table, columns, first: first));
            first += columns.Length;
        }
        return new RowsSql(All(inserts.Select(i => i.Few)), All(inserts.Select(i => i.Many)));

        static string All(IEnumerable<string> statements) => statements.ToArray() switch
        {
            [] => "",
            [var only] => only,
            [.. var others, var last] => $"WITH {string.Join(", ", others.Select((sql, i) => $"insert{i} AS ({sql})"))} {last}",
        };
    }

    /// <summary>The first array holds the keys, the others the columns in order.</summary>
    private static RowsSql Update(string table, string key, string more, string[] columns) => RowsSql.Of(
        ["w_key", .. columns], rows => $"UPDATE {table} t SET {more}{string.Join(", ", columns.Select(c => $"{c} = w.{c}"))} FROM {rows} WHERE t.{key} = w.w_key");

    private static RowsSql UpdateVersion(string table, string key, string[] columns) => RowsSql.Of(
        ["w_key", "w_version", .. columns],
        rows => Expect(
            table,
            $"UPDATE {table} t SET version = t.version + 1, {string.Join(", ", columns.Select(c => $"{c} = w.{c}"))} FROM {rows} "
            + $"WHERE t.{key} = w.w_key AND t.version = w.w_version RETURNING t.{key} AS key"));

    /// <summary>What was packed of a series goes with any change of it.</summary>
    private static RowsSql UpdateSeriesRows(string[] columns) => Update("series", "series_key", "", columns)
        .With(sql => Expect("series", sql + " RETURNING t.series_key AS key", $"blocks AS ({DeleteBlocks}), "));

    private static string Delete(string table) => Expect(table, $"DELETE FROM {table} WHERE {table}_key = ANY($1) RETURNING {table}_key AS key");

    /// <summary>A statement that must hit every row of the keys in its first array.</summary>
    private static string Expect(string kind, string statement, string before = "") =>
        $"WITH {before}done AS ({statement}) SELECT catalog_expect('{kind}', ARRAY(SELECT x FROM unnest($1) AS x EXCEPT SELECT key FROM done))";

    private static string Numbered(int count, int first = 1) => string.Join(", ", Enumerable.Range(first, count).Select(i => $"${i}"));
}
