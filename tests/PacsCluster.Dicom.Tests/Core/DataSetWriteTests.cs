namespace PacsCluster.Dicom.Tests.Core;

public class DataSetWriteTests
{
    private static readonly TransferSyntax s_explicit = TransferSyntax.ExplicitVRLittleEndian;
    private static readonly TransferSyntax s_implicit = TransferSyntax.ImplicitVRLittleEndian;
    private static readonly TransferSyntax s_big = TransferSyntax.ExplicitVRBigEndian;

    [Fact]
    public void Built_data_sets_are_read_back_in_every_encoding()
    {
        foreach (TransferSyntax built in new[] { s_explicit, s_implicit, s_big })
        {
            var d = new DataSet(built);
            d.Set(Tags.PatientName, "Doe^John");
            d.Set(Tags.Rows, 512);
            d.Set(Tags.InstanceNumber, -3);
            d.Set(Tags.PixelSpacing, "0.5\\0.25");
            d.Set(Tags.FrameIncrementPointer, "00181063");
            d.Set(Tags.AccessionNumber, null);
            d.Set(Tags.SmallestImagePixelValue, -5, VR.SS);
            d.Set(new Tag(0x00189073), "2.5");
            DataSet item = d.NewItem();
            item.Set(Tags.ReferencedSOPInstanceUID, "1.2.3");
            d.SetItems(Tags.ReferencedImageSequence, [item, d.NewItem()]);
            d.SetRaw(Tags.PixelData, VR.OW, new byte[] { 1, 2, 3, 4 });
            foreach (TransferSyntax to in new[] { s_explicit, s_implicit, s_big, TransferSyntax.DeflatedExplicitVRLittleEndian })
            {
                DataSet read = DataSet.Read(d.ToArray(to), to);
                Assert.Equal("Doe^John", read.GetString(Tags.PatientName));
                Assert.Equal(512, read.GetInt32(Tags.Rows));
                Assert.Equal(-3, read.GetInt32(Tags.InstanceNumber));
                Assert.Equal(["0.5", "0.25"], read.GetStrings(Tags.PixelSpacing));
                Assert.Equal("00181063", read.GetString(Tags.FrameIncrementPointer));
                Assert.True(read.TryGet(Tags.AccessionNumber, out DataElement empty) && empty.IsEmpty);
                Assert.Equal(2.5, read.GetDouble(new(0x00189073)));
                Assert.Equal(["1.2.3", null], read.GetItems(Tags.ReferencedImageSequence).Select(i => i.GetString(Tags.ReferencedSOPInstanceUID)));
                if (to.IsExplicitVR) Assert.Equal(-5, read.GetInt32(Tags.SmallestImagePixelValue));
                Assert.True(read.TryGet(Tags.PixelData, out DataElement pixels));
                Assert.Equal(built.IsBigEndian ? [2, 1, 4, 3] : new byte[] { 1, 2, 3, 4 }, pixels.LittleEndianValue.ToArray());
            }
        }
    }

    [Fact]
    public void A_change_leaves_all_other_bytes_alone_and_drops_group_lengths()
    {
        byte[] sequence = new Bytes().Header(0x00081140, "SQ", 0xFFFFFFFF).Item(10).Element(0x00080060, "CS", "MR").Item().ItemEnd().SequenceEnd().ToArray();
        byte[] first = new Bytes().Element(0x00080060, "CS", "MR").ToArray(), last = new Bytes().Element(0x00204000, "LT", "odd").ToArray();
        DataSet d = DataSet.Read((byte[])[.. new Bytes().Element(0x00080000, "UL", [1, 0, 0, 0]).ToArray(), .. first, .. sequence, .. last], s_explicit);
        d.Set(Tags.PatientID, "ID1");
        Assert.Equal([.. first, .. sequence, .. new Bytes().Element(0x00100020, "LO", "ID1 ").ToArray(), .. last], d.ToArray());
        Assert.True(d.Remove(Tags.PatientID));
        Assert.False(d.Remove(Tags.PatientID));
        Assert.Equal([.. first, .. sequence, .. last], d.ToArray());
    }

    [Fact]
    public void Changing_an_item_writes_it_anew_with_the_lengths_it_had()
    {
        foreach (bool undefined in new[] { true, false })
        {
            var b = new Bytes().Header(0x00081140, "SQ", undefined ? 0xFFFFFFFF : 18).Item(10).Element(0x00080060, "CS", "MR");
            if (undefined) b.SequenceEnd();
            DataSet d = DataSet.Read(b.ToArray(), s_explicit);
            d.GetItems(new(0x00081140))[0].Set(Tags.Modality, "XA\\CT");
            var expected = new Bytes().Header(0x00081140, "SQ", undefined ? 0xFFFFFFFF : 22).Item(14).Element(0x00080060, "CS", "XA\\CT ");
            if (undefined) expected.SequenceEnd();
            Assert.Equal(expected.ToArray(), d.ToArray());
        }
    }

