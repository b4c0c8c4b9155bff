using System.Text;
using System.Text.Json;
using System.Text.Unicode;

namespace PacsCluster.Dicom;

/// <summary>Writes one data set. Values go from the data set's bytes into the writer without a string between where they can.</summary>
internal readonly struct JsonDataSetWriter(Utf8JsonWriter writer, JsonWriteOptions options)
{
    private static readonly JsonEncodedText s_inline = JsonEncodedText.Encode("InlineBinary");
    private static readonly JsonEncodedText s_uri = JsonEncodedText.Encode("BulkDataURI");

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
        JsonElements.Start(writer, bulk.Tag, bulk.VR);
        writer.WriteString(s_uri, uri);
        writer.WriteEndObject();
    }

    /// <summary>JSON is UTF-8 (C-103); items share what the data set says, because their text is UTF-8 too.</summary>
    private void WriteCharacterSet()
    {
        if (_path.Depth > 0) return;
        JsonElements.Start(writer, Tags.SpecificCharacterSet, VR.CS);
        writer.WriteStartArray(JsonElements.Value);
        writer.WriteStringValue("ISO_IR 192"u8);
        writer.WriteEndArray();
        writer.WriteEndObject();
    }

    public void WriteElement(DataSet dataSet, in DataElement element)
    {
        VR vr = element.EffectiveVR;
        bool encapsulated = element.HasUndefinedLength && vr != VR.SQ;
        if (vr == VR.SQ)
        {
            WriteSequence(element);
            return;
        }
        if (!element.IsEmpty && options.MayGoByUri(vr, element.RawValue.Length) && options.BulkDataUri is { } where
            && where(new JsonBulkValue(_path, element.Tag, vr, encapsulated ? -1 : element.RawValue.Length)) is { } uri)
        {
            JsonElements.Start(writer, element.Tag, vr);
            writer.WriteString(s_uri, uri);
            writer.WriteEndObject();
            return;
        }
        if (encapsulated) return;
        JsonElements.Start(writer, element.Tag, vr);
        if (!element.IsEmpty) WriteValue(dataSet, element, vr);
        writer.WriteEndObject();
    }

    private void WriteSequence(in DataElement element)
    {
        JsonElements.Start(writer, element.Tag, VR.SQ);
        IReadOnlyList<DataSet> items = element.Items;
        if (items.Count > 0)
        {
            writer.WriteStartArray(JsonElements.Value);
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
        writer.WriteStartArray(JsonElements.Value);
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
        writer.WriteStartArray(JsonElements.Value);
        if (!value.Contains((byte)0x1B) && (Ascii.IsValid(value) || vr.UsesSpecificCharacterSet() && dataSet.CharacterSet == CharacterSet.Utf8 && Utf8.IsValid(value)))
        {
            JsonElements.WriteUtf8(writer, vr, value);
        }
        else
        {
            // The one copy: text in another character set.
            JsonElements.WriteUtf8(writer, vr, Encoding.UTF8.GetBytes(ValueText.Decode(dataSet, vr, value)));
        }
        writer.WriteEndArray();
    }
}
