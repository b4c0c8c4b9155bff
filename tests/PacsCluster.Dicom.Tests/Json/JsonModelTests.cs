using System.Text;
using System.Text.Json;
using PacsCluster.Testing;

namespace PacsCluster.Dicom.Tests.Json;

/// <summary>PS3.18 annex F.</summary>
public sealed class JsonModelTests
{
    private static string Write(DataSet dataSet, JsonWriteOptions? options = null)
    {
        using var stream = new MemoryStream();
        using (var writer = new Utf8JsonWriter(stream, JsonModel.WriterOptions)) JsonModel.Write(writer, dataSet, options);
        return Encoding.UTF8.GetString(stream.ToArray());
    }

    private static DataSet Read(string json, JsonReadOptions? options = null) => JsonModel.Read(Encoding.UTF8.GetBytes(json), options);

    private static void AssertWritten(string expected, DataSet dataSet) => Assert.Equal(expected.Replace('\'', '"'), Write(dataSet));

    [Fact]
    public void C_96_keys_ascend_and_empty_attributes_have_a_vr_only()
    {
        var dataSet = new DataSet();
        dataSet.Set(Tags.PatientID, "1");
        dataSet.Set(Tags.AccessionNumber, null);
        dataSet.Set(new Tag(0x00080000), 42, VR.UL);
        AssertWritten("{'00080050':{'vr':'SH'},'00100020':{'vr':'LO','Value':['1']}}", dataSet);
    }

    [Theory]
    [InlineData("Smith^John", "{'Alphabetic':'Smith^John'}")]
    [InlineData("Smith^John^^^", "{'Alphabetic':'Smith^John'}")]
    [InlineData("Yamada^Tarou=山田^太郎=やまだ^たろう", "{'Alphabetic':'Yamada^Tarou','Ideographic':'山田^太郎','Phonetic':'やまだ^たろう'}")]
    [InlineData("=山田^太郎", "{'Ideographic':'山田^太郎'}")]
    [InlineData("A^B\\\\C^D", "{'Alphabetic':'A^B'},null,{'Alphabetic':'C^D'}")]
    public void C_97_person_names_are_objects_of_their_groups(string value, string json)
    {
        var dataSet = new DataSet();
        dataSet.Set(Tags.SpecificCharacterSet, "ISO_IR 192");
        dataSet.Set(Tags.PatientName, value);
        AssertWritten($"{{'00080005':{{'vr':'CS','Value':['ISO_IR 192']}},'00100010':{{'vr':'PN','Value':[{json}]}}}}", dataSet);
    }

    [Theory]
    [InlineData(VR.DS, "1.5", "1.5")]
    [InlineData(VR.DS, "-0.10\\1e5", "-0.10,1e5")]
    [InlineData(VR.DS, "+1.5", "'+1.5'")] // no JSON number; the text stays
    [InlineData(VR.DS, "007", "'007'")]
    [InlineData(VR.DS, ".5\\5.", "'.5','5.'")]
    [InlineData(VR.DS, "1.23456789012345", "1.23456789012345")]
    [InlineData(VR.DS, "0.12345678901234", "0.12345678901234")]
    [InlineData(VR.DS, "1234567890123456", "'1234567890123456'")]
    [InlineData(VR.DS, "1e999", "'1e999'")]
    [InlineData(VR.IS, "12\\-3", "12,-3")]
    [InlineData(VR.IS, "1.5", "'1.5'")]
    [InlineData(VR.IS, "\\2\\", "null,2,null")]
    [InlineData(VR.CS, "A\\\\B\\", "'A',null,'B',null")]
    [InlineData(VR.LT, "A\\B", "'A\\\\B'")]
    [InlineData(VR.UT, " A\u0001\n ", "' A\\u0001\\n'")]
    [InlineData(VR.UR, "http://a/b\\c", "'http://a/b\\\\c'")]
    [InlineData(VR.UI, "1.2\\1.3", "'1.2','1.3'")]
    [InlineData(VR.US, "0\\65535", "0,65535")]
    [InlineData(VR.SL, "-5", "-5")]
    [InlineData(VR.AT, "00100020", "'00100020'")]
    [InlineData(VR.UV, "9007199254740992\\9007199254740993\\18446744073709551615", "9007199254740992,'9007199254740993','18446744073709551615'")]
    [InlineData(VR.SV, "-9007199254740992\\-9007199254740993", "-9007199254740992,'-9007199254740993'")]
    [InlineData(VR.FL, "0.1\\NaN\\Infinity\\-Infinity\\-0", "0.1,'NaN','Infinity','-Infinity',-0")]
    [InlineData(VR.FD, "0.1\\NaN\\4.9E-324\\-0", "0.1,'NaN',5E-324,-0")]
    [InlineData(VR.DA, "20260101", "'20260101'")]
    [InlineData(VR.TM, "235959.999", "'235959.999'")]
    public void C_98_C_99_C_100_C_104_values_by_VR(VR vr, string value, string json)
    {
        var dataSet = new DataSet();
        dataSet.Set(new Tag(0x00400001), value, vr);
        AssertWritten($"{{'00400001':{{'vr':'{vr}','Value':[{json}]}}}}", dataSet);
        // And back: the same JSON, so the same values.
        AssertWritten($"{{'00400001':{{'vr':'{vr}','Value':[{json}]}}}}", Read(Write(dataSet)));
    }

