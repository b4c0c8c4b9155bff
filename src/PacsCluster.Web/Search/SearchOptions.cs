namespace PacsCluster.Web;

/// <summary>Options of the Search Transaction (QIDO-RS).</summary>
public sealed record SearchOptions
{
    /// <summary>What fuzzy matching is here, for the conformance statement (PS3.18 asks for it).</summary>
    public const string FuzzyAlgorithm = "Patient's Name is folded (case, accents, width) and split into words; every word of the key must, in any order, begin a word of the name or sound like one. "
        + "Two words sound alike when their consonants are of the same classes in the same order (b p; f v w ph; c g k q x; d t; s z sch; l; m n; r; j), neighbours of one class counting once; vowels and h are silent but for a leading vowel.";

    /// <summary>Results of one answer at most, whatever <c>limit</c> says; a Warning header says how many more there are. Default 10,000, 1 to 1,000,000.</summary>
    public int ResultsMax { get; init; } = 10_000;

    /// <summary>How many results behind a full page are counted for the Warning header, which says "at least" when there are so many. Each costs about as much as a result that is
    /// answered. Default 25, 1 to 10,000.</summary>
    public int FurtherCountedMax { get; init; } = 25;

    /// <summary>Answer 400 to a search with a key that cannot be matched, instead of passing the key over with a Warning header. Default false.</summary>
    public bool Strict { get; init; }

    /// <summary>Do fuzzy matching where <c>fuzzymatching=true</c> asks for it; off, names are matched literally and a Warning header says so. Default true.</summary>
    public bool FuzzyMatching { get; init; } = true;

    internal void Validate(List<string> errors)
    {
        if (ResultsMax is < 1 or > 1_000_000) errors.Add($"Web:Search:ResultsMax: {ResultsMax} is not between 1 and 1000000");
        if (FurtherCountedMax is < 1 or > 10_000) errors.Add($"Web:Search:FurtherCountedMax: {FurtherCountedMax} is not between 1 and 10000");
    }
}
