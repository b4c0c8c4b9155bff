using System.Globalization;
using System.Text;
using System.Xml;

namespace PacsCluster.Dicom;

/// <summary>Reads one document of the Native DICOM Model.</summary>
internal sealed class NativeModelReader(XmlReader reader, JsonReadOptions options)
{
    private const int ValuesMax = 1 << 20;

    private static readonly string[] s_groups = ["Alphabetic", "Ideographic", "Phonetic"];
    private static readonly string[] s_components = ["FamilyName", "GivenName", "MiddleName", "NamePrefix", "NameSuffix"];

    private readonly JsonPath _path = new();
    private bool _beyondAscii;

    /// <summary>To be set when all are known, in order; the private ones wait until their creators' blocks are.</summary>
    private readonly record struct Found(Tag Tag, VR VR, ReadOnlyMemory<byte> Value, DataSet[]? Items, string? Creator);

    public DataSet ReadDocument()
    {
        reader.MoveToContent();
        if (reader.LocalName != "NativeDicomModel") throw Wrong("no NativeDicomModel");
        var dataSet = new DataSet(TransferSyntax.ExplicitVRLittleEndian);
        List<Found> found = ReadAttributes(dataSet);
        bool hasCharacterSet = found.RemoveAll(f => f.Tag == Tags.SpecificCharacterSet) > 0;
        if (hasCharacterSet || _beyondAscii) found.Add(new Found(Tags.SpecificCharacterSet, VR.CS, "ISO_IR 192"u8.ToArray(), null, null));
        Fill(dataSet, found);
        while (reader.Read())
        {
        }
        return dataSet;
    }

    private static void Fill(DataSet dataSet, List<Found> found)
    {
        GiveBlocks(found);
        found.Sort((a, b) => a.Tag.CompareTo(b.Tag));
        foreach (Found one in found)
        {
            if (one.Items is not null) dataSet.SetItems(one.Tag, one.Items);
            else dataSet.SetRaw(one.Tag, one.VR, one.Value);
        }
    }

    /// <summary>Private elements come without block number: each creator's is that of its creator element, or the first free one.</summary>
    private static void GiveBlocks(List<Found> found)
    {
        Dictionary<(ushort, string), byte>? blocks = null;
        for (int i = 0; i < found.Count; i++)
        {
            if (found[i] is not { Creator: { } creator, Tag: { Element: <= 0xFF } tag }) continue;
            blocks ??= found.Where(f => f.Tag.IsPrivateCreator && f.Creator is null).GroupBy(f => (f.Tag.Group, Encoding.UTF8.GetString(f.Value.Span).Trim()))
                .ToDictionary(g => g.Key, g => (byte)g.First().Tag.Element);
            if (!blocks.TryGetValue((tag.Group, creator), out byte block))
            {
                int free = Enumerable.Range(0x10, 0xF0).FirstOrDefault(b => !blocks.Any(used => used.Key.Item1 == tag.Group && used.Value == b));
                if (free == 0) throw new DicomFormatException("more private creators in a group than it has blocks", -1, tag);
                blocks[(tag.Group, creator)] = block = (byte)free;
                found.Add(new Found(new Tag(tag.Group, block), VR.LO, Encoding.UTF8.GetBytes(creator), null, null));
            }
            found[i] = found[i] with { Tag = new Tag(tag.Group, (ushort)(block << 8 | tag.Element)) };
        }
    }

    /// <summary>The attributes inside the element that the reader stands at; leaves it at that element's end.</summary>
    private List<Found> ReadAttributes(DataSet dataSet)
    {
        var found = new List<Found>();
        foreach (string name in Children())
        {
            if (name != "DicomAttribute")
            {
                reader.Skip();
                continue;
            }
            if (ReadAttribute(dataSet) is { } one && (!one.Tag.IsGroupLength || one.Creator is not null) && one.Tag.Group != 0xFFFE) found.Add(one);
        }
        return found;
    }

