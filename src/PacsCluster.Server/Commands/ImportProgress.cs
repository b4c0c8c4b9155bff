using System.Diagnostics;
using System.Globalization;
using PacsCluster.Server.Health;
using Spectre.Console;

namespace PacsCluster.Server.Commands;

/// <summary>What the user of an import sees: a bar on a terminal, a line per 5 s elsewhere, a summary at the end.</summary>
internal static class ImportProgress
{
    /// <summary>Shows progress until the work is done, and passes on how it ended.</summary>
    public static async Task ShowAsync(Task work, ImportCounts counts, Stopwatch watch)
    {
        if (Console.IsOutputRedirected)
        {
            while (await Task.WhenAny(work, Task.Delay(TimeSpan.FromSeconds(5))) != work) Console.Out.WriteLine(Line(counts, watch.Elapsed));
            await work;
            return;
        }
        await AnsiConsole.Progress().AutoClear(true)
            .Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new RemainingTimeColumn())
            .StartAsync(async bar =>
            {
                ProgressTask task = bar.AddTask("import");
                while (await Task.WhenAny(work, Task.Delay(200)) != work)
                {
                    task.MaxValue = Math.Max(1, counts.Found);
                    // Until all files are found the end is not known, and a percentage would run backwards.
                    task.IsIndeterminate = !counts.FoundAll;
                    task.Value = counts.Done + counts.Earlier;
                    task.Description = $"{counts.Done + counts.Earlier} of {counts.Found}, {Rate(counts, watch.Elapsed)}";
                }
            });
        await work;
    }

    /// <summary>The summary at the end.</summary>
    public static void Summarize(ImportCounts counts, TimeSpan elapsed)
    {
        Console.Out.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{counts.Done} files in {elapsed.TotalSeconds:0.0} s ({Rate(counts, elapsed)}, {HealthPage.Size(counts.Bytes)})"));
        foreach (ImportResult result in Enum.GetValues<ImportResult>())
        {
            if (counts[result] > 0 || result is not (ImportResult.Refused or ImportResult.Skipped))
                Console.Out.WriteLine($"{result.ToString().ToLowerInvariant()}: {counts[result]}");
            foreach ((string reason, long count, string example) in counts.Reasons(result))
                Console.Out.WriteLine($"  {count} × {reason} (for example {example})");
        }
        if (counts.Earlier > 0) Console.Out.WriteLine($"done by an earlier run: {counts.Earlier} (--again reads them again)");
    }

    private static string Line(ImportCounts counts, TimeSpan elapsed)
    {
        long done = counts.Done + counts.Earlier;
        string left = counts.FoundAll && counts.Done > 0
            ? string.Create(CultureInfo.InvariantCulture, $", {TimeSpan.FromSeconds(Math.Ceiling((counts.Found - done) * elapsed.TotalSeconds / counts.Done)):c} left")
            : "";
        return $"{done} of {counts.Found}{(counts.FoundAll ? "" : " found so far")}, {Rate(counts, elapsed)}{left}; stored {counts[ImportResult.Stored]}, "
            + $"duplicate {counts[ImportResult.Duplicate]}, quarantined {counts[ImportResult.Quarantined]}, unreadable {counts[ImportResult.Unreadable]}";
    }

    private static string Rate(ImportCounts counts, TimeSpan elapsed) =>
        string.Create(CultureInfo.InvariantCulture, $"{counts.Done / Math.Max(0.001, elapsed.TotalSeconds):0}/s");
}
