namespace PacsCluster.Catalog;

/// <summary>How a key's value matches (PS3.4 section C.2.2.2).</summary>
internal enum MatchKind
{
    /// <summary>Single value, or any of several (list of UID, multiple values).</summary>
    Any,
    /// <summary>Wildcards, of one or several values.</summary>
    Wildcard,
    /// <summary>Person names: by groups and components, folded, wildcards or not.</summary>
    Name,
    /// <summary>A range of dates, or several.</summary>
    Date,
    /// <summary>A range of times, or several.</summary>
    Time,
    /// <summary>A range of date times, or several.</summary>
    DateTime,
    /// <summary>Patient's Name by its words (<see cref="NameWords"/>); the words of each value are in Words.</summary>
    Fuzzy,
    /// <summary>A date and a time key taken together; the ranges are of the date, the key is the date's, the times are in TimeLow and TimeHigh.</summary>
    Combined,
}

/// <summary>From and to, both in it, either may be null for open. Dates as YYYYMMDD; times and date times as ticks within <see cref="Moments"/>, To exclusive.</summary>
internal readonly record struct ValueRange(string? DateLow, string? DateHigh, long Low = long.MinValue, long High = long.MaxValue);

/// <summary>One key that narrows a search.</summary>
internal sealed record Condition(SearchKey Key, MatchKind Kind)
{
    /// <summary>Values or patterns, for Any and Wildcard.</summary>
    public IReadOnlyList<string> Values { get; init; } = [];

    /// <summary>For Name.</summary>
    public IReadOnlyList<NamePattern> Names { get; init; } = [];

    /// <summary>For Fuzzy: the words of each value.</summary>
    public IReadOnlyList<string[]> Words { get; init; } = [];

    /// <summary>For Date, Time, DateTime, Combined.</summary>
    public IReadOnlyList<ValueRange> Ranges { get; init; } = [];

    /// <summary>For Combined: the time's key.</summary>
    public SearchKey? TimeKey { get; init; }

    /// <summary>What SQL selects is a superset; each row is looked at again.</summary>
    public bool NeedsCheck => Key.Special != SpecialKey.OtherPatientId && (Key.IsInSequence || Kind is MatchKind.Time or MatchKind.DateTime or MatchKind.Combined
        || (Kind == MatchKind.Wildcard && Key.IsMulti) || (Kind == MatchKind.Name && (Key.IsMulti || !Names.All(n => n.IsBeginning))));
}
