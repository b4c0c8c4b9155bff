namespace PacsCluster.Dicom.Tests.Core;

public class Part10Tests
{
    private const string Ct = "1.2.840.10008.5.1.4.1.1.2";
    private static readonly TransferSyntax s_explicit = TransferSyntax.ExplicitVRLittleEndian;
    private static readonly TransferSyntax s_implicit = TransferSyntax.ImplicitVRLittleEndian;
    private static readonly TransferSyntax s_big = TransferSyntax.ExplicitVRBigEndian;

    private static byte[] Content(TransferSyntax syntax)
    {
        var d = new DataSet(syntax);
        d.Set(Tags.SOPClassUID, Ct);
        d.Set(Tags.SOPInstanceUID, "1.2.3.4");
        d.Set(Tags.PatientID, "ID");
        return d.ToArray();
    }

    [Fact]
    public void C69_File_Meta_Information_is_made_anew_and_keeps_source_and_private_information()
    {
        var source = new DataSet();
        source.Set(new Tag(0x00020012), "9.9.9", VR.UI);
        source.Set(new Tag(0x00020016), "MODALITY", VR.AE);
        source.Set(new Tag(0x00020100), "1.2.9", VR.UI);
        source.SetRaw(new Tag(0x00020102), VR.OB, new byte[] { 1, 2 });
        byte[] meta = Part10.BuildFileMeta(s_implicit, Ct, "1.2.3.4", null, source);
        Assert.Equal(new byte[128], meta[..128]);
        Assert.Equal("DICM"u8.ToArray(), meta[128..132]);
        byte[] content = Content(s_implicit);
        FileStart start = Part10.ReadStart((byte[])[.. meta, .. content]);
        Assert.Same(s_implicit, start.TransferSyntax);
        Assert.Equal(meta.Length, start.DataSetOffset);
        DataSet read = start.FileMeta!;
        Assert.Equal(meta.Length - 144, read.GetInt32(new(0x00020000)));
        Assert.Equal(Part10.ImplementationClassUid, read.GetString(new(0x00020012)));
        Assert.True(Part10.ImplementationVersionName.Length <= 16);
        Assert.Equal("1.2.3.4", read.GetString(new(0x00020003)));
        Assert.Equal("MODALITY", read.GetString(new(0x00020016)));
        Assert.Equal("1.2.9", read.GetString(new(0x00020100)));
        Assert.Equal("CALLER", Part10.ReadStart((byte[])[.. Part10.BuildFileMeta(s_implicit, Ct, "1", "CALLER", source), .. content]).FileMeta!.GetString(new(0x00020016)));
    }

    [Fact]
    public void Files_without_preamble_or_File_Meta_Information_are_guessed()
    {
        foreach (TransferSyntax syntax in new[] { s_explicit, s_implicit, s_big })
        {
            FileStart bare = Part10.ReadStart(Content(syntax));
            Assert.Same(syntax, bare.TransferSyntax);
            Assert.Null(bare.FileMeta);
            Assert.Equal(0, bare.DataSetOffset);
            byte[] noPreamble = [.. Part10.BuildFileMeta(syntax, Ct, "1.2").AsSpan(132), .. Content(syntax)];
            Assert.Same(syntax, Part10.ReadStart(noPreamble).TransferSyntax);
            Assert.Equal("ID", Part10.Read(noPreamble).DataSet.GetString(Tags.PatientID));
            byte[] noMeta = [.. new byte[128], .. "DICM"u8, .. Content(syntax)];
            Assert.Equal("ID", Part10.Read(noMeta).DataSet.GetString(Tags.PatientID));
        }
    }

    [Fact]
    public void A_transfer_syntax_that_the_data_set_contradicts_is_not_believed()
    {
        TransferSyntax[] plain = [s_explicit, s_implicit, s_big];
        foreach (TransferSyntax stated in plain)
        {
            foreach (TransferSyntax real in plain)
            {
                byte[] file = [.. Part10.BuildFileMeta(stated, Ct, "1.2"), .. Content(real)];
                Assert.Same(real, Part10.ReadStart(file).TransferSyntax);
            }
        }
        byte[] notDeflated = [.. Part10.BuildFileMeta(TransferSyntax.DeflatedExplicitVRLittleEndian, Ct, "1.2"), .. Content(s_explicit)];
        Assert.Equal("ID", Part10.Read(notDeflated).DataSet.GetString(Tags.PatientID));
        byte[] deflated = [.. Part10.BuildFileMeta(TransferSyntax.DeflatedExplicitVRLittleEndian, Ct, "1.2"), .. DataSet.Read(Content(s_explicit), s_explicit).ToArray(TransferSyntax.DeflatedExplicitVRLittleEndian)];
        Assert.Equal("ID", Part10.Read(deflated).DataSet.GetString(Tags.PatientID));
    }

    [Theory]
    [InlineData(0u)]
    [InlineData(7u)]
    [InlineData(0xFFFFFFFEu)]
    public void A_wrong_group_length_does_not_matter(uint length)
    {
        byte[] file = [.. Part10.BuildFileMeta(s_explicit, Ct, "1.2"), .. Content(s_explicit)];
        BitConverter.GetBytes(length).CopyTo(file, 140);
        Assert.Equal("ID", Part10.Read(file).DataSet.GetString(Tags.PatientID));
        // And without it.
        byte[] missing = [.. file[..132], .. file[144..]];
        Assert.Equal("ID", Part10.Read(missing).DataSet.GetString(Tags.PatientID));
    }

    [Fact]
    public void File_Meta_Information_in_implicit_VR_is_read()
    {
        byte[] meta = Part10.BuildFileMeta(s_implicit, Ct, "1.2");
        byte[] implicitMeta = DataSet.Read(meta.AsMemory(132), s_explicit).ToArray(s_implicit);
        (DataSet? fileMeta, DataSet dataSet) = Part10.Read((byte[])[.. meta[..132], .. implicitMeta, .. Content(s_implicit)]);
        Assert.Equal(s_implicit.Uid, fileMeta!.GetString(new(0x00020010)));
        Assert.Equal("ID", dataSet.GetString(Tags.PatientID));
    }

    [Theory]
    [InlineData("")]
    [InlineData("GET / HTTP/1.1\r\nHost: x\r\n\r\n")]
    [InlineData("%PDF-1.4 .....................")]
    [InlineData("PK\u0003\u0004..........................")]
    public void What_is_not_DICOM_is_refused(string text)
    {
        Assert.Throws<DicomFormatException>(() => Part10.Read(System.Text.Encoding.Latin1.GetBytes(text)));
    }
}
