using System.Buffers;
using System.Numerics;

namespace PacsCluster.Imaging.Rendering;

/// <summary>Other sizes and orientations of a raster.</summary>
internal static class Resampler
{
    /// <summary>The raster in another size: the mean of what a pixel covers where it gets smaller, linear between neighbours where it gets larger.</summary>
    public static Raster<T> Scale<T>(Raster<T> source, int width, int height) where T : unmanaged, IBinaryInteger<T>, IUnsignedNumber<T>, IMinMaxValue<T>
    {
        Taps across = Taps.Make(source.Width, width), down = Taps.Make(source.Height, height);
        int samples = source.Samples, length = width * samples;
        var scaled = new Raster<T>(width, height, samples);
        // Rows reduced across are kept while a row below still needs them: as many as one row of the result takes.
        float[] kept = ArrayPool<float>.Shared.Rent(length * down.Widest);
        float[] sum = ArrayPool<float>.Shared.Rent(length);
        try
        {
            int ready = 0;
            for (int y = 0; y < height; y++)
            {
                int first = down.First[y], count = down.Count(y);
                for (; ready < first + count; ready++)
                {
                    if (ready < first) continue;
                    Across(source.Row(ready), kept.AsSpan(ready % down.Widest * length, length), across, samples);
                }
                Span<float> to = sum.AsSpan(0, length);
                to.Clear();
                for (int i = 0; i < count; i++) AddWeighted(kept.AsSpan((first + i) % down.Widest * length, length), down.Weights(y)[i], to);
                Span<T> row = scaled.Row(y);
                for (int i = 0; i < length; i++) row[i] = T.CreateSaturating(to[i] + 0.5f);
            }
        }
        finally
        {
            ArrayPool<float>.Shared.Return(kept);
            ArrayPool<float>.Shared.Return(sum);
        }
        return scaled;
    }

    private static void Across<T>(ReadOnlySpan<T> from, Span<float> to, Taps taps, int samples) where T : unmanaged, IBinaryInteger<T>
    {
        for (int x = 0, o = 0; o < to.Length; x++, o += samples)
        {
            ReadOnlySpan<float> weights = taps.Weights(x);
            int first = taps.First[x] * samples;
            if (samples == 1)
            {
                float sum = 0;
                ReadOnlySpan<T> covered = from.Slice(first, weights.Length);
                for (int i = 0; i < weights.Length; i++) sum += float.CreateTruncating(covered[i]) * weights[i];
                to[o] = sum;
                continue;
            }
            float red = 0, green = 0, blue = 0;
            for (int i = 0, at = first; i < weights.Length; i++, at += 3)
            {
                red += float.CreateTruncating(from[at]) * weights[i];
                green += float.CreateTruncating(from[at + 1]) * weights[i];
                blue += float.CreateTruncating(from[at + 2]) * weights[i];
            }
            to[o] = red;
            to[o + 1] = green;
            to[o + 2] = blue;
        }
    }

    private static void AddWeighted(ReadOnlySpan<float> row, float weight, Span<float> sum)
    {
        int i = 0;
        for (; i <= row.Length - Vector<float>.Count; i += Vector<float>.Count)
            (new Vector<float>(sum[i..]) + new Vector<float>(row[i..]) * weight).CopyTo(sum[i..]);
        for (; i < row.Length; i++) sum[i] += row[i] * weight;
    }

    /// <summary>Turned clockwise by a multiple of 90 degrees, then mirrored left to right if asked.</summary>
    public static Raster<T> Orient<T>(Raster<T> source, int quarterTurns, bool isFlipped) where T : unmanaged, IBinaryInteger<T>, IUnsignedNumber<T>, IMinMaxValue<T>
    {
        bool swaps = (quarterTurns & 1) != 0;
        int width = swaps ? source.Height : source.Width, height = swaps ? source.Width : source.Height, samples = source.Samples;
        var turned = new Raster<T>(width, height, samples);
        ReadOnlySpan<T> from = source.Pixels;
        for (int y = 0; y < height; y++)
        {
            Span<T> row = turned.Row(y);
            for (int x = 0; x < width; x++)
            {
                int before = isFlipped ? width - 1 - x : x;
                (int sx, int sy) = quarterTurns switch
                {
                    1 => (y, source.Height - 1 - before),
                    2 => (source.Width - 1 - before, source.Height - 1 - y),
                    3 => (source.Width - 1 - y, before),
                    _ => (before, y),
                };
                from.Slice((sy * source.Width + sx) * samples, samples).CopyTo(row[(x * samples)..]);
            }
        }
        return turned;
    }

    /// <summary>Which source pixels make one pixel of the result, and how much each counts.</summary>
    private sealed class Taps
    {
        private readonly int[] _ends;
        private readonly float[] _weights;

        private Taps(int[] first, int[] ends, float[] weights, int widest)
        {
            First = first;
            _ends = ends;
            _weights = weights;
            Widest = widest;
        }

        public int[] First { get; }

        public int Widest { get; }

        public int Count(int at) => _ends[at] - (at == 0 ? 0 : _ends[at - 1]);

        public ReadOnlySpan<float> Weights(int at) => _weights.AsSpan(at == 0 ? 0 : _ends[at - 1], Count(at));

        public static Taps Make(int from, int to)
        {
            double step = (double)from / to;
            int[] first = new int[to], ends = new int[to];
            var weights = new List<float>();
            int widest = 1;
            for (int i = 0; i < to; i++)
            {
                // Where it gets larger, one source pixel's width around the centre: that is linear between two neighbours.
                double span = Math.Max(step, 1), middle = (i + 0.5) * step;
                double low = Math.Max(middle - span / 2, 0), high = Math.Min(middle + span / 2, from);
                int begin = Math.Min((int)low, from - 1), end = Math.Clamp((int)Math.Ceiling(high - 1e-9), begin + 1, from);
                first[i] = begin;
                double whole = 0;
                for (int s = begin; s < end; s++) whole += Math.Min(high, s + 1) - Math.Max(low, s);
                for (int s = begin; s < end; s++) weights.Add((float)((Math.Min(high, s + 1) - Math.Max(low, s)) / whole));
                ends[i] = weights.Count;
                widest = Math.Max(widest, end - begin);
            }
            return new Taps(first, ends, [.. weights], widest);
        }
    }
}
