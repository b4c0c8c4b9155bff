namespace PacsCluster.Engine;

/// <summary>A number of bytes that callers share: who wants more than is left waits in line. One that wants more than there is at all gets in
/// when nobody else is in. Thread-safe.</summary>
internal sealed class ByteBudget(long total)
{
    private readonly long _total = total;
    private readonly Lock _lock = new();
    private readonly LinkedList<(long Bytes, TaskCompletionSource Turn)> _line = new();
    private long _left = total;

    /// <summary>Takes bytes, waits for them if need be.</summary>
    public ValueTask TakeAsync(long wanted, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        TaskCompletionSource turn;
        LinkedListNode<(long, TaskCompletionSource)> node;
        lock (_lock)
        {
            if (_line.Count == 0 && Fits(wanted))
            {
                _left -= wanted;
                return ValueTask.CompletedTask;
            }
            turn = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            node = _line.AddLast((wanted, turn));
        }
        return new ValueTask(WaitAsync());

        async Task WaitAsync()
        {
            using CancellationTokenRegistration registration = cancellationToken.Register(() =>
            {
                lock (_lock)
                {
                    if (node.List is null) return; // its turn came first
                    _line.Remove(node);
                    turn.TrySetCanceled(cancellationToken);
                    LetIn();
                }
            });
            await turn.Task;
        }
    }

    /// <summary>Gives bytes back that were taken.</summary>
    public void Give(long given)
    {
        lock (_lock)
        {
            _left += given;
            LetIn();
        }
    }

    private bool Fits(long wanted) => wanted <= _left || _left == _total;

    private void LetIn()
    {
        while (_line.First is { } first && Fits(first.Value.Bytes))
        {
            _left -= first.Value.Bytes;
            _line.RemoveFirst();
            first.Value.Turn.TrySetResult();
        }
    }
}
