using PacsCluster.Dicom;

namespace PacsCluster.Engine;

/// <summary>What became of an instance. Each door maps these to its statuses in one table (PS3.4 table B.2-1, PS3.18 table 10.5.3-1).</summary>
public enum StoreOutcomeKind
{
    /// <summary>Durable and in the catalog. DIMSE: 0000, or the warning of <see cref="StoreOutcome.Warning"/>.</summary>
    Stored,
    /// <summary>The same SOP Instance with the same data set was there before; nothing is stored twice (C-32). DIMSE: 0000.</summary>
    Duplicate,
    /// <summary>The SOP Instance was there with another data set, and policy let the newcomer take its place. DIMSE: 0000 with the comment.</summary>
    Replaced,
    /// <summary>Durable and kept aside in quarantine, for a person to decide; never found by queries until then. DIMSE: 0000 with the comment.</summary>
    Quarantined,
    /// <summary>No space, or catalog or blob store out of reach; nothing of the instance is kept. The sender may try again. DIMSE: A700.</summary>
    OutOfResources,
    /// <summary>The data set names another SOP Class or SOP Instance than the request, and policy refuses that. DIMSE: A900.</summary>
    DataSetMismatch,
    /// <summary>The bytes are no data set, end early, or lack a UID and policy refuses that. DIMSE: C000.</summary>
    CannotUnderstand,
    /// <summary>The SOP Instance UID is taken, by other content or in another series or study, and policy refuses. DIMSE: 0111.</summary>
    RefusedDuplicate,
    /// <summary>Policy refuses for another reason: another patient in a known study, no Patient ID. DIMSE: 0124.</summary>
    RefusedByPolicy,
    /// <summary>Something failed that no policy foresaw; nothing of the instance is kept and the log has the reason. DIMSE: 0110.</summary>
    Failed,
}

/// <summary>Warnings that go with <see cref="StoreOutcomeKind.Stored"/> (PS3.4 table B.2-1).</summary>
public enum StoreWarning
{
    /// <summary>None.</summary>
    None,
    /// <summary>Coercion of data elements: B000.</summary>
    Coerced,
    /// <summary>Elements discarded: B006.</summary>
    ElementsDiscarded,
    /// <summary>The data set does not match the SOP Class or SOP Instance of the request: B007.</summary>
    DoesNotMatchSopClass,
}

/// <summary>The answer to one store: a value, never an exception.</summary>
public sealed record StoreOutcome
{
    /// <summary>What became of it.</summary>
    public required StoreOutcomeKind Kind { get; init; }

    /// <summary>Warning, with <see cref="StoreOutcomeKind.Stored"/> and <see cref="StoreOutcomeKind.Replaced"/> only.</summary>
    public StoreWarning Warning { get; init; }

    /// <summary>Error Comment (0000,0902): at most 64 characters of ASCII, without any value of the data set; null for none (C-31).</summary>
    public string? Comment { get; init; }

    /// <summary>Offending Element (0000,0901), or null.</summary>
    public Tag? Offending { get; init; }

    /// <summary>SOP Class UID of the data set; of the request when the data set has none; null when neither has.</summary>
    public string? SopClassUid { get; init; }

    /// <summary>SOP Instance UID of the data set; of the request when the data set has none; null when neither has.</summary>
    public string? SopInstanceUid { get; init; }

    /// <summary>Study Instance UID of the data set, or null.</summary>
    public string? StudyInstanceUid { get; init; }

    /// <summary>Series Instance UID of the data set, or null.</summary>
    public string? SeriesInstanceUid { get; init; }

    /// <summary>The instance is durable here, in the study or in quarantine: the sender may forget it.</summary>
    public bool IsSuccess => Kind is StoreOutcomeKind.Stored or StoreOutcomeKind.Duplicate or StoreOutcomeKind.Replaced or StoreOutcomeKind.Quarantined;
}