    private Found? ReadAttribute(DataSet dataSet)
    {
        if (!Tag.TryParse(reader.GetAttribute("tag") ?? "", out Tag tag)) throw Wrong("a tag is not eight hexadecimal digits");
        string? creator = tag.IsPrivate ? reader.GetAttribute("privateCreator") : null;
        VR vr = DataDictionary.GetVR(tag);
        if (reader.GetAttribute("vr") is { } said)
        {
            vr = said.Length == 2 ? VRs.FromBytes((byte)said[0], (byte)said[1]) : VR.None;
            if (vr == VR.None) throw Wrong("a vr is none of the standard", tag);
        }
        if (vr == VR.SQ) return new Found(tag, vr, default, ReadItems(dataSet, tag), creator);
        var values = new SortedList<int, string>();
        foreach (string name in Children())
        {
            switch (name)
            {
                case "BulkData":
                    string uri = reader.GetAttribute("uri") ?? reader.GetAttribute("uuid") ?? throw Wrong("a BulkData has no uri", tag);
                    reader.Skip();
                    SkipRest();
                    return options.ReadBulk?.Invoke(new JsonBulkReference(_path, tag, vr, uri)) is { } bulk ? new Found(tag, vr, bulk, null, creator) : null;
                case "InlineBinary":
                    byte[] bytes = FromBase64(tag);
                    SkipRest();
                    return new Found(tag, vr, bytes, null, creator);
                case "Value" or "PersonName":
                    int number = int.TryParse(reader.GetAttribute("number"), NumberStyles.None, CultureInfo.InvariantCulture, out int n) ? n : values.Count + 1;
                    if (number is < 1 or > ValuesMax) throw Wrong("a value's number is out of range", tag);
                    values[number] = name == "Value" ? reader.ReadElementContentAsString() : ReadName();
                    break;
                default:
                    reader.Skip();
                    break;
            }
        }
        if (vr.IsBulk() && values.Count > 0) throw Wrong("binary stands in a Value", tag);
        return new Found(tag, vr, Encode(tag, vr, values), null, creator);
    }

    private ReadOnlyMemory<byte> Encode(Tag tag, VR vr, SortedList<int, string> values)
    {
        if (values.Count == 0) return default;
        var text = new StringBuilder();
        for (int number = 1; number <= values.Keys[^1]; number++)
        {
            if (number > 1) text.Append('\\');
            if (values.TryGetValue(number, out string? value)) text.Append(value);
        }
        string all = text.ToString();
        if (vr.IsText())
        {
            if (!Ascii.IsValid(all)) _beyondAscii = true;
            return Encoding.UTF8.GetBytes(all);
        }
        var one = new DataSet(TransferSyntax.ExplicitVRLittleEndian);
        try
        {
            one.Set(tag, all, vr);
        }
        catch (ArgumentException)
        {
            throw Wrong($"not a value of VR {vr}", tag);
        }
        return one.TryGet(tag, out DataElement element) ? element.RawValue : default;
    }

    private DataSet[] ReadItems(DataSet dataSet, Tag tag)
    {
        if (_path.Depth >= options.DepthMax) throw Wrong("sequences are nested too deep", tag);
        var items = new List<DataSet>();
        _path.Enter(tag);
        foreach (string name in Children())
        {
            if (name != "Item")
            {
                reader.Skip();
                continue;
            }
            _path.NextItem();
            DataSet item = dataSet.NewItem();
            items.Add(item);
            List<Found> found = ReadAttributes(item);
            // All text is UTF-8, as the data set around says.
            found.RemoveAll(f => f.Tag == Tags.SpecificCharacterSet);
            Fill(item, found);
        }
        _path.Leave();
        return [.. items];
    }

    private string ReadName()
    {
        string[] groups = ["", "", ""];
        foreach (string name in Children())
        {
            int group = Array.IndexOf(s_groups, name);
            if (group < 0)
            {
                reader.Skip();
                continue;
            }
            string[] components = ["", "", "", "", ""];
            foreach (string part in Children())
            {
                int component = Array.IndexOf(s_components, part);
                if (component < 0) reader.Skip();
                else components[component] = reader.ReadElementContentAsString();
            }
            groups[group] = string.Join('^', components).TrimEnd('^');
        }
        return string.Join('=', groups).TrimEnd('=');
    }

    private byte[] FromBase64(Tag tag)
    {
        try
        {
            return Convert.FromBase64String(reader.ReadElementContentAsString());
        }
        catch (FormatException)
        {
            throw Wrong("an InlineBinary is not Base64", tag);
        }
    }

    /// <summary>The local names of the child elements of the element that the reader stands at. The caller reads each child to its end; after the last the reader
    /// stands behind the element.</summary>
    private IEnumerable<string> Children()
    {
        if (reader.IsEmptyElement)
        {
            reader.Read();
            yield break;
        }
        reader.Read();
        while (true)
        {
            switch (reader.NodeType)
            {
                case XmlNodeType.Element:
                    yield return reader.LocalName;
                    break;
                case XmlNodeType.EndElement:
                    reader.Read();
                    yield break;
                default:
                    if (!reader.Read()) yield break;
                    break;
            }
        }
    }

    /// <summary>To behind the end of the attribute whose child was read.</summary>
    private void SkipRest()
    {
        while (reader.NodeType != XmlNodeType.EndElement)
        {
            if (reader.NodeType == XmlNodeType.Element) reader.Skip();
            else if (!reader.Read()) return;
        }
        reader.Read();
    }

    private DicomFormatException Wrong(string message, Tag? tag = null) => new(message, (reader as IXmlLineInfo)?.LineNumber ?? -1, tag);
}
