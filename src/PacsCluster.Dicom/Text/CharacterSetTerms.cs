using System.Collections.Frozen;
using System.Globalization;
using System.Text;

namespace PacsCluster.Dicom;

/// <summary>The defined terms of PS3.3 section C.12.1.1.2, and how they are misspelt in the wild.</summary>
internal static class CharacterSetTerms
{
    /// <summary>Terms of the form ISO_IR n and ISO 2022 IR n.</summary>
    internal const int Utf8 = 192, Gb18030 = -1, Gbk = -2, Default = 6;

    private static readonly int[] s_numbers = [6, 100, 101, 109, 110, 144, 127, 126, 138, 148, 203, 13, 166, 87, 159, 149, 58];

    private static readonly FrozenDictionary<string, int> s_byLetters = Build();

    /// <summary>The number of a term, however it is spelt; false when unknown.</summary>
    internal static bool TryParse(string term, out int number)
    {
        Span<char> letters = stackalloc char[24];
        int length = 0;
        foreach (char c in term)
        {
            if (!char.IsAsciiLetterOrDigit(c)) continue;
            if (length == letters.Length)
            {
                number = Default;
                return false;
            }
            letters[length++] = char.ToUpperInvariant(c);
        }
        if (length == 0)
        {
            number = Default;
            return true;
        }
        return s_byLetters.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(letters[..length], out number);
    }

    /// <summary>The term as the standard spells it.</summary>
    internal static string Spell(int number, bool codeExtension) => number switch
    {
        Gb18030 => "GB18030",
        Gbk => "GBK",
        Utf8 => "ISO_IR 192",
        87 or 159 or 149 or 58 => Format("ISO 2022 IR ", number),
        _ => Format(codeExtension ? "ISO 2022 IR " : "ISO_IR ", number),
    };

    /// <summary>No code extension, no other term beside it.</summary>
    internal static bool IsStandAlone(int number) => number is Utf8 or Gb18030 or Gbk;

    /// <summary>What a stand-alone term decodes with.</summary>
    internal static Encoding EncodingOf(int number) => number switch
    {
        Utf8 => new UTF8Encoding(false),
        Gb18030 => GraphicSet.GetEncoding(54936),
        _ => GraphicSet.GetEncoding(936),
    };

    private static string Format(string prefix, int number) => prefix + number.ToString(CultureInfo.InvariantCulture);

    private static FrozenDictionary<string, int> Build()
    {
        var names = new Dictionary<string, int>
        {
            ["GB18030"] = Gb18030, ["ISO2022GB18030"] = Gb18030, ["ISOIRGB18030"] = Gb18030, ["GB180302000"] = Gb18030,
            ["GBK"] = Gbk, ["ISO2022GBK"] = Gbk, ["GB2312"] = Gbk, ["CP936"] = Gbk, ["ISO2022GB2312"] = Gbk,
            ["UTF8"] = Utf8, ["ISOIRUTF8"] = Utf8, ["UNICODE"] = Utf8, ["ISO10646"] = Utf8,
            ["ASCII"] = Default, ["USASCII"] = Default, ["ISO646"] = Default,
            ["LATIN1"] = 100, ["LATIN2"] = 101, ["LATIN3"] = 109, ["LATIN4"] = 110, ["LATIN5"] = 148, ["LATIN9"] = 203,
        };
        foreach ((int part, int number) in ((int, int)[])[(1, 100), (2, 101), (3, 109), (4, 110), (5, 144), (6, 127), (7, 126), (8, 138), (9, 148), (11, 166), (15, 203)])
        {
            names[Format("ISO8859", part)] = number;
        }
        foreach (int number in (int[])[.. s_numbers, Utf8, 14])
        {
            int meant = number == 14 ? 13 : number; // ISO-IR 14 is the other half of JIS X 0201
            foreach (string prefix in (string[])["ISOIR", "ISO2022IR", "ISO2022", "ISO", "IR"]) names[Format(prefix, number)] = meant;
        }
        return names.ToFrozenDictionary(StringComparer.Ordinal);
    }
}
