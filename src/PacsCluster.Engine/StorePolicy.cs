namespace PacsCluster.Engine;

/// <summary>A SOP Instance comes again with another data set (C-32).</summary>
public enum DifferentContentPolicy
{
    /// <summary>The first stays; the newcomer goes to quarantine and the sender hears success with a comment.</summary>
    KeepFirst,
    /// <summary>The newcomer takes the place of the first when both have the same calling AE title; otherwise as <see cref="KeepFirst"/>.</summary>
    ReplaceFromSameSource,
    /// <summary>The newcomer takes the place of the first; the first goes to quarantine.</summary>
    Replace,
    /// <summary>The newcomer is refused.</summary>
    Refuse,
}

/// <summary>A SOP Instance UID is known in another series or study (C-33).</summary>
public enum ClashPolicy
{
    /// <summary>Both are kept where their data sets put them, and the clash is listed for reconciliation.</summary>
    KeepBoth,
    /// <summary>The newcomer goes to quarantine.</summary>
    Quarantine,
    /// <summary>The newcomer is refused.</summary>
    Refuse,
}

/// <summary>What to do with an instance that is good but does not fit what is known (C-34, C-35).</summary>
public enum MisfitPolicy
{
    /// <summary>It is stored, and listed for reconciliation where somebody should look at it.</summary>
    Store,
    /// <summary>It goes to quarantine.</summary>
    Quarantine,
    /// <summary>It is refused.</summary>
    Refuse,
}

/// <summary>How one calling AE's instances are judged. Every default keeps the image; none loses one silently.</summary>
public sealed record StorePolicy
{
    /// <summary>Same SOP Instance, another data set. Default KeepFirst.</summary>
    public DifferentContentPolicy DifferentContent { get; init; } = DifferentContentPolicy.KeepFirst;

    /// <summary>SOP Instance UID known in another series or study. Default KeepBoth.</summary>
    public ClashPolicy SopInstanceClash { get; init; } = ClashPolicy.KeepBoth;

    /// <summary>The study is known for another patient. Default Store: under the study, listed for reconciliation.</summary>
    public MisfitPolicy OtherPatient { get; init; } = MisfitPolicy.Store;

    /// <summary>No Patient ID (0010,0020). Default Store: the study gets an unidentified patient of its own.</summary>
    public MisfitPolicy MissingPatientId { get; init; } = MisfitPolicy.Store;

    /// <summary>SOP Class, SOP Instance, Study or Series Instance UID missing. Such an instance cannot be found by anyone, so
    /// <see cref="MisfitPolicy.Store"/> is not possible. Default Quarantine.</summary>
    public MisfitPolicy MissingUid { get; init; } = MisfitPolicy.Quarantine;

    /// <summary>A UID breaks PS3.5 section 9.1 by more than padding: leading zeros, over 64 characters, other characters than digits and dots.
    /// Default Store, as it stands. UIDs over 128 characters or with control characters or backslashes count as missing.</summary>
    public MisfitPolicy BadUid { get; init; } = MisfitPolicy.Store;

    /// <summary>SOP Class or SOP Instance UID of the request differ from the data set's (C-27). Default Store, by the data set's UIDs and
    /// with warning B007. Refuse answers A900.</summary>
    public MisfitPolicy RequestMismatch { get; init; } = MisfitPolicy.Store;

    /// <summary>Answer with warnings (B000, B006, B007) at all; some senders take them for errors (C-30). Default true; false answers 0000.</summary>
    public bool AnswerWarnings { get; init; } = true;

    /// <summary>Names of the blob stores that must have an instance before its sender hears success. The nearest first: copies are read in this order of the common policy. Default none,
    /// which is the store <c>files</c>.</summary>
    public IReadOnlyList<string> Copies { get; init; } = [];

    /// <summary>Names of the blob stores that get a copy later, soon after the others, by a reminder that tries until it is there. Default none.</summary>
    public IReadOnlyList<string> LaterCopies { get; init; } = [];