    [Fact]
    public void PS3_5_6_2_2_a_value_too_long_for_a_short_length_becomes_UN()
    {
        var b = new Bytes(explicitVR: false).Element(0x00186000, "", new byte[4]).Element(0x00281101, "", new byte[6]).Element(0x00283006, "", new byte[70_000]).Element(0x30060050, "", new string('1', 70_000));
        DataSet d = DataSet.Read(b.ToArray(), s_implicit);
        foreach (TransferSyntax to in new[] { s_explicit, s_big })
        {
            DataSet converted = DataSet.Read(d.ToArray(to), to);
            Assert.True(converted.TryGet(new(0x30060050), out DataElement contour) && contour.VR == VR.UN && contour.EffectiveVR == VR.DS && contour.RawValue.Length == 70_000);
            Assert.Equal(d.ToArray(), converted.ToArray(s_implicit));
            Assert.Equal(converted.ToArray(), DataSet.Read(ConversionTests.Transcode(d.ToArray(), s_implicit, to, 1000), to).ToArray());
        }
    }

    [Fact]
    public void Private_elements_keep_creator_and_value_through_all_encodings()
    {
        var b = new Bytes().Element(0x00290010, "LO", "SIEMENS CSA HEADER").Element(0x00291008, "CS", "IMAGE NUM 4 ").Element(0x00291010, "OB", [1, 2, 3, 4]);
        byte[] original = b.ToArray();
        DataSet d = DataSet.Read(original, s_explicit);
        DataSet implicitVR = DataSet.Read(d.ToArray(s_implicit), s_implicit);
        Assert.Equal(original, implicitVR.ToArray(s_explicit));
        Assert.Equal(original, DataSet.Read(implicitVR.ToArray(s_big), s_big).ToArray(s_explicit));
    }

    [Fact]
    public void Text_that_the_character_set_cannot_hold_is_written_with_question_marks()
    {
        var d = new DataSet();
        d.Set(Tags.PatientName, "Ä^B");
        Assert.Equal("?^B", d.GetString(Tags.PatientName));
        d.Set(Tags.SpecificCharacterSet, "ISO_IR 192");
        d.Set(Tags.PatientName, "Ä^B");
        Assert.Equal("Ä^B", DataSet.Read(d.ToArray(), s_explicit).GetString(Tags.PatientName));
    }

    [Fact]
    public void Wrong_numbers_are_the_callers_fault()
    {
        var d = new DataSet();
        Assert.Throws<ArgumentException>(() => d.Set(Tags.Rows, 70_000));
        Assert.Throws<ArgumentException>(() => d.Set(Tags.Rows, "many"));
        Assert.Throws<ArgumentException>(() => d.Set(Tags.PixelData, "text", VR.OW));
    }

    [Fact]
    public void A_long_image_is_converted_in_bounded_memory()
    {
        byte[] head = new Bytes().US(0x00280010, 512).US(0x00280100, 16).Header(0x7FE00010, "OW", 256 * 1024 * 1024).ToArray();
        foreach (TransferSyntax to in new[] { s_implicit, s_big })
        {
            byte[] buffer = new byte[64 * 1024];
            long total = 0, before = GC.GetAllocatedBytesForCurrentThread();
            using var source = new EndlessPixels(head, 256L * 1024 * 1024);
            using Stream converted = DataSetTranscoder.Convert(source, s_explicit, to);
            for (int count; (count = converted.Read(buffer, 0, buffer.Length)) > 0;) total += count;
            Assert.Equal(256L * 1024 * 1024 + 10 + 10 + (to.IsExplicitVR ? 12 : 8), total);
            Assert.True(GC.GetAllocatedBytesForCurrentThread() - before < 1_000_000);
        }
    }

    /// <summary>A header, then so many bytes.</summary>
    private sealed class EndlessPixels(byte[] head, long pixels) : Stream
    {
        private long _at;

        public override int Read(byte[] buffer, int offset, int count)
        {
            if (_at < head.Length)
            {
                int part = (int)Math.Min(count, head.Length - _at);
                head.AsSpan((int)_at, part).CopyTo(buffer.AsSpan(offset));
                _at += part;
                return part;
            }
            int rest = (int)Math.Min(count, head.Length + pixels - _at);
            _at += rest;
            return rest;
        }

        public override bool CanRead => true;
        public override bool CanSeek => false;
        public override bool CanWrite => false;
        public override long Length => throw new NotSupportedException();
        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }
        public override void Flush() { }
        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
        public override void SetLength(long value) => throw new NotSupportedException();
        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
