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

    /// <summary>Takes reminders that are due, for a time, durable on return: no other claim gets them before <see cref="ClaimRequest.LeasedUntil"/>, whichever node it comes
    /// from, and then any may. Each claimed row has Attempts one more, LeasedBy the owner and DueAt the end of the lease. Nothing is written when nothing is due.</summary>
    /// <exception cref="CatalogUnavailableException">The database cannot answer now.</exception>
    ValueTask<ReminderClaim> ClaimRemindersAsync(ClaimRequest request, CancellationToken ct);
}

/// <summary>Which reminders to claim. The times are the caller's: nodes' clocks may differ by less than a lease.</summary>
/// <param name="Owner">Who claims.</param>
/// <param name="Kinds">Kinds that the claimant can handle.</param>
/// <param name="Now">Reminders due then or before.</param>
/// <param name="LeasedUntil">End of the lease, after <paramref name="Now"/>.</param>
/// <param name="Limit">How many at most, those due longest first; 0 only asks for the time of the next.</param>
internal sealed record ClaimRequest(string Owner, IReadOnlyCollection<string> Kinds, DateTimeOffset Now, DateTimeOffset LeasedUntil, int Limit);

/// <summary>What was claimed.</summary>
/// <param name="Claimed">Reminders, those due longest first.</param>
/// <param name="NextDue">When the next of these kinds is due that was not claimed here; null when there is none. It may lie in the past when more was due than the limit.</param>
internal sealed record ReminderClaim(IReadOnlyList<ReminderRow> Claimed, DateTimeOffset? NextDue);

/// <summary>What to load.</summary>
internal sealed record LoadRequest
{
    /// <summary>Studies by UID, with their series.</summary>
    public IReadOnlyCollection<string> StudyInstanceUids { get; init; } = [];
    /// <summary>Patients by identifier.</summary>
    public IReadOnlyCollection<PatientIdentifier> Patients { get; init; } = [];
    /// <summary>Instances by UID, in any study.</summary>
    public IReadOnlyCollection<string> SopInstanceUids { get; init; } = [];
    /// <summary>Nobody else writes these studies and patients from the load until the commit that names it (<see cref="CatalogChanges.DecidedOn"/>) or the state's disposal: for who
    /// met a conflict and would meet the next one. Rows that do not exist yet cannot be held. Of no effect where only one process writes.</summary>
    public bool Exclusive { get; init; }
    /// <summary>The instances are expected to be new. A catalog that is a network away may then take it for granted (<see cref="LoadedState.AssumedNew"/>) and look in the commit.</summary>
    public bool ExpectsNew { get; init; }
    /// <summary>Load <see cref="LoadedStudy.Classes"/> too.</summary>
    public bool WithClasses { get; init; }
    /// <summary>New surrogate keys wanted at most (patient, study, series, instance, blob, quarantine, conflict: 8 an item is always enough).</summary>
    public int NewKeys { get; init; }
}

/// <summary>What was there. Belongs to the caller, who disposes what was loaded exclusively.</summary>
internal sealed class LoadedState : IAsyncDisposable
{
    private long _nextKey;
    private readonly long _endKey;

    public LoadedState(long firstKey, int keys) => (_nextKey, _endKey) = (firstKey, firstKey + keys);

    /// <summary>What keeps others away; null unless <see cref="LoadRequest.Exclusive"/>.</summary>
    public IAsyncDisposable? Hold { get; init; }

    /// <summary>By Study Instance UID.</summary>
    public Dictionary<string, LoadedStudy> Studies { get; } = new(StringComparer.Ordinal);

    /// <summary>By the identifier asked for: the patient, or the survivor when it was merged.</summary>
    public Dictionary<PatientIdentifier, PatientRow> Patients { get; } = [];

    /// <summary>By SOP Instance UID: one for each study that has it.</summary>
    public Dictionary<string, List<StoredInstance>> Instances { get; } = new(StringComparer.Ordinal);

