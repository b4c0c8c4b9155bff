using System.Collections.Frozen;
using System.Text;

namespace PacsCluster.Dicom;

/// <summary>One coded character set that ISO 2022 can put into G0 (bytes 21 to 7E) or G1 (bytes A0 to FF); PS3.3 tables C.12-2 to C.12-4.</summary>
internal sealed class GraphicSet
{
    private readonly Lazy<char[]> _table;
    private readonly Lazy<FrozenDictionary<char, ushort>> _codes;

    private GraphicSet(string escape, bool multiByte, bool inG1, Func<char[]> table)
    {
        Escape = Encoding.Latin1.GetBytes("\u001B" + escape);
        IsMultiByte = multiByte;
        InG1 = inG1;
        _table = new Lazy<char[]>(table);
        _codes = new Lazy<FrozenDictionary<char, ushort>>(Invert);
    }

    /// <summary>The escape sequence that designates it.</summary>
    public byte[] Escape { get; }

    /// <summary>Two bytes a character, 94 rows of 94.</summary>
    public bool IsMultiByte { get; }

    /// <summary>It lives in G1, otherwise in G0.</summary>
    public bool InG1 { get; }

    public static GraphicSet Ascii { get; } = new("(B", false, false, () => [.. Enumerable.Range(0, 128).Select(i => (char)i)]);

    /// <summary>JIS X 0201 romaji (ISO-IR 14): ASCII with a yen sign at 5C and an overline at 7E.</summary>
    public static GraphicSet Romaji { get; } = new("(J", false, false,
        () => [.. Enumerable.Range(0, 128).Select(i => i == 0x5C ? '\u00A5' : i == 0x7E ? '\u203E' : (char)i)]);

    /// <summary>JIS X 0201 katakana (ISO-IR 13).</summary>
    public static GraphicSet Katakana { get; } = new(")I", false, true, () => HalfKatakana(128, 0x21));

    /// <summary>The same in G0, as ISO-2022-JP-3 has it: not of the standard, but met.</summary>
    public static GraphicSet KatakanaInG0 { get; } = new("(I", false, false, () => HalfKatakana(128, 0x21));

    /// <summary>JIS X 0208 (ISO-IR 87).</summary>
    public static GraphicSet Kanji { get; } = new("$B", true, false, () => Rows(20932, (row, cell) => [(byte)(row | 0x80), (byte)(cell | 0x80)], JisCorrections));

    /// <summary>JIS X 0212 (ISO-IR 159). Code page 20932 tells it from JIS X 0208 by the high bit of the second byte.</summary>
    public static GraphicSet SupplementaryKanji { get; } = new("$(D", true, false, () => Rows(20932, (row, cell) => [(byte)(row | 0x80), cell], Jis0212Corrections));

    /// <summary>KS X 1001 (ISO-IR 149).</summary>
    public static GraphicSet Korean { get; } = new("$)C", true, true, () => Rows(949, (row, cell) => [(byte)(row | 0x80), (byte)(cell | 0x80)], []));

    /// <summary>GB 2312 (ISO-IR 58).</summary>
    public static GraphicSet Chinese { get; } = new("$)A", true, true, () => Rows(936, (row, cell) => [(byte)(row | 0x80), (byte)(cell | 0x80)], []));

    /// <summary>The right halves of ISO 8859 and TIS 620, by ISO-IR number.</summary>
    public static FrozenDictionary<int, GraphicSet> RightHalves { get; } = new Dictionary<int, GraphicSet>
    {
        [100] = Right("-A", 28591),
        [101] = Right("-B", 28592),
        [109] = Right("-C", 28593),
        [110] = Right("-D", 28594),
        [126] = Right("-F", 28597, GreekCorrections),
        [127] = Right("-G", 28596),
        [138] = Right("-H", 28598, HebrewCorrections),
        [144] = Right("-L", 28595),
        [148] = Right("-M", 28599),
        [166] = Right("-T", 874),
        [203] = Right("-b", 28605),
    }.ToFrozenDictionary();

    private static readonly GraphicSet[] s_all =
        [Ascii, Romaji, Katakana, KatakanaInG0, Kanji, SupplementaryKanji, Korean, Chinese, .. RightHalves.Values];

    // Code page 20932 follows Microsoft where the Japanese standards mean another character.
    private static (int Code, char To)[] JisCorrections =>
        [(0x2141, '\u301C'), (0x2142, '\u2016'), (0x215D, '\u2212'), (0x2171, '\u00A2'), (0x2172, '\u00A3'), (0x224C, '\u00AC')];

