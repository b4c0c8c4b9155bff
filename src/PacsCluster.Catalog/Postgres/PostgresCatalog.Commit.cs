using System.Text;
using Npgsql;
using PacsCluster.Catalog.Postgres;

namespace PacsCluster.Catalog;

public sealed partial class PostgresCatalog
{
    /// <summary>One commit in so many takes old marks away.</summary>
    private const int CommitsPerSweep = 1000;

    /// <summary>Longer than any commit is repeated.</summary>
    private static readonly TimeSpan s_markLife = TimeSpan.FromHours(24);

    private int _commits;

    async ValueTask ICatalogWriter.CommitAsync(CatalogChanges changes, CancellationToken ct)
    {
        ct.ThrowIfCancellationRequested();
        if (changes.IsEmpty) return;
        DateTimeOffset now = _time.GetUtcNow();
        int commits = Interlocked.Increment(ref _commits);
        bool sweeps = commits % CommitsPerSweep == 0;
        if (commits % CommitsPerNumbering == 0) NumberInBackground();
        CommitBatch batch = CommitBatch.Of(changes, Guid.CreateVersion7(now), sweeps ? Guid.CreateVersion7(now - s_markLife) : null);
        if (changes.Unflushed is { } blobs) await blobs.FlushAsync();
        if (changes.DecidedOn?.Hold is Hold hold && await CommitHeldAsync(hold, batch))
        {
            changes.MarkStored();
            return;
        }
        // Not to be cancelled: whoever leaves a commit half way does not know what became of it.
        await _server.RunAsync(_server.Writers, (connection, token) => CommitAsync(connection, batch, false, token), CancellationToken.None);
        changes.MarkStored();
    }

    /// <summary>Commits in the transaction of an exclusive load. False when that broke: the same commit may be tried again without it, versions fence it as any other.</summary>
    private static async Task<bool> CommitHeldAsync(Hold hold, CommitBatch batch)
    {
        await using (hold)
        {
            try
            {
                await CommitAsync(hold.Connection, batch, true, CancellationToken.None);
                return true;
            }
            catch (Exception e) when (Fault.IsOfDatabase(e))
            {
                var fault = new Fault(e);
                return fault.Passes ? false : throw fault.ToCatalogException();
            }
        }
    }

    internal static async Task<int> CommitAsync(NpgsqlConnection connection, CommitBatch batch, bool isHeld, CancellationToken ct)
    {
        try
        {
            return await batch.RunAsync(connection, isHeld, ct);
        }
        catch (EncoderFallbackException e)
        {
            throw new InvalidDataException("a text is no valid Unicode", e);
        }
        catch (PostgresException e) when (new Fault(e).UniqueIndex == "commit_mark_pkey")
        {
            // An earlier try of this very commit broke off without an answer, but it did happen. If it still was under way, the index has made us wait for its end.
            return 0;
        }
    }
}
