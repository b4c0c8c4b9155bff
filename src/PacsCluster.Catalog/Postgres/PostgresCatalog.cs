using Npgsql;
using PacsCluster.Catalog.Postgres;

namespace PacsCluster.Catalog;

/// <summary>The catalog on PostgreSQL, for any number of nodes: versions and unique keys keep their commits right, and what one has committed all see.</summary>
public sealed partial class PostgresCatalog : ICatalog, ICatalogWriter
{
    /// <summary>The increment of the sequence surrogate_key: keys taken at once, and the most that one load may ask for.</summary>
    private const int KeyBlock = 1_000_000;

    private readonly Server _server;
    private readonly TimeProvider _time;
    private readonly Lock _keyLock = new();
    private long _nextKey;
    private long _endKey;

    private PostgresCatalog(Server server, TimeProvider time) => (_server, _time) = (server, time);

    /// <summary>Opens, making the schema in an empty database or migrating it to this program's first; other nodes may be at work in it.</summary>
    /// <exception cref="CatalogUnavailableException">It cannot be reached, is no catalog, or is of a newer program.</exception>
    public static Task<PostgresCatalog> OpenAsync(PostgresCatalogOptions options, TimeProvider time, CancellationToken ct = default) => OpenAsync(options, time, null, ct);

    /// <summary>As a program would that knew no later schema than this; for the tests of migrations.</summary>
    internal static async Task<PostgresCatalog> OpenAsync(PostgresCatalogOptions options, TimeProvider time, int? upTo, CancellationToken ct)
    {
        if (options.Validate() is { Count: > 0 } errors) throw new ArgumentException(string.Join("; ", errors), nameof(options));
        var server = new Server(options, time);
        try
        {
            // The writers' sessions are set up for looking up rows, not for building indexes.
            await server.RunAsync(
                server.Readers,
                async (connection, token) =>
                {
                    await Migrations.RunAsync(connection, time, token, upTo);
                    return 0;
                },
                ct);
            return new PostgresCatalog(server, time);
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _numbering;
        await _server.DisposeAsync();
    }

    /// <summary>Runs a query that reads and collects its rows.</summary>
    private ValueTask<List<T>> ReadAsync<T>(string sql, Func<IRow, T> read, CancellationToken ct, params NpgsqlParameter[] parameters) =>
        _server.RunAsync(_server.Readers, (connection, token) => ReadRowsAsync(connection, sql, read, token, parameters), ct);

    private static async Task<List<T>> ReadRowsAsync<T>(NpgsqlConnection connection, string sql, Func<IRow, T> read, CancellationToken ct, params NpgsqlParameter[] parameters)
    {
        List<T> rows = [];
        await using var command = new NpgsqlCommand(sql, connection);
        foreach (NpgsqlParameter parameter in parameters) command.Parameters.Add(parameter.Clone());
        await using NpgsqlDataReader reader = await command.ExecuteReaderAsync(ct);
        var row = new ReaderRow(reader);
        while (await reader.ReadAsync(ct)) rows.Add(read(row));
        return rows;
    }

    /// <summary>Surrogate keys nobody has. A sequence gives them out in blocks: no row is locked for it, and a block that a dead node had is lost, which costs nothing.</summary>
    private async ValueTask<long> AllocateKeysAsync(int count, CancellationToken ct)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, KeyBlock);
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
            long first = (await _server.RunAsync(_server.Writers, (connection, token) => ReadRowsAsync(connection, "SELECT nextval('surrogate_key')", row => row.Int64(0), token), ct))[0];
            lock (_keyLock) (_nextKey, _endKey) = (first, first + KeyBlock);
        }
    }
}
