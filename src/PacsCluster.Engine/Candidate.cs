using PacsCluster.Catalog;

namespace PacsCluster.Engine;

/// <summary>An instance whose blob is written and that waits for its commit: all that deciding and the rows need. Immutable.</summary>
internal sealed record Candidate
{
    /// <summary>(0008,0016), trimmed; empty when missing (then <see cref="QuarantineReason"/> is set).</summary>
    public required string SopClassUid { get; init; }
    /// <summary>(0008,0018), trimmed; empty when missing.</summary>
    public required string SopInstanceUid { get; init; }
    /// <summary>(0020,000D), trimmed; empty when missing.</summary>
    public required string StudyInstanceUid { get; init; }
    /// <summary>(0020,000E), trimmed; empty when missing.</summary>
    public required string SeriesInstanceUid { get; init; }
    /// <summary>Encoding of the data set.</summary>
    public required string TransferSyntaxUid { get; init; }
    /// <summary>Patient ID and issuer; null when missing.</summary>
    public required PatientIdentifier? Patient { get; init; }
    /// <summary>Other Patient IDs.</summary>
    public IReadOnlyList<PatientIdentifier> OtherPatients { get; init; } = [];
    /// <summary>Columns of the patient level.</summary>
    public required AttributeValues PatientAttributes { get; init; }
    /// <summary>Columns of the study level.</summary>
    public required AttributeValues StudyAttributes { get; init; }
    /// <summary>Columns of the series level.</summary>
    public required AttributeValues SeriesAttributes { get; init; }
    /// <summary>Columns of the image level.</summary>
    public required AttributeValues InstanceAttributes { get; init; }

    /// <summary>Key of the blob in the store.</summary>
    public required string StoreKey { get; init; }
    /// <summary>Bytes of the blob.</summary>
    public required long Length { get; init; }
    /// <summary>First byte of the data set in the blob.</summary>
    public required int DataSetOffset { get; init; }
    /// <summary>Of the whole blob; see <see cref="BlobDigest"/>.</summary>
    public required ReadOnlyMemory<byte> Digest { get; init; }
    /// <summary>The Pixel Data element's tag from the start of the data set, or -1.</summary>
    public long PixelDataOffset { get; init; } = -1;
    /// <summary>Attributes without bulk values.</summary>
    public required ReadOnlyMemory<byte> Header { get; init; }
    /// <summary>How <see cref="Header"/> is packed.</summary>
    public HeaderEncoding HeaderEncoding { get; init; }
    /// <summary>Frames and bulk values as <see cref="InstanceLayout"/> packs them.</summary>
    public ReadOnlyMemory<byte> Frames { get; init; }

    /// <summary>The sender's policy.</summary>
    public required StorePolicy Policy { get; init; }
    /// <summary>Who sent it: AE title, else network address.</summary>
    public required string Source { get; init; }
    /// <summary>When its last byte came.</summary>
    public required DateTimeOffset ReceivedAt { get; init; }
    /// <summary>Warning to answer with when it is stored.</summary>
    public StoreWarning Warning { get; init; }
    /// <summary>Comment to answer with when it is stored.</summary>
    public string? Comment { get; init; }
    /// <summary>Goes to quarantine whatever the study says, for this reason (a word of <see cref="Reasons"/>); null in general.</summary>
    public string? QuarantineReason { get; init; }
    /// <summary>What this one is released from (quarantine, a deletion), to be taken out in the same commit; null in general.</summary>
    public HeldInstance? ReleasedFrom { get; init; }

    /// <summary>Bytes that it holds in memory while it waits.</summary>
    public int HeldBytes => Header.Length + Frames.Length + 2048;
}

/// <summary>The engine's words in quarantine and reconciliation rows.</summary>
internal static class Reasons
{
    /// <summary>Quarantine: the SOP Instance is there with another data set.</summary>
    public const string OtherContent = "duplicate-other-content";
    /// <summary>Quarantine: it was there first and a newcomer took its place.</summary>
    public const string Replaced = "replaced-by-newcomer";
    /// <summary>Quarantine and conflict: the SOP Instance UID is known in another series or study.</summary>
    public const string UidClash = "uid-clash";
    /// <summary>Quarantine and conflict: the study is known for another patient.</summary>
    public const string OtherPatient = "other-patient";
    /// <summary>Conflict: same Patient ID, other name, birth date or sex.</summary>
    public const string PatientIdentity = "patient-identity";
    /// <summary>Quarantine: no Patient ID.</summary>
    public const string NoPatientId = "no-patient-id";
    /// <summary>Quarantine: a UID is missing or unusable.</summary>
    public const string MissingUid = "missing-uid";
    /// <summary>Quarantine: a UID breaks the standard.</summary>
    public const string BadUid = "bad-uid";
    /// <summary>Quarantine: the data set is not what the request said.</summary>
    public const string RequestMismatch = "request-mismatch";
}
