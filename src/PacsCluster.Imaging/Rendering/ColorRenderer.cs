using System.Buffers;
using PacsCluster.Dicom;

namespace PacsCluster.Imaging.Rendering;

/// <summary>Colour frames to red, green and blue of 8 bits (PS3.3 C.7.6.3.1.2).</summary>
internal static class ColorRenderer
{
    // Rec. 601 as PS3.3 C.7.6.3.1.2 and JFIF have it, in 16-bit fixed point.
    private const int RedOfCr = 91881, GreenOfCb = 22554, GreenOfCr = 46802, BlueOfCb = 116130;

    /// <summary>Renders a region of a frame.</summary>
    /// <param name="header">For the palette.</param>
    /// <param name="frame">The frame; no monochrome one.</param>
    /// <param name="region">Part of it, within its bounds.</param>
    /// <exception cref="ImagingException">Corrupt: a palette that is absent or no palette. Unsupported: a number of samples that the photometric
    /// interpretation does not have.</exception>
    public static Raster<byte> Render(DataSet header, DecodedFrame frame, PixelRegion region)
    {
        FrameFormat format = frame.Format;
        if (format.Photometric == PhotometricInterpretation.PaletteColor) return FromPalette(Palette.Read(header) ?? throw NoPalette(), frame, region);
        if (format.Photometric == PhotometricInterpretation.Argb && format.SamplesPerPixel == 4) return FromArgb(header, frame, region);
        Convert convert = (format.Photometric, format.SamplesPerPixel) switch
        {
            (PhotometricInterpretation.YbrFull or PhotometricInterpretation.YbrFull422, 3) => FromYbrFull,
            (PhotometricInterpretation.YbrPartial422 or PhotometricInterpretation.YbrPartial420, 3) => FromYbrPartial,
            (PhotometricInterpretation.Hsv, 3) => FromHsv,
            (PhotometricInterpretation.Cmyk, 4) => FromCmyk,
            // What JPEG 2000 transformed comes back as RGB, and so does what says nothing.
            (_, 3) => static (_, _) => { },
            _ => throw new ImagingException(ImagingError.Unsupported, $"{format.SamplesPerPixel} samples a pixel of {format.Photometric.Term() ?? "no known photometric interpretation"}"),
        };
        var raster = new Raster<byte>(region.Width, region.Height, 3);
        byte[] row = ArrayPool<byte>.Shared.Rent(region.Width * format.SamplesPerPixel);
        try
        {
            for (int y = 0; y < region.Height; y++)
            {
                Span<byte> to = raster.Row(y);
                if (format.SamplesPerPixel == 3)
                {
                    ReadBytes(frame, region, y, to);
                    convert(to, to);
                }
                else
                {
                    ReadBytes(frame, region, y, row.AsSpan(0, region.Width * format.SamplesPerPixel));
                    convert(row.AsSpan(0, region.Width * format.SamplesPerPixel), to);
                }
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(row);
        }
        return raster;
    }

    /// <summary>Renders indices through a palette.</summary>
    public static Raster<byte> FromPalette(Palette palette, DecodedFrame frame, PixelRegion region)
    {
        FrameFormat format = frame.Format;
        if (format.SamplesPerPixel != 1 || format.Kind != SampleKind.Integer || format.BitsAllocated > 16)
            throw new ImagingException(ImagingError.Unsupported, "palette colour of other than integers of up to 16 bits");
        int count = format.Rows * format.Columns;
        ushort[] rented = SampleReader.Words(format, frame.Samples.Span, count);
        var raster = new Raster<byte>(region.Width, region.Height, 3);
        try
        {
            (int least, int greatest) = GrayRenderer.Range(rented.AsSpan(0, count), format.IsSigned);
            byte[] colors = palette.Colors(least, greatest);
            for (int y = 0; y < region.Height; y++)
            {
                ReadOnlySpan<ushort> words = rented.AsSpan((region.Y + y) * format.Columns + region.X, region.Width);
                Span<byte> to = raster.Row(y);
                for (int x = 0, o = 0; x < words.Length; x++, o += 3)
                {
                    int at = 3 * (ushort)(words[x] - (ushort)least);
                    to[o] = colors[at];
                    to[o + 1] = colors[at + 1];
                    to[o + 2] = colors[at + 2];
                }
            }
        }
        finally
        {
            ArrayPool<ushort>.Shared.Return(rented);
        }
        return raster;
    }

    private delegate void Convert(ReadOnlySpan<byte> from, Span<byte> to);

    /// <summary>One row of samples as 8 bits each: wider ones lose their low bits, narrower ones fill the range.</summary>
    private static void ReadBytes(DecodedFrame frame, PixelRegion region, int y, Span<byte> to)
    {
        FrameFormat format = frame.Format;
        int size = format.SampleBytes;
        int at = ((region.Y + y) * format.Columns + region.X) * format.SamplesPerPixel;
        ReadOnlySpan<byte> from = frame.Samples.Span.Slice(at * size, to.Length * size);
        if (format.Kind != SampleKind.Integer) throw new ImagingException(ImagingError.Unsupported, "colour of floating point samples");
        if (size == 1 && format.BitsStored == 8)
        {
            from.CopyTo(to);
            return;
        }
        int down = format.HighBit + 1 - format.BitsStored;
        uint max = format.BitsStored == 32 ? uint.MaxValue : (1u << format.BitsStored) - 1;
        uint bias = format.IsSigned ? max / 2 + 1 : 0;
        for (int i = 0; i < to.Length; i++)
        {
            uint value = 0;
            for (int b = size - 1; b >= 0; b--) value = value << 8 | from[i * size + b];
            value = (value >> down) + bias & max;
            to[i] = format.BitsStored >= 8 ? (byte)(value >> (format.BitsStored - 8)) : (byte)(value * 255 / max);
        }
    }

    private static void FromYbrFull(ReadOnlySpan<byte> from, Span<byte> to)
    {
        for (int i = 0; i + 2 < from.Length; i += 3)
        {
            int y = from[i] << 16 | 0x8000, cb = from[i + 1] - 128, cr = from[i + 2] - 128;
            to[i] = Clamp(y + RedOfCr * cr >> 16);
            to[i + 1] = Clamp(y - GreenOfCb * cb - GreenOfCr * cr >> 16);
            to[i + 2] = Clamp(y + BlueOfCb * cb >> 16);
        }
    }

    private static void FromYbrPartial(ReadOnlySpan<byte> from, Span<byte> to)
    {
        for (int i = 0; i + 2 < from.Length; i += 3)
        {
            // Luminance from 16 to 235, chrominances from 16 to 240.
            double y = 255.0 / 219 * (from[i] - 16), cb = 255.0 / 224 * (from[i + 1] - 128), cr = 255.0 / 224 * (from[i + 2] - 128);
            to[i] = Clamp((int)Math.Round(y + 1.402 * cr));
            to[i + 1] = Clamp((int)Math.Round(y - 0.344136 * cb - 0.714136 * cr));
            to[i + 2] = Clamp((int)Math.Round(y + 1.772 * cb));
        }
    }

    private static void FromHsv(ReadOnlySpan<byte> from, Span<byte> to)
    {
        for (int i = 0; i + 2 < from.Length; i += 3)
        {
            double hue = from[i] / 256.0 * 6, saturation = from[i + 1] / 255.0, value = from[i + 2];
            int sector = (int)hue;
            double rest = hue - sector;
            double p = value * (1 - saturation), q = value * (1 - saturation * rest), t = value * (1 - saturation * (1 - rest));
            (double r, double g, double b) = sector switch
            {
                0 => (value, t, p), 1 => (q, value, p), 2 => (p, value, t), 3 => (p, q, value), 4 => (t, p, value), _ => (value, p, q),
            };
            to[i] = (byte)Math.Round(r);
            to[i + 1] = (byte)Math.Round(g);
            to[i + 2] = (byte)Math.Round(b);
        }
    }

    private static void FromCmyk(ReadOnlySpan<byte> from, Span<byte> to)
    {
        for (int i = 0, o = 0; i + 3 < from.Length; i += 4, o += 3)
        {
            int black = from[i + 3];
            for (int c = 0; c < 3; c++) to[o + c] = (byte)Math.Max(255 - from[i + c] - black, 0);
        }
    }

    /// <summary>ARGB (retired): where the first sample is not 0 it is an index into the palette, else the other three are the colour.</summary>
    private static Raster<byte> FromArgb(DataSet header, DecodedFrame frame, PixelRegion region)
    {
        byte[] colors = (Palette.Read(header) ?? throw NoPalette()).Colors(0, 255);
        var raster = new Raster<byte>(region.Width, region.Height, 3);
        byte[] row = new byte[region.Width * 4];
        for (int y = 0; y < region.Height; y++)
        {
            ReadBytes(frame, region, y, row);
            Span<byte> to = raster.Row(y);
            for (int x = 0; x < region.Width; x++)
            {
                int index = row[4 * x];
                ReadOnlySpan<byte> color = index > 0 ? colors.AsSpan(3 * index, 3) : row.AsSpan(4 * x + 1, 3);
                color.CopyTo(to[(3 * x)..]);
            }
        }
        return raster;
    }

    private static byte Clamp(int value) => (byte)Math.Clamp(value, 0, 255);

    private static ImagingException NoPalette() => new(ImagingError.Corrupt, "the palette is missing");
}
