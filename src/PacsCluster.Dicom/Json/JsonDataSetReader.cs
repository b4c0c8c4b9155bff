using System.Text;
using System.Text.Json;

namespace PacsCluster.Dicom;

/// <summary>Reads one object of the DICOM JSON Model.</summary>
internal sealed class JsonDataSetReader(JsonReadOptions options)
{
    private readonly JsonPath _path = new();
    private bool _beyondAscii;

    /// <summary>An element to be set when all are known: senders may write them in any order, and setting them in order is what stays cheap.</summary>
    private readonly record struct Found(Tag Tag, VR VR, ReadOnlyMemory<byte> Value, DataSet[]? Items);

    public DataSet ReadObject(ref Utf8JsonReader reader)
    {
        var dataSet = new DataSet(TransferSyntax.ExplicitVRLittleEndian);
        List<Found> found = ReadElements(ref reader, dataSet);
        bool hasCharacterSet = found.Exists(f => f.Tag == Tags.SpecificCharacterSet);
        if (hasCharacterSet || _beyondAscii)
        {
            found.RemoveAll(f => f.Tag == Tags.SpecificCharacterSet);
            found.Add(new Found(Tags.SpecificCharacterSet, VR.CS, "ISO_IR 192"u8.ToArray(), null));
        }
        Fill(dataSet, found);
        return dataSet;
    }

    private static void Fill(DataSet dataSet, List<Found> found)
    {
        found.Sort((a, b) => a.Tag.CompareTo(b.Tag));
        foreach (Found one in found)
        {
            if (one.Items is not null) dataSet.SetItems(one.Tag, one.Items);
            else dataSet.SetRaw(one.Tag, one.VR, one.Value);
        }
    }

    private List<Found> ReadElements(ref Utf8JsonReader reader, DataSet dataSet)
    {
        if (reader.TokenType != JsonTokenType.StartObject) throw Wrong(ref reader, "no JSON object where a data set is expected");
        var found = new List<Found>();
        while (reader.Read() && reader.TokenType != JsonTokenType.EndObject)
        {
            Tag tag = ReadTag(ref reader);
            reader.Read();
            if (reader.TokenType != JsonTokenType.StartObject) throw Wrong(ref reader, "an attribute is no JSON object", tag);
            if (ReadAttribute(ref reader, dataSet, tag) is { } element && !tag.IsGroupLength && tag.Group != 0xFFFE) found.Add(element);
        }
        return found;
    }

    private static Tag ReadTag(ref Utf8JsonReader reader)
    {
        Span<char> key = stackalloc char[8];
        if (reader.ValueSpan.Length != 8 || Encoding.Latin1.GetChars(reader.ValueSpan, key) != 8 || !Tag.TryParse(key, out Tag tag))
            throw Wrong(ref reader, "a key is not eight hexadecimal digits");
        return tag;
    }

    private Found? ReadAttribute(ref Utf8JsonReader reader, DataSet dataSet, Tag tag)
    {
        VR vr = VR.None;
        // The vr nearly always comes first; a value in front of it waits here.
        Utf8JsonReader waiting = default;
        bool waits = false;
        Found? element = null;
        bool hasValue = false;
        while (reader.Read() && reader.TokenType != JsonTokenType.EndObject)
        {
            if (reader.ValueTextEquals("vr"u8))
            {
                reader.Read();
                vr = ReadVR(ref reader, tag);
                continue;
            }
            bool isValue = reader.ValueTextEquals("Value"u8) || reader.ValueTextEquals("InlineBinary"u8) || reader.ValueTextEquals("BulkDataURI"u8);
            if (isValue && hasValue) throw Wrong(ref reader, "an attribute has more than one of Value, InlineBinary and BulkDataURI", tag);
            hasValue |= isValue;
            if (isValue && vr != VR.None)
            {
                element = ReadContent(ref reader, dataSet, tag, vr);
                if (element is null) return SkipRest(ref reader);
                continue;
            }
            if (isValue)
            {
                waiting = reader;
                waits = true;
            }
            reader.Read();
            reader.Skip();
        }
        if (waits)
        {
            if (vr == VR.None) vr = DataDictionary.GetVR(tag);
            return ReadContent(ref waiting, dataSet, tag, vr);
        }
        if (vr == VR.None) vr = DataDictionary.GetVR(tag);
        return element ?? (vr == VR.SQ ? new Found(tag, vr, default, []) : new Found(tag, vr, default, null));
    }

    private static Found? SkipRest(ref Utf8JsonReader reader)
    {
        while (reader.Read() && reader.TokenType != JsonTokenType.EndObject)
        {
            reader.Read();
            reader.Skip();
        }
        return null;
    }

    private static VR ReadVR(ref Utf8JsonReader reader, Tag tag)
    {
        ReadOnlySpan<byte> text = reader.TokenType == JsonTokenType.String ? reader.ValueSpan : default;
        VR vr = text.Length == 2 ? VRs.FromBytes(text[0], text[1]) : VR.None;
        return vr != VR.None ? vr : throw Wrong(ref reader, "a vr is none of the standard", tag);
    }

