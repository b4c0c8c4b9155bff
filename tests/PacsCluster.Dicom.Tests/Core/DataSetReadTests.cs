using PacsCluster.Testing;

namespace PacsCluster.Dicom.Tests.Core;

public class DataSetReadTests
{
    private static readonly TransferSyntax s_explicit = TransferSyntax.ExplicitVRLittleEndian;
    private static readonly TransferSyntax s_implicit = TransferSyntax.ImplicitVRLittleEndian;
    private static readonly TransferSyntax s_big = TransferSyntax.ExplicitVRBigEndian;

    private static DataSet Read(Bytes bytes, TransferSyntax? syntax = null) => DataSet.Read(bytes.ToArray(), syntax ?? s_explicit);

    [Fact]
    public void Values_of_each_kind_are_read_as_text_and_numbers()
    {
        foreach (bool big in new[] { false, true })
        {
            var b = new Bytes(big: big);
            b.Element(0x00080008, "CS", "ORIGINAL\\PRIMARY \\\\AXIAL").Element(0x00080018, "UI", "1.2.3\0");
            b.Element(0x00181310, "US", new Bytes(big: big).U16(1).U16(65535).ToArray());
            b.Element(0x00189073, "FD", BitConverter.GetBytes(big ? System.Buffers.Binary.BinaryPrimitives.ReverseEndianness(BitConverter.DoubleToInt64Bits(2.5)) : BitConverter.DoubleToInt64Bits(2.5)));
            b.Element(0x00200013, "IS", " -12 ").Element(0x00280009, "AT", new Bytes(big: big).Tag(0x00181063).ToArray());
            b.Element(0x00280030, "DS", "0.5\\0.25").Element(0x00280106, "SS", new Bytes(big: big).U16(0xFFFE).ToArray());
            DataSet d = Read(b, big ? s_big : s_explicit);
            Assert.Equal(["ORIGINAL", "PRIMARY", "", "AXIAL"], d.GetStrings(new(0x00080008)));
            Assert.Equal("ORIGINAL", d.GetString(new(0x00080008)));
            Assert.Equal("1.2.3", d.GetString(new(0x00080018)));
            Assert.Equal(["1", "65535"], d.GetStrings(new(0x00181310)));
            Assert.Equal(2.5, d.GetDouble(new(0x00189073)));
            Assert.Equal(-12, d.GetInt32(new(0x00200013)));
            Assert.Equal("00181063", d.GetString(new(0x00280009)));
            Assert.Equal(0.5, d.GetDouble(new(0x00280030)));
            Assert.Equal(-2, d.GetInt64(new(0x00280106)));
            Assert.Null(d.GetInt64(new(0x00080018)));
            Assert.Null(d.GetString(new(0x00100010)));
        }
    }

    [Fact]
    public void PS3_5_A1_implicit_VR_resolves_OB_OW_and_US_SS()
    {
        var b = new Bytes(explicitVR: false);
        b.US(0x00280100, 16).US(0x00280103, 1).US(0x00280106, 0xFFFF).Element(0x00281201, "OW", new byte[4]);
        b.Header(0x00283010, "SQ", 0xFFFFFFFF).Item().US(0x00280120, 0x8000).ItemEnd().SequenceEnd();
        b.Element(0x7FE00010, "OW", new byte[4]);
        DataSet d = Read(b, s_implicit);
        Assert.True(d.TryGet(new(0x00280106), out DataElement smallest) && smallest.VR == VR.SS);
        Assert.Equal(-1, d.GetInt32(new(0x00280106)));
        Assert.True(d.TryGet(Tags.PixelData, out DataElement pixels) && pixels.VR == VR.OW);
        // What the image says holds inside its sequences too.
        Assert.Equal(-32768, Assert.Single(d.GetItems(new(0x00283010))).GetInt32(new(0x00280120)));
    }

