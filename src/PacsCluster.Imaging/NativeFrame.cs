using System.Buffers.Binary;

namespace PacsCluster.Imaging;

/// <summary>Native pixel data (PS3.5 section 8.1.1, annex D): cells of 1 to 32 bits one behind the other from the least significant bit on.</summary>
internal static class NativeFrame
{
    /// <summary>Frames of cells that fill no whole bytes follow each other without a gap: brings the first bit of a frame to bit 0.</summary>
    /// <param name="format">Of the frame.</param>
    /// <param name="index">Which frame, from 0.</param>
    /// <param name="bytes">Every byte that holds a bit of it.</param>
    public static ReadOnlyMemory<byte> Align(FrameFormat format, int index, ReadOnlyMemory<byte> bytes)
    {
        int shift = (int)(format.Pixels * format.NativeSamplesPerPixel * format.BitsAllocated * index % 8);
        if (shift == 0) return bytes;
        ReadOnlySpan<byte> from = bytes.Span;
        byte[] aligned = new byte[format.NativeLength];
        for (int i = 0; i < aligned.Length && i < from.Length; i++)
        {
            int next = i + 1 < from.Length ? from[i + 1] : 0;
            aligned[i] = (byte)(from[i] >> shift | next << (8 - shift));
        }
        return aligned;
    }

    /// <summary>Cells of 8, 16, 32 or 64 bits, colour by pixel. What the bytes end before is zero: of an image that was cut off, every reader shows
    /// what there is.</summary>
    public static DecodedFrame Decode(FrameFormat stored, ReadOnlyMemory<byte> frame)
    {
        long length = stored.NativeLength;
        if (frame.Length < length)
        {
            byte[] padded = new byte[length];
            frame.Span.CopyTo(padded);
            frame = padded;
        }
        // 4:2:2 by its name, but every pixel has all its samples: some writers say so of what they decompressed.
        bool shared = stored.NativeSamplesPerPixel != stored.SamplesPerPixel && frame.Length < stored.DecodedLength;
        FrameFormat format = Describe(stored);
        ReadOnlyMemory<byte> cells = stored.BitsAllocated is 8 or 16 or 32 or 64 ? frame : Expand(stored, frame.Span, shared);
        if (shared) cells = ShareOut(stored, cells.Span);
        else if (stored.PlanarConfiguration == 1) cells = Interleave(stored, cells.Span);
        return new DecodedFrame(format, cells[..(int)format.DecodedLength]);
    }

    private static FrameFormat Describe(FrameFormat stored) => stored with
    {
        BitsAllocated = stored.SampleBytes * 8,
        PlanarConfiguration = 0,
        Photometric = stored.Photometric == PhotometricInterpretation.YbrFull422 ? PhotometricInterpretation.YbrFull : stored.Photometric,
    };

    private static byte[] Expand(FrameFormat stored, ReadOnlySpan<byte> packed, bool shared)
    {
        int size = stored.SampleBytes, bits = stored.BitsAllocated;
        int count = (int)(stored.Pixels * (shared ? stored.NativeSamplesPerPixel : stored.SamplesPerPixel));
        byte[] cells = new byte[(long)count * size];
        if (bits == 1)
        {
            for (int i = 0; i < count; i++) cells[i] = (byte)(packed[i >> 3] >> (i & 7) & 1);
            return cells;
        }
        uint mask = bits == 32 ? uint.MaxValue : (1u << bits) - 1;
        ulong window = 0;
        int held = 0, at = 0;
        for (int i = 0; i < count; i++)
        {
            while (held < bits)
            {
                window |= (ulong)packed[at++] << held;
                held += 8;
            }
            uint cell = (uint)window & mask;
            window >>= bits;
            held -= bits;
            if (size == 1) cells[i] = (byte)cell;
            else if (size == 2) BinaryPrimitives.WriteUInt16LittleEndian(cells.AsSpan(i * 2), (ushort)cell);
            else BinaryPrimitives.WriteUInt32LittleEndian(cells.AsSpan(i * 4), cell);
        }
        return cells;
    }

    /// <summary>Y1 Y2 Cb Cr → Y1 Cb Cr, Y2 Cb Cr (PS3.3 C.7.6.3.1.2): the chrominances are those of the first of the two pixels.</summary>
    private static byte[] ShareOut(FrameFormat stored, ReadOnlySpan<byte> cells)
    {
        int size = stored.SampleBytes;
        byte[] samples = new byte[stored.DecodedLength];
        for (long pair = 0, count = stored.Pixels / 2; pair < count; pair++)
        {
            ReadOnlySpan<byte> from = cells.Slice((int)(pair * 4 * size), 4 * size);
            Span<byte> to = samples.AsSpan((int)(pair * 6 * size), 6 * size);
            from[..size].CopyTo(to);
            from[(2 * size)..].CopyTo(to[size..]);
            from.Slice(size, size).CopyTo(to[(3 * size)..]);
            from[(2 * size)..].CopyTo(to[(4 * size)..]);
        }
        return samples;
    }

    /// <summary>Planes → colour by pixel.</summary>
    internal static byte[] Interleave(FrameFormat stored, ReadOnlySpan<byte> planes)
    {
        int samples = stored.SamplesPerPixel, size = stored.SampleBytes, pixels = (int)stored.Pixels;
        byte[] mixed = new byte[stored.DecodedLength];
        for (int sample = 0; sample < samples; sample++)
        {
            ReadOnlySpan<byte> plane = planes.Slice(sample * pixels * size, pixels * size);
            if (size == 1)
            {
                for (int i = 0, to = sample; i < plane.Length; i++, to += samples) mixed[to] = plane[i];
                continue;
            }
            for (int i = 0, to = sample * size; i < plane.Length; i += size, to += samples * size) plane.Slice(i, size).CopyTo(mixed.AsSpan(to));
        }
        return mixed;
    }
}
