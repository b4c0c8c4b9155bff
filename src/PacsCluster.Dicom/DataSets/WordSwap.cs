using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace PacsCluster.Dicom;

/// <summary>Turns the byte order of arrays of numbers.</summary>
internal static class WordSwap
{
    /// <summary>Swaps each word of 2, 4 or 8 bytes; bytes behind the last whole word stay.</summary>
    public static void InPlace(Span<byte> bytes, int word)
    {
        switch (word)
        {
            case 2:
                Span<ushort> shorts = MemoryMarshal.Cast<byte, ushort>(bytes);
                BinaryPrimitives.ReverseEndianness(shorts, shorts);
                break;
            case 4:
                Span<uint> ints = MemoryMarshal.Cast<byte, uint>(bytes);
                BinaryPrimitives.ReverseEndianness(ints, ints);
                break;
            case 8:
                Span<ulong> longs = MemoryMarshal.Cast<byte, ulong>(bytes);
                BinaryPrimitives.ReverseEndianness(longs, longs);
                break;
        }
    }
}
