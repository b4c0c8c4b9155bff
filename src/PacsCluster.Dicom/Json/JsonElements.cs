using System.Text.Json;

namespace PacsCluster.Dicom;

/// <summary>Single attributes of the DICOM JSON Model (PS3.18 F.2.2), for writers of whole data sets and of rows alike.</summary>
internal static class JsonElements
{
    /// <summary>The name of an attribute's array of values.</summary>
    public static readonly JsonEncodedText Value = JsonEncodedText.Encode("Value");

    private static readonly JsonEncodedText s_vr = JsonEncodedText.Encode("vr");
    private static readonly JsonEncodedText[] s_groups = [JsonEncodedText.Encode("Alphabetic"), JsonEncodedText.Encode("Ideographic"), JsonEncodedText.Encode("Phonetic")];

    /// <summary>Opens the attribute's object and says its VR.</summary>
    public static void Start(Utf8JsonWriter writer, Tag tag, VR vr)
    {
        Span<byte> key = stackalloc byte[8];
        for (int i = 0; i < 8; i++) key[i] = "0123456789ABCDEF"u8[(int)(tag.Value >> (28 - 4 * i)) & 0xF];
        writer.WritePropertyName(key);
        writer.WriteStartObject();
        ReadOnlySpan<byte> letters = [(byte)((ushort)vr >> 8), (byte)vr];
        writer.WriteString(s_vr, letters);
    }

    /// <summary>The values of one text, into an array that is open.</summary>
    public static void WriteUtf8(Utf8JsonWriter writer, VR vr, ReadOnlySpan<byte> text)
    {
        if (!vr.IsMultiValuedText())
        {
            writer.WriteStringValue(text.TrimEnd(" \0"u8));
            return;
        }
        foreach (Range range in text.Split((byte)'\\'))
        {
            ReadOnlySpan<byte> one = text[range].Trim(" \0"u8);
            if (one.IsEmpty) writer.WriteNullValue();
            else if (vr == VR.PN) WriteName(writer, one);
            else if (vr is VR.DS or VR.IS && JsonNumbers.IsExact(one, vr)) writer.WriteRawValue(one, skipInputValidation: true);
            else writer.WriteStringValue(one);
        }
    }

    private static void WriteName(Utf8JsonWriter writer, ReadOnlySpan<byte> name)
    {
        writer.WriteStartObject();
        int group = 0;
        foreach (Range range in name.Split((byte)'='))
        {
            if (group == s_groups.Length) break;
            // Trailing delimiters have no meaning (PS3.5 section 6.2.1.1); the stored bytes keep them.
            ReadOnlySpan<byte> one = name[range].Trim(" "u8).TrimEnd("^ "u8);
            if (!one.IsEmpty) writer.WriteString(s_groups[group], one);
            group++;
        }
        writer.WriteEndObject();
    }

    /// <summary>The values of a numeric VR written as text.</summary>
    public static void WriteNumbers(Utf8JsonWriter writer, ReadOnlySpan<byte> text)
    {
        foreach (Range range in text.Split((byte)'\\'))
        {
            ReadOnlySpan<byte> one = text[range];
            if (JsonNumbers.IsExact(one, VR.DS)) writer.WriteRawValue(one, skipInputValidation: true);
            else writer.WriteStringValue(one);
        }
    }
}
