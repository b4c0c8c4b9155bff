
namespace PacsCluster.Catalog.Sqlite;

/// <summary>Who writes with the one connection that may: one caller at a time. A commit waits for the disk. A thread of its own, an association's for
/// example, does its work itself; on a thread of the pool that wait would be taken from everybody else, so its work goes to the thread kept for
/// it, in the order in which it came.</summary>
internal sealed class WriterThread
{
    // A monitor, because its waiters sleep at once: a blocking wait on a task spins first, and on two cores that is the sender's time.
    private readonly object _gate = new();
    private readonly object _turn = new();
    private readonly Queue<Action> _work = new();
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private bool _isEnding;

    public WriterThread() => new Thread(Run) { IsBackground = true, Name = "catalog writer" }.Start();

    /// <summary>Runs when nobody else does. What it throws is thrown to the caller.</summary>
    public Task<T> RunAsync<T>(Func<T> work)
    {
        if (!Thread.CurrentThread.IsThreadPoolThread) return RunHere(work);
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

    /// <summary>Begins something within work, and waits for it. What it throws is thrown.</summary>
    public static void Wait(Func<Task> begin)
    {
        // What goes on later must not want this thread, which waits.
        SynchronizationContext? current = SynchronizationContext.Current;
        SynchronizationContext.SetSynchronizationContext(null);
        Task task;
        try
        {
            task = begin();
        }
        finally
        {
            SynchronizationContext.SetSynchronizationContext(current);
        }
        if (!task.IsCompleted)
        {
            object gate = new();
            task.ContinueWith(
                _ =>
                {
                    lock (gate) Monitor.Pulse(gate);
                },
                CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
            lock (gate)
            {
                while (!task.IsCompleted) Monitor.Wait(gate);
            }
        }
        task.GetAwaiter().GetResult();
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

    private Task<T> RunHere<T>(Func<T> work)
    {
        lock (_turn)
        {
            ObjectDisposedException.ThrowIf(Volatile.Read(ref _isEnding), this);
            try
            {
                return Task.FromResult(work());
            }
            catch (Exception e)
            {
                return Task.FromException<T>(e);
            }
        }
    }

    private void Run()
    {
        while (Next() is { } work)
        {
            lock (_turn) work();
        }
        // Nobody is in the middle of work when the connection is closed.
        lock (_turn) _ended.SetResult();
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
