using System.Buffers.Binary;
using PacsCluster.Dicom;

namespace PacsCluster.Imaging.Transcoding;

/// <summary>The frames of an instance in Explicit VR Little Endian that streams by, one after the other: what a frame is in fragments, is decided as
/// they come, from offset tables, or else from how they begin. Holds one frame.</summary>
internal sealed class StoredFrames
{
    private const uint ItemTag = 0xE000_FFFE, DelimiterTag = 0xE0DD_FFFE, Undefined = 0xFFFF_FFFF;
    private const int StepBytes = 1 << 20;

    private readonly ForwardReader _reader;
    private readonly int _frameMaxBytes;
    private readonly bool _fragmentPerFrame;
    private readonly byte[] _head = new byte[12];
    private HashSet<long>? _starts;
    private long _nativeLeft;
    private long _at;
    private byte[]? _next;
    private bool _isAtEnd;

    private StoredFrames(ForwardReader reader, FrameFormat format, int count, int frameMaxBytes, bool fragmentPerFrame)
    {
        _reader = reader;
        Format = format;
        Count = count;
        _frameMaxBytes = frameMaxBytes;
        _fragmentPerFrame = fragmentPerFrame;
    }

    /// <summary>What the attributes say of every frame.</summary>
    public FrameFormat Format { get; }

    /// <summary>Number of Frames, 1 when absent.</summary>
    public int Count { get; }

    /// <summary>Tag of the pixel data.</summary>
    public Tag Tag { get; private set; }

    private bool IsEncapsulated { get; set; }

    /// <summary>Bytes of native pixel data that were not asked for yet.</summary>
    public long NativeLeft => _nativeLeft;

    /// <summary>Reads the header of the pixel data element, and the Basic Offset Table.</summary>
    /// <param name="reader">Stands at the pixel data's tag.</param>
    /// <param name="header">Everything before it.</param>
    /// <param name="transferSyntaxUid">How the frames are stored.</param>
    /// <param name="frameMaxBytes">Bytes of one stored frame at most.</param>
    /// <param name="cancellationToken">Cancels.</param>
    /// <exception cref="ImagingException">As of <see cref="FrameFormat.Read"/>; Corrupt when there are no items.</exception>
    public static async ValueTask<StoredFrames> OpenAsync(ForwardReader reader, DataSet header, string transferSyntaxUid, int frameMaxBytes, CancellationToken cancellationToken)
    {
        byte[] head = new byte[12];
        await reader.ReadExactlyAsync(head, cancellationToken);
        var tag = new Tag((uint)BinaryPrimitives.ReadUInt16LittleEndian(head) << 16 | BinaryPrimitives.ReadUInt16LittleEndian(head.AsSpan(2)));
        uint length = BinaryPrimitives.ReadUInt32LittleEndian(head.AsSpan(8));
        FrameFormat format = FrameFormat.Read(header);
        if (tag != Tags.PixelData) format = format with { Kind = tag == Tags.FloatPixelData ? SampleKind.Float : SampleKind.Double };
        int? stated = header.GetInt32(Tags.NumberOfFrames);
        bool perFrame = CodecSyntaxes.IsRle(transferSyntaxUid) || CodecSyntaxes.IsDeflatedFrames(transferSyntaxUid);
        var frames = new StoredFrames(reader, format, stated is > 0 ? stated.Value : 1, frameMaxBytes, perFrame) { Tag = tag, IsEncapsulated = length == Undefined };
        if (frames.IsEncapsulated) await frames.ReadOffsetsAsync(header, cancellationToken);
        else frames._nativeLeft = length;
        return frames;
    }

    /// <summary>The next frame: a codestream whole, or native samples. Null behind the last; then the reader stands behind the pixel data.</summary>
    /// <exception cref="ImagingException">Corrupt, or TooLarge.</exception>
    public async ValueTask<ReadOnlyMemory<byte>?> NextAsync(CancellationToken cancellationToken)
    {
        if (_isAtEnd) return null;
        return IsEncapsulated ? await NextEncapsulatedAsync(cancellationToken) : await NextNativeAsync(cancellationToken);
    }

    private async ValueTask<ReadOnlyMemory<byte>?> NextNativeAsync(CancellationToken cancellationToken)
    {
        long length = Format.NativeLength;
        if (length > _frameMaxBytes) throw new ImagingException(ImagingError.TooLarge, $"a frame of {length} bytes; {_frameMaxBytes} are allowed");
        if (_nativeLeft == 0)
        {
            _isAtEnd = true;
            return null;
        }
        byte[] frame = new byte[Math.Min(length, _nativeLeft)];
        await _reader.ReadExactlyAsync(frame, cancellationToken);
        _nativeLeft -= frame.Length;
        return frame;
    }

