using System.Buffers.Binary;

namespace PacsCluster.Dicom;

/// <summary>Encodes data sets. What is unchanged and stays in its encoding is copied as it stands; all else is written anew, with the kind of length
/// (defined or not) that it had.</summary>
internal readonly struct DataSetWriter
{
    /// <summary>The longest even value that a 16-bit length can say (PS3.5 section 6.2.2 note: longer ones are written as UN).</summary>
    private const int ShortLengthMax = 65534;

    private readonly ByteBuffer _to;
    private readonly Mode _mode;

    public DataSetWriter(ByteBuffer to, Mode mode)
    {
        _to = to;
        _mode = mode;
    }

    private bool IsBig => (_mode & Mode.Big) != 0;

    public static byte[] ToArray(DataSet dataSet, TransferSyntax encoding)
    {
        if (encoding.IsDeflated) return Inflater.Deflate(ToArray(dataSet, DataSet.WithoutDeflate(encoding)));
        Mode mode = DataSet.ModeOf(encoding);
        if (IsVerbatim(dataSet, mode) && !dataSet.HasGroupLengths) return dataSet.Bytes.ToArray();
        var buffer = new ByteBuffer(Math.Max(256, dataSet.Bytes.Length + (dataSet.Bytes.Length >> 4)));
        new DataSetWriter(buffer, mode).Write(dataSet);
        return buffer.ToArray();
    }

    public static byte[] ItemsToArray(DataSet[] items, TransferSyntax encoding)
    {
        var buffer = new ByteBuffer(256);
        var writer = new DataSetWriter(buffer, DataSet.ModeOf(encoding));
        foreach (DataSet item in items) writer.WriteItem(item);
        return buffer.ToArray();
    }

    private static bool IsVerbatim(DataSet dataSet, Mode mode) => dataSet.Mode == mode && !dataSet.IsChanged;

    /// <summary>All elements of one level.</summary>
    public void Write(DataSet dataSet)
    {
        if (IsVerbatim(dataSet, _mode) && !dataSet.HasGroupLengths)
        {
            _to.Append(dataSet.Bytes.Span);
            return;
        }
        foreach (Entry entry in dataSet.Entries)
        {
            // Group lengths would be wrong now; groups 0000 and 0002 need theirs, and their writers set them.
            if (entry.Tag.IsGroupLength && entry.Tag.Group > 2) continue;
            WriteElement(dataSet, entry);
        }
    }

    public void WriteElement(DataSet dataSet, in Entry entry)
    {
        var element = new DataElement(dataSet, entry);
        DataSet[]? items = dataSet.KnownItems(entry);
        bool itemsChanged = entry.Is(EntryFlags.Changed) ? items is not null : items is not null && AnyChanged(items);
        bool asItStands = dataSet.Mode == _mode && !entry.Is(EntryFlags.Changed | EntryFlags.Cut) && !itemsChanged
            && (entry.VR != VR.None || (_mode & Mode.Explicit) == 0);
        if (asItStands)
        {
            _to.Append(dataSet.Bytes.Span[entry.Start..entry.End]);
            return;
        }
        VR vr = element.VR;
        if (itemsChanged || vr == VR.SQ)
        {
            WriteSequence(entry.Tag, dataSet.GetItems(entry.Tag), entry.Is(EntryFlags.Undefined));
            return;
        }
        ReadOnlySpan<byte> value = element.RawValue.Span;
        if (entry.Is(EntryFlags.Undefined))
        {
            // Encapsulated pixel data, or a UN sequence: both are little endian inside, whatever there is around them.
            WriteHeader(entry.Tag, vr, ElementHeader.Undefined);
            _to.Append(value);
            WriteDelimiter(ElementHeader.SequenceDelimiterTag);
            return;
        }
        WriteValue(entry.Tag, vr, value, element.IsBigEndian);
    }

    private static bool AnyChanged(DataSet[] items)
    {
        foreach (DataSet item in items)
        {
            if (item.IsChanged) return true;
        }
        return false;
    }

    private void WriteValue(Tag tag, VR vr, ReadOnlySpan<byte> value, bool valueIsBig)
    {
        int padded = value.Length + (value.Length & 1);
        int word = vr.WordLength();
        byte padding = vr.Padding();
        if ((_mode & Mode.Explicit) != 0 && padded > ShortLengthMax && !vr.HasLongLength()) vr = VR.UN;
        WriteHeader(tag, vr, (uint)padded);
        Span<byte> space = _to.Take(padded);
        value.CopyTo(space);
        if (padded > value.Length) space[^1] = padding;
        bool big = IsBig && vr != VR.UN;
        if (big != valueIsBig) WordSwap.InPlace(space[..value.Length], word);
    }

    private void WriteSequence(Tag tag, IReadOnlyList<DataSet> items, bool undefined)
    {
        WriteHeader(tag, VR.SQ, ElementHeader.Undefined);
        int start = _to.Length;
        foreach (DataSet item in items) WriteItem(item);
        if (undefined) WriteDelimiter(ElementHeader.SequenceDelimiterTag);
        else _to.Patch(start - 4, (uint)(_to.Length - start), IsBig);
    }

    private void WriteItem(DataSet item)
    {
        WriteItemHeader(ElementHeader.ItemTag, ElementHeader.Undefined);
        int start = _to.Length;
        Write(item);
        if (item.UndefinedLength) WriteDelimiter(ElementHeader.ItemDelimiterTag);
        else _to.Patch(start - 4, (uint)(_to.Length - start), IsBig);
    }

    private void WriteDelimiter(uint tag) => WriteItemHeader(tag, 0);

    private void WriteItemHeader(uint tag, uint length) => PutHeader(_to.Take(8), _mode & ~Mode.Explicit, new Tag(tag), VR.None, length);

    private void WriteHeader(Tag tag, VR vr, uint length) => PutHeader(_to.Take(HeaderSize(_mode, vr)), _mode, tag, vr, length);

    /// <summary>Bytes that the header of an element takes.</summary>
    public static int HeaderSize(Mode mode, VR vr) => (mode & Mode.Explicit) != 0 && vr.HasLongLength() ? 12 : 8;

    /// <summary>Writes tag, VR (in explicit VR) and length.</summary>
    public static void PutHeader(Span<byte> to, Mode mode, Tag tag, VR vr, uint length)
    {
        if ((mode & Mode.Big) != 0)
        {
            BinaryPrimitives.WriteUInt32BigEndian(to, tag.Value);
        }
        else
        {
            BinaryPrimitives.WriteUInt16LittleEndian(to, tag.Group);
            BinaryPrimitives.WriteUInt16LittleEndian(to[2..], tag.Element);
        }
        if ((mode & Mode.Explicit) == 0)
        {
            Put32(to[4..], length, mode);
            return;
        }
        to[4] = (byte)((ushort)vr >> 8);
        to[5] = (byte)vr;
        if (vr.HasLongLength())
        {
            to[6] = to[7] = 0;
            Put32(to[8..], length, mode);
        }
        else if ((mode & Mode.Big) != 0)
        {
            BinaryPrimitives.WriteUInt16BigEndian(to[6..], (ushort)length);
        }
        else
        {
            BinaryPrimitives.WriteUInt16LittleEndian(to[6..], (ushort)length);
        }
    }

    private static void Put32(Span<byte> to, uint value, Mode mode)
    {
        if ((mode & Mode.Big) != 0) BinaryPrimitives.WriteUInt32BigEndian(to, value);
        else BinaryPrimitives.WriteUInt32LittleEndian(to, value);
    }
}
