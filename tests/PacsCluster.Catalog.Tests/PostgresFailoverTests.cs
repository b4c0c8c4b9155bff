using PacsCluster.Testing;

namespace PacsCluster.Catalog.Tests;

/// <summary>The server dies under load and comes back, or another takes its place: nothing that was acknowledged is missing, nothing is there twice, nobody starts again.</summary>
public sealed class PostgresFailoverTests
{
    private const int Writers = 4;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_server_that_crashes_under_load_loses_nothing_and_the_catalog_goes_on()
    {
        await using PostgresServer server = await PostgresServer.StartAsync();
        string connectionString = server.ConnectionString(await server.CreateDatabaseAsync());
        await using PostgresCatalog catalog = await PostgresFixture.OpenAsync(connectionString);
        using var load = new Load(catalog);
        for (int crash = 0; crash < 3; crash++)
        {
            await load.WaitForMoreAsync(20);
            await server.CrashAsync();
            await server.StartAgainAsync();
        }
        await load.WaitForMoreAsync(20);
        await load.StopAndCheckAsync();
    }

    [Fact]
    public async Task A_primary_that_moved_is_found_again_without_a_restart()
    {
        await using PostgresServer first = await PostgresServer.StartAsync();
        await using PostgresServer second = await first.StartStandbyAsync();
        // Success is said when the standby has it too.
        await first.SqlAsync("postgres", "ALTER SYSTEM SET synchronous_standby_names = '*'");
        await first.SqlAsync("postgres", "SELECT pg_reload_conf()");
        string database = await first.CreateDatabaseAsync();
        await using PostgresCatalog catalog = await PostgresFixture.OpenAsync(
            $"Host=127.0.0.1:{second.Port},127.0.0.1:{first.Port};Username=postgres;Database={database}");
        using var load = new Load(catalog);
        await load.WaitForMoreAsync(20);
        await first.CrashAsync();
        await second.PromoteAsync();
        await load.WaitForMoreAsync(20);
        await load.StopAndCheckAsync();
    }

    /// <summary>Writers that store one instance after another, each into a study of its own, and remember what was acknowledged.</summary>
    private sealed class Load : IDisposable
    {
        private readonly PostgresCatalog _catalog;
        private readonly CancellationTokenSource _stop = new();
        private readonly SemaphoreSlim _stored = new(0);
        private readonly List<string> _acknowledged = [];
        private readonly Task[] _writers;

        public Load(PostgresCatalog catalog)
        {
            _catalog = catalog;
            _writers = [.. Enumerable.Range(0, Writers).Select(writer => Task.Run(() => WriteAsync(writer)))];
        }

        /// <summary>Returns when so many more were acknowledged; the fault when a writer failed.</summary>
        public async Task WaitForMoreAsync(int count)
        {
            while (await _stored.WaitAsync(0, Ct)) { }
            for (int i = 0; i < count; i++)
            {
                Task<bool> one = _stored.WaitAsync(TimeSpan.FromSeconds(90), Ct);
                Task ended = await Task.WhenAny([one, .. _writers]);
                await ended;
                Assert.True(await one);
            }
        }

        public async Task StopAndCheckAsync()
        {
            await _stop.CancelAsync();
            await Task.WhenAll(_writers);
            List<string> there = await _catalog.LocateAsync(new LocateRequest { StudyInstanceUids = [.. Enumerable.Range(0, Writers).Select(w => $"1.2.{w}")] }, Ct).Select(l => l.SopInstanceUid).ToListAsync(Ct);
            Assert.Equal(_acknowledged.Order(StringComparer.Ordinal), there.Order(StringComparer.Ordinal));
            Assert.Equal(_acknowledged.Count, (await _catalog.CountAsync(Ct)).Instances);
            Assert.Empty(await _catalog.FindWrongCountsAsync(Ct).ToListAsync(Ct));
            List<OutboxRow> feed = await _catalog.ReadOutboxAsync(0, int.MaxValue, Ct).ToListAsync(Ct);
            Assert.Equal(Enumerable.Range(1, _acknowledged.Count).Select(i => (long)i), feed.Select(e => e.Sequence));
        }

        public void Dispose()
        {
            _stop.Dispose();
            _stored.Dispose();
        }

        private async Task WriteAsync(int writer)
        {
            var archive = new Archive(_catalog);
            for (int i = 0; !_stop.IsCancellationRequested; i++)
            {
                string uid = $"1.2.{writer}.1.{i}";
                // A conflict would be a commit done twice: nobody else writes into this study.
                await archive.StoreAsync(
                    Archive.Header((0x0020_000D, $"1.2.{writer}"), (0x0020_000E, $"1.2.{writer}.1"), (0x0008_0018, uid), (0x0010_0020, $"P{writer}")),
                    (changes, _) => changes.Outbox.Add(new OutboxRow { Kind = "stored", StudyInstanceUid = $"1.2.{writer}", CreatedAt = Archive.Now }));
                lock (_acknowledged) _acknowledged.Add(uid);
                _stored.Release();
            }
        }
    }
}