    [Fact]
    public void C_101_binary_is_little_endian_Base64()
    {
        var big = new DataSet(TransferSyntax.ExplicitVRBigEndian);
        big.SetRaw(Tags.RedPaletteColorLookupTableData, VR.OW, new byte[] { 1, 2, 3, 4 });
        big.SetRaw(Tags.PixelData, VR.OB, new byte[] { 1, 2 });
        AssertWritten("{'00281201':{'vr':'OW','InlineBinary':'AgEEAw=='},'7FE00010':{'vr':'OB','InlineBinary':'AQI='}}", big);
        Assert.Equal(new byte[] { 2, 1, 4, 3 }, Value(Read(Write(big)), Tags.RedPaletteColorLookupTableData));
    }

    [Fact]
    public void C_102_sequences_keep_empty_items_and_their_order()
    {
        var dataSet = new DataSet();
        DataSet item = dataSet.NewItem();
        item.Set(Tags.ReferencedSOPInstanceUID, "1.2");
        item.Set(Tags.SpecificCharacterSet, "ISO_IR 100");
        dataSet.SetItems(Tags.ReferencedImageSequence, [dataSet.NewItem(), item]);
        dataSet.SetItems(Tags.ReferencedSeriesSequence, []);
        AssertWritten("{'00081115':{'vr':'SQ'},'00081140':{'vr':'SQ','Value':[{},{'00081155':{'vr':'UI','Value':['1.2']}}]}}", dataSet);
        DataSet back = Read(Write(dataSet));
        Assert.Equal(2, back.GetItems(Tags.ReferencedImageSequence).Count);
        Assert.Equal("1.2", back.GetItems(Tags.ReferencedImageSequence)[1].GetString(Tags.ReferencedSOPInstanceUID));
        Assert.Equal(Write(dataSet), Write(DataSet.Read(back.ToArray(), TransferSyntax.ExplicitVRLittleEndian)));
    }

    [Fact]
    public void C_103_text_is_UTF8_whatever_it_was()
    {
        var dataSet = new DataSet();
        dataSet.Set(Tags.SpecificCharacterSet, "ISO_IR 100");
        dataSet.Set(Tags.PatientName, "Müller");
        string json = Write(dataSet);
        Assert.Contains("Müller", json, StringComparison.Ordinal);
        Assert.Contains("ISO_IR 192", json, StringComparison.Ordinal);
        DataSet back = Read(json);
        Assert.Equal("Müller", back.GetString(Tags.PatientName));
        Assert.Equal("ISO_IR 192", back.GetString(Tags.SpecificCharacterSet));
        // A sender that forgot to say so.
        Assert.Equal("ISO_IR 192", Read("""{"00100010":{"vr":"PN","Value":[{"Alphabetic":"Müller"}]}}""").GetString(Tags.SpecificCharacterSet));
        Assert.Equal("Müller", Read("""{"00081140":{"vr":"SQ","Value":[{"00100010":{"vr":"PN","Value":[{"Alphabetic":"Müller"}]}}]}}""").GetItems(Tags.ReferencedImageSequence)[0].GetString(Tags.PatientName));
    }

    [Fact]
    public void C_103_bytes_that_are_no_text_are_replaced_and_control_characters_are_escaped()
    {
        var dataSet = new DataSet();
        dataSet.Set(Tags.SpecificCharacterSet, "ISO_IR 192");
        dataSet.SetRaw(Tags.PatientID, VR.LO, new byte[] { (byte)'A', 0xFF, (byte)'B', 0xED, 0xA0, 0x80 });
        dataSet.SetRaw(Tags.TextValue, VR.UT, "a\u0001\r\nb"u8.ToArray());
        string json = Write(dataSet);
        Assert.DoesNotContain(json, char.IsControl);
        Assert.DoesNotContain(json, char.IsSurrogate);
        using System.Text.Json.JsonDocument read = System.Text.Json.JsonDocument.Parse(json);
        Assert.Matches("^A\uFFFD+B\uFFFD+$", read.RootElement.GetProperty("00100020").GetProperty("Value")[0].GetString());
        Assert.Equal("a\u0001\r\nb", read.RootElement.GetProperty("0040A160").GetProperty("Value")[0].GetString());
    }

