using PacsCluster.Dicom;

namespace PacsCluster.Imaging.Tests;

public sealed class NativeFrameTests
{
    private static FrameFormat Format(int rows, int columns, int bits, int samples = 1, int planar = 0, PhotometricInterpretation photometric = PhotometricInterpretation.Monochrome2) =>
        new() { Rows = rows, Columns = columns, BitsAllocated = bits, BitsStored = bits, HighBit = bits - 1, SamplesPerPixel = samples, PlanarConfiguration = planar, Photometric = photometric };

    private static async Task<byte[]> DecodeAsync(FrameFormat format, byte[] frame)
    {
        await using var codecs = new FrameCodecs(new CodecOptions());
        using DecodedFrame decoded = await codecs.DecodeAsync(TransferSyntax.ExplicitVRLittleEndian.Uid, format, frame, TestContext.Current.CancellationToken);
        return decoded.Samples.ToArray();
    }

    [Fact]
    public async Task Single_bits_come_from_the_least_significant_one_on() =>
        Assert.Equal([1, 0, 1, 1, 0, 0, 0, 0, 1], await DecodeAsync(Format(3, 3, 1), [0b0000_1101, 0b1]));

    [Fact]
    public void Frames_of_single_bits_share_a_byte()
    {
        var dataSet = new DataSet();
        dataSet.Set(Tags.Rows, 3);
        dataSet.Set(Tags.Columns, 3);
        dataSet.Set(Tags.BitsAllocated, 1);
        dataSet.Set(Tags.NumberOfFrames, 2);
        dataSet.SetRaw(Tags.PixelData, VR.OB, new byte[] { 0b1111_1111, 0b0000_0011, 0b10, 0 });
        var reader = new FrameReader(dataSet, TransferSyntax.ExplicitVRLittleEndian.Uid);
        Assert.Equal(2, reader.Count);
        Assert.Equal([0b0000_0001, 0b0000_0001], reader.Read(1).ToArray());
    }

    [Fact]
    public async Task Cells_of_12_bits_lie_one_behind_the_other() =>
        Assert.Equal([0x56, 0x04, 0x23, 0x01], await DecodeAsync(Format(1, 2, 12), [0x56, 0x34, 0x12]));

    [Fact]
    public async Task Planes_become_pixels() =>
        Assert.Equal([1, 3, 5, 2, 4, 6], await DecodeAsync(Format(1, 2, 8, 3, 1, PhotometricInterpretation.Rgb), [1, 2, 3, 4, 5, 6]));

    [Fact]
    public async Task Two_pixels_of_YBR_FULL_422_share_their_chrominances() =>
        Assert.Equal([10, 30, 40, 20, 30, 40], await DecodeAsync(Format(1, 2, 8, 3, 0, PhotometricInterpretation.YbrFull422), [10, 20, 30, 40]));

    [Fact]
    public async Task What_a_cut_off_frame_lacks_is_zero() => Assert.Equal([1, 2, 3, 0], await DecodeAsync(Format(2, 2, 8), [1, 2, 3]));
}
