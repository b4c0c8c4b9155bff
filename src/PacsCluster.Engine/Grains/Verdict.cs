using PacsCluster.Catalog;
using PacsCluster.Dicom;

namespace PacsCluster.Engine;

/// <summary>What is to be done with one candidate.</summary>
internal enum VerdictAction
{
    /// <summary>A new instance of the study.</summary>
    Add,
    /// <summary>It takes the place of the instance with its UID, which goes to quarantine.</summary>
    Replace,
    /// <summary>Nothing: the same is there.</summary>
    Duplicate,
    /// <summary>Nothing: this very blob is there, of a commit whose answer was lost.</summary>
    AlreadyCommitted,
    /// <summary>Kept aside.</summary>
    Quarantine,
    /// <summary>Not kept.</summary>
    Refuse,
}

/// <summary>Something for the reconciliation list.</summary>
/// <param name="Kind">A word of <see cref="Reasons"/>.</param>
/// <param name="Detail">What was found against what was known. Holds patient data.</param>
/// <param name="IsOfInstance">It concerns this instance, not the study as a whole (then it is listed once a study).</param>
internal readonly record struct Finding(string Kind, string Detail, bool IsOfInstance);

/// <summary>The decision on one candidate.</summary>
internal sealed record Verdict(VerdictAction Action)
{
    /// <summary>Quarantine: why, a word of <see cref="Reasons"/>.</summary>
    public string Reason { get; init; } = "";
    /// <summary>Refuse: the outcome.</summary>
    public StoreOutcomeKind Refusal { get; init; }
    /// <summary>For the sender: at most 64 characters, no values.</summary>
    public string? Comment { get; init; }
    /// <summary>For the sender.</summary>
    public Tag? Offending { get; init; }
    /// <summary>For people: what was found. May hold patient data.</summary>
    public string Detail { get; init; } = "";
    /// <summary>For the reconciliation list.</summary>
    public IReadOnlyList<Finding> Findings { get; init; } = [];
}

/// <summary>What is known of a SOP Instance UID when a candidate with it comes.</summary>
/// <param name="InStudy">The instance in the candidate's own study, or null.</param>
/// <param name="HasSameContent">Its data set has the same bytes.</param>
/// <param name="Elsewhere">An instance in another study, or null.</param>
internal readonly record struct KnownInstance(StoredInstance? InStudy, bool HasSameContent, StoredInstance? Elsewhere);
