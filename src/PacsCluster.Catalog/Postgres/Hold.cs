using Npgsql;

namespace PacsCluster.Catalog.Postgres;

/// <summary>A transaction with the locks of an exclusive load. The commit is the last thing in it; without one it is rolled back.</summary>
internal sealed class Hold(NpgsqlConnection connection) : IAsyncDisposable
{
    private bool _isEnded;

    /// <summary>The transaction's connection.</summary>
    public NpgsqlConnection Connection => connection;

    public async ValueTask DisposeAsync()
    {
        if (_isEnded) return;
        _isEnded = true;
        // The pool rolls back what is open.
        await connection.DisposeAsync();
    }
}
