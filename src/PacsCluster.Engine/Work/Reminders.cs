using Microsoft.Extensions.Logging;
using PacsCluster.Catalog;

namespace PacsCluster.Engine;

/// <summary>What a handler says of a reminder that it worked on.</summary>
internal readonly record struct ReminderResult
{
    private ReminderResult(DateTimeOffset? again, bool isSettled) => (Again, IsSettled) = (again, isSettled);

    /// <summary>When it is to come again; null when it is done.</summary>
    public DateTimeOffset? Again { get; }

    /// <summary>The handler ended it in a commit of its own.</summary>
    public bool IsSettled { get; }

    /// <summary>Done: it goes.</summary>
    public static ReminderResult Done => default;

    /// <summary>The handler's own commit has finished or postponed it.</summary>
    public static ReminderResult Settled => new(null, true);

    /// <summary>It comes again, and that is no failure.</summary>
    public static ReminderResult At(DateTimeOffset due) => new(due, false);
}

/// <summary>Works on a claimed reminder. It may run twice for one (a node died, a lease ended): what it does must come out the same.</summary>
internal delegate Task<ReminderResult> ReminderHandler(ReminderRow reminder, CancellationToken ct);

/// <summary>
/// The node's worker: claims due reminders from the catalog and runs their handlers, a few at once. At least once, on any node: a claim is a lease, and
/// when its node dies another takes over at the lease's end. A handler that throws is tried again after 5 s, doubled each time up to an hour, without end. It sleeps until
/// the next reminder is due, until one is set in this process, or for <see cref="EngineOptions.ReminderIdle"/>, after which it looks for those of nodes that died.
/// </summary>
internal sealed class Reminders
{
    private static readonly TimeSpan s_firstBackOff = TimeSpan.FromSeconds(5), s_longestBackOff = TimeSpan.FromHours(1);

    private readonly ICatalogWriter _writer;
    private readonly EngineOptions _options;
    private readonly TimeProvider _time;
    private readonly Metrics _metrics;
    private readonly ILogger _logger;
    private readonly string _owner;
    private readonly Dictionary<string, Dictionary<string, ReminderHandler>> _handlers = new(StringComparer.Ordinal);
    private readonly Pulse _set = new();
    private long _wakeAt = long.MaxValue;

    public Reminders(ObservedWriter writer, EngineOptions options, TimeProvider time, Metrics metrics, ILogger logger, string owner)
    {
        (_writer, _options, _time, _metrics, _logger, _owner) = (writer, options, time, metrics, logger, owner);
        writer.Committed += Wake;
    }

    /// <summary>Names who handles reminders of a kind and name. Before the loop starts.</summary>
    public void Handle(string kind, string name, ReminderHandler handler)
    {
        if (!_handlers.TryGetValue(kind, out Dictionary<string, ReminderHandler>? names)) _handlers[kind] = names = new(StringComparer.Ordinal);
        names.Add(name, handler);
    }

    /// <summary>Runs until cancelled; then waits for the handlers, which get the token too.</summary>
    public async Task RunAsync(CancellationToken ct)
    {
        var running = new List<Task>();
        int faults = 0;
        while (!ct.IsCancellationRequested)
        {
            // What is set from here on wakes the loop, also while it claims.
            Task set = _set.Next;
            Volatile.Write(ref _wakeAt, long.MaxValue);
            TimeSpan sleep;
            try
            {
                ReminderClaim claim = await ClaimAsync(_options.ReminderConcurrency - running.Count, ct);
                faults = 0;
                foreach (ReminderRow row in claim.Claimed) running.Add(Task.Run(() => HandleAsync(row, ct), CancellationToken.None));
                Volatile.Write(ref _wakeAt, claim.NextDue?.UtcTicks ?? long.MaxValue);
                sleep = claim.NextDue is { } due && due - _time.GetUtcNow() < _options.ReminderIdle ? due - _time.GetUtcNow() : _options.ReminderIdle;
            }
            catch (CatalogUnavailableException fault)
            {
                sleep = BackOff(++faults);
                Log.RemindersUnavailable(_logger, fault, sleep);
            }
            catch (OperationCanceledException) when (ct.IsCancellationRequested)
            {
                break;
            }
            try
            {
                if (running.Count == 0) await Pulse.WaitAsync(set, sleep, _time, ct);
                // With every hand full only the end of one matters.
                else if (running.Count >= _options.ReminderConcurrency) await Task.WhenAny(running).WaitAsync(ct);
                else await Pulse.WaitAsync(Task.WhenAny([set, .. running]), sleep, _time, ct);
            }
            catch (OperationCanceledException) when (ct.IsCancellationRequested)
            {
                break;
            }
            running.RemoveAll(task => task.IsCompleted);
        }
        await Task.WhenAll(running);
    }

