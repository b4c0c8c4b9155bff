using System.Globalization;
using System.Xml;

namespace PacsCluster.Dicom;

/// <summary>Writes one document of the Native DICOM Model.</summary>
internal sealed class NativeModelWriter(XmlWriter writer, JsonWriteOptions options)
{
    private static readonly string[] s_groups = ["Alphabetic", "Ideographic", "Phonetic"];
    private static readonly string[] s_components = ["FamilyName", "GivenName", "MiddleName", "NamePrefix", "NameSuffix"];

    private readonly JsonPath _path = new();

    public void WriteDocument(DataSet dataSet)
    {
        writer.WriteStartDocument();
        writer.WriteStartElement("NativeDicomModel", NativeModel.Namespace);
        writer.WriteAttributeString("xml", "space", null, "preserve");
        Write(dataSet);
        writer.WriteEndElement();
        writer.WriteEndDocument();
    }

    private void Write(DataSet dataSet)
    {
        IReadOnlyList<BulkValue> leftOut = _path.Depth == 0 ? options.LeftOut : [];
        int next = 0;
        foreach (DataElement element in dataSet)
        {
            while (next < leftOut.Count && leftOut[next].Tag < element.Tag) WriteLeftOut(dataSet, leftOut[next++]);
            if (element.Tag.IsGroupLength || element.Tag.Group == 0xFFFE) continue;
            if (element.Tag == Tags.SpecificCharacterSet) WriteCharacterSet(dataSet);
            else WriteElement(dataSet, element);
        }
        while (next < leftOut.Count) WriteLeftOut(dataSet, leftOut[next++]);
    }

    private void WriteLeftOut(DataSet dataSet, in BulkValue bulk)
    {
        if (bulk.VR == VR.SQ || bulk.Tag.IsGroupLength || dataSet.Contains(bulk.Tag)) return;
        if (options.BulkDataUri?.Invoke(new JsonBulkValue(_path, bulk.Tag, bulk.VR, bulk.Length, bulk)) is not { } uri) return;
        Start(dataSet, bulk.Tag, bulk.VR);
        WriteUri(uri);
        writer.WriteEndElement();
    }

    private void WriteCharacterSet(DataSet dataSet)
    {
        if (_path.Depth > 0) return;
        Start(dataSet, Tags.SpecificCharacterSet, VR.CS);
        WriteValue(1, "ISO_IR 192");
        writer.WriteEndElement();
    }

    private void WriteElement(DataSet dataSet, in DataElement element)
    {
        VR vr = element.EffectiveVR;
        bool encapsulated = element.HasUndefinedLength && vr != VR.SQ;
        string? uri = vr != VR.SQ && !element.IsEmpty && options.MayGoByUri(vr, element.RawValue.Length)
            ? options.BulkDataUri?.Invoke(new JsonBulkValue(_path, element.Tag, vr, encapsulated ? -1 : element.RawValue.Length))
            : null;
        if (encapsulated && uri is null) return;
        Start(dataSet, element.Tag, vr);
        if (uri is not null) WriteUri(uri);
        else if (vr == VR.SQ) WriteItems(element);
        else if (vr.IsBulk()) WriteBinary(element);
        else if (vr == VR.PN) WriteNames(element.GetStrings());
        else
        {
            string[] values = element.GetStrings();
            for (int i = 0; i < values.Length; i++) WriteValue(i + 1, values[i]);
        }
        writer.WriteEndElement();
    }

    private void WriteItems(in DataElement element)
    {
        _path.Enter(element.Tag);
        int number = 0;
        foreach (DataSet item in element.Items)
        {
            _path.NextItem();
            writer.WriteStartElement("Item", NativeModel.Namespace);
            WriteNumber(++number);
            Write(item);
            writer.WriteEndElement();
        }
        _path.Leave();
    }

    private void WriteBinary(in DataElement element)
    {
        if (element.IsEmpty) return;
        writer.WriteElementString("InlineBinary", NativeModel.Namespace, Convert.ToBase64String(element.LittleEndianValue.Span));
    }

    private void WriteNames(string[] names)
    {
        for (int i = 0; i < names.Length; i++)
        {
            writer.WriteStartElement("PersonName", NativeModel.Namespace);
            WriteNumber(i + 1);
            string[] groups = names[i].Split('=');
            for (int g = 0; g < Math.Min(groups.Length, s_groups.Length); g++)
            {
                if (groups[g].AsSpan().Trim("^ ").IsEmpty) continue;
                writer.WriteStartElement(s_groups[g], NativeModel.Namespace);
                string[] components = groups[g].Split('^', s_components.Length);
                for (int c = 0; c < components.Length; c++)
                {
                    string component = components[c].Trim();
                    if (component.Length > 0) writer.WriteElementString(s_components[c], NativeModel.Namespace, Allowed(component));
                }
                writer.WriteEndElement();
            }
            writer.WriteEndElement();
        }
    }

    private void WriteUri(string uri)
    {
        writer.WriteStartElement("BulkData", NativeModel.Namespace);
        writer.WriteAttributeString("uri", uri);
        writer.WriteEndElement();
    }

    private void WriteValue(int number, string value)
    {
        writer.WriteStartElement("Value", NativeModel.Namespace);
        WriteNumber(number);
        writer.WriteString(Allowed(value));
        writer.WriteEndElement();
    }

    private void WriteNumber(int number) => writer.WriteAttributeString("number", number.ToString(CultureInfo.InvariantCulture));

    /// <summary>A private element is known by its creator; its block is this data set's own affair (PS3.19 table A.1.5-2).</summary>
    private void Start(DataSet dataSet, Tag tag, VR vr)
    {
        writer.WriteStartElement("DicomAttribute", NativeModel.Namespace);
        string? creator = tag.IsPrivate && !tag.IsPrivateCreator ? dataSet.GetString(tag.PrivateCreatorTag) : null;
        writer.WriteAttributeString("tag", (creator is null ? tag : new Tag(tag.Value & 0xFFFF_00FF)).ToHex());
        writer.WriteAttributeString("vr", vr.ToString());
        if (DataDictionary.TryGet(tag, out DictionaryEntry entry)) writer.WriteAttributeString("keyword", entry.Keyword);
        if (creator is not null) writer.WriteAttributeString("privateCreator", Allowed(creator));
    }

    private static string Allowed(string text)
    {
        for (int i = 0; i < text.Length; i++)
        {
            if (!XmlConvert.IsXmlChar(text[i]) && !IsPairAt(text, i)) return string.Create(text.Length, text, Replace);
            if (char.IsHighSurrogate(text[i])) i++;
        }
        return text;
    }

    private static void Replace(Span<char> to, string text)
    {
        for (int i = 0; i < text.Length; i++)
        {
            if (IsPairAt(text, i))
            {
                (to[i], to[i + 1]) = (text[i], text[i + 1]);
                i++;
            }
            else to[i] = XmlConvert.IsXmlChar(text[i]) ? text[i] : '\ufffd';
        }
    }

    private static bool IsPairAt(string text, int at) => at + 1 < text.Length && char.IsSurrogatePair(text[at], text[at + 1]);
}
