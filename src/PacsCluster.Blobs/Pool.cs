using System.Collections.Concurrent;

namespace PacsCluster.Blobs;

/// <summary>Memory that is dear to make, kept for the next who needs some.</summary>
/// <param name="make">Makes one more.</param>
/// <param name="max">So many are kept at most; more are disposed when they come back.</param>
internal sealed class Pool<T>(Func<T> make, int max) : IDisposable where T : class, IDisposable
{
    private readonly ConcurrentStack<T> _kept = new();
    private int _count;
    private volatile bool _isEnded;

    public T Rent()
    {
        if (!_kept.TryPop(out T? one)) return make();
        Interlocked.Decrement(ref _count);
        return one;
    }

    public void Return(T one)
    {
        // Counted first: what is kept is never more.
        if (Interlocked.Increment(ref _count) <= max && !_isEnded)
        {
            _kept.Push(one);
            if (_isEnded) Empty();
            return;
        }
        Interlocked.Decrement(ref _count);
        one.Dispose();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _isEnded = true;
        Empty();
    }

    private void Empty()
    {
        while (_kept.TryPop(out T? one)) one.Dispose();
    }
}
