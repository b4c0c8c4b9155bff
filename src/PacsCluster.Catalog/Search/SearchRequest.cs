using PacsCluster.Dicom;

namespace PacsCluster.Catalog;

/// <summary>A search, made by <see cref="MatchingKeys.Parse"/>; limits and order are set with <c>with</c>.</summary>
public sealed record SearchRequest
{
    internal SearchRequest() { }

    /// <summary>Level of the answers.</summary>
    public required QueryLevel Level { get; init; }

    /// <summary>Information model.</summary>
    public required QueryRoot Root { get; init; }

    /// <summary>Answers at most; null for all.</summary>
    public int? Limit { get; init; }

    /// <summary>Answers to pass over first; costs their reading, prefer <see cref="AfterKey"/>.</summary>
    public int Offset { get; init; }

    /// <summary>Order of the answers. Without one they come as the cheapest index gives them.</summary>
    public SearchOrder Order { get; init; }

    /// <summary>Continue behind the answer whose <see cref="SearchRow.Key"/> this is; only with <see cref="SearchOrder.Stored"/>.</summary>
    public long AfterKey { get; init; }

    /// <summary>Keys asked for in return, in the identifier's order: those of the top level, sequences by their own tag.</summary>
    public required IReadOnlyList<Tag> ReturnKeys { get; init; }

    /// <summary>Keys with a value that this catalog does not match: answers are FF01 (PS3.4 C.4.1.1.4), QIDO-RS warns.</summary>
    public required IReadOnlyList<Tag> UnmatchedKeys { get; init; }

    /// <summary>Keys asked for that are never returned with a value at this level; answers are FF01.</summary>
    public required IReadOnlyList<Tag> UnsupportedKeys { get; init; }

    /// <summary>What narrows.</summary>
    internal IReadOnlyList<Condition> Conditions { get; init; } = [];

    /// <summary>Where each of <see cref="ReturnKeys"/> comes from.</summary>
    internal IReadOnlyList<ReturnKey> Returns { get; init; } = [];
}

/// <summary>Order of answers; ties by surrogate key, so that it is total and stable.</summary>
public enum SearchOrder
{
    /// <summary>None.</summary>
    None,
    /// <summary>As first stored.</summary>
    Stored,
    /// <summary>Study Date and Time, newest first.</summary>
    NewestStudyFirst,
    /// <summary>Number (series number, instance number), lowest first; studies and patients as stored.</summary>
    Number,
}

/// <summary>A key asked for in return.</summary>
/// <param name="Tag">Its tag at the top level.</param>
/// <param name="VR">Its VR in the identifier.</param>
/// <param name="Keys">The column that has it; for a sequence those of its items' attributes; empty when none has.</param>
/// <param name="IsInHeader">Taken from the instance's header.</param>
internal sealed record ReturnKey(Tag Tag, VR VR, IReadOnlyList<SearchKey> Keys, bool IsInHeader);
