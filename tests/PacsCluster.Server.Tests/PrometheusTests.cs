using System.Diagnostics.Metrics;
using PacsCluster.Server.Health;

namespace PacsCluster.Server.Tests;

public sealed class PrometheusTests
{
    [Fact]
    public void Counters_gauges_and_histograms_are_written_as_Prometheus_reads_them()
    {
        using var text = new PrometheusText();
        using var meter = new Meter("PacsCluster.PrometheusTests");
        Counter<long> counter = meter.CreateCounter<long>("test.stores", description: "By outcome");
        counter.Add(2, new KeyValuePair<string, object?>("outcome", "stored"));
        counter.Add(1, new KeyValuePair<string, object?>("outcome", "stored"));
        counter.Add(5, new KeyValuePair<string, object?>("outcome", "say \"no\""));
        meter.CreateObservableGauge("test.queue", () => 7);
        UpDownCounter<int> open = meter.CreateUpDownCounter<int>("test.open");
        open.Add(3);
        open.Add(-1);
        Histogram<double> seconds = meter.CreateHistogram<double>("test.time", "s", advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.1, 1] });
        seconds.Record(0.05);
        seconds.Record(0.5);
        seconds.Record(50);
        string[] lines = text.Write().Split('\n');
        Assert.Contains("# TYPE test_stores_total counter", lines);
        Assert.Contains("test_stores_total{outcome=\"stored\"} 3", lines);
        Assert.Contains("test_stores_total{outcome=\"say \\\"no\\\"\"} 5", lines);
        Assert.Contains("test_queue 7", lines);
        Assert.Contains("test_open 2", lines);
        Assert.Contains("test_time_seconds_bucket{le=\"0.1\"} 1", lines);
        Assert.Contains("test_time_seconds_bucket{le=\"1\"} 2", lines);
        Assert.Contains("test_time_seconds_bucket{le=\"+Inf\"} 3", lines);
        Assert.Contains("test_time_seconds_count 3", lines);
        Assert.Contains(lines, l => l.StartsWith("process_resident_memory_bytes ", StringComparison.Ordinal));
    }
}