    [Fact]
    public void C105_UN_of_undefined_length_is_an_implicit_VR_little_endian_sequence()
    {
        foreach (bool big in new[] { false, true })
        {
            var inner = new Bytes(explicitVR: false).Item().Element(0x00080060, "", "MR").ItemEnd().SequenceEnd();
            var b = new Bytes(big: big).Header(0x00081140, "UN", 0xFFFFFFFF).Raw(inner.ToArray()).Element(0x00100020, "LO", "ID");
            DataSet d = Read(b, big ? s_big : s_explicit);
            DataSet item = Assert.Single(d.GetItems(new(0x00081140)));
            Assert.Equal("MR", item.GetString(new(0x00080060)));
            Assert.Same(s_implicit, item.Encoding);
            Assert.Equal("ID", d.GetString(new(0x00100020)));
            Assert.Equal(b.ToArray(), d.ToArray());
        }
    }

    [Fact]
    public void UN_of_undefined_length_that_is_explicit_inside_is_understood_too()
    {
        var b = new Bytes().Header(0x00091010, "UN", 0xFFFFFFFF).Item().Element(0x00080060, "CS", "MR").ItemEnd().SequenceEnd();
        Assert.Equal("MR", Assert.Single(Read(b).GetItems(new(0x00091010))).GetString(new(0x00080060)));
    }

    [Fact]
    public void C38_UN_of_defined_length_that_holds_items_is_a_sequence()
    {
        byte[] inner = new Bytes(explicitVR: false).Item(10).Element(0x00080060, "", "MR").ToArray();
        DataSet d = Read(new Bytes().Element(0x00090010, "LO", "NOBODY").Element(0x00091010, "UN", inner).Element(0x00091011, "UN", [1, 2, 3, 4]));
        Assert.Equal("MR", Assert.Single(d.GetItems(new(0x00091010))).GetString(new(0x00080060)));
        Assert.Empty(d.GetItems(new(0x00091011)));
    }

    [Fact]
    public void UN_of_a_known_tag_is_read_by_the_dictionary_in_little_endian()
    {
        var b = new Bytes(big: true).Element(0x00100020, "UN", "ID").Element(0x00280010, "UN", [0x00, 0x02]);
        DataSet d = Read(b, s_big);
        Assert.Equal("ID", d.GetString(new(0x00100020)));
        Assert.Equal(512, d.GetInt32(Tags.Rows));
        Assert.True(d.TryGet(Tags.Rows, out DataElement rows) && rows.VR == VR.UN && rows.EffectiveVR == VR.US);
    }

    [Fact]
    public void Items_inherit_the_character_set_and_may_have_their_own()
    {
        var b = new Bytes().Element(0x00080005, "CS", "ISO_IR 192").Header(0x00081140, "SQ", 0xFFFFFFFF)
            .Item().Raw(new Bytes().Element(0x00100010, "PN", [0xC3, 0x84, 0x20, 0x20]).ToArray()).ItemEnd()
            .Item().Raw(new Bytes().Element(0x00080005, "CS", "ISO_IR 100").Element(0x00100010, "PN", [0xC4, 0x20]).ToArray()).ItemEnd()
            .SequenceEnd();
        IReadOnlyList<DataSet> items = Read(b).GetItems(new(0x00081140));
        Assert.Equal(["Ä", "Ä"], items.Select(i => i.GetString(new(0x00100010))));
    }

    [Fact]
    public void Private_elements_in_implicit_VR_get_their_VR_from_their_own_creator()
    {
        var b = new Bytes(explicitVR: false).Element(0x00290010, "", "SIEMENS CSA HEADER").Element(0x00290011, "", "NOBODY ")
            .Element(0x00291008, "", "IMAGE NUM 4 ").Element(0x00291108, "", "IMAGE NUM 4 ");
        DataSet d = Read(b, s_implicit);
        Assert.True(d.TryGet(new(0x00291008), out DataElement known) && known.VR == VR.CS);
        Assert.True(d.TryGet(new(0x00291108), out DataElement unknown) && unknown.VR == VR.UN);
    }

