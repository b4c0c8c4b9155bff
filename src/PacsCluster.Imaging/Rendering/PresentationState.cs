using PacsCluster.Dicom;

namespace PacsCluster.Imaging.Rendering;

/// <summary>A softcopy presentation state (PS3.3 A.33): grayscale, colour or pseudo-colour. Not safe for several threads at once.</summary>
public sealed class PresentationState
{
    private PresentationState(DataSet dataSet)
    {
        DataSet = dataSet;
        int degrees = dataSet.GetInt32(Tags.ImageRotation) ?? 0;
        Orientation = ((degrees % 360 + 360) % 360 / 90, dataSet.GetString(Tags.ImageHorizontalFlip) == "Y");
        Modality = ModalityTransform.Read(dataSet) ?? ModalityTransform.Identity;
        LookupTable? table = FrameAttributes.First(dataSet, Tags.PresentationLUTSequence) is { } item ? LookupTable.Read(item, Tags.LUTDescriptor, Tags.LUTData) : null;
        Presentation = new PresentationTransform(table is null && dataSet.GetString(Tags.PresentationLUTShape) == "INVERSE", table);
        Palette = Palette.Read(dataSet);
        Layers = GraphicLayer.Read(dataSet);
    }

    /// <summary>Whether instances of a SOP class are presentation states that this can apply.</summary>
    public static bool IsPresentationState(string? sopClassUid) => sopClassUid is "1.2.840.10008.5.1.4.1.1.11.1" or "1.2.840.10008.5.1.4.1.1.11.2"
        or "1.2.840.10008.5.1.4.1.1.11.3" or "1.2.840.10008.5.1.4.1.1.11.5";

    /// <summary>Reads one.</summary>
    /// <exception cref="ImagingException">NotAnImage: the instance is none. Corrupt: a lookup table in it is none.</exception>
    public static PresentationState Read(DataSet dataSet)
    {
        ArgumentNullException.ThrowIfNull(dataSet);
        if (!IsPresentationState(dataSet.GetString(Tags.SOPClassUID))) throw new ImagingException(ImagingError.NotAnImage, "not a softcopy presentation state that can be applied");
        return new PresentationState(dataSet);
    }

    /// <summary>The images that it is for, in its order. Frame numbers from 1; none means all.</summary>
    public IReadOnlyList<(string SeriesInstanceUid, string SopInstanceUid, IReadOnlyList<int> Frames)> References =>
    [
        .. from series in DataSet.GetItems(Tags.ReferencedSeriesSequence)
           from image in series.GetItems(Tags.ReferencedImageSequence)
           let sop = image.GetString(Tags.ReferencedSOPInstanceUID)
           where sop is not null
           select (series.GetString(Tags.SeriesInstanceUID) ?? "", sop, (IReadOnlyList<int>)Frames(image)),
    ];

    internal DataSet DataSet { get; }

    /// <summary>Clockwise quarter turns, then mirrored left to right.</summary>
    internal (int QuarterTurns, bool IsFlipped) Orientation { get; }

    internal ModalityTransform Modality { get; }

    internal PresentationTransform Presentation { get; }

    /// <summary>Pseudo-colour.</summary>
    internal Palette? Palette { get; }

    internal IReadOnlyDictionary<string, GraphicLayer> Layers { get; }

    /// <summary>Softcopy VOI LUT for a frame; null when there is none, which shows the whole range.</summary>
    internal VoiTransform? VoiOf(string? sopInstanceUid, int frameNumber)
    {
        foreach (DataSet item in DataSet.GetItems(Tags.SoftcopyVOILUTSequence))
        {
            if (AppliesTo(item, sopInstanceUid, frameNumber) && VoiTransform.Read(item) is { } voi) return voi;
        }
        return null;
    }

    /// <summary>Displayed area for a frame.</summary>
    internal DisplayedArea? AreaOf(string? sopInstanceUid, int frameNumber)
    {
        foreach (DataSet item in DataSet.GetItems(Tags.DisplayedAreaSelectionSequence))
        {
            if (AppliesTo(item, sopInstanceUid, frameNumber) && DisplayedArea.Read(item) is { } area) return area;
        }
        return null;
    }

    /// <summary>Items that name no image are for all (PS3.3 C.10.4, C.10.5, C.11.8).</summary>
    internal static bool AppliesTo(DataSet item, string? sopInstanceUid, int frameNumber)
    {
        IReadOnlyList<DataSet> images = item.GetItems(Tags.ReferencedImageSequence);
        if (images.Count == 0) return true;
        foreach (DataSet image in images)
        {
            if (image.GetString(Tags.ReferencedSOPInstanceUID) != sopInstanceUid) continue;
            int[] frames = Frames(image);
            if (frames.Length == 0 || frames.Contains(frameNumber)) return true;
        }
        return false;
    }

