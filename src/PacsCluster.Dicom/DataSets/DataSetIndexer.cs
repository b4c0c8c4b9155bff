namespace PacsCluster.Dicom;

/// <summary>Lists the elements of one level of a data set: one pass over the headers, values untouched.</summary>
internal static class DataSetIndexer
{
    [ThreadStatic] private static Entry[]? t_scratch;

    /// <summary>What the pass found out besides the elements.</summary>
    internal readonly record struct Result(Entry[] Entries, bool HasGroupLengths, bool IsOrderly);

    /// <summary>Lists the elements of <paramref name="bytes"/>.</summary>
    /// <param name="bytes">The level's bytes, without the delimiter of its item.</param>
    /// <param name="mode">How they are encoded.</param>
    /// <param name="levelsLeft">Sequences that may be open inside one another below.</param>
    /// <param name="nested">An item: a value that runs over its end is cut there, because the rest of the instance is sound.</param>
    /// <exception cref="DicomFormatException">The bytes end inside an element, or are no elements.</exception>
    public static Result Index(ReadOnlySpan<byte> bytes, Mode mode, int levelsLeft, bool nested)
    {
        Entry[] scratch = t_scratch ??= new Entry[256];
        int count = 0;
        bool groupLengths = false, orderly = true;
        uint previous = 0;
        int at = 0;
        while (at < bytes.Length)
        {
            if (!ElementHeader.TryRead(bytes[at..], mode, out ElementHeader header))
            {
                if (nested || IsPadding(bytes[at..])) break;
                throw new DicomFormatException("the data set ends inside an element's header", at);
            }
            if (header.Tag.Group == 0xFFFE)
            {
                if (header.Tag.Value is not (ElementHeader.ItemDelimiterTag or ElementHeader.SequenceDelimiterTag))
                {
                    if (nested) break;
                    throw new DicomFormatException("an item outside a sequence", at, header.Tag);
                }
                // A delimiter too many: step over it.
                at += 8;
                orderly = false;
                continue;
            }
            if (header.Tag.Value == 0 && IsPadding(bytes[at..])) break;
            Entry entry = Locate(bytes, at, header, mode, levelsLeft, nested);
            if (count == scratch.Length) Array.Resize(ref scratch, count * 2);
            scratch[count++] = entry;
            groupLengths |= header.Tag.IsGroupLength && header.Tag.Group > 2;
            orderly &= count == 1 || header.Tag.Value > previous;
            previous = header.Tag.Value;
            at = entry.End;
        }
        // Scratch that one huge data set needed is not kept for the thread's life.
        t_scratch = scratch.Length <= 16384 ? scratch : null;
        Span<Entry> found = scratch.AsSpan(0, count);
        if (!orderly) found = Order(found);
        return new Result(found.ToArray(), groupLengths, orderly);
    }

    private static Entry Locate(ReadOnlySpan<byte> bytes, int at, ElementHeader header, Mode mode, int levelsLeft, bool nested)
    {
        var entry = new Entry { Tag = header.Tag, VR = header.VR, HeaderSize = header.Size, Offset = at + header.Size };
        int rest = bytes.Length - entry.Offset;
        if (!header.IsUndefined)
        {
            if (header.Length <= (uint)rest)
            {
                entry.Length = (int)header.Length;
                return entry;
            }
            if (!nested) throw new DicomFormatException("a value runs over the end of the data set", at, header.Tag);
            entry.Length = rest;
            entry.Flags = EntryFlags.Cut;
            return entry;
        }
        entry.Flags = EntryFlags.Undefined;
        var nesting = new Nesting(levelsLeft);
        nesting.OpenSequence(mode, header.VR == VR.UN);
        int end = nesting.Skip(bytes, entry.Offset, out int valueEnd);
        entry.Length = valueEnd - entry.Offset;
        if (end >= 0) return entry;
        if (!nested) throw new DicomFormatException("a sequence of undefined length has no end, or holds what is no item", at, header.Tag);
        entry.Flags |= EntryFlags.Cut;
        return entry;
    }

    /// <summary>Zeros to the end: files are padded to whole blocks on some media.</summary>
    private static bool IsPadding(ReadOnlySpan<byte> rest) => rest.IndexOfAnyExcept((byte)0) < 0;

    /// <summary>Sorts by tag; of several elements with one tag the first stays, as in DCMTK.</summary>
    private static Span<Entry> Order(Span<Entry> entries)
    {
        entries.Sort(static (a, b) => a.Tag != b.Tag ? a.Tag.CompareTo(b.Tag) : a.Offset.CompareTo(b.Offset));
        int kept = 0;
        for (int i = 0; i < entries.Length; i++)
        {
            if (kept > 0 && entries[kept - 1].Tag == entries[i].Tag) continue;
            entries[kept++] = entries[i];
        }
        return entries[..kept];
    }
}
