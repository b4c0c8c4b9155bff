using PacsCluster.Catalog.Sqlite;

namespace PacsCluster.Catalog;

/// <summary>The catalog on SQLite: one file, WAL, durable commits, one writer, a pool of readers. Several processes may open one file (a server and an
/// import beside it): SQLite's locks order their commits, versions and unique keys keep them right.</summary>
public sealed partial class SqliteCatalog : ICatalog, ICatalogWriter
{
    /// <summary>Surrogate keys taken at once: one small commit in so many.</summary>
    private const int KeyBlock = 20_000;

    private readonly SqliteCatalogOptions _options;
    private readonly TimeProvider _time;
    private readonly Writer _writer;
    private readonly ReaderPool _readers;
    private readonly Checkpointer _checkpointer;
    private readonly Lock _keyLock = new();
    private long _nextKey;
    private long _endKey;

    private SqliteCatalog(SqliteCatalogOptions options, TimeProvider time)
    {
        (_options, _time) = (options, time);
        Database database = Open(options, readOnly: false);
        // Brought up to its log first: what the log says was said to the schema as it is.
        _writer = new Writer(database, options);
        try
        {
            Migrations.Run(database, time.GetUtcNow());
        }
        catch
        {
            _writer.DisposeAsync().AsTask().GetAwaiter().GetResult();
            throw;
        }
        _readers = new ReaderPool(options.ReadersMax, () => Open(options, readOnly: true));
        _checkpointer = new Checkpointer(database, _writer, () => Open(options, readOnly: false));
    }

    /// <summary>Opens, making the database or migrating it to this program's schema first.</summary>
    /// <exception cref="CatalogUnavailableException">It cannot be opened, is no catalog, or is of a newer program.</exception>
    public static Task<SqliteCatalog> OpenAsync(SqliteCatalogOptions options, TimeProvider time, CancellationToken ct = default)
    {
        if (options.Validate() is { Count: > 0 } errors) throw new ArgumentException(string.Join("; ", errors), nameof(options));
        return Task.Run(
            () =>
            {
                try
                {
                    return new SqliteCatalog(options, time);
                }
                catch (SqliteFault fault)
                {
                    throw fault.ToUnavailable();
                }
            },
            ct);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _checkpointer.DisposeAsync();
        _readers.Dispose();
        await _writer.DisposeAsync();
    }

    internal static Database Open(SqliteCatalogOptions options, bool readOnly)
    {
        var database = new Database(options.Path, readOnly);
        try
        {
            database.Execute($"PRAGMA busy_timeout = {(long)options.BusyTimeout.TotalMilliseconds}");
            database.Execute($"PRAGMA cache_size = {-1024 * (readOnly ? options.ReaderCacheMiB : options.WriterCacheMiB)}");
            // LIKE as the standard (and PostgreSQL) has it: case is told apart.
            database.Execute("PRAGMA case_sensitive_like = ON");
            if (readOnly) return database;
            database.Execute("PRAGMA journal_mode = WAL");
            database.Execute("PRAGMA synchronous = FULL");
            database.Execute("PRAGMA foreign_keys = ON");
            // Checkpoints are the Checkpointer's: never within a commit.
            database.Execute("PRAGMA wal_autocheckpoint = 0");
            database.Execute($"PRAGMA journal_size_limit = {Checkpointer.WalKeptBytes}");
            return database;
        }
        catch (SqliteFault fault)
        {
            database.Dispose();
            throw fault.ToUnavailable();
        }
    }

    /// <summary>Runs a short read on a connection of the pool.</summary>
    private async ValueTask<T> ReadAsync<T>(Func<Database, T> read, CancellationToken ct)
    {
        using ReaderPool.Lease lease = await RentReaderAsync(ct);
        try
        {
            return read(lease.Database);
        }
        catch (SqliteFault fault)
        {
            throw fault.ToUnavailable();
        }
    }

    /// <summary>A connection that sees all that is committed.</summary>
    private async ValueTask<ReaderPool.Lease> RentReaderAsync(CancellationToken ct)
    {
        await _writer.PublishAsync();
        return await _readers.RentAsync(ct);
    }

    /// <summary>Surrogate keys nobody has: from the block in hand, or from a new one that is taken durably before its first key is used.</summary>
    private async ValueTask<long> AllocateKeysAsync(int count)
    {
        while (true)
        {
            lock (_keyLock)
            {
                if (_endKey - _nextKey >= count)
                {
                    _nextKey += count;
                    return _nextKey - count;
                }
            }
            int block = Math.Max(KeyBlock, count);
            long end = await _writer.WriteAsync(database =>
            {
                Statement take = database.Prepare("UPDATE sequence SET value = value + ? WHERE name = 'key' RETURNING value");
                using (take.Bind(block))
                {
                    take.Step();
                    long value = take.Int64(0);
                    while (take.Step()) { }
                    return value;
                }
            });
            lock (_keyLock)
            {
                // Another caller may have brought a block meanwhile; the rest of the older one is lost, which costs nothing.
                (_nextKey, _endKey) = (end - block + 1, end + 1);
            }
        }
    }
}
