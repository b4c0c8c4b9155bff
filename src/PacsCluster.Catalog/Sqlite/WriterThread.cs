
namespace PacsCluster.Catalog.Sqlite;

/// <summary>The one thread that writes, with the one connection that may. A commit waits for the disk; on a thread of the pool that wait would be taken
/// from everybody else. Work is done in the order in which it came.</summary>
internal sealed class WriterThread
{
    // A monitor, because its waiters sleep at once: a blocking wait on a task spins first, and on two cores that is the sender's time.
    private readonly object _gate = new();
    private readonly Queue<Action> _work = new();
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private bool _isEnding;

    public WriterThread() => new Thread(Run) { IsBackground = true, Name = "catalog writer" }.Start();

    /// <summary>Runs on the thread. What it throws is thrown to the caller.</summary>
    public Task<T> RunAsync<T>(Func<T> work)
    {
        var done = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_isEnding, this);
            _work.Enqueue(() =>
            {
                try
                {
                    done.SetResult(work());
                }
                catch (Exception e)
                {
                    done.SetException(e);
                }
            });
            Monitor.Pulse(_gate);
        }
        return done.Task;
    }

    /// <summary>Ends after the work that waits.</summary>
    public Task EndAsync()
    {
        lock (_gate)
        {
            _isEnding = true;
            Monitor.Pulse(_gate);
        }
        return _ended.Task;
    }

    private void Run()
    {
        while (Next() is { } work) work();
        _ended.SetResult();
    }

    private Action? Next()
    {
        lock (_gate)
        {
            while (_work.Count == 0)
            {
                if (_isEnding) return null;
                Monitor.Wait(_gate);
            }
            return _work.Dequeue();
        }
    }
}