    /// <summary>SOP Instance UIDs that were not looked up. The commit that names this state fails as a version conflict of kind <c>instance</c> when any study has one of them.</summary>
    public IReadOnlyCollection<string> AssumedNew { get; init; } = [];

    /// <summary>Lets the others write again.</summary>
    public ValueTask DisposeAsync() => Hold?.DisposeAsync() ?? ValueTask.CompletedTask;

    /// <summary>A surrogate key that no row has. Keys that are not used are lost, which costs nothing.</summary>
    public long NextKey() => _nextKey < _endKey ? _nextKey++ : throw new InvalidOperationException("more keys used than LoadRequest.NewKeys asked for");
}

/// <summary>A study with its patient and its series.</summary>
internal sealed record LoadedStudy(StudyRow Study, PatientRow Patient, IReadOnlyList<SeriesRow> Series)
{
    /// <summary>How many instances of which SOP Class each series has, in the order in which the study's first of them was stored; empty unless <see cref="LoadRequest.WithClasses"/>.</summary>
    public IReadOnlyList<ClassCount> Classes { get; init; } = [];
}

/// <summary>Instances of one SOP Class in one series.</summary>
internal readonly record struct ClassCount(long SeriesKey, string SopClassUid, int Count);

/// <summary>An instance with its place in the hierarchy and its blob.</summary>
internal sealed record StoredInstance(InstanceRow Instance, InstanceLocation Location, BlobRow Blob);

/// <summary>A merge of two patients: the loser's studies and earlier losers go to the survivor, each study's version moves.</summary>
/// <param name="Loser">As read.</param>
/// <param name="Survivor">As read; not merged itself.</param>
internal sealed record PatientMerge(PatientRow Loser, PatientRow Survivor);

/// <summary>A node's lease, new or renewed. The commit fails as a version conflict of kind <c>node</c> when another session has the name and its lease is not over.</summary>
/// <param name="Row">The node, with the new end of its lease.</param>
/// <param name="Now">The time by which another's lease is over.</param>
internal sealed record NodeLease(NodeRow Row, DateTimeOffset Now);

/// <summary>A deletion: the instances move to the list of rejected ones in the commit, however many they are, and lose their headers. The commit fails as a version
/// conflict when they are not as many as the row says. Counts and rows above (ChangedStudies or RemovedStudies, ChangedSeries or RemovedSeries) are the caller's.</summary>
/// <param name="Row">The deletion.</param>
/// <param name="StudyKey">All instances of this study,</param>
/// <param name="SeriesKey">or only those of this series,</param>
/// <param name="InstanceKey">or only this one.</param>
internal sealed record NewRejection(RejectionRow Row, long StudyKey, long? SeriesKey = null, long? InstanceKey = null);

/// <summary>An instance that lies in another blob from now on, in another transfer syntax. The commit fails as a version conflict of kind <c>instance</c> when it is
/// not there any more, or not in the blob that it was read from.</summary>
/// <param name="Row">As it will be; place, encoding and image attributes are written, what it is stays.</param>
/// <param name="FromBlobKey">The blob that it lies in now.</param>
/// <param name="Header">Its new header.</param>
internal sealed record RewrittenInstance(InstanceRow Row, long FromBlobKey, HeaderRow Header);

/// <summary>Blobs of a commit that are written, and that the disk has yet to make durable. The commit does not count before they are: not for its caller, and not after a crash.</summary>
/// <param name="Blobs">They.</param>
/// <param name="BeginFlush">Has the disk begin, in the background where that can be; may block, but does not throw.</param>
/// <param name="FlushAsync">Ends when they are durable. The commit runs it once, on its own path and while its connection is taken; what it throws is thrown by the commit, and nothing is
/// written.</param>
internal sealed record UnflushedBlobs(IReadOnlyList<UnflushedBlob> Blobs, Action BeginFlush, Func<Task> FlushAsync);

