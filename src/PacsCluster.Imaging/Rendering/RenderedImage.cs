using System.Buffers;
using System.Numerics;
using System.Runtime.InteropServices;

namespace PacsCluster.Imaging.Rendering;

/// <summary>A picture as a person sees it, rows from the top, ready for <see cref="PictureWriter"/>. Dispose it: its memory is rented.</summary>
public sealed class RenderedImage : IDisposable
{
    private readonly ReadOnlyMemory<byte> _pixels;
    private Action? _giveBack;

    private RenderedImage(int width, int height, int samples, int bits, ReadOnlyMemory<byte> pixels, byte[]? iccProfile, Action giveBack)
    {
        Width = width;
        Height = height;
        Samples = samples;
        Bits = bits;
        IccProfile = iccProfile;
        _pixels = pixels;
        _giveBack = giveBack;
    }

    /// <summary>Pixels of a row.</summary>
    public int Width { get; }

    /// <summary>Rows.</summary>
    public int Height { get; }

    /// <summary>1 grey, 3 red green blue.</summary>
    public int Samples { get; }

    /// <summary>Bits of a sample: 8, or 16 in the machine's byte order.</summary>
    public int Bits { get; }

    /// <summary>What the colours mean, for the encoder to embed; null when nothing is known or asked for.</summary>
    public byte[]? IccProfile { get; }

    /// <summary>Width × Height × Samples samples, by pixel.</summary>
    public ReadOnlyMemory<byte> Pixels => _giveBack is null ? throw new ObjectDisposedException(nameof(RenderedImage)) : _pixels;

    /// <inheritdoc/>
    public void Dispose()
    {
        _giveBack?.Invoke();
        _giveBack = null;
    }

    internal static RenderedImage Of<T>(Raster<T> raster, byte[]? iccProfile) where T : unmanaged, IBinaryInteger<T>, IUnsignedNumber<T>, IMinMaxValue<T>
    {
        int width = raster.Width, height = raster.Height, samples = raster.Samples, length = width * height * samples;
        if (raster is Raster<byte> bytes)
        {
            byte[] rented = bytes.Take();
            return new RenderedImage(width, height, samples, 8, rented.AsMemory(0, length), iccProfile, () => ArrayPool<byte>.Shared.Return(rented));
        }
        byte[] copy = ArrayPool<byte>.Shared.Rent(length * 2);
        MemoryMarshal.AsBytes(raster.Pixels).CopyTo(copy);
        return new RenderedImage(width, height, samples, 16, copy.AsMemory(0, length * 2), iccProfile, () => ArrayPool<byte>.Shared.Return(copy));
    }
}
