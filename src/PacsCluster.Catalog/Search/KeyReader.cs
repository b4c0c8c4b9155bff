using PacsCluster.Dicom;

namespace PacsCluster.Catalog;

/// <summary>Turns the elements of one identifier into conditions and return keys.</summary>
internal sealed class KeyReader(QueryLevel level, MatchingOptions options)
{
    /// <summary>Date and time keys that one moment may be asked by.</summary>
    private static readonly (uint Date, uint Time)[] s_pairs =
    [
        (0x0008_0012, 0x0008_0013), (0x0008_0020, 0x0008_0030), (0x0008_0021, 0x0008_0031), (0x0008_0022, 0x0008_0032), (0x0008_0023, 0x0008_0033),
        (0x0010_0030, 0x0010_0032), (0x0040_0244, 0x0040_0245), (0x0040_0250, 0x0040_0251), (0x0070_0082, 0x0070_0083),
    ];

    /// <summary>Says in which zone the requester means its times; not a key to narrow by.</summary>
    private static readonly Tag s_timezone = new(0x0008_0201);

    private readonly List<Condition> _conditions = [];
    private readonly List<ReturnKey> _returns = [];
    private readonly List<Tag> _unmatched = [];

    /// <summary>Takes one element; a failure ends the reading.</summary>
    public KeysFailure? Read(DataElement element) => element.VR == VR.SQ ? ReadSequence(element) : ReadTop(element);

    public SearchRequest Finish()
    {
        if (options.CombinedDateTime) Combine();
        return new SearchRequest
        {
            Level = level,
            Root = options.Root,
            Conditions = _conditions,
            Returns = _returns,
            ReturnKeys = [.. _returns.Select(r => r.Tag)],
            UnmatchedKeys = _unmatched,
            UnsupportedKeys = [.. _returns.Where(r => r.Keys.Count == 0 && !r.IsInHeader).Select(r => r.Tag)],
        };
    }

    private KeysFailure? ReadTop(DataElement element)
    {
        SearchKey? key = SearchKey.Find(level, default, element.Tag);
        bool isReturned = key is not null && key.Level <= level;
        _returns.Add(new ReturnKey(element.Tag, element.VR, isReturned ? [key!] : [], !isReturned && level == QueryLevel.Image));
        return element.IsEmpty ? null : AddCondition(key, element, element.Tag);
    }

    private KeysFailure? ReadSequence(DataElement element)
    {
        IReadOnlyList<SearchKey> keys = SearchKey.InSequence(level, element.Tag);
        _returns.Add(new ReturnKey(element.Tag, VR.SQ, keys, keys.Count == 0 && level == QueryLevel.Image));
        IReadOnlyList<DataSet> items = element.Items;
        if (items.Count == 0) return null;
        if (items.Count > 1) return new KeysFailure(KeysFailureKind.BadSequence, element.Tag, "a sequence key has one item (PS3.4 C.2.2.2.6)");
        foreach (DataElement inner in items[0])
        {
            if (inner.Tag.IsGroupLength || inner.IsEmpty) continue;
            if (AddCondition(inner.VR == VR.SQ ? null : SearchKey.Find(level, element.Tag, inner.Tag), inner, element.Tag) is { } failure) return failure;
        }
        return null;
    }

    private KeysFailure? AddCondition(SearchKey? key, DataElement element, Tag named)
    {
        if (element.Tag == s_timezone) return null;
        if (key is null || key.Special == SpecialKey.ReturnOnly)
        {
            if (element.VR == VR.SQ ? element.Items.Any(i => i.Count > 0) : element.GetStrings().Any(v => v.Length > 0)) _unmatched.Add(named);
            return null;
        }
        string[] values = [.. element.GetStrings().Where(v => v.Length > 0)];
        if (values.Length == 0) return null;
        if (values.Length > options.ValuesMax) return new KeysFailure(KeysFailureKind.TooManyValues, named, $"more than {options.ValuesMax} values");
        // Universal for every VR: peers write it also where PS3.4 knows only the empty value.
        if (values.Any(v => v.AsSpan().TrimStart('*').IsEmpty)) return null;
        if (options.FuzzyNames && key is { Level: QueryLevel.Patient, Tag.Value: 0x0010_0010 })
        {
            string[][] words = [.. values.Select(NameWords.OfKey)];
            if (words.All(w => w.Length > 0)) _conditions.Add(new Condition(key, MatchKind.Fuzzy) { Words = words });
            return null;
        }
        if (Make(key, values) is not { } condition) return new KeysFailure(KeysFailureKind.BadValue, named, $"a value is not valid for {key.VR}");
        // A name of which nothing is said.
        if (condition.Kind == MatchKind.Name && condition.Names.Count < values.Length) return null;
        _conditions.Add(condition);
        return null;
    }

    private static Condition? Make(SearchKey key, string[] values)
    {
        switch (key.VR)
        {
            case VR.PN:
                return new Condition(key, MatchKind.Name) { Names = [.. values.Select(NamePattern.Parse).OfType<NamePattern>()] };
            case VR.DA:
                return Ranges(key, MatchKind.Date, values, Moments.TryParseDates);
            case VR.TM:
                return Ranges(key, MatchKind.Time, values, Moments.TryParseTimes);
            case VR.DT:
                return Ranges(key, MatchKind.DateTime, values, Moments.TryParseDateTimes);
            case VR.AE or VR.CS or VR.LO or VR.LT or VR.SH or VR.ST or VR.UC or VR.UR or VR.UT when values.Any(v => Wildcard.IsIn(v)):
                return new Condition(key, MatchKind.Wildcard) { Values = values };
            default:
                if (key.IsInteger && !values.All(v => Column.TryParseInteger(v, out _))) return null;
                return new Condition(key, MatchKind.Any) { Values = values };
        }
    }

    private delegate bool TryParse(string value, out ValueRange range);

    private static Condition? Ranges(SearchKey key, MatchKind kind, string[] values, TryParse parse)
    {
        var ranges = new ValueRange[values.Length];
        for (int i = 0; i < values.Length; i++)
        {
            if (!parse(values[i], out ranges[i])) return null;
        }
        return new Condition(key, kind) { Ranges = ranges };
    }

    private void Combine()
    {
        foreach ((uint dateTag, uint timeTag) in s_pairs)
        {
            int date = _conditions.FindIndex(c => c.Kind == MatchKind.Date && c.Key.Tag.Value == dateTag && c.Ranges.Count == 1 && !c.Key.IsInSequence);
            int time = _conditions.FindIndex(c => c.Kind == MatchKind.Time && c.Key.Tag.Value == timeTag && c.Ranges.Count == 1 && !c.Key.IsInSequence);
            if (date < 0 || time < 0) continue;
            _conditions[date] = _conditions[date] with { Kind = MatchKind.Combined, TimeKey = _conditions[time].Key, Ranges = [Moments.Combine(_conditions[date].Ranges[0], _conditions[time].Ranges[0])] };
            _conditions.RemoveAt(time);
        }
    }
}
