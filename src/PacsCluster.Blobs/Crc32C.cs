using System.Buffers.Binary;
using System.Numerics;

namespace PacsCluster.Blobs;

/// <summary>CRC-32C (Castagnoli; RFC 3720 appendix B.4), by the processor's own instruction where it has one. That instruction gives its result after three cycles and can begin each cycle,
/// so three stretches go side by side and are joined: a checksum is linear, and what a stretch of known length behind it does to one is four look-ups.</summary>
public static class Crc32C
{
    /// <summary>Before the first byte.</summary>
    public const uint Start = uint.MaxValue;

    private const int StretchBytes = 4096;

    private static readonly uint[] s_behind = Behind();

    /// <summary>Takes bytes in.</summary>
    public static uint Append(uint state, ReadOnlySpan<byte> bytes)
    {
        for (; bytes.Length >= 3 * StretchBytes; bytes = bytes[(3 * StretchBytes)..])
        {
            ReadOnlySpan<byte> one = bytes[..StretchBytes], two = bytes[StretchBytes..(2 * StretchBytes)], three = bytes[(2 * StretchBytes)..(3 * StretchBytes)];
            uint second = 0, third = 0;
            for (int at = 0; at < StretchBytes; at += 8)
            {
                state = BitOperations.Crc32C(state, BinaryPrimitives.ReadUInt64LittleEndian(one[at..]));
                second = BitOperations.Crc32C(second, BinaryPrimitives.ReadUInt64LittleEndian(two[at..]));
                third = BitOperations.Crc32C(third, BinaryPrimitives.ReadUInt64LittleEndian(three[at..]));
            }
            state = Shift(Shift(state) ^ second) ^ third;
        }
        for (; bytes.Length >= 8; bytes = bytes[8..]) state = BitOperations.Crc32C(state, BinaryPrimitives.ReadUInt64LittleEndian(bytes));
        foreach (byte one in bytes) state = BitOperations.Crc32C(state, one);
        return state;
    }

    /// <summary>The checksum of all that was taken in.</summary>
    public static uint End(uint state) => ~state;

    // What a stretch of zeros makes of a state.
    private static uint Shift(uint state) => s_behind[state & 0xFF] ^ s_behind[256 + ((state >> 8) & 0xFF)] ^ s_behind[512 + ((state >> 16) & 0xFF)] ^ s_behind[768 + (state >> 24)];

    private static uint[] Behind()
    {
        uint[] table = new uint[4 * 256];
        for (int bit = 0; bit < 32; bit++)
        {
            uint state = 1u << bit;
            for (int at = 0; at < StretchBytes; at += 8) state = BitOperations.Crc32C(state, 0UL);
            // The entries with this bit set so far: itself, and itself with each of those below it in its byte.
            int place = 256 * (bit / 8), mask = 1 << (bit % 8);
            for (int low = 0; low < mask; low++) table[place + mask + low] = table[place + low] ^ state;
        }
        return table;
    }
}
