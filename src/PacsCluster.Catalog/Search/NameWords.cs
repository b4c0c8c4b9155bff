using PacsCluster.Dicom;

namespace PacsCluster.Catalog;

/// <summary>The words of person names for fuzzy matching (PS3.4 C.2.2.2.1.1): every word of the key must, in any order, begin a word of the name or
/// sound like one. A table of its own holds each patient's words and their sounds, so that a search is ranges of indexes and never a scan.</summary>
internal static class NameWords
{
    /// <summary>Words of one patient at most; a name has 5 components in 3 groups.</summary>
    private const int WordsMax = 32;

    /// <summary>The words of a stored name, or several joined by backslashes, each with its sound; distinct.</summary>
    public static IEnumerable<(string Word, string Sound)> Of(string? names) => names is null
        ? []
        : names.Split('\\').SelectMany(name => Words(PersonName.Parse(name))).Distinct().Take(WordsMax).Select(word => (word, SoundOf(word)));

    /// <summary>The words of a key; wildcards say nothing here, since every word may go on.</summary>
    public static string[] OfKey(string value) => [.. Words(PersonName.Parse(value.Replace('*', ' ').Replace('?', ' '))).Distinct().Take(WordsMax)];

    /// <summary>How a folded word sounds: consonants in classes (b p, f v w ph, c g k q x ch, d t, s z ß sch sh, l, m n, r, j), neighbours of one class once, vowels and h
    /// silent, but for a leading vowel. A word of other scripts, and one of a single letter, sounds like itself only.</summary>
    public static string SoundOf(string word)
    {
        if (word.Length < 2 || word.AsSpan().ContainsAnyExceptInRange('a', 'z')) return word;
        Span<char> sound = stackalloc char[word.Length];
        int length = 0;
        char last = '\0';
        for (int i = 0; i < word.Length; i++)
        {
            char code = Class(word, ref i);
            // Vowels separate, h and y do not.
            if (code is not ('\0' or 'h') && code != last)
            {
                if (code != 'a') sound[length++] = code;
                else if (length == 0 && i == 0) sound[length++] = 'a';
            }
            if (code != 'h') last = code;
        }
        return length == 0 ? word : sound[..length].ToString();
    }

    private static string[] Words(PersonName name) => name.FoldWords().Split(' ', StringSplitOptions.RemoveEmptyEntries);

    private static char Class(string word, ref int at)
    {
        char next = at + 1 < word.Length ? word[at + 1] : '\0';
        switch (word[at])
        {
            case 's' when next == 'c' && at + 2 < word.Length && word[at + 2] == 'h':
                at += 2;
                return '8';
            case 's' or 'z':
                return '8';
            case 'p' when next == 'h':
                at++;
                return '7';
            case 'b' or 'p':
                return '1';
            case 'c' or 'g' or 'k' or 'q' or 'x':
                return '2';
            case 'd' or 't':
                return '3';
            case 'l':
                return '4';
            case 'm' or 'n':
                return '5';
            case 'r':
                return '6';
            case 'f' or 'v' or 'w':
                return '7';
            case 'j':
                return '9';
            case 'h':
                return 'h';
            default:
                return 'a';
        }
    }
}
