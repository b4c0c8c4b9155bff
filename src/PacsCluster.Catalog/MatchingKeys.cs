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

    /// <summary>Query keys per value and values per key at most; more is a failure by name. Default 4,096; 1 to 100,000.</summary>
    public int ValuesMax { get; init; } = 4096;
}

/// <summary>Why an identifier cannot be served. In DIMSE all are A900 (Identifier does not match SOP Class), in HTTP 400.</summary>
public enum KeysFailureKind
{
    /// <summary>(0008,0052) is missing or none of PATIENT, STUDY, SERIES, IMAGE.</summary>
    NoLevel,
    /// <summary>PATIENT in Study Root.</summary>
    LevelNotInModel,
    /// <summary>A unique key above the level is missing or has no value, and relational was not negotiated.</summary>
    UniqueKeyMissing,
    /// <summary>A unique key above the level is a list, or holds wildcards.</summary>
    UniqueKeyNotSingle,
    /// <summary>A value that its VR does not allow (a date range that is none, ...).</summary>
    BadValue,
    /// <summary>A sequence key with more than one item.</summary>
    BadSequence,
    /// <summary>More values than MatchingOptions.ValuesMax.</summary>
    TooManyValues,
}

/// <summary>Why an identifier cannot be served.</summary>
/// <param name="Kind">Kind.</param>
/// <param name="Offending">The element in question.</param>
/// <param name="Comment">In words, at most 64 characters, without values.</param>
public sealed record KeysFailure(KeysFailureKind Kind, Tag Offending, string Comment);

/// <summary>A request, or why there is none: exactly one of the two is not null.</summary>
public readonly record struct ParsedKeys<T>(T? Request, KeysFailure? Failure) where T : class;

/// <summary>Reads identifiers of C-FIND, C-MOVE and C-GET (PS3.4 C.4), and, put into a data set, the keys of QIDO-RS.</summary>
public static partial class MatchingKeys
{
    /// <summary>Query/Retrieve Level (0008,0052).</summary>
    public static readonly Tag QueryRetrieveLevel = new(0x0008_0052);

    /// <summary>Reads the identifier of a search. Keys without value are asked for in return, and match all.</summary>
    /// <param name="identifier">Identifier.</param>
    /// <param name="level">The level where the caller knows it (QIDO-RS resource); null takes (0008,0052).</param>
    /// <param name="options">What was negotiated.</param>
    public static ParsedKeys<SearchRequest> Parse(DataSet identifier, QueryLevel? level, MatchingOptions options) => throw new NotImplementedException();

    /// <summary>Reads the identifier of a retrieve (PS3.4 C.4.2.2.1, C.4.3.2.1): unique keys, lists of UID at the level itself.</summary>
    public static ParsedKeys<LocateRequest> ParseRetrieve(DataSet identifier, MatchingOptions options) => throw new NotImplementedException();
}
