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
    /// <summary>Number (series number, instance number), lowest first.</summary>
    Number,
}

/// <summary>One answer.</summary>
public sealed class SearchRow
{
    internal SearchRow(QueryLevel level, long key, IReadOnlyDictionary<Tag, string> values)
    {
        Level = level;
        Key = key;
        Values = values;
    }

    /// <summary>Its level.</summary>
    public QueryLevel Level { get; }

    /// <summary>Surrogate key of the entity, for <see cref="SearchRequest.AfterKey"/>.</summary>
    public long Key { get; }

    /// <summary>Text of every key asked for that has one, derived ones included; several values are joined by backslashes. Sequences are not here.</summary>
    public IReadOnlyDictionary<Tag, string> Values { get; }

    /// <summary>Text of a key; null when it has none.</summary>
    public string? this[Tag tag] => Values.GetValueOrDefault(tag);

    /// <summary>The answer as an identifier: every key asked for, with value or empty, sequences with their items, the level (0008,0052),
    /// and Specific Character Set where any text needs one.</summary>
    /// <param name="preferred">The requester's character set, used where it can say everything; else UTF-8 (PS3.4 C.4.1.1.3.2).</param>
    /// <param name="encoding">Transfer syntax of the answer.</param>
    public DataSet ToDataSet(CharacterSet preferred, TransferSyntax encoding) => throw new NotImplementedException();
}
