namespace PacsCluster.Dicom;

/// <summary>How a data set is encoded (PS3.5 section 10 and annex A). Instances are unique per UID: compare by reference.</summary>
public sealed class TransferSyntax
{
    private TransferSyntax(string uid, bool explicitVR = true, bool bigEndian = false, bool deflated = false, bool encapsulated = true)
    {
        Uid = uid;
        IsExplicitVR = explicitVR;
        IsBigEndian = bigEndian;
        IsDeflated = deflated;
        IsEncapsulated = encapsulated;
    }

    /// <summary>Implicit VR Little Endian, the default of DICOM.</summary>
    public static TransferSyntax ImplicitVRLittleEndian { get; } = new("1.2.840.10008.1.2", explicitVR: false, encapsulated: false);

    /// <summary>Explicit VR Little Endian.</summary>
    public static TransferSyntax ExplicitVRLittleEndian { get; } = new("1.2.840.10008.1.2.1", encapsulated: false);

    /// <summary>Explicit VR Big Endian (retired).</summary>
    public static TransferSyntax ExplicitVRBigEndian { get; } = new("1.2.840.10008.1.2.2", bigEndian: true, encapsulated: false);

    /// <summary>Deflated Explicit VR Little Endian.</summary>
    public static TransferSyntax DeflatedExplicitVRLittleEndian { get; } = new("1.2.840.10008.1.2.1.99", deflated: true, encapsulated: false);

    private static readonly Dictionary<string, TransferSyntax> s_wellKnown = new(StringComparer.Ordinal)
    {
        [ImplicitVRLittleEndian.Uid] = ImplicitVRLittleEndian,
        [ExplicitVRLittleEndian.Uid] = ExplicitVRLittleEndian,
        [ExplicitVRBigEndian.Uid] = ExplicitVRBigEndian,
        [DeflatedExplicitVRLittleEndian.Uid] = DeflatedExplicitVRLittleEndian,
        // JPIP references with a deflated data set: no pixels to convert, but another meaning than a native image, so they count as encapsulated.
        ["1.2.840.10008.1.2.4.95"] = new("1.2.840.10008.1.2.4.95", deflated: true),
        ["1.2.840.10008.1.2.4.205"] = new("1.2.840.10008.1.2.4.205", deflated: true),
    };

    private static readonly System.Collections.Concurrent.ConcurrentDictionary<string, TransferSyntax> s_encapsulated = new(StringComparer.Ordinal);

    /// <summary>The UID, without padding.</summary>
    public string Uid { get; }

    /// <summary>VRs stand in the data set.</summary>
    public bool IsExplicitVR { get; }

    /// <summary>Numbers are big endian.</summary>
    public bool IsBigEndian { get; }

    /// <summary>The data set after the File Meta Information is a raw deflate stream (RFC 1951).</summary>
    public bool IsDeflated { get; }

    /// <summary>Pixel Data is encapsulated (PS3.5 annex A.4); the data set around it is Explicit VR Little Endian.</summary>
    public bool IsEncapsulated { get; }

    /// <summary>The transfer syntax of a UID. A UID that is not one of the uncompressed or deflated ones is taken for an encapsulated
    /// one, because every other transfer syntax of the standard, and every private one we know of, is.</summary>
    public static TransferSyntax FromUid(string uid)
    {
        uid = uid.TrimEnd('\0', ' ').TrimStart(' ');
        if (s_wellKnown.TryGetValue(uid, out TransferSyntax? known)) return known;
        // Peers choose these strings, so the table of seen ones is bounded; past that, equal UIDs are still equal by Uid.
        if (s_encapsulated.TryGetValue(uid, out TransferSyntax? seen)) return seen;
        var made = new TransferSyntax(uid);
        return s_encapsulated.Count < 1024 ? s_encapsulated.GetOrAdd(uid, made) : made;
    }

    /// <inheritdoc/>
    public override string ToString() => Uid;
}
