using PacsCluster.Dicom;
using PacsCluster.Imaging.Transcoding;
using PacsCluster.Testing;

namespace PacsCluster.Imaging.Tests;

/// <summary>Whether what was made of an instance holds all of it: the last word before an original goes.</summary>
public sealed class InstanceComparisonTests
{
    private static readonly Tag s_padding = new(0xFFFC_FFFC);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private static byte[] Pixels(DataSet image) => image.TryGet(Tags.PixelData, out DataElement element) ? element.RawValue.ToArray() : throw new InvalidOperationException("no pixels");

    private static async Task<byte[]> MadeAsync(FrameCodecs codecs, DataSet original, string target)
    {
        await using Stream converted = await InstanceTranscoder.OpenAsync(
            new MemoryStream(original.ToArray(TransferSyntax.ExplicitVRLittleEndian)), TransferSyntax.ExplicitVRLittleEndian, TransferSyntax.FromUid(target), codecs, cancellationToken: Cancel);
        var made = new MemoryStream();
        await converted.CopyToAsync(made, Cancel);
        return made.ToArray();
    }

    private static async Task<string?> CompareAsync(FrameCodecs codecs, DataSet original, byte[] made, string target, TransferSyntax? encoding = null)
    {
        encoding ??= TransferSyntax.ExplicitVRLittleEndian;
        return await InstanceComparison.FindDifferenceAsync(new MemoryStream(original.ToArray(encoding)), encoding, new MemoryStream(made), TransferSyntax.FromUid(target), codecs, Cancel);
    }

    private static DataSet Image(Action<DataSet>? change = null, int extraBytes = 0)
    {
        DataSet image = Instance.Read(Corpus.File("pydicom/src/pydicom/data/test_files/CT_small.dcm")).DataSet;
        byte[] pixels = [.. Pixels(image), .. new byte[extraBytes]];
        image.SetRaw(Tags.PixelData, VR.OW, pixels);
        change?.Invoke(image);
        return image;
    }

    private static void Flip(DataSet image, int at)
    {
        byte[] pixels = Pixels(image);
        pixels[at] ^= 1;
        image.SetRaw(Tags.PixelData, VR.OW, pixels);
    }

    [Fact]
    public async Task What_was_encoded_without_loss_is_the_same_however_the_original_was_written()
    {
        await using var codecs = new FrameCodecs(new CodecOptions());
        foreach (string target in new[] { Uids.JPEGLSLossless, Uids.JPEG2000Lossless, Uids.HTJ2KLossless, Uids.RLELossless })
        {
            byte[] made = await MadeAsync(codecs, Image(), target);
            foreach (TransferSyntax encoding in new[] { TransferSyntax.ExplicitVRLittleEndian, TransferSyntax.ExplicitVRBigEndian, TransferSyntax.DeflatedExplicitVRLittleEndian })
                Assert.Null(await CompareAsync(codecs, Image(), made, target, encoding));
        }
    }

    [Fact]
    public async Task Every_kind_of_difference_is_found()
    {
        await using var codecs = new FrameCodecs(new CodecOptions());
        byte[] made = await MadeAsync(codecs, Image(), Uids.JPEGLSLossless);
        (string What, DataSet Original)[] others =
        [
            ("a bit of a sample", Image(image => Flip(image, 128 * 77 * 2))),
            ("the last sample", Image(image => Flip(image, 128 * 128 * 2 - 1))),
            ("an attribute", Image(image => image.Set(Tags.PatientID, "other"))),
            ("one attribute more", Image(image => image.Set(Tags.ImageComments, "more"))),
            ("an attribute of the pixels", Image(image => image.Set(Tags.BitsStored, 12))),
            ("behind the pixel data", Image(image => image.SetRaw(s_padding, VR.OB, new byte[] { 1, 2 }))),
            ("bytes behind the last frame", Image(extraBytes: 2)),
            ("frames", Image(image => image.Set(Tags.NumberOfFrames, "2"), extraBytes: 128 * 128 * 2)),
            ("a frame that is cut off", Image(image => image.SetRaw(Tags.PixelData, VR.OW, Pixels(image).AsMemory(..^2)))),
        ];
        foreach ((string what, DataSet original) in others) Assert.True(await CompareAsync(codecs, original, made, Uids.JPEGLSLossless) is not null, what);
        Assert.Null(await CompareAsync(codecs, Image(), made, Uids.JPEGLSLossless));
    }
}
