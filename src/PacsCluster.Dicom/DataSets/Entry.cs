namespace PacsCluster.Dicom;

/// <summary>Facts about an indexed element.</summary>
[Flags]
internal enum EntryFlags : byte
{
    None = 0,
    /// <summary>The length was undefined; Length is what was found.</summary>
    Undefined = 1,
    /// <summary>The closing delimiter is missing, or the value was cut at the end of its item.</summary>
    Cut = 2,
    /// <summary>Not in the buffer any more: Offset is the index of the replacement.</summary>
    Changed = 4,
}

/// <summary>One element of the index: 16 bytes, so that a CT header of 120 elements costs 2 KB and one allocation.</summary>
internal struct Entry
{
    public Tag Tag;
    /// <summary>Where the value starts in the buffer.</summary>
    public int Offset;
    /// <summary>Value bytes, without the delimiter of an undefined length.</summary>
    public int Length;
    /// <summary>As it stands in the data set; None where the dictionary says it.</summary>
    public VR VR;
    /// <summary>Bytes of tag, VR and length.</summary>
    public byte HeaderSize;
    public EntryFlags Flags;

    public readonly bool Is(EntryFlags flag) => (Flags & flag) != 0;
    public readonly int Start => Offset - HeaderSize;
    public readonly int End => Offset + Length + (Is(EntryFlags.Undefined) && !Is(EntryFlags.Cut) ? 8 : 0);
}
