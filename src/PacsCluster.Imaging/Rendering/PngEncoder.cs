using System.Buffers;
using System.Buffers.Binary;
using System.IO.Compression;
using System.Numerics;
using System.Runtime.InteropServices;

namespace PacsCluster.Imaging.Rendering;

/// <summary>PNG (ISO/IEC 15948): one IDAT, rows as differences to the row above.</summary>
internal static class PngEncoder
{
    private const byte FilterUp = 2;
    private static readonly uint[] s_crc = MakeCrcTables();

    public static byte[] Encode(RenderedImage image)
    {
        using var file = new MemoryStream(image.Pixels.Length / 2 + 1024);
        file.Write([0x89, (byte)'P', (byte)'N', (byte)'G', 13, 10, 26, 10]);
        Span<byte> header = stackalloc byte[13];
        BinaryPrimitives.WriteInt32BigEndian(header, image.Width);
        BinaryPrimitives.WriteInt32BigEndian(header[4..], image.Height);
        header[8] = (byte)image.Bits;
        header[9] = (byte)(image.Samples == 1 ? 0 : 2);
        header[10..].Clear();
        Chunk(file, "IHDR"u8, header);
        if (image.IccProfile is { } profile) Chunk(file, "iCCP"u8, Profile(profile));
        long start = file.Position;
        file.Write("\0\0\0\0IDAT"u8);
        using (var deflate = new ZLibStream(file, CompressionLevel.Fastest, leaveOpen: true)) Rows(image, deflate);
        Seal(file, start);
        Chunk(file, "IEND"u8, []);
        return file.ToArray();
    }

    private static void Rows(RenderedImage image, ZLibStream to)
    {
        int length = image.Width * image.Samples * image.Bits / 8;
        ReadOnlySpan<byte> pixels = image.Pixels.Span;
        byte[] rented = ArrayPool<byte>.Shared.Rent(3 * (length + 1));
        try
        {
            Span<byte> line = rented.AsSpan(0, length + 1), above = rented.AsSpan(length + 1, length), row = rented.AsSpan(2 * length + 1, length);
            above.Clear();
            line[0] = FilterUp;
            for (int y = 0; y < image.Height; y++)
            {
                ReadOnlySpan<byte> from = pixels.Slice(y * length, length);
                if (image.Bits == 16 && BitConverter.IsLittleEndian)
                    BinaryPrimitives.ReverseEndianness(MemoryMarshal.Cast<byte, ushort>(from), MemoryMarshal.Cast<byte, ushort>(row));
                else from.CopyTo(row);
                Subtract(row, above, line[1..]);
                to.Write(line);
                Span<byte> swap = above;
                above = row;
                row = swap;
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(rented);
        }
    }

    private static void Subtract(ReadOnlySpan<byte> row, ReadOnlySpan<byte> above, Span<byte> to)
    {
        int i = 0;
        for (; i <= row.Length - Vector<byte>.Count; i += Vector<byte>.Count) (new Vector<byte>(row[i..]) - new Vector<byte>(above[i..])).CopyTo(to[i..]);
        for (; i < row.Length; i++) to[i] = (byte)(row[i] - above[i]);
    }

    private static byte[] Profile(byte[] profile)
    {
        using var chunk = new MemoryStream();
        chunk.Write("ICC profile\0\0"u8);
        using (var deflate = new ZLibStream(chunk, CompressionLevel.Optimal, leaveOpen: true)) deflate.Write(profile);
        return chunk.ToArray();
    }

    private static void Chunk(MemoryStream file, ReadOnlySpan<byte> type, ReadOnlySpan<byte> data)
    {
        long start = file.Position;
        file.Write("\0\0\0\0"u8);
        file.Write(type);
        file.Write(data);
        Seal(file, start);
    }

    /// <summary>Puts the length before and the checksum behind the chunk that began at <paramref name="start"/>.</summary>
    private static void Seal(MemoryStream file, long start)
    {
        Span<byte> word = stackalloc byte[4];
        Span<byte> chunk = file.GetBuffer().AsSpan((int)start, (int)(file.Position - start));
        BinaryPrimitives.WriteInt32BigEndian(chunk, chunk.Length - 8);
        BinaryPrimitives.WriteUInt32BigEndian(word, Crc(chunk[4..]));
        file.Write(word);
    }

    private static uint Crc(ReadOnlySpan<byte> bytes)
    {
        uint[] t = s_crc;
        uint crc = 0xFFFFFFFF;
        // Eight bytes at once: the framework has no public CRC-32.
        for (; bytes.Length >= 8; bytes = bytes[8..])
        {
            uint low = BinaryPrimitives.ReadUInt32LittleEndian(bytes) ^ crc, high = BinaryPrimitives.ReadUInt32LittleEndian(bytes[4..]);
            crc = t[0x700 + (low & 0xFF)] ^ t[0x600 + (low >> 8 & 0xFF)] ^ t[0x500 + (low >> 16 & 0xFF)] ^ t[0x400 + (low >> 24)]
                ^ t[0x300 + (high & 0xFF)] ^ t[0x200 + (high >> 8 & 0xFF)] ^ t[0x100 + (high >> 16 & 0xFF)] ^ t[high >> 24];
        }
        foreach (byte one in bytes) crc = t[(byte)crc ^ one] ^ crc >> 8;
        return ~crc;
    }

    private static uint[] MakeCrcTables()
    {
        uint[] tables = new uint[8 * 256];
        for (uint i = 0; i < 256; i++)
        {
            uint crc = i;
            for (int bit = 0; bit < 8; bit++) crc = (crc & 1) != 0 ? crc >> 1 ^ 0xEDB88320 : crc >> 1;
            tables[i] = crc;
        }
        for (int i = 256; i < tables.Length; i++) tables[i] = tables[i - 256] >> 8 ^ tables[(byte)tables[i - 256]];
        return tables;
    }
}