    private static int[] Frames(DataSet image) => [.. image.Doubles(Tags.ReferencedFrameNumber).Where(f => f is >= 1 and <= int.MaxValue).Select(f => (int)f)];
}

/// <summary>Displayed Area Selection (PS3.3 C.10.4).</summary>
/// <param name="Region">In the frame's pixels.</param>
/// <param name="PixelHeight">Height of a pixel when its width is 1, when said.</param>
/// <param name="Magnification">Of a picture without a viewport.</param>
internal sealed record DisplayedArea(PixelRegion Region, double? PixelHeight, double Magnification)
{
    public static DisplayedArea? Read(DataSet item)
    {
        if (item.Doubles(Tags.DisplayedAreaTopLeftHandCorner) is not [var left, var top]
            || item.Doubles(Tags.DisplayedAreaBottomRightHandCorner) is not [var right, var bottom]) return null;
        // The corners are those of what is seen: turned or mirrored, the top left one may be the frame's last pixel.
        const double far = 100_000;
        int x = (int)Math.Clamp(Math.Min(left, right), -far, far), y = (int)Math.Clamp(Math.Min(top, bottom), -far, far);
        int width = (int)Math.Clamp(Math.Abs(right - left), 0, far) + 1, height = (int)Math.Clamp(Math.Abs(bottom - top), 0, far) + 1;
        double? pixelHeight = null;
        foreach (Tag tag in (ReadOnlySpan<Tag>)[Tags.PresentationPixelSpacing, Tags.PresentationPixelAspectRatio])
        {
            if (item.Doubles(tag) is [> 0 and var vertical, > 0 and var horizontal]) pixelHeight ??= Math.Clamp(vertical / horizontal, 0.01, 100);
        }
        double magnification = item.GetString(Tags.PresentationSizeMode) == "MAGNIFY" && item.GetDouble(Tags.PresentationPixelMagnificationRatio) is > 0 and < 1000 and var ratio ? ratio : 1;
        return new DisplayedArea(new PixelRegion(x - 1, y - 1, width, height), pixelHeight, magnification);
    }
}

/// <summary>A layer of graphics and its recommended tone (PS3.3 C.10.7).</summary>
internal sealed record GraphicLayer(string Name, int Order, double Gray, (double Red, double Green, double Blue)? Color)
{
    public static IReadOnlyDictionary<string, GraphicLayer> Read(DataSet dataSet)
    {
        var layers = new Dictionary<string, GraphicLayer>();
        foreach (DataSet item in dataSet.GetItems(Tags.GraphicLayerSequence))
        {
            if (item.GetString(Tags.GraphicLayer) is not { } name) continue;
            double gray = item.GetInt32(Tags.GraphicLayerRecommendedDisplayGrayscaleValue) is { } value ? value / 65535.0 : 1;
            layers.TryAdd(name, new GraphicLayer(name, item.GetInt32(Tags.GraphicLayerOrder) ?? 0, gray, CieLab.Read(item, Tags.GraphicLayerRecommendedDisplayCIELabValue)));
        }
        return layers;
    }
}

/// <summary>Colours as DICOM records them: CIELab under D50, scaled to 16 bits (PS3.3 C.10.7.1.1).</summary>
internal static class CieLab
{
    /// <summary>As sRGB from 0 to 1; null when the element is absent.</summary>
    public static (double Red, double Green, double Blue)? Read(DataSet dataSet, Tag tag)
    {
        if (dataSet.Doubles(tag) is not [var l, var a, var b]) return null;
        l = l * 100 / 65535;
        a = a * 255 / 65535 - 128;
        b = b * 255 / 65535 - 128;
        double y = (l + 16) / 116, x = y + a / 500, z = y - b / 200;
        (x, y, z) = (Inverse(x) * 0.9642, Inverse(y), Inverse(z) * 0.8249);
        return (Encode(3.1338561 * x - 1.6168667 * y - 0.4906146 * z), Encode(-0.9787684 * x + 1.9161415 * y + 0.0334540 * z), Encode(0.0719453 * x - 0.2289914 * y + 1.4052427 * z));
    }

    private static double Inverse(double t) => t > 6.0 / 29 ? t * t * t : 3 * (6.0 / 29) * (6.0 / 29) * (t - 4.0 / 29);

    private static double Encode(double linear) => Math.Clamp(linear <= 0.0031308 ? 12.92 * linear : 1.055 * Math.Pow(linear, 1 / 2.4) - 0.055, 0, 1);
}
