using System.Buffers;
using System.Collections.Concurrent;
using System.Text;

namespace PacsCluster.Dicom;

/// <summary>Specific Character Set (0008,0005), PS3.3 section C.12.1.1.2 and PS3.5 section 6.1. Thread-safe; instances are shared.</summary>
/// <remarks>Text in the default repertoire that has bytes from 80 on is not guessed at: those bytes decode to U+FFFD.</remarks>
public sealed partial class CharacterSet
{
    private static readonly ConcurrentDictionary<string, CharacterSet> s_made = new(StringComparer.Ordinal);

    // Either a stand-alone encoding, or what stands in G0 and G1 before any escape sequence and which sets may be called.
    private readonly Encoding? _encoding;
    private readonly GraphicSet _g0 = GraphicSet.Ascii;
    private readonly GraphicSet? _g1;
    private readonly GraphicSet[] _callable = [];

    private CharacterSet(IReadOnlyList<string> terms)
    {
        var numbers = new List<int>();
        IsUnderstood = true;
        foreach (string term in terms)
        {
            IsUnderstood &= CharacterSetTerms.TryParse(term, out int number);
            numbers.Add(number == 0 ? CharacterSetTerms.Default : number);
        }
        if (numbers.Count == 0) numbers.Add(CharacterSetTerms.Default);
        // A stand-alone term takes no others; behind the default repertoire, which all three contain, it is what was meant.
        int standAlone = numbers.FindIndex(CharacterSetTerms.IsStandAlone);
        if (standAlone == 0 || standAlone > 0 && numbers[0] == CharacterSetTerms.Default)
        {
            _encoding = CharacterSetTerms.EncodingOf(numbers[standAlone]);
            Terms = [CharacterSetTerms.Spell(numbers[standAlone], false)];
            return;
        }
        bool firstIsEmpty = terms.Count == 0 || string.IsNullOrWhiteSpace(terms[0]);
        numbers.RemoveAll(CharacterSetTerms.IsStandAlone);
        bool extensible = numbers.Count > 1 || terms.Count == 1 && terms[0].Contains("2022", StringComparison.Ordinal);
        Terms = numbers is [CharacterSetTerms.Default] && firstIsEmpty
            ? []
            : [.. numbers.Select((n, i) => i == 0 && firstIsEmpty ? "" : CharacterSetTerms.Spell(n, extensible))];
        (_g0, _g1) = Initial(numbers[0]);
        if (numbers.Count > 1 || numbers[0] is 87 or 159) _callable = [.. numbers.SelectMany(SetsOf).Prepend(GraphicSet.Ascii).Distinct()];
    }

    /// <summary>The default repertoire (ISO-IR 6).</summary>
    public static CharacterSet Default { get; } = new([]);

    /// <summary>ISO_IR 192, UTF-8.</summary>
    public static CharacterSet Utf8 { get; } = new(["ISO_IR 192"]);

    /// <summary>From the values of (0008,0005); misspellings are understood, unknown terms fall back to the default repertoire and set IsUnderstood to
    /// false. Never throws.</summary>
    public static CharacterSet FromTerms(IReadOnlyList<string> definedTerms)
    {
        if (definedTerms.Count == 0) return Default;
        string key = definedTerms.Count == 1 ? definedTerms[0] : string.Join('\\', definedTerms);
        if (s_made.TryGetValue(key, out CharacterSet? made)) return made;
        made = new CharacterSet(definedTerms);
        // Senders choose these strings, so the table of seen ones is bounded.
        return s_made.Count < 256 && key.Length < 256 ? s_made.GetOrAdd(key, made) : made;
    }

    /// <summary>The values to write into (0008,0005), spelt as the standard does; empty for the default repertoire alone.</summary>
    public IReadOnlyList<string> Terms { get; }

    /// <summary>All terms were known ones.</summary>
    public bool IsUnderstood { get; }

    /// <summary>Decodes a whole value field (all values, separators included). Never throws; undecodable bytes become U+FFFD.</summary>
    /// <param name="value">Bytes as they stand in the data set, padding included.</param>
    /// <param name="vr">VRs that Specific Character Set does not apply to are taken for the default repertoire. It also says which characters end a code
    /// extension (PS3.5 section 6.1.2.5.3): <c>^ =</c> in PN, the backslash where it separates values.</param>
    public string Decode(ReadOnlySpan<byte> value, VR vr)
    {
        if (value.IsEmpty) return "";
        if (!vr.UsesSpecificCharacterSet()) return DecodeIso2022(value, vr, GraphicSet.Ascii, null);
        if (_encoding is not null) return _encoding.GetString(value);
        return DecodeIso2022(value, vr, _g0, _g1);
    }

