using Npgsql;
using NpgsqlTypes;
using PacsCluster.Catalog;

namespace PacsCluster.CatalogFill;

/// <summary>Fills an empty catalog on PostgreSQL by COPY, indexes afterwards: a million studies within the hour. Only for a database that serves nobody.</summary>
internal sealed class CopyFill(string connectionString, int seed, int instancesPerStudy)
{
    private const int StudiesPerCopy = 2000;

    private static readonly Dicom.Tag s_patientName = new(0x0010_0010);
    private static readonly string s_patients = Copy("patient", RowFields.Names(QueryLevel.Patient));
    private static readonly string s_studies = Copy("study", RowFields.Names(QueryLevel.Study));
    private static readonly string s_series = Copy("series", RowFields.Names(QueryLevel.Series));
    private static readonly string s_instances = Copy("instance", RowFields.Names(QueryLevel.Image));

    /// <param name="studies">How many.</param>
    /// <param name="connections">At work at once, each on studies of its own.</param>
    /// <param name="report">Told what is done.</param>
    /// <param name="ct">Stops between two pieces.</param>
    public async Task RunAsync(int studies, int connections, Action<string> report, CancellationToken ct)
    {
        await using NpgsqlDataSource database = NpgsqlDataSource.Create(connectionString);
        await using NpgsqlConnection main = await database.OpenConnectionAsync(ct);
        if (await ScalarAsync<long>(main, "SELECT count(*) FROM (SELECT 1 FROM study LIMIT 1) AS one", ct) > 0) throw new InvalidOperationException("the catalog is not empty; fill an empty one");
        List<(string Name, string Definition)> indexes = await DropIndexesAsync(main, ct);
        long started = System.Diagnostics.Stopwatch.GetTimestamp();
        int done = 0;
        await Parallel.ForAsync(0, connections, new ParallelOptions { MaxDegreeOfParallelism = connections, CancellationToken = ct }, async (worker, token) =>
        {
            await using NpgsqlConnection connection = await database.OpenConnectionAsync(token);
            // Rules between tables are checked row by row; these rows keep them, and checking would take most of the time.
            await ExecuteAsync(connection, "SET session_replication_role = replica; SET synchronous_commit = off", token);
            // A seed for each worker: the same number of workers makes the same studies.
            var maker = new StudyMaker(seed + worker, instancesPerStudy);
            int own = (int)((studies * (worker + 1L) / connections) - (studies * (long)worker / connections));
            for (int made = 0; made < own;)
            {
                int piece = Math.Min(StudiesPerCopy, own - made);
                var changes = new CatalogChanges();
                maker.Add(changes, piece, await KeysAsync(connection, token));
                await WriteAsync(connection, changes, token);
                made += piece;
                int total = Interlocked.Add(ref done, piece);
                report($"{total} studies, {total / System.Diagnostics.Stopwatch.GetElapsedTime(started).TotalSeconds:F0} studies/s");
            }
        });
        foreach ((string name, string definition) in indexes)
        {
            long start = System.Diagnostics.Stopwatch.GetTimestamp();
            await ExecuteAsync(main, "SET maintenance_work_mem = '512MB'; " + definition, ct);
            report($"index {name} in {System.Diagnostics.Stopwatch.GetElapsedTime(start).TotalSeconds:F1} s");
        }
        await ExecuteAsync(main, "VACUUM ANALYZE", ct);
    }

    /// <summary>Blocks of the catalog's own sequence, so that it goes on behind these keys.</summary>
    private static async Task<Func<long>> KeysAsync(NpgsqlConnection connection, CancellationToken ct)
    {
        long next = await ScalarAsync<long>(connection, "SELECT nextval('surrogate_key')", ct);
        return () => next++;
    }