    /// <summary>Works on all that is due now, one after the other, until nothing is; how many. For commands and tests, which have no loop.</summary>
    public async Task<int> RunDueAsync(CancellationToken ct)
    {
        for (int done = 0; ;)
        {
            ReminderClaim claim = await ClaimAsync(1, ct);
            if (claim.Claimed.Count == 0) return done;
            await HandleAsync(claim.Claimed[0], ct);
            done++;
        }
    }

    private ValueTask<ReminderClaim> ClaimAsync(int limit, CancellationToken ct)
    {
        DateTimeOffset now = _time.GetUtcNow();
        return _writer.ClaimRemindersAsync(new ClaimRequest(_owner, _handlers.Keys, now, now + _options.ReminderLease, limit), ct);
    }

    private async Task HandleAsync(ReminderRow row, CancellationToken ct)
    {
        ReminderResult result;
        try
        {
            if (!_handlers[row.Id.Kind].TryGetValue(row.Id.Name, out ReminderHandler? handler))
                throw new InvalidOperationException($"no handler of this node knows reminders '{row.Id.Kind}' '{row.Id.Name}'");
            result = await handler(row, ct);
            _metrics.Reminded(row.Id.Kind, row.Id.Name, isDone: true);
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested)
        {
            // The node stops: whoever is next need not wait for the lease's end.
            result = ReminderResult.At(_time.GetUtcNow());
        }
        catch (Exception fault)
        {
            // An edge: whatever a handler stumbled over, its reminder stays, and the others go on.
            TimeSpan wait = BackOff(row.Attempts);
            Log.ReminderFailed(_logger, fault, row.Id.Kind, row.Id.Name, row.Id.Key, row.Attempts, wait);
            _metrics.Reminded(row.Id.Kind, row.Id.Name, isDone: false);
            await EndAsync(row, ReminderResult.At(_time.GetUtcNow() + wait), attempts: row.Attempts);
            return;
        }
        if (!result.IsSettled) await EndAsync(row, result, attempts: 0);
    }

    private async Task EndAsync(ReminderRow row, ReminderResult result, int attempts)
    {
        var changes = new CatalogChanges();
        Settle(changes, row, result, attempts);
        try
        {
            await _writer.CommitAsync(changes, CancellationToken.None);
        }
        catch (CatalogUnavailableException fault)
        {
            // It comes again when the lease ends, and its handler finds its work done.
            Log.RemindersUnavailable(_logger, fault, _options.ReminderLease);
        }
    }

    /// <summary>Puts the end of a claimed reminder into changes, so that it ends with what it did.</summary>
    public static void Settle(CatalogChanges changes, ReminderRow claimed, ReminderResult result, int attempts = 0)
    {
        if (result.Again is { } again) changes.PostponedReminders.Add((claimed with { Attempts = attempts }, again));
        else changes.FinishedReminders.Add(claimed);
    }

    /// <summary>Wait before the next attempt.</summary>
    internal static TimeSpan BackOff(int attempts)
    {
        TimeSpan wait = s_firstBackOff * Math.Pow(2, Math.Clamp(attempts - 1, 0, 20));
        return wait < s_longestBackOff ? wait : s_longestBackOff;
    }

    // Most commits set reminders that are due long after the loop wakes anyway.
    private void Wake(CatalogChanges changes)
    {
        if (changes.Reminders.Count + changes.NewReminders.Count + changes.PostponedReminders.Count == 0) return;
        long wakeAt = Volatile.Read(ref _wakeAt);
        if (changes.Reminders.Exists(r => r.DueAt.UtcTicks < wakeAt) || changes.NewReminders.Exists(r => r.DueAt.UtcTicks < wakeAt)
            || changes.PostponedReminders.Exists(r => r.Until.UtcTicks < wakeAt)) _set.Set();
    }
}