    /// <summary>Steps over what stands behind the frames that were asked for: padding, frames too many.</summary>
    public async ValueTask SkipRestAsync(CancellationToken cancellationToken)
    {
        if (IsEncapsulated)
        {
            while (!_isAtEnd) await NextEncapsulatedAsync(cancellationToken);
            return;
        }
        byte[] step = new byte[Math.Min(_nativeLeft, StepBytes)];
        for (; _nativeLeft > 0; _nativeLeft -= Math.Min(step.Length, _nativeLeft)) await _reader.ReadExactlyAsync(step.AsMemory(0, (int)Math.Min(step.Length, _nativeLeft)), cancellationToken);
        _isAtEnd = true;
    }

    private async ValueTask ReadOffsetsAsync(DataSet header, CancellationToken cancellationToken)
    {
        byte[]? basic = await ReadItemAsync(cancellationToken);
        _at = 0;
        if (basic is null) _isAtEnd = true;
        ReadOnlySpan<byte> extended = header.TryGet(Tags.ExtendedOffsetTable, out DataElement element) ? element.RawValue.Span : default;
        _starts = extended.Length / 8 == Count ? Offsets(extended, 8) : basic is not null && basic.Length / 4 == Count ? Offsets(basic, 4) : null;
    }

    /// <summary>The offsets of a table; null when they do not rise from 0.</summary>
    private static HashSet<long>? Offsets(ReadOnlySpan<byte> table, int size)
    {
        var starts = new HashSet<long>();
        long last = -1;
        for (int at = 0; at + size <= table.Length; at += size)
        {
            long offset = size == 8 ? BinaryPrimitives.ReadInt64LittleEndian(table[at..]) : BinaryPrimitives.ReadUInt32LittleEndian(table[at..]);
            if (at == 0 ? offset != 0 : offset <= last) return null;
            last = offset;
            starts.Add(offset);
        }
        return starts;
    }

    private async ValueTask<ReadOnlyMemory<byte>?> NextEncapsulatedAsync(CancellationToken cancellationToken)
    {
        byte[]? first = _next ?? await ReadItemAsync(cancellationToken);
        _next = null;
        if (first is null)
        {
            _isAtEnd = true;
            return null;
        }
        List<byte[]>? more = null;
        long total = first.Length;
        while (true)
        {
            long offset = _at;
            _next = await ReadItemAsync(cancellationToken);
            if (_next is null || StartsFrame(offset, _next)) break;
            total += _next.Length;
            if (total > _frameMaxBytes) throw new ImagingException(ImagingError.TooLarge, $"a frame of more than {_frameMaxBytes} bytes");
            (more ??= []).Add(_next);
        }
        _isAtEnd = _next is null;
        if (more is null) return first;
        byte[] joined = new byte[total];
        first.CopyTo(joined, 0);
        int written = first.Length;
        foreach (byte[] fragment in more)
        {
            fragment.CopyTo(joined, written);
            written += fragment.Length;
        }
        return joined;
    }

    private bool StartsFrame(long offset, byte[] fragment)
    {
        if (Count == 1) return false;
        if (_starts is not null) return _starts.Contains(offset);
        return _fragmentPerFrame || fragment.AsSpan() is [0xFF, 0xD8, 0xFF, ..] or [0xFF, 0x4F, 0xFF, 0x51, ..] or [0, 0, 0, 12, 0x6A, 0x50, ..];
    }

    /// <summary>An item's value; null at the delimiter.</summary>
    private async ValueTask<byte[]?> ReadItemAsync(CancellationToken cancellationToken)
    {
        await _reader.ReadExactlyAsync(_head.AsMemory(0, 8), cancellationToken);
        uint tag = BinaryPrimitives.ReadUInt32LittleEndian(_head), length = BinaryPrimitives.ReadUInt32LittleEndian(_head.AsSpan(4));
        if (tag == DelimiterTag) return null;
        if (tag != ItemTag) throw new ImagingException(ImagingError.Corrupt, "the pixel data has something else than items");
        if (length > _frameMaxBytes) throw new ImagingException(ImagingError.TooLarge, $"a fragment of {length} bytes; {_frameMaxBytes} are allowed");
        byte[] value = new byte[Math.Min(length, StepBytes)];
        int read = 0;
        while (true)
        {
            // Memory grows with what is there, not with what is claimed.
            await _reader.ReadExactlyAsync(value.AsMemory(read), cancellationToken);
            read = value.Length;
            if (read == length) break;
            Array.Resize(ref value, (int)Math.Min(length, 2L * read));
        }
        _at += 8 + length;
        return value;
    }
}
