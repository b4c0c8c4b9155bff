using System.Buffers;
using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.InteropServices;

namespace PacsCluster.Imaging.Rendering;

/// <summary>Stored values of a frame, as numbers: bits that are no part of them (overlays, noise above Bits Stored) are taken off.</summary>
internal static class SampleReader
{
    /// <summary>Stored values of at most 16 bits, each as a 16-bit word: two's complement when signed. Rented: give it back to
    /// <see cref="ArrayPool{T}.Shared"/>.</summary>
    /// <param name="format">Of the samples; integers of 8 or 16 bits allocated.</param>
    /// <param name="samples">One frame, one sample a pixel.</param>
    /// <param name="count">Samples.</param>
    public static ushort[] Words(FrameFormat format, ReadOnlySpan<byte> samples, int count)
    {
        ushort[] words = ArrayPool<ushort>.Shared.Rent(count);
        Span<ushort> to = words.AsSpan(0, count);
        if (format.BitsAllocated == 8) Widen(samples[..count], to);
        else
        {
            samples[..(2 * count)].CopyTo(MemoryMarshal.AsBytes(to));
            if (!BitConverter.IsLittleEndian) BinaryPrimitives.ReverseEndianness(to, to);
        }
        Trim(to, format.HighBit, format.BitsStored, format.IsSigned);
        return words;
    }

    /// <summary>Takes BitsStored bits that end at HighBit to the bottom of each word, extending the sign.</summary>
    private static void Trim(Span<ushort> words, int highBit, int bitsStored, bool isSigned)
    {
        if (bitsStored >= 16) return;
        int left = Math.Clamp(15 - highBit, 0, 15), right = 16 - Math.Clamp(bitsStored, 1, 16);
        if (isSigned) ShiftSigned(MemoryMarshal.Cast<ushort, short>(words), left, right);
        else ShiftUnsigned(words, left, right);
    }

    private static void ShiftSigned(Span<short> words, int left, int right)
    {
        Span<Vector<short>> vectors = MemoryMarshal.Cast<short, Vector<short>>(words);
        for (int i = 0; i < vectors.Length; i++) vectors[i] = vectors[i] << left >> right;
        for (int i = vectors.Length * Vector<short>.Count; i < words.Length; i++) words[i] = (short)((short)(words[i] << left) >> right);
    }

    private static void ShiftUnsigned(Span<ushort> words, int left, int right)
    {
        Span<Vector<ushort>> vectors = MemoryMarshal.Cast<ushort, Vector<ushort>>(words);
        for (int i = 0; i < vectors.Length; i++) vectors[i] = vectors[i] << left >>> right;
        for (int i = vectors.Length * Vector<ushort>.Count; i < words.Length; i++) words[i] = (ushort)((ushort)(words[i] << left) >> right);
    }

    private static void Widen(ReadOnlySpan<byte> from, Span<ushort> to)
    {
        ReadOnlySpan<Vector<byte>> vectors = MemoryMarshal.Cast<byte, Vector<byte>>(from);
        Span<Vector<ushort>> wide = MemoryMarshal.Cast<ushort, Vector<ushort>>(to);
        for (int i = 0; i < vectors.Length; i++) Vector.Widen(vectors[i], out wide[2 * i], out wide[2 * i + 1]);
        for (int i = vectors.Length * Vector<byte>.Count; i < from.Length; i++) to[i] = from[i];
    }

    /// <summary>Part of a frame of any kind as numbers: 32-bit integers, float and double float pixel data.</summary>
    public static void Doubles(FrameFormat format, ReadOnlySpan<byte> samples, int from, Span<double> to)
    {
        int width = format.BitsAllocated / 8;
        ReadOnlySpan<byte> bytes = samples.Slice(from * width, to.Length * width);
        int left = Math.Clamp(31 - format.HighBit, 0, 31), right = 32 - Math.Clamp(format.BitsStored, 1, 32);
        for (int i = 0; i < to.Length; i++)
        {
            ReadOnlySpan<byte> at = bytes[(i * width)..];
            to[i] = format.Kind switch
            {
                SampleKind.Float => BinaryPrimitives.ReadSingleLittleEndian(at),
                SampleKind.Double => BinaryPrimitives.ReadDoubleLittleEndian(at),
                _ when format.IsSigned => BinaryPrimitives.ReadInt32LittleEndian(at) << left >> right,
                _ => BinaryPrimitives.ReadUInt32LittleEndian(at) << left >>> right,
            };
        }
    }
}
