namespace PacsCluster.Dicom;

/// <summary>PS3.6: what is known of a tag.</summary>
/// <param name="Keyword">Keyword, e.g. PatientID.</param>
/// <param name="VR">VR; where PS3.6 gives several (OB or OW, US or SS) the first in that order.</param>
/// <param name="VM">Value multiplicity as in PS3.6, e.g. 1-n.</param>
/// <param name="AlternativeVR">The second of several VRs, or None.</param>
public readonly record struct DictionaryEntry(string Keyword, VR VR, string VM, VR AlternativeVR);

/// <summary>The data dictionary of PS3.6 and of private creators.</summary>
public static class DataDictionary
{
    /// <summary>VR of a standard tag (repeating groups understood, group length UL, private creators LO); UN when unknown. Allocates nothing.</summary>
    public static VR GetVR(Tag tag) => throw new NotImplementedException();
    /// <summary>VR of a private element; UN when unknown.</summary>
    public static VR GetPrivateVR(Tag tag, string creator) => throw new NotImplementedException();
    /// <summary>Entry of a standard tag.</summary>
    public static bool TryGet(Tag tag, out DictionaryEntry entry) => throw new NotImplementedException();
    /// <summary>Tag of a keyword.</summary>
    public static bool TryGetTag(string keyword, out Tag tag) => throw new NotImplementedException();
}

/// <summary>What a UID of PS3.6 annex A names.</summary>
public enum UidKind
{
#pragma warning disable CS1591
    Unknown, TransferSyntax, StorageSopClass, SopClass, MetaSopClass, WellKnownSopInstance, ApplicationContext, CodingScheme, Other,
#pragma warning restore CS1591
}

/// <summary>The UIDs of PS3.6 annex A.</summary>
public static class UidDictionary
{
    /// <summary>Name and kind; false when unknown.</summary>
    public static bool TryGet(string uid, out string name, out UidKind kind) => throw new NotImplementedException();
    /// <summary>Every storage SOP class, retired ones too.</summary>
    public static IReadOnlyList<string> StorageSopClasses => throw new NotImplementedException();
    /// <summary>Every transfer syntax, retired ones too.</summary>
    public static IReadOnlyList<string> TransferSyntaxes => throw new NotImplementedException();
}
