using System.Globalization;
using Npgsql;

namespace PacsCluster.Catalog.Postgres;

/// <summary>The database server, wherever its primary is now: two bounded pools, and calls that are tried again while that may help.</summary>
internal sealed class Server : IAsyncDisposable
{
    private static readonly TimeSpan s_firstDelay = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan s_longestDelay = TimeSpan.FromMilliseconds(500);

    /// <summary>Loads and commits find all their rows by keys, whatever the keys: one plan for each statement, made once a connection, by indexes and never by reading a table. Left to itself PostgreSQL
    /// plans a search by `= ANY` anew each time, which took longer than the search, or keeps the plan it made when the table was empty.</summary>
    private const string WriterSettings = " -c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off";

    private readonly PostgresCatalogOptions _options;
    private readonly TimeProvider _time;
    private readonly SemaphoreSlim _readTurns;

    public Server(PostgresCatalogOptions options, TimeProvider time)
    {
        (_options, _time) = (options, time);
        Readers = Pool(options, options.ReadersMax, "read", "");
        Writers = Pool(options, options.WritersMax, "write", WriterSettings);
        _readTurns = new SemaphoreSlim(options.ReadTurns);
    }

    public NpgsqlDataSource Readers { get; }

    public NpgsqlDataSource Writers { get; }

    /// <summary>Runs a call on a connection of a pool, again when it failed for a reason that passes. It must be one that may happen twice.</summary>
    /// <exception cref="CatalogUnavailableException">It did not pass in time, or is none that passes.</exception>
    public ValueTask<T> RunAsync<T>(NpgsqlDataSource pool, Func<NpgsqlConnection, CancellationToken, Task<T>> call, CancellationToken ct, bool once = false) => RetryAsync(
        pool,
        async token =>
        {
            await using NpgsqlConnection connection = await pool.OpenConnectionAsync(token);
            return await call(connection, token);
        },
        ct,
        once);

    /// <summary>As RunAsync, for a call that keeps its connection. Those of the readers' pool wait for one of <see cref="PostgresCatalogOptions.ReadsAtOnce"/> turns.</summary>
    /// <exception cref="CatalogUnavailableException">It did not pass in time, or is none that passes.</exception>
    public async ValueTask<T> RetryAsync<T>(NpgsqlDataSource pool, Func<CancellationToken, Task<T>> call, CancellationToken ct, bool once = false)
    {
        long start = _time.GetTimestamp();
        for (TimeSpan delay = s_firstDelay; ; delay = delay < s_longestDelay ? delay * 2 : s_longestDelay)
        {
            try
            {
                return pool == Readers ? await InTurnAsync(call, ct) : await call(ct);
            }
            catch (Exception e) when (Fault.IsOfDatabase(e))
            {
                ct.ThrowIfCancellationRequested();
                var fault = new Fault(e);
                // The connections that lie idle are likely to be as dead as this one.
                if (fault.IsConnectionLost) pool.Clear();
                if (once || !fault.Passes || _time.GetElapsedTime(start) + delay > _options.RetryFor) throw fault.ToCatalogException();
            }
            // Not all at the same moment: those who collided would collide again.
            await Task.Delay(delay * (0.5 + Random.Shared.NextDouble()), _time, ct);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await Readers.DisposeAsync();
        await Writers.DisposeAsync();
        _readTurns.Dispose();
    }

    private async Task<T> InTurnAsync<T>(Func<CancellationToken, Task<T>> call, CancellationToken ct)
    {
        await _readTurns.WaitAsync(ct);
        try
        {
            return await call(ct);
        }
        finally
        {
            _readTurns.Release();
        }
    }

    private static NpgsqlDataSource Pool(PostgresCatalogOptions options, int size, string use, string sessionSettings)
    {
        var settings = new NpgsqlConnectionStringBuilder(options.ConnectionString)
        {
            MaxPoolSize = size,
            CommandTimeout = (int)options.CommandTimeout.TotalSeconds,
            Enlist = false,
            // Nobody changes a session's settings; resetting them was half of the statements of a commit. What is open is rolled back all the same.
            NoResetOnClose = true,
        };
        if (!settings.ShouldSerialize("Application Name")) settings.ApplicationName = "pacscluster " + use;
        // A host that does not answer must leave time to ask the others, and a host that was the standby a moment ago may be the primary now.
        if (!settings.ShouldSerialize("Timeout")) settings.Timeout = 5;
        if (!settings.ShouldSerialize("Host Recheck Seconds")) settings.HostRecheckSeconds = 1;
        TargetSessionAttributes target = TargetSessionAttributes.Primary;
        if (settings.TargetSessionAttributes is { Length: > 0 } said && Enum.TryParse(said.Replace("-", ""), ignoreCase: true, out TargetSessionAttributes parsed)) target = parsed;
        settings.TargetSessionAttributes = null;
        settings.Options = $"{settings.Options} {SessionSettings(options)}{sessionSettings}".TrimStart();
        return new NpgsqlDataSourceBuilder(settings.ConnectionString).BuildMultiHost().WithTargetSession(target);
    }

    /// <summary>Nothing here runs long enough to earn back code made for it: with the default, a broad search with a limit, which looks dear and ends after some rows, was compiled for 0.4 s.
    /// The rest is what PostgreSQL itself ends, because the node cannot: one that is cut off cannot even say that it is gone. A transaction in which nothing happens (a study is held while its batch is
    /// decided) lets go of its rows before those who wait for them give up; so does, found by keep-alives, one whose statements stopped half way on the wire.</summary>
    private static string SessionSettings(PostgresCatalogOptions options) =>
        string.Create(CultureInfo.InvariantCulture,
            $"-c jit=off -c lock_timeout={options.LockTimeout.TotalMilliseconds:F0} -c idle_in_transaction_session_timeout={options.HoldTimeout.TotalMilliseconds:F0} -c tcp_keepalives_idle=3 -c tcp_keepalives_interval=2 -c tcp_keepalives_count=3");
}
