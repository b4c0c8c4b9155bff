namespace PacsCluster.Dicom;

/// <summary>The VR of elements that do not say it themselves.</summary>
internal static class VRResolution
{
    /// <summary>An element without VR in the data set.</summary>
    public static VR Resolve(DataSet dataSet, in Entry entry)
    {
        VR vr = entry.Tag.IsPrivate && !entry.Tag.IsGroupLength && !entry.Tag.IsPrivateCreator
            ? OfPrivate(dataSet, entry.Tag)
            : OfStandard(dataSet, entry.Tag);
        // Only sequences and encapsulated pixel data have an undefined length.
        if (vr != VR.SQ && entry.Is(EntryFlags.Undefined) && entry.Tag != Tags.PixelData) return VR.SQ;
        return vr;
    }

    /// <summary>An element that says UN: what it is if somebody knows.</summary>
    public static VR OfUnknown(DataSet dataSet, in Entry entry)
    {
        if (entry.Is(EntryFlags.Undefined)) return VR.SQ;
        VR vr = entry.Tag.IsPrivate && !entry.Tag.IsPrivateCreator ? OfPrivate(dataSet, entry.Tag) : OfStandard(dataSet, entry.Tag);
        if (vr == VR.UN && Sequences.LooksLikeItems(dataSet.ValueOf(entry).Span)) return VR.SQ;
        return vr;
    }

    private static VR OfPrivate(DataSet dataSet, Tag tag)
    {
        string? creator = tag.Element >= 0x1000 ? dataSet.GetString(tag.PrivateCreatorTag) : null;
        return creator is null ? VR.UN : DataDictionary.GetPrivateVR(tag, creator);
    }

    public static VR OfStandard(DataSet dataSet, Tag tag)
    {
        VR vr = DataDictionary.GetVR(tag);
        if (vr is not (VR.OB or VR.OW or VR.US or VR.SS)) return vr;
        // Implicit VR Little Endian holds Pixel Data and Overlay Data as OW whatever their depth (PS3.5 section A.1).
        if (tag == Tags.PixelData || (tag.Group & 0xFF01) == 0x6000 && tag.Element == 0x3000) return VR.OW;
        if (!DataDictionary.TryGet(tag, out DictionaryEntry entry) || entry.AlternativeVR == VR.None) return vr;
        if (entry.VR is VR.OB or VR.OW && entry.AlternativeVR is VR.OB or VR.OW)
        {
            Tag bits = tag.Group == 0x5400 ? Tags.WaveformBitsAllocated : Tags.BitsAllocated;
            return Inherited(dataSet, bits) is > 8 ? VR.OW : VR.OB;
        }
        if (entry.VR is VR.US or VR.SS && entry.AlternativeVR is VR.US or VR.SS)
        {
            return Inherited(dataSet, Tags.PixelRepresentation) == 1 ? VR.SS : VR.US;
        }
        return vr;
    }

    // Items of, say, a LUT sequence do not repeat what the image around them says.
    private static int? Inherited(DataSet? dataSet, Tag tag)
    {
        for (; dataSet is not null; dataSet = dataSet.Parent)
        {
            if (dataSet.GetInt32(tag) is { } value) return value;
        }
        return null;
    }
}