/// <summary>By what a blob is known again after a crash.</summary>
/// <param name="Place">Where it lies.</param>
/// <param name="Length">Bytes.</param>
/// <param name="Digest">Of all of them, as in its row.</param>
public sealed record UnflushedBlob(BlobPlace Place, long Length, ReadOnlyMemory<byte> Digest);

/// <summary>One batch. Rows hold the values to write, counts included (they are fenced by the study's version); Version is as read.</summary>
internal sealed class CatalogChanges
{
    /// <summary>The load that these changes were decided on: the commit ends its hold and checks what it assumed. Null when it did neither.</summary>
    public LoadedState? DecidedOn { get; init; }

    /// <summary>Blobs that the rows refer to and that are not durable yet. Null when all are.</summary>
    public UnflushedBlobs? Unflushed { get; set; }

    /// <summary>Patients that must be new (by identifier).</summary>
    public List<PatientRow> NewPatients { get; } = [];
    /// <summary>Patients to rewrite where Version still holds.</summary>
    public List<PatientRow> ChangedPatients { get; } = [];
    /// <summary>Patients that must still be at this version, though they are not written: whoever puts a new study under a patient lists it here.</summary>
    public List<PatientRow> UnchangedPatients { get; } = [];
    /// <summary>Studies that must be new (by UID).</summary>
    public List<StudyRow> NewStudies { get; } = [];
    /// <summary>Studies to rewrite where Version still holds. Every study that gets or loses series or instances is here, in NewStudies or in RemovedStudies.</summary>
    public List<StudyRow> ChangedStudies { get; } = [];
    /// <summary>Studies to take out where Version still holds; their series and instances go in the same commit.</summary>
    public List<StudyRow> RemovedStudies { get; } = [];
    /// <summary>Patients that lost a study: taken out, where Version still holds, when after this commit they have no study and no other was merged into them.
    /// Their rows are locked with the other patients' rows, before any study.</summary>
    public List<PatientRow> EmptiedPatients { get; } = [];
    /// <summary>Series that must be new.</summary>
    public List<SeriesRow> NewSeries { get; } = [];
    /// <summary>Series to rewrite. Each loses its metadata block.</summary>
    public List<SeriesRow> ChangedSeries { get; } = [];
    /// <summary>Blobs that are new.</summary>
    public List<BlobRow> NewBlobs { get; } = [];
    /// <summary>Copies that are new.</summary>
    public List<BlobCopyRow> NewCopies { get; } = [];
    /// <summary>Copies that blobs are to get later, of blobs that are new or there.</summary>
    public List<WantedCopyRow> WantedCopies { get; } = [];
    /// <summary>Copies that are wanted no more, mostly because they are in NewCopies; must still be wanted.</summary>
    public List<WantedCopyRow> SettledCopies { get; } = [];
    /// <summary>Wanted copies that are to be tried again at their DueAt; left alone where they are wanted no more.</summary>
    public List<WantedCopyRow> PostponedCopies { get; } = [];
    /// <summary>Copies that take another's place in the same store, with the key that must still be the one there. Delete the old blob after the commit.</summary>
    public List<(BlobCopyRow Copy, string OldStoreKey)> ReplacedCopies { get; } = [];
    /// <summary>Instances that must be new in their study. To replace one, remove it and add the new one.</summary>
    public List<InstanceRow> NewInstances { get; } = [];
    /// <summary>Headers of new instances.</summary>
    public List<HeaderRow> NewHeaders { get; } = [];
    /// <summary>Instances that lie elsewhere from now on. Their series are in ChangedSeries, since metadata blocks name what was, and their studies in ChangedStudies, for the fence.</summary>
    public List<RewrittenInstance> RewrittenInstances { get; } = [];
    /// <summary>Blobs that others took the place of, with RetiredAt; their rows and copies stay until they are listed in RemovedBlobs.</summary>
    public List<BlobRow> RetiredBlobs { get; } = [];
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

