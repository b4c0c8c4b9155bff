using Npgsql;
using PacsCluster.Catalog.Postgres;

namespace PacsCluster.Catalog.Tests;

/// <summary>PostgreSQL: the suite, and what only PostgreSQL has.</summary>
public class PostgresCatalogTests(PostgresFixture postgres) : CatalogConformance
{
    private string _connectionString = "";

    protected override async Task<ICatalog> OpenEmptyAsync()
    {
        _connectionString = await postgres.NewCatalogAsync();
        return await OpenAgainAsync();
    }

    protected override async Task<ICatalog> OpenAgainAsync() => await PostgresFixture.OpenAsync(_connectionString);

    protected async Task<long> QueryAsync(string sql)
    {
        await using var connection = new NpgsqlConnection(_connectionString + ";Pooling=false");
        await connection.OpenAsync(Ct);
        await using var command = new NpgsqlCommand(sql, connection);
        return Convert.ToInt64(await command.ExecuteScalarAsync(Ct));
    }

    [Fact]
    public async Task Every_column_of_the_column_table_is_in_the_schema()
    {
        foreach ((QueryLevel level, string table) in ((QueryLevel, string)[])[(QueryLevel.Patient, "patient"), (QueryLevel.Study, "study"), (QueryLevel.Series, "series"), (QueryLevel.Image, "instance")])
        {
            foreach (Column column in Columns.Of(level))
            {
                const string find = "SELECT count(*) FROM information_schema.columns WHERE table_name = '{0}' AND column_name = '{1}' AND data_type = '{2}'";
                Assert.Equal(1, await QueryAsync(string.Format(null, find, table, column.Name, column.IsInteger ? "bigint" : "text")));
                if (column.IsFolded) Assert.Equal(1, await QueryAsync(string.Format(null, find, table, column.FoldedName, "text")));
            }
        }
    }

