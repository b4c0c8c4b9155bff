using System.Buffers;
using System.Numerics;
using System.Runtime.InteropServices;

namespace PacsCluster.Imaging.Rendering;

/// <summary>How a frame's stored values become greys (PS3.4 N.2: Modality LUT, VOI LUT, Presentation LUT).</summary>
/// <param name="Modality">First step.</param>
/// <param name="Voi">Second step; null shows the least value of the frame black and the greatest white.</param>
/// <param name="Presentation">Third step.</param>
/// <param name="Padding">Values that are no image.</param>
internal sealed record GrayPlan(ModalityTransform Modality, VoiTransform? Voi, PresentationTransform Presentation, PixelPadding? Padding);

/// <summary>Grey frames to rasters. For up to 16 bits the three steps are worked out once for each value that occurs, then pixels are looked up.</summary>
internal static class GrayRenderer
{
    private const int ChunkLength = 1024;

    /// <summary>Renders a region of a frame.</summary>
    /// <param name="format">Of the samples: one a pixel.</param>
    /// <param name="samples">One frame.</param>
    /// <param name="region">Part of it, within its bounds.</param>
    /// <param name="plan">Steps.</param>
    public static Raster<T> Render<T>(FrameFormat format, ReadOnlySpan<byte> samples, PixelRegion region, GrayPlan plan)
        where T : unmanaged, IBinaryInteger<T>, IUnsignedNumber<T>, IMinMaxValue<T> =>
        format.Kind == SampleKind.Integer && format.BitsAllocated <= 16 ? FromWords<T>(format, samples, region, plan) : FromNumbers<T>(format, samples, region, plan);

    private static Raster<T> FromWords<T>(FrameFormat format, ReadOnlySpan<byte> samples, PixelRegion region, GrayPlan plan)
        where T : unmanaged, IBinaryInteger<T>, IUnsignedNumber<T>, IMinMaxValue<T>
    {
        int count = format.Rows * format.Columns;
        ushort[] rented = SampleReader.Words(format, samples, count);
        T[]? table = null;
        try
        {
            ReadOnlySpan<ushort> words = rented.AsSpan(0, count);
            (int least, int greatest) = Range(words, format.IsSigned);
            VoiTransform voi = plan.Voi ?? SpanningWindow(words, format, plan, least, greatest);
            int length = greatest - least + 1;
            table = ArrayPool<T>.Shared.Rent(length);
            Fill(table.AsSpan(0, length), least, plan, voi);
            var raster = new Raster<T>(region.Width, region.Height, 1);
            // Modulo 65,536 the difference is right for signed words too.
            ushort origin = (ushort)least;
            for (int y = 0; y < region.Height; y++)
                Map(words.Slice((region.Y + y) * format.Columns + region.X, region.Width), raster.Row(y), table, origin);
            return raster;
        }
        finally
        {
            ArrayPool<ushort>.Shared.Return(rented);
            if (table is not null) ArrayPool<T>.Shared.Return(table);
        }
    }

    private static void Map<T>(ReadOnlySpan<ushort> words, Span<T> to, T[] table, ushort origin) where T : unmanaged
    {
        // Every word lies within the range that the table was made for, so the bounds need no check for each pixel.
        ref T first = ref MemoryMarshal.GetArrayDataReference(table);
        for (int i = 0; i < words.Length; i++) to[i] = System.Runtime.CompilerServices.Unsafe.Add(ref first, (ushort)(words[i] - origin));
    }

    /// <summary>The three steps for each stored value from <paramref name="least"/> on.</summary>
    private static void Fill<T>(Span<T> table, int least, GrayPlan plan, VoiTransform voi) where T : unmanaged, IBinaryInteger<T>, IMinMaxValue<T>
    {
        Span<double> values = stackalloc double[ChunkLength];
        for (int at = 0; at < table.Length; at += ChunkLength)
        {
            Span<double> chunk = values[..Math.Min(ChunkLength, table.Length - at)];
            for (int i = 0; i < chunk.Length; i++) chunk[i] = least + at + i;
            Steps(chunk, table.Slice(at, chunk.Length), plan, voi);
        }
        if (plan.Padding is not { } padding) return;
        int from = (int)Math.Clamp(padding.Least - least, 0, table.Length), to = (int)Math.Clamp(padding.Greatest - least + 1, from, table.Length);
        table[from..to].Clear();
    }

    private static void Steps<T>(Span<double> values, Span<T> to, GrayPlan plan, VoiTransform voi) where T : unmanaged, IBinaryInteger<T>, IMinMaxValue<T>
    {
        plan.Modality.Apply(values);
        voi.Apply(values);
        plan.Presentation.Apply(values);
        double white = double.CreateSaturating(T.MaxValue);
        for (int i = 0; i < values.Length; i++) to[i] = T.CreateTruncating((int)(values[i] * white + 0.5));
    }

    private static VoiTransform SpanningWindow(ReadOnlySpan<ushort> words, FrameFormat format, GrayPlan plan, int least, int greatest)
    {
        if (format.BitsStored == 1) return new VoiTransform(VoiWindow.Spanning(0, 1), null);
        if (plan.Padding is { } padding && (padding.Contains(least) || padding.Contains(greatest) || plan.Modality.Table is not null))
            (least, greatest) = RangeWithout(words, format.IsSigned, padding) ?? (least, greatest);
        if (plan.Modality.Table is { } table)
        {
            double low = double.MaxValue, high = double.MinValue;
            foreach (ushort word in words)
            {
                int stored = format.IsSigned ? (short)word : word;
                if (stored < least || stored > greatest) continue;
                double value = table[stored];
                low = Math.Min(low, value);
                high = Math.Max(high, value);
            }
            return new VoiTransform(VoiWindow.Spanning(low, high), null);
        }
        Span<double> ends = [least, greatest];
        plan.Modality.Apply(ends);
        return new VoiTransform(VoiWindow.Spanning(Math.Min(ends[0], ends[1]), Math.Max(ends[0], ends[1])), null);
    }

