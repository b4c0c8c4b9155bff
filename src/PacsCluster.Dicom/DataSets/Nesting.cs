namespace PacsCluster.Dicom;

/// <summary>What <see cref="Nesting.Next"/> found.</summary>
internal enum NestingStep : byte
{
    /// <summary>Too few bytes to tell.</summary>
    NeedMore,
    /// <summary>A header, and so many value bytes that need no look.</summary>
    Token,
    /// <summary>The delimiter that ends the outermost sequence.</summary>
    Closed,
    /// <summary>Neither item, delimiter nor element can start like this.</summary>
    Malformed,
}

/// <summary>One header inside a value of undefined length.</summary>
/// <param name="Tag">Item, delimiter or element.</param>
/// <param name="Size">Bytes of the header.</param>
/// <param name="Skip">Value bytes behind it that are of defined length.</param>
/// <param name="Depth">Levels open before it; 1 is the outermost sequence itself.</param>
internal readonly record struct NestingToken(Tag Tag, int Size, uint Skip, int Depth);

/// <summary>Finds the end of a value of undefined length without recursion (PS3.5 section 7.5). Whatever has a defined length is stepped over
/// unseen, so only delimiters close a level. Lenient where a delimiter is missing or stands once too often.</summary>
internal struct Nesting
{
    private struct Level
    {
        public bool IsItem;
        public bool ModeKnown;
        public bool InsideUnknown;
        public Mode Mode;
    }

    private readonly int _sequencesMax;
    private Level[] _levels;
    private int _count;
    private int _sequences;

    /// <summary>Levels that may still be opened below the data set this belongs to.</summary>
    public Nesting(int sequencesMax)
    {
        _sequencesMax = sequencesMax;
        _levels = [];
    }

    public readonly bool IsOpen => _count > 0;

    public void OpenSequence(Mode mode, bool unknown)
    {
        if (++_sequences > _sequencesMax) throw new DicomFormatException("sequences are nested too deep");
        Push(new Level { Mode = unknown ? Mode.ImplicitLittle : mode, ModeKnown = true, InsideUnknown = unknown });
    }

    public void OpenItem(Mode mode, bool insideUnknown, bool modeKnown) =>
        Push(new Level { IsItem = true, Mode = mode, ModeKnown = modeKnown, InsideUnknown = insideUnknown });

    private void Push(Level level)
    {
        if (_count == _levels.Length) Array.Resize(ref _levels, Math.Max(4, _count * 2));
        _levels[_count++] = level;
    }

    private void Pop()
    {
        if (!_levels[--_count].IsItem) _sequences--;
    }

    /// <summary>Reads the header at the front of <paramref name="at"/>.</summary>
    /// <exception cref="DicomFormatException">Nested too deep.</exception>
    public NestingStep Next(ReadOnlySpan<byte> at, out NestingToken token)
    {
        token = default;
        if (at.Length < 8) return NestingStep.NeedMore;
        ref Level level = ref _levels[_count - 1];
        Tag tag = ElementHeader.ReadTag(at, level.Mode);
        if (tag.Group == 0xFFFE) return Delimiter(tag, ElementHeader.ReadUInt32(at[4..], level.Mode), out token);
        if (!level.IsItem) return NestingStep.Malformed;
        if (!level.ModeKnown)
        {
            level.Mode = ElementHeader.ModeOfItem(at, level.Mode, level.InsideUnknown);
            level.ModeKnown = true;
        }
        if (!ElementHeader.TryRead(at, level.Mode, out ElementHeader header)) return NestingStep.NeedMore;
        token = new NestingToken(tag, header.Size, header.IsUndefined ? 0 : header.Length, _count);
        if (header.IsUndefined) OpenSequence(level.Mode, level.InsideUnknown || header.VR == VR.UN);
        return NestingStep.Token;
    }

    private NestingStep Delimiter(Tag tag, uint length, out NestingToken token)
    {
        switch (tag.Value)
        {
            case ElementHeader.ItemTag:
                // A new item where an item is still open: its delimiter was forgotten.
                if (_levels[_count - 1].IsItem)
                {
                    Pop();
                    if (_count == 0)
                    {
                        token = default;
                        return NestingStep.Closed;
                    }
                }
                bool undefined = length == ElementHeader.Undefined;
                token = new NestingToken(tag, 8, undefined ? 0 : length, _count);
                Level sequence = _levels[_count - 1];
                if (undefined) OpenItem(sequence.Mode, sequence.InsideUnknown, modeKnown: false);
                return NestingStep.Token;
            case ElementHeader.ItemDelimiterTag:
                token = new NestingToken(tag, 8, 0, _count);
                if (_levels[_count - 1].IsItem) Pop();
                return _count == 0 ? NestingStep.Closed : NestingStep.Token;
            case ElementHeader.SequenceDelimiterTag:
                token = new NestingToken(tag, 8, 0, _count);
                if (_levels[_count - 1].IsItem) Pop();
                if (_count > 0) Pop();
                return _count == 0 ? NestingStep.Closed : NestingStep.Token;
            default:
                token = default;
                return NestingStep.Malformed;
        }
    }

    /// <summary>Steps to the end of what is open. Returns the offset behind the closing delimiter, or -1 when <paramref name="bytes"/> end first or
    /// are malformed; <paramref name="valueEnd"/> is where the closing delimiter starts, or the end.</summary>
    public int Skip(ReadOnlySpan<byte> bytes, int from, out int valueEnd)
    {
        int at = from;
        valueEnd = bytes.Length;
        while (true)
        {
            NestingStep step = Next(bytes[at..], out NestingToken token);
            if (step is NestingStep.NeedMore or NestingStep.Malformed) return -1;
            if (step == NestingStep.Closed)
            {
                valueEnd = at;
                return at + token.Size;
            }
            at += token.Size;
            if (token.Skip > (uint)(bytes.Length - at)) return -1;
            at += (int)token.Skip;
        }
    }
}
