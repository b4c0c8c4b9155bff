using System.Buffers.Binary;

namespace PacsCluster.Dicom;

/// <summary>One item of a sequence's value: where its content lies.</summary>
internal readonly record struct ItemSpan(int Offset, int Length, bool Undefined);

/// <summary>Items inside a sequence's value (PS3.5 section 7.5).</summary>
internal static class Sequences
{
    /// <summary>Whether a value can be read as items: the first header is an item of a length that fits. Cheap, for values that do not say.</summary>
    public static bool LooksLikeItems(ReadOnlySpan<byte> value)
    {
        if (value.Length < 8 || BinaryPrimitives.ReadUInt32LittleEndian(value) != 0xE000FFFE) return false;
        uint length = BinaryPrimitives.ReadUInt32LittleEndian(value[4..]);
        return length == ElementHeader.Undefined || length <= (uint)(value.Length - 8);
    }

    /// <summary>Lists the items. A value that stops being items ends the list: what stands behind is kept in the bytes, nobody can read it.</summary>
    public static List<ItemSpan> Split(ReadOnlySpan<byte> value, Mode mode, bool unknown, int levelsLeft)
    {
        var items = new List<ItemSpan>();
        int at = 0;
        while (value.Length - at >= 8)
        {
            Tag tag = ElementHeader.ReadTag(value[at..], mode);
            uint length = ElementHeader.ReadUInt32(value[(at + 4)..], mode);
            if (tag.Value == ElementHeader.SequenceDelimiterTag) break;
            at += 8;
            if (tag.Value == ElementHeader.ItemDelimiterTag) continue;
            if (tag.Value != ElementHeader.ItemTag) break;
            if (length != ElementHeader.Undefined)
            {
                int fits = (int)Math.Min(length, (uint)(value.Length - at));
                items.Add(new ItemSpan(at, fits, false));
                at += fits;
                continue;
            }
            var nesting = new Nesting(levelsLeft);
            nesting.OpenItem(mode, unknown, modeKnown: false);
            int end = nesting.Skip(value, at, out int contentEnd);
            items.Add(new ItemSpan(at, contentEnd - at, true));
            if (end < 0) break;
            // An item may be ended by the sequence's delimiter or by the next item, when its own was forgotten.
            bool own = end - contentEnd == 8 && ElementHeader.ReadTag(value[contentEnd..], mode).Value == ElementHeader.ItemDelimiterTag;
            at = own ? end : contentEnd;
        }
        return items;
    }
}
