namespace PacsCluster.Imaging.Rendering;

/// <summary>What is wanted of a picture (PS3.18 8.3.5.1). As it comes: the whole frame at its own size, with the window that it brings, its overlays,
/// and the colour profile that it has.</summary>
public sealed record RenderRequest
{
    /// <summary>Size and part; null for the whole frame, a pixel for a pixel.</summary>
    public Viewport? Viewport { get; init; }
    /// <summary>Instead of what the image or presentation state says. Has no effect on colour.</summary>
    public VoiWindow? Window { get; init; }
    /// <summary>Draw overlays that the image brings (with a presentation state, those that it activates).</summary>
    public bool ShowsOverlays { get; init; } = true;
    /// <summary>Text to burn in.</summary>
    public Annotations Annotations { get; init; }
    /// <summary>Colour profile of the result.</summary>
    public IccChoice Icc { get; init; }
    /// <summary>A presentation state to apply.</summary>
    public PresentationState? Presentation { get; init; }
    /// <summary>Bits of a sample, 8 or 16; colour has always 8.</summary>
    public int Bits { get; init; } = 8;
    /// <summary>Pixels of the result at most. Default 67,108,864 (8,192 × 8,192).</summary>
    public int PixelsMax { get; init; } = 1 << 26;
}

/// <summary>Where the picture has to fit in, and which part of the frame it shows. It keeps the shape of its pixels and is as large as fits.</summary>
/// <param name="Width">Pixels across, from 1.</param>
/// <param name="Height">Pixels down, from 1.</param>
public sealed record Viewport(int Width, int Height)
{
    /// <summary>Left side of the part, in the frame's pixels; 0 when null.</summary>
    public double? SourceX { get; init; }
    /// <summary>Top of the part; 0 when null.</summary>
    public double? SourceY { get; init; }
    /// <summary>Width of the part; to the right side when null. Negative mirrors left to right.</summary>
    public double? SourceWidth { get; init; }
    /// <summary>Height of the part; to the bottom when null. Negative mirrors top to bottom.</summary>
    public double? SourceHeight { get; init; }

    /// <summary>A part was asked for.</summary>
    public bool HasSource => SourceX is not null || SourceY is not null || SourceWidth is not null || SourceHeight is not null;
}

/// <summary>Text burned into a picture (PS3.18 8.3.5.1.1).</summary>
[Flags]
public enum Annotations
{
    /// <summary>None.</summary>
    None = 0,
    /// <summary>Name, ID, birth date and sex of the patient.</summary>
    Patient = 1,
    /// <summary>How the image was made.</summary>
    Technique = 2,
}

/// <summary>Colour profile of a picture (PS3.18 8.3.5.1.5).</summary>
public enum IccChoice
{
    /// <summary>The image's own, if it has one.</summary>
    AsStored,
    /// <summary>None embedded.</summary>
    No,
    /// <summary>The image's own, sRGB where it has none.</summary>
    Yes,
    /// <summary>Colours converted to sRGB.</summary>
    Srgb,
    /// <summary>Colours converted to Adobe RGB.</summary>
    AdobeRgb,
    /// <summary>Colours converted to ROMM RGB.</summary>
    RommRgb,
    /// <summary>Colours converted to Display P3.</summary>
    DisplayP3,
}
