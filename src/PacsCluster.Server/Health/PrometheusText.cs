using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Globalization;
using System.Text;

namespace PacsCluster.Server.Health;

/// <summary>Collects what our meters measure and writes it in the text format that Prometheus reads (version 0.0.4). One per process.</summary>
internal sealed class PrometheusText : IDisposable
{
    private const int MaxSeries = 1000;
    private static readonly double[] s_defaultBounds = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10];
    private readonly MeterListener _listener = new();
    private readonly ConcurrentDictionary<Instrument, Family> _families = new();

    /// <summary>Listens to every meter whose name begins with <c>PacsCluster.</c></summary>
    public PrometheusText()
    {
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Meter.Name.StartsWith("PacsCluster.", StringComparison.Ordinal))
                listener.EnableMeasurementEvents(instrument, _families.GetOrAdd(instrument, static i => new Family(i)));
        };
        _listener.MeasurementsCompleted = (instrument, _) => _families.TryRemove(instrument, out Family? _);
        _listener.SetMeasurementEventCallback<byte>(static (_, value, tags, state) => ((Family)state!).Add(value, tags));
        _listener.SetMeasurementEventCallback<short>(static (_, value, tags, state) => ((Family)state!).Add(value, tags));
        _listener.SetMeasurementEventCallback<int>(static (_, value, tags, state) => ((Family)state!).Add(value, tags));
        _listener.SetMeasurementEventCallback<long>(static (_, value, tags, state) => ((Family)state!).Add(value, tags));
        _listener.SetMeasurementEventCallback<float>(static (_, value, tags, state) => ((Family)state!).Add(value, tags));
        _listener.SetMeasurementEventCallback<double>(static (_, value, tags, state) => ((Family)state!).Add(value, tags));
        _listener.SetMeasurementEventCallback<decimal>(static (_, value, tags, state) => ((Family)state!).Add((double)value, tags));
        _listener.Start();
    }

    /// <summary>All families as text.</summary>
    public string Write()
    {
        _listener.RecordObservableInstruments();
        var text = new StringBuilder();
        foreach (Family family in _families.Values.OrderBy(f => f.Name, StringComparer.Ordinal)) family.Write(text);
        WriteProcess(text);
        return text.ToString();
    }

    /// <inheritdoc/>
    public void Dispose() => _listener.Dispose();

    private static void WriteProcess(StringBuilder text)
    {
        using Process process = Process.GetCurrentProcess();
        void One(string name, string type, string help, double value) =>
            text.Append(CultureInfo.InvariantCulture, $"# HELP {name} {help}\n# TYPE {name} {type}\n{name} {value}\n");
        One("process_cpu_seconds_total", "counter", "CPU time, user and system.", process.TotalProcessorTime.TotalSeconds);
        One("process_resident_memory_bytes", "gauge", "Resident memory.", process.WorkingSet64);
        One("process_start_time_seconds", "gauge", "Start, seconds since 1970.", new DateTimeOffset(process.StartTime).ToUnixTimeMilliseconds() / 1000.0);
        One("process_threads", "gauge", "Threads.", process.Threads.Count);
        One("dotnet_heap_bytes", "gauge", "Managed heap, fragmentation included.", GC.GetGCMemoryInfo().HeapSizeBytes);
        One("dotnet_gc_pause_seconds_total", "counter", "Time that collections stopped all threads.", GC.GetTotalPauseDuration().TotalSeconds);
        One("dotnet_allocated_bytes_total", "counter", "Bytes allocated on the managed heap.", GC.GetTotalAllocatedBytes());
        One("dotnet_threadpool_queue_length", "gauge", "Work items that wait for a thread.", ThreadPool.PendingWorkItemCount);
    }

    /// <summary>One instrument with its series by tags.</summary>
    private sealed class Family
    {
        private readonly List<Series> _series = [];
        private readonly string _type;
        private readonly string _help;
        private readonly bool _adds;
        private readonly double[]? _bounds;

        public Family(Instrument instrument)
        {
            Type kind = instrument.GetType().GetGenericTypeDefinition();
            bool isHistogram = kind == typeof(Histogram<>);
            bool isCounter = kind == typeof(Counter<>) || kind == typeof(ObservableCounter<>);
            _type = isHistogram ? "histogram" : isCounter ? "counter" : "gauge";
            // Observable instruments and gauges tell the value itself, the others what to add to it.
            _adds = kind == typeof(Counter<>) || kind == typeof(UpDownCounter<>);
            if (isHistogram) _bounds = Bounds(instrument);
            string unit = instrument.Unit switch { "s" => "_seconds", "By" => "_bytes", _ => "" };
            string name = new([.. instrument.Name.Select(c => char.IsAsciiLetterOrDigit(c) ? c : '_')]);
            if (!name.EndsWith(unit, StringComparison.Ordinal)) name += unit;
            Name = isCounter && !name.EndsWith("_total", StringComparison.Ordinal) ? name + "_total" : name;
            _help = (instrument.Description ?? "").ReplaceLineEndings(" ");
        }

        public string Name { get; }

        public void Add(double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
        {
            lock (_series)
            {
                Series? series = null;
                // A handful of series each: walking them costs less than hashing the tags.
                foreach (Series candidate in _series)
                {
                    if (!candidate.Has(tags)) continue;
                    series = candidate;
                    break;
                }
                if (series is null)
                {
                    if (_series.Count >= MaxSeries) return;
                    _series.Add(series = new Series(tags.ToArray(), _bounds is null ? null : new long[_bounds.Length + 1]));
                }
                if (_bounds is null)
                {
                    series.Value = _adds ? series.Value + value : value;
                    return;
                }
                series.Value += value;
                int bucket = Array.FindIndex(_bounds, b => value <= b);
                series.Buckets![bucket < 0 ? _bounds.Length : bucket]++;
            }
        }

        public void Write(StringBuilder text)
        {
            lock (_series)
            {
                if (_series.Count == 0) return;
                text.Append(CultureInfo.InvariantCulture, $"# HELP {Name} {_help}\n# TYPE {Name} {_type}\n");
                foreach (Series series in _series)
                {
                    if (_bounds is null)
                    {
                        text.Append(CultureInfo.InvariantCulture, $"{Name}{series.Labels()} {series.Value}\n");
                        continue;
                    }
                    long count = 0;
                    for (int i = 0; i < series.Buckets!.Length; i++)
                    {
                        count += series.Buckets[i];
                        string bound = i == _bounds.Length ? "+Inf" : _bounds[i].ToString(CultureInfo.InvariantCulture);
                        text.Append(CultureInfo.InvariantCulture, $"{Name}_bucket{series.Labels(bound)} {count}\n");
                    }
                    text.Append(CultureInfo.InvariantCulture, $"{Name}_sum{series.Labels()} {series.Value}\n{Name}_count{series.Labels()} {count}\n");
                }
            }
        }

        private static double[] Bounds(Instrument instrument) => instrument switch
        {
            Histogram<double> { Advice.HistogramBucketBoundaries: { } bounds } => [.. bounds],
            Histogram<int> { Advice.HistogramBucketBoundaries: { } bounds } => [.. bounds.Select(b => (double)b)],
            Histogram<long> { Advice.HistogramBucketBoundaries: { } bounds } => [.. bounds.Select(b => (double)b)],
            _ => s_defaultBounds,
        };
    }

    private sealed class Series(KeyValuePair<string, object?>[] tags, long[]? buckets)
    {
        public double Value { get; set; }

        public long[]? Buckets { get; } = buckets;

        public bool Has(ReadOnlySpan<KeyValuePair<string, object?>> other)
        {
            if (other.Length != tags.Length) return false;
            for (int i = 0; i < tags.Length; i++)
            {
                if (tags[i].Key != other[i].Key || !Equals(tags[i].Value, other[i].Value)) return false;
            }
            return true;
        }

        public string Labels(string? bound = null)
        {
            IEnumerable<string> labels = tags.Select(t => $"{Key(t.Key)}=\"{Escape(t.Value?.ToString() ?? "")}\"");
            if (bound is not null) labels = labels.Append($"le=\"{bound}\"");
            string all = string.Join(',', labels);
            return all.Length == 0 ? "" : $"{{{all}}}";
        }

        private static string Key(string name) => new([.. name.Select(c => char.IsAsciiLetterOrDigit(c) ? c : '_')]);

        private static string Escape(string value) =>
            value.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal);
    }
}
