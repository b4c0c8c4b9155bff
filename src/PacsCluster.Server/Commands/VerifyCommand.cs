using System.Globalization;
using PacsCluster.Engine;
using PacsCluster.Server.Health;
using PacsCluster.Server.Options;
using Spectre.Console;

namespace PacsCluster.Server.Commands;

/// <summary><c>verify</c></summary>
internal static class VerifyCommand
{
    /// <summary>Walks catalog and blobs; 0 when clean, 1 when something is lost, damaged or wrong.</summary>
    public static async Task<int> RunAsync(ServerOptions options, VerifyOptions how, CancellationToken ct)
    {
        Node.RequireArchive(options);
        await using Node node = await Node.OpenAsync(options, Loggers.Quiet, start: false, ct);
        VerifyReport? report = null;
        if (Console.IsOutputRedirected)
        {
            report = await node.Archive.Verify.RunAsync(how, f => Console.Out.WriteLine(f.ToString()), null, ct);
        }
        else
        {
            await AnsiConsole.Progress().AutoClear(true).Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new RemainingTimeColumn())
                .StartAsync(async bar =>
                {
                    ProgressTask task = bar.AddTask("verify");
                    report = await node.Archive.Verify.RunAsync(how, f => AnsiConsole.WriteLine(f.ToString()), p =>
                    {
                        task.MaxValue = Math.Max(1, p.BlobsTotal);
                        task.Value = p.Blobs;
                    }, ct);
                });
        }
        Catalog.CatalogCounts counts = await node.Catalog.CountAsync(ct);
        Console.Out.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{counts.Patients} patients, {counts.Studies} studies, {counts.Series} series, {counts.Instances} instances, {counts.Quarantined} in quarantine, {counts.OpenConflicts} to reconcile"));
        Console.Out.WriteLine($"read {report!.Blobs} blobs ({HealthPage.Size(report.Bytes)}) with {report.Instances} instances and {report.Quarantined} of the quarantine");
        foreach ((VerifyProblem problem, long count) in report.Counts.OrderBy(c => c.Key)) Console.Out.WriteLine($"  {count} × {problem}");
        if (report.Repaired > 0) Console.Out.WriteLine($"  {report.Repaired} copies repaired");
        foreach ((string store, long count) in report.Wanted) Console.Out.WriteLine($"  {count} copies are still to be made in store {store}");
        foreach ((string store, long count) in report.Elsewhere) Console.Out.WriteLine($"  {count} copies lie in store {store}, which this node has not: not looked at");
        Console.Out.WriteLine(report.IsClean ? "clean" : "NOT clean: the lines above that begin with ALARM need a person");
        return report.IsClean ? 0 : 1;
    }
}
