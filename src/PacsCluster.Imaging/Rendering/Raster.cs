using System.Buffers;
using System.Numerics;

namespace PacsCluster.Imaging.Rendering;

/// <summary>A picture in the making, in rented memory: rows from the top, samples by pixel.</summary>
/// <typeparam name="T">byte or ushort; its whole range is black to white.</typeparam>
internal sealed class Raster<T> : IDisposable where T : unmanaged, IBinaryInteger<T>, IUnsignedNumber<T>, IMinMaxValue<T>
{
    private T[]? _rented;

    /// <summary>Memory as it comes: the maker fills it.</summary>
    public Raster(int width, int height, int samples)
    {
        Width = width;
        Height = height;
        Samples = samples;
        _rented = ArrayPool<T>.Shared.Rent(checked(width * height * samples));
    }

    /// <summary>Pixels of a row.</summary>
    public int Width { get; }

    /// <summary>Rows.</summary>
    public int Height { get; }

    /// <summary>1 grey, 3 red green blue.</summary>
    public int Samples { get; }

    /// <summary>Width × Height × Samples.</summary>
    public Span<T> Pixels => (_rented ?? throw new ObjectDisposedException(nameof(Raster<T>))).AsSpan(0, Width * Height * Samples);

    /// <summary>One row.</summary>
    public Span<T> Row(int y) => Pixels.Slice(y * Width * Samples, Width * Samples);

    /// <summary>A pixel takes a colour, if it lies within.</summary>
    public void Set(int x, int y, in Ink<T> ink)
    {
        if ((uint)x >= (uint)Width || (uint)y >= (uint)Height) return;
        int at = (y * Width + x) * Samples;
        Span<T> pixels = Pixels;
        if (Samples == 1) pixels[at] = ink.Gray;
        else
        {
            pixels[at] = ink.Red;
            pixels[at + 1] = ink.Green;
            pixels[at + 2] = ink.Blue;
        }
    }

    /// <summary>The rented memory changes hands; this one is of no use afterwards.</summary>
    public T[] Take()
    {
        T[] rented = _rented ?? throw new ObjectDisposedException(nameof(Raster<T>));
        _rented = null;
        return rented;
    }

    /// <summary>Gives the memory back.</summary>
    public void Dispose()
    {
        if (_rented is { } rented) ArrayPool<T>.Shared.Return(rented);
        _rented = null;
    }

    /// <summary>A picture of three samples from one of one.</summary>
    public Raster<T> ToColor()
    {
        var color = new Raster<T>(Width, Height, 3);
        Span<T> from = Pixels, to = color.Pixels;
        for (int i = 0, o = 0; i < from.Length; i++, o += 3) to[o] = to[o + 1] = to[o + 2] = from[i];
        return color;
    }
}

/// <summary>What is drawn with.</summary>
internal readonly record struct Ink<T>(T Gray, T Red, T Green, T Blue) where T : unmanaged, IBinaryInteger<T>, IUnsignedNumber<T>, IMinMaxValue<T>
{
    /// <summary>A grey from 0 to 1, or a colour of the same.</summary>
    public static Ink<T> Of(double gray, (double Red, double Green, double Blue)? color = null) =>
        new(Level(gray), Level(color?.Red ?? gray), Level(color?.Green ?? gray), Level(color?.Blue ?? gray));

    private static T Level(double value) => T.CreateSaturating(Math.Round(Math.Clamp(value, 0, 1) * double.CreateSaturating(T.MaxValue)));
}
