namespace PacsCluster.Dicom;

/// <summary>Limits of a PushReader.</summary>
public sealed record PushReaderOptions
{
    internal static readonly PushReaderOptions Default = new();

    /// <summary>Values of OB OD OF OL OV OW UN from this many bytes on are not kept in the header, only where they are. Default 64 KiB.</summary>
    public int BulkThresholdBytes { get; init; } = 64 * 1024;
    /// <summary>Bytes of header kept at most; an element (a sequence, mostly) that would pass it is left out and noted. Default 64 MiB.</summary>
    public int HeaderMaxBytes { get; init; } = 64 * 1024 * 1024;
    /// <summary>Nested sequences, in levels. Default 128.</summary>
    public int DepthMax { get; init; } = 128;
}

/// <summary>A value left out of the header: where its bytes are, from the first byte of the data set (of the inflated one when deflated). For a value
/// of undefined length, Length covers its items and not the delimiter behind them.</summary>
public readonly record struct BulkValue(Tag Tag, VR VR, long Offset, long Length);

/// <summary>Where one frame lies, from the first byte of the data set. Native frames have FragmentCount 0; those of single bits may share their first
/// and last byte with their neighbours. A frame of one fragment is that fragment's value. A frame in several fragments starts at the first one's item
/// header, and Length covers them all with their item headers.</summary>
public readonly record struct FrameLocation(long Offset, long Length, int FragmentCount);

/// <summary>Reads a data set that arrives in fragments, without ever holding its pixels. Sequences nested too deep are refused here, also those of
/// defined lengths. Not safe for several threads at once.</summary>
public sealed class PushReader : IDisposable, IElementSink
{
    // Offset tables are held while they arrive: 4 bytes a frame in the basic one, so this is a million frames.
    private const int OffsetTableMaxBytes = 8 * 1024 * 1024;

    private enum Fate : byte { Keep, Bulk, LeaveOut }

    private readonly PushReaderOptions _options;
    private readonly Mode _mode;
    private readonly TransferSyntax _encoding;
    private readonly Inflater? _inflater;
    private readonly Inflater.Sink? _fromInflater;
    private readonly ByteBuffer _header = new(4096);
    private readonly List<BulkValue> _bulk = [];
    private readonly List<Tag> _leftOut = [];
    private ElementSplitter _splitter;
    private DataSet? _headerDataSet;
    private int _headerDataSetLength = -1;
    private bool _failed;
    private bool _completed;

    // The element that is passing through.
    private ElementHeader _element;
    private Fate _fate;
    private int _keptFrom;
    private long _valueOffset;
    private long _valueEnd;
    private ByteBuffer? _capture;

    // Pixel Data.
    private List<Fragment>? _fragments;
    private bool _inFragments;
    private bool _basicTableSeen;
    private ByteBuffer? _basicOffsets;
    private ByteBuffer? _extendedOffsets;
    private long _nativeOffset = -1;
    private long _nativeLength;
    private long _skipHeaderBytes;
    private int _markerBytes;
    private uint _marker;

    /// <summary>Reads a data set (no File Meta Information) in the given transfer syntax.</summary>
    public PushReader(TransferSyntax transferSyntax, PushReaderOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(transferSyntax);
        _options = options ?? PushReaderOptions.Default;
        _encoding = DataSet.WithoutDeflate(transferSyntax);
        _mode = DataSet.ModeOf(_encoding);
        _splitter = new ElementSplitter(_mode, _options.DepthMax);
        if (!transferSyntax.IsDeflated) return;
        _inflater = new Inflater();
        _fromInflater = bytes => _splitter.Feed(bytes, this);
    }

    /// <summary>Takes the next fragment, of any length. The bytes are copied where they are kept.</summary>
    /// <exception cref="DicomFormatException">Not a data set; nothing further can be fed.</exception>
    public void Feed(ReadOnlySpan<byte> fragment)
    {
        if (_failed || _completed) throw new InvalidOperationException("the reader has ended");
        _failed = true;
        if (_inflater is null) _splitter.Feed(fragment, this);
        else _inflater.Feed(fragment, _fromInflater!);
        _failed = false;
    }

