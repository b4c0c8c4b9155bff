using System.Text;

namespace PacsCluster.Dicom;

public sealed partial class CharacterSet
{
    /// <summary>Encodes a whole value field, with escape sequences where the terms allow them.</summary>
    /// <param name="text">All values, separators included.</param>
    /// <param name="vr">VRs that Specific Character Set does not apply to take the default repertoire only.</param>
    /// <param name="bytes">The encoded value, not padded; empty when the result is false.</param>
    /// <returns>False when some character is not in the repertoire.</returns>
    public bool TryEncode(string text, VR vr, out byte[] bytes)
    {
        bool specific = vr.UsesSpecificCharacterSet();
        GraphicSet g0 = specific ? _g0 : GraphicSet.Ascii;
        if (Ascii.IsValid(text) && (_encoding is not null && specific || g0 == GraphicSet.Ascii))
        {
            bytes = Encoding.ASCII.GetBytes(text);
            return true;
        }
        bytes = [];
        if (!specific) return false;
        if (_encoding is not null) return TryEncodeWhole(_encoding, text, ref bytes);
        var writer = new Iso2022Writer(this, vr, text.Length);
        foreach (char c in text)
        {
            if (!writer.TryWrite(c)) return false;
        }
        bytes = writer.Finish();
        return true;
    }

    private static bool TryEncodeWhole(Encoding encoding, string text, ref byte[] bytes)
    {
        // UTF8Encoding would write U+FFFD for a lone surrogate; GB18030 and GBK throw.
        if (encoding is UTF8Encoding)
        {
            for (int i = 0; i < text.Length; i++)
            {
                if (!char.IsSurrogate(text[i])) continue;
                if (i + 1 == text.Length || !char.IsSurrogatePair(text[i], text[i + 1])) return false;
                i++;
            }
        }
        try
        {
            bytes = encoding.GetBytes(text);
        }
        catch (EncoderFallbackException)
        {
            return false;
        }
        // Code pages know best fits (a full-width letter for a narrow one): only what comes back the same was in the repertoire.
        if (encoding is UTF8Encoding || encoding.GetString(bytes) == text) return true;
        bytes = [];
        return false;
    }

    /// <summary>Writes characters one by one and keeps what stands in G0 and G1. ISO 2022 would let kanji in G0 and Greek in G1 follow each other without
    /// escape sequences; many readers (pydicom among them) know only the set designated last, so we designate again.</summary>
    private sealed class Iso2022Writer(CharacterSet owner, VR vr, int length)
    {
        private readonly List<byte> _bytes = new(length + 16);
        private GraphicSet _g0 = owner._g0;
        private GraphicSet? _g1 = owner._g1;

        public bool TryWrite(char c)
        {
            if (c < 0x21 || c < 0x80 && IsDelimiter((byte)c, vr))
            {
                // A space is a space in every set; the other ones must stand in the sets of value 1 (PS3.5 section 6.1.2.5.3).
                if (c != ' ') ReturnToFirstG0();
                if (c == 0x1B) return false;
                _bytes.Add((byte)c);
                if (EndsExtension((byte)c, vr)) _g1 = owner._g1;
                return true;
            }
            return TryAdd(_g0, c) || _g1 is not null && _g0 == owner._g0 && TryAdd(_g1, c) || TryCall(c);
        }

        public byte[] Finish()
        {
            ReturnToFirstG0();
            return [.. _bytes];
        }

        private bool TryCall(char c)
        {
            // The sets of value 1 first: they need no other escape sequence at the end.
            foreach (GraphicSet set in (ReadOnlySpan<GraphicSet>)[owner._g0, .. owner._callable])
            {
                if (!set.TryGetCode(c, out _) || set == owner._g0 && _g0 == owner._g0) continue;
                if (set == GraphicSet.Romaji && c is '\u00A5' && vr.IsMultiValuedText()) continue;
                if (set.InG1) ReturnToFirstG0();
                Call(set);
                if (TryAdd(set, c)) return true;
            }
            return false;
        }

        private void Call(GraphicSet set)
        {
            _bytes.AddRange(set.Escape);
            if (set.InG1)
            {
                _g1 = set;
                return;
            }
            _g0 = set;
            _g1 = null;
        }

        private void ReturnToFirstG0()
        {
            if (_g0 != owner._g0) Call(owner._g0);
        }

        private bool TryAdd(GraphicSet set, char c)
        {
            if (!set.TryGetCode(c, out ushort code)) return false;
            int high = set.InG1 ? 0x80 : 0;
            // A yen sign would be read as a separator of values.
            if (!set.IsMultiByte && !set.InG1 && IsDelimiter((byte)code, vr)) return false;
            if (set.IsMultiByte) _bytes.Add((byte)(code >> 8 | high));
            _bytes.Add((byte)(code & 0xFF | high));
            return true;
        }
    }
}
