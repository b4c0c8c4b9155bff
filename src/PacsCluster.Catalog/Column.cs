using System.Globalization;
using PacsCluster.Dicom;

namespace PacsCluster.Catalog;

/// <summary>One attribute that has a column: where it stands in a data set, and how its text is kept.</summary>
internal sealed class Column
{
    /// <summary>Longer texts are not kept: a column is for finding and listing, the header has the whole.</summary>
    private const int TextMaxChars = 16 * 1024;

    public required QueryLevel Level { get; init; }

    /// <summary>Position among the level's columns.</summary>
    public required int Ordinal { get; init; }

    /// <summary>Name in SQL.</summary>
    public required string Name { get; init; }

    public required VR VR { get; init; }

    public required Tag Tag { get; init; }

    /// <summary>The sequence that holds it; default when it stands at the top.</summary>
    public Tag Sequence { get; init; }

    /// <summary>Several values may stand in it, joined by backslashes.</summary>
    public bool IsMulti { get; init; }

    public bool IsInSequence => Sequence != default;

    /// <summary>Kept as a 64-bit number, so that 007 is 7 and order is by number.</summary>
    public bool IsInteger => VR is VR.IS or VR.US or VR.UL or VR.SS or VR.SL;

    /// <summary>Has a second column with the text folded for matching.</summary>
    public bool IsFolded => VR == VR.PN;

    public string FoldedName => Name + "_folded";

    /// <summary>The column's text from a header; null when absent, empty or not to be kept.</summary>
    public string? Read(DataSet header)
    {
        if (!IsInSequence) return Normalize(ReadText(header));
        IReadOnlyList<DataSet> items = header.GetItems(Sequence);
        if (items.Count == 0) return null;
        if (items.Count == 1) return Normalize(items[0].GetString(Tag));
        // One value an item, empty ones too: that is how items are put together again for an answer.
        return Normalize(string.Join('\\', items.Select(item => Normalize(item.GetString(Tag)))));
    }

    private string? ReadText(DataSet header)
    {
        if (!header.Contains(Tag)) return null;
        if (!VR.IsMultiValuedText()) return header.GetString(Tag);
        string[] values = header.GetStrings(Tag);
        return values.Length == 1 ? values[0] : string.Join('\\', values);
    }

    /// <summary>The form in which the column keeps a text.</summary>
    public string? Normalize(string? text)
    {
        if (string.IsNullOrEmpty(text) || text.Length > TextMaxChars) return null;
        // No database takes NUL in a text.
        if (text.Contains('\0')) text = text.Replace("\0", "");
        if (text.AsSpan().Trim('\\').IsEmpty) return null;
        switch (VR)
        {
            case VR.DA when text.Length == 10 && text[4] == '.' && text[7] == '.': // the form of ACR-NEMA 2.0
                return string.Concat(text.AsSpan(0, 4), text.AsSpan(5, 2), text.AsSpan(8, 2));
            case VR.TM when text.Contains(':'): // likewise
                return text.Replace(":", "");
            default:
                if (!IsInteger) return text;
                return TryParseInteger(text, out long number) ? number.ToString(CultureInfo.InvariantCulture) : null;
        }
    }

    /// <summary>A person name (or several) in the form for matching: each group folded, groups joined by <c>=</c>, values by a backslash.</summary>
    public static string? FoldNames(string? names)
    {
        if (names is null) return null;
        if (!names.Contains('\\')) return FoldName(names);
        string[] values = names.Split('\\');
        for (int i = 0; i < values.Length; i++) values[i] = FoldName(values[i]);
        return string.Join('\\', values);
    }

    private static string FoldName(string value)
    {
        PersonName name = PersonName.Parse(value);
        if (name.Ideographic.IsEmpty && name.Phonetic.IsEmpty) return name.Alphabetic.Fold();
        return $"{name.Alphabetic.Fold()}={name.Ideographic.Fold()}={name.Phonetic.Fold()}".TrimEnd('=');
    }

    /// <summary>Reads an integer as IS may write it; of several values the first.</summary>
    public static bool TryParseInteger(string text, out long number)
    {
        int end = text.IndexOf('\\');
        return long.TryParse(end < 0 ? text : text.AsSpan(0, end), NumberStyles.AllowLeadingSign | NumberStyles.AllowLeadingWhite | NumberStyles.AllowTrailingWhite,
            CultureInfo.InvariantCulture, out number);
    }
}
