using System.Buffers.Binary;
using System.Globalization;
using System.Text;

namespace PacsCluster.Dicom;

/// <summary>Values as text and numbers (PS3.5 section 6.2).</summary>
internal static class ValueText
{
    /// <summary>All values, trimmed.</summary>
    public static string[] Strings(DataSet dataSet, VR vr, ReadOnlySpan<byte> value, bool bigEndian)
    {
        if (value.IsEmpty) return [];
        if (!vr.IsText()) return Numbers(vr, value, bigEndian);
        string text = Decode(dataSet, vr, value);
        if (!vr.IsMultiValuedText() || !text.Contains('\\', StringComparison.Ordinal))
        {
            string single = Trim(text, vr);
            return single.Length == 0 ? [] : [single];
        }
        string[] values = text.Split('\\');
        for (int i = 0; i < values.Length; i++) values[i] = Trim(values[i], vr);
        return values;
    }

    /// <summary>The first value, trimmed; null when empty. Makes one string, not one a value.</summary>
    public static string? First(DataSet dataSet, VR vr, ReadOnlySpan<byte> value, bool bigEndian)
    {
        if (value.IsEmpty) return null;
        if (!vr.IsText()) return FirstNumber(vr, value, bigEndian);
        if (vr.UsesSpecificCharacterSet() && !IsPlainAscii(value))
        {
            string text = dataSet.CharacterSet.Decode(value, vr);
            if (vr.IsMultiValuedText() && text.IndexOf('\\', StringComparison.Ordinal) is >= 0 and int cut) text = text[..cut];
            text = Trim(text, vr);
            return text.Length == 0 ? null : text;
        }
        if (vr.IsMultiValuedText() && value.IndexOf((byte)'\\') is >= 0 and int end) value = value[..end];
        value = Trim(value, vr);
        return value.IsEmpty ? null : Encoding.Latin1.GetString(value);
    }

    public static string Decode(DataSet dataSet, VR vr, ReadOnlySpan<byte> value) =>
        vr.UsesSpecificCharacterSet() && !IsPlainAscii(value) ? dataSet.CharacterSet.Decode(value, vr) : Encoding.Latin1.GetString(value);

    /// <summary>Bytes that mean the same in every character set: ASCII without escapes.</summary>
    private static bool IsPlainAscii(ReadOnlySpan<byte> value) => Ascii.IsValid(value) && !value.Contains((byte)0x1B);

    private static string Trim(string text, VR vr) =>
        vr is VR.LT or VR.ST or VR.UT ? text.TrimEnd(' ', '\0') : text.Trim(' ', '\0');

    private static ReadOnlySpan<byte> Trim(ReadOnlySpan<byte> text, VR vr) =>
        vr is VR.LT or VR.ST or VR.UT ? text.TrimEnd(" \0"u8) : text.Trim(" \0"u8);

    private static string? FirstNumber(VR vr, ReadOnlySpan<byte> value, bool bigEndian)
    {
        int size = SizeOf(vr);
        return size == 0 || value.Length < size ? null : Format(vr, value, bigEndian);
    }

    private static string[] Numbers(VR vr, ReadOnlySpan<byte> value, bool bigEndian)
    {
        int size = SizeOf(vr);
        if (size == 0 || value.Length < size) return [];
        var values = new string[value.Length / size];
        for (int i = 0; i < values.Length; i++) values[i] = Format(vr, value[(i * size)..], bigEndian);
        return values;
    }

    /// <summary>Bytes of one number; 0 for bulk binary and what is no number.</summary>
    public static int SizeOf(VR vr) => vr switch
    {
        VR.US or VR.SS => 2,
        VR.UL or VR.SL or VR.FL or VR.AT => 4,
        VR.FD or VR.UV or VR.SV => 8,
        _ => 0,
    };

    private static string Format(VR vr, ReadOnlySpan<byte> at, bool bigEndian)
    {
        switch (vr)
        {
            case VR.AT:
                return ElementHeader.ReadTag(at, bigEndian ? Mode.Big : 0).ToHex();
            case VR.FL:
                return ((float)Floating(vr, at, bigEndian)).ToString("R", CultureInfo.InvariantCulture);
            case VR.FD:
                return Floating(vr, at, bigEndian).ToString("R", CultureInfo.InvariantCulture);
            case VR.UV:
                return ((ulong)Integer(vr, at, bigEndian)).ToString(CultureInfo.InvariantCulture);
            default:
                return Integer(vr, at, bigEndian).ToString(CultureInfo.InvariantCulture);
        }
    }

    public static long Integer(VR vr, ReadOnlySpan<byte> at, bool bigEndian) => vr switch
    {
        VR.US => bigEndian ? BinaryPrimitives.ReadUInt16BigEndian(at) : BinaryPrimitives.ReadUInt16LittleEndian(at),
        VR.SS => bigEndian ? BinaryPrimitives.ReadInt16BigEndian(at) : BinaryPrimitives.ReadInt16LittleEndian(at),
        VR.UL => bigEndian ? BinaryPrimitives.ReadUInt32BigEndian(at) : BinaryPrimitives.ReadUInt32LittleEndian(at),
        VR.SL => bigEndian ? BinaryPrimitives.ReadInt32BigEndian(at) : BinaryPrimitives.ReadInt32LittleEndian(at),
        _ => bigEndian ? BinaryPrimitives.ReadInt64BigEndian(at) : BinaryPrimitives.ReadInt64LittleEndian(at),
    };

    public static double Floating(VR vr, ReadOnlySpan<byte> at, bool bigEndian) => vr == VR.FL
        ? (bigEndian ? BinaryPrimitives.ReadSingleBigEndian(at) : BinaryPrimitives.ReadSingleLittleEndian(at))
        : (bigEndian ? BinaryPrimitives.ReadDoubleBigEndian(at) : BinaryPrimitives.ReadDoubleLittleEndian(at));
}
