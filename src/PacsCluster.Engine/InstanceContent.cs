using System.Buffers.Binary;
using System.Text;
using PacsCluster.Catalog;
using PacsCluster.Dicom;

namespace PacsCluster.Engine;

/// <summary>An instance's frames and values, each to be read by itself: the header is in memory, everything else is a ranged read of the blob. Made by
/// <see cref="Retrieve.OpenContentAsync"/>. Not safe for several threads at once.</summary>
public sealed class InstanceContent
{
    private readonly DataSetBytes _bytes;
    private readonly InstanceLayout _layout;
    private readonly IReadOnlyList<FrameLocation> _frames;

    internal InstanceContent(InstanceLocation location, DataSet header, InstanceLayout layout, DataSetBytes bytes)
    {
        Location = location;
        Header = header;
        _layout = layout;
        _bytes = bytes;
        TransferSyntax stored = TransferSyntax.FromUid(location.TransferSyntaxUid);
        IsEncapsulated = stored.IsEncapsulated;
        foreach (BulkValue value in layout.Bulk)
        {
            if (value.Tag.Value is >= 0x7FE00008 and <= 0x7FE00010) PixelData ??= value;
        }
        _frames = IsEncapsulated ? layout.Frames : PixelData is { } pixels ? PixelDataFrames.Native(header, pixels.Length) : [];
    }

    /// <summary>Where it lies.</summary>
    public InstanceLocation Location { get; }

    /// <summary>Its attributes without the values that are listed in <see cref="Bulk"/>.</summary>
    public DataSet Header { get; }

    /// <summary>Values that the header lacks, Pixel Data among them. Offsets are the engine's own.</summary>
    public IReadOnlyList<BulkValue> Bulk => _layout.Bulk;

    /// <summary>Pixel Data, Float Pixel Data or Double Float Pixel Data; null for what is no image.</summary>
    public BulkValue? PixelData { get; }

    /// <summary>Its pixel data is in fragments: frames are codestreams.</summary>
    public bool IsEncapsulated { get; }

    /// <summary>Frames that can be told apart: 0 for what is no image, for video, and where the attributes do not fit the pixel data.</summary>
    public int FrameCount => _frames.Count;

    /// <summary>One frame: its codestream, or its samples in little endian.</summary>
    /// <param name="index">From 0 to <see cref="FrameCount"/>.</param>
    public BulkContent Frame(int index)
    {
        FrameLocation frame = _frames[index];
        if (IsEncapsulated) return frame.FragmentCount == 1 ? new RunContent(_bytes, frame.Offset, frame.Length) : new FragmentsContent(_bytes, frame.Offset, frame.Length, frame.FragmentCount);
        BulkValue pixels = PixelData!.Value;
        long bits = FrameBits(pixels);
        int shift = (int)(bits * index % 8);
        long start = pixels.Offset + frame.Offset;
        return shift == 0 ? new RunContent(_bytes, start, frame.Length) : new ShiftedContent(_bytes, start, frame.Length, shift, (bits + 7) / 8);
    }

    /// <summary>The whole of the pixel data: all native frames, or all fragments behind each other (a video's stream). Null without.</summary>
    /// <exception cref="InstanceUnavailableException">The blob is missing or cannot be read now.</exception>
    /// <exception cref="InvalidDataException">There are no fragments where the catalog says they are.</exception>
    public async ValueTask<BulkContent?> PixelsAsync(CancellationToken cancellationToken)
    {
        if (PixelData is not { } pixels) return null;
        if (!IsEncapsulated) return new RunContent(_bytes, pixels.Offset, pixels.Length);
        // Only lengths are read: of the Basic Offset Table, which is left out, and of each fragment.
        long start = pixels.Offset + await ItemBytesAsync(pixels.Offset, cancellationToken), end = pixels.Offset + pixels.Length;
        int fragments = 0;
        for (long at = start; at < end; fragments++) at += await ItemBytesAsync(at, cancellationToken);
        return new FragmentsContent(_bytes, start, end - start, fragments);
    }

