using PacsCluster.Dicom;

namespace PacsCluster.Imaging.Rendering;

/// <summary>VOI LUT Function (0028,1056).</summary>
public enum VoiFunction
{
    /// <summary>PS3.3 C.11.2.1.2.1: width - 1 steps.</summary>
    Linear,
    /// <summary>PS3.3 C.11.2.1.3.2: width steps.</summary>
    LinearExact,
    /// <summary>PS3.3 C.11.2.1.3.1.</summary>
    Sigmoid,
}

/// <summary>A window on the values behind the Modality LUT.</summary>
/// <param name="Center">In output units of the Modality LUT.</param>
/// <param name="Width">In the same units; at least 1 for <see cref="VoiFunction.Linear"/>, above 0 for the others.</param>
/// <param name="Function">How values become grey.</param>
public sealed record VoiWindow(double Center, double Width, VoiFunction Function = VoiFunction.Linear)
{
    /// <summary>Whether PS3.3 C.11.2 allows it.</summary>
    public bool IsUsable => double.IsFinite(Center) && double.IsFinite(Width) && (Function == VoiFunction.Linear ? Width >= 1 : Width > 0);

    /// <summary>Reads the words of (0028,1056) and of PS3.18 8.3.5.1.4; null when it is none of them.</summary>
    public static VoiFunction? ParseFunction(string? text) => text?.Trim().ToUpperInvariant() switch
    {
        null or "" or "LINEAR" => VoiFunction.Linear,
        "LINEAR_EXACT" or "LINEAR-EXACT" => VoiFunction.LinearExact,
        "SIGMOID" => VoiFunction.Sigmoid,
        _ => null,
    };

    /// <summary>The window that shows values from <paramref name="least"/> to <paramref name="greatest"/> as black to white.</summary>
    internal static VoiWindow Spanning(double least, double greatest) =>
        new((least + greatest) / 2, Math.Max(greatest - least, 1e-12), VoiFunction.LinearExact);
}

/// <summary>Stored values to values with a meaning: Rescale Slope and Intercept, or a Modality LUT (PS3.3 C.11.1).</summary>
internal sealed record ModalityTransform(double Slope, double Intercept, LookupTable? Table)
{
    public static ModalityTransform Identity { get; } = new(1, 0, null);

    public bool IsIdentity => Table is null && Slope == 1 && Intercept == 0;

    /// <summary>That of an image's frame.</summary>
    public static ModalityTransform Of(FrameAttributes frame)
    {
        DataSet header = frame.Header;
        // For angiography the Modality LUT takes LOG values back to linear ones for measuring; it is not applied for display (C.8.7.1.1.2).
        string? sopClass = header.GetString(Tags.SOPClassUID);
        if (sopClass is "1.2.840.10008.5.1.4.1.1.12.1" or "1.2.840.10008.5.1.4.1.1.12.2" or "1.2.840.10008.5.1.4.1.1.12.3"
            && header.GetString(Tags.PixelIntensityRelationship) == "LOG") return Identity;
        return Read(header) ?? Read(frame.GroupOrHeader(Tags.PixelValueTransformationSequence)) ?? Identity;
    }

    /// <summary>What a data set says of its own: an image, a functional group or a presentation state. Null when it says nothing.</summary>
    public static ModalityTransform? Read(DataSet dataSet)
    {
        if (FrameAttributes.First(dataSet, Tags.ModalityLUTSequence) is { } item && LookupTable.Read(item, Tags.LUTDescriptor, Tags.LUTData) is { } table)
            return new ModalityTransform(1, 0, table);
        double? slope = dataSet.GetDouble(Tags.RescaleSlope), intercept = dataSet.GetDouble(Tags.RescaleIntercept);
        if (slope is null && intercept is null) return null;
        // A slope of 0 would paint one grey: writers that put it there mean none.
        return new ModalityTransform(slope is null or 0 || !double.IsFinite(slope.Value) ? 1 : slope.Value,
            intercept is { } i && double.IsFinite(i) ? i : 0, null);
    }

