
namespace PacsCluster.Dicom;

/// <summary>One element, a view on its data set: good until the data set is changed.</summary>
public readonly struct DataElement
{
    private readonly DataSet _dataSet;
    private readonly Entry _entry;

    internal DataElement(DataSet dataSet, Entry entry)
    {
        _dataSet = dataSet;
        _entry = entry;
    }

    /// <summary>Tag.</summary>
    public Tag Tag => _entry.Tag;

    /// <summary>VR as it stands in the data set; in implicit VR from the dictionary, where PS3.6 leaves a choice resolved by Bits Allocated and Pixel
    /// Representation, UN when unknown.</summary>
    public VR VR => _entry.VR != VR.None ? _entry.VR : VRResolution.Resolve(_dataSet, _entry);

    /// <summary>As <see cref="VR"/>, but a UN whose tag (or private creator) the dictionary knows has the VR that it should have (C-105), and one that
    /// holds items is SQ.</summary>
    public VR EffectiveVR
    {
        get
        {
            VR vr = VR;
            return vr == VR.UN ? VRResolution.OfUnknown(_dataSet, _entry) : vr;
        }
    }

    /// <summary>Value bytes in the data set's encoding; for a sequence or encapsulated pixel data the bytes of its items. A UN value is in little
    /// endian whatever the encoding (PS3.5 section 6.2.2).</summary>
    public ReadOnlyMemory<byte> RawValue => _dataSet.ValueOf(_entry);

    /// <summary>Value bytes in little endian, as PS3.18 wants bulk data: <see cref="RawValue"/> itself, or a swapped copy of big endian numbers.</summary>
    public ReadOnlyMemory<byte> LittleEndianValue
    {
        get
        {
            ReadOnlyMemory<byte> raw = RawValue;
            if (!IsBigEndian) return raw;
            int word = VR.WordLength();
            if (word == 1) return raw;
            byte[] swapped = raw.ToArray();
            WordSwap.InPlace(swapped, word);
            return swapped;
        }
    }

    /// <summary>The length was undefined: a sequence that ends with a delimiter, or encapsulated pixel data.</summary>
    public bool HasUndefinedLength => _entry.Is(EntryFlags.Undefined);

    /// <summary>Zero length.</summary>
    public bool IsEmpty => _entry.Is(EntryFlags.Changed) ? RawValue.IsEmpty : _entry.Length == 0;

    /// <summary>All values as trimmed text (numbers formatted, AT as 8 hex digits). Empty for bulk binary, sequences and UN that the dictionary does not
    /// know.</summary>
    public string[] GetStrings() => ValueText.Strings(_dataSet, EffectiveVR, RawValue.Span, IsBigEndian);

    /// <summary>Items of a sequence, also of a UN that is one; empty for everything else.</summary>
    public IReadOnlyList<DataSet> Items => _dataSet.GetItems(Tag);

    internal bool IsBigEndian => (_dataSet.Mode & Mode.Big) != 0 && _entry.VR != VR.UN;

    internal Entry Entry => _entry;

    /// <summary>Tag and VR; never the value.</summary>
    public override string ToString() => $"{Tag} {VR}";
}
