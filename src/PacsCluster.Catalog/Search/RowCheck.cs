using PacsCluster.Dicom;

namespace PacsCluster.Catalog;

/// <summary>Looks again at rows where SQL could only say a superset. Columns of its own are selected for it.</summary>
internal static class RowCheck
{
    /// <summary>The expressions it needs, in the order in which <see cref="Matches"/> takes them.</summary>
    public static IEnumerable<string> Columns(SearchRequest request) => Checked(request).SelectMany(c => c.TimeKey is { } time ? [Sql(c), time.Sql] : (string[])[Sql(c)]);

    /// <summary>Whether a row matches, by the texts of the columns.</summary>
    /// <param name="request">Request.</param>
    /// <param name="text">The text of the column at a position, from 0.</param>
    public static bool Matches(SearchRequest request, Func<int, string?> text)
    {
        int at = 0;
        Dictionary<Tag, List<bool[]>>? sequences = null;
        foreach (Condition condition in Checked(request))
        {
            string? value = text(at++);
            string? time = condition.TimeKey is null ? null : text(at++);
            if (value is null) return false;
            if (condition.Key.IsInSequence)
            {
                sequences ??= [];
                if (!sequences.TryGetValue(condition.Key.Sequence, out List<bool[]>? found)) sequences[condition.Key.Sequence] = found = [];
                found.Add([.. value.Split('\\').Select(v => MatchesOne(condition, v, null))]);
            }
            else if (condition.Key.IsMulti ? !value.Split('\\').Any(v => MatchesOne(condition, v, null)) : !MatchesOne(condition, value, time)) return false;
        }
        return sequences is null || sequences.Values.All(HaveOneItem);
    }

    /// <summary>Keys of one sequence must be met by one and the same item (PS3.4 C.2.2.2.6).</summary>
    private static bool HaveOneItem(List<bool[]> keys) => Enumerable.Range(0, keys.Min(k => k.Length)).Any(item => keys.All(k => k[item]));

    private static bool MatchesOne(Condition condition, string value, string? time) => condition.Kind switch
    {
        MatchKind.Any => condition.Values.Contains(value, StringComparer.Ordinal),
        MatchKind.Wildcard => condition.Values.Any(pattern => Wildcard.Matches(pattern, value)),
        MatchKind.Name => condition.Names.Any(name => name.Matches(value)),
        MatchKind.Date => condition.Ranges.Any(r => string.CompareOrdinal(value, r.DateLow ?? "0") >= 0 && string.CompareOrdinal(value, r.DateHigh ?? "99991231") <= 0),
        MatchKind.Time => Moments.TryTime(value, out (long From, long To) ofDay) && condition.Ranges.Any(r => IsWithin(ofDay.From, r)),
        MatchKind.DateTime => Moments.TryDateTime(value, out (long From, long To) moment) && condition.Ranges.Any(r => IsWithin(moment.From, r)),
        _ => Moments.Combine(value, time) is { } combined && IsWithin(combined, condition.Ranges[0]),
    };

    private static bool IsWithin(long moment, ValueRange range) => moment >= range.Low && moment < range.High;

    // Patient level identifiers in a sequence are matched by their own table, row by row. What lies below the level asked for is inside an EXISTS,
    // where no column can be had: there the superset stands.
    private static IEnumerable<Condition> Checked(SearchRequest request) =>
        request.Conditions.Where(c => c.NeedsCheck && c.Key.Level <= request.Level && !(c.Key.Level == QueryLevel.Patient && c.Key.Sequence.Value == 0x0010_1002));

    private static string Sql(Condition condition) => condition.Kind == MatchKind.Name ? condition.Key.MatchSql : condition.Key.Sql;
}