    private static async Task WriteAsync(NpgsqlConnection connection, CatalogChanges changes, CancellationToken ct)
    {
        await using NpgsqlTransaction transaction = await connection.BeginTransactionAsync(ct);
        await CopyAsync(connection, s_patients, changes.NewPatients, static (c, p) => RowFields.BindPatient(c, p), ct);
        await CopyAsync(connection, "COPY patient_identifier (patient_id, issuer, patient_key, is_primary) FROM STDIN (FORMAT BINARY)", changes.NewPatients,
            static (c, p) => c.Bind(p.Identifier!.Value.Id).Bind(p.Identifier!.Value.Issuer).Bind(p.Key).Bind(1), ct);
        await CopyAsync(connection, "COPY patient_name_word (patient_key, word, sound) FROM STDIN (FORMAT BINARY)",
            [.. changes.NewPatients.SelectMany(p => NameWords.Of(p.Attributes[s_patientName]).Select(w => (p.Key, w.Word, w.Sound)))], static (c, w) => c.Bind(w.Key).Bind(w.Word).Bind(w.Sound), ct);
        await CopyAsync(connection, s_studies, changes.NewStudies, static (c, s) => RowFields.BindStudy(c, s), ct);
        await CopyAsync(connection, s_series, changes.NewSeries, static (c, r) => RowFields.BindSeries(c, r), ct);
        await CopyAsync(connection, "COPY blob (blob_key, length, sha256, created_at) FROM STDIN (FORMAT BINARY)", changes.NewBlobs,
            static (c, b) => c.Bind(b.Key).Bind(b.Length).Bind(b.Digest).Bind(b.CreatedAt), ct);
        await CopyAsync(connection, "COPY blob_copy (blob_key, store, store_key, tier, verified_at) FROM STDIN (FORMAT BINARY)", changes.NewCopies,
            static (c, b) => c.Bind(b.BlobKey).Bind(b.Store).Bind(b.StoreKey).Bind(b.Tier).Bind(b.VerifiedAt), ct);
        await CopyAsync(connection, s_instances, changes.NewInstances, static (c, i) => RowFields.BindInstance(c, i), ct);
        await using (var totals = new NpgsqlCommand("UPDATE total SET patients = patients + $1, studies = studies + $2, series = series + $3, instances = instances + $4, blobs = blobs + $5, "
            + "blob_bytes = blob_bytes + $6 WHERE slot = pg_backend_pid() % 32", connection))
        {
            foreach (long delta in (long[])[changes.NewPatients.Count, changes.NewStudies.Count, changes.NewSeries.Count, changes.NewInstances.Count, changes.NewBlobs.Count, changes.NewBlobs.Sum(b => b.Length)])
                totals.Parameters.Add(new NpgsqlParameter { NpgsqlDbType = NpgsqlDbType.Bigint, Value = delta });
            await totals.ExecuteNonQueryAsync(ct);
        }
        await transaction.CommitAsync(ct);
    }

    private static async Task CopyAsync<T>(NpgsqlConnection connection, string sql, List<T> rows, Func<CopyRow, T, CopyRow> bind, CancellationToken ct)
    {
        await using NpgsqlBinaryImporter importer = await connection.BeginBinaryImportAsync(sql, ct);
        var row = new CopyRow(importer);
        foreach (T one in rows)
        {
            await importer.StartRowAsync(ct);
            bind(row, one);
        }
        await importer.CompleteAsync(ct);
    }

    private static async Task<List<(string, string)>> DropIndexesAsync(NpgsqlConnection connection, CancellationToken ct)
    {
        List<(string Name, string Definition)> indexes = [];
        await using (var command = new NpgsqlCommand("SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = current_schema() "
            + "AND tablename IN ('patient', 'patient_identifier', 'patient_name_word', 'study', 'series', 'blob_copy', 'instance') AND indexname NOT LIKE '%\\_pkey'", connection))
        {
            await using NpgsqlDataReader row = await command.ExecuteReaderAsync(ct);
            while (await row.ReadAsync(ct)) indexes.Add((row.GetString(0), row.GetString(1)));
        }
        foreach ((string name, _) in indexes) await ExecuteAsync(connection, $"DROP INDEX {name}", ct);
        return indexes;
    }

    private static string Copy(string table, IEnumerable<string> columns) => $"COPY {table} ({string.Join(", ", columns)}) FROM STDIN (FORMAT BINARY)";

    private static async Task ExecuteAsync(NpgsqlConnection connection, string sql, CancellationToken ct)
    {
        await using var command = new NpgsqlCommand(sql, connection) { CommandTimeout = 0 };
        await command.ExecuteNonQueryAsync(ct);
    }

    private static async Task<T> ScalarAsync<T>(NpgsqlConnection connection, string sql, CancellationToken ct)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        return (T)(await command.ExecuteScalarAsync(ct))!;
    }

    /// <summary>A row on its way into COPY.</summary>
    private sealed class CopyRow(NpgsqlBinaryImporter importer) : IRowBinder<CopyRow>
    {
        public CopyRow Bind(long value)
        {
            importer.Write(value, NpgsqlDbType.Bigint);
            return this;
        }

        public CopyRow Bind(long? value) => value is { } number ? Bind(number) : BindNull();

        public CopyRow Bind(DateTimeOffset value) => Bind(value.ToUnixTimeMilliseconds());

        public CopyRow Bind(DateTimeOffset? value) => Bind(value?.ToUnixTimeMilliseconds());

        public CopyRow Bind(string? value)
        {
            if (value is null) importer.WriteNull();
            else importer.Write(value, NpgsqlDbType.Text);
            return this;
        }

        public CopyRow Bind(ReadOnlyMemory<byte> value)
        {
            importer.Write(value, NpgsqlDbType.Bytea);
            return this;
        }

        public CopyRow BindNull()
        {
            importer.WriteNull();
            return this;
        }
    }
}
