namespace PacsCluster.Engine;

/// <summary>A signal that any number of callers wait for: each wait that began before a <see cref="Set"/> ends with it.</summary>
internal sealed class Pulse
{
    private TaskCompletionSource _next = New();

    /// <summary>Ends with the next <see cref="Set"/>. Take it first, then look whether there is something to do, then wait: nothing is missed.</summary>
    public Task Next => Volatile.Read(ref _next).Task;

    /// <summary>Wakes all who wait.</summary>
    public void Set() => Interlocked.Exchange(ref _next, New()).SetResult();

    /// <summary>Waits for a pulse taken before, for a time at most, whichever is first.</summary>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public static async Task WaitAsync(Task pulse, TimeSpan most, TimeProvider time, CancellationToken ct)
    {
        if (most <= TimeSpan.Zero) return;
        // SuppressThrowing would hide a cancellation too, and a time-out is no fault here.
        using var end = CancellationTokenSource.CreateLinkedTokenSource(ct);
        Task delay = Task.Delay(most, time, end.Token);
        await Task.WhenAny(pulse, delay);
        await end.CancelAsync();
        ct.ThrowIfCancellationRequested();
    }

    private static TaskCompletionSource New() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
