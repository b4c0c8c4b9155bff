namespace PacsCluster.Dimse;

/// <summary>The thread of one association: everything that the association awaits goes on here. A C-STORE on a thread of its own waits for the
/// network, the disk and the catalog in plain system calls, one wake-up each; on the pool every wait takes a poller and a worker thread, and a
/// 40 KB instance cost 30 switches of threads. There are as many threads as open associations, which are bounded.</summary>
internal sealed class AssociationThread : SynchronizationContext
{
    private const int StackBytes = 1024 * 1024;

    [ThreadStatic]
    private static bool t_isAssociation;

    private readonly WakeUp _wakeUp = new();
    private readonly Lock _gate = new();
    private readonly Queue<(SendOrPostCallback Callback, object? State)> _posted = new();
    private bool _ended;

    /// <summary>The caller runs on an association's thread and may wait there.</summary>
    public static bool IsCurrent => t_isAssociation;

    /// <summary>Runs an association to its end on a new thread.</summary>
    public static Task RunAsync(string name, Func<Task> association)
    {
        var ended = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var context = new AssociationThread();
        new Thread(() => context.Run(association, ended), StackBytes) { IsBackground = true, Name = name }.Start();
        return ended.Task;
    }

    /// <summary>Begins something on this thread whose later parts go on elsewhere, while the thread does other things.</summary>
    public static T Begin<T>(Func<T> begin)
    {
        SynchronizationContext? current = Current;
        SetSynchronizationContext(null);
        try
        {
            return begin();
        }
        finally
        {
            SetSynchronizationContext(current);
        }
    }

    /// <inheritdoc/>
    public override void Post(SendOrPostCallback d, object? state)
    {
        bool isTaken;
        lock (_gate)
        {
            isTaken = !_ended;
            if (isTaken) _posted.Enqueue((d, state));
        }
        if (isTaken) _wakeUp.Call();
        // Left over by the association, for example an abort that nobody awaits.
        else ThreadPool.QueueUserWorkItem(static work => work.d(work.state), (d, state), preferLocal: false);
    }

    /// <inheritdoc/>
    public override void Send(SendOrPostCallback d, object? state) => throw new NotSupportedException("post");

    private void Run(Func<Task> association, TaskCompletionSource ended)
    {
        t_isAssociation = true;
        SetSynchronizationContext(this);
        Task task;
        try
        {
            task = association();
        }
        catch (Exception e)
        {
            task = Task.FromException(e);
        }
        task.ContinueWith(static (_, state) => ((AssociationThread)state!).Post(static _ => { }, null), this,
            CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        while (Next(task) is var (callback, state)) callback(state);
        ended.SetFromTask(task);
    }

    private (SendOrPostCallback, object?)? Next(Task task)
    {
        while (true)
        {
            lock (_gate)
            {
                if (_posted.TryDequeue(out (SendOrPostCallback, object?) next)) return next;
                if (task.IsCompleted)
                {
                    _ended = true;
                    return null;
                }
            }
            _wakeUp.Wait();
        }
    }
}
