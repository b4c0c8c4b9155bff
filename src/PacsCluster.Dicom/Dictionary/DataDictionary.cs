using System.Text;

namespace PacsCluster.Dicom;

/// <summary>PS3.6: what is known of a tag.</summary>
/// <param name="Keyword">Keyword, e.g. PatientID.</param>
/// <param name="VR">VR; where PS3.6 gives several (OB or OW, US or SS) the first in that order.</param>
/// <param name="VM">Value multiplicity as in PS3.6, e.g. 1-n.</param>
/// <param name="AlternativeVR">The second of several VRs, or None.</param>
/// <param name="IsRetired">PS3.6 no longer defines it.</param>
public readonly record struct DictionaryEntry(string Keyword, VR VR, string VM, VR AlternativeVR, bool IsRetired = false);

/// <summary>The data dictionary of PS3.6 and of private creators. All members are thread-safe; looking up VRs allocates nothing.</summary>
public static class DataDictionary
{
    /// <summary>VR of a tag as Implicit VR means it: of a standard element (repeating groups understood), UL for a group length, LO for a private
    /// creator, UN when unknown or private, None for items and delimiters. Where PS3.6 gives several VRs, the one of PS3.5 annex A.1 for Implicit VR:
    /// OW for OB or OW and for US or OW; US for US or SS, which only Pixel Representation (0028,0103) can decide.</summary>
    public static VR GetVR(Tag tag)
    {
        int at = IndexOf(tag);
        if (at >= 0) return ElementTable.Kinds[ElementTable.KindOf[at]].Implicit;
        if (tag.IsGroupLength) return VR.UL;
        return tag.IsPrivateCreator ? VR.LO : VR.UN;
    }

    /// <summary>VR of a private element; UN when unknown.</summary>
    /// <param name="tag">Its tag; the block number may be any.</param>
    /// <param name="creator">Value of the private creator that reserved its block; spaces around it do not matter.</param>
    public static VR GetPrivateVR(Tag tag, string creator)
    {
        if (tag.IsGroupLength) return VR.UL;
        if (tag.IsPrivateCreator) return VR.LO;
        int at = PrivateIndexOf(tag, creator);
        return at < 0 ? VR.UN : PrivateTable.Kinds[PrivateTable.KindOf[at]].Implicit;
    }

    /// <summary>Entry of a standard tag; of a repeating group for each of its tags. Group lengths and private elements have none, but for the command group length and File Meta Information group length.</summary>
    public static bool TryGet(Tag tag, out DictionaryEntry entry)
    {
        int at = IndexOf(tag);
        if (at < 0)
        {
            entry = default;
            return false;
        }
        (VR first, VR second, _, string vm, bool retired) = ElementTable.Kinds[ElementTable.KindOf[at]];
        entry = new DictionaryEntry(KeywordAt(at), first, vm, second, retired);
        return true;
    }

    /// <summary>Tag of a keyword (case matters, as in PS3.6); a repeating group gives its first tag.</summary>
    public static bool TryGetTag(string keyword, out Tag tag)
    {
        ReadOnlySpan<ushort> order = ElementTable.ByKeyword;
        int low = 0, high = order.Length - 1;
        while (low <= high)
        {
            int middle = (low + high) >>> 1;
            int comparison = Compare(KeywordBytesAt(order[middle]), keyword);
            if (comparison == 0)
            {
                tag = new Tag(ElementTable.Tags[order[middle]]);
                return true;
            }
            if (comparison < 0) low = middle + 1;
            else high = middle - 1;
        }
        tag = default;
        return false;
    }

    /// <summary>Every standard tag, ascending; a repeating group as its first tag.</summary>
    internal static ReadOnlySpan<uint> AllTags => ElementTable.Tags;

    /// <summary>Creators of the private dictionary, in ordinal order.</summary>
    internal static IReadOnlyList<string> PrivateCreators => PrivateTable.Creators;

