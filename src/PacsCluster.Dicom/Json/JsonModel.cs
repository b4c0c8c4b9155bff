using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace PacsCluster.Dicom;

/// <summary>The DICOM JSON Model (PS3.18 annex F).</summary>
public static class JsonModel
{
    /// <summary>For a <see cref="Utf8JsonWriter"/>: text as UTF-8 (control characters escaped), no check of what we write. It is not for embedding into HTML.</summary>
    public static JsonWriterOptions WriterOptions { get; } = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true };

    /// <summary>Writes a data set as one object: keys ascending, group lengths left out, values as
    /// numbers where they have an exact one, Specific Character Set as ISO_IR 192 (in items left out). UN is written as what the dictionary knows it to be.
    /// Encapsulated pixel data goes by URI or not at all. Undecodable text becomes U+FFFD.</summary>
    /// <exception cref="DicomFormatException">A sequence inside is malformed; the writer then holds part of the object.</exception>
    public static void Write(Utf8JsonWriter writer, DataSet dataSet, JsonWriteOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(writer);
        ArgumentNullException.ThrowIfNull(dataSet);
        new JsonDataSetWriter(writer, options ?? JsonWriteOptions.Default).Write(dataSet);
    }

    /// <summary>Writes one attribute from its text, as a property of an object that is open: what is known as text (a row of a database, a URL) needs no data set
    /// around it. Written as <see cref="Write(Utf8JsonWriter, DataSet, JsonWriteOptions?)"/> would.</summary>
    /// <param name="writer">Made with <see cref="WriterOptions"/>.</param>
    /// <param name="tag">Its tag; the caller keeps them ascending.</param>
    /// <param name="vr">A text or numeric VR, not AT.</param>
    /// <param name="values">Values, joined by backslashes where the VR has several; null or empty for an attribute without value.</param>
    public static void WriteElement(Utf8JsonWriter writer, Tag tag, VR vr, string? values)
    {
        ArgumentNullException.ThrowIfNull(writer);
        JsonElements.Start(writer, tag, vr);
        if (!string.IsNullOrEmpty(values))
        {
            int most = Encoding.UTF8.GetMaxByteCount(values.Length);
            byte[]? rented = most > 512 ? ArrayPool<byte>.Shared.Rent(most) : null;
            Span<byte> buffer = rented ?? stackalloc byte[512];
            ReadOnlySpan<byte> text = buffer[..Encoding.UTF8.GetBytes(values, buffer)];
            writer.WriteStartArray(JsonElements.Value);
            if (vr.IsText()) JsonElements.WriteUtf8(writer, vr, text);
            else JsonElements.WriteNumbers(writer, text);
            writer.WriteEndArray();
            if (rented is not null) ArrayPool<byte>.Shared.Return(rented);
        }
        writer.WriteEndObject();
    }

    /// <summary>Writes one element of a data set, as a property of an object that is open; nothing when it is not there.</summary>
    public static void WriteElement(Utf8JsonWriter writer, DataSet dataSet, Tag tag, JsonWriteOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(writer);
        ArgumentNullException.ThrowIfNull(dataSet);
        if (dataSet.TryGet(tag, out DataElement element)) new JsonDataSetWriter(writer, options ?? JsonWriteOptions.Default).WriteElement(dataSet, element);
    }

    /// <summary>Opens a sequence, as a property of an object that is open. Each item is then an object; <see cref="WriteEndSequence"/> closes it.</summary>
    public static void WriteStartSequence(Utf8JsonWriter writer, Tag tag)
    {
        ArgumentNullException.ThrowIfNull(writer);
        JsonElements.Start(writer, tag, VR.SQ);
        writer.WriteStartArray(JsonElements.Value);
    }

    /// <summary>Closes what <see cref="WriteStartSequence"/> opened.</summary>
    public static void WriteEndSequence(Utf8JsonWriter writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        writer.WriteEndArray();
        writer.WriteEndObject();
    }

    /// <summary>Reads one object into a data set in Explicit VR Little Endian, in UTF-8 where it has text beyond ASCII. Numbers and strings are both
    /// accepted for DS, IS and all numeric VRs; a missing vr is looked up.</summary>
    /// <exception cref="DicomFormatException">No JSON, no DICOM JSON Model, a value that its VR cannot hold, or nested too deep.</exception>
    public static DataSet Read(ReadOnlySpan<byte> json, JsonReadOptions? options = null)
    {
        List<DataSet> all = ReadAll(json, options ?? JsonReadOptions.Default, array: false);
        return all[0];
    }

    /// <summary>Reads an array of objects, or one object, as <see cref="Read(ReadOnlySpan{byte}, JsonReadOptions?)"/> does.</summary>
    /// <exception cref="DicomFormatException">As there.</exception>
    public static IReadOnlyList<DataSet> ReadArray(ReadOnlySpan<byte> json, JsonReadOptions? options = null) =>
        ReadAll(json, options ?? JsonReadOptions.Default, array: true);

    /// <summary>Reads the object that <paramref name="reader"/> stands at (its start), and leaves the reader at its end.</summary>
    /// <exception cref="DicomFormatException">As there.</exception>
    public static DataSet Read(ref Utf8JsonReader reader, JsonReadOptions? options = null)
    {
        try
        {
            if (reader.TokenType == JsonTokenType.None) reader.Read();
            return new JsonDataSetReader(options ?? JsonReadOptions.Default).ReadObject(ref reader);
        }
        catch (JsonException e)
        {
            throw Malformed(e);
        }
    }

    private static List<DataSet> ReadAll(ReadOnlySpan<byte> json, JsonReadOptions options, bool array)
    {
        // Each level of sequence is an attribute's object, its Value array and an item's object.
        var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = 3 * options.DepthMax + 8 });
        var all = new List<DataSet>();
        try
        {
            reader.Read();
            if (array && reader.TokenType == JsonTokenType.StartArray)
            {
                while (reader.Read() && reader.TokenType != JsonTokenType.EndArray) all.Add(new JsonDataSetReader(options).ReadObject(ref reader));
            }
            else
            {
                all.Add(new JsonDataSetReader(options).ReadObject(ref reader));
            }
            if (reader.Read()) throw new DicomFormatException("something follows the JSON", reader.TokenStartIndex);
        }
        catch (JsonException e)
        {
            throw Malformed(e);
        }
        return all;
    }

    // The message of a JsonException may quote what it stumbled over.
    private static DicomFormatException Malformed(JsonException e) => new($"malformed JSON in line {e.LineNumber}", e.BytePositionInLine ?? -1);
}
