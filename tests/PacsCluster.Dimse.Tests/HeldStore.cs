using System.Collections.Concurrent;
using System.Threading.Channels;
using PacsCluster.Engine;

namespace PacsCluster.Dimse.Tests;

/// <summary>A store that takes data sets in, and says what became of each when a test lets it.</summary>
internal sealed class HeldStore
{
    private readonly ConcurrentDictionary<string, TaskCompletionSource<StoreOutcome>> _held = new();
    private readonly Channel<string> _taken = Channel.CreateUnbounded<string>();
    private readonly Channel<string> _brokenOff = Channel.CreateUnbounded<string>();
    private readonly Lock _gate = new();
    private int _underWay;

    /// <summary>The most stores that were under way at once.</summary>
    public int Most { get; private set; }

    public async Task<StoreOutcome> StoreAsync(Stream dataSet, StoreOrigin origin, CancellationToken cancellationToken)
    {
        string uid = origin.AffectedSopInstanceUid!;
        lock (_gate) Most = Math.Max(Most, ++_underWay);
        try
        {
            await dataSet.CopyToAsync(Stream.Null, cancellationToken);
            TaskCompletionSource<StoreOutcome> held = Held(uid);
            _taken.Writer.TryWrite(uid);
            return await held.Task;
        }
        catch (IOException)
        {
            _brokenOff.Writer.TryWrite(uid);
            throw;
        }
        finally
        {
            lock (_gate) _underWay--;
        }
    }

    /// <summary>The SOP Instance UIDs of the next data sets that are in, sorted: they run side by side, so which is told of first is chance.</summary>
    public async Task<string[]> TakenAsync(int count)
    {
        string[] uids = new string[count];
        for (int i = 0; i < count; i++) uids[i] = await ReadAsync(_taken);
        Array.Sort(uids, StringComparer.Ordinal);
        return uids;
    }

    /// <summary>The SOP Instance UID of the next data set that did not come to its end.</summary>
    public Task<string> BrokenOffAsync() => ReadAsync(_brokenOff);

    public void Finish(params string[] uids)
    {
        foreach (string uid in uids) Held(uid).SetResult(new StoreOutcome { Kind = StoreOutcomeKind.Stored, SopInstanceUid = uid });
    }

    public void Fault(string uid, Exception fault) => Held(uid).SetException(fault);

    private TaskCompletionSource<StoreOutcome> Held(string uid) => _held.GetOrAdd(uid, _ => new(TaskCreationOptions.RunContinuationsAsynchronously));

    private static async Task<string> ReadAsync(Channel<string> channel)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        return await channel.Reader.ReadAsync(limit.Token);
    }
}

/// <summary>A slow store: those who wait for it are answered together, as soon as they are so many. A round trip to a cloud, without the time.</summary>
internal sealed class RoundTrips(int together)
{
    private readonly Lock _gate = new();
    private List<TaskCompletionSource> _waiting = [];

    public int Count { get; private set; }

    public async Task WaitAsync()
    {
        var arrived = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        List<TaskCompletionSource> all = [];
        lock (_gate)
        {
            _waiting.Add(arrived);
            if (_waiting.Count == together)
            {
                Count++;
                (all, _waiting) = (_waiting, []);
            }
        }
        foreach (TaskCompletionSource one in all) one.SetResult();
        await arrived.Task;
    }

    public async Task<StoreOutcome> StoreAsync(Stream dataSet, StoreOrigin origin, CancellationToken cancellationToken)
    {
        await dataSet.CopyToAsync(Stream.Null, cancellationToken);
        await WaitAsync();
        return new StoreOutcome { Kind = StoreOutcomeKind.Stored, SopInstanceUid = origin.AffectedSopInstanceUid };
    }
}
