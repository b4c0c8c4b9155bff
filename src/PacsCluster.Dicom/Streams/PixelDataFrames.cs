using System.Buffers.Binary;

namespace PacsCluster.Dicom;

/// <summary>Frames of a data set that is in memory, and the bytes of one frame (PS3.5 section 8 and annex A.4).</summary>
public static class PixelDataFrames
{
    private const uint ItemTag = 0xE000_FFFE, DelimiterTag = 0xE0DD_FFFE;

    /// <summary>Where the frames of encapsulated Pixel Data lie, from the first byte of its <see cref="DataElement.RawValue"/>; empty when they cannot
    /// be told apart.</summary>
    /// <param name="dataSet">An instance; only its Number of Frames and Extended Offset Table count.</param>
    /// <param name="items">The items of Pixel Data, Basic Offset Table first.</param>
    public static IReadOnlyList<FrameLocation> Encapsulated(DataSet dataSet, ReadOnlySpan<byte> items)
    {
        ArgumentNullException.ThrowIfNull(dataSet);
        var fragments = new List<Fragment>();
        ReadOnlySpan<byte> basic = default;
        bool first = true;
        for (int at = 0; TryItem(items, at, out uint length); at += 8 + (int)length)
        {
            ReadOnlySpan<byte> value = items.Slice(at + 8, (int)length);
            if (first) basic = value;
            else fragments.Add(new Fragment(at, length, StartsImage(value)));
            first = false;
        }
        ReadOnlySpan<byte> extended = dataSet.TryGet(Tags.ExtendedOffsetTable, out DataElement table) ? table.LittleEndianValue.Span : default;
        return FrameTable.Encapsulated(dataSet, fragments, basic, extended);
    }

    /// <summary>Where the frames of native pixel data lie, from the first byte of its value.</summary>
    /// <param name="header">Image Pixel Module and Number of Frames.</param>
    /// <param name="length">Bytes of the value.</param>
    public static IReadOnlyList<FrameLocation> Native(DataSet header, long length) => FrameTable.Native(header, 0, length);

    /// <summary>The codestream of a frame: the fragments' values behind each other.</summary>
    /// <param name="location">Of the frame.</param>
    /// <param name="bytes">What lies there: <see cref="FrameLocation.Length"/> bytes.</param>
    /// <exception cref="DicomFormatException">The bytes are not the items that the location says.</exception>
    public static ReadOnlyMemory<byte> Join(FrameLocation location, ReadOnlyMemory<byte> bytes)
    {
        if (location.FragmentCount <= 1) return bytes;
        ReadOnlySpan<byte> items = bytes.Span;
        byte[] joined = new byte[Math.Max(0, items.Length - 8 * location.FragmentCount)];
        int written = 0, at = 0;
        for (int i = 0; i < location.FragmentCount; i++)
        {
            if (!TryItem(items, at, out uint length) || length > joined.Length - written)
                throw new DicomFormatException("a fragment is missing in the frame", location.Offset + at, Tags.PixelData);
            items.Slice(at + 8, (int)length).CopyTo(joined.AsSpan(written));
            written += (int)length;
            at += 8 + (int)length;
        }
        return joined.AsMemory(0, written);
    }

    private static bool TryItem(ReadOnlySpan<byte> items, int at, out uint length)
    {
        length = 0;
        if (items.Length - at < 8) return false;
        uint tag = BinaryPrimitives.ReadUInt32LittleEndian(items[at..]);
        if (tag == DelimiterTag || tag != ItemTag) return false;
        length = BinaryPrimitives.ReadUInt32LittleEndian(items[(at + 4)..]);
        return length <= items.Length - at - 8;
    }

    private static bool StartsImage(ReadOnlySpan<byte> value) => value.Length >= 4 && PushReader.StartsImage(BinaryPrimitives.ReadUInt32BigEndian(value));
}
