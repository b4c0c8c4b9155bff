using System.Buffers;
using System.Buffers.Binary;
using System.Buffers.Text;
using System.Globalization;
using System.Text;
using System.Text.Json;

namespace PacsCluster.Dicom;

/// <summary>Numbers of a JSON Value array as little endian bytes.</summary>
internal static class JsonValues
{
    public static ReadOnlyMemory<byte> ReadNumbers(ref Utf8JsonReader reader, Tag tag, VR vr)
    {
        int size = ValueText.SizeOf(vr);
        var bytes = new ArrayBufferWriter<byte>(16);
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            // A number cannot be empty, so a null keeps no place; it is met where senders write [null] for an empty attribute.
            if (reader.TokenType == JsonTokenType.Null) continue;
            if (reader.TokenType is not (JsonTokenType.Number or JsonTokenType.String) || reader.ValueIsEscaped || !TryWrite(bytes.GetSpan(size), reader.ValueSpan, vr))
                throw JsonDataSetReader.Wrong(ref reader, $"not a value of VR {vr}", tag);
            bytes.Advance(size);
        }
        return bytes.WrittenMemory;
    }

    /// <summary>The number at the reader as IS text.</summary>
    public static string ReadInteger(ref Utf8JsonReader reader, Tag tag) => TryInteger(reader.ValueSpan, out Int128 integer)
        ? integer.ToString(CultureInfo.InvariantCulture)
        // IS with a fraction stands in real files; the text goes through as it came.
        : reader.ValueSpan.Length <= 16 ? Encoding.ASCII.GetString(reader.ValueSpan) : throw JsonDataSetReader.Wrong(ref reader, "not a value of VR IS", tag);

    private static bool TryWrite(Span<byte> to, ReadOnlySpan<byte> text, VR vr)
    {
        switch (vr)
        {
            case VR.AT:
                Span<char> digits = stackalloc char[8];
                if (text.Length != 8 || Encoding.Latin1.GetChars(text, digits) != 8 || !Tag.TryParse(digits, out Tag tag)) return false;
                BinaryPrimitives.WriteUInt16LittleEndian(to, tag.Group);
                BinaryPrimitives.WriteUInt16LittleEndian(to[2..], tag.Element);
                return true;
            case VR.FL:
                if (!TryFloating(text, out double single)) return false;
                BinaryPrimitives.WriteSingleLittleEndian(to, (float)single);
                return true;
            case VR.FD:
                if (!TryFloating(text, out double floating)) return false;
                BinaryPrimitives.WriteDoubleLittleEndian(to, floating);
                return true;
        }
        if (!TryInteger(text, out Int128 integer)) return false;
        (Int128 least, Int128 most) = vr switch
        {
            VR.US => ((Int128)0, (Int128)ushort.MaxValue),
            VR.SS => (short.MinValue, short.MaxValue),
            VR.UL => (0, uint.MaxValue),
            VR.SL => (int.MinValue, int.MaxValue),
            VR.UV => (0, ulong.MaxValue),
            _ => (long.MinValue, long.MaxValue),
        };
        if (integer < least || integer > most) return false;
        Span<byte> wide = stackalloc byte[16];
        BinaryPrimitives.WriteInt128LittleEndian(wide, integer);
        wide[..ValueText.SizeOf(vr)].CopyTo(to);
        return true;
    }

    private static bool TryInteger(ReadOnlySpan<byte> text, out Int128 integer)
    {
        integer = 0;
        if (text.Length > 40) return false;
        if (Int128.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out integer)) return true;
        // 5.0 and 1e3 are integers too.
        if (!TryFloating(text, out double number) || number != Math.Truncate(number) || Math.Abs(number) > 1L << 53) return false;
        integer = (long)number;
        return true;
    }

    private static bool TryFloating(ReadOnlySpan<byte> text, out double number)
    {
        number = text switch
        {
            _ when text.SequenceEqual("NaN"u8) => double.NaN,
            _ when text.SequenceEqual("Infinity"u8) || text.SequenceEqual("inf"u8) => double.PositiveInfinity,
            _ when text.SequenceEqual("-Infinity"u8) || text.SequenceEqual("-inf"u8) => double.NegativeInfinity,
            _ => 0,
        };
        return number != 0 || Utf8Parser.TryParse(text, out number, out int used) && used == text.Length && double.IsFinite(number);
    }
}