    internal static (int Least, int Greatest) Range(ReadOnlySpan<ushort> words, bool isSigned)
    {
        if (!isSigned)
        {
            (ushort low, ushort high) = Range(words);
            return (low, high);
        }
        (short least, short greatest) = Range(MemoryMarshal.Cast<ushort, short>(words));
        return (least, greatest);
    }

    private static (TWord Least, TWord Greatest) Range<TWord>(ReadOnlySpan<TWord> words) where TWord : unmanaged, IBinaryInteger<TWord>
    {
        ReadOnlySpan<Vector<TWord>> vectors = MemoryMarshal.Cast<TWord, Vector<TWord>>(words);
        TWord least = words[0], greatest = words[0];
        if (vectors.Length > 0)
        {
            Vector<TWord> low = vectors[0], high = vectors[0];
            foreach (Vector<TWord> vector in vectors)
            {
                low = Vector.Min(low, vector);
                high = Vector.Max(high, vector);
            }
            for (int i = 0; i < Vector<TWord>.Count; i++)
            {
                least = TWord.Min(least, low[i]);
                greatest = TWord.Max(greatest, high[i]);
            }
        }
        foreach (TWord word in words[(vectors.Length * Vector<TWord>.Count)..])
        {
            least = TWord.Min(least, word);
            greatest = TWord.Max(greatest, word);
        }
        return (least, greatest);
    }

    private static (int Least, int Greatest)? RangeWithout(ReadOnlySpan<ushort> words, bool isSigned, PixelPadding padding)
    {
        int least = int.MaxValue, greatest = int.MinValue;
        int from = (int)Math.Clamp(Math.Ceiling(padding.Least), int.MinValue, int.MaxValue), to = (int)Math.Clamp(Math.Floor(padding.Greatest), int.MinValue, int.MaxValue);
        foreach (ushort word in words)
        {
            int stored = isSigned ? (short)word : word;
            if (stored >= from && stored <= to) continue;
            least = Math.Min(least, stored);
            greatest = Math.Max(greatest, stored);
        }
        return least > greatest ? null : (least, greatest);
    }

    /// <summary>32-bit integers and floats: too many values for a table, each pixel takes the three steps.</summary>
    private static Raster<T> FromNumbers<T>(FrameFormat format, ReadOnlySpan<byte> samples, PixelRegion region, GrayPlan plan)
        where T : unmanaged, IBinaryInteger<T>, IUnsignedNumber<T>, IMinMaxValue<T>
    {
        VoiTransform voi = plan.Voi ?? SpanningWindow(format, samples, plan);
        var raster = new Raster<T>(region.Width, region.Height, 1);
        Span<double> values = stackalloc double[ChunkLength];
        for (int y = 0; y < region.Height; y++)
        {
            Span<T> row = raster.Row(y);
            for (int x = 0; x < row.Length; x += ChunkLength)
            {
                Span<double> chunk = values[..Math.Min(ChunkLength, row.Length - x)];
                Span<T> to = row.Slice(x, chunk.Length);
                int at = (region.Y + y) * format.Columns + region.X + x;
                SampleReader.Doubles(format, samples, at, chunk);
                Steps(chunk, to, plan, voi);
                // Numbers that are none, and padding, are black.
                if (plan.Padding is null && format.Kind == SampleKind.Integer) continue;
                SampleReader.Doubles(format, samples, at, chunk);
                for (int i = 0; i < chunk.Length; i++)
                {
                    if (double.IsNaN(chunk[i]) || plan.Padding is { } padding && padding.Contains(chunk[i])) to[i] = T.Zero;
                }
            }
        }
        return raster;
    }

    private static VoiTransform SpanningWindow(FrameFormat format, ReadOnlySpan<byte> samples, GrayPlan plan)
    {
        double least = double.MaxValue, greatest = double.MinValue;
        Span<double> values = stackalloc double[ChunkLength];
        int count = format.Rows * format.Columns;
        for (int at = 0; at < count; at += ChunkLength)
        {
            Span<double> chunk = values[..Math.Min(ChunkLength, count - at)];
            SampleReader.Doubles(format, samples, at, chunk);
            foreach (ref double value in chunk)
            {
                if (plan.Padding is { } padding && padding.Contains(value)) value = double.NaN;
            }
            plan.Modality.Apply(chunk);
            foreach (double value in chunk)
            {
                if (!double.IsFinite(value)) continue;
                least = Math.Min(least, value);
                greatest = Math.Max(greatest, value);
            }
        }
        return new VoiTransform(least > greatest ? VoiWindow.Spanning(0, 1) : VoiWindow.Spanning(least, greatest), null);
    }
}

/// <summary>A rectangle of pixels.</summary>
/// <param name="X">Column of its left side, from 0.</param>
/// <param name="Y">Row of its top, from 0.</param>
/// <param name="Width">Columns.</param>
/// <param name="Height">Rows.</param>
internal readonly record struct PixelRegion(int X, int Y, int Width, int Height);
