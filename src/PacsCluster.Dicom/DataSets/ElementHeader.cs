using System.Buffers.Binary;
using System.Runtime.CompilerServices;

namespace PacsCluster.Dicom;

/// <summary>The two choices that decide how a data set's bytes are read (PS3.5 section 7.1 and 7.3).</summary>
[Flags]
internal enum Mode : byte
{
    ImplicitLittle = 0,
    Explicit = 1,
    Big = 2,
}

/// <summary>The bytes in front of a value: tag, VR where it stands there, length (PS3.5 section 7.1.2 and 7.1.3).</summary>
internal readonly struct ElementHeader
{
    public const uint Undefined = 0xFFFFFFFF;
    public const uint ItemTag = 0xFFFEE000;
    public const uint ItemDelimiterTag = 0xFFFEE00D;
    public const uint SequenceDelimiterTag = 0xFFFEE0DD;
    public const uint PixelDataTag = 0x7FE00010;

    public ElementHeader(Tag tag, VR vr, uint length, int size)
    {
        Tag = tag;
        VR = vr;
        Length = length;
        Size = (byte)size;
    }

    public readonly Tag Tag;

    /// <summary>None when no VR stands there: items, implicit VR, and elements that a writer slipped in implicitly.</summary>
    public readonly VR VR;

    public readonly uint Length;

    /// <summary>8 or 12 bytes.</summary>
    public readonly byte Size;

    public bool IsUndefined => Length == Undefined;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Tag ReadTag(ReadOnlySpan<byte> at, Mode mode) => (mode & Mode.Big) == 0
        ? new Tag(SwapHalves(BinaryPrimitives.ReadUInt32LittleEndian(at)))
        : new Tag(BinaryPrimitives.ReadUInt32BigEndian(at));

    // Little endian tags are two little endian 16-bit numbers, group first.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint SwapHalves(uint value) => (value << 16) | (value >> 16);

    public static uint ReadUInt32(ReadOnlySpan<byte> at, Mode mode) => (mode & Mode.Big) == 0
        ? BinaryPrimitives.ReadUInt32LittleEndian(at)
        : BinaryPrimitives.ReadUInt32BigEndian(at);

    public static ushort ReadUInt16(ReadOnlySpan<byte> at, Mode mode) => (mode & Mode.Big) == 0
        ? BinaryPrimitives.ReadUInt16LittleEndian(at)
        : BinaryPrimitives.ReadUInt16BigEndian(at);

    /// <summary>Reads a header; false when there are too few bytes (8 are always enough to learn that 12 are needed).</summary>
    public static bool TryRead(ReadOnlySpan<byte> at, Mode mode, out ElementHeader header)
    {
        header = default;
        if (at.Length < 8) return false;
        Tag tag = ReadTag(at, mode);
        if ((mode & Mode.Explicit) == 0 || tag.Group == 0xFFFE)
        {
            header = new ElementHeader(tag, VR.None, ReadUInt32(at[4..], mode), 8);
            return true;
        }
        VR vr = VRs.FromBytes(at[4], at[5]);
        if (vr == VR.None) return TryReadOddVR(at, mode, tag, out header);
        if (!vr.HasLongLength())
        {
            header = new ElementHeader(tag, vr, ReadUInt16(at[6..], mode), 8);
            return true;
        }
        if (at.Length < 12) return false;
        header = new ElementHeader(tag, vr, ReadUInt32(at[8..], mode), 12);
        return true;
    }

    /// <summary>No VR of the standard stands there. Two letters are a VR to come, with a long length (PS3.5 section 6.2.2 promises that form), unless
    /// the reserved bytes are in use. Else the writer left the VR out (then these four bytes are a length), or wrote nonsense before a short one.</summary>
    private static bool TryReadOddVR(ReadOnlySpan<byte> at, Mode mode, Tag tag, out ElementHeader header)
    {
        header = default;
        ushort shortLength = ReadUInt16(at[6..], mode);
        bool letters = at[4] is >= (byte)'A' and <= (byte)'Z' && at[5] is >= (byte)'A' and <= (byte)'Z';
        if (letters)
        {
            if (shortLength != 0)
            {
                header = new ElementHeader(tag, VR.UN, shortLength, 8);
                return true;
            }
            if (at.Length < 12) return false;
            header = new ElementHeader(tag, VR.UN, ReadUInt32(at[8..], mode), 12);
            return true;
        }
        uint length = ReadUInt32(at[4..], mode);
        bool implicitVR = length == Undefined || length < 0x10000 || (tag.Value == PixelDataTag && (length & 1) == 0);
        header = implicitVR ? new ElementHeader(tag, VR.None, length, 8) : new ElementHeader(tag, VR.UN, shortLength, 8);
        return true;
    }

    /// <summary>How the elements of an item are really encoded, told by its first 8 bytes. Writers put implicit items into explicit data sets, and
    /// explicit ones into UN of undefined length, which should be implicit (PS3.5 section 6.2.2 note 4).</summary>
    public static Mode ModeOfItem(ReadOnlySpan<byte> firstElement, Mode expected, bool insideUnknown)
    {
        if (firstElement.Length < 8 || ReadTag(firstElement, expected).Group == 0xFFFE) return expected;
        bool known = VRs.FromBytes(firstElement[4], firstElement[5]) != VR.None;
        if ((expected & Mode.Explicit) == 0) return insideUnknown && known ? expected | Mode.Explicit : expected;
        if (known) return expected;
        uint length = ReadUInt32(firstElement[4..], expected);
        return length == Undefined || length < 0x10000 ? expected & ~Mode.Explicit : expected;
    }
}
