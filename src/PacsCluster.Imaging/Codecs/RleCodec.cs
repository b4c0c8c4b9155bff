using System.Buffers;
using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace PacsCluster.Imaging.Codecs;

/// <summary>RLE Lossless (PS3.5 annex G): a header of 16 numbers, then one PackBits segment for each byte of a pixel, the most significant first.</summary>
internal static class RleCodec
{
    private const int HeaderBytes = 64;
    private const int SegmentsMax = 15;

    /// <summary>Decodes a frame to cells, colour by pixel.</summary>
    /// <exception cref="ImagingException">Corrupt when the segments are not those of the attributes, or end early.</exception>
    public static DecodedFrame Decode(FrameFormat stored, ReadOnlySpan<byte> frame)
    {
        if (stored.BitsAllocated == 1 && stored.SamplesPerPixel == 1)
        {
            byte[] packed = new byte[stored.NativeLength];
            if (frame.Length < HeaderBytes) throw Corrupt("is shorter than its header");
            Unpack(Segment(frame, 0, 1), packed);
            return NativeFrame.Decode(stored, packed);
        }
        if (stored.BitsAllocated % 8 != 0) throw new ImagingException(ImagingError.Unsupported, $"RLE of {stored.BitsAllocated} bits allocated");
        int size = stored.SampleBytes == 4 && stored.BitsAllocated == 24 ? 3 : stored.SampleBytes, segments = stored.SamplesPerPixel * size;
        if (frame.Length < HeaderBytes) throw Corrupt("is shorter than its header");
        int stated = BinaryPrimitives.ReadInt32LittleEndian(frame);
        if (stated != segments || stated > SegmentsMax) throw Corrupt($"has {stated} segments instead of {segments}");
        int pixels = checked((int)stored.Pixels);
        byte[] samples = GC.AllocateUninitializedArray<byte>(checked((int)stored.DecodedLength));
        if (segments == 1)
        {
            Unpack(Segment(frame, 0, segments), samples);
            return new DecodedFrame(stored with { PlanarConfiguration = 0 }, samples);
        }
        byte[] planes = ArrayPool<byte>.Shared.Rent(checked(pixels * segments));
        try
        {
            for (int i = 0; i < segments; i++) Unpack(Segment(frame, i, segments), planes.AsSpan(i * pixels, pixels));
            Mix(planes.AsSpan(0, segments * pixels), pixels, stored.SamplesPerPixel, size, stored.SampleBytes, samples);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(planes);
        }
        PhotometricInterpretation photometric = stored.Photometric == PhotometricInterpretation.YbrFull422 ? PhotometricInterpretation.YbrFull : stored.Photometric;
        return new DecodedFrame(stored with { PlanarConfiguration = 0, Photometric = photometric, BitsAllocated = stored.SampleBytes * 8 }, samples);
    }

    /// <summary>Encodes a frame.</summary>
    /// <param name="format">What the samples are.</param>
    /// <param name="samples">Colour by pixel, <see cref="FrameFormat.DecodedLength"/> bytes.</param>
    /// <exception cref="ImagingException">Unsupported when a pixel has more than 15 bytes, or cells are no whole bytes.</exception>
    public static byte[] Encode(FrameFormat format, ReadOnlySpan<byte> samples)
    {
        int size = format.SampleBytes, pixelBytes = size * format.SamplesPerPixel, columns = format.Columns;
        if (pixelBytes > SegmentsMax) throw new ImagingException(ImagingError.Unsupported, $"RLE of {pixelBytes} bytes a pixel");
        var output = new ArrayBufferWriter<byte>(HeaderBytes + samples.Length / 2);
        output.Write(stackalloc byte[HeaderBytes]);
        Span<int> offsets = stackalloc int[pixelBytes];
        byte[] row = ArrayPool<byte>.Shared.Rent(columns);
        for (int sample = 0; sample < format.SamplesPerPixel; sample++)
        {
            for (int place = size - 1; place >= 0; place--)
            {
                offsets[sample * size + (size - 1 - place)] = output.WrittenCount;
                for (int y = 0; y < format.Rows; y++)
                {
                    ReadOnlySpan<byte> from = samples.Slice(y * columns * pixelBytes, columns * pixelBytes);
                    for (int x = 0, at = sample * size + place; x < columns; x++, at += pixelBytes) row[x] = from[at];
                    Pack(row.AsSpan(0, columns), output);
                }
                if ((output.WrittenCount & 1) != 0) output.Write([(byte)0]);
            }
        }
        ArrayPool<byte>.Shared.Return(row);
        byte[] frame = output.WrittenSpan.ToArray();
        BinaryPrimitives.WriteInt32LittleEndian(frame, pixelBytes);
        for (int i = 0; i < pixelBytes; i++) BinaryPrimitives.WriteInt32LittleEndian(frame.AsSpan(4 + i * 4), offsets[i]);
        return frame;
    }

