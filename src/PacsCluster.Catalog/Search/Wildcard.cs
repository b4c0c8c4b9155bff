using System.Text;

namespace PacsCluster.Catalog;

/// <summary>Wildcard matching (PS3.4 section C.2.2.2.4): <c>*</c> any sequence, <c>?</c> any one character, all else itself.</summary>
internal static class Wildcard
{
    /// <summary>The character that makes the next one literal in <see cref="ToLike"/>.</summary>
    public const char Escape = '~';

    public static bool IsIn(ReadOnlySpan<char> text) => text.ContainsAny('*', '?');

    /// <summary>Matches the whole text. Time is at most the product of both lengths, whatever the pattern.</summary>
    public static bool Matches(ReadOnlySpan<char> pattern, ReadOnlySpan<char> text)
    {
        int p = 0, t = 0, star = -1, starText = 0;
        while (t < text.Length)
        {
            if (p < pattern.Length && pattern[p] == '*') (star, starText) = (p++, t);
            else if (p < pattern.Length && (pattern[p] == '?' || pattern[p] == text[t])) (p, t) = (p + 1, t + 1);
            else if (star >= 0) (p, t) = (star + 1, ++starText);
            else return false;
        }
        while (p < pattern.Length && pattern[p] == '*') p++;
        return p == pattern.Length;
    }

    /// <summary>What stands before the first wildcard.</summary>
    public static string Prefix(string pattern)
    {
        int end = pattern.AsSpan().IndexOfAny('*', '?');
        return end < 0 ? pattern : pattern[..end];
    }

    /// <summary>The pattern for SQL's LIKE ... ESCAPE '~'.</summary>
    public static string ToLike(string pattern)
    {
        var like = new StringBuilder(pattern.Length + 8);
        foreach (char c in pattern)
        {
            if (c == '*') like.Append('%');
            else if (c == '?') like.Append('_');
            else Literal(like, c);
        }
        return like.ToString();
    }

    /// <summary>A literal text for LIKE.</summary>
    public static string Literal(string text)
    {
        var like = new StringBuilder(text.Length + 8);
        foreach (char c in text) Literal(like, c);
        return like.ToString();
    }

    /// <summary>The least text that is greater than all that begin with a prefix; null when there is none. By code point, as UTF-8 is ordered.</summary>
    public static string? AfterPrefix(string prefix)
    {
        for (int i = prefix.Length - 1; i >= 0; i--)
        {
            // Surrogates are passed over: a neighbour of half a character is no text, and a shorter bound only selects a little more.
            if (prefix[i] < '\ud7ff') return string.Concat(prefix.AsSpan(0, i), ((char)(prefix[i] + 1)).ToString());
        }
        return null;
    }

    private static void Literal(StringBuilder like, char c)
    {
        if (c is '%' or '_' or Escape) like.Append(Escape);
        like.Append(c);
    }
}
