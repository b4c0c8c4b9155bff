using PacsCluster.Dicom;

namespace PacsCluster.Catalog;

/// <summary>The two information models of PS3.4 C.6 (the retired third is not served).</summary>
public enum QueryRoot
{
    /// <summary>Patient Root: levels PATIENT, STUDY, SERIES, IMAGE.</summary>
    Patient,
    /// <summary>Study Root: levels STUDY (with the patient's attributes), SERIES, IMAGE.</summary>
    Study,
}

/// <summary>What the association negotiated, or what PS3.18 says of QIDO-RS.</summary>
public sealed record MatchingOptions
{
    /// <summary>Information model. QIDO-RS is Study Root, relational.</summary>
    public QueryRoot Root { get; init; } = QueryRoot.Study;

    /// <summary>Relational queries or retrieval (PS3.4 C.5.1.1): unique keys above the level may be left out, keys of any level above may be given.</summary>
    public bool Relational { get; init; }

    /// <summary>A date and a time key with ranges are one range of moments (PS3.4 C.2.2.2.5.2, C.5.2 byte 2).</summary>
    public bool CombinedDateTime { get; init; }

    /// <summary>Patient's Name is matched by its words: each word of the key begins a word of the name, or sounds like one, in any order (PS3.4 C.2.2.2.1.1).
    /// Other names are matched literally.</summary>
    public bool FuzzyNames { get; init; }

    /// <summary>Values of one key at most; more is a failure by name. Default 4,096; 1 to 10,000.</summary>
    public int ValuesMax { get; init; } = 4096;
}

/// <summary>Why an identifier cannot be served. In DIMSE all are A900 (Identifier does not match SOP Class), in HTTP 400.</summary>
public enum KeysFailureKind
{
    /// <summary>(0008,0052) is missing or none of PATIENT, STUDY, SERIES, IMAGE.</summary>
    NoLevel,
    /// <summary>PATIENT in Study Root.</summary>
    LevelNotInModel,
    /// <summary>A unique key above the level is missing or has no value, and relational was not negotiated; in a retrieve also at the level itself.</summary>
    UniqueKeyMissing,
    /// <summary>A unique key above the level is a list, or holds wildcards.</summary>
    UniqueKeyNotSingle,
    /// <summary>A value that its VR does not allow (a date range that is none, ...).</summary>
    BadValue,
    /// <summary>A sequence key with more than one item.</summary>
    BadSequence,
    /// <summary>More values than MatchingOptions.ValuesMax.</summary>
    TooManyValues,
    /// <summary>An attribute that answers of this level cannot be ordered by.</summary>
    BadOrder,
}

/// <summary>Why an identifier cannot be served.</summary>
/// <param name="Kind">Kind.</param>
/// <param name="Offending">The element in question.</param>
/// <param name="Comment">In words, at most 64 characters, without values.</param>
public sealed record KeysFailure(KeysFailureKind Kind, Tag Offending, string Comment);

/// <summary>A request, or why there is none: exactly one of the two is not null.</summary>
public readonly record struct ParsedKeys<T>(T? Request, KeysFailure? Failure) where T : class;

/// <summary>Reads identifiers of C-FIND, C-MOVE and C-GET (PS3.4 C.4), and, put into a data set, the keys of QIDO-RS.</summary>
public static class MatchingKeys
{
    /// <summary>Query/Retrieve Level (0008,0052).</summary>
    public static readonly Tag QueryRetrieveLevel = new(0x0008_0052);

    private static readonly Tag s_specificCharacterSet = new(0x0008_0005);
    private static readonly Tag s_queryRetrieveView = new(0x0008_0053);
    private static readonly Tag s_patientId = new(0x0010_0020);
    private static readonly Tag s_issuer = new(0x0010_0021);

    /// <summary>By level.</summary>
    private static readonly Tag[] s_uniqueKeys = [s_patientId, new(0x0020_000D), new(0x0020_000E), new(0x0008_0018)];

    /// <summary>Reads the identifier of a search. Keys without value are asked for in return, and match all.</summary>
    /// <param name="identifier">Identifier.</param>
    /// <param name="level">The level where the caller knows it (QIDO-RS resource); null takes (0008,0052).</param>
    /// <param name="options">What was negotiated.</param>
    public static ParsedKeys<SearchRequest> Parse(DataSet identifier, QueryLevel? level, MatchingOptions options)
    {
        if (FindLevel(identifier, level, options, out QueryLevel found) is { } failure) return new(null, failure);
        var reader = new KeyReader(found, options);
        for (QueryLevel above = Top(options); above < found; above++)
        {
            if (!options.Relational && CheckUnique(identifier, above, found) is { } missing) return new(null, missing);
        }
        foreach (DataElement element in identifier)
        {
            if (element.Tag.IsGroupLength || element.Tag == s_specificCharacterSet || element.Tag == QueryRetrieveLevel || element.Tag == s_queryRetrieveView) continue;
            if (reader.Read(element) is { } bad) return new(null, bad);
        }
        return new(reader.Finish(), null);
    }