    [Fact]
    public void C_105_UN_that_the_dictionary_knows_is_written_as_what_it_is()
    {
        var dataSet = new DataSet();
        dataSet.SetRaw(Tags.PatientID, VR.UN, "AB"u8.ToArray());
        dataSet.SetRaw(new Tag(0x00991001), VR.UN, new byte[] { 1 });
        AssertWritten("{'00100020':{'vr':'LO','Value':['AB']},'00991001':{'vr':'UN','InlineBinary':'AQ=='}}", dataSet);
    }

    [Fact]
    public void C_101_bulk_goes_by_URI_when_the_caller_says_so()
    {
        var dataSet = new DataSet();
        DataSet item = dataSet.NewItem();
        item.SetRaw(Tags.WaveformData, VR.OW, new byte[100]);
        dataSet.SetItems(Tags.WaveformSequence, [dataSet.NewItem(), item]);
        dataSet.Set(Tags.PatientComments, new string('x', 5000));
        dataSet.Set(Tags.StudyDescription, "short");
        var options = new JsonWriteOptions
        {
            BulkDataUri = b => b.Tag == Tags.WaveformData ? $"../bulk/{b.Path}" : b.Source is { } source ? $"#{source.Offset}" : "long",
            LeftOut = [new BulkValue(Tags.ICCProfile, VR.OB, 500, 70_000), new BulkValue(Tags.PixelData, VR.OW, 1234, 1 << 20)],
        };
        string json = Write(dataSet, options);
        Assert.Contains("\"BulkDataURI\":\"../bulk/54000100/1/54001010\"", json, StringComparison.Ordinal);
        Assert.Contains("\"00104000\":{\"vr\":\"LT\",\"BulkDataURI\":\"long\"}", json, StringComparison.Ordinal);
        Assert.Contains("\"00282000\":{\"vr\":\"OB\",\"BulkDataURI\":\"#500\"},\"54000100\"", json, StringComparison.Ordinal);
        Assert.EndsWith("\"7FE00010\":{\"vr\":\"OW\",\"BulkDataURI\":\"#1234\"}}", json, StringComparison.Ordinal);

        var seen = new List<string>();
        DataSet back = Read(json, new JsonReadOptions
        {
            ReadBulk = b =>
            {
                seen.Add($"{b.Path} {b.VR} {b.Uri}");
                return b.Tag == Tags.PixelData ? new byte[] { 1, 2 } : null;
            },
        });
        Assert.Equal(["00104000 LT long", "00282000 OB #500", "54000100/1/54001010 OW ../bulk/54000100/1/54001010", "7FE00010 OW #1234"], seen);
        Assert.Equal(new byte[] { 1, 2 }, Value(back, Tags.PixelData));
        Assert.False(back.Contains(Tags.PatientComments));
        Assert.False(Read(json).Contains(Tags.PixelData));
    }

    [Fact]
    public void C_101_encapsulated_pixel_data_goes_by_URI_or_not_at_all()
    {
        byte[] bytes = [0xE0, 0x7F, 0x10, 0, (byte)'O', (byte)'B', 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFE, 0xFF, 0x00, 0xE0, 0, 0, 0, 0, 0xFE, 0xFF, 0x00, 0xE0, 2, 0, 0, 0, 1, 2, 0xFE, 0xFF, 0xDD, 0xE0, 0, 0, 0, 0];
        DataSet dataSet = DataSet.Read(bytes, TransferSyntax.FromUid(Uids.JPEGBaseline8Bit));
        Assert.Equal("{}", Write(dataSet));
        Assert.Equal("""{"7FE00010":{"vr":"OB","BulkDataURI":"-1"}}""", Write(dataSet, new JsonWriteOptions { BulkDataUri = b => b.Length.ToString() }));
    }

