using System.Text;
using System.Text.Json;
using System.Text.Unicode;

namespace PacsCluster.Dicom;

/// <summary>Writes one data set. Values go from the data set's bytes into the writer without a string between where they can.</summary>
internal readonly struct JsonDataSetWriter(Utf8JsonWriter writer, JsonWriteOptions options)
{
    private static readonly JsonEncodedText s_vr = JsonEncodedText.Encode("vr");
    private static readonly JsonEncodedText s_value = JsonEncodedText.Encode("Value");
    private static readonly JsonEncodedText s_inline = JsonEncodedText.Encode("InlineBinary");
    private static readonly JsonEncodedText s_uri = JsonEncodedText.Encode("BulkDataURI");
    private static readonly JsonEncodedText[] s_groups = [JsonEncodedText.Encode("Alphabetic"), JsonEncodedText.Encode("Ideographic"), JsonEncodedText.Encode("Phonetic")];

    private readonly JsonPath _path = new();

    public void Write(DataSet dataSet)
    {
        writer.WriteStartObject();
        IReadOnlyList<BulkValue> leftOut = _path.Depth == 0 ? options.LeftOut : [];
        int next = 0;
        foreach (DataElement element in dataSet)
        {
            Tag tag = element.Tag;
            while (next < leftOut.Count && leftOut[next].Tag < tag) WriteLeftOut(dataSet, leftOut[next++]);
            if (tag.IsGroupLength || tag.Group == 0xFFFE) continue;
            if (tag == Tags.SpecificCharacterSet) WriteCharacterSet();
            else WriteElement(dataSet, element);
        }
        while (next < leftOut.Count) WriteLeftOut(dataSet, leftOut[next++]);
        writer.WriteEndObject();
    }

    /// <summary>What is nested deeper than the top level has its tag there too; only what the data set lacks is written.</summary>
    private void WriteLeftOut(DataSet dataSet, in BulkValue bulk)
    {
        if (bulk.VR == VR.SQ || bulk.Tag.IsGroupLength || dataSet.Contains(bulk.Tag)) return;
        string? uri = options.BulkDataUri?.Invoke(new JsonBulkValue(_path, bulk.Tag, bulk.VR, bulk.Length, bulk));
        if (uri is null) return;
        Start(bulk.Tag, bulk.VR);
        writer.WriteString(s_uri, uri);
        writer.WriteEndObject();
    }

    /// <summary>JSON is UTF-8 (C-103); items share what the data set says, because their text is UTF-8 too.</summary>
    private void WriteCharacterSet()
    {
        if (_path.Depth > 0) return;
        Start(Tags.SpecificCharacterSet, VR.CS);
        writer.WriteStartArray(s_value);
        writer.WriteStringValue("ISO_IR 192"u8);
        writer.WriteEndArray();
        writer.WriteEndObject();
    }

    private void WriteElement(DataSet dataSet, in DataElement element)
    {
        VR vr = element.EffectiveVR;
        bool encapsulated = element.HasUndefinedLength && vr != VR.SQ;
        if (vr == VR.SQ)
        {
            WriteSequence(element);
            return;
        }
        if (!element.IsEmpty && MayGoByUri(vr, element.RawValue.Length) && options.BulkDataUri is { } where
            && where(new JsonBulkValue(_path, element.Tag, vr, encapsulated ? -1 : element.RawValue.Length)) is { } uri)
        {
            Start(element.Tag, vr);
            writer.WriteString(s_uri, uri);
            writer.WriteEndObject();
            return;
        }
        if (encapsulated) return;
        Start(element.Tag, vr);
        if (!element.IsEmpty) WriteValue(dataSet, element, vr);
        writer.WriteEndObject();
    }

    private bool MayGoByUri(VR vr, int length) => vr.IsBulk()
        || length >= options.BulkMinimumBytes && vr is VR.DS or VR.FL or VR.FD or VR.IS or VR.LT or VR.ST or VR.SL or VR.SS or VR.SV or VR.UC or VR.UL or VR.US or VR.UT or VR.UV;

    private void WriteSequence(in DataElement element)
    {
        Start(element.Tag, VR.SQ);
        IReadOnlyList<DataSet> items = element.Items;
        if (items.Count > 0)
        {
            writer.WriteStartArray(s_value);
            _path.Enter(element.Tag);
            foreach (DataSet item in items)
            {
                _path.NextItem();
                Write(item);
            }
            _path.Leave();
            writer.WriteEndArray();
        }
        writer.WriteEndObject();
    }

    private void Start(Tag tag, VR vr)
    {
        Span<byte> key = stackalloc byte[8];
        for (int i = 0; i < 8; i++) key[i] = "0123456789ABCDEF"u8[(int)(tag.Value >> (28 - 4 * i)) & 0xF];
        writer.WritePropertyName(key);
        writer.WriteStartObject();
        ReadOnlySpan<byte> letters = [(byte)((ushort)vr >> 8), (byte)vr];
        writer.WriteString(s_vr, letters);
    }

    private void WriteValue(DataSet dataSet, in DataElement element, VR vr)
    {
        if (vr.IsBulk())
        {
            writer.WriteBase64String(s_inline, element.LittleEndianValue.Span);
        }
        else if (vr.IsText())
        {
            WriteText(dataSet, vr, element.RawValue.Span);
        }
        else
        {
            WriteNumbers(vr, element.RawValue.Span, element.IsBigEndian);
        }
    }

    private void WriteNumbers(VR vr, ReadOnlySpan<byte> value, bool bigEndian)
    {
        int size = ValueText.SizeOf(vr);
        if (size == 0 || value.Length < size) return;
        writer.WriteStartArray(s_value);
        for (int at = 0; at + size <= value.Length; at += size) WriteNumber(vr, value.Slice(at, size), bigEndian);
        writer.WriteEndArray();
    }

    private void WriteNumber(VR vr, ReadOnlySpan<byte> at, bool bigEndian)
    {
        const long ExactMax = 1L << 53;
        switch (vr)
        {
            case VR.AT:
                writer.WriteStringValue(ElementHeader.ReadTag(at, bigEndian ? Mode.Big : 0).ToHex());
                return;
            case VR.FL or VR.FD:
                double number = ValueText.Floating(vr, at, bigEndian);
                if (!double.IsFinite(number)) writer.WriteStringValue(double.IsNaN(number) ? "NaN"u8 : number > 0 ? "Infinity"u8 : "-Infinity"u8);
                else if (vr == VR.FL) writer.WriteNumberValue((float)number);
                else writer.WriteNumberValue(number);
                return;
            default:
                long integer = ValueText.Integer(vr, at, bigEndian);
                // Readers in JavaScript have doubles only (C-98).
                if (vr == VR.UV && (ulong)integer > ExactMax) writer.WriteStringValue(((ulong)integer).ToString());
                else if (integer is > ExactMax or < -ExactMax) writer.WriteStringValue(integer.ToString());
                else writer.WriteNumberValue(integer);
                return;
        }
    }

    private void WriteText(DataSet dataSet, VR vr, ReadOnlySpan<byte> value)
    {
        // A value of padding alone is none.
        if (value.Trim(" \0"u8).IsEmpty) return;
        writer.WriteStartArray(s_value);
        if (!value.Contains((byte)0x1B) && (Ascii.IsValid(value) || vr.UsesSpecificCharacterSet() && dataSet.CharacterSet == CharacterSet.Utf8 && Utf8.IsValid(value)))
        {
            WriteUtf8(vr, value);
        }
        else
        {
            // The one copy: text in another character set.
            WriteUtf8(vr, Encoding.UTF8.GetBytes(ValueText.Decode(dataSet, vr, value)));
        }
        writer.WriteEndArray();
    }

    private void WriteUtf8(VR vr, ReadOnlySpan<byte> text)
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
            else if (vr == VR.PN) WriteName(one);
            else if (vr is VR.DS or VR.IS && JsonNumbers.IsExact(one, vr)) writer.WriteRawValue(one, skipInputValidation: true);
            else writer.WriteStringValue(one);
        }
    }

    private void WriteName(ReadOnlySpan<byte> name)
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
}