    [Fact]
    public void Of_duplicates_the_first_counts_and_tags_out_of_order_are_found()
    {
        var b = new Bytes().Element(0x00100020, "LO", "B ").Element(0x00080060, "CS", "MR").Element(0x00100020, "LO", "C ");
        DataSet d = Read(b);
        Assert.Equal(2, d.Count);
        Assert.Equal("B", d.GetString(new(0x00100020)));
        Assert.Equal(["00080060", "00100020"], d.Select(e => e.Tag.ToHex()));
        Assert.Equal(b.ToArray(), d.ToArray());
    }

    [Fact]
    public void An_implicit_element_inside_an_explicit_data_set_is_read()
    {
        byte[] slip = new Bytes(explicitVR: false).Element(0x00080060, "", "MR").ToArray();
        DataSet d = Read(new Bytes().Element(0x00080018, "UI", "1.2.3\0").Raw(slip).Element(0x00100020, "LO", "ID"));
        Assert.Equal("MR", d.GetString(new(0x00080060)));
        Assert.Equal("ID", d.GetString(new(0x00100020)));
        byte[] sequence = new Bytes().Header(0x00081140, "SQ", 0xFFFFFFFF).Item().Raw(slip).ItemEnd().SequenceEnd().ToArray();
        Assert.Equal("MR", Assert.Single(DataSet.Read(sequence, s_explicit).GetItems(new(0x00081140))).GetString(new(0x00080060)));
    }

    [Theory]
    [InlineData("ZZ", true)]
    [InlineData("??", false)]
    [InlineData("\0\0", false)]
    [InlineData("us", false)]
    public void Unknown_VRs_have_the_length_that_DCMTK_takes(string vr, bool isLong)
    {
        var b = new Bytes().Tag(0x00091010).Text(vr);
        b = isLong ? b.U16(0).U32(4) : b.U16(4);
        DataSet d = Read(b.Text("ABCD").Element(0x00100020, "LO", "ID"));
        Assert.True(d.TryGet(new(0x00091010), out DataElement odd) && odd.VR == VR.UN && odd.RawValue.Length == 4);
        Assert.Equal("ID", d.GetString(new(0x00100020)));
    }

    [Fact]
    public void Missing_and_surplus_delimiters_are_forgiven()
    {
        // The first item's delimiter is missing, the second's is not; a delimiter too many follows the defined-length item.
        var b = new Bytes().Header(0x00081140, "SQ", 0xFFFFFFFF)
            .Item().Element(0x00080060, "CS", "MR").Item().Element(0x00080060, "CS", "CT").ItemEnd()
            .Item(10).Element(0x00080060, "CS", "PT").ItemEnd().SequenceEnd().ItemEnd().Element(0x00100020, "LO", "ID");
        DataSet d = Read(b);
        Assert.Equal(["MR", "CT", "PT"], d.GetItems(new(0x00081140)).Select(i => i.GetString(new(0x00080060))));
        Assert.Equal("ID", d.GetString(new(0x00100020)));
    }

    [Fact]
    public void What_cannot_be_read_inside_an_item_ends_the_item_and_nothing_else()
    {
        byte[] nonsense = new Bytes().Header(0x00081199, "SQ", 0xFFFFFFFF).Element(0x00080060, "CS", "MR").ToArray();
        foreach (byte[] inner in new[] { nonsense, [1, 2, 3], new Bytes().Header(0x00100020, "LO", 999).ToArray(), new Bytes().Item(4).ToArray(), new Bytes().Tag(0xFFFEE111).U32(0).ToArray() })
        {
            byte[] item = [.. new Bytes().Element(0x00080050, "SH", "A1").ToArray(), .. inner];
            var b = new Bytes().Header(0x00081140, "SQ", (uint)item.Length + 8).Item((uint)item.Length).Raw(item).Element(0x00100020, "LO", "ID");
            DataSet d = DataSet.Read(b.ToArray(), s_explicit);
            Assert.Equal("A1", Assert.Single(d.GetItems(new(0x00081140))).GetString(Tags.AccessionNumber));
            Assert.Equal("ID", d.GetString(Tags.PatientID));
            d.GetItems(new(0x00081140))[0].GetItems(new(0x00081199));
            Assert.Equal(b.ToArray(), d.ToArray());
        }
    }

