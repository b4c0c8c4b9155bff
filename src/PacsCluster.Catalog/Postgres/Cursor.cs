using Npgsql;

namespace PacsCluster.Catalog.Postgres;

/// <summary>The open answer of one query, read page by page. At its end, or left early, the connection goes back.</summary>
internal sealed class Cursor<T> : IAsyncDisposable
    where T : class
{
    private readonly NpgsqlConnection _connection;
    private readonly NpgsqlCommand _command;
    private readonly Func<IRow, T?> _read;
    private readonly int _pageSize;
    private NpgsqlDataReader? _reader;
    private bool _isClosed;

    private Cursor(NpgsqlConnection connection, NpgsqlCommand command, Func<IRow, T?> read, int pageSize) =>
        (_connection, _command, _read, _pageSize) = (connection, command, read, pageSize);

    /// <summary>The rows read last.</summary>
    public List<T> Page { get; } = [];

    public bool IsAtEnd { get; private set; }

    /// <summary>Starts the query and reads the first page.</summary>
    public static async Task<Cursor<T>> OpenAsync(NpgsqlDataSource pool, string sql, IEnumerable<NpgsqlParameter> parameters, bool isPrepared, Func<IRow, T?> read, int pageSize, CancellationToken ct)
    {
        NpgsqlConnection connection = await pool.OpenConnectionAsync(ct);
        // Rows may come for as long as the peer takes them: no limit of time but the caller's.
        var command = new NpgsqlCommand(sql, connection) { CommandTimeout = 0 };
        foreach (NpgsqlParameter parameter in parameters) command.Parameters.Add(parameter.Clone());
        var cursor = new Cursor<T>(connection, command, read, pageSize);
        try
        {
            if (isPrepared) await command.PrepareAsync(ct);
            cursor._reader = await command.ExecuteReaderAsync(ct);
            await cursor.NextAsync(ct);
            return cursor;
        }
        catch
        {
            await cursor.DisposeAsync();
            throw;
        }
    }

    /// <summary>Reads the next page into <see cref="Page"/>.</summary>
    public async Task<List<T>> NextAsync(CancellationToken ct)
    {
        Page.Clear();
        var row = new ReaderRow(_reader!);
        while (Page.Count < _pageSize)
        {
            if (!await _reader!.ReadAsync(ct))
            {
                IsAtEnd = true;
                await DisposeAsync();
                break;
            }
            if (_read(row) is { } item) Page.Add(item);
        }
        return Page;
    }

    public async ValueTask DisposeAsync()
    {
        if (_isClosed) return;
        _isClosed = true;
        try
        {
            // Without it the driver would read all the rows that nobody wants any more.
            if (!IsAtEnd && _reader is { IsClosed: false }) _command.Cancel();
            if (_reader is not null) await _reader.DisposeAsync();
        }
        catch (Exception e) when (Fault.IsOfDatabase(e))
        {
            // The answer to the cancel, or the connection broke: the rows are not wanted, and the pool sees to the connection.
        }
        await _command.DisposeAsync();
        await _connection.DisposeAsync();
    }
}
