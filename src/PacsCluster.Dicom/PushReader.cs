namespace PacsCluster.Dicom;

/// <summary>Limits of a PushReader.</summary>
public sealed record PushReaderOptions
{
    /// <summary>Values of OB OD OF OL OV OW UN from this many bytes on are not kept in the header, only where they are. Default 64 KiB.</summary>
    public int BulkThresholdBytes { get; init; } = 64 * 1024;
    /// <summary>Bytes of header kept at most; a sequence that would pass it is left out and noted. Default 64 MiB.</summary>
    public int HeaderMaxBytes { get; init; } = 64 * 1024 * 1024;
    /// <summary>Nested sequences, in levels. Default 64.</summary>
    public int DepthMax { get; init; } = 64;
}

/// <summary>A value left out of the header: where its bytes are, from the first byte of the data set (of the inflated one when deflated).</summary>
public readonly record struct BulkValue(Tag Tag, VR VR, long Offset, long Length);

/// <summary>Reads a data set that arrives in fragments, without ever holding its pixels.</summary>
public sealed class PushReader : IDisposable
{
    /// <summary>Reads a data set (no File Meta Information) in the given transfer syntax.</summary>
    public PushReader(TransferSyntax transferSyntax, PushReaderOptions? options = null) => throw new NotImplementedException();
    /// <summary>Takes the next fragment, of any length. The bytes are copied where they are kept.</summary>
    /// <exception cref="DicomFormatException">Not a data set; nothing further can be fed.</exception>
    public void Feed(ReadOnlySpan<byte> fragment) => throw new NotImplementedException();
    /// <summary>The end of the data set. Throws DicomFormatException when it ends inside an element.</summary>
    public void Complete() => throw new NotImplementedException();
    /// <summary>All elements up to Pixel Data have arrived: Header has every key of PS3.4.</summary>
    public bool IsHeaderComplete => throw new NotImplementedException();
    /// <summary>The elements without bulk values; after Complete also those behind Pixel Data. Reading it copies nothing.</summary>
    public DataSet Header => throw new NotImplementedException();
    /// <summary>Values left out of the header, Pixel Data among them, in order of arrival.</summary>
    public IReadOnlyList<BulkValue> Bulk => throw new NotImplementedException();
    /// <summary>Tags of sequences left out because of HeaderMaxBytes.</summary>
    public IReadOnlyList<Tag> LeftOut => throw new NotImplementedException();
    /// <summary>Offset of the Pixel Data element's tag in the data set, or -1.</summary>
    public long PixelDataOffset => throw new NotImplementedException();
    /// <summary>Frames, known after Complete; empty without pixel data.</summary>
    public IReadOnlyList<FrameLocation> Frames => throw new NotImplementedException();
    /// <inheritdoc/>
    public void Dispose() => throw new NotImplementedException();
}

/// <summary>Where one frame lies, from the first byte of the data set. An encapsulated frame may lie in several fragments: then Length covers
/// them all with their item headers, and FragmentCount says how many.</summary>
public readonly record struct FrameLocation(long Offset, long Length, int FragmentCount);