    [Fact]
    public async Task A_newer_schema_and_a_strange_database_are_refused_in_words()
    {
        await QueryAsync("INSERT INTO schema_version VALUES (9999, 0, 1); SELECT 0");
        // Newer, but still fit for programs as old as this one: an older node may start again while newer ones run.
        await (await OpenAgainAsync()).DisposeAsync();
        await QueryAsync("UPDATE schema_version SET oldest_program = 9999 WHERE version = 9999; SELECT 0");
        Assert.Contains("newer", (await Assert.ThrowsAsync<CatalogUnavailableException>(OpenAgainAsync)).Message, StringComparison.Ordinal);

        _connectionString = await postgres.NewDatabaseAsync();
        await QueryAsync("CREATE TABLE patient (x int); SELECT 0");
        Assert.Contains("another program", (await Assert.ThrowsAsync<CatalogUnavailableException>(OpenAgainAsync)).Message, StringComparison.Ordinal);
        string nowhere = new NpgsqlConnectionStringBuilder(_connectionString) { Database = "nowhere" }.ConnectionString;
        Assert.Contains("nowhere", (await Assert.ThrowsAsync<CatalogUnavailableException>(() => PostgresFixture.OpenAsync(nowhere))).Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<CatalogUnavailableException>(() => PostgresFixture.OpenAsync("Host=127.0.0.1;Port=1;Database=x", TimeSpan.FromMilliseconds(100)));
    }

    [Theory]
    [InlineData("Host=a", "names no Database")]
    [InlineData("Database=a", "names no Host")]
    [InlineData("Host=a;Database=b;Maximum Pool Size=3", "ReadersMax")]
    [InlineData("Host=a;Database=b;Nonsense=3", "nonsense")]
    public async Task A_connection_string_that_will_not_do_is_refused_in_words(string connectionString, string says) =>
        Assert.Contains(says, (await Assert.ThrowsAsync<ArgumentException>(() => PostgresFixture.OpenAsync(connectionString))).Message, StringComparison.OrdinalIgnoreCase);

    [Fact]
    public async Task Text_that_the_database_cannot_keep_is_the_items_fault()
    {
        foreach (string bad in (string[])["a\0b", "a\ud800b"])
        {
            await Assert.ThrowsAsync<InvalidDataException>(() => Archive.StoreAsync(Archive.Header(Uids(1)), (changes, _) =>
                changes.NewConflicts.Add(new ConflictRow { Key = 1, Kind = "k", StudyInstanceUid = "1.2.1", Detail = bad })));
        }
        Assert.Equal(0, (await Catalog.CountAsync(Ct)).Instances);
        await Archive.StoreAsync(Uids(1));
    }

    [Fact]
    public async Task A_commit_that_was_answered_by_nobody_but_happened_is_not_done_twice()
    {
        LoadedState state = await Writer.LoadAsync(new LoadRequest { NewKeys = 1 }, Ct);
        var changes = new CatalogChanges { Outbox = { new OutboxRow { Kind = "k", StudyInstanceUid = "1.2", CreatedAt = Archive.Now } } };
        CommitBatch batch = CommitBatch.Of(changes, Guid.CreateVersion7(), null);
        var options = new PostgresCatalogOptions { ConnectionString = _connectionString };
        await using var server = new Server(options, TimeProvider.System);
        for (int i = 0; i < 3; i++) await server.RunAsync(server.Writers, (connection, token) => PostgresCatalog.CommitAsync(connection, batch, false, token), Ct);
        Assert.Equal(1, await Catalog.ReadOutboxAsync(0, 10, Ct).CountAsync(Ct));
    }

    [Fact]
    public async Task A_commit_with_news_waits_for_no_other_that_is_not_durable_yet()
    {
        await using var other = new NpgsqlConnection(_connectionString + ";Pooling=false");
        await other.OpenAsync(Ct);
        await using NpgsqlTransaction half = await other.BeginTransactionAsync(Ct);
        await using (var news = new NpgsqlCommand(
            "INSERT INTO outbox_waiting (kind, study_instance_uid, series_instance_uid, sop_instance_uid, payload, created_at) VALUES ('slow', '1', '', '', '', 0)", other)) await news.ExecuteNonQueryAsync(Ct);
        await Writer.CommitAsync(new CatalogChanges { Outbox = { News("quick", "1.2") } }, Ct);
        Assert.Equal([(1L, "quick")], await FeedAsync(Catalog));
        await half.CommitAsync(Ct);
        Assert.Equal(2, (await Catalog.GetFeedAsync(Ct)).Last);
        Assert.Equal([(1L, "quick"), (2L, "slow")], await FeedAsync(Catalog));
    }

    [Fact]
    public async Task All_readers_get_one_feed_without_gaps_that_tells_causes_before_effects()
    {
        await using ICatalog second = await OpenAgainAsync();
        ICatalog[] nodes = [Catalog, second];
        const int each = 150;
        int writing = 3;
        async Task WriteAsync(Func<int, ICatalog> node, string kind)
        {
            for (int i = 0; i < each; i++) await ((ICatalogWriter)node(i)).CommitAsync(new CatalogChanges { Outbox = { News($"{kind} {i}", "1.2") } }, Ct);
            Interlocked.Decrement(ref writing);
        }
        async Task<List<(long, string)>> FollowAsync(ICatalog node)
        {
            List<(long Sequence, string Kind)> seen = [];
            for (bool more = true; more;)
            {
                more = Volatile.Read(ref writing) > 0;
                await foreach (OutboxRow row in node.ReadOutboxAsync(seen.Count, 20, Ct)) seen.Add((row.Sequence, row.Kind));
                more |= seen.Count < 3 * each;
            }
            return seen;
        }
        // Each of a chain's commits begins when the one before it, on the other node, was acknowledged.
        Task[] writers = [WriteAsync(i => nodes[i % 2], "chain"), WriteAsync(_ => nodes[0], "first"), WriteAsync(_ => nodes[1], "second")];
        List<(long Sequence, string Kind)>[] seen = await Task.WhenAll(nodes.Select(n => Task.Run(() => FollowAsync(n))));
        await Task.WhenAll(writers);
        Assert.Equal(Enumerable.Range(1, 3 * each).Select(n => (long)n), seen[0].Select(e => e.Sequence));
        Assert.Equal(seen[0], seen[1]);
        foreach (string kind in (string[])["chain", "first", "second"])
            Assert.Equal(Enumerable.Range(0, each).Select(i => $"{kind} {i}"), seen[0].Select(e => e.Kind).Where(k => k.StartsWith(kind, StringComparison.Ordinal)));
    }

    [Fact]
    public async Task News_that_nobody_reads_are_numbered_all_the_same()
    {
        for (int i = 0; i < 64; i++) await Writer.CommitAsync(new CatalogChanges { Outbox = { News("k", "1.2") } }, Ct);
        while (await QueryAsync("SELECT count(*) FROM outbox") == 0) await Task.Delay(20, Ct);
        Assert.Equal(64, (await Catalog.GetFeedAsync(Ct)).Last);
        Assert.Equal(0, await QueryAsync("SELECT count(*) FROM outbox_waiting"));
    }

    private static OutboxRow News(string kind, string study) => new() { Kind = kind, StudyInstanceUid = study, CreatedAt = Archive.Now };

    private static async Task<List<(long, string)>> FeedAsync(ICatalog catalog) => await catalog.ReadOutboxAsync(0, 10, Ct).Select(e => (e.Sequence, e.Kind)).ToListAsync(Ct);

    [Fact]
    public async Task A_locked_study_delays_no_other()
    {
        foreach (int study in (int[])[1, 2]) await Archive.StoreAsync(Uids(study));
        await using var other = new NpgsqlConnection(_connectionString + ";Pooling=false");
        await other.OpenAsync(Ct);
        await using NpgsqlTransaction transaction = await other.BeginTransactionAsync(Ct);
        await using (var hold = new NpgsqlCommand("SELECT 1 FROM study WHERE study_instance_uid = '1.2.1' FOR UPDATE", other)) await hold.ExecuteScalarAsync(Ct);

        Task<InstanceRow> waits = Archive.StoreAsync(Uids(1, instance: 2));
        // The same patient's other study, and a new one of it, through the same catalog.
        await Archive.StoreAsync(Uids(2, instance: 2));
        await Archive.StoreAsync(Uids(3));
        Assert.False(waits.IsCompleted);
        await transaction.RollbackAsync(Ct);
        await waits;
        Assert.Equal(5, (await Catalog.CountAsync(Ct)).Instances);
    }

    [Fact]
    public async Task Two_nodes_that_lock_in_opposite_order_both_end()
    {
        foreach (int study in (int[])[1, 2, 3, 4]) await Archive.StoreAsync(Uids(study, patient: $"P{study}"));
        await using ICatalog second = await OpenAgainAsync();
        int committed = 0;
        await Parallel.ForAsync(0, 4, Ct, async (w, _) =>
        {
            var archive = new Archive(w % 2 == 0 ? Writer : (ICatalogWriter)second);
            int[] order = w < 2 ? [1, 2, 3, 4] : [4, 3, 2, 1];
            for (int i = 0; i < 5;)
            {
                var changes = new CatalogChanges();
                foreach (int study in order) await archive.AddAsync(changes, Archive.Header(Uids(study, instance: 100 + (w * 10) + i, patient: $"P{study}")));
                try
                {
                    await archive.CommitAsync(changes);
                    Interlocked.Increment(ref committed);
                    i++;
                }
                catch (VersionConflictException)
                {
                    // Load and decide again.
                }
            }
        });
        Assert.Equal(20, committed);
        Assert.Equal(84, (await Catalog.CountAsync(Ct)).Instances);
        Assert.Empty(await Catalog.FindWrongCountsAsync(Ct).ToListAsync(Ct));
    }

    [Fact]
    public async Task What_was_loaded_exclusively_is_committed_first_whoever_else_wants_it()
    {
        await Archive.StoreAsync(Uids(1));
        await using ICatalog second = await OpenAgainAsync();
        var theirs = new CatalogChanges();
        await new Archive((ICatalogWriter)second).AddAsync(theirs, Archive.Header(Uids(1, instance: 2)));
        await using LoadedState held = await Writer.LoadAsync(new LoadRequest { StudyInstanceUids = ["1.2.1"], Patients = [new("P1")], NewKeys = 8, Exclusive = true }, Ct);
        Task others = ((ICatalogWriter)second).CommitAsync(theirs, Ct).AsTask();
        // A study that is not held is nobody's concern.
        await Archive.StoreAsync(Uids(7, patient: "P7"));
        Assert.False(others.IsCompleted);
        StudyRow study = held.Studies["1.2.1"].Study;
        await Writer.CommitAsync(new CatalogChanges { DecidedOn = held, ChangedStudies = { study with { Status = StudyStatus.Complete } } }, Ct);
        Assert.Equal("study", (await Assert.ThrowsAsync<VersionConflictException>(() => others)).Kind);
        Assert.Equal(StudyStatus.Complete, (await Writer.LoadAsync(new LoadRequest { StudyInstanceUids = ["1.2.1"] }, Ct)).Studies["1.2.1"].Study.Status);

        // Held and let go without a commit.
        await (await Writer.LoadAsync(new LoadRequest { StudyInstanceUids = ["1.2.1"], Exclusive = true }, Ct)).DisposeAsync();
        await Archive.StoreAsync(Uids(1, instance: 2));
    }

    [Fact]
    public async Task A_node_that_falls_silent_while_it_holds_a_study_keeps_nobody_from_it_and_is_late_when_it_comes_back()
    {
        await Archive.StoreAsync(Uids(1));
        var options = new PostgresCatalogOptions { ConnectionString = _connectionString, LockTimeout = TimeSpan.FromSeconds(2), RetryFor = TimeSpan.FromSeconds(60) };
        await using PostgresCatalog silent = await PostgresCatalog.OpenAsync(options, TimeProvider.System, Ct);
        await using PostgresCatalog other = await PostgresCatalog.OpenAsync(options with { RetryFor = TimeSpan.Zero }, TimeProvider.System, Ct);
        await using LoadedState held = await ((ICatalogWriter)silent).LoadAsync(new LoadRequest { StudyInstanceUids = ["1.2.1"], NewKeys = 8, Exclusive = true }, Ct);

        // Waits for the row as long as LockTimeout and not again: the silent one has lost it by then.
        await new Archive(other).StoreAsync(Uids(1, instance: 2));

        var late = new CatalogChanges { DecidedOn = held, ChangedStudies = { held.Studies["1.2.1"].Study with { Status = StudyStatus.Complete } } };
        Assert.Equal("study", (await Assert.ThrowsAsync<VersionConflictException>(() => ((ICatalogWriter)silent).CommitAsync(late, Ct).AsTask())).Kind);
        Assert.Equal(2, (await other.CountAsync(Ct)).Instances);
    }

    [Fact]
    public async Task A_study_whose_lock_was_lost_is_committed_by_its_version()
    {
        await Archive.StoreAsync(Uids(1));
        await using LoadedState held = await Writer.LoadAsync(new LoadRequest { StudyInstanceUids = ["1.2.1"], NewKeys = 8, Exclusive = true }, Ct);
        const string end = "SELECT count(pg_terminate_backend(pid, 10000)) FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle in transaction'";
        Assert.Equal(1, await QueryAsync(end));
        await Writer.CommitAsync(new CatalogChanges { DecidedOn = held, ChangedStudies = { held.Studies["1.2.1"].Study with { Status = StudyStatus.Complete } } }, Ct);
        Assert.Equal(StudyStatus.Complete, (await Writer.LoadAsync(new LoadRequest { StudyInstanceUids = ["1.2.1"] }, Ct)).Studies["1.2.1"].Study.Status);
    }
}

/// <summary>The suite on the newest version.</summary>
public sealed class NewestPostgresCatalogTests(NewestPostgresFixture postgres) : PostgresCatalogTests(postgres)
{
    [Fact]
    public async Task The_server_is_the_newest_version_that_we_support() => Assert.Equal(18, await QueryAsync("SELECT current_setting('server_version_num')::int / 10000"));
}
