using System.Text;
using System.Xml;

namespace PacsCluster.Dicom;

/// <summary>The Native DICOM Model in XML (PS3.19 annex A.1, media type application/dicom+xml of PS3.18). What goes by URI is chosen as for
/// the DICOM JSON Model, so the options are the same.</summary>
public static class NativeModel
{
    /// <summary>Namespace of its elements.</summary>
    public const string Namespace = "http://dicom.nema.org/PS3.19/models/NativeDICOM";

    private static readonly XmlWriterSettings s_writing = new() { Encoding = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false), NewLineHandling = NewLineHandling.Entitize };

    /// <summary>Writes one data set as one document: tags ascending, group lengths left out, Specific Character Set as ISO_IR 192, private elements with their creator and
    /// without its block number. Characters that XML 1.0 has not become U+FFFD. Encapsulated pixel data goes by URI or not at all.</summary>
    /// <param name="to">Where to; written synchronously, not closed.</param>
    /// <param name="dataSet">Data set.</param>
    /// <param name="options">What goes by URI; null writes all inline.</param>
    /// <exception cref="DicomFormatException">A sequence inside is malformed; part of the document is written then.</exception>
    public static void Write(Stream to, DataSet dataSet, JsonWriteOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(to);
        ArgumentNullException.ThrowIfNull(dataSet);
        using XmlWriter writer = XmlWriter.Create(to, s_writing);
        new NativeModelWriter(writer, options ?? JsonWriteOptions.Default).WriteDocument(dataSet);
    }

    /// <summary>Reads one document into a data set in Explicit VR Little Endian, in UTF-8 where it has text beyond ASCII. Elements of any namespace are
    /// accepted, a missing vr is looked up, a private element without block number gets that of its creator.</summary>
    /// <exception cref="DicomFormatException">No XML, not this model, a value that its VR cannot hold, nested too deep, or with a document type definition.</exception>
    public static DataSet Read(Stream from, JsonReadOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(from);
        options ??= JsonReadOptions.Default;
        using XmlReader reader = XmlReader.Create(from, new XmlReaderSettings
        {
            DtdProcessing = DtdProcessing.Prohibit, XmlResolver = null, IgnoreComments = true, IgnoreProcessingInstructions = true, CloseInput = false,
        });
        try
        {
            return new NativeModelReader(reader, options).ReadDocument();
        }
        catch (XmlException e)
        {
            // The message of an XmlException may quote what it stumbled over.
            throw new DicomFormatException($"malformed XML in line {e.LineNumber}", e.LinePosition);
        }
    }
}