    public void Apply(Span<double> values)
    {
        if (Table is { } table)
        {
            for (int i = 0; i < values.Length; i++) values[i] = table[values[i]];
        }
        else if (!IsIdentity)
        {
            for (int i = 0; i < values.Length; i++) values[i] = values[i] * Slope + Intercept;
        }
    }
}

/// <summary>Values with a meaning to greys from 0 to 1: a window or a VOI LUT (PS3.3 C.11.2).</summary>
internal sealed record VoiTransform(VoiWindow? Window, LookupTable? Table)
{
    /// <summary>What an image's frame says. Of several views the first counts; a table before a window, because it says more.</summary>
    public static VoiTransform? Of(FrameAttributes frame) => Read(frame.GroupOrHeader(Tags.FrameVOILUTSequence)) ?? Read(frame.Header);

    /// <summary>What an image, a functional group or an item of a presentation state says; null when it says nothing usable.</summary>
    public static VoiTransform? Read(DataSet dataSet)
    {
        if (FrameAttributes.First(dataSet, Tags.VOILUTSequence) is { } item && LookupTable.Read(item, Tags.LUTDescriptor, Tags.LUTData) is { } table)
            return new VoiTransform(null, table);
        if (dataSet.GetDouble(Tags.WindowCenter) is not { } center || dataSet.GetDouble(Tags.WindowWidth) is not { } width) return null;
        var window = new VoiWindow(center, width, VoiWindow.ParseFunction(dataSet.GetString(Tags.VOILUTFunction)) ?? VoiFunction.Linear);
        return window.IsUsable ? new VoiTransform(window, null) : null;
    }

    public void Apply(Span<double> values)
    {
        if (Table is { } table)
        {
            double scale = 1.0 / table.Max;
            for (int i = 0; i < values.Length; i++) values[i] = table[values[i]] * scale;
            return;
        }
        VoiWindow window = Window!;
        double center = window.Center, width = window.Width;
        switch (window.Function)
        {
            case VoiFunction.Sigmoid:
                for (int i = 0; i < values.Length; i++) values[i] = 1 / (1 + Math.Exp(-4 * (values[i] - center) / width));
                return;
            case VoiFunction.Linear:
                center -= 0.5;
                width -= 1;
                break;
        }
        // A window of width 1 is a threshold; so is that of a frame with one value.
        if (width < 1e-9)
        {
            for (int i = 0; i < values.Length; i++) values[i] = values[i] > center ? 1 : 0;
            return;
        }
        double gain = 1 / width, offset = 0.5 - center * gain;
        for (int i = 0; i < values.Length; i++) values[i] = Math.Clamp(values[i] * gain + offset, 0, 1);
    }
}

/// <summary>Greys to P-Values: Presentation LUT Shape, or a Presentation LUT (PS3.3 C.11.4, C.11.6).</summary>
internal sealed record PresentationTransform(bool IsInverse, LookupTable? Table)
{
    /// <summary>That of an image. MONOCHROME1 and INVERSE say the same thing, not one of the other (C.8.11.3.1.2).</summary>
    public static PresentationTransform Of(DataSet header, bool isMonochrome1) => new(header.GetString(Tags.PresentationLUTShape) switch
    {
        "INVERSE" => true,
        "IDENTITY" when !isMonochrome1 => false,
        _ => isMonochrome1,
    }, null);

    public void Apply(Span<double> greys)
    {
        if (Table is { } table)
        {
            // Its input is the whole range of the VOI LUT's output, whatever the number of entries (C.11.6.1).
            double last = table.Count - 1, scale = 1.0 / table.Max;
            for (int i = 0; i < greys.Length; i++) greys[i] = table[table.FirstMapped + greys[i] * last] * scale;
        }
        if (!IsInverse) return;
        for (int i = 0; i < greys.Length; i++) greys[i] = 1 - greys[i];
    }
}
