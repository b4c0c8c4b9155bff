namespace PacsCluster.Engine;

/// <summary>How a UID stands to PS3.5 section 9.1, after its padding went.</summary>
internal enum UidHealth
{
    /// <summary>As the standard has it.</summary>
    Good,
    /// <summary>Breaks a rule, but names something: usable as it stands.</summary>
    Bad,
    /// <summary>Absent, empty, or unusable as a key.</summary>
    Missing,
}

/// <summary>Judges UIDs (C-35). Pure.</summary>
internal static class UidCheck
{
    /// <summary>Longest UID of the standard, in characters.</summary>
    private const int StandardMax = 64;

    /// <summary>Longest string that we take for a UID: twice the standard's, so that a sloppy concatenation still finds its study.</summary>
    private const int UsableMax = 128;

    /// <summary>Takes padding (spaces and NULs, on both sides) off; null when nothing is left.</summary>
    public static string? Trim(string? uid)
    {
        if (uid is null) return null;
        ReadOnlySpan<char> trimmed = uid.AsSpan().Trim(" \0");
        if (trimmed.IsEmpty) return null;
        return trimmed.Length == uid.Length ? uid : trimmed.ToString();
    }

    /// <summary>Judges a trimmed UID.</summary>
    public static UidHealth Judge(string? uid)
    {
        if (uid is null || uid.Length is 0 or > UsableMax) return UidHealth.Missing;
        bool good = uid.Length <= StandardMax;
        char before = '.';
        for (int i = 0; i < uid.Length; i++)
        {
            char c = uid[i];
            if (c is <= ' ' or >= '\x7f' or '\\' or '*' or '?') return UidHealth.Missing;
            if (c is not ('.' or (>= '0' and <= '9'))) good = false;
            // A component is "0" or starts with another digit; two dots together leave an empty one.
            if (before == '.' && (c == '.' || (c == '0' && i + 1 < uid.Length && uid[i + 1] != '.'))) good = false;
            before = c;
        }
        return good && before != '.' ? UidHealth.Good : UidHealth.Bad;
    }
}
