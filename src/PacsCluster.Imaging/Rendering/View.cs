using PacsCluster.Dicom;

namespace PacsCluster.Imaging.Rendering;

/// <summary>Where the frame's pixels go: a part of it, scaled, turned and mirrored into the picture.</summary>
/// <param name="Region">Part of the frame; may stick out of it.</param>
/// <param name="Width">Of the picture.</param>
/// <param name="Height">Of the picture.</param>
/// <param name="QuarterTurns">Clockwise, 0 to 3.</param>
/// <param name="IsFlipped">Mirrored left to right after turning.</param>
internal sealed record View(PixelRegion Region, int Width, int Height, int QuarterTurns, bool IsFlipped)
{
    /// <summary>Size before turning.</summary>
    public (int Width, int Height) Upright => (QuarterTurns & 1) == 0 ? (Width, Height) : (Height, Width);

    /// <summary>Plans for a frame.</summary>
    /// <exception cref="ImagingException">TooLarge, or NotAnImage when the part asked for lies outside the frame.</exception>
    public static View Plan(FrameAttributes frame, FrameFormat format, RenderRequest request)
    {
        var whole = new PixelRegion(0, 0, format.Columns, format.Rows);
        PixelRegion region = whole;
        int turns = 0;
        bool flipped = false;
        double aspect = PixelHeight(frame), magnification = 1;
        if (request.Presentation is { } presentation)
        {
            (turns, flipped) = presentation.Orientation;
            if (presentation.AreaOf(frame.Header.GetString(Tags.SOPInstanceUID), frame.Frame + 1) is { } area)
            {
                region = area.Region;
                aspect = area.PixelHeight ?? aspect;
                magnification = area.Magnification;
            }
        }
        if (request.Viewport is { HasSource: true } source)
        {
            (region, bool across, bool down) = Part(source, whole);
            // Top to bottom is half a turn and left to right.
            if (across) flipped = !flipped;
            if (down)
            {
                turns = turns + 2 & 3;
                flipped = !flipped;
            }
        }
        double width = region.Width, height = region.Height;
        if (request.Viewport is { } viewport)
        {
            height *= aspect;
            bool swaps = (turns & 1) != 0;
            double fit = Math.Min((swaps ? viewport.Height : viewport.Width) / width, (swaps ? viewport.Width : viewport.Height) / height);
            (width, height) = (width * fit, height * fit);
        }
        else if (magnification != 1) (width, height) = (width * magnification, height * magnification * aspect);
        if (width * height > request.PixelsMax || Math.Max(width, height) > ushort.MaxValue || (long)region.Width * region.Height > request.PixelsMax)
            throw new ImagingException(ImagingError.TooLarge, $"a picture of {width:F0} × {height:F0} pixels; {request.PixelsMax} pixels are allowed: ask for a smaller viewport");
        int w = Math.Max((int)Math.Round(width), 1), h = Math.Max((int)Math.Round(height), 1);
        return (turns & 1) == 0 ? new View(region, w, h, turns, flipped) : new View(region, h, w, turns, flipped);
    }

    /// <summary>A point of the frame (0\0 its top left corner) in the picture.</summary>
    public (double X, double Y) OfPixel(double column, double row)
    {
        double x = (column - Region.X) / Region.Width, y = (row - Region.Y) / Region.Height;
        (x, y) = QuarterTurns switch { 1 => (1 - y, x), 2 => (1 - x, 1 - y), 3 => (y, 1 - x), _ => (x, y) };
        return ((IsFlipped ? 1 - x : x) * Width, y * Height);
    }

    /// <summary>A point given as fraction of what is displayed, in the picture.</summary>
    public (double X, double Y) OfDisplay(double across, double down) => (across * Width, down * Height);

    private static (PixelRegion Region, bool Across, bool Down) Part(Viewport viewport, PixelRegion whole)
    {
        double x = viewport.SourceX ?? 0, y = viewport.SourceY ?? 0;
        double width = viewport.SourceWidth ?? whole.Width - x, height = viewport.SourceHeight ?? whole.Height - y;
        int left = (int)Math.Clamp(Math.Round(x), 0, whole.Width), top = (int)Math.Clamp(Math.Round(y), 0, whole.Height);
        int right = (int)Math.Clamp(Math.Round(x + Math.Abs(width)), 0, whole.Width), bottom = (int)Math.Clamp(Math.Round(y + Math.Abs(height)), 0, whole.Height);
        if (right <= left || bottom <= top) throw new ImagingException(ImagingError.NotAnImage, $"the part asked for lies outside the frame of {whole.Width} × {whole.Height} pixels");
        return (new PixelRegion(left, top, right - left, bottom - top), width < 0, height < 0);
    }

    /// <summary>Height of a pixel when its width is 1: Pixel Aspect Ratio (0028,0034), else the ratio of Pixel Spacing.</summary>
    private static double PixelHeight(FrameAttributes frame)
    {
        DataSet header = frame.Header;
        ReadOnlySpan<Tag> tags = [Tags.PixelAspectRatio, Tags.PixelSpacing, Tags.ImagerPixelSpacing];
        foreach (Tag tag in tags)
        {
            DataSet from = tag == Tags.PixelSpacing ? frame.GroupOrHeader(Tags.PixelMeasuresSequence) : header;
            if (from.Doubles(tag) is [> 0 and var vertical, > 0 and var horizontal]) return Math.Clamp(vertical / horizontal, 0.01, 100);
        }
        return 1;
    }
}