    private static ReadOnlySpan<byte> Segment(ReadOnlySpan<byte> frame, int index, int count)
    {
        int start = BinaryPrimitives.ReadInt32LittleEndian(frame[(4 + index * 4)..]);
        int end = index + 1 < count ? BinaryPrimitives.ReadInt32LittleEndian(frame[(8 + index * 4)..]) : frame.Length;
        if (start < HeaderBytes || end < start || end > frame.Length) throw Corrupt($"has segment {index} outside of its bytes");
        return frame[start..end];
    }

    /// <summary>PackBits (PS3.5 G.3.2). Bytes past the plane's end are ignored, as every reader does; too few are corrupt.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Unpack(ReadOnlySpan<byte> packed, Span<byte> plane)
    {
        int at = 0, to = 0;
        while (to < plane.Length)
        {
            if (at >= packed.Length) throw Corrupt($"ends after {to} of {plane.Length} bytes of a segment");
            int n = (sbyte)packed[at++];
            if (n >= 0)
            {
                int count = Math.Min(n + 1, plane.Length - to);
                if (count > packed.Length - at) throw Corrupt("ends inside a literal run");
                if (count <= 16 && packed.Length - at >= 16 && plane.Length - to >= 16)
                {
                    // One store instead of a call: most runs of medical images are short. What is too much is written over by the next run.
                    Vector128.Create(packed.Slice(at, 16)).CopyTo(plane[to..]);
                }
                else
                {
                    packed.Slice(at, count).CopyTo(plane[to..]);
                }
                at += n + 1;
                to += count;
            }
            else if (n != -128)
            {
                if (at >= packed.Length) throw Corrupt("ends inside a replicate run");
                int count = Math.Min(1 - n, plane.Length - to);
                byte value = packed[at++];
                if (count <= 16 && plane.Length - to >= 16) Vector128.Create(value).CopyTo(plane[to..]);
                else plane.Slice(to, count).Fill(value);
                to += count;
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Mix(ReadOnlySpan<byte> planes, int pixels, int samplesPerPixel, int size, int step, Span<byte> samples)
    {
        if (samplesPerPixel == 1 && size == 2 && step == 2)
        {
            ReadOnlySpan<byte> high = planes[..pixels], low = planes.Slice(pixels, pixels);
            int i = 0;
            for (; i + Vector128<byte>.Count <= pixels; i += Vector128<byte>.Count)
            {
                Vector128<byte> h = Vector128.Create(high.Slice(i, 16)), l = Vector128.Create(low.Slice(i, 16));
                (Vector128<ushort> h0, Vector128<ushort> h1) = Vector128.Widen(h);
                (Vector128<ushort> l0, Vector128<ushort> l1) = Vector128.Widen(l);
                Span<ushort> to = MemoryMarshal.Cast<byte, ushort>(samples.Slice(i * 2, 32));
                (Vector128.ShiftLeft(h0, 8) | l0).CopyTo(to);
                (Vector128.ShiftLeft(h1, 8) | l1).CopyTo(to[8..]);
            }
            for (; i < pixels; i++)
            {
                samples[i * 2] = low[i];
                samples[i * 2 + 1] = high[i];
            }
            return;
        }
        if (step != size) samples.Clear();
        int stride = samplesPerPixel * step;
        for (int plane = 0; plane < samplesPerPixel * size; plane++)
        {
            ReadOnlySpan<byte> from = planes.Slice(plane * pixels, pixels);
            int to = plane / size * step + (size - 1 - plane % size);
            for (int i = 0; i < from.Length; i++, to += stride) samples[to] = from[i];
        }
    }

    private static void Pack(ReadOnlySpan<byte> row, ArrayBufferWriter<byte> output)
    {
        Span<byte> to = output.GetSpan(row.Length + row.Length / 128 + 2);
        int written = 0, at = 0;
        while (at < row.Length)
        {
            int run = RunLength(row[at..]);
            if (run >= 3 || (run == 2 && at + 2 >= row.Length))
            {
                to[written++] = (byte)(1 - run);
                to[written++] = row[at];
                at += run;
                continue;
            }
            int end = at + 1;
            // A literal run ends where three equal bytes begin: two of them cost nothing inside it.
            while (end < row.Length && end - at < 128 && !(end + 2 < row.Length && row[end] == row[end + 1] && row[end] == row[end + 2])) end++;
            to[written++] = (byte)(end - at - 1);
            row[at..end].CopyTo(to[written..]);
            written += end - at;
            at = end;
        }
        output.Advance(written);
    }

    private static int RunLength(ReadOnlySpan<byte> bytes)
    {
        int limit = Math.Min(bytes.Length, 128), run = 1;
        while (run < limit && bytes[run] == bytes[0]) run++;
        return run;
    }

    private static ImagingException Corrupt(string what) => new(ImagingError.Corrupt, "an RLE frame " + what);
}
