using System.CommandLine;
using System.Diagnostics;
using PacsCluster.Catalog;
using PacsCluster.CatalogFill;

// Fills a catalog with made-up studies, and measures searches and commits on it. For benchmarks; never on an archive that keeps anything.

Option<string?> postgres = new("--postgres") { Description = "Connection string of a database on PostgreSQL; filled by COPY when it is empty" };
Option<string?> sqlite = new("--sqlite") { Description = "File of a catalog on SQLite, made when missing; filled by commits" };
Option<int> studies = new("--studies") { Description = "Studies to make", DefaultValueFactory = _ => 20_000 };
Option<int> instances = new("--instances") { Description = "Instances a study, on average", DefaultValueFactory = _ => 20 };
Option<int> seed = new("--seed") { Description = "Another seed makes other studies", DefaultValueFactory = _ => 1 };
Option<int> connections = new("--connections") { Description = "COPY connections at once", DefaultValueFactory = _ => 2 };
Option<int> limit = new("--limit") { Description = "Answers of one search at most; 0 is all", DefaultValueFactory = _ => 0 };
Option<int> commitCount = new("--count") { Description = "Commits to time", DefaultValueFactory = _ => 1000 };
Option<string?> beside = new("--beside") { Description = "Connection string of another catalog on PostgreSQL that takes turns with --postgres" };
Option<string[]> keys = new("--keys") { Description = "Matching keys of a search at study level: 00100020=X|00080061=CT; again for another search", Required = true };

var fill = new Command("fill", "Fills a catalog") { postgres, sqlite, studies, instances, seed, connections };
fill.SetAction(async (parsed, ct) =>
{
    await using ICatalog catalog = await OpenAsync(parsed, ct);
    long start = Stopwatch.GetTimestamp();
    int count = parsed.GetValue(studies);
    if (parsed.GetValue(postgres) is { } connectionString)
    {
        await new CopyFill(connectionString, parsed.GetValue(seed), parsed.GetValue(instances)).RunAsync(count, parsed.GetValue(connections), Console.WriteLine, ct);
    }
    else
    {
        await CommitFill.RunAsync(catalog, count, parsed.GetValue(seed), parsed.GetValue(instances), done => Console.Write($"\r{done} studies"), ct);
        Console.WriteLine();
    }
    double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
    Console.WriteLine($"{count} studies in {seconds:F1} s, {count / seconds:F0} studies/s: {await catalog.CountAsync(ct)}");
    return 0;
});

var commits = new Command("commits", "Times commits of one new study each; they stay there") { postgres, sqlite, beside, commitCount };
commits.SetAction(async (parsed, ct) =>
{
    await using ICatalog catalog = await OpenAsync(parsed, ct);
    await using ICatalog? other = parsed.GetValue(beside) is { } second
        ? await PostgresCatalog.OpenAsync(new PostgresCatalogOptions { ConnectionString = second }, TimeProvider.System, ct)
        : null;
    await Measure.CommitsAsync(other is null ? [(ICatalogWriter)catalog] : [(ICatalogWriter)catalog, (ICatalogWriter)other], parsed.GetValue(commitCount), Console.WriteLine, ct);
    return 0;
});

var explain = new Command("explain", "Runs searches on PostgreSQL and shows their plans") { postgres, keys, limit };
explain.SetAction(async (parsed, ct) =>
{
    await using ICatalog catalog = await OpenAsync(parsed, ct);
    if (catalog is not PostgresCatalog server) throw new InvalidOperationException("plans are shown of PostgreSQL: --postgres");
    await Measure.ExplainAsync(server, parsed.GetValue(keys)!, parsed.GetValue(limit), Console.WriteLine, ct);
    return 0;
});

return await new RootCommand("Made-up studies for a catalog") { fill, commits, explain }.Parse(args).InvokeAsync();

async Task<ICatalog> OpenAsync(ParseResult parsed, CancellationToken ct)
{
    if (parsed.GetValue(postgres) is { } connectionString) return await PostgresCatalog.OpenAsync(new PostgresCatalogOptions { ConnectionString = connectionString }, TimeProvider.System, ct);
    if (parsed.GetValue(sqlite) is { } path) return await SqliteCatalog.OpenAsync(new SqliteCatalogOptions { Path = path }, TimeProvider.System, ct);
    throw new InvalidOperationException("name a catalog: --postgres or --sqlite");
}
