using System.Diagnostics;
using System.Globalization;
using PacsCluster.Catalog;
using PacsCluster.Dicom;

namespace PacsCluster.CatalogFill;

/// <summary>Times commits on a filled catalog, and shows the plans of searches on PostgreSQL.</summary>
internal static class Measure
{
    private const int WarmUp = 100;

    /// <summary>What a study list shows.</summary>
    private static readonly uint[] s_returns =
    [
        0x0008_0020, 0x0008_0030, 0x0008_0050, 0x0008_0061, 0x0008_0090, 0x0008_1030, 0x0010_0010, 0x0010_0020, 0x0010_0030, 0x0010_0040, 0x0020_000D, 0x0020_0010, 0x0020_1206, 0x0020_1208,
    ];

    /// <summary>EXPLAIN ANALYZE of searches at study level.</summary>
    /// <param name="catalog">Where.</param>
    /// <param name="searches">Matching keys of each: <c>00100020=X|00080061=CT</c>.</param>
    /// <param name="limit">Answers at most, newest first as QIDO-RS asks; 0 asks for all, as C-FIND.</param>
    /// <param name="report">Told the lines.</param>
    /// <param name="ct">Cancels.</param>
    public static async Task ExplainAsync(PostgresCatalog catalog, IEnumerable<string> searches, int limit, Action<string> report, CancellationToken ct)
    {
        foreach (string keys in searches)
        {
            (SearchRequest? parsed, KeysFailure? failure) = MatchingKeys.Parse(Identifier(keys), QueryLevel.Study, new MatchingOptions());
            if (parsed is null) throw new InvalidOperationException($"{keys}: {failure!.Offending}: {failure.Comment}");
            SearchRequest request = parsed with { Limit = limit > 0 ? limit : null, Order = limit > 0 ? SearchOrder.Hierarchy : SearchOrder.None };
            foreach (string line in await catalog.ExplainAsync(request, analyze: true, ct)) report(line);
        }
    }

    /// <summary>Times commits of one new study with its instances each: what a lone modality waits for. Several catalogs take turns, commit by commit, so that whatever else the
    /// machine does falls on all of them.</summary>
    /// <param name="writers">Where to.</param>
    /// <param name="count">Commits into each.</param>
    /// <param name="report">Told p50 and p99 in ms, a line for each.</param>
    /// <param name="ct">Cancels.</param>
    public static async Task CommitsAsync(IReadOnlyList<ICatalogWriter> writers, int count, Action<string> report, CancellationToken ct)
    {
        // Studies that no other run has made.
        int seed = (int)(Stopwatch.GetTimestamp() & 0x3FFF_FFFF) + 1_000_000;
        StudyMaker[] makers = [.. writers.Select(_ => new StudyMaker(seed, 0))];
        List<double>[] times = [.. writers.Select(_ => new List<double>(count))];
        for (int i = -WarmUp; i < count; i++)
        {
            for (int at = 0; at < writers.Count; at++)
            {
                LoadedState keys = await writers[at].LoadAsync(new LoadRequest { NewKeys = StudyMaker.KeysMax(0) }, ct);
                var changes = new CatalogChanges();
                makers[at].Add(changes, 1, keys.NextKey);
                changes.Outbox.Add(new OutboxRow { Kind = "measured", StudyInstanceUid = changes.NewStudies[0].StudyInstanceUid, CreatedAt = DateTimeOffset.UnixEpoch });
                long start = Stopwatch.GetTimestamp();
                await writers[at].CommitAsync(changes, ct);
                if (i >= 0) times[at].Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
            }
        }
        foreach (List<double> of in times)
        {
            of.Sort();
            report(string.Create(CultureInfo.InvariantCulture, $"commits p50 {of[count / 2]:F3} ms p99 {of[count * 99 / 100]:F3} ms"));
        }
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