    [Theory]
    [InlineData("""{"00100020":{"Value":["1"],"vr":"LO"}}""")] // the value first
    [InlineData("""{"00100020":{"Value":["1"]}}""")] // no vr
    [InlineData("""{"00100020":{"vr":"LO","Value":["1"],"extra":{"a":[1,2]}}}""")]
    [InlineData("""{"00100020":{"vr":"LO","Value":[1]}}""")]
    [InlineData("""{"00100020":{"vr":"LO","InlineBinary":"MQ=="}}""")]
    public void C_98_reader_takes_what_other_writers_write(string json) => Assert.Equal("1", Read(json).GetString(Tags.PatientID));

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("{")]
    [InlineData("{} {}")]
    [InlineData("""{"PatientID":{"vr":"LO"}}""")]
    [InlineData("""{"0010002":{"vr":"LO"}}""")]
    [InlineData("""{"00100020":"1"}""")]
    [InlineData("""{"00100020":{"vr":"XX"}}""")]
    [InlineData("""{"00100020":{"vr":"LO","Value":"1"}}""")]
    [InlineData("""{"00100020":{"vr":"LO","Value":[{"a":1}]}}""")]
    [InlineData("""{"00100020":{"vr":"LO","Value":["1"],"InlineBinary":"MQ=="}}""")]
    [InlineData("""{"00100020":{"vr":"LO","Value":["\ud800"]}}""")]
    [InlineData("""{"00280010":{"vr":"US","Value":[65536]}}""")]
    [InlineData("""{"00280010":{"vr":"US","Value":[1.5]}}""")]
    [InlineData("""{"00280010":{"vr":"US","Value":["x"]}}""")]
    [InlineData("""{"00280009":{"vr":"AT","Value":["0010002G"]}}""")]
    [InlineData("""{"00189073":{"vr":"FD","Value":[1e999]}}""")]
    [InlineData("""{"7FE00010":{"vr":"OW","InlineBinary":"***"}}""")]
    [InlineData("""{"7FE00010":{"vr":"OW","Value":[1]}}""")]
    [InlineData("""{"00081140":{"vr":"SQ","Value":[1]}}""")]
    public void What_is_no_DICOM_JSON_is_named(string json) => Assert.Throws<DicomFormatException>(() => Read(json));

    [Fact]
    public void Too_deep_is_named()
    {
        string json = string.Concat(Enumerable.Repeat("""{"00081140":{"vr":"SQ","Value":[""", 10_000));
        Assert.Throws<DicomFormatException>(() => Read(json));
        const string open = """{"00081140":{"vr":"SQ","Value":[""", close = "]}}";
        Assert.Single(Read(string.Concat(Enumerable.Repeat(open, 60)) + "{}" + string.Concat(Enumerable.Repeat(close, 60))));
        Assert.Throws<DicomFormatException>(() => Read(string.Concat(Enumerable.Repeat(open, 65)) + "{}" + string.Concat(Enumerable.Repeat(close, 65))));
    }

    [Fact]
    public void Attributes_in_falling_order_are_read_in_time()
    {
        var json = new StringBuilder("{");
        for (int i = 60_000; i > 0; i--) json.Append($"\"0009{i:X4}\":{{\"vr\":\"LO\"}},");
        json.Length--;
        Assert.Equal(60_000, Read(json.Append('}').ToString()).Count);
    }

    [Fact]
    public void Mutated_JSON_is_read_or_named_within_bounded_memory()
    {
        string folder = Path.Combine(Corpus.Root, "pydicom");
        byte[][] seeds =
        [
            .. Directory.EnumerateFiles(folder, "*.dcm", SearchOption.AllDirectories).Order(StringComparer.Ordinal)
                .Where(f => new FileInfo(f).Length < 10_000).Take(40).Select(TryWrite).Where(s => s.Length is > 0 and < 20_000),
        ];
        Assert.True(seeds.Length > 5);
        var random = new Random(20260101);
        ReadOnlySpan<byte> tokens = "{}[]\",:0123456789eE+-.nulltruefs\\u/ \xFF\0"u8;
        int read = 0, named = 0;
        for (int i = 0; i < 6000; i++)
        {
            byte[] bytes = [.. seeds[random.Next(seeds.Length)]];
            for (int n = random.Next(1, 4); n > 0; n--)
            {
                int at = random.Next(bytes.Length);
                switch (random.Next(4))
                {
                    case 0: bytes[at] = tokens[random.Next(tokens.Length)]; break;
                    case 1: bytes[at] = (byte)random.Next(256); break;
                    case 2: bytes = bytes[..Math.Max(1, at)]; break;
                    default: bytes = [.. bytes[..at], .. bytes[random.Next(at)..]]; break;
                }
            }
            long before = GC.GetAllocatedBytesForCurrentThread();
            try
            {
                DataSet dataSet = JsonModel.Read(bytes);
                read++;
                Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 200L * bytes.Length + 100_000);
                _ = Write(dataSet);
            }
            catch (DicomFormatException)
            {
                named++;
            }
        }
        Assert.True(read > 100 && named > 1000, $"{read} read, {named} named");
    }

    private static byte[] TryWrite(string file)
    {
        try
        {
            return Encoding.UTF8.GetBytes(Write(Part10.Read(File.ReadAllBytes(file)).DataSet));
        }
        catch (DicomFormatException)
        {
            return [];
        }
    }

    private static byte[] Value(DataSet dataSet, Tag tag)
    {
        Assert.True(dataSet.TryGet(tag, out DataElement element));
        return element.RawValue.ToArray();
    }
}
