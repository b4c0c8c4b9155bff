using System.Buffers;
using PacsCluster.Dicom;

namespace PacsCluster.Engine;

/// <summary>Where what the header lacks lies in an instance's data set: frames and bulk values. Packed for the catalog (<c>HeaderRow.Frames</c>): a version
/// byte (2), then unsigned LEB128 numbers. Frames: count, and for each the gap to the end of the one before (zigzag, for an offset table may name frames in any
/// order), the length, the number of fragments; some 5 bytes a frame. Bulk values: count, and for each the tag, the VR's two letters, gap and length.
/// Version 1 ended behind the frames.</summary>
/// <param name="Frames">Frames of encapsulated Pixel Data; empty for native ones, which are computed.</param>
/// <param name="Bulk">Values that the header lacks, Pixel Data among them, in the order in which they stand.</param>
public sealed record InstanceLayout(IReadOnlyList<FrameLocation> Frames, IReadOnlyList<BulkValue> Bulk)
{
    private const byte Version = 2;

    private static readonly InstanceLayout s_none = new([], []);

    /// <summary>Packs; empty when there is neither.</summary>
    public static byte[] Pack(IReadOnlyList<FrameLocation> frames, IReadOnlyList<BulkValue> bulk)
    {
        if (frames.Count + bulk.Count == 0) return [];
        var bytes = new ArrayBufferWriter<byte>(16 + (frames.Count * 6) + (bulk.Count * 16));
        bytes.Write([Version]);
        Write(bytes, (ulong)frames.Count);
        long end = 0;
        foreach (FrameLocation frame in frames)
        {
            WriteGap(bytes, frame.Offset - end);
            Write(bytes, (ulong)frame.Length);
            Write(bytes, (ulong)frame.FragmentCount);
            end = frame.Offset + frame.Length;
        }
        Write(bytes, (ulong)bulk.Count);
        end = 0;
        foreach (BulkValue value in bulk)
        {
            Write(bytes, value.Tag.Value);
            Write(bytes, (ushort)value.VR);
            WriteGap(bytes, value.Offset - end);
            Write(bytes, (ulong)value.Length);
            end = value.Offset + value.Length;
        }
        return bytes.WrittenSpan.ToArray();
    }

    /// <summary>Unpacks; nothing for empty bytes.</summary>
    /// <exception cref="InvalidDataException">The bytes are not of <see cref="Pack"/>.</exception>
    public static InstanceLayout Unpack(ReadOnlySpan<byte> bytes)
    {
        if (bytes.IsEmpty) return s_none;
        int version = bytes[0];
        if (version is not (1 or Version)) throw new InvalidDataException($"instance layout of version {version}; this program knows 1 and {Version}");
        bytes = bytes[1..];
        var frames = new FrameLocation[ReadCount(ref bytes, 3)];
        long end = 0;
        for (int i = 0; i < frames.Length; i++)
        {
            long offset = end + ReadGap(ref bytes), length = (long)Read(ref bytes);
            frames[i] = new FrameLocation(offset, length, (int)Read(ref bytes));
            end = offset + length;
        }
        if (version == 1) return new InstanceLayout(frames, []);
        var bulk = new BulkValue[ReadCount(ref bytes, 4)];
        end = 0;
        for (int i = 0; i < bulk.Length; i++)
        {
            var tag = new Tag((uint)Read(ref bytes));
            var vr = (VR)Read(ref bytes);
            long offset = end + ReadGap(ref bytes), length = (long)Read(ref bytes);
            bulk[i] = new BulkValue(tag, vr, offset, length);
            end = offset + length;
        }
        return new InstanceLayout(frames, bulk);
    }

    /// <summary>The place of a bulk value; null when there is none with this tag.</summary>
    public BulkValue? Find(Tag tag)
    {
        foreach (BulkValue value in Bulk)
        {
            if (value.Tag == tag) return value;
        }
        return null;
    }

    // Numbers of at least one byte each: a count beyond that is a lie that must not become an allocation.
    private static int ReadCount(ref ReadOnlySpan<byte> bytes, int numbersEach)
    {
        ulong count = Read(ref bytes);
        if (count > (ulong)(bytes.Length / numbersEach)) throw new InvalidDataException("instance layout is cut off");
        return (int)count;
    }

    private static void WriteGap(ArrayBufferWriter<byte> bytes, long gap) => Write(bytes, (ulong)((gap << 1) ^ (gap >> 63)));

    private static long ReadGap(ref ReadOnlySpan<byte> bytes)
    {
        ulong gap = Read(ref bytes);
        return (long)(gap >> 1) ^ -(long)(gap & 1);
    }

    private static void Write(ArrayBufferWriter<byte> bytes, ulong number)
    {
        Span<byte> span = bytes.GetSpan(10);
        int at = 0;
        for (; number >= 0x80; number >>= 7) span[at++] = (byte)(number | 0x80);
        span[at++] = (byte)number;
        bytes.Advance(at);
    }

    private static ulong Read(ref ReadOnlySpan<byte> bytes)
    {
        ulong number = 0;
        for (int i = 0; i < 10; i++)
        {
            if (i >= bytes.Length) break;
            number |= (ulong)(bytes[i] & 0x7F) << (7 * i);
            if ((bytes[i] & 0x80) != 0) continue;
            bytes = bytes[(i + 1)..];
            return number;
        }
        throw new InvalidDataException("instance layout is cut off");
    }
}
