namespace PacsCluster.Catalog;

/// <summary>The writing side of the catalog, for the engine alone. Any number of callers; commits are one after the other. Every call is a
/// fixed number of round trips whatever the size of its sets.</summary>
internal interface ICatalogWriter
{
    /// <summary>Reads everything that deciding a batch needs, as of one moment.</summary>
    /// <exception cref="CatalogUnavailableException">The database cannot answer now.</exception>
    ValueTask<LoadedState> LoadAsync(LoadRequest request, CancellationToken ct);

    /// <summary>Writes one batch in one transaction, durable on return. Rows that carry a version are written where it still is the version
    /// read (and then it is one more); new rows must be new. Patients by key first, then studies by UID, so that two writers never wait for each other in a ring.</summary>
    /// <exception cref="VersionConflictException">Another writer was first; nothing was written.</exception>
    /// <exception cref="CatalogUnavailableException">Disk full or database gone; nothing was written. When the connection broke during the
    /// commit itself, whether it was written is not known: load again and look.</exception>
    /// <exception cref="InvalidDataException">A row breaks a rule of the schema: the batch holds a poisoned item; nothing was written.</exception>
    ValueTask CommitAsync(CatalogChanges changes, CancellationToken ct);
}

/// <summary>What to load.</summary>
internal sealed record LoadRequest
{
    /// <summary>Studies by UID, with their series.</summary>
    public IReadOnlyCollection<string> StudyInstanceUids { get; init; } = [];
    /// <summary>Patients by identifier.</summary>
    public IReadOnlyCollection<PatientIdentifier> Patients { get; init; } = [];
    /// <summary>Instances by UID, in any study.</summary>
    public IReadOnlyCollection<string> SopInstanceUids { get; init; } = [];
    /// <summary>New surrogate keys wanted at most (patient, study, series, instance, blob, quarantine, conflict: 8 an item is always enough).</summary>
    public int NewKeys { get; init; }
}

/// <summary>What was there. Belongs to the caller.</summary>
internal sealed class LoadedState
{
    private long _nextKey;
    private readonly long _endKey;

    public LoadedState(long firstKey, int keys) => (_nextKey, _endKey) = (firstKey, firstKey + keys);

    /// <summary>By Study Instance UID.</summary>
    public Dictionary<string, LoadedStudy> Studies { get; } = new(StringComparer.Ordinal);

    /// <summary>By the identifier asked for: the patient, or the survivor when it was merged.</summary>
    public Dictionary<PatientIdentifier, PatientRow> Patients { get; } = [];

    /// <summary>By SOP Instance UID: one for each study that has it.</summary>
    public Dictionary<string, List<StoredInstance>> Instances { get; } = new(StringComparer.Ordinal);

    /// <summary>A surrogate key that no row has. Keys that are not used are lost, which costs nothing.</summary>
    public long NextKey() => _nextKey < _endKey ? _nextKey++ : throw new InvalidOperationException("more keys used than LoadRequest.NewKeys asked for");
}

/// <summary>A study with its patient and its series.</summary>
internal sealed record LoadedStudy(StudyRow Study, PatientRow Patient, IReadOnlyList<SeriesRow> Series);

/// <summary>An instance with its place in the hierarchy and its blob.</summary>
internal sealed record StoredInstance(InstanceRow Instance, InstanceLocation Location, BlobRow Blob);

/// <summary>A merge of two patients: the loser's studies and earlier losers go to the survivor, each study's version moves.</summary>
/// <param name="Loser">As read.</param>
/// <param name="Survivor">As read; not merged itself.</param>
internal sealed record PatientMerge(PatientRow Loser, PatientRow Survivor);

/// <summary>One batch. Rows hold the values to write, counts included (they are fenced by the study's version); Version is as read.</summary>
internal sealed class CatalogChanges
{
    /// <summary>Patients that must be new (by identifier).</summary>
    public List<PatientRow> NewPatients { get; } = [];
    /// <summary>Patients to rewrite where Version still holds.</summary>
    public List<PatientRow> ChangedPatients { get; } = [];
    /// <summary>Patients that must still be at this version, though they are not written: whoever puts a new study under a patient lists it here.</summary>
    public List<PatientRow> UnchangedPatients { get; } = [];
    /// <summary>Studies that must be new (by UID).</summary>
    public List<StudyRow> NewStudies { get; } = [];
    /// <summary>Studies to rewrite where Version still holds. Every study that gets or loses series or instances is here or in NewStudies.</summary>
    public List<StudyRow> ChangedStudies { get; } = [];
    /// <summary>Series that must be new.</summary>
    public List<SeriesRow> NewSeries { get; } = [];
    /// <summary>Series to rewrite.</summary>
    public List<SeriesRow> ChangedSeries { get; } = [];
    /// <summary>Blobs that are new.</summary>
    public List<BlobRow> NewBlobs { get; } = [];
    /// <summary>Copies that are new.</summary>
    public List<BlobCopyRow> NewCopies { get; } = [];
    /// <summary>Instances that must be new in their study. To replace one, remove it and add the new one.</summary>
    public List<InstanceRow> NewInstances { get; } = [];
    /// <summary>Headers of new instances.</summary>
    public List<HeaderRow> NewHeaders { get; } = [];
    /// <summary>Conflicts found.</summary>
    public List<ConflictRow> NewConflicts { get; } = [];
    /// <summary>Taken into quarantine.</summary>
    public List<QuarantineRow> NewQuarantine { get; } = [];
    /// <summary>Entries of the change feed, in order; numbered by the commit.</summary>
    public List<OutboxRow> Outbox { get; } = [];
    /// <summary>Instances to take out, with their headers. Their blobs are listed in RemovedBlobs where nothing else lies in them.</summary>
    public List<InstanceRow> RemovedInstances { get; } = [];
    /// <summary>Series that became empty.</summary>
    public List<SeriesRow> RemovedSeries { get; } = [];
    /// <summary>Blob rows to take out, with their copies; delete the blobs themselves after the commit.</summary>
    public List<BlobRow> RemovedBlobs { get; } = [];
    /// <summary>Quarantine entries to take out.</summary>
    public List<QuarantineRow> RemovedQuarantine { get; } = [];
    /// <summary>Conflicts that are settled, by key.</summary>
    public List<long> ResolvedConflicts { get; } = [];
    /// <summary>Copies whose digest was recomputed and right: written with their VerifiedAt.</summary>
    public List<BlobCopyRow> VerifiedCopies { get; } = [];
    /// <summary>Merges.</summary>
    public List<PatientMerge> Merges { get; } = [];

    /// <summary>Nothing to write.</summary>
    public bool IsEmpty => NewPatients.Count + ChangedPatients.Count + NewStudies.Count + ChangedStudies.Count + NewSeries.Count + ChangedSeries.Count
        + NewBlobs.Count + NewCopies.Count + NewInstances.Count + NewHeaders.Count + NewConflicts.Count + NewQuarantine.Count + Outbox.Count
        + RemovedInstances.Count + RemovedSeries.Count + RemovedBlobs.Count + RemovedQuarantine.Count + ResolvedConflicts.Count
        + VerifiedCopies.Count + Merges.Count == 0;
}