    /// <summary>Metadata blocks of series, new or to take an older one's place. Their study is in ChangedStudies, for the fence.</summary>
    public List<MetadataBlockRow> MetadataBlocks { get; } = [];

    /// <summary>Deletions.</summary>
    public List<NewRejection> NewRejections { get; } = [];
    /// <summary>Deleted instances that are purged or restored; must still be there. Their blobs are listed in RemovedBlobs where nothing else needs them.</summary>
    public List<RejectedRow> RemovedRejected { get; } = [];
    /// <summary>Deletions that have no instance any more; must still be there.</summary>
    public List<RejectionRow> RemovedRejections { get; } = [];

    /// <summary>Reminders to set, whether they exist or not: due, payload; nobody's, attempts from 0. Who works on it at the time neither ends it nor postpones it any more.</summary>
    public List<ReminderRow> Reminders { get; } = [];
    /// <summary>Reminders to set where there is none of that id.</summary>
    public List<ReminderRow> NewReminders { get; } = [];
    /// <summary>Reminders to take out, whoever works on them.</summary>
    public List<ReminderId> CancelledReminders { get; } = [];
    /// <summary>Claimed reminders that are done: taken out where the claim still holds (LeasedBy and DueAt as claimed); where it does not, left alone.</summary>
    public List<ReminderRow> FinishedReminders { get; } = [];
    /// <summary>Claimed reminders that are to come again: <c>Until</c> takes the place of the due time, payload and attempts are written, where the claim still
    /// holds; where it does not, left alone.</summary>
    public List<(ReminderRow Claimed, DateTimeOffset Until)> PostponedReminders { get; } = [];

    /// <summary>Readers of the change feed, new or further on; one that is further already stays where it is.</summary>
    public List<ConsumerRow> Consumers { get; } = [];
    /// <summary>Readers of the change feed to forget, by name.</summary>
    public List<string> RemovedConsumers { get; } = [];
    /// <summary>Entries of the change feed up to this one are taken out; 0 for none.</summary>
    public long TrimOutboxTo { get; set; }

    /// <summary>Nodes to write.</summary>
    public List<NodeLease> Nodes { get; } = [];
    /// <summary>Nodes that ended, where the session still is this one.</summary>
    public List<NodeRow> RemovedNodes { get; } = [];

    /// <summary>Nothing to write.</summary>
    public bool IsEmpty => NewPatients.Count + ChangedPatients.Count + NewStudies.Count + ChangedStudies.Count + NewSeries.Count + ChangedSeries.Count
        + NewBlobs.Count + NewCopies.Count + WantedCopies.Count + SettledCopies.Count + PostponedCopies.Count + ReplacedCopies.Count + NewInstances.Count + NewHeaders.Count + NewConflicts.Count + NewQuarantine.Count + Outbox.Count
        + RemovedInstances.Count + RemovedSeries.Count + RemovedBlobs.Count + RemovedQuarantine.Count + ResolvedConflicts.Count
        + VerifiedCopies.Count + Merges.Count + RemovedStudies.Count + EmptiedPatients.Count + MetadataBlocks.Count + NewRejections.Count + RemovedRejected.Count
        + RemovedRejections.Count + Reminders.Count + NewReminders.Count + CancelledReminders.Count + FinishedReminders.Count + PostponedReminders.Count
        + Consumers.Count + RemovedConsumers.Count + Nodes.Count + RemovedNodes.Count + TrimOutboxTo
        + RewrittenInstances.Count + RetiredBlobs.Count == 0;

    /// <summary>After the commit: what was written need not be written again.</summary>
    public void MarkStored()
    {
        foreach (PatientRow row in NewPatients.Concat(ChangedPatients)) row.Attributes.IsStored = true;
        foreach (StudyRow row in NewStudies.Concat(ChangedStudies)) row.Attributes.IsStored = true;
        foreach (SeriesRow row in NewSeries.Concat(ChangedSeries)) row.Attributes.IsStored = true;
    }
}