    /// <summary>Orders the answers of a search by attributes; ties are broken by surrogate key, so that pages never overlap.</summary>
    /// <param name="request">The search.</param>
    /// <param name="attributes">In order of weight. Each has a column at the search's level or above and does not stand in a sequence.</param>
    public static ParsedKeys<SearchRequest> OrderBy(SearchRequest request, IReadOnlyList<(Tag Tag, bool IsDescending)> attributes)
    {
        ArgumentNullException.ThrowIfNull(request);
        ArgumentNullException.ThrowIfNull(attributes);
        var sort = new SortKey[attributes.Count];
        for (int i = 0; i < sort.Length; i++)
        {
            if (SearchKey.Find(request.Level, default, attributes[i].Tag) is not { } key || key.Level > request.Level)
                return new(null, new KeysFailure(KeysFailureKind.BadOrder, attributes[i].Tag, $"answers of level {SearchRow.LevelName(request.Level)} cannot be ordered by it"));
            sort[i] = new SortKey(key, attributes[i].IsDescending);
        }
        return new(request with { Sort = sort }, null);
    }

    /// <summary>Every attribute that an answer of a level can have from the catalog's columns, sequences by their own tag, ascending: of the level itself and
    /// of those above.</summary>
    public static IReadOnlyList<(Tag Tag, VR VR)> Returnable(QueryLevel level) => SearchKey.Returnable(level);

    /// <summary>Reads the identifier of a retrieve (PS3.4 C.4.2.2.1, C.4.3.2.1): unique keys, lists of UID at the level itself; other keys are passed over.</summary>
    public static ParsedKeys<LocateRequest> ParseRetrieve(DataSet identifier, MatchingOptions options)
    {
        if (FindLevel(identifier, null, options, out QueryLevel level) is { } failure) return new(null, failure);
        if (Texts(identifier, s_uniqueKeys[(int)level]).Length == 0) return new(null, Missing(level));
        for (QueryLevel above = Top(options); above < level; above++)
        {
            // A relational retrieve may leave them out (PS3.4 C.5.2.1), but what is given narrows.
            if (!options.Relational && CheckUnique(identifier, above, level) is { } missing) return new(null, missing);
        }
        string? issuer = identifier.GetString(s_issuer);
        for (QueryLevel at = QueryLevel.Patient; at <= level; at++)
        {
            string[] values = Texts(identifier, s_uniqueKeys[(int)at]);
            if (values.Length > options.ValuesMax) return new(null, new KeysFailure(KeysFailureKind.TooManyValues, s_uniqueKeys[(int)at], $"more than {options.ValuesMax} values"));
        }
        return new(
            new LocateRequest
            {
                // Where the patient level is not of the model, its ID may be given for information only.
                Patients = options.Root == QueryRoot.Patient ? [.. Texts(identifier, s_patientId).Select(id => (id, issuer))] : [],
                StudyInstanceUids = level >= QueryLevel.Study ? Texts(identifier, s_uniqueKeys[1]) : [],
                SeriesInstanceUids = level >= QueryLevel.Series ? Texts(identifier, s_uniqueKeys[2]) : [],
                SopInstanceUids = level >= QueryLevel.Image ? Texts(identifier, s_uniqueKeys[3]) : [],
            },
            null);
    }

    /// <summary>Values that are not empty.</summary>
    private static string[] Texts(DataSet identifier, Tag tag)
    {
        string[] values = identifier.GetStrings(tag);
        return values.Contains("") ? [.. values.Where(v => v.Length > 0)] : values;
    }

    private static QueryLevel Top(MatchingOptions options) => options.Root == QueryRoot.Patient ? QueryLevel.Patient : QueryLevel.Study;

    private static KeysFailure? FindLevel(DataSet identifier, QueryLevel? given, MatchingOptions options, out QueryLevel level)
    {
        QueryLevel? said = given ?? identifier.GetString(QueryRetrieveLevel) switch
        {
            "PATIENT" => QueryLevel.Patient,
            "STUDY" => QueryLevel.Study,
            "SERIES" => QueryLevel.Series,
            "IMAGE" => QueryLevel.Image,
            _ => null,
        };
        level = said ?? default;
        if (said is null) return new KeysFailure(KeysFailureKind.NoLevel, QueryRetrieveLevel, "Query/Retrieve Level missing or unknown");
        return level < Top(options) ? new KeysFailure(KeysFailureKind.LevelNotInModel, QueryRetrieveLevel, "this information model has no PATIENT level") : null;
    }

    private static KeysFailure? CheckUnique(DataSet identifier, QueryLevel at, QueryLevel level)
    {
        Tag tag = s_uniqueKeys[(int)at];
        string[] values = Texts(identifier, tag);
        if (values.Length == 0) return Missing(at);
        return values.Length > 1 || Wildcard.IsIn(values[0])
            ? new KeysFailure(KeysFailureKind.UniqueKeyNotSingle, tag, $"{SearchRow.LevelName(level)} level needs one {SearchRow.LevelName(at)} key")
            : null;
    }

    private static KeysFailure Missing(QueryLevel at) => new(KeysFailureKind.UniqueKeyMissing, s_uniqueKeys[(int)at], $"the unique key of level {SearchRow.LevelName(at)} is missing");
}
