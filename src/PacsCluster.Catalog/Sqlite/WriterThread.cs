using System.Threading.Channels;

namespace PacsCluster.Catalog.Sqlite;

/// <summary>The one thread that writes, with the one connection that may. A commit waits for the disk; on a thread of the pool that wait would be taken
/// from everybody else. Work is done in the order in which it came.</summary>
internal sealed class WriterThread
{
    private readonly Channel<Action> _work = Channel.CreateUnbounded<Action>(new UnboundedChannelOptions { SingleReader = true });
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public WriterThread() => new Thread(Run) { IsBackground = true, Name = "catalog writer" }.Start();

    /// <summary>Runs on the thread. What it throws is thrown to the caller.</summary>
    public Task<T> RunAsync<T>(Func<T> work)
    {
        var done = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        ObjectDisposedException.ThrowIf(!_work.Writer.TryWrite(() =>
        {
            try
            {
                done.SetResult(work());
            }
            catch (Exception e)
            {
                done.SetException(e);
            }
        }), this);
        return done.Task;
    }

    /// <summary>Ends after the work that waits.</summary>
    public Task EndAsync()
    {
        _work.Writer.TryComplete();
        return _ended.Task;
    }

    private void Run()
    {
        while (_work.Reader.TryRead(out Action? work) || _work.Reader.WaitToReadAsync().AsTask().GetAwaiter().GetResult()) work?.Invoke();
        _ended.SetResult();
    }
}
