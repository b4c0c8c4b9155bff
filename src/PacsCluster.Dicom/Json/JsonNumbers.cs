using System.Buffers.Text;
using System.Globalization;

namespace PacsCluster.Dicom;

/// <summary>DS and IS between their text and JSON numbers.</summary>
internal static class JsonNumbers
{
    // A double keeps every decimal of 15 significant digits.
    private const int ExactDigits = 15;

    /// <summary>The text is itself a JSON number, and one that a reader with doubles gets exactly; IS must be an integer.</summary>
    public static bool IsExact(ReadOnlySpan<byte> text, VR vr)
    {
        int at = text[0] == '-' ? 1 : 0, first = at, digits = 0;
        while (at < text.Length && text[at] is >= (byte)'0' and <= (byte)'9') at++;
        int whole = at - first;
        if (whole == 0 || whole > 1 && text[first] == '0') return false;
        digits += whole;
        if (vr == VR.IS) return at == text.Length && digits <= ExactDigits;
        if (at < text.Length && text[at] == '.')
        {
            int fraction = ++at;
            while (at < text.Length && text[at] is >= (byte)'0' and <= (byte)'9') at++;
            if (at == fraction) return false;
            digits += at - fraction;
        }
        int exponent = 0;
        if (at < text.Length && text[at] is (byte)'e' or (byte)'E')
        {
            at++;
            if (at < text.Length && text[at] == '+') at++;
            if (!Utf8Parser.TryParse(text[at..], out exponent, out int used)) return false;
            at += used;
        }
        return at == text.Length && digits <= ExactDigits && exponent is > -290 and < 290;
    }

    /// <summary>A JSON number as DS: at most 16 characters, as near as these allow.</summary>
    public static string ToDecimalString(ReadOnlySpan<byte> number)
    {
        string text = System.Text.Encoding.ASCII.GetString(number);
        if (text.Length <= 16) return text;
        double value = double.Parse(text, NumberStyles.Float, CultureInfo.InvariantCulture);
        for (int digits = 17; digits > 1; digits--)
        {
            text = value.ToString("G" + digits.ToString(CultureInfo.InvariantCulture), CultureInfo.InvariantCulture);
            if (text.Length <= 16) break;
        }
        return text;
    }
}
