using PacsCluster.Catalog;
using PacsCluster.Dicom;

namespace PacsCluster.Engine;

/// <summary>A patient while a batch is decided: the row as read, and what the batch makes of it. Pure; belongs to one batch.</summary>
internal sealed class PatientState
{
    private static readonly Tag s_name = new(0x00100010), s_birthDate = new(0x00100030), s_sex = new(0x00100040);

    /// <summary>A patient that was read.</summary>
    public PatientState(PatientRow row) => Row = row;

    private PatientState(PatientRow row, bool isNew) => (Row, IsNew) = (row, isNew);

    /// <summary>A patient that nobody knew.</summary>
    public static PatientState New(Candidate candidate, long key, DateTimeOffset now) => new(new PatientRow
    {
        Key = key,
        Identifier = candidate.Patient,
        OtherIdentifiers = candidate.OtherPatients,
        Attributes = candidate.PatientAttributes,
        CreatedAt = now,
        UpdatedAt = now,
    }, isNew: true);

    /// <summary>As it will be.</summary>
    public PatientRow Row { get; private set; }

    /// <summary>Not in the catalog yet.</summary>
    public bool IsNew { get; }

    /// <summary>To be rewritten.</summary>
    public bool IsChanged { get; private set; }

    /// <summary>A new study hangs on it: its version must hold even if it is not written.</summary>
    public bool HasNewStudy { get; set; }

    /// <summary>Takes what the row does not have yet. What it has stays: the first one wins.</summary>
    public void Fill(Candidate candidate, DateTimeOffset now)
    {
        AttributeValues filled = Row.Attributes.FillFrom(candidate.PatientAttributes);
        IReadOnlyList<PatientIdentifier> others = Row.OtherIdentifiers;
        foreach (PatientIdentifier other in candidate.OtherPatients)
        {
            if (!others.Contains(other)) others = [.. others, other];
        }
        if (ReferenceEquals(others, Row.OtherIdentifiers) && filled.Equals(Row.Attributes)) return;
        Row = Row with { Attributes = filled, OtherIdentifiers = others, UpdatedAt = now };
        IsChanged = true;
    }

    /// <summary>Whether this is the patient of these identifiers: the ID is equal, and so is the issuer unless one of them does not say it.</summary>
    public bool Answers(PatientIdentifier claimed) =>
        Row.Identifier is { } own && own.Id == claimed.Id && (own.Issuer == claimed.Issuer || own.Issuer.Length == 0 || claimed.Issuer.Length == 0);

    /// <summary>What of name, birth date and sex is said by both and differs; null when nothing does. The answer holds patient data.</summary>
    public string? FindContradiction(AttributeValues claimed)
    {
        string? found = null;
        void Compare(string what, string? ours, string? theirs, bool equal)
        {
            if (equal || string.IsNullOrEmpty(ours) || string.IsNullOrEmpty(theirs)) return;
            found = $"{found}{(found is null ? "" : "; ")}{what}: known {ours}, sent {theirs}";
        }
        string? name = Row.Attributes[s_name], claimedName = claimed[s_name];
        Compare("name", name, claimedName, SameName(name, claimedName));
        string? birthDate = Row.Attributes[s_birthDate], claimedBirthDate = claimed[s_birthDate];
        Compare("birth date", birthDate, claimedBirthDate, birthDate == claimedBirthDate);
        string? sex = Row.Attributes[s_sex], claimedSex = claimed[s_sex];
        Compare("sex", sex, claimedSex, string.Equals(sex, claimedSex, StringComparison.OrdinalIgnoreCase));
        return found;
    }

    /// <summary>One line that says who this is, for the reconciliation list. Holds patient data.</summary>
    public static string Describe(PatientIdentifier? identifier, AttributeValues attributes) =>
        $"ID {(identifier is { } i ? i.Id : "(none)")}{(identifier is { Issuer.Length: > 0 } j ? $" of {j.Issuer}" : "")}, name {attributes[s_name] ?? "(none)"}";

    // Case, spaces around components and empty trailing components say nothing; a name with no letter in common in a group that the
    // other lacks (ideographic, phonetic) is not a contradiction either, so only the alphabetic group counts.
    private static bool SameName(string? left, string? right)
    {
        if (left is null || right is null) return false;
        ReadOnlySpan<char> a = Alphabetic(left), b = Alphabetic(right);
        if (a.IsEmpty || b.IsEmpty) return true;
        while (!a.IsEmpty || !b.IsEmpty)
        {
            if (!NextComponent(ref a).Equals(NextComponent(ref b), StringComparison.OrdinalIgnoreCase)) return false;
        }
        return true;
    }

    private static ReadOnlySpan<char> Alphabetic(string name)
    {
        int end = name.IndexOf('=', StringComparison.Ordinal);
        return name.AsSpan(0, end < 0 ? name.Length : end).Trim();
    }

    private static ReadOnlySpan<char> NextComponent(ref ReadOnlySpan<char> name)
    {
        int end = name.IndexOf('^');
        ReadOnlySpan<char> component = (end < 0 ? name : name[..end]).Trim();
        name = end < 0 ? [] : name[(end + 1)..];
        return component;
    }
}
