using System.Numerics;
using PacsCluster.Dicom;

namespace PacsCluster.Imaging.Rendering;

/// <summary>Makes a picture of a frame as PS3.3 and PS3.4 N.2 say it is to be seen: Modality, VOI and Presentation LUT or colours, shutter, overlays,
/// presentation state, size and orientation, annotations.</summary>
public static class Renderer
{
    /// <summary>Renders one frame.</summary>
    /// <param name="header">The instance's attributes with overlays, lookup tables and profile; Pixel Data is not read from it.</param>
    /// <param name="frameIndex">From 0.</param>
    /// <param name="frame">Its samples.</param>
    /// <param name="request">What is wanted.</param>
    /// <returns>To be disposed.</returns>
    /// <exception cref="ImagingException">TooLarge: more pixels than <see cref="RenderRequest.PixelsMax"/>. Corrupt: a lookup table that is none. NotAnImage:
    /// the part asked for lies outside. Unsupported: a kind of pixels that the standard does not have.</exception>
    public static RenderedImage Render(DataSet header, int frameIndex, DecodedFrame frame, RenderRequest request)
    {
        ArgumentNullException.ThrowIfNull(header);
        ArgumentNullException.ThrowIfNull(frame);
        ArgumentNullException.ThrowIfNull(request);
        var attributes = new FrameAttributes(header, frameIndex);
        View view = View.Plan(attributes, frame.Format, request);
        if (!IsGray(frame.Format)) return Color(attributes, frame, request, view);
        return request.Bits == 16 && request.Presentation?.Palette is null
            ? RenderedImage.Of(Gray<ushort>(attributes, frame, request, view), null)
            : request.Presentation?.Palette is { } palette ? PseudoColor(attributes, frame, request, view, palette)
            : RenderedImage.Of(Gray<byte>(attributes, frame, request, view), null);
    }

    private static bool IsGray(FrameFormat format) => format.SamplesPerPixel == 1 && format.Photometric != PhotometricInterpretation.PaletteColor;

    private static Raster<T> Gray<T>(FrameAttributes attributes, DecodedFrame frame, RenderRequest request, View view)
        where T : unmanaged, IBinaryInteger<T>, IUnsignedNumber<T>, IMinMaxValue<T>
    {
        GrayPlan plan = Plan(attributes, frame.Format, request);
        return Finish(Cut(view.Region, frame.Format, part => GrayRenderer.Render<T>(frame.Format, frame.Samples.Span, part, plan)), attributes, frame, request, view, plan.Voi?.Window);
    }

    private static GrayPlan Plan(FrameAttributes attributes, FrameFormat format, RenderRequest request)
    {
        PixelPadding? padding = PixelPadding.Of(attributes.Header, format);
        VoiTransform? asked = request.Window is { IsUsable: true } window ? new VoiTransform(window, null) : null;
        if (request.Presentation is not { } state)
        {
            return new GrayPlan(ModalityTransform.Of(attributes), asked ?? VoiTransform.Of(attributes),
                PresentationTransform.Of(attributes.Header, format.Photometric == PhotometricInterpretation.Monochrome1), padding);
        }
        // The state's transformations replace the image's, also where it has none (PS3.4 N.2.1); without a VOI LUT it shows the whole range.
        VoiTransform? voi = asked ?? state.VoiOf(attributes.Header.GetString(Tags.SOPInstanceUID), attributes.Frame + 1);
        return new GrayPlan(state.Modality, voi ?? WholeRange(state.Modality, format), state.Presentation, padding);
    }

    private static VoiTransform? WholeRange(ModalityTransform modality, FrameFormat format)
    {
        if (format.Kind != SampleKind.Integer) return null;
        if (modality.Table is { } table) return new VoiTransform(VoiWindow.Spanning(0, table.Max), null);
        double range = Math.ScaleB(1, format.BitsStored), least = format.IsSigned ? -range / 2 : 0;
        Span<double> ends = [least, least + range - 1];
        modality.Apply(ends);
        return new VoiTransform(VoiWindow.Spanning(Math.Min(ends[0], ends[1]), Math.Max(ends[0], ends[1])), null);
    }

    private static RenderedImage PseudoColor(FrameAttributes attributes, DecodedFrame frame, RenderRequest request, View view, Palette palette)
    {
        GrayPlan plan = Plan(attributes, frame.Format, request);
        byte[] colors = palette.Colors(palette.FirstMapped, palette.FirstMapped + palette.Count - 1);
        Raster<byte> colored = Cut(view.Region, frame.Format, part =>
        {
            using Raster<ushort> gray = GrayRenderer.Render<ushort>(frame.Format, frame.Samples.Span, part, plan);
            var color = new Raster<byte>(gray.Width, gray.Height, 3);
            Span<byte> to = color.Pixels;
            ReadOnlySpan<ushort> from = gray.Pixels;
            for (int i = 0, o = 0; i < from.Length; i++, o += 3)
            {
                int at = 3 * ((from[i] * (palette.Count - 1) + ushort.MaxValue / 2) / ushort.MaxValue);
                colors.AsSpan(at, 3).CopyTo(to[o..]);
            }
            return color;
        });
        return WithProfile(Finish(colored, attributes, frame, request, view, plan.Voi?.Window), attributes.Header, request);
    }

