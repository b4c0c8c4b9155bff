using Npgsql;
using PacsCluster.Catalog.Postgres;
using PacsCluster.CatalogFill;

namespace PacsCluster.Catalog.Tests;

/// <summary>The schema is brought up to date by one node while others work in it.</summary>
public sealed class PostgresMigrationTests(PostgresFixture postgres)
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    private static Task<PostgresCatalog> OpenAsync(string connectionString, int? upTo) =>
        PostgresCatalog.OpenAsync(new PostgresCatalogOptions { ConnectionString = connectionString, RetryFor = TimeSpan.FromSeconds(60) }, TimeProvider.System, upTo, Ct);

    [Fact]
    public async Task A_filled_older_schema_is_migrated_under_load_once_and_an_interrupted_step_is_taken_up_again()
    {
        string connectionString = await postgres.NewDatabaseAsync();
        await using PostgresCatalog old = await OpenAsync(connectionString, upTo: 1);
        await using var connection = new NpgsqlConnection(connectionString + ";Pooling=false");
        await connection.OpenAsync(Ct);
        // The older node here is today's program, whose statements name these; a step that broke off behind them has left them, too.
        await ExecuteAsync("ALTER TABLE blob ADD COLUMN original_length bigint, ADD COLUMN original_sha256 bytea, ADD COLUMN retired_at bigint");
        await CommitFill.RunAsync(old, 1000, ct: Ct);
        // What is left behind when a node dies while it builds an index.
        await ExecuteAsync("CREATE EXTENSION pg_trgm; CREATE INDEX patient_name_trigram ON patient USING gin (patient_name_folded gin_trgm_ops)");
        await ExecuteAsync("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'patient_name_trigram'::regclass");

        using var stop = new CancellationTokenSource();
        int stored = 0, found = 0;
        Task[] load =
        [
            .. Enumerable.Range(0, 2).Select(worker => Task.Run(async () =>
            {
                var archive = new Archive(old);
                for (int i = 0; !stop.IsCancellationRequested || i < 5; i++)
                {
                    await archive.StoreAsync((0x0020_000D, $"1.2.{worker}"), (0x0020_000E, $"1.2.{worker}.1"), (0x0008_0018, $"1.2.{worker}.1.{i}"), (0x0010_0020, $"P{worker}"));
                    Interlocked.Increment(ref stored);
                }
            }, Ct)),
            Task.Run(async () =>
            {
                SearchRequest request = CatalogConformance.Request(QueryLevel.Study, CatalogConformance.Identifier("00100010=*mith*", 0x0020_000D));
                while (!stop.IsCancellationRequested) Interlocked.Add(ref found, await old.SearchAsync(request, Ct).CountAsync(Ct));
            }, Ct),
        ];
        // Three nodes of the new version start at once.
        PostgresCatalog[] nodes = await Task.WhenAll(Enumerable.Range(0, 3).Select(_ => OpenAsync(connectionString, upTo: null)));
        await stop.CancelAsync();
        await Task.WhenAll(load);

        Assert.Equal(1000 + stored, (await nodes[0].CountAsync(Ct)).Instances - await CountAsync("SELECT count(*) - 1000 FROM series WHERE series_instance_uid LIKE '2.25.%'"));
        Assert.Empty(await nodes[1].FindWrongCountsAsync(Ct).ToListAsync(Ct));
        Assert.Equal(Migrations.Newest, await CountAsync("SELECT count(*) FROM schema_version"));
        Assert.Equal(0, await CountAsync("SELECT count(*) FROM pg_index WHERE NOT indisvalid"));
        Assert.Equal(4, await CountAsync("SELECT count(*) FROM pg_indexes WHERE indexname LIKE '%\\_trigram'"));
        Assert.True(found > 0);
        // The older node still works, and may even start again.
        await new Archive(old).StoreAsync((0x0020_000D, "1.3"), (0x0020_000E, "1.3.1"), (0x0008_0018, "1.3.1.1"), (0x0010_0020, "P1"));
        await (await OpenAsync(connectionString, upTo: 1)).DisposeAsync();
        foreach (PostgresCatalog node in nodes) await node.DisposeAsync();

        async Task ExecuteAsync(string sql)
        {
            await using var command = new NpgsqlCommand(sql, connection);
            await command.ExecuteNonQueryAsync(Ct);
        }

        async Task<long> CountAsync(string sql)
        {
            await using var command = new NpgsqlCommand(sql, connection);
            return (long)(await command.ExecuteScalarAsync(Ct))!;
        }
    }
}
