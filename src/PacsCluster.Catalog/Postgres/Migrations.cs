using System.Globalization;
using Npgsql;

namespace PacsCluster.Catalog.Postgres;

/// <summary>Brings the schema to this program's version. One node does it, under an advisory lock; what an interrupted one left half done is taken up again.
/// Nodes of the older version serve on meanwhile.</summary>
internal static class Migrations
{
    /// <summary>"PACS": whoever else locks in this database should use another.</summary>
    private const long LockKey = 0x50414353;

    /// <summary>A statement that cannot have its table within this time lets the others through and tries again.</summary>
    private const string LockWait = "2s";

    private const int LockTries = 100;

    public static int Newest => Schema.Steps.Length;

    /// <summary>Runs the steps that are missing.</summary>
    /// <param name="connection">Open; nobody else's.</param>
    /// <param name="time">For the times written and the waits.</param>
    /// <param name="ct">Stops between two statements.</param>
    /// <param name="upTo">The version to reach; the newest, except in tests of this very thing.</param>
    /// <exception cref="CatalogUnavailableException">The database is not fit, is another program's, or its schema is too new for this program.</exception>
    public static async Task RunAsync(NpgsqlConnection connection, TimeProvider time, CancellationToken ct, int? upTo = null)
    {
        await CheckServerAsync(connection, ct);
        if (await VersionAsync(connection, ct) >= (upTo ?? Newest)) return;
        // Asked for again and again, not waited for: a statement that waits holds a snapshot, and building an index waits for all snapshots.
        while (!await QueryAsync<bool>(connection, $"SELECT pg_try_advisory_lock({LockKey})", ct)) await Task.Delay(TimeSpan.FromMilliseconds(200), time, ct);
        try
        {
            for (int version = await VersionAsync(connection, ct); version < (upTo ?? Newest); version++)
            {
                await RunStepAsync(connection, Schema.Steps[version], version + 1, time, ct);
            }
        }
        finally
        {
            // A connection that broke has let go of it already.
            if (connection.State == System.Data.ConnectionState.Open) await ExecuteAsync(connection, $"SELECT pg_advisory_unlock({LockKey}); RESET ALL", CancellationToken.None);
        }
    }

    private static async Task CheckServerAsync(NpgsqlConnection connection, CancellationToken ct)
    {
        if (connection.PostgreSqlVersion.Major < 15) throw new CatalogUnavailableException($"the catalog needs PostgreSQL 15 or later, this is {connection.PostgreSqlVersion}");
        string encoding = await QueryAsync<string>(connection, "SHOW server_encoding", ct);
        if (encoding != "UTF8") throw new CatalogUnavailableException($"the catalog's database must have encoding UTF8, not {encoding}");
    }

    private static async Task<int> VersionAsync(NpgsqlConnection connection, CancellationToken ct)
    {
        if (await QueryAsync<bool>(connection, "SELECT to_regclass('schema_version') IS NULL", ct))
        {
            if (await QueryAsync<bool>(connection, "SELECT to_regclass('patient') IS NOT NULL OR to_regclass('study') IS NOT NULL OR to_regclass('instance') IS NOT NULL", ct))
                throw new CatalogUnavailableException("the database is another program's: give the catalog a database of its own");
            return 0;
        }
        await using var command = new NpgsqlCommand("SELECT max(version), max(oldest_program) FROM schema_version", connection);
        await using NpgsqlDataReader row = await command.ExecuteReaderAsync(ct);
        await row.ReadAsync(ct);
        (long version, long oldest) = (row.GetInt64(0), row.GetInt64(1));
        if (oldest > Newest) throw new CatalogUnavailableException($"the catalog has schema {version}, this program knows up to {Newest} and would need {oldest}: it was written by a newer program");
        return (int)version;
    }

    private static async Task RunStepAsync(NpgsqlConnection connection, SchemaStep step, int version, TimeProvider time, CancellationToken ct)
    {
        string number = string.Create(CultureInfo.InvariantCulture,
            $"INSERT INTO schema_version (version, migrated_at, oldest_program) VALUES ({version}, {time.GetUtcNow().ToUnixTimeMilliseconds()}, {step.OldestProgram})");
        string sql = step.Sql.Replace("TEXT", "text COLLATE \"C\"", StringComparison.Ordinal);
        // Without indexes the number goes into the same transaction; with them the statements are such that running them twice does no harm.
        if (step.Indexes.Length == 0) sql = sql.TrimEnd(';') + ";\n" + number;
        for (int tries = 1; ; tries++)
        {
            try
            {
                await ExecuteAsync(connection, $"BEGIN; SET LOCAL lock_timeout = '{LockWait}'; SET LOCAL statement_timeout = 0;\n{sql.TrimEnd(';')};\nCOMMIT", ct);
                break;
            }
            catch (PostgresException e) when (tries < LockTries && e.SqlState is PostgresErrorCodes.LockNotAvailable or PostgresErrorCodes.DeadlockDetected)
            {
                await ExecuteAsync(connection, "ROLLBACK", CancellationToken.None);
            }
            catch (PostgresException)
            {
                await ExecuteAsync(connection, "ROLLBACK", CancellationToken.None);
                throw;
            }
        }
        if (step.Indexes.Length == 0) return;
        await ExecuteAsync(connection, "SET lock_timeout = 0; SET statement_timeout = 0", ct);
        foreach ((string name, string definition) in step.Indexes)
        {
            // One that broke off is there, but is used by nobody.
            if (await QueryAsync<bool>(connection, $"SELECT EXISTS (SELECT 1 FROM pg_index WHERE indexrelid = to_regclass('{name}') AND NOT indisvalid)", ct))
                await ExecuteAsync(connection, $"DROP INDEX CONCURRENTLY {name}", ct);
            await ExecuteAsync(connection, $"CREATE INDEX CONCURRENTLY IF NOT EXISTS {name} ON {definition}", ct);
        }
        await ExecuteAsync(connection, number, ct);
    }

    private static async Task ExecuteAsync(NpgsqlConnection connection, string sql, CancellationToken ct)
    {
        // Building an index of a large archive takes as long as it takes.
        await using var command = new NpgsqlCommand(sql, connection) { CommandTimeout = 0 };
        await command.ExecuteNonQueryAsync(ct);
    }

    private static async Task<T> QueryAsync<T>(NpgsqlConnection connection, string sql, CancellationToken ct)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        return (T)(await command.ExecuteScalarAsync(ct))!;
    }
}