    private static RenderedImage Color(FrameAttributes attributes, DecodedFrame frame, RenderRequest request, View view) =>
        WithProfile(Finish(Cut(view.Region, frame.Format, part => ColorRenderer.Render(attributes.Header, frame, part)), attributes, frame, request, view, null),
            attributes.Header, request);

    private static RenderedImage WithProfile(Raster<byte> raster, DataSet header, RenderRequest request)
    {
        byte[]? stored = IccProfile.Of(request.Presentation?.DataSet ?? header) ?? IccProfile.Of(header);
        return RenderedImage.Of(raster, IccProfile.Choose(raster.Pixels, stored, request.Icc));
    }

    /// <summary>The region as a raster; where it sticks out of the frame there is black.</summary>
    private static Raster<T> Cut<T>(PixelRegion region, FrameFormat format, Func<PixelRegion, Raster<T>> render)
        where T : unmanaged, IBinaryInteger<T>, IUnsignedNumber<T>, IMinMaxValue<T>
    {
        int left = Math.Max(region.X, 0), top = Math.Max(region.Y, 0);
        int right = Math.Min(region.X + region.Width, format.Columns), bottom = Math.Min(region.Y + region.Height, format.Rows);
        if (right <= left || bottom <= top) throw new ImagingException(ImagingError.NotAnImage, "the displayed area lies outside the frame");
        var part = new PixelRegion(left, top, right - left, bottom - top);
        if (part == region) return render(part);
        using Raster<T> inside = render(part);
        var whole = new Raster<T>(region.Width, region.Height, inside.Samples);
        whole.Pixels.Clear();
        for (int y = 0; y < part.Height; y++) inside.Row(y).CopyTo(whole.Row(y + top - region.Y)[((left - region.X) * inside.Samples)..]);
        return whole;
    }

    /// <summary>What lies on the pixels, then size and orientation, then what is drawn at the picture's own resolution.</summary>
    private static Raster<T> Finish<T>(Raster<T> raster, FrameAttributes attributes, DecodedFrame frame, RenderRequest request, View view, VoiWindow? window)
        where T : unmanaged, IBinaryInteger<T>, IUnsignedNumber<T>, IMinMaxValue<T>
    {
        Cover(raster, attributes, frame, request, view.Region);
        (int width, int height) = view.Upright;
        if (width != raster.Width || height != raster.Height) raster = Replace(raster, Resampler.Scale(raster, width, height));
        if (view.QuarterTurns != 0 || view.IsFlipped) raster = Replace(raster, Resampler.Orient(raster, view.QuarterTurns, view.IsFlipped));
        if (request.Presentation is { } state)
            GraphicAnnotations.Draw(raster, view, state, attributes.Header.GetString(Tags.SOPInstanceUID), attributes.Frame + 1);
        if (request.Annotations != Annotations.None) AnnotationText.Draw(raster, attributes, request.Annotations, window);
        return raster;
    }

    private static void Cover<T>(Raster<T> raster, FrameAttributes attributes, DecodedFrame frame, RenderRequest request, PixelRegion region)
        where T : unmanaged, IBinaryInteger<T>, IUnsignedNumber<T>, IMinMaxValue<T>
    {
        IReadOnlyList<Overlay> ofImage = Overlay.Read(attributes.Header, attributes.Frame, frame);
        if (request.Presentation is not { } state)
        {
            if (request.ShowsOverlays)
            {
                foreach (Overlay overlay in ofImage) overlay.Draw(raster, region, Ink<T>.Of(1));
            }
            Shutter.Read(attributes.Header, ofImage)?.Cover(raster, region);
            return;
        }
        IReadOnlyList<Overlay> ofState = Overlay.Read(state.DataSet, attributes.Frame, null);
        Shutter? shutter = Shutter.Read(state.DataSet, ofState);
        if (request.ShowsOverlays)
        {
            // A plane is shown by the layer that the state activates it on; planes of the state go before the image's of the same group.
            foreach (Overlay overlay in ofState.Concat(ofImage.Where(o => ofState.All(s => s.Group != o.Group))))
            {
                string? name = state.DataSet.GetString(new Tag(overlay.Group, Tags.OverlayActivationLayer.Element));
                if (name is null || overlay.Group == shutter?.BitmapGroup) continue;
                GraphicLayer? layer = state.Layers.GetValueOrDefault(name);
                overlay.Draw(raster, region, Ink<T>.Of(layer?.Gray ?? 1, layer?.Color));
            }
        }
        shutter?.Cover(raster, region);
    }

    private static Raster<T> Replace<T>(Raster<T> old, Raster<T> successor) where T : unmanaged, IBinaryInteger<T>, IUnsignedNumber<T>, IMinMaxValue<T>
    {
        old.Dispose();
        return successor;
    }
}
