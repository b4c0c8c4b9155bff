using System.Buffers.Binary;
using System.IO.Compression;

namespace PacsCluster.Engine;

/// <summary>A piece of text packed so that many such pieces, joined byte by byte, are one gzip stream of one member (RFC 1951, 1952).</summary>
/// <param name="Deflate">Deflate blocks, none of them the last, that end on a byte boundary.</param>
/// <param name="Length">Bytes when unpacked.</param>
/// <param name="Crc32">CRC-32 of the unpacked bytes.</param>
internal readonly record struct PackedText(ReadOnlyMemory<byte> Deflate, long Length, uint Crc32);

/// <summary>
/// Packs texts and joins them. Members of gzip could be joined too, but browsers read the first member only; so what is joined here are the deflate blocks inside, and the
/// check value of the whole is computed from those of the parts. Brotli has no such joint that .NET's encoder could make.
/// </summary>
internal static class GzipJoiner
{
    private const int GzipHeaderBytes = 10, GzipTrailerBytes = 8;

    /// <summary>What an unpacker needs behind pieces that are read alone: an empty last block.</summary>
    private static readonly byte[] s_lastBlock = [0x03, 0x00];

    private static readonly uint[] s_powers = MakePowers();

    /// <summary>Packs what <paramref name="write"/> writes. Memory: the packed bytes.</summary>
    public static async Task<PackedText> PackAsync(CompressionLevel level, Func<Stream, Task> write)
    {
        using var bytes = new MemoryStream();
        long end, length;
        await using (var gzip = new GZipStream(bytes, level, leaveOpen: true))
        {
            await write(gzip);
            // Ends the block on a byte boundary, without making it the last.
            await gzip.FlushAsync();
            end = bytes.Length;
        }
        ReadOnlySpan<byte> trailer = bytes.GetBuffer().AsSpan((int)bytes.Length - GzipTrailerBytes, GzipTrailerBytes);
        uint crc = BinaryPrimitives.ReadUInt32LittleEndian(trailer);
        length = BinaryPrimitives.ReadUInt32LittleEndian(trailer[4..]);
        return new PackedText(bytes.GetBuffer().AsMemory(GzipHeaderBytes, (int)end - GzipHeaderBytes), length, crc);
    }

    /// <summary>The text of a piece, as a stream.</summary>
    public static Stream Unpack(ReadOnlyMemory<byte> deflate)
    {
        byte[] whole = new byte[deflate.Length + s_lastBlock.Length];
        deflate.CopyTo(whole);
        s_lastBlock.CopyTo(whole, deflate.Length);
        return new DeflateStream(new MemoryStream(whole, writable: false), CompressionMode.Decompress);
    }

    /// <summary>CRC-32 of two texts one behind the other, from theirs: crc(AB) = crc(A)·x^(8·|B|) + crc(B) in polynomials modulo 2.</summary>
    public static uint Combine(uint first, uint second, long secondLength) => Multiply(PowerOfX(secondLength), first) ^ second;

    /// <summary>CRC-32 of one byte.</summary>
    private static uint Crc32(byte one)
    {
        uint crc = uint.MaxValue ^ one;
        for (int bit = 0; bit < 8; bit++) crc = (crc & 1) != 0 ? (crc >> 1) ^ 0xEDB8_8320 : crc >> 1;
        return ~crc;
    }

    private static uint Multiply(uint a, uint b)
    {
        uint product = 0;
        for (uint mask = 1u << 31; mask != 0; mask >>= 1)
        {
            if ((a & mask) != 0) product ^= b;
            b = (b & 1) != 0 ? (b >> 1) ^ 0xEDB8_8320 : b >> 1;
        }
        return product;
    }

    /// <summary>x to the power of 8·bytes, modulo the polynomial.</summary>
    private static uint PowerOfX(long bytes)
    {
        uint power = 1u << 31;
        for (int k = 3; bytes != 0; bytes >>= 1, k++)
        {
            if ((bytes & 1) != 0) power = Multiply(s_powers[k & 31], power);
        }
        return power;
    }

    /// <summary>x to the power of 2^k; they repeat after 32.</summary>
    private static uint[] MakePowers()
    {
        var powers = new uint[32];
        powers[0] = 1u << 30;
        for (int k = 1; k < powers.Length; k++) powers[k] = Multiply(powers[k - 1], powers[k - 1]);
        return powers;
    }

    /// <summary>Writes one gzip stream of pieces.</summary>
    internal sealed class Writer(Stream output)
    {
        private uint _crc;
        private long _length;

        public ValueTask StartAsync(CancellationToken ct) => output.WriteAsync(new byte[] { 0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 0xFF }, ct);

        /// <summary>One character, in a stored block.</summary>
        public ValueTask WriteAsync(char ascii, CancellationToken ct)
        {
            Count(Crc32((byte)ascii), 1);
            return output.WriteAsync(new byte[] { 0, 1, 0, 0xFE, 0xFF, (byte)ascii }, ct);
        }

        public ValueTask WriteAsync(PackedText piece, CancellationToken ct)
        {
            Count(piece.Crc32, piece.Length);
            return output.WriteAsync(piece.Deflate, ct);
        }

        public ValueTask EndAsync(CancellationToken ct)
        {
            byte[] end = new byte[s_lastBlock.Length + GzipTrailerBytes];
            s_lastBlock.CopyTo(end, 0);
            BinaryPrimitives.WriteUInt32LittleEndian(end.AsSpan(2), _crc);
            BinaryPrimitives.WriteUInt32LittleEndian(end.AsSpan(6), (uint)_length);
            return output.WriteAsync(end, ct);
        }

        private void Count(uint crc, long length)
        {
            _crc = Combine(_crc, crc, length);
            _length += length;
        }
    }
}
