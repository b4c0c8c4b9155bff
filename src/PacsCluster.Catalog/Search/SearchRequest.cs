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

    /// <summary>Order by attributes of this level and above, made by <see cref="MatchingKeys.OrderBy"/>; it goes before <see cref="Order"/>. Ties by surrogate key.</summary>
    internal IReadOnlyList<SortKey> Sort { get; init; } = [];

    /// <summary>At IMAGE level: answers have every attribute of the instance's header beside the keys asked for (QIDO-RS <c>includefield=all</c>).</summary>
    public bool WithHeader { get; init; }

    /// <summary>Continue behind the answer whose <see cref="SearchRow.Key"/> this is; only with <see cref="SearchOrder.Stored"/>.</summary>
    public long AfterKey { get; init; }

    /// <summary>Keys asked for in return, in the identifier's order: those of the top level, sequences by their own tag.</summary>
    public required IReadOnlyList<Tag> ReturnKeys { get; init; }

    /// <summary>Keys with a value that this catalog does not match: answers are FF01 (PS3.4 C.4.1.1.4), QIDO-RS warns.</summary>
    public required IReadOnlyList<Tag> UnmatchedKeys { get; init; }

    /// <summary>Keys asked for that are never returned with a value at this level; answers are FF01.</summary>
    public required IReadOnlyList<Tag> UnsupportedKeys { get; init; }

    /// <summary>The search whose rows are only counted: nothing is returned and nothing ordered, so only the tables that narrow are read, mostly from their indexes alone.</summary>
    internal SearchRequest ToCounted(int upTo) => this with { Returns = [], WithHeader = false, Order = SearchOrder.None, Sort = [], Offset = 0, Limit = upTo };

    /// <summary>What narrows.</summary>
    internal IReadOnlyList<Condition> Conditions { get; init; } = [];

    /// <summary>Where each of <see cref="ReturnKeys"/> comes from.</summary>
    internal IReadOnlyList<ReturnKey> Returns { get; init; } = [];

    /// <summary>Rows come with the instance's header.</summary>
    internal bool NeedsHeader => WithHeader || Returns.Any(r => r.IsInHeader);

    /// <summary>Narrowed to one entity of a level by its UID.</summary>
    internal bool IsOne(QueryLevel level) => Conditions.Any(c => c.Key.Level == level && c.Key.Special == SpecialKey.Uid && c.Key.IsIndexed && c.Kind == MatchKind.Any && c.Values.Count == 1);
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
    /// <summary>As a person would list them: studies newest first, in each its series by Series Number, in each its instances by Instance Number; patients as stored.</summary>
    Hierarchy,
    /// <summary>Number (series number, instance number), lowest first; studies and patients as stored.</summary>
    Number,
}

/// <summary>A key asked for in return.</summary>
/// <param name="Tag">Its tag at the top level.</param>
/// <param name="VR">Its VR in the identifier.</param>
/// <param name="Keys">The column that has it; for a sequence those of its items' attributes; empty when none has.</param>
/// <param name="IsInHeader">Taken from the instance's header.</param>
internal sealed record ReturnKey(Tag Tag, VR VR, IReadOnlyList<SearchKey> Keys, bool IsInHeader);

/// <summary>One attribute to order by.</summary>
internal readonly record struct SortKey(SearchKey Key, bool IsDescending);
