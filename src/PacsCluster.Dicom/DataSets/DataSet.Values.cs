using System.Globalization;

namespace PacsCluster.Dicom;

public sealed partial class DataSet
{
    /// <summary>First value as trimmed text; null when absent or empty.</summary>
    public string? GetString(Tag tag) => TryGet(tag, out DataElement element)
        ? ValueText.First(this, element.EffectiveVR, element.RawValue.Span, element.IsBigEndian)
        : null;

    /// <summary>All values as trimmed text; empty array when absent or empty.</summary>
    public string[] GetStrings(Tag tag) => TryGet(tag, out DataElement element) ? element.GetStrings() : [];

    /// <summary>First value as a number, from IS, US, SS, UL, SL, UV, SV (and DS without fraction); null when absent, empty or not a number.</summary>
    public long? GetInt64(Tag tag)
    {
        if (!TryGet(tag, out DataElement element)) return null;
        VR vr = element.EffectiveVR;
        ReadOnlySpan<byte> value = element.RawValue.Span;
        if (vr is VR.IS or VR.DS or VR.LO or VR.SH or VR.CS)
        {
            ReadOnlySpan<byte> text = FirstText(value);
            if (long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long number)) return number;
            // "512.0" stands in some IS.
            return double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double fraction)
                && Math.Abs(fraction) < 9e15 && fraction == Math.Truncate(fraction) ? (long)fraction : null;
        }
        if (vr is not (VR.US or VR.SS or VR.UL or VR.SL or VR.UV or VR.SV) || value.Length < ValueText.SizeOf(vr)) return null;
        long integer = ValueText.Integer(vr, value, element.IsBigEndian);
        return vr == VR.UV && integer < 0 ? null : integer;
    }

    /// <summary>As <see cref="GetInt64"/>, null also out of range.</summary>
    public int? GetInt32(Tag tag) => GetInt64(tag) is >= int.MinValue and <= int.MaxValue and long value ? (int)value : null;

    /// <summary>First value as a number, from DS, FL, FD or an integer VR; null when absent, empty or not a number.</summary>
    public double? GetDouble(Tag tag)
    {
        if (!TryGet(tag, out DataElement element)) return null;
        VR vr = element.EffectiveVR;
        ReadOnlySpan<byte> value = element.RawValue.Span;
        if (vr is VR.DS or VR.IS)
        {
            return double.TryParse(FirstText(value), NumberStyles.Float, CultureInfo.InvariantCulture, out double number) ? number : null;
        }
        if (vr is not (VR.FL or VR.FD)) return GetInt64(tag);
        return value.Length < ValueText.SizeOf(vr) ? null : ValueText.Floating(vr, value, element.IsBigEndian);
    }

    private static ReadOnlySpan<byte> FirstText(ReadOnlySpan<byte> value)
    {
        int end = value.IndexOf((byte)'\\');
        return (end < 0 ? value : value[..end]).Trim(" \0"u8);
    }

    /// <summary>Items of a sequence; empty when absent or no sequence. Also UN that is a sequence, of undefined length (C-105) or of defined length
    /// (C-38). Items stay the same objects, so that changing one changes this data set.</summary>
    /// <remarks>Inside a sequence, what cannot be read ends the item it stands in: the rest of the instance is sound.</remarks>
    /// <exception cref="DicomFormatException">Nested deeper than <see cref="ReadOptions.DepthMax"/>.</exception>
    public IReadOnlyList<DataSet> GetItems(Tag tag)
    {
        int index = Find(tag);
        if (index < 0) return [];
        if (_items is not null && _items.TryGetValue(tag, out DataSet[]? known)) return known;
        Entry entry = _entries[index];
        if (entry.Is(EntryFlags.Changed) && _replacements![entry.Offset].Items is { } set) return set;
        var element = new DataElement(this, entry);
        if (entry.VR != VR.SQ && element.EffectiveVR != VR.SQ) return [];
        DataSet[] items = ParseItems(entry);
        (_items ??= [])[tag] = items;
        return items;
    }

    private DataSet[] ParseItems(in Entry entry)
    {
        ReadOnlyMemory<byte> value = ValueOf(entry);
        if (value.IsEmpty) return [];
        if (_levelsLeft <= 0) throw new DicomFormatException("sequences are nested too deep", -1, entry.Tag);
        bool unknown = entry.VR == VR.UN;
        Mode mode = unknown ? Mode.ImplicitLittle : Mode;
        List<ItemSpan> spans = Sequences.Split(value.Span, mode, unknown, _levelsLeft - 1);
        var items = new DataSet[spans.Count];
        for (int i = 0; i < items.Length; i++)
        {
            ItemSpan span = spans[i];
            ReadOnlyMemory<byte> content = value.Slice(span.Offset, span.Length);
            Mode own = ElementHeader.ModeOfItem(content.Span, mode, unknown);
            items[i] = new DataSet(content, EncodingOf(own), own, _levelsLeft - 1, this, span.Undefined);
        }
        return items;
    }

    private TransferSyntax EncodingOf(Mode mode)
    {
        if (mode == Mode) return Encoding;
        if ((mode & Mode.Explicit) == 0) return TransferSyntax.ImplicitVRLittleEndian;
        return (mode & Mode.Big) != 0 ? TransferSyntax.ExplicitVRBigEndian : TransferSyntax.ExplicitVRLittleEndian;
    }
}