    /// <summary>What is wrong with it; empty when all is well.</summary>
    /// <param name="name">How the operator calls it.</param>
    internal IEnumerable<string> Validate(string name)
    {
        if (!Enum.IsDefined(DifferentContent)) yield return $"{name}:DifferentContent: {DifferentContent} is not one of {string.Join(", ", Enum.GetNames<DifferentContentPolicy>())}";
        if (!Enum.IsDefined(SopInstanceClash)) yield return $"{name}:SopInstanceClash: {SopInstanceClash} is not one of {string.Join(", ", Enum.GetNames<ClashPolicy>())}";
        foreach ((string member, MisfitPolicy value) in new[]
        {
            (nameof(OtherPatient), OtherPatient), (nameof(MissingPatientId), MissingPatientId), (nameof(MissingUid), MissingUid),
            (nameof(BadUid), BadUid), (nameof(RequestMismatch), RequestMismatch),
        })
        {
            if (!Enum.IsDefined(value)) yield return $"{name}:{member}: {value} is not one of {string.Join(", ", Enum.GetNames<MisfitPolicy>())}";
        }
        if (MissingUid == MisfitPolicy.Store) yield return $"{name}:MissingUid: Store is not possible; Quarantine or Refuse";
        foreach (string twice in Copies.Concat(LaterCopies).GroupBy(n => n, StringComparer.Ordinal).Where(g => g.Count() > 1).Select(g => g.Key))
            yield return $"{name}:Copies: '{twice}' is named twice, here or in LaterCopies";
    }
}

/// <summary>What differs from <see cref="EngineOptions.Policy"/> for one calling AE; null leaves the default's value.</summary>
public sealed record StorePolicyOverride
{
    /// <inheritdoc cref="StorePolicy.DifferentContent"/>
    public DifferentContentPolicy? DifferentContent { get; init; }

    /// <inheritdoc cref="StorePolicy.SopInstanceClash"/>
    public ClashPolicy? SopInstanceClash { get; init; }

    /// <inheritdoc cref="StorePolicy.OtherPatient"/>
    public MisfitPolicy? OtherPatient { get; init; }

    /// <inheritdoc cref="StorePolicy.MissingPatientId"/>
    public MisfitPolicy? MissingPatientId { get; init; }

    /// <inheritdoc cref="StorePolicy.MissingUid"/>
    public MisfitPolicy? MissingUid { get; init; }

    /// <inheritdoc cref="StorePolicy.BadUid"/>
    public MisfitPolicy? BadUid { get; init; }

    /// <inheritdoc cref="StorePolicy.RequestMismatch"/>
    public MisfitPolicy? RequestMismatch { get; init; }

    /// <inheritdoc cref="StorePolicy.AnswerWarnings"/>
    public bool? AnswerWarnings { get; init; }

    /// <inheritdoc cref="StorePolicy.Copies"/>
    public IReadOnlyList<string>? Copies { get; init; }

    /// <inheritdoc cref="StorePolicy.LaterCopies"/>
    public IReadOnlyList<string>? LaterCopies { get; init; }

    /// <summary>The policy with these differences.</summary>
    internal StorePolicy ApplyTo(StorePolicy policy) => new()
    {
        DifferentContent = DifferentContent ?? policy.DifferentContent,
        SopInstanceClash = SopInstanceClash ?? policy.SopInstanceClash,
        OtherPatient = OtherPatient ?? policy.OtherPatient,
        MissingPatientId = MissingPatientId ?? policy.MissingPatientId,
        MissingUid = MissingUid ?? policy.MissingUid,
        BadUid = BadUid ?? policy.BadUid,
        RequestMismatch = RequestMismatch ?? policy.RequestMismatch,
        AnswerWarnings = AnswerWarnings ?? policy.AnswerWarnings,
        Copies = Copies ?? policy.Copies,
        LaterCopies = LaterCopies ?? policy.LaterCopies,
    };
}
