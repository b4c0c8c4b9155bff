namespace PacsCluster.Catalog.Sqlite;

/// <summary>
/// Folds the WAL into the database beside the commits. A checkpoint inside a commit (SQLite's default) makes one commit in so many wait for
/// thousands of scattered pages. Here a thread of its own copies them while commits go on; when the WAL has grown so long that it should begin anew,
/// the writer's thread copies the few pages that came meanwhile, and the next commit starts at the front of the file again.
/// </summary>
internal sealed class Checkpointer : IAsyncDisposable
{
    /// <summary>The WAL file is kept at this size rather than cut, because overwriting costs less than growing.</summary>
    public const long WalKeptBytes = 64L << 20;

    /// <summary>WAL pages after which copying begins. 4,096 pages of 4 KiB: 16 MiB, so that a page of an index that every commit touches is
    /// copied once for many commits.</summary>
    private const int PagesToCopy = 4096;

    /// <summary>WAL pages after which it should begin anew: 32 MiB.</summary>
    private const int PagesToRestart = 8192;

    private readonly Database _written;
    private readonly Writer _writer;
    private readonly Database _own;
    private readonly SemaphoreSlim _wake = new(0, 1);
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _pagesAtLastCopy;
    private volatile bool _ending;

    /// <summary>Begins to.</summary>
    /// <param name="written">The writer's connection.</param>
    /// <param name="writer">The writer.</param>
    /// <param name="open">Makes another connection that may write.</param>
    public Checkpointer(Database written, Writer writer, Func<Database> open)
    {
        (_written, _writer) = (written, writer);
        _own = open();
        writer.OnPublished(Wake);
        new Thread(Run) { IsBackground = true, Name = "catalog checkpoint" }.Start();
    }

    // On the writer's turn: there may be something to do.
    private void Wake()
    {
        int written = _written.PagesWritten;
        if (_ending || written - _pagesAtLastCopy < PagesToCopy) return;
        _pagesAtLastCopy = written;
        Release();
    }

    public async ValueTask DisposeAsync()
    {
        _ending = true;
        Release();
        await _ended.Task;
        _own.Dispose();
        _wake.Dispose();
    }

    private void Release()
    {
        try
        {
            _wake.Release();
        }
        catch (SemaphoreFullException)
        {
            // It is awake.
        }
    }

    private void Run()
    {
        while (true)
        {
            _wake.Wait();
            if (_ending) break;
            // Whatever it answers (busy: another process is at it, or a reader needs old pages), later commits wake us again.
            if (_own.CheckpointPassively() < PagesToRestart) continue;
            _writer.CheckpointAsync().GetAwaiter().GetResult();
        }
        _ended.SetResult();
    }
}
