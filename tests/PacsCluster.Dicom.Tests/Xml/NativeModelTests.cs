using System.Text;
using System.Text.Json;
using System.Xml.Linq;
using PacsCluster.Testing;

namespace PacsCluster.Dicom.Tests.Xml;

public sealed class NativeModelTests
{
    private static readonly XNamespace s_native = NativeModel.Namespace;

    private static byte[] Xml(DataSet dataSet, JsonWriteOptions? options = null)
    {
        using var stream = new MemoryStream();
        NativeModel.Write(stream, dataSet, options);
        return stream.ToArray();
    }

    private static string Json(DataSet dataSet)
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream, JsonModel.WriterOptions)) JsonModel.Write(json, dataSet);
        return Encoding.UTF8.GetString(stream.ToArray());
    }

    private static DataSet Read(byte[] xml, JsonReadOptions? options = null) => NativeModel.Read(new MemoryStream(xml), options);

    private static Tag Tag(string keyword)
    {
        Assert.True(DataDictionary.TryGetTag(keyword, out Tag tag));
        return tag;
    }

    [Fact]
    public void C_95_every_kind_of_attribute_is_written_as_PS3_19_has_it()
    {
        var dataSet = new DataSet(TransferSyntax.ExplicitVRLittleEndian);
        dataSet.Set(Tags.SpecificCharacterSet, "ISO_IR 100");
        dataSet.Set(Tag("ImageType"), "ORIGINAL\\\\AXIAL");
        dataSet.Set(Tag("PatientName"), "Müller^Jürgen^^Dr");
        dataSet.Set(Tag("PatientComments"), "a <b> & \"c\"");
        dataSet.Set(new Tag(0x0009_0010), "MAKER", VR.LO);
        dataSet.Set(new Tag(0x0009_1002), "private", VR.LO);
        dataSet.Set(Tag("Rows"), 512);
        dataSet.SetRaw(Tag("PixelData"), VR.OB, new byte[] { 1, 2, 3, 4 });
        DataSet item = dataSet.NewItem();
        item.Set(Tag("RequestedProcedureID"), "RP1");
        dataSet.SetItems(Tag("RequestAttributesSequence"), [item, dataSet.NewItem()]);
        XElement root = XDocument.Load(new MemoryStream(Xml(dataSet))).Root!;
        Assert.Equal(s_native + "NativeDicomModel", root.Name);
        XElement Attribute(string tag) => Assert.Single(root.Elements(s_native + "DicomAttribute"), a => a.Attribute("tag")!.Value == tag);
        Assert.Equal("ISO_IR 192", Attribute("00080005").Value);
        Assert.Equal(["1 ORIGINAL", "2 ", "3 AXIAL"], Attribute("00080008").Elements().Select(v => $"{v.Attribute("number")!.Value} {v.Value}"));
        XElement name = Attribute("00100010");
        Assert.Equal("PatientName", name.Attribute("keyword")!.Value);
        Assert.Equal("PN", name.Attribute("vr")!.Value);
        Assert.Equal(["FamilyName Müller", "GivenName Jürgen", "NamePrefix Dr"], name.Element(s_native + "PersonName")!.Element(s_native + "Alphabetic")!.Elements().Select(c => $"{c.Name.LocalName} {c.Value}"));
        Assert.Equal("MAKER", Attribute("00090002").Attribute("privateCreator")!.Value);
        Assert.Equal("512", Attribute("00280010").Value);
        Assert.Equal("AQIDBA==", Attribute("7FE00010").Element(s_native + "InlineBinary")!.Value);
        Assert.Equal(["1", "2"], Attribute("00400275").Elements(s_native + "Item").Select(i => i.Attribute("number")!.Value));
        Assert.Equal(Json(dataSet), Json(Read(Xml(dataSet))));
    }

    [Fact]
    public void C_95_bulk_data_goes_by_uri_and_comes_back_by_it()
    {
        var dataSet = new DataSet(TransferSyntax.ExplicitVRLittleEndian);
        dataSet.Set(Tag("SOPInstanceUID"), "1.2");
        dataSet.SetRaw(Tag("PixelData"), VR.OW, new byte[] { 1, 2, 3, 4 });
        byte[] xml = Xml(dataSet, new JsonWriteOptions { BulkDataUri = bulk => "bulk/" + bulk.Path });
        Assert.Contains("<BulkData uri=\"bulk/7FE00010\" />", Encoding.UTF8.GetString(xml), StringComparison.Ordinal);
        DataSet read = Read(xml, new JsonReadOptions { ReadBulk = reference => reference.Uri == "bulk/7FE00010" ? [1, 2, 3, 4] : null });
        Assert.Equal(dataSet.ToArray(), read.ToArray());
        Assert.False(Read(xml).Contains(Tag("PixelData")));
    }

    [Fact]
    public void C_95_private_elements_get_the_block_of_their_creator()
    {
        const string xml = """
            <NativeDicomModel xmlns="http://dicom.nema.org/PS3.19/models/NativeDICOM">
            <DicomAttribute tag="00090001" vr="LO" privateCreator="ONE"><Value number="1">a</Value></DicomAttribute>
            <DicomAttribute tag="00090001" vr="LO" privateCreator="TWO"><Value number="1">b</Value></DicomAttribute>
            <DicomAttribute tag="00090011" vr="LO"><Value number="1">TWO</Value></DicomAttribute>
            </NativeDicomModel>
            """;
        DataSet read = Read(Encoding.UTF8.GetBytes(xml));
        Assert.Equal("ONE", read.GetString(new Tag(0x0009_0010)));
        Assert.Equal("a", read.GetString(new Tag(0x0009_1001)));
        Assert.Equal("b", read.GetString(new Tag(0x0009_1101)));
    }

    [Theory]
    [InlineData("")]
    [InlineData("no xml")]
    [InlineData("<NativeDicomModel>")]
    [InlineData("<Other/>")]
    [InlineData("<!DOCTYPE x [<!ENTITY a \"b\">]><NativeDicomModel/>")]
    [InlineData("<NativeDicomModel><DicomAttribute tag='0010' vr='PN'/></NativeDicomModel>")]
    [InlineData("<NativeDicomModel><DicomAttribute tag='00100010' vr='QQ'/></NativeDicomModel>")]
    [InlineData("<NativeDicomModel><DicomAttribute tag='00280010' vr='US'><Value number='1'>many</Value></DicomAttribute></NativeDicomModel>")]
    [InlineData("<NativeDicomModel><DicomAttribute tag='7FE00010' vr='OB'><InlineBinary>?</InlineBinary></DicomAttribute></NativeDicomModel>")]
    [InlineData("<NativeDicomModel><DicomAttribute tag='7FE00010' vr='OB'><Value number='1'>1</Value></DicomAttribute></NativeDicomModel>")]
    [InlineData("<NativeDicomModel><DicomAttribute tag='00080008' vr='CS'><Value number='99999999'>1</Value></DicomAttribute></NativeDicomModel>")]
    public void What_is_no_native_model_is_a_format_exception(string xml) => Assert.Throws<DicomFormatException>(() => Read(Encoding.UTF8.GetBytes(xml)));

    [Fact]
    public void Sequences_nested_without_end_are_refused()
    {
        string xml = "<NativeDicomModel>" + string.Concat(Enumerable.Repeat("<DicomAttribute tag='00400275' vr='SQ'><Item number='1'>", 400)) + string.Concat(Enumerable.Repeat("</Item></DicomAttribute>", 400)) + "</NativeDicomModel>";
        Assert.Throws<DicomFormatException>(() => Read(Encoding.UTF8.GetBytes(xml)));
    }

    [Fact]
    public void Characters_that_XML_lacks_become_replacement_characters()
    {
        var dataSet = new DataSet(TransferSyntax.ExplicitVRLittleEndian);
        dataSet.SetRaw(Tag("PatientComments"), VR.LT, new byte[] { (byte)'a', 1, (byte)'b', (byte)'\r', (byte)'\n', (byte)'c' });
        Assert.Equal("a\ufffdb\r\nc", Read(Xml(dataSet)).GetString(Tag("PatientComments")));
    }

    [Fact]
    public void C_95_the_corpus_says_in_XML_what_it_says_in_JSON()
    {
        int compared = 0;
        foreach (string file in Corpus.Files("pydicom/src/pydicom/data").Where(f => new FileInfo(f).Length < 400_000))
        {
            DataSet dataSet;
            string json;
            try
            {
                dataSet = Part10.Read(File.ReadAllBytes(file)).DataSet;
                json = Json(JsonModel.Read(Encoding.UTF8.GetBytes(Json(dataSet))));
            }
            catch (DicomFormatException)
            {
                continue;
            }
            if (json.Any(c => c is '\ufffd') || json.Contains("\\u00", StringComparison.Ordinal)) continue;
            Assert.Equal(json, Json(Read(Xml(dataSet))));
            compared++;
        }
        Assert.True(compared > 40, $"{compared} files");
    }

    [Theory]
    [InlineData("CT_small.dcm")]
    [InlineData("MR_small.dcm")]
    [InlineData("rtplan.dcm")]
    [InlineData("reportsi.dcm")]
    [InlineData("rtdose.dcm")]
    public async Task C_95_DCMTK_writes_the_same_attributes(string name)
    {
        string file = Assert.Single(Corpus.Files("pydicom/src/pydicom/data"), f => Path.GetFileName(f) == name);
        ToolResult theirs = await Tool.RunAsync("dcm2xml", ["-nat", "+Xn", "+U8", file]);
        Assert.True(theirs.ExitCode == 0, theirs.Output);
        XElement expected = XDocument.Parse(theirs.Output[theirs.Output.IndexOf('<', StringComparison.Ordinal)..]).Root!;
        XElement ours = XDocument.Load(new MemoryStream(Xml(Part10.Read(await File.ReadAllBytesAsync(file, TestContext.Current.CancellationToken)).DataSet))).Root!;
        string[] expectedLines = [.. Lines(expected, "")], ourLines = [.. Lines(ours, "")];
        Assert.True(expectedLines.Length > 30);
        Assert.Equal(expectedLines, ourLines);
    }

    /// <summary>Texts and numbers as text; what is binary, and floating point, which may be written in many ways, by tag and VR only.</summary>
    private static IEnumerable<string> Lines(XElement element, string path)
    {
        foreach (XElement attribute in element.Elements(s_native + "DicomAttribute"))
        {
            string tag = attribute.Attribute("tag")!.Value, vr = attribute.Attribute("vr")!.Value;
            if (tag.StartsWith("0002", StringComparison.Ordinal) || tag is "00080005" || tag.EndsWith("0000", StringComparison.Ordinal)) continue;
            string here = $"{path}/{tag} {attribute.Attribute("privateCreator")?.Value}";
            if (vr is "OB" or "OW" or "UN" or "OF" or "OD" or "FL" or "FD")
            {
                yield return $"{here} {(vr is "OB" or "OW" ? "binary" : vr)}";
                continue;
            }
            yield return $"{here} {vr} {string.Join('|', attribute.Elements(s_native + "Value").Select(v => v.Value.Trim()).Concat(attribute.Elements(s_native + "PersonName").Select(Name)).Where(v => v.Length > 0))}";
            int item = 0;
            foreach (XElement one in attribute.Elements(s_native + "Item"))
            {
                item++;
                foreach (string line in Lines(one, $"{here}[{item}]")) yield return line;
            }
        }
    }

    private static string Name(XElement name) => string.Join(' ', name.Descendants().Where(c => !c.HasElements && c.Value.Trim().Length > 0).Select(c => $"{c.Parent!.Name.LocalName}/{c.Name.LocalName}={c.Value.Trim()}"));
}
