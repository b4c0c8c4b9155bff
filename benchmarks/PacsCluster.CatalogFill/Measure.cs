using System.Diagnostics;
using System.Globalization;
using PacsCluster.Catalog;
using PacsCluster.Dicom;

namespace PacsCluster.CatalogFill;

/// <summary>Times searches and commits on a filled catalog, as C-FIND asks, and shows the plans of the slowest searches on PostgreSQL.</summary>
internal static class Measure
{
    private static readonly uint[] s_returns =
    [
        0x0008_0020, 0x0008_0030, 0x0008_0050, 0x0008_0061, 0x0008_0090, 0x0008_1030, 0x0010_0010, 0x0010_0020, 0x0010_0030, 0x0010_0040, 0x0020_000D, 0x0020_0010, 0x0020_1206, 0x0020_1208,
    ];

    private static readonly string[] s_keys =
    [
        "00100020=SYN1-0000300", "00100020=*0000300", "0020000D=2.25.1.77", "00080050=ACC1.77", "00100010=Smithqz*", "00100010=SMA*", "00100010=*ithqz*", "00100010=Schmidt^J*", "00100010=*^Zo?^*",
        "00100010=山田*", "00100010=Иванов*", "00100030=19700102", "00080020=20200615", "00080020=20200601-20200630", "00080020=20200615|00080061=MR", "00080020=20200101-20201231|00080061=SR",
        "00080090=Okafor^Z*", "00080061=XX", "00080061=CT", "00100010=S*|00080020=20200615", "",
    ];

    public static async Task RunAsync(ICatalog catalog, int limit, Action<string> report, CancellationToken ct)
    {
        List<(string Keys, double P99, SearchRequest Request)> slow = [];
        foreach (string keys in s_keys)
        {
            SearchRequest request = MatchingKeys.Parse(Identifier(keys), QueryLevel.Study, new MatchingOptions()).Request! with { Limit = limit };
            List<double> times = [];
            int found = 0;
            while (times.Count < 200 && (times.Count < 10 || times.Sum() < 3000))
            {
                long start = Stopwatch.GetTimestamp();
                found = await catalog.SearchAsync(request, ct).CountAsync(ct);
                times.Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
            }
            times.Sort();
            double p99 = times[times.Count * 99 / 100];
            slow.Add((keys, p99, request));
            report($"{(keys.Length == 0 ? "(no key)" : keys),-40} found {found,5}  p50 {times[times.Count / 2],8:F2} ms  p99 {p99,8:F2} ms");
        }
        await CommitsAsync((ICatalogWriter)catalog, report, ct);
        if (catalog is not PostgresCatalog postgres) return;
        foreach ((string keys, double p99, SearchRequest request) in slow.OrderByDescending(s => s.P99).Take(3))
        {
            report($"\n{keys} ({p99:F1} ms)");
            foreach (string line in await postgres.ExplainAsync(request, analyze: true, ct)) report("  " + line);
        }
    }

    /// <summary>One new study a commit, with one instance: what a lone modality waits for.</summary>
    private static async Task CommitsAsync(ICatalogWriter writer, Action<string> report, CancellationToken ct)
    {
        // Studies that no other run has made.
        var maker = new StudyMaker((int)(Stopwatch.GetTimestamp() & 0x3FFF_FFFF) + 1_000_000, 0);
        List<double> times = [];
        for (int i = 0; i < 300; i++)
        {
            LoadedState keys = await writer.LoadAsync(new LoadRequest { NewKeys = StudyMaker.KeysPerStudy + 3 }, ct);
            var changes = new CatalogChanges();
            maker.Add(changes, 1, keys.NextKey);
            changes.Outbox.Add(new OutboxRow { Kind = "measured", StudyInstanceUid = changes.NewStudies[0].StudyInstanceUid, CreatedAt = DateTimeOffset.UnixEpoch });
            long start = Stopwatch.GetTimestamp();
            await writer.CommitAsync(changes, ct);
            times.Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
        }
        times.Sort();
        report(string.Create(CultureInfo.InvariantCulture, $"commit of a new study: p50 {times[150]:F2} ms  p99 {times[297]:F2} ms"));
    }

    private static DataSet Identifier(string keys)
    {
        var identifier = new DataSet(TransferSyntax.ExplicitVRLittleEndian);
        identifier.Set(new Tag(0x0008_0005), "ISO_IR 192");
        foreach (uint tag in s_returns) identifier.Set(new Tag(tag), null);
        foreach (string key in keys.Split('|', StringSplitOptions.RemoveEmptyEntries))
        {
            identifier.Set(new Tag(uint.Parse(key.AsSpan(0, 8), NumberStyles.HexNumber, CultureInfo.InvariantCulture)), key[9..]);
        }
        return identifier;
    }
}
