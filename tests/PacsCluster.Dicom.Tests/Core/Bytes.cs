using System.Text;

namespace PacsCluster.Dicom.Tests.Core;

/// <summary>Writes data sets byte by byte, wrong ones too.</summary>
internal sealed class Bytes(bool explicitVR = true, bool big = false)
{
    private readonly List<byte> _bytes = [];

    public byte[] ToArray() => [.. _bytes];

    public Bytes U16(int value)
    {
        byte low = (byte)value, high = (byte)(value >> 8);
        _bytes.AddRange(big ? [high, low] : [low, high]);
        return this;
    }

    public Bytes U32(uint value) => big ? U16((int)(value >> 16)).U16((int)(value & 0xFFFF)) : U16((int)(value & 0xFFFF)).U16((int)(value >> 16));

    public Bytes Raw(params byte[] bytes)
    {
        _bytes.AddRange(bytes);
        return this;
    }

    public Bytes Text(string text) => Raw(Encoding.Latin1.GetBytes(text));

    public Bytes Tag(uint tag) => U16((int)(tag >> 16)).U16((int)(tag & 0xFFFF));

    /// <summary>Tag, VR and length.</summary>
    public Bytes Header(uint tag, string vr, uint length)
    {
        Tag(tag);
        if (!explicitVR) return U32(length);
        Text(vr);
        return VRs.FromBytes((byte)vr[0], (byte)vr[1]).HasLongLength() ? U16(0).U32(length) : U16((int)length);
    }

    public Bytes Element(uint tag, string vr, byte[] value) => Header(tag, vr, (uint)value.Length).Raw(value);

    public Bytes Element(uint tag, string vr, string value) => Element(tag, vr, Encoding.Latin1.GetBytes(value));

    public Bytes US(uint tag, int value) => Element(tag, "US", new Bytes(big: big).U16(value).ToArray());

    public Bytes Item(uint length = 0xFFFFFFFF) => Tag(0xFFFEE000).U32(length);

    public Bytes ItemEnd() => Tag(0xFFFEE00D).U32(0);

    public Bytes SequenceEnd() => Tag(0xFFFEE0DD).U32(0);
}
