using System.Numerics;
using PacsCluster.Dicom;

namespace PacsCluster.Imaging.Rendering;

/// <summary>One overlay plane (PS3.3 C.9.2) as it lies on one frame: a bit a pixel.</summary>
internal sealed class Overlay
{
    private const ushort FirstGroup = 0x6000, LastGroup = 0x601E;
    private readonly ReadOnlyMemory<byte> _bits;
    private readonly long _firstBit;

    private Overlay(ushort group, DataSet dataSet, int rows, int columns, ReadOnlyMemory<byte> bits, long firstBit)
    {
        Group = group;
        Rows = rows;
        Columns = columns;
        _bits = bits;
        _firstBit = firstBit;
        double[] origin = dataSet.Doubles(Element(group, Tags.OverlayOrigin));
        // Origin is row\column of the overlay's first pixel; 1\1 is the image's first pixel.
        Y = origin.Length == 2 ? (int)Math.Clamp(origin[0], -100000, 100000) - 1 : 0;
        X = origin.Length == 2 ? (int)Math.Clamp(origin[1], -100000, 100000) - 1 : 0;
        IsRegionOfInterest = dataSet.GetString(Element(group, Tags.OverlayType)) == "R";
    }

    /// <summary>60xx.</summary>
    public ushort Group { get; }


    /// <summary>Type R: an area, of which only the border is drawn.</summary>
    public bool IsRegionOfInterest { get; }

    private int Rows { get; }

    private int Columns { get; }

    private int X { get; }

    private int Y { get; }

    /// <summary>The planes of a data set.</summary>
    /// <param name="dataSet">An image or a presentation state.</param>
    /// <param name="frameNumber">Frame of the image, from 0.</param>
    /// <param name="frame">The image's frame where planes may stand in unused bits of the pixels; null for a presentation state.</param>
    public static IReadOnlyList<Overlay> Read(DataSet dataSet, int frameNumber, DecodedFrame? frame)
    {
        List<Overlay>? overlays = null;
        for (ushort group = FirstGroup; group <= LastGroup; group += 2)
        {
            if (ReadPlane(dataSet, group, frameNumber, frame) is { } overlay) (overlays ??= []).Add(overlay);
        }
        return overlays ?? [];
    }

    private static Overlay? ReadPlane(DataSet dataSet, ushort group, int frameNumber, DecodedFrame? frame)
    {
        int? rows = dataSet.GetInt32(Element(group, Tags.OverlayRows)), columns = dataSet.GetInt32(Element(group, Tags.OverlayColumns));
        ReadOnlyMemory<byte> data = dataSet.Bytes(Element(group, Tags.OverlayData));
        if (!data.IsEmpty)
        {
            if (rows is not > 0 || columns is not > 0) return null;
            int frames = dataSet.GetInt32(Element(group, Tags.NumberOfFramesInOverlay)) ?? 1;
            int first = (dataSet.GetInt32(Element(group, Tags.ImageFrameOrigin)) ?? 1) - 1;
            // One plane without frames of its own lies on every frame.
            int index = frames <= 1 && !dataSet.Contains(Element(group, Tags.NumberOfFramesInOverlay)) ? 0 : frameNumber - first;
            if (index < 0 || index >= frames) return null;
            long at = (long)index * rows.Value * columns.Value;
            return (at + (long)rows * columns + 7) / 8 > data.Length ? null : new Overlay(group, dataSet, rows.Value, columns.Value, data, at);
        }
        if (frame is null || dataSet.GetInt32(Element(group, Tags.OverlayBitPosition)) is not { } bit) return null;
        FrameFormat format = frame.Format;
        bool isUnused = bit > format.HighBit || bit <= format.HighBit - format.BitsStored;
        if (format.SamplesPerPixel != 1 || format.Kind != SampleKind.Integer || bit < 0 || bit >= format.BitsAllocated || !isUnused) return null;
        return new Overlay(group, dataSet, format.Rows, format.Columns, TakeBit(format, frame.Samples.Span, bit), 0);
    }

    /// <summary>Planes in unused bits of pixels (retired since 2004, and common in what was stored before).</summary>
    private static byte[] TakeBit(FrameFormat format, ReadOnlySpan<byte> samples, int bit)
    {
        int count = format.Rows * format.Columns, size = format.SampleBytes;
        byte[] bits = new byte[(count + 7) / 8];
        ReadOnlySpan<byte> from = samples[(bit / 8)..];
        int shift = bit % 8;
        for (int i = 0; i < count; i++) bits[i >> 3] |= (byte)((from[i * size] >> shift & 1) << (i & 7));
        return bits;
    }

    /// <summary>Whether a pixel of the image is set.</summary>
    public bool this[int x, int y]
    {
        get
        {
            x -= X;
            y -= Y;
            return (uint)x < (uint)Columns && (uint)y < (uint)Rows && IsSet((long)y * Columns + x);
        }
    }

    /// <summary>Draws what of it lies in a region of the image; the raster is that region.</summary>
    public void Draw<T>(Raster<T> raster, PixelRegion region, Ink<T> ink) where T : unmanaged, IBinaryInteger<T>, IUnsignedNumber<T>, IMinMaxValue<T>
    {
        int top = Math.Max(Y, region.Y), bottom = Math.Min(Y + Rows, region.Y + region.Height);
        int left = Math.Max(X, region.X), right = Math.Min(X + Columns, region.X + region.Width);
        for (int y = top; y < bottom; y++)
        {
            long row = (long)(y - Y) * Columns - X;
            for (int x = left; x < right; x++)
            {
                if (!IsSet(row + x)) continue;
                if (IsRegionOfInterest && this[x - 1, y] && this[x + 1, y] && this[x, y - 1] && this[x, y + 1]) continue;
                raster.Set(x - region.X, y - region.Y, ink);
            }
        }
    }

    private bool IsSet(long index)
    {
        long bit = _firstBit + index;
        return (_bits.Span[(int)(bit >> 3)] >> (int)(bit & 7) & 1) != 0;
    }

    private static Tag Element(ushort group, Tag of) => new(group, of.Element);
}
