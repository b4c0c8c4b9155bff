namespace PacsCluster.Dicom.Tests.Dictionary;

public sealed class DataDictionaryTests
{
    [Theory]
    [InlineData(0x00100020u, VR.LO)]
    [InlineData(0x7FE00010u, VR.OW)]
    [InlineData(0x60023000u, VR.OW)]
    [InlineData(0x60020010u, VR.US)]
    [InlineData(0x60030010u, VR.LO)] // odd group: private creator
    [InlineData(0x50FE0005u, VR.US)]
    [InlineData(0x7F020010u, VR.OW)]
    [InlineData(0x00203142u, VR.CS)]
    [InlineData(0x00280452u, VR.LO)]
    [InlineData(0x00280873u, VR.AT)]
    [InlineData(0x10001233u, VR.US)]
    [InlineData(0x10101234u, VR.US)]
    [InlineData(0x00280106u, VR.US)]
    [InlineData(0x00283006u, VR.OW)]
    [InlineData(0x7FE00001u, VR.OV)]
    [InlineData(0x00720082u, VR.SV)]
    [InlineData(0x00100000u, VR.UL)]
    [InlineData(0x00090000u, VR.UL)]
    [InlineData(0x00090010u, VR.LO)]
    [InlineData(0x00091001u, VR.UN)]
    [InlineData(0x12345678u, VR.UN)]
    [InlineData(0xFFFEE000u, VR.None)]
    public void VR_of_a_tag(uint tag, VR expected) => Assert.Equal(expected, DataDictionary.GetVR(new Tag(tag)));

    [Fact]
    public void Several_VRs_stand_in_the_order_of_PS3_6()
    {
        Assert.True(DataDictionary.TryGet(Tags.PixelData, out DictionaryEntry pixels));
        Assert.Equal(new DictionaryEntry("PixelData", VR.OB, "1", VR.OW), pixels);
        Assert.True(DataDictionary.TryGet(Tags.SmallestImagePixelValue, out DictionaryEntry smallest));
        Assert.Equal((VR.US, VR.SS), (smallest.VR, smallest.AlternativeVR));
    }

    [Theory]
    [InlineData(0x00191010u, "1.2.840.113681", VR.ST)]
    [InlineData(0x00197710u, " 1.2.840.113681 ", VR.ST)]
    [InlineData(0x60031010u, "PAPYRUS 3.0", VR.US)]
    [InlineData(0x00191010u, "no such creator", VR.UN)]
    [InlineData(0x00190010u, "whoever", VR.LO)]
    [InlineData(0x00190000u, "whoever", VR.UL)]
    public void VR_of_a_private_element(uint tag, string creator, VR expected) => Assert.Equal(expected, DataDictionary.GetPrivateVR(new Tag(tag), creator));

    [Fact]
    public void Every_keyword_finds_its_tag_and_every_tag_its_keyword()
    {
        foreach (uint value in DataDictionary.AllTags)
        {
            Assert.True(DataDictionary.TryGet(new Tag(value), out DictionaryEntry entry));
            Assert.True(DataDictionary.TryGetTag(entry.Keyword, out Tag tag));
            Assert.Equal(value, tag.Value);
        }
        Assert.False(DataDictionary.TryGetTag("NoSuchKeyword", out _));
        Assert.False(DataDictionary.TryGetTag("", out _));
    }

    [Fact]
    public void Looking_up_a_VR_allocates_nothing()
    {
        VR vr = DataDictionary.GetVR(Tags.PatientID);
        _ = DataDictionary.GetPrivateVR(new Tag(0x00191010), "1.2.840.113681");
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (uint i = 0; i < 1000; i++)
        {
            vr ^= DataDictionary.GetVR(new Tag(0x00080000 + i)) ^ DataDictionary.GetPrivateVR(new Tag(0x00191010), "1.2.840.113681");
        }
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        GC.KeepAlive(vr);
    }

    [Fact]
    public void UIDs_have_names_and_kinds()
    {
        Assert.True(UidDictionary.TryGet(Uids.CTImageStorage, out string name, out UidKind kind));
        Assert.Equal(("CT Image Storage", UidKind.StorageSopClass), (name, kind));
        Assert.True(UidDictionary.TryGet("1.2.840.10008.1.2.4.201", out name, out kind));
        Assert.Equal(("High-Throughput JPEG 2000 Image Compression (Lossless Only)", UidKind.TransferSyntax), (name, kind));
        Assert.False(UidDictionary.TryGet("1.2.3", out name, out kind));
        Assert.Equal(("", UidKind.Unknown), (name, kind));
    }

    [Fact]
    public void Storage_SOP_classes_are_all_there()
    {
        Assert.Contains(Uids.PhotoacousticImageStorage, UidDictionary.StorageSopClasses);
        Assert.Contains(Uids.HangingProtocolStorage, UidDictionary.StorageSopClasses);
        Assert.DoesNotContain(Uids.MediaStorageDirectoryStorage, UidDictionary.StorageSopClasses);
        Assert.InRange(UidDictionary.StorageSopClasses.Count, 190, 230);
        Assert.InRange(UidDictionary.TransferSyntaxes.Count, 60, 75);
    }
}