    private async ValueTask<long> ItemBytesAsync(long offset, CancellationToken cancellationToken)
    {
        ReadOnlyMemory<byte> item = await new RunContent(_bytes, offset, 8).ReadAllAsync(cancellationToken);
        if (BinaryPrimitives.ReadUInt32LittleEndian(item.Span) != 0xE000_FFFE) throw new InvalidDataException("no fragment where the catalog says one is: run verify");
        return 8L + BinaryPrimitives.ReadUInt32LittleEndian(item.Span[4..]);
    }

    /// <summary>The paths of all values that metadata gives by URI, Pixel Data among them.</summary>
    public IReadOnlyList<string> BulkPaths() => MetadataJson.ListByUri(Header, _layout.Bulk);

    /// <summary>A value by its path in the DICOM JSON Model's manner: <c>7FE00010</c>, or through items (from 0) <c>00081115/0/00081199</c>. Encapsulated
    /// pixel data is no single value and not found.</summary>
    /// <param name="path">The path.</param>
    /// <param name="vr">The value's VR.</param>
    /// <returns>Null when there is no such element, or it is a sequence.</returns>
    public BulkContent? Value(string path, out VR vr)
    {
        vr = VR.None;
        DataSet dataSet = Header;
        string[] steps = path.Split('/');
        if (steps.Length % 2 == 0) return null;
        for (int i = 0; i + 2 < steps.Length; i += 2)
        {
            if (!Tag.TryParse(steps[i], out Tag sequence) || !int.TryParse(steps[i + 1], System.Globalization.NumberStyles.None, null, out int item)) return null;
            IReadOnlyList<DataSet> items = dataSet.GetItems(sequence);
            if (item >= items.Count) return null;
            dataSet = items[item];
        }
        if (!Tag.TryParse(steps[^1], out Tag tag)) return null;
        if (dataSet.TryGet(tag, out DataElement element))
        {
            vr = element.EffectiveVR;
            if (vr == VR.SQ || element.HasUndefinedLength) return null;
            // Metadata is in UTF-8, and so is the text that it leaves out for its length.
            return new HeldContent(vr.IsText() ? Encoding.UTF8.GetBytes(string.Join('\\', element.GetStrings())) : element.LittleEndianValue);
        }
        if (steps.Length > 1 || _layout.Find(tag) is not { } value) return null;
        vr = value.VR;
        return vr == VR.SQ || (IsEncapsulated && value == PixelData) ? null : new RunContent(_bytes, value.Offset, value.Length);
    }

    // The frames' own length says it for whole bytes; only cells of single bits end within one.
    private long FrameBits(BulkValue pixels)
    {
        long rows = Header.GetInt32(Tags.Rows) ?? 0, columns = Header.GetInt32(Tags.Columns) ?? 0, samples = Header.GetInt32(Tags.SamplesPerPixel) ?? 1;
        long bits = rows * columns * samples * (Header.GetInt32(Tags.BitsAllocated) ?? 0);
        return bits % 8 == 0 || _frames.Count == 1 ? _frames[0].Length * 8 : bits;
    }
}

/// <summary>The bytes of an instance's data set in little endian, from any place on: ranges of the blob, or of what it is converted to on the way.</summary>
internal sealed class DataSetBytes(Retrieve retrieve, InstanceLocation location)
{
    private readonly bool _isConverted = NeedsConversion(location);

    /// <summary>Deflated ones have no places to read from, big endian ones have other bytes.</summary>
    public static bool NeedsConversion(InstanceLocation location)
    {
        TransferSyntax stored = TransferSyntax.FromUid(location.TransferSyntaxUid);
        return (stored.IsDeflated || stored.IsBigEndian) && !stored.IsEncapsulated;
    }

    /// <summary>Opens a range.</summary>
    public async ValueTask<Stream> OpenAsync(long offset, long length, CancellationToken cancellationToken)
    {
        if (!_isConverted) return await retrieve.OpenRangeAsync(location, offset, length, cancellationToken);
        RetrievedInstance whole = await retrieve.OpenAsync(location, TransferSyntax.ExplicitVRLittleEndian, cancellationToken);
        var part = new PartStream(whole.DataSet, offset + length, areItems: false);
        await part.SkipAsync(offset, cancellationToken);
        return part;
    }
}
