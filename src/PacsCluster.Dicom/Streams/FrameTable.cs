using System.Buffers.Binary;
using System.Collections;

namespace PacsCluster.Dicom;

/// <summary>One fragment of encapsulated pixel data.</summary>
/// <param name="Offset">Of its item tag, from the first byte of the data set.</param>
/// <param name="Length">Of its value.</param>
/// <param name="StartsImage">The value begins as a JPEG or JPEG 2000 codestream does.</param>
internal readonly record struct Fragment(long Offset, uint Length, bool StartsImage);

/// <summary>Works out where frames lie (PS3.5 section 8 and annex A.4). What does not fit together gives no frames, never an exception.</summary>
internal static class FrameTable
{
    /// <summary>Frames of native pixel data; computed, not stored, so a claimed number of frames costs nothing.</summary>
    public static IReadOnlyList<FrameLocation> Native(DataSet header, long offset, long length)
    {
        long rows = header.GetInt32(Tags.Rows) ?? 0, columns = header.GetInt32(Tags.Columns) ?? 0;
        long samples = header.GetInt32(Tags.SamplesPerPixel) ?? 1, bits = header.GetInt32(Tags.BitsAllocated) ?? 0;
        long frames = header.GetInt32(Tags.NumberOfFrames) ?? 1;
        if (rows is <= 0 or > 65535 || columns is <= 0 or > 65535 || samples is <= 0 or > 65535 || bits is <= 0 or > 65535 || frames <= 0) return [];
        long frameBits = rows * columns * samples * bits;
        if (Fits(frameBits, frames, length)) return new NativeFrames(offset, frameBits, (int)frames, length);
        // Two pixels share their colour samples: 16 bits a pixel instead of 24 (PS3.3 section C.7.6.3.1.2).
        if (samples == 3 && header.GetString(Tags.PhotometricInterpretation) is "YBR_FULL_422" or "YBR_PARTIAL_422") frameBits = rows * columns * 2 * bits;
        // A value that is too long is padded; of one that is too short the frames that begin in it are there. Every reader shows these.
        long begun = (long)Int128.Min(frames, ((Int128)length * 8 + frameBits - 1) / frameBits);
        return begun == 0 ? [] : new NativeFrames(offset, frameBits, (int)begun, length);
    }

    private static bool Fits(long frameBits, long frames, long length)
    {
        Int128 needed = ((Int128)frameBits * frames + 7) / 8;
        return needed == length || needed + 1 == length;
    }

    /// <summary>Frames of encapsulated pixel data.</summary>
    public static IReadOnlyList<FrameLocation> Encapsulated(DataSet header, List<Fragment> fragments, ReadOnlySpan<byte> basicOffsets,
        ReadOnlySpan<byte> extendedOffsets)
    {
        if (fragments.Count == 0) return [];
        int? stated = header.GetInt32(Tags.NumberOfFrames);
        int frames = stated is > 0 ? stated.Value : 1;
        if (extendedOffsets.Length / 8 == frames && ByOffsets(fragments, extendedOffsets, 8) is { } extended) return extended;
        int basic = basicOffsets.Length / 4;
        if (basic > 0 && (basic == frames || stated is null) && ByOffsets(fragments, basicOffsets, 4) is { } byTable) return byTable;
        if (fragments.Count == frames) return Group(fragments, static _ => true);
        if (frames == 1) return Group(fragments, static fragment => false);
        int images = 0;
        foreach (Fragment fragment in fragments) images += fragment.StartsImage ? 1 : 0;
        return images == frames && fragments[0].StartsImage ? Group(fragments, static fragment => fragment.StartsImage) : [];
    }

    /// <summary>Frames by a table of offsets from the first fragment's item tag; null when they do not hit fragments in rising order.</summary>
    private static FrameLocation[]? ByOffsets(List<Fragment> fragments, ReadOnlySpan<byte> table, int size)
    {
        var starts = new HashSet<long>();
        long origin = fragments[0].Offset;
        int at = 0;
        for (int i = 0; i < table.Length / size; i++)
        {
            ulong offset = size == 8 ? BinaryPrimitives.ReadUInt64LittleEndian(table[(i * 8)..]) : BinaryPrimitives.ReadUInt32LittleEndian(table[(i * 4)..]);
            if (i == 0 && offset != 0) return null;
            while (at < fragments.Count && (ulong)(fragments[at].Offset - origin) < offset) at++;
            if (at == fragments.Count || (ulong)(fragments[at].Offset - origin) != offset || !starts.Add(fragments[at].Offset)) return null;
        }
        return Group(fragments, fragment => starts.Contains(fragment.Offset));
    }

    private static FrameLocation[] Group(List<Fragment> fragments, Func<Fragment, bool> startsFrame)
    {
        var frames = new List<FrameLocation>();
        for (int i = 0; i < fragments.Count;)
        {
            int first = i++;
            while (i < fragments.Count && !startsFrame(fragments[i])) i++;
            Fragment start = fragments[first], last = fragments[i - 1];
            frames.Add(i - first == 1
                ? new FrameLocation(start.Offset + 8, start.Length, 1)
                : new FrameLocation(start.Offset, last.Offset + 8 + last.Length - start.Offset, i - first));
        }
        return [.. frames];
    }

    private sealed class NativeFrames(long offset, long frameBits, int count, long length) : IReadOnlyList<FrameLocation>
    {
        public int Count => count;

        public FrameLocation this[int index]
        {
            get
            {
                ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)index, (uint)count, nameof(index));
                // Frames of single bits follow each other without filling, so a frame may share its first and last byte.
                long firstBit = frameBits * index, endBit = firstBit + frameBits;
                return new FrameLocation(offset + firstBit / 8, Math.Min((endBit + 7) / 8, length) - firstBit / 8, 0);
            }
        }

        public IEnumerator<FrameLocation> GetEnumerator()
        {
            for (int i = 0; i < count; i++) yield return this[i];
        }

        IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
    }
}
