namespace PacsCluster.Dicom;

/// <summary>One value of VR PN (PS3.5 section 6.2.1): up to three component groups, which write the same name in an alphabetic, an ideographic and a
/// phonetic way.</summary>
/// <param name="Alphabetic">First group.</param>
/// <param name="Ideographic">Second group.</param>
/// <param name="Phonetic">Third group.</param>
public sealed record PersonName(PersonNameGroup Alphabetic, PersonNameGroup Ideographic, PersonNameGroup Phonetic)
{
    /// <summary>A name without anything in it.</summary>
    public static PersonName Empty { get; } = new(PersonNameGroup.Empty, PersonNameGroup.Empty, PersonNameGroup.Empty);

    /// <summary>Takes one value apart. Spaces around components have no meaning and go; what follows a fifth component stays with the suffix, what
    /// follows a third group is left out. Never throws.</summary>
    /// <param name="value">Decoded value, e.g. <c>Yamada^Tarou=山田^太郎=やまだ^たろう</c>; null is empty.</param>
    public static PersonName Parse(string? value)
    {
        if (string.IsNullOrEmpty(value)) return Empty;
        string[] groups = value.Split('=', 4);
        return new PersonName(PersonNameGroup.Parse(groups[0]),
            groups.Length > 1 ? PersonNameGroup.Parse(groups[1]) : PersonNameGroup.Empty,
            groups.Length > 2 ? PersonNameGroup.Parse(groups[2]) : PersonNameGroup.Empty);
    }

    /// <summary>No group has anything in it.</summary>
    public bool IsEmpty => Alphabetic.IsEmpty && Ideographic.IsEmpty && Phonetic.IsEmpty;

    /// <summary>Every word of every group, folded, in ordinal order and each once, joined by one space: equal for names whose components stand in
    /// another order.</summary>
    public string FoldWords() => string.Join(' ', Alphabetic.Words.Concat(Ideographic.Words).Concat(Phonetic.Words).Distinct().Order(StringComparer.Ordinal));

    /// <summary>The value as it is written, without trailing delimiters.</summary>
    public override string ToString() => $"{Alphabetic}={Ideographic}={Phonetic}".TrimEnd('=');
}

/// <summary>One component group of a person name.</summary>
/// <param name="FamilyName">Family name complex.</param>
/// <param name="GivenName">Given name complex.</param>
/// <param name="MiddleName">Middle name.</param>
/// <param name="Prefix">Name prefix, e.g. Dr.</param>
/// <param name="Suffix">Name suffix, e.g. Jr.</param>
public sealed record PersonNameGroup(string FamilyName, string GivenName, string MiddleName, string Prefix, string Suffix)
{
    private static readonly char[] s_betweenWords = [' ', '-', ',', '.', '\''];

    /// <summary>A group without anything in it.</summary>
    public static PersonNameGroup Empty { get; } = new("", "", "", "", "");

    /// <summary>Takes one component group apart.</summary>
    public static PersonNameGroup Parse(string group)
    {
        if (group.Length == 0) return Empty;
        string[] parts = group.Split('^', 5);
        return new PersonNameGroup(Part(parts, 0), Part(parts, 1), Part(parts, 2), Part(parts, 3), Part(parts, 4).TrimEnd('^', ' '));
    }

    /// <summary>Nothing in it.</summary>
    public bool IsEmpty => FamilyName.Length + GivenName.Length + MiddleName.Length + Prefix.Length + Suffix.Length == 0;

    /// <summary>The form for indexes and matching: each component folded (<see cref="TextFolding.Fold"/>), inner spaces as one, joined by <c>^</c> in the
    /// standard's order (family, given, middle, prefix, suffix) without trailing delimiters. Wildcards of a matching key come through, so a key
    /// and a stored name folded alike can be compared.</summary>
    public string Fold() => Collapse(TextFolding.Fold(ToString()));

    /// <summary>The words of all components, folded, without wildcards or punctuation.</summary>
    internal IEnumerable<string> Words => TextFolding.Fold(ToString()).Split('^')
        .SelectMany(component => component.Split(s_betweenWords, StringSplitOptions.RemoveEmptyEntries));

    /// <summary>The group as it is written, without trailing delimiters.</summary>
    public override string ToString() =>
        GivenName.Length + MiddleName.Length + Prefix.Length + Suffix.Length == 0 ? FamilyName : $"{FamilyName}^{GivenName}^{MiddleName}^{Prefix}^{Suffix}".TrimEnd('^');

    private static string Part(string[] parts, int index) => index < parts.Length ? parts[index].Trim(' ', '\0') : "";

    private static string Collapse(string text)
    {
        while (text.Contains("  ", StringComparison.Ordinal)) text = text.Replace("  ", " ", StringComparison.Ordinal);
        return text;
    }
}