    [Fact]
    public void Zeros_behind_the_last_element_are_padding_and_other_bytes_are_not()
    {
        byte[] element = new Bytes().Element(0x00100020, "LO", "ID").ToArray();
        foreach (int zeros in new[] { 1, 7, 8, 13, 300 }) Assert.Equal(1, DataSet.Read((byte[])[.. element, .. new byte[zeros]], s_explicit).Count);
        Assert.Throws<DicomFormatException>(() => DataSet.Read((byte[])[.. element, 1, 2, 3], s_explicit));
        Assert.Throws<DicomFormatException>(() => DataSet.Read((byte[])[.. element, .. new byte[9], 1], s_explicit));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Ten_thousand_nested_sequences_are_refused_by_their_depth(bool undefined)
    {
        byte[] nested = Nested(10_000, undefined);
        if (undefined) Assert.Contains("nested too deep", Assert.Throws<DicomFormatException>(() => DataSet.Read(nested, s_explicit)).Message, StringComparison.Ordinal);
        else Assert.Contains("nested too deep", Assert.Throws<DicomFormatException>(() => Descend(DataSet.Read(nested, s_explicit))).Message, StringComparison.Ordinal);
        using var reader = new PushReader(s_explicit);
        Assert.Contains("nested too deep", Assert.Throws<DicomFormatException>(() => reader.Feed(nested)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void As_many_levels_as_allowed_are_read(bool undefined)
    {
        byte[] nested = Nested(128, undefined);
        Assert.Equal(128, Descend(DataSet.Read(nested, s_explicit)));
        using var reader = new PushReader(s_explicit);
        reader.Feed(nested);
        reader.Complete();
        Assert.Throws<DicomFormatException>(() => Descend(DataSet.Read(Nested(129, undefined), s_explicit)));
    }

    private static int Descend(DataSet dataSet)
    {
        int levels = 0;
        for (IReadOnlyList<DataSet> items = dataSet.GetItems(new(0x00081140)); items.Count > 0; items = items[0].GetItems(new(0x00081140))) levels++;
        return levels;
    }

    internal static byte[] Nested(int levels, bool undefined)
    {
        var b = new Bytes();
        for (int i = levels; i > 0; i--)
        {
            if (undefined) b.Header(0x00081140, "SQ", 0xFFFFFFFF).Item();
            else b.Header(0x00081140, "SQ", (uint)(20 * i - 12)).Item((uint)(20 * i - 20));
        }
        for (int i = 0; undefined && i < levels; i++) b.ItemEnd().SequenceEnd();
        return b.ToArray();
    }

    [Fact]
    public void Reading_a_thousand_CT_headers_allocates_for_what_is_read_not_for_what_is_there()
    {
        string path = Corpus.File("pydicom/src/pydicom/data/test_files/CT_small.dcm");
        byte[] file = File.ReadAllBytes(path);
        FileStart start = Part10.ReadStart(file);
        ReadOnlyMemory<byte> bytes = file.AsMemory(start.DataSetOffset);
        int elements = DataSet.Read(bytes, start.TransferSyntax).Count;
        int found = 0;
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 1000; i++) found += DataSet.Read(bytes, start.TransferSyntax).Contains(Tags.SOPInstanceUID) ? 1 : 0;
        long each = (GC.GetAllocatedBytesForCurrentThread() - before) / 1000;
        Assert.Equal(1000, found);
        // The index (16 bytes an element) and the data set itself; an object for each element would be ten times as much.
        Assert.True(elements > 60, $"{elements} elements");
        Assert.True(each < elements * 16 + 400, $"{each} bytes for {elements} elements");
        DataSet one = DataSet.Read(bytes, start.TransferSyntax);
        one.GetString(Tags.PatientID);
        before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 1000; i++) one.GetInt32(Tags.Rows);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }
}
