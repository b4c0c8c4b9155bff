using System.Globalization;

namespace PacsCluster.Dicom;

/// <summary>A Data Element Tag (PS3.5 section 7.1): group number in the high 16 bits, element number in the low 16.</summary>
/// <param name="Value">(gggg,eeee) as 0xGGGGEEEE. Tags order by this number.</param>
public readonly record struct Tag(uint Value) : IComparable<Tag>
{
    /// <summary>Makes a tag of its two 16-bit numbers.</summary>
    public Tag(ushort group, ushort element) : this(((uint)group << 16) | element) { }

    /// <summary>Group number.</summary>
    public ushort Group => (ushort)(Value >> 16);

    /// <summary>Element number.</summary>
    public ushort Element => (ushort)Value;

    /// <summary>Odd group: the meaning belongs to a private creator (PS3.5 section 7.8).</summary>
    public bool IsPrivate => (Value & 0x10000) != 0;

    /// <summary>(gggg,0010-00FF) of an odd group: the value reserves a block of 256 private elements.</summary>
    public bool IsPrivateCreator => IsPrivate && Element is >= 0x10 and <= 0xFF;

    /// <summary>(gggg,0000): retired everywhere but in groups 0000 and 0002.</summary>
    public bool IsGroupLength => Element == 0;

    /// <summary>The tag of the private creator that reserved this private element's block.</summary>
    public Tag PrivateCreatorTag => new(Group, (ushort)(Element >> 8));

    /// <inheritdoc/>
    public int CompareTo(Tag other) => Value.CompareTo(other.Value);

    /// <summary>Orders by number.</summary>
    public static bool operator <(Tag left, Tag right) => left.Value < right.Value;

    /// <summary>Orders by number.</summary>
    public static bool operator >(Tag left, Tag right) => left.Value > right.Value;

    /// <summary>Orders by number.</summary>
    public static bool operator <=(Tag left, Tag right) => left.Value <= right.Value;

    /// <summary>Orders by number.</summary>
    public static bool operator >=(Tag left, Tag right) => left.Value >= right.Value;

    /// <summary>The form used in texts: <c>(0010,0020)</c>.</summary>
    public override string ToString() => $"({Group:X4},{Element:X4})";

    /// <summary>The form used in the DICOM JSON Model and in URLs: <c>00100020</c>.</summary>
    public string ToHex() => Value.ToString("X8", CultureInfo.InvariantCulture);

    /// <summary>Reads <c>GGGGEEEE</c>, <c>GGGG,EEEE</c> or <c>(GGGG,EEEE)</c>.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out Tag tag)
    {
        tag = default;
        if (text.Length == 11 && text[0] == '(' && text[10] == ')') text = text[1..10];
        uint value;
        if (text.Length == 9 && text[4] == ',')
        {
            if (!ushort.TryParse(text[..4], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ushort group)
                || !ushort.TryParse(text[5..], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ushort element)) return false;
            value = ((uint)group << 16) | element;
        }
        else if (text.Length != 8 || !uint.TryParse(text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out value)) return false;
        tag = new Tag(value);
        return true;
    }
}
