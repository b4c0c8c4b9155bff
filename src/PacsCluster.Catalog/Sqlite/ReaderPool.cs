using System.Collections.Concurrent;

namespace PacsCluster.Catalog.Sqlite;

/// <summary>Connections that only read, made when first needed and kept. More callers than connections wait in line.</summary>
internal sealed class ReaderPool(int readersMax, Func<Database> open) : IDisposable
{
    private readonly SemaphoreSlim _free = new(readersMax);
    private readonly ConcurrentStack<Database> _idle = new();

    public async ValueTask<Lease> RentAsync(CancellationToken ct)
    {
        await _free.WaitAsync(ct);
        try
        {
            // A stack: the connection used last has the warmest page cache, and few callers use few connections.
            return new Lease(this, _idle.TryPop(out Database? database) ? database : open());
        }
        catch
        {
            _free.Release();
            throw;
        }
    }

    public void Dispose()
    {
        while (_idle.TryPop(out Database? database)) database.Dispose();
        _free.Dispose();
    }

    /// <summary>A connection for a while.</summary>
    public readonly struct Lease(ReaderPool pool, Database database) : IDisposable
    {
        public Database Database => database;

        public void Dispose()
        {
            database.Rollback();
            pool._idle.Push(database);
            pool._free.Release();
        }
    }
}