    /// <summary>The value behind the property name that the reader stands at; null to leave the element out.</summary>
    private Found? ReadContent(ref Utf8JsonReader reader, DataSet dataSet, Tag tag, VR vr)
    {
        bool inline = reader.ValueTextEquals("InlineBinary"u8), byUri = reader.ValueTextEquals("BulkDataURI"u8);
        reader.Read();
        if (byUri)
        {
            string uri = GetString(ref reader, tag);
            return options.ReadBulk?.Invoke(new JsonBulkReference(_path, tag, vr, uri)) is { } bytes ? new Found(tag, vr, bytes, null) : null;
        }
        if (inline)
        {
            if (reader.TokenType == JsonTokenType.Null) return new Found(tag, vr, default, null);
            if (reader.TokenType != JsonTokenType.String || reader.ValueIsEscaped && reader.ValueSpan.Length > 1 << 20 || !reader.TryGetBytesFromBase64(out byte[]? bytes))
                throw Wrong(ref reader, "an InlineBinary is not Base64", tag);
            return new Found(tag, vr, bytes, null);
        }
        if (reader.TokenType == JsonTokenType.Null) return vr == VR.SQ ? new Found(tag, vr, default, []) : new Found(tag, vr, default, null);
        if (reader.TokenType != JsonTokenType.StartArray) throw Wrong(ref reader, "a Value is no array", tag);
        if (vr == VR.SQ) return new Found(tag, vr, default, ReadItems(ref reader, dataSet, tag));
        if (vr.IsText()) return new Found(tag, vr, ReadText(ref reader, tag, vr), null);
        if (vr.IsBulk()) throw Wrong(ref reader, "binary stands in a Value", tag);
        return new Found(tag, vr, JsonValues.ReadNumbers(ref reader, tag, vr), null);
    }

    private DataSet[] ReadItems(ref Utf8JsonReader reader, DataSet dataSet, Tag tag)
    {
        if (_path.Depth >= options.DepthMax) throw Wrong(ref reader, "sequences are nested too deep", tag);
        var items = new List<DataSet>();
        _path.Enter(tag);
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            _path.NextItem();
            DataSet item = dataSet.NewItem();
            items.Add(item);
            if (reader.TokenType == JsonTokenType.Null) continue;
            List<Found> found = ReadElements(ref reader, item);
            // All text is UTF-8, as the data set around says.
            found.RemoveAll(f => f.Tag == Tags.SpecificCharacterSet);
            Fill(item, found);
        }
        _path.Leave();
        return [.. items];
    }

    private ReadOnlyMemory<byte> ReadText(ref Utf8JsonReader reader, Tag tag, VR vr)
    {
        var text = new StringBuilder();
        bool first = true;
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (!first) text.Append('\\');
            first = false;
            switch (reader.TokenType)
            {
                case JsonTokenType.Null:
                    break;
                case JsonTokenType.String:
                    text.Append(GetString(ref reader, tag));
                    break;
                case JsonTokenType.Number when vr == VR.DS:
                    text.Append(JsonNumbers.ToDecimalString(reader.ValueSpan));
                    break;
                case JsonTokenType.Number when vr == VR.IS:
                    text.Append(JsonValues.ReadInteger(ref reader, tag));
                    break;
                case JsonTokenType.Number:
                    text.Append(Encoding.ASCII.GetString(reader.ValueSpan));
                    break;
                case JsonTokenType.StartObject when vr == VR.PN:
                    AppendName(ref reader, text, tag);
                    break;
                default:
                    throw Wrong(ref reader, "a value is neither string nor null", tag);
            }
        }
        if (text.Length == 0) return default;
        string all = text.ToString();
        if (!Ascii.IsValid(all)) _beyondAscii = true;
        return Encoding.UTF8.GetBytes(all);
    }

    private static void AppendName(ref Utf8JsonReader reader, StringBuilder text, Tag tag)
    {
        string alphabetic = "", ideographic = "", phonetic = "";
        while (reader.Read() && reader.TokenType != JsonTokenType.EndObject)
        {
            int group = reader.ValueTextEquals("Alphabetic"u8) ? 1 : reader.ValueTextEquals("Ideographic"u8) ? 2 : reader.ValueTextEquals("Phonetic"u8) ? 3 : 0;
            reader.Read();
            if (group == 0)
            {
                reader.Skip();
                continue;
            }
            string value = reader.TokenType == JsonTokenType.Null ? "" : GetString(ref reader, tag);
            if (group == 1) alphabetic = value;
            else if (group == 2) ideographic = value;
            else phonetic = value;
        }
        text.Append(alphabetic);
        if (ideographic.Length + phonetic.Length > 0) text.Append('=').Append(ideographic);
        if (phonetic.Length > 0) text.Append('=').Append(phonetic);
    }

    private static string GetString(ref Utf8JsonReader reader, Tag tag)
    {
        if (reader.TokenType != JsonTokenType.String) throw Wrong(ref reader, "a value is no string", tag);
        try
        {
            return reader.GetString()!;
        }
        catch (InvalidOperationException)
        {
            // Bytes that are not UTF-8, or half of a surrogate pair.
            throw Wrong(ref reader, "a string is not Unicode", tag);
        }
    }

    internal static DicomFormatException Wrong(ref Utf8JsonReader reader, string message, Tag? tag = null) => new(message, reader.TokenStartIndex, tag);
}
