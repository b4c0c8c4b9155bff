namespace PacsCluster.Dicom;

/// <summary>Told what an <see cref="ElementSplitter"/> finds, in the order of the bytes.</summary>
internal interface IElementSink
{
    /// <summary>An element of the outermost level starts. <paramref name="offset"/> is where its tag stands.</summary>
    void ElementStart(in ElementHeader header, ReadOnlySpan<byte> headerBytes, long offset);

    /// <summary>Inside a value of undefined length a header follows; its bytes come by <see cref="Value"/> next.</summary>
    void NestedToken(in NestingToken token, long offset, bool closes);

    /// <summary>The next bytes of the value, headers of nested items and delimiters included.</summary>
    void Value(ReadOnlySpan<byte> bytes);

    /// <summary>The element is complete; <paramref name="offset"/> is behind it.</summary>
    void ElementEnd(long offset);
}

/// <summary>Cuts a data set that arrives in fragments of any length into the elements of its outermost level. Holds at most 12 bytes; values pass
/// through as spans of the fragments.</summary>
internal struct ElementSplitter
{
    private readonly Mode _mode;
    private readonly byte[] _scratch;
    private int _scratchLength;
    private long _remaining;
    private long _offset;
    private Nesting _nesting;
    private bool _nested;
    private bool _padding;

    public ElementSplitter(Mode mode, int depthMax)
    {
        _mode = mode;
        _scratch = new byte[12];
        _nesting = new Nesting(depthMax);
    }

    /// <summary>Bytes taken so far.</summary>
    public readonly long Offset => _offset;

    public void Feed(ReadOnlySpan<byte> bytes, IElementSink sink)
    {
        while (!bytes.IsEmpty)
        {
            if (_remaining > 0) PassValue(ref bytes, sink);
            else if (_padding) CheckPadding(ref bytes);
            else if (_scratchLength == 0 && bytes.Length >= 12) bytes = bytes[TakeHeader(bytes, sink)..];
            else FillScratch(ref bytes, sink);
        }
    }

    /// <summary>The data set ends here.</summary>
    public readonly void Complete()
    {
        if (_remaining > 0 || _nested) throw new DicomFormatException("the data set ends inside an element", _offset);
        if (_scratch.AsSpan(0, _scratchLength).ContainsAnyExcept((byte)0)) throw new DicomFormatException("the data set ends inside an element's header", _offset);
    }

    private void PassValue(ref ReadOnlySpan<byte> bytes, IElementSink sink)
    {
        int count = (int)Math.Min(bytes.Length, _remaining);
        sink.Value(bytes[..count]);
        bytes = bytes[count..];
        _offset += count;
        _remaining -= count;
        if (_remaining == 0 && !_nested) sink.ElementEnd(_offset);
    }

    private void CheckPadding(ref ReadOnlySpan<byte> bytes)
    {
        if (bytes.ContainsAnyExcept((byte)0)) throw new DicomFormatException("no element where one should start", _offset);
        _offset += bytes.Length;
        bytes = default;
    }

    /// <summary>Headers that fragments cut in two are put together here: first 8 bytes, and 12 when those say so.</summary>
    private void FillScratch(ref ReadOnlySpan<byte> bytes, IElementSink sink)
    {
        int wanted = _scratchLength < 8 ? 8 : 12;
        int count = Math.Min(wanted - _scratchLength, bytes.Length);
        bytes[..count].CopyTo(_scratch.AsSpan(_scratchLength));
        _scratchLength += count;
        bytes = bytes[count..];
        if (_scratchLength < wanted) return;
        if (TakeHeader(_scratch.AsSpan(0, _scratchLength), sink) > 0) _scratchLength = 0;
    }

    /// <summary>Takes one header; 0 when it needs more than it was given.</summary>
    private int TakeHeader(ReadOnlySpan<byte> at, IElementSink sink) => _nested ? TakeNested(at, sink) : TakeElement(at, sink);

    private int TakeNested(ReadOnlySpan<byte> at, IElementSink sink)
    {
        NestingStep step = _nesting.Next(at, out NestingToken token);
        if (step == NestingStep.NeedMore) return 0;
        if (step == NestingStep.Malformed) throw new DicomFormatException("neither item nor delimiter in a sequence", _offset);
        sink.NestedToken(token, _offset, step == NestingStep.Closed);
        sink.Value(at[..token.Size]);
        _offset += token.Size;
        _remaining = token.Skip;
        if (step != NestingStep.Closed) return token.Size;
        _nested = false;
        sink.ElementEnd(_offset);
        return token.Size;
    }

    private int TakeElement(ReadOnlySpan<byte> at, IElementSink sink)
    {
        if (!ElementHeader.TryRead(at, _mode, out ElementHeader header)) return 0;
        if (header.Tag.Group == 0xFFFE)
        {
            if (header.Tag.Value is not (ElementHeader.ItemDelimiterTag or ElementHeader.SequenceDelimiterTag))
            {
                throw new DicomFormatException("an item outside a sequence", _offset, header.Tag);
            }
            // A delimiter too many.
            _offset += header.Size;
            return header.Size;
        }
        if (header.Tag.Value == 0 && !at[..8].ContainsAnyExcept((byte)0))
        {
            _padding = true;
            _offset += 8;
            return 8;
        }
        sink.ElementStart(header, at[..header.Size], _offset);
        _offset += header.Size;
        if (header.IsUndefined)
        {
            _nesting.OpenSequence(_mode, header.VR == VR.UN);
            _nested = true;
            return header.Size;
        }
        _remaining = header.Length;
        if (_remaining == 0) sink.ElementEnd(_offset);
        return header.Size;
    }
}