    private static int IndexOf(Tag tag)
    {
        int at = Search(ElementTable.Tags, tag.Value);
        if (at >= 0) return at;
        uint first = FirstOfRepeating(tag.Value);
        return first == tag.Value ? -1 : Search(ElementTable.Tags, first);
    }

    /// <summary>The tag under which the table has a repeating group or a repeating element (PS3.6 writes them with x).</summary>
    private static uint FirstOfRepeating(uint tag) => (tag >> 16) switch
    {
        // (50xx,eeee), (60xx,eeee), (7Fxx,eeee), even groups
        var group when (group & 0xFF01) is 0x5000 or 0x6000 or 0x7F00 => tag & 0xFF00FFFF,
        // (0020,31xx)
        0x0020 when (tag & 0xFF00) == 0x3100 => 0x00203100,
        // (0028,04x0) to (0028,04x3), the table has x = 1; (0028,08x0) to (0028,08x8), the table has x = 0
        0x0028 when (tag & 0xFF00) == 0x0400 && (tag & 0x0F) <= 3 => (tag & 0xFFFFFF0F) | 0x10,
        0x0028 when (tag & 0xFF00) == 0x0800 => tag & 0xFFFFFF0F,
        // (1000,xxx0) to (1000,xxx5), the table has xxx = 001
        0x1000 when (tag & 0x0F) <= 5 => (tag & 0xFFFF000F) | 0x10,
        // (1010,xxxx)
        0x1010 => 0x10100004,
        _ => tag,
    };

    private static int PrivateIndexOf(Tag tag, string creator)
    {
        int found = tag.IsPrivate ? CreatorIndexOf(creator.AsSpan().Trim(" \0")) : -1;
        if (found < 0) return -1;
        ReadOnlySpan<uint> elements = PrivateTable.Elements.AsSpan(PrivateTable.StartOf[found]..PrivateTable.StartOf[found + 1]);
        uint block = tag.Value & 0xFFFF00FF;
        int at = Search(elements, block);
        if (at < 0) at = Search(elements, tag.Value);
        // Ranges of odd groups, such as (6001-o-60FF,"PAPYRUS 3.0",00), stand as their first group.
        if (at < 0 && tag.Group >= 0x5000) at = Search(elements, (block & 0xFF00FFFF) | 0x10000);
        return at < 0 ? -1 : at + PrivateTable.StartOf[found];
    }

    /// <summary>As MemoryExtensions.BinarySearch, which would box each number it compares.</summary>
    private static int Search(ReadOnlySpan<uint> ascending, uint value)
    {
        int low = 0, high = ascending.Length - 1;
        while (low <= high)
        {
            int middle = (low + high) >>> 1;
            uint found = ascending[middle];
            if (found == value) return middle;
            if (found < value) low = middle + 1;
            else high = middle - 1;
        }
        return -1;
    }

    private static int CreatorIndexOf(ReadOnlySpan<char> creator)
    {
        int low = 0, high = PrivateTable.Creators.Length - 1;
        while (low <= high)
        {
            int middle = (low + high) >>> 1;
            int comparison = PrivateTable.Creators[middle].AsSpan().SequenceCompareTo(creator);
            if (comparison == 0) return middle;
            if (comparison < 0) low = middle + 1;
            else high = middle - 1;
        }
        return -1;
    }

    private static ReadOnlySpan<byte> KeywordBytesAt(int index) =>
        ElementTable.Keywords[ElementTable.KeywordAt[index]..(ElementTable.KeywordAt[index + 1] - 1)];

    private static string KeywordAt(int index) => Encoding.ASCII.GetString(KeywordBytesAt(index));

    private static int Compare(ReadOnlySpan<byte> ascii, string text)
    {
        int common = Math.Min(ascii.Length, text.Length);
        for (int i = 0; i < common; i++)
        {
            if (ascii[i] != text[i]) return ascii[i] - text[i];
        }
        return ascii.Length - text.Length;
    }
}
