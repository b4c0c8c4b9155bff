using System.Buffers;

namespace PacsCluster.Dicom;

/// <summary>Case-, accent- and width-insensitive form of text for indexes and matching. It is made by a table of our own, because the process runs
/// without ICU, so that every node folds alike whatever its operating system.</summary>
public static class TextFolding
{
    /// <summary>Folds: lower case, accents and vowel points removed, compatibility forms (full-width, half-width kana, ligatures) resolved, ß to ss,
    /// æ to ae, ø to o, ł to l, đ to d. Hangul, ideographs and kana stay what they are. The delimiters and wildcards <c>* ? \ ^ =</c> come out
    /// only where they went in. Folding twice changes nothing more. Never throws.</summary>
    /// <returns><paramref name="text"/> itself when there is nothing to fold.</returns>
    public static string Fold(string text)
    {
        int start = FirstToFold(text);
        if (start < 0) return text;
        char[]? rented = null;
        // A string of the table has up to 18 characters; a buffer of four times the length is nearly always enough, and grows below when not.
        Span<char> buffer = text.Length <= 128 ? stackalloc char[512] : (rented = ArrayPool<char>.Shared.Rent(text.Length * 4));
        text.AsSpan(0, start).CopyTo(buffer);
        int length = start;
        for (int i = start; i < text.Length; i++)
        {
            if (buffer.Length - length < 32)
            {
                char[] larger = ArrayPool<char>.Shared.Rent(buffer.Length * 2);
                buffer[..length].CopyTo(larger);
                if (rented is not null) ArrayPool<char>.Shared.Return(rented);
                buffer = rented = larger;
            }
            Append(text[i], buffer, ref length);
        }
        string folded = new(buffer[..length]);
        if (rented is not null) ArrayPool<char>.Shared.Return(rented);
        return folded;
    }

    private static int FirstToFold(string text)
    {
        for (int i = 0; i < text.Length; i++)
        {
            char c = text[i];
            if (c < 0x80 ? c is >= 'A' and <= 'Z' : Lookup(c) != 0 || c is '\u3099' or '\u309A') return i;
        }
        return -1;
    }

    private static ushort Lookup(char c) => FoldingTable.Pages[(FoldingTable.PageOf[c >> 8] << 8) | (c & 0xFF)];

    private static void Append(char c, Span<char> buffer, ref int length)
    {
        ushort mapped = Lookup(c);
        switch (mapped)
        {
            case 0: AppendKana(c, buffer, ref length); break;
            case 0xFFFF: break;
            case >= 0xE000 and < 0xF900:
                string several = FoldingTable.Strings[mapped - 0xE000];
                several.CopyTo(buffer[length..]);
                length += several.Length;
                break;
            default: AppendKana((char)mapped, buffer, ref length); break;
        }
    }

    /// <summary>Half-width katakana writes the voicing as a character of its own; it joins the kana before it.</summary>
    private static void AppendKana(char c, Span<char> buffer, ref int length)
    {
        if (c is '\u3099' or '\u309A' && length > 0 && Voiced(buffer[length - 1], c == '\u309A') is var joined and not '\0') buffer[length - 1] = joined;
        else buffer[length++] = c;
    }

    private static char Voiced(char kana, bool half)
    {
        int hiragana = kana is >= '\u30A1' and <= '\u30FA' ? kana - 0x60 : kana;
        bool joins = half
            ? hiragana is 0x306F or 0x3072 or 0x3075 or 0x3078 or 0x307B
            : hiragana is >= 0x304B and <= 0x3061 && (hiragana & 1) == 1 || hiragana is 0x3064 or 0x3066 or 0x3068
              || hiragana is 0x306F or 0x3072 or 0x3075 or 0x3078 or 0x307B;
        if (joins) return (char)(kana + (half ? 2 : 1));
        return hiragana == 0x3046 && !half ? (char)(kana + 0x4E) : '\0';
    }
}
