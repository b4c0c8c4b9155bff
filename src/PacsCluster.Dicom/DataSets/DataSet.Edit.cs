using System.Buffers.Binary;
using System.Globalization;
using System.Text;

namespace PacsCluster.Dicom;

/// <summary>A value that was set: bytes, or items.</summary>
internal sealed class Replacement
{
    private readonly ReadOnlyMemory<byte> _bytes;

    public Replacement(ReadOnlyMemory<byte> bytes) => _bytes = bytes;

    public Replacement(DataSet[] items) => Items = items;

    public DataSet[]? Items { get; }

    public ReadOnlyMemory<byte> Bytes(DataSet owner) => Items is null ? _bytes : DataSetWriter.ItemsToArray(Items, owner.Encoding);
}

public sealed partial class DataSet
{
    /// <summary>Sets text values (joined by backslash), encoded in this data set's character set; numbers when the VR is a number's. VR from the
    /// dictionary when None. Null or "" makes the element empty. What the character set cannot hold becomes '?'.</summary>
    /// <exception cref="ArgumentException">The VR cannot hold text, or the text is no number.</exception>
    public void Set(Tag tag, string? value, VR vr = VR.None)
    {
        if (vr == VR.None) vr = VROf(tag);
        if (string.IsNullOrEmpty(value))
        {
            SetRaw(tag, vr, default);
            return;
        }
        if (vr.IsText())
        {
            SetRaw(tag, vr, Pad(EncodeText(value, vr), vr));
            if (tag == Tags.SpecificCharacterSet) _characterSet = null;
            return;
        }
        string[] values = value.Split('\\');
        int size = ValueText.SizeOf(vr);
        if (size == 0) throw new ArgumentException($"{vr} holds no text", nameof(vr));
        byte[] bytes = new byte[size * values.Length];
        for (int i = 0; i < values.Length; i++) WriteNumber(bytes.AsSpan(i * size), vr, values[i]);
        SetRaw(tag, vr, bytes);
    }

    /// <summary>Sets a number for any numeric or IS/DS VR.</summary>
    /// <exception cref="ArgumentException">The VR holds no number, or not this one.</exception>
    public void Set(Tag tag, long value, VR vr = VR.None) => Set(tag, value.ToString(CultureInfo.InvariantCulture), vr);

    /// <summary>Sets raw bytes, already in <see cref="Encoding"/>; not copied. An odd length is padded when it is written.</summary>
    public void SetRaw(Tag tag, VR vr, ReadOnlyMemory<byte> value) => Put(tag, vr == VR.None ? VROf(tag) : vr, new Replacement(value), value.Length);

    /// <summary>Sets a sequence. The items keep their own encoding until written, and inherit nothing they do not hold.</summary>
    public void SetItems(Tag tag, IReadOnlyList<DataSet> items)
    {
        ArgumentNullException.ThrowIfNull(items);
        Put(tag, VR.SQ, new Replacement([.. items]), items.Count);
    }

    /// <summary>Takes the element out; false when it was not there.</summary>
    public bool Remove(Tag tag)
    {
        int index = Find(tag);
        if (index < 0) return false;
        _items?.Remove(tag);
        if (tag == Tags.SpecificCharacterSet) _characterSet = null;
        Entry[] entries = new Entry[_count - 1];
        _entries.AsSpan(0, index).CopyTo(entries);
        _entries.AsSpan(index + 1, _count - index - 1).CopyTo(entries.AsSpan(index));
        _entries = entries;
        _count--;
        _changed = true;
        return true;
    }

    /// <summary>Encodes (without File Meta Information). Unchanged elements keep their bytes when the encoding is the same, sequences their kind of
    /// length; group lengths are left out (PS3.5 section 7.2 retired them).</summary>
    public byte[] ToArray(TransferSyntax? encoding = null) => DataSetWriter.ToArray(this, encoding ?? Encoding);