    private static string DecodeIso2022(ReadOnlySpan<byte> value, VR vr, GraphicSet firstG0, GraphicSet? firstG1)
    {
        if (firstG0 == GraphicSet.Ascii && Ascii.IsValid(value) && !value.Contains((byte)0x1B)) return Encoding.ASCII.GetString(value);
        char[]? rented = null;
        // No sequence of bytes decodes to more characters than it has bytes.
        Span<char> text = value.Length <= 256 ? stackalloc char[256] : (rented = ArrayPool<char>.Shared.Rent(value.Length));
        int length = 0;
        GraphicSet g0 = firstG0;
        GraphicSet? g1 = firstG1;
        for (int i = 0; i < value.Length;)
        {
            byte b = value[i];
            if (b == 0x1B)
            {
                GraphicSet? set = GraphicSet.Designated(value[i..], out int escapeLength);
                if (set is null)
                {
                    text[length++] = '\uFFFD';
                    i++;
                    continue;
                }
                if (set.InG1) g1 = set;
                else g0 = set;
                i += escapeLength;
                continue;
            }
            if (b < 0x21 || !g0.IsMultiByte && IsDelimiter(b, vr))
            {
                if (EndsExtension(b, vr)) (g0, g1) = (firstG0, firstG1);
                text[length++] = (char)b;
                i++;
                continue;
            }
            i += DecodeOne(value[i..], g0, g1, out text[length]);
            length++;
        }
        string decoded = new(text[..length]);
        if (rented is not null) ArrayPool<char>.Shared.Return(rented);
        return decoded;
    }

    private static int DecodeOne(ReadOnlySpan<byte> bytes, GraphicSet g0, GraphicSet? g1, out char character)
    {
        byte b = bytes[0];
        bool right = b >= 0x80;
        GraphicSet? set = right ? g1 : g0;
        if (set is null || set.IsMultiByte && (b & 0x7F) is < 0x21 or 0x7F)
        {
            character = right ? '\uFFFD' : (char)b;
            return 1;
        }
        if (!set.IsMultiByte)
        {
            character = set.At(b & 0x7F);
            return 1;
        }
        int second = bytes.Length > 1 ? bytes[1] : 0;
        if (second >= 0x80 != right || (second & 0x7F) is < 0x21 or 0x7F)
        {
            character = '\uFFFD';
            return 1;
        }
        character = set.At(b & 0x7F, second & 0x7F);
        return 2;
    }

    /// <summary>A byte that is a delimiter of its VR whatever stands in G0: the backslash between values is one even where G0 has a yen sign there.</summary>
    private static bool IsDelimiter(byte b, VR vr) => b switch
    {
        (byte)'\\' => vr.IsMultiValuedText(),
        (byte)'^' or (byte)'=' => vr == VR.PN,
        _ => false,
    };

    /// <summary>PS3.5 section 6.1.2.5.3: the sets of value 1 are active again after these.</summary>
    private static bool EndsExtension(byte b, VR vr) => b is (byte)'\t' or (byte)'\n' or (byte)'\f' or (byte)'\r' || IsDelimiter(b, vr);

    private static (GraphicSet G0, GraphicSet? G1) Initial(int number) => number switch
    {
        CharacterSetTerms.Default => (GraphicSet.Ascii, null),
        13 => (GraphicSet.Romaji, GraphicSet.Katakana),
        // Not allowed as value 1, but met: Korean and Chinese then come without escape sequences.
        149 => (GraphicSet.Ascii, GraphicSet.Korean),
        58 => (GraphicSet.Ascii, GraphicSet.Chinese),
        87 or 159 => (GraphicSet.Ascii, null),
        _ => (GraphicSet.Ascii, GraphicSet.RightHalves[number]),
    };

    private static IEnumerable<GraphicSet> SetsOf(int number) => number switch
    {
        CharacterSetTerms.Default => [GraphicSet.Ascii],
        13 => [GraphicSet.Romaji, GraphicSet.Katakana],
        149 => [GraphicSet.Korean],
        58 => [GraphicSet.Chinese],
        87 => [GraphicSet.Kanji],
        159 => [GraphicSet.SupplementaryKanji],
        _ => [GraphicSet.RightHalves[number]],
    };
}
