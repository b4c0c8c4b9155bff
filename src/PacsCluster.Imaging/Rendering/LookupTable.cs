using PacsCluster.Dicom;

namespace PacsCluster.Imaging.Rendering;

/// <summary>A lookup table of PS3.3: Modality LUT (C.11.1), VOI LUT (C.11.2), Presentation LUT (C.11.6) or one colour of a palette (C.7.6.3.1.5).</summary>
internal sealed class LookupTable
{
    private const int EntriesMax = 65536;
    private readonly ushort[] _entries;

    private LookupTable(int firstMapped, int bits, ushort[] entries)
    {
        FirstMapped = firstMapped;
        Bits = bits;
        _entries = entries;
    }

    /// <summary>Input value of the first entry.</summary>
    public int FirstMapped { get; }

    /// <summary>Bits of an entry, 1 to 16.</summary>
    public int Bits { get; }

    /// <summary>Greatest value that an entry can have.</summary>
    public int Max => (1 << Bits) - 1;

    /// <summary>How many entries.</summary>
    public int Count => _entries.Length;

    /// <summary>What an input value becomes; values before the first entry or behind the last take that one's.</summary>
    public ushort this[double input]
    {
        get
        {
            double at = input - FirstMapped;
            return _entries[at <= 0 ? 0 : at >= _entries.Length - 1 ? _entries.Length - 1 : (int)(at + 0.5)];
        }
    }

    /// <summary>Reads a table; null when there is none.</summary>
    /// <param name="dataSet">The item, or the image for a palette.</param>
    /// <param name="descriptor">Entries, first value mapped, bits an entry.</param>
    /// <param name="data">The entries.</param>
    /// <param name="segmented">Where the entries stand when they are segmented (C.7.9.2).</param>
    /// <exception cref="ImagingException">Corrupt: the table is no table.</exception>
    public static LookupTable? Read(DataSet dataSet, Tag descriptor, Tag data, Tag? segmented = null)
    {
        if (!dataSet.TryGet(descriptor, out DataElement description)) return null;
        ReadOnlyMemory<byte> bytes = dataSet.Bytes(data);
        bool isSegmented = false;
        if (bytes.IsEmpty && segmented is { } tag)
        {
            bytes = dataSet.Bytes(tag);
            isSegmented = true;
        }
        if (bytes.IsEmpty) return null;
        ushort[] three = Values.Words(description.LittleEndianValue.Span);
        if (three.Length < 3) throw Corrupt($"{descriptor} has fewer than three values");
        int count = three[0] == 0 ? EntriesMax : three[0];
        int first = description.EffectiveVR == VR.SS ? (short)three[1] : three[1];
        int stated = three[2];
        ushort[] entries;
        if (isSegmented) entries = SegmentedTable.Expand(bytes.Span, stated <= 8 ? 1 : 2, count);
        else entries = Unpack(bytes.Span, ref count, stated);
        // Tables that state 8 bits and hold 16, or the reverse, are about: what the entries need decides, as long as it fits 16 bits.
        int bits = Math.Clamp(stated == 0 ? 16 : stated, 1, 16);
        ushort greatest = 0;
        foreach (ushort entry in entries) greatest = Math.Max(greatest, entry);
        while (bits < 16 && greatest >> bits != 0) bits++;
        return new LookupTable(first, bits, entries);
    }

    /// <summary>A table from entries that are known.</summary>
    public static LookupTable Of(int firstMapped, int bits, ushort[] entries) => new(firstMapped, bits, entries);

    private static ushort[] Unpack(ReadOnlySpan<byte> bytes, ref int count, int bits)
    {
        // Entries of 8 bits stand packed in pairs when there are too few bytes for words (C.11.1.1.1; an odd count is padded).
        bool packed = bits <= 8 && bytes.Length < 2 * count;
        int there = packed ? bytes.Length : bytes.Length / 2;
        count = Math.Min(count, there);
        if (count == 0) throw Corrupt("a lookup table has no entries");
        if (!packed) return Values.Words(bytes[..(2 * count)]);
        ushort[] entries = new ushort[count];
        for (int i = 0; i < count; i++) entries[i] = bytes[i];
        return entries;
    }

    private static ImagingException Corrupt(string what) => new(ImagingError.Corrupt, what);
}

/// <summary>Segmented Palette Color Lookup Table Data (PS3.3 C.7.9.2).</summary>
internal static class SegmentedTable
{
    /// <summary>Expands to at most <paramref name="count"/> entries.</summary>
    /// <param name="data">Segments.</param>
    /// <param name="width">Bytes of an entry and of an opcode, 1 or 2.</param>
    /// <param name="count">Entries that the descriptor states.</param>
    /// <exception cref="ImagingException">Corrupt: no segments of C.7.9.2.</exception>
    public static ushort[] Expand(ReadOnlySpan<byte> data, int width, int count)
    {
        var entries = new List<ushort>(count);
        int at = 0;
        // A trailing byte that only evens the length is no segment.
        while (entries.Count < count && data.Length - at >= 2 * width) ReadSegment(data, width, ref at, entries, count, mayBeIndirect: true);
        if (entries.Count == 0) throw Corrupt("a segmented lookup table has no segment");
        return [.. entries];
    }

    private static void ReadSegment(ReadOnlySpan<byte> data, int width, ref int at, List<ushort> entries, int count, bool mayBeIndirect)
    {
        int opcode = Next(data, width, ref at), length = Next(data, width, ref at);
        switch (opcode)
        {
            case 0:
                for (int i = 0; i < length && entries.Count < count; i++) entries.Add((ushort)Next(data, width, ref at));
                break;
            case 1:
                if (entries.Count == 0) throw Corrupt("a segmented lookup table begins with a linear segment");
                int from = entries[^1], to = Next(data, width, ref at);
                for (int i = 1; i <= length && entries.Count < count; i++) entries.Add((ushort)Math.Round(from + (to - from) * (double)i / length));
                break;
            case 2 when mayBeIndirect:
                // The offset is in bytes, its least significant word (or byte) first.
                long offset = 0;
                int parts = width == 1 ? 4 : 2;
                for (int i = 0; i < parts; i++) offset |= (long)Next(data, width, ref at) << (8 * width * i);
                if (offset >= data.Length) throw Corrupt("an indirect segment points behind the lookup table");
                int there = (int)offset;
                // An indirect segment shall not refer to another one, which also keeps this from turning in circles.
                for (int i = 0; i < length && entries.Count < count; i++) ReadSegment(data, width, ref there, entries, count, mayBeIndirect: false);
                break;
            default:
                throw Corrupt($"a lookup table has a segment of type {opcode}");
        }
    }

    private static int Next(ReadOnlySpan<byte> data, int width, ref int at)
    {
        if (data.Length - at < width) throw Corrupt("a segmented lookup table is cut off");
        int value = width == 1 ? data[at] : data[at] | data[at + 1] << 8;
        at += width;
        return value;
    }

    private static ImagingException Corrupt(string what) => new(ImagingError.Corrupt, what);
}