    private static (int Code, char To)[] Jis0212Corrections => [(0x2237, '~'), (0x2243, '\u00A6'), (0x2271, '\u2116')];

    // .NET's pages are of the first editions; these are ISO 8859-7:2003 and ISO 8859-8:1999.
    private static (int Code, char To)[] GreekCorrections =>
        [(0xA1, '\u2018'), (0xA2, '\u2019'), (0xA4, '\u20AC'), (0xA5, '\u20AF'), (0xAA, '\u037A')];

    private static (int Code, char To)[] HebrewCorrections => [(0xAF, '\u00AF'), (0xFD, '\u200E'), (0xFE, '\u200F')];

    /// <summary>The set that an escape sequence at the start of <paramref name="bytes"/> designates; null for an unknown one.</summary>
    public static GraphicSet? Designated(ReadOnlySpan<byte> bytes, out int length)
    {
        foreach (GraphicSet set in s_all)
        {
            if (!bytes.StartsWith(set.Escape)) continue;
            length = set.Escape.Length;
            return set;
        }
        // JIS C 6226 of 1978, the first edition of JIS X 0208.
        if (bytes.StartsWith("\u001B$@"u8))
        {
            length = 3;
            return Kanji;
        }
        length = 0;
        return null;
    }

    /// <summary>Single byte: the character at a byte without its high bit. U+FFFD where there is none.</summary>
    public char At(int low7) => _table.Value[low7];

    /// <summary>Two bytes: the character at a row and cell, each 21 to 7E. U+FFFD where there is none.</summary>
    public char At(int row, int cell) => _table.Value[(row - 0x21) * 94 + cell - 0x21];

    /// <summary>The code of a character without high bits: one byte, or row and cell.</summary>
    public bool TryGetCode(char character, out ushort code) => _codes.Value.TryGetValue(character, out code);

    private FrozenDictionary<char, ushort> Invert()
    {
        var codes = new Dictionary<char, ushort>();
        char[] table = _table.Value;
        for (int i = 0; i < table.Length; i++)
        {
            if (table[i] == '\uFFFD' || !IsMultiByte && InG1 && i < 0x20) continue;
            codes.TryAdd(table[i], (ushort)(IsMultiByte ? (i / 94 + 0x21) << 8 | (i % 94 + 0x21) : i));
        }
        return codes.ToFrozenDictionary();
    }

    private static GraphicSet Right(string escape, int codePage, params (int Code, char To)[] corrections) => new(escape, false, true, () =>
    {
        Encoding encoding = GetEncoding(codePage);
        char[] table = [.. Enumerable.Range(0x80, 128).Select(b => Single(encoding, [(byte)b]))];
        foreach ((int code, char to) in corrections) table[code - 0x80] = to;
        return table;
    });

    private static char[] HalfKatakana(int length, int first)
    {
        var table = new char[length];
        Array.Fill(table, '\uFFFD');
        for (int i = 0; i < 63; i++) table[first + i] = (char)(0xFF61 + i);
        return table;
    }

    private static char[] Rows(int codePage, Func<byte, byte, byte[]> encode, (int Code, char To)[] corrections)
    {
        Encoding encoding = GetEncoding(codePage);
        var table = new char[94 * 94];
        for (int i = 0; i < table.Length; i++)
        {
            table[i] = Single(encoding, encode((byte)(i / 94 + 0x21), (byte)(i % 94 + 0x21)));
        }
        foreach ((int code, char to) in corrections) table[((code >> 8) - 0x21) * 94 + (code & 0xFF) - 0x21] = to;
        return table;
    }

    /// <summary>.NET gives private use characters, or several, for what a code page leaves open.</summary>
    private static char Single(Encoding encoding, byte[] bytes)
    {
        string text = encoding.GetString(bytes);
        return text.Length == 1 && text[0] is < '\uE000' or > '\uF8FF' ? text[0] : '\uFFFD';
    }

    /// <summary>A code page, without registering the provider for the whole process.</summary>
    internal static Encoding GetEncoding(int codePage) => codePage == 28591
        ? Encoding.Latin1
        : CodePagesEncodingProvider.Instance.GetEncoding(codePage, EncoderFallback.ExceptionFallback, new DecoderReplacementFallback("\uFFFD"))!;
}