    private void Put(Tag tag, VR vr, Replacement replacement, int length)
    {
        _changed = true;
        _items?.Remove(tag);
        if (tag == Tags.SpecificCharacterSet) _characterSet = null;
        _replacements ??= [];
        var entry = new Entry { Tag = tag, VR = vr, Offset = _replacements.Count, Length = length, Flags = EntryFlags.Changed };
        _replacements.Add(replacement);
        int index = Find(tag);
        if (index >= 0)
        {
            // A walk may be under way over this array.
            _entries = _entries.AsSpan(0, _count).ToArray();
            _entries[index] = entry;
            return;
        }
        index = ~index;
        // Appending in order, the usual way to build a data set, stays cheap; a walk that began earlier does not see behind its count.
        if (index == _count && _count < _entries.Length)
        {
            _entries[_count++] = entry;
            return;
        }
        Entry[] entries = new Entry[Math.Max(16, _count + _count / 2 + 1)];
        _entries.AsSpan(0, index).CopyTo(entries);
        entries[index] = entry;
        _entries.AsSpan(index, _count - index).CopyTo(entries.AsSpan(index + 1));
        _entries = entries;
        _count++;
    }

    private VR VROf(Tag tag)
    {
        int index = Find(tag);
        if (index >= 0 && new DataElement(this, _entries[index]).VR is not VR.UN and VR there) return there;
        if (!tag.IsPrivate) return VRResolution.OfStandard(this, tag);
        if (tag.IsPrivateCreator) return VR.LO;
        return GetString(tag.PrivateCreatorTag) is { } creator ? DataDictionary.GetPrivateVR(tag, creator) : VR.UN;
    }

    private byte[] EncodeText(string text, VR vr)
    {
        if (!vr.UsesSpecificCharacterSet() || Ascii.IsValid(text)) return Latin1(text);
        if (CharacterSet.TryEncode(text, vr, out byte[] bytes)) return bytes;
        return CharacterSet.TryEncode(string.Concat(text.Select(c => c < 0x80 ? c : '?')), vr, out bytes) ? bytes : Latin1(text);
    }

    private static byte[] Latin1(string text) => System.Text.Encoding.Latin1.GetBytes(text);

    private static byte[] Pad(byte[] bytes, VR vr)
    {
        if ((bytes.Length & 1) == 0) return bytes;
        Array.Resize(ref bytes, bytes.Length + 1);
        bytes[^1] = vr.Padding();
        return bytes;
    }

    private void WriteNumber(Span<byte> to, VR vr, string text)
    {
        bool big = (Mode & Mode.Big) != 0;
        CultureInfo invariant = CultureInfo.InvariantCulture;
        try
        {
            switch (vr)
            {
                case VR.US: Write16(to, ushort.Parse(text, invariant), big); break;
                case VR.SS: Write16(to, (ushort)short.Parse(text, invariant), big); break;
                case VR.UL: Write32(to, uint.Parse(text, invariant), big); break;
                case VR.SL: Write32(to, (uint)int.Parse(text, invariant), big); break;
                case VR.UV: Write64(to, ulong.Parse(text, invariant), big); break;
                case VR.SV: Write64(to, (ulong)long.Parse(text, invariant), big); break;
                case VR.FL: Write32(to, BitConverter.SingleToUInt32Bits(float.Parse(text, invariant)), big); break;
                case VR.FD: Write64(to, BitConverter.DoubleToUInt64Bits(double.Parse(text, invariant)), big); break;
                default:
                    if (!Tag.TryParse(text, out Tag tag)) throw new FormatException("not a tag");
                    Write16(to, tag.Group, big);
                    Write16(to[2..], tag.Element, big);
                    break;
            }
        }
        catch (Exception e) when (e is FormatException or OverflowException)
        {
            throw new ArgumentException($"not a value of VR {vr}", nameof(text), e);
        }
    }

    private static void Write16(Span<byte> to, ushort value, bool big) =>
        BinaryPrimitives.WriteUInt16LittleEndian(to, big ? BinaryPrimitives.ReverseEndianness(value) : value);

    private static void Write32(Span<byte> to, uint value, bool big) =>
        BinaryPrimitives.WriteUInt32LittleEndian(to, big ? BinaryPrimitives.ReverseEndianness(value) : value);

    private static void Write64(Span<byte> to, ulong value, bool big) =>
        BinaryPrimitives.WriteUInt64LittleEndian(to, big ? BinaryPrimitives.ReverseEndianness(value) : value);
}
