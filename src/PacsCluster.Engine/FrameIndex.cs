using System.Buffers;
using PacsCluster.Dicom;

namespace PacsCluster.Engine;

/// <summary>Where the frames of encapsulated Pixel Data lie, packed for the catalog: a version byte (1), then unsigned LEB128 numbers: count, and for
/// each frame the gap to the end of the one before (zigzag, for an offset table may name frames in any order), the length, and the number of fragments.
/// Some 5 bytes a frame.</summary>
public static class FrameIndex
{
    private const byte Version = 1;

    /// <summary>Packs frames; empty for none.</summary>
    public static byte[] Pack(IReadOnlyList<FrameLocation> frames)
    {
        if (frames.Count == 0) return [];
        var bytes = new ArrayBufferWriter<byte>(8 + (frames.Count * 6));
        bytes.Write([Version]);
        Write(bytes, (ulong)frames.Count);
        long end = 0;
        foreach (FrameLocation frame in frames)
        {
            long gap = frame.Offset - end;
            Write(bytes, (ulong)((gap << 1) ^ (gap >> 63)));
            Write(bytes, (ulong)frame.Length);
            Write(bytes, (ulong)frame.FragmentCount);
            end = frame.Offset + frame.Length;
        }
        return bytes.WrittenSpan.ToArray();
    }

    /// <summary>Unpacks; empty for empty bytes.</summary>
    /// <exception cref="InvalidDataException">The bytes are not of <see cref="Pack"/>.</exception>
    public static IReadOnlyList<FrameLocation> Unpack(ReadOnlySpan<byte> bytes)
    {
        if (bytes.IsEmpty) return [];
        if (bytes[0] != Version) throw new InvalidDataException($"frame index of version {bytes[0]}; this program knows {Version}");
        bytes = bytes[1..];
        ulong count = Read(ref bytes);
        // Three numbers of at least one byte each: a count beyond that is a lie that must not become an allocation.
        if (count > (ulong)bytes.Length / 3) throw new InvalidDataException("frame index is cut off");
        var frames = new FrameLocation[count];
        long end = 0;
        for (int i = 0; i < frames.Length; i++)
        {
            ulong gap = Read(ref bytes);
            long offset = end + ((long)(gap >> 1) ^ -(long)(gap & 1));
            long length = (long)Read(ref bytes);
            frames[i] = new FrameLocation(offset, length, (int)Read(ref bytes));
            end = offset + length;
        }
        return frames;
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
        throw new InvalidDataException("frame index is cut off");
    }
}
