using PacsCluster.Dicom;

namespace PacsCluster.Imaging.Rendering;

/// <summary>Stored values that are no image: Pixel Padding Value (0028,0120) up to Pixel Padding Range Limit (0028,0121), either way round, or their
/// counterparts for float pixels. They are shown black and count for no window (PS3.3 C.7.5.1.1.2).</summary>
/// <param name="Least">First padding value.</param>
/// <param name="Greatest">Last padding value.</param>
internal readonly record struct PixelPadding(double Least, double Greatest)
{
    /// <summary>Reads it; null when the image has none.</summary>
    public static PixelPadding? Of(DataSet header, FrameFormat format)
    {
        (Tag value, Tag limit) = format.Kind switch
        {
            SampleKind.Float => (Tags.FloatPixelPaddingValue, Tags.FloatPixelPaddingRangeLimit),
            SampleKind.Double => (Tags.DoubleFloatPixelPaddingValue, Tags.DoubleFloatPixelPaddingRangeLimit),
            _ => (Tags.PixelPaddingValue, Tags.PixelPaddingRangeLimit),
        };
        if (Number(header, value, format) is not { } first) return null;
        double second = Number(header, limit, format) ?? first;
        return new PixelPadding(Math.Min(first, second), Math.Max(first, second));
    }

    /// <summary>Whether a stored value is padding.</summary>
    public bool Contains(double stored) => stored >= Least && stored <= Greatest;

    // Explicit VR files say US for signed pixels and the reverse: the pixels decide.
    private static double? Number(DataSet header, Tag tag, FrameFormat format)
    {
        if (header.GetDouble(tag) is not { } number || !double.IsFinite(number)) return null;
        if (format.Kind != SampleKind.Integer) return number;
        if (format.IsSigned && number > short.MaxValue && number <= ushort.MaxValue && format.BitsAllocated <= 16) return (short)(ushort)number;
        if (!format.IsSigned && number < 0 && number >= short.MinValue) return (ushort)(short)number;
        return number;
    }
}
