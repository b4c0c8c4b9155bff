using Npgsql;
using PacsCluster.Catalog.Postgres;
using static PacsCluster.Catalog.Postgres.Parameters;

namespace PacsCluster.Catalog;

// Entries of the outbox are written by commits and numbered by whoever reads them: numbered by the commits, all nodes would wait for one row while each made its commit durable.
public sealed partial class PostgresCatalog
{
    /// <summary>Entries numbered in one transaction; commits after which a node numbers what nobody has read.</summary>
    private const int NumberedAtOnce = 5000, CommitsPerNumbering = 64;

    private readonly Lock _numberLock = new();
    private Task _numbering = Task.CompletedTask;

    /// <summary>What was committed before the call has its number after it.</summary>
    private async Task NumberOutboxAsync(CancellationToken ct)
    {
        if ((await ReadAsync(CommitSql.WaitsForNumbers, row => row.Int64(0), ct))[0] == 0) return;
        while (await _server.RunAsync(_server.Writers, NumberSomeAsync, ct) == NumberedAtOnce)
        {
        }
    }

    private static async Task<int> NumberSomeAsync(NpgsqlConnection connection, CancellationToken ct)
    {
        await using var batch = new NpgsqlBatch(connection);
        batch.BatchCommands.Add(new NpgsqlBatchCommand(CommitSql.LockOutbox));
        batch.BatchCommands.Add(new NpgsqlBatchCommand(CommitSql.NumberOutbox) { Parameters = { Number(NumberedAtOnce) } });
        await batch.PrepareAsync(ct);
        await batch.ExecuteNonQueryAsync(ct);
        return (int)batch.BatchCommands[1].Rows;
    }

    /// <summary>So that the first reader in a week has no week to number.</summary>
    private void NumberInBackground()
    {
        lock (_numberLock)
        {
            if (_numbering.IsCompleted) _numbering = Task.Run(NumberQuietlyAsync);
        }
    }

    private async Task NumberQuietlyAsync()
    {
        try
        {
            await NumberOutboxAsync(CancellationToken.None);
        }
        catch (CatalogUnavailableException)
        {
            // They wait on; who reads them numbers them, and gets this fault.
        }
    }
}
