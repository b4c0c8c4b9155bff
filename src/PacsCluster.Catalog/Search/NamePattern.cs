using PacsCluster.Dicom;

namespace PacsCluster.Catalog;

/// <summary>A person name as a matching key: case, accents and width do not matter; groups are compared by group, components by component, each with
/// wildcards. A key of one group finds it in the alphabetic group, or, when it is written in an ideographic or phonetic script, in any.</summary>
internal sealed class NamePattern
{
    private readonly string[] _groups;

    private NamePattern(string[] groups) => _groups = groups;

    /// <summary>The folded patterns by group; empty where the key says nothing.</summary>
    public IReadOnlyList<string> Groups => _groups;

    /// <summary>One group that may be any of the stored name's.</summary>
    public bool IsAnyGroup { get; private init; }

    /// <summary>The alphabetic group alone, whole or as its beginning: SQL says exactly that of the folded column, which begins with it.</summary>
    public bool IsBeginning => !IsAnyGroup && _groups[0].Length > 0 && _groups[1].Length == 0 && _groups[2].Length == 0
        && Wildcard.Prefix(_groups[0]) is { Length: > 0 } prefix && prefix[^1] != '^' && _groups[0].AsSpan(prefix.Length).TrimStart('*').IsEmpty;

    /// <summary>Null when every group matches all.</summary>
    public static NamePattern? Parse(string value)
    {
        string[] written = value.Split('=', 4);
        string[] groups = ["", "", ""];
        for (int i = 0; i < Math.Min(3, written.Length); i++)
        {
            string group = PersonNameGroup.Parse(written[i]).Fold();
            // "SMITH^*" and "*^*" say no more than the part before, and that the rest may be missing.
            groups[i] = group.AsSpan().TrimEnd("*^").IsEmpty && group.Contains('*') ? "" : group;
        }
        if (groups.All(g => g.Length == 0)) return null;
        bool isOne = written.Length == 1;
        return new NamePattern(groups) { IsAnyGroup = isOne && groups[0].AsSpan().IndexOfAnyInRange('\u1100', '\uffff') >= 0 };
    }

    /// <summary>Matches one stored name in folded form (<see cref="Column.FoldNames"/>).</summary>
    public bool Matches(ReadOnlySpan<char> folded)
    {
        bool any = false;
        int group = 0;
        foreach (Range range in folded.Split('='))
        {
            if (group > 2) break;
            ReadOnlySpan<char> stored = folded[range];
            string pattern = _groups[IsAnyGroup ? 0 : group++];
            if (pattern.Length == 0 || stored.IsEmpty) continue;
            bool matches = MatchesGroup(pattern, stored);
            if (IsAnyGroup && matches) return true;
            // Of the groups that key and name both have, each must match; a group that was never entered says nothing against it.
            if (!IsAnyGroup && !matches) return false;
            any |= matches;
        }
        return any;
    }

    private static bool MatchesGroup(ReadOnlySpan<char> pattern, ReadOnlySpan<char> stored)
    {
        while (true)
        {
            int end = pattern.IndexOf('^');
            // The last component of the key takes the rest of the name: "SM*" finds "Smith^John".
            if (end < 0) return Wildcard.Matches(pattern, stored);
            int storedEnd = stored.IndexOf('^');
            ReadOnlySpan<char> component = storedEnd < 0 ? stored : stored[..storedEnd];
            if (!Wildcard.Matches(pattern[..end], component)) return false;
            pattern = pattern[(end + 1)..];
            stored = storedEnd < 0 ? default : stored[(storedEnd + 1)..];
        }
    }
}
