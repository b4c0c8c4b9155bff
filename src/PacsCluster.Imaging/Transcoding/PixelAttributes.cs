using System.Globalization;
using PacsCluster.Dicom;

namespace PacsCluster.Imaging.Transcoding;

/// <summary>Makes a header say what its pixel data has become.</summary>
internal static class PixelAttributes
{
    private static readonly Tag s_imageType = new(0x0008_0008);

    /// <summary>Image Pixel Module; offset tables go.</summary>
    public static void Apply(DataSet header, FrameFormat format)
    {
        header.Remove(Tags.ExtendedOffsetTable);
        header.Remove(Tags.ExtendedOffsetTableLengths);
        if (format.Kind != SampleKind.Integer) return;
        Set(header, Tags.SamplesPerPixel, format.SamplesPerPixel);
        Set(header, Tags.BitsAllocated, format.BitsAllocated);
        Set(header, Tags.BitsStored, format.BitsStored);
        Set(header, Tags.HighBit, format.HighBit);
        if (format.SamplesPerPixel > 1) Set(header, Tags.PlanarConfiguration, 0);
        else header.Remove(Tags.PlanarConfiguration);
        if (format.Photometric.Term() is { } term && header.GetString(Tags.PhotometricInterpretation) != term) header.Set(Tags.PhotometricInterpretation, term, VR.CS);
    }

    /// <summary>What was lossy once stays so, whatever it is in now (PS3.3 C.7.6.1.1.5).</summary>
    public static void MarkLossy(DataSet header)
    {
        if (header.GetString(Tags.LossyImageCompression) != "01") header.Set(Tags.LossyImageCompression, "01", VR.CS);
    }

    /// <summary>A step that loses something: method and approximate ratio behind those of steps before (PS3.3 C.7.6.1.1.5.1 and .2), and the image is a
    /// derived one from now on (C.7.6.1.1.2).</summary>
    /// <param name="header">Changed.</param>
    /// <param name="transferSyntaxUid">Which step.</param>
    /// <param name="ratio">Uncompressed bytes over compressed ones.</param>
    public static void AddLossyStep(DataSet header, string transferSyntaxUid, double ratio)
    {
        MarkLossy(header);
        Append(header, Tags.LossyImageCompressionRatio, Math.Round(ratio, 2).ToString(CultureInfo.InvariantCulture), VR.DS);
        Append(header, Tags.LossyImageCompressionMethod, MethodOf(transferSyntaxUid), VR.CS);
        string[] type = header.GetStrings(s_imageType);
        header.Set(s_imageType, string.Join('\\', type.Length == 0 ? ["DERIVED", "SECONDARY"] : ["DERIVED", .. type[1..]]), VR.CS);
    }

    private static string MethodOf(string transferSyntaxUid) => transferSyntaxUid switch
    {
        Uids.JPEGLSNearLossless => "ISO_14495_1",
        Uids.JPEG2000 => "ISO_15444_1",
        _ => "ISO_10918_1",
    };

    private static void Append(DataSet header, Tag tag, string value, VR vr) => header.Set(tag, string.Join('\\', [.. header.GetStrings(tag), value]), vr);

    private static void Set(DataSet header, Tag tag, int value)
    {
        if (header.GetInt32(tag) != value) header.Set(tag, value, VR.US);
    }
}
