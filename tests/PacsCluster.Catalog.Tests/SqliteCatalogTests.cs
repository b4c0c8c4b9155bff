using PacsCluster.Catalog.Sqlite;
using PacsCluster.Testing;

namespace PacsCluster.Catalog.Tests;

/// <summary>SQLite: the suite, and what only SQLite has.</summary>
public sealed class SqliteCatalogTests : CatalogConformance
{
    private readonly TempFolder _folder = new();

    private string DatabasePath => _folder.At("catalog.db");

    protected override Task<ICatalog> OpenEmptyAsync() => OpenAgainAsync();

    protected override async Task<ICatalog> OpenAgainAsync() => await OpenAsync(DatabasePath);

    private static Task<SqliteCatalog> OpenAsync(string path) => SqliteCatalog.OpenAsync(new SqliteCatalogOptions { Path = path }, TimeProvider.System, Ct);

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        _folder.Dispose();
    }

    [Fact]
    public async Task A_filled_older_schema_is_migrated()
    {
        await Archive.StoreAsync([(0x0020_000D, "1.2.1"), (0x0020_000E, "1.2.1.1"), (0x0008_0018, "1.2.1.1.1"), (0x0010_0020, "P1"), (0x0010_0010, "Yamada^Tarou=山田^太郎"), (0x0008_0060, "CT")]);
        // Asking lets others see it.
        await Catalog.PingAsync(Ct);
        string old = _folder.At("old.db");
        using (var database = new Database(old, readOnly: false))
        {
            Migrations.Run(database, Archive.Now, upTo: 1);
            // Filled as a program of that time would have: the tables are the same ones.
            database.Execute($"ATTACH '{DatabasePath}' AS filled");
            foreach (string table in (string[])["patient", "patient_identifier", "study", "series", "blob", "blob_copy", "instance", "header"])
            {
                database.Execute($"INSERT INTO main.{table} SELECT {(table == "blob" ? "blob_key, length, sha256, created_at" : "*")} FROM filled.{table}");
            }
            database.Execute("UPDATE main.sequence SET value = (SELECT value FROM filled.sequence f WHERE f.name = main.sequence.name)");
            Assert.Equal(1, database.QueryInt64("SELECT max(version) FROM main.schema_version"));
        }
        await using SqliteCatalog migrated = await OpenAsync(old);
        Assert.Single(await migrated.SearchAsync(Request(QueryLevel.Study, Identifier("00100010=山田*|00080061=CT")), Ct).ToListAsync(Ct));
        await new Archive(migrated).StoreAsync([(0x0020_000D, "1.2.1"), (0x0020_000E, "1.2.1.1"), (0x0008_0018, "1.2.1.1.2"), (0x0010_0020, "P1")]);
        // It was being received when the older program ended: nothing else would complete it.
        ReminderRow completion = Assert.Single(await migrated.ListRemindersAsync(10, Ct));
        Assert.Equal((new ReminderId("study", "1.2.1", "completion"), Archive.Now.AddSeconds(60)), (completion.Id, completion.DueAt));
        using var look = new Database(old, readOnly: true);
        Assert.Equal(Migrations.Newest, look.QueryInt64("SELECT max(version) FROM schema_version"));
        Assert.Equal(Migrations.Newest, look.QueryInt64("SELECT count(*) FROM schema_version"));
    }

    [Fact]
    public async Task A_newer_schema_and_a_strange_file_are_refused_in_words()
    {
        using (var database = new Database(DatabasePath, readOnly: false)) database.Execute("INSERT INTO schema_version VALUES (9999, 0)");
        Assert.Contains("newer", (await Assert.ThrowsAsync<CatalogUnavailableException>(() => OpenAsync(DatabasePath))).Message, StringComparison.Ordinal);
        using (var database = new Database(_folder.At("other.db"), readOnly: false)) database.Execute("CREATE TABLE x (y)");
        Assert.Contains("no catalog", (await Assert.ThrowsAsync<CatalogUnavailableException>(() => OpenAsync(_folder.At("other.db")))).Message, StringComparison.Ordinal);
        await File.WriteAllTextAsync(_folder.At("text.db"), new string('x', 10_000), Ct);
        await Assert.ThrowsAsync<CatalogUnavailableException>(() => OpenAsync(_folder.At("text.db")));
        await Assert.ThrowsAsync<CatalogUnavailableException>(() => OpenAsync(_folder.At("nowhere", "catalog.db")));
        await Assert.ThrowsAsync<ArgumentException>(() => SqliteCatalog.OpenAsync(new SqliteCatalogOptions { Path = "", ReadersMax = 0 }, TimeProvider.System, Ct));
    }

    [Fact]
    public void Every_column_of_the_column_table_is_in_the_schema_and_no_other()
    {
        using var database = new Database(DatabasePath, readOnly: true);
        foreach ((QueryLevel level, string table) in ((QueryLevel, string)[])[(QueryLevel.Patient, "patient"), (QueryLevel.Study, "study"), (QueryLevel.Series, "series"), (QueryLevel.Image, "instance")])
        {
            foreach (Column column in Columns.Of(level))
            {
                Assert.Equal(1, database.QueryInt64($"SELECT count(*) FROM pragma_table_info('{table}') WHERE name = '{column.Name}' AND type = '{(column.IsInteger ? "INTEGER" : "TEXT")}'"));
                Assert.Equal(column.IsFolded ? 1 : 0, database.QueryInt64($"SELECT count(*) FROM pragma_table_info('{table}') WHERE name = '{column.FoldedName}'"));
            }
        }
    }

    [Fact]
    public async Task Disk_full_is_said_by_name_writes_nothing_and_passes()
    {
        using SmallDisk disk = await SmallDisk.MountAsync(_folder.At("disk"), kibibytes: 6 * 1024);
        string filler = Path.Combine(disk.Path, "filler");
        await using SqliteCatalog catalog = await OpenAsync(Path.Combine(disk.Path, "catalog.db"));
        var archive = new Archive(catalog);
        (uint, string)[] Uids(int i) => [(0x0020_000D, "1.2.1"), (0x0020_000E, "1.2.1.1"), (0x0008_0018, $"1.2.1.1.{i}"), (0x0010_0020, "P1")];
        await archive.StoreAsync(Uids(0));
        SmallDisk.Fill(filler);
        int stored = 1;
        CatalogUnavailableException full = await Assert.ThrowsAsync<CatalogUnavailableException>(async () =>
        {
            for (; stored < 2 * CommitLog.CapacityBytes / CommitLog.BlockBytes; stored++) await archive.StoreAsync(Uids(stored));
        });
        Assert.True(full.IsFull, full.Message);
        // Questions are answered from what the database has.
        Assert.InRange((await catalog.CountAsync(Ct)).Instances, 0, stored);
        File.Delete(filler);
        await archive.StoreAsync(Uids(stored));
        Assert.Equal(stored + 1, (await catalog.CountAsync(Ct)).Instances);
        Assert.Empty(await catalog.FindWrongCountsAsync(Ct).ToListAsync(Ct));
    }

    [Fact]
    public async Task The_wal_begins_anew_while_commits_go_on()
    {
        var random = new Random(1);
        for (int i = 0; i < 60; i++)
        {
            await Archive.StoreAsync(Archive.Header((0x0020_000D, "1.2.1"), (0x0020_000E, "1.2.1.1"), (0x0008_0018, $"1.2.1.1.{i}"), (0x0010_0020, "P1")), (changes, _) =>
            {
                var bytes = new byte[2 << 20];
                random.NextBytes(bytes);
                changes.NewHeaders[0] = changes.NewHeaders[0] with { Bytes = bytes };
            });
        }
        // 120 MiB went through it.
        Assert.InRange(new FileInfo(DatabasePath + "-wal").Length, 1, 110L << 20);
        Assert.Equal(60, (await Catalog.CountAsync(Ct)).Instances);
    }
}