    /// <summary>The end of the data set. Throws DicomFormatException when it ends inside an element.</summary>
    public void Complete()
    {
        if (_failed) throw new InvalidOperationException("the reader has ended");
        if (_completed) return;
        _failed = true;
        _splitter.Complete();
        _failed = false;
        _completed = true;
        IsHeaderComplete = true;
        if (_nativeOffset >= 0) Frames = FrameTable.Native(Header, _nativeOffset, _nativeLength);
        else if (_fragments is not null) Frames = FrameTable.Encapsulated(Header, _fragments, Span(_basicOffsets), Span(_extendedOffsets));
    }

    /// <summary>All elements up to Pixel Data have arrived: Header has every key of PS3.4.</summary>
    public bool IsHeaderComplete { get; private set; }

    /// <summary>The elements without bulk values; after Complete also those behind Pixel Data. Reading it copies nothing, and what was read earlier stays
    /// valid. Its encoding is that of the instance (Explicit VR Little Endian for a deflated one).</summary>
    public DataSet Header
    {
        get
        {
            int length = _fate != Fate.Keep || _element.Size == 0 ? _header.Length : _keptFrom;
            if (_headerDataSet is null || _headerDataSetLength != length)
            {
                _headerDataSet = DataSet.Read(_header.Memory[..length], _encoding, new ReadOptions { DepthMax = _options.DepthMax });
                _headerDataSetLength = length;
            }
            return _headerDataSet;
        }
    }

    /// <summary>The bytes of <see cref="Header"/>, in its encoding; not copied.</summary>
    public ReadOnlyMemory<byte> HeaderBytes => Header.Bytes;

    /// <summary>Values left out of the header, Pixel Data among them, in order of arrival.</summary>
    public IReadOnlyList<BulkValue> Bulk => _bulk;

    /// <summary>Tags of elements left out because of HeaderMaxBytes. They stand in <see cref="Bulk"/> too.</summary>
    public IReadOnlyList<Tag> LeftOut => _leftOut;

    /// <summary>Offset of the Pixel Data element's tag in the data set (in the inflated one when deflated), or -1.</summary>
    public long PixelDataOffset { get; private set; } = -1;

    /// <summary>Offset behind a Pixel Data element that says its length, known once its tag has come (most data sets end there); -1 else.</summary>
    public long NativePixelDataEnd => _nativeOffset < 0 ? -1 : _nativeOffset + _nativeLength;

    /// <summary>Frames, known after Complete; empty without pixel data, and when rows, columns, frames and lengths do not fit together.</summary>
    public IReadOnlyList<FrameLocation> Frames { get; private set; } = [];

    /// <summary>Bytes of the data set taken so far (of the inflated one when deflated).</summary>
    public long Offset => _splitter.Offset;

    /// <inheritdoc/>
    public void Dispose() => _inflater?.Dispose();

    private static ReadOnlySpan<byte> Span(ByteBuffer? buffer) => buffer is null ? default : buffer.Memory.Span;

    void IElementSink.ElementStart(in ElementHeader header, ReadOnlySpan<byte> headerBytes, long offset)
    {
        _element = header;
        _keptFrom = _header.Length;
        _valueOffset = offset + header.Size;
        _valueEnd = -1;
        _capture = null;
        Tag tag = header.Tag;
        if (tag >= Tags.FloatPixelData) IsHeaderComplete = true;
        bool pixels = tag.Value is >= 0x7FE00008 and <= 0x7FE00010;
        if (tag == Tags.ExtendedOffsetTable) _capture = _extendedOffsets = new ByteBuffer(256);
        if (pixels && PixelDataOffset < 0) StartPixels(header, offset);
        _fate = pixels ? Fate.Bulk : FateOf(header);
        if (_fate == Fate.Keep) _header.Append(headerBytes);
        else if (_fate == Fate.LeaveOut) _leftOut.Add(tag);
    }

    private void StartPixels(in ElementHeader header, long offset)
    {
        PixelDataOffset = offset;
        if (header.IsUndefined)
        {
            _inFragments = true;
            _fragments = [];
            return;
        }
        _nativeOffset = _valueOffset;
        _nativeLength = header.Length;
    }

