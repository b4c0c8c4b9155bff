using System.Diagnostics.Metrics;

namespace PacsCluster.Engine;

/// <summary>The meter <c>PacsCluster.Engine</c>. One per archive, so that tests in parallel do not see each other's counts.</summary>
internal sealed class Metrics : IDisposable
{
    /// <summary>Name of the meter.</summary>
    public const string MeterName = "PacsCluster.Engine";

    private readonly Meter _meter = new(MeterName);
    private readonly Counter<long> _instances;
    private readonly Counter<long> _bytes;
    private readonly Counter<long> _conflicts;
    private readonly Counter<long> _reminders;
    private readonly Histogram<int> _batchItems;
    private readonly Histogram<double> _commitSeconds;
    private readonly Histogram<double> _storeSeconds;

    /// <summary>Creates the instruments.</summary>
    public Metrics()
    {
        _instances = _meter.CreateCounter<long>("pacscluster.store.instances", "{instance}", "Instances by outcome and door.");
        _bytes = _meter.CreateCounter<long>("pacscluster.store.bytes", "By", "Bytes of data sets that were stored.");
        _conflicts = _meter.CreateCounter<long>("pacscluster.commit.conflicts", "{conflict}", "Commits that another node was ahead of.");
        _reminders = _meter.CreateCounter<long>("pacscluster.reminders", "{reminder}", "Reminders worked on, by kind, name and whether the handler succeeded.");
        _batchItems = _meter.CreateHistogram<int>("pacscluster.commit.items", "{instance}", "Instances in one commit.",
            advice: new InstrumentAdvice<int> { HistogramBucketBoundaries = [1, 2, 4, 8, 16, 32, 64, 128, 256] });
        double[] seconds = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
        _commitSeconds = _meter.CreateHistogram<double>("pacscluster.commit.duration", "s", "Time of one commit, load and decisions included.",
            advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = seconds });
        _storeSeconds = _meter.CreateHistogram<double>("pacscluster.store.duration", "s", "Time of one store, from the first byte asked for to the outcome.",
            advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = seconds });
    }

    /// <summary>Publishes the length of the commit queue.</summary>
    public void Observe(Func<int> waiting) => _meter.CreateObservableGauge("pacscluster.commit.waiting", waiting, "{instance}", "Instances that wait for the next commit.");

    /// <summary>One store ended.</summary>
    public void Stored(StoreOutcomeKind outcome, StoreDoor door, long bytes, TimeSpan elapsed)
    {
        _instances.Add(1, new("outcome", Name(outcome)), new("door", Name(door)));
        if (outcome is StoreOutcomeKind.Stored or StoreOutcomeKind.Replaced or StoreOutcomeKind.Quarantined) _bytes.Add(bytes);
        _storeSeconds.Record(elapsed.TotalSeconds);
    }

    /// <summary>One batch was committed.</summary>
    public void Committed(int items, TimeSpan elapsed)
    {
        _batchItems.Record(items);
        _commitSeconds.Record(elapsed.TotalSeconds);
    }

    /// <summary>A commit found another version than it read.</summary>
    public void Conflict() => _conflicts.Add(1);

    /// <summary>A reminder's handler ended.</summary>
    public void Reminded(string kind, string name, bool isDone) => _reminders.Add(1, new("kind", kind), new("name", name), new("outcome", isDone ? "done" : "failed"));

    /// <inheritdoc/>
    public void Dispose() => _meter.Dispose();

    // Enum.ToString() allocates a boxed value per call; these come once per instance.
    private static string Name(StoreOutcomeKind outcome) => outcome switch
    {
        StoreOutcomeKind.Stored => "stored",
        StoreOutcomeKind.Duplicate => "duplicate",
        StoreOutcomeKind.Replaced => "replaced",
        StoreOutcomeKind.Quarantined => "quarantined",
        StoreOutcomeKind.OutOfResources => "out_of_resources",
        StoreOutcomeKind.DataSetMismatch => "mismatch",
        StoreOutcomeKind.CannotUnderstand => "cannot_understand",
        StoreOutcomeKind.RefusedDuplicate => "refused_duplicate",
        StoreOutcomeKind.RefusedByPolicy => "refused_by_policy",
        _ => "failed",
    };

    private static string Name(StoreDoor door) => door switch
    {
        StoreDoor.Dimse => "dimse",
        StoreDoor.Web => "web",
        _ => "import",
    };
}