    private Fate FateOf(in ElementHeader header)
    {
        if (header.IsUndefined) return Fate.Keep;
        if (header.Length >= (uint)_options.BulkThresholdBytes && VROf(header).IsBulk()) return Fate.Bulk;
        return _header.Length + header.Size + (long)header.Length > _options.HeaderMaxBytes ? Fate.LeaveOut : Fate.Keep;
    }

    private VR VROf(in ElementHeader header)
    {
        if (header.VR != VR.None) return header.VR;
        Tag tag = header.Tag;
        // Private, implicit and long is rare enough to look its creator up in the header so far.
        if (tag.IsPrivate && !tag.IsPrivateCreator)
        {
            DataSet soFar = DataSet.Read(_header.Memory[.._keptFrom], _encoding);
            return soFar.GetString(tag.PrivateCreatorTag) is { } creator ? DataDictionary.GetPrivateVR(tag, creator) : VR.UN;
        }
        return tag == Tags.PixelData ? VR.OW : DataDictionary.GetVR(tag);
    }

    void IElementSink.NestedToken(in NestingToken token, long offset, bool closes)
    {
        if (closes) _valueEnd = offset;
        if (!_inFragments) return;
        _skipHeaderBytes = token.Size;
        _capture = null;
        _markerBytes = 4;
        if (token.Tag.Value != ElementHeader.ItemTag || token.Depth != 1) return;
        if (!_basicTableSeen)
        {
            _basicTableSeen = true;
            _capture = _basicOffsets = new ByteBuffer(64);
            return;
        }
        _fragments!.Add(new Fragment(offset, token.Skip, false));
        _markerBytes = 0;
        _marker = 0;
    }

    void IElementSink.Value(ReadOnlySpan<byte> bytes)
    {
        if (_fate == Fate.Keep) Keep(bytes);
        if (_inFragments && _skipHeaderBytes > 0)
        {
            // The item header itself, which comes in one piece.
            _skipHeaderBytes = 0;
            return;
        }
        if (_capture is not null) Capture(bytes);
        if (_inFragments && _markerBytes < 4) LookAtMarker(bytes);
    }

    private void Keep(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length <= _options.HeaderMaxBytes - _header.Length)
        {
            _header.Append(bytes);
            return;
        }
        _header.Truncate(_keptFrom);
        _leftOut.Add(_element.Tag);
        _fate = Fate.LeaveOut;
    }

    private void Capture(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length <= OffsetTableMaxBytes - _capture!.Length)
        {
            _capture.Append(bytes);
            return;
        }
        _capture.Truncate(0);
        _capture = null;
    }

    // JPEG starts with SOI (FFD8) and another marker, JPEG 2000 with SOC and SIZ (FF4F FF51).
    private void LookAtMarker(ReadOnlySpan<byte> bytes)
    {
        foreach (byte b in bytes[..Math.Min(4 - _markerBytes, bytes.Length)])
        {
            _marker = (_marker << 8) | b;
            _markerBytes++;
        }
        if (_markerBytes < 4) return;
        if (StartsImage(_marker)) _fragments![^1] = _fragments[^1] with { StartsImage = true };
    }

    internal static bool StartsImage(uint marker) => marker >> 8 == 0xFFD8FF || marker == 0xFF4FFF51;

    void IElementSink.ElementEnd(long offset)
    {
        if (_fate != Fate.Keep) _bulk.Add(new BulkValue(_element.Tag, VROf(_element), _valueOffset, (_valueEnd >= 0 ? _valueEnd : offset) - _valueOffset));
        else if (_element.VR is VR.SQ or VR.UN or VR.None) GuardDepth();
        _inFragments = false;
        _capture = null;
        _element = default;
    }

    private void GuardDepth()
    {
        ReadOnlySpan<byte> value = _header.Memory.Span[(_keptFrom + _element.Size)..];
        if (value.Length < 8 || _element.VR != VR.SQ && !_element.IsUndefined && !Sequences.LooksLikeItems(value)) return;
        DepthGuard.Check(value, _mode, _element.VR == VR.UN, _options.DepthMax);
    }
}
