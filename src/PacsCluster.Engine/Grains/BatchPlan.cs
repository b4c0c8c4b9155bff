using PacsCluster.Catalog;

namespace PacsCluster.Engine;

/// <summary>What is to happen with a candidate's blob once its outcome is known.</summary>
internal enum BlobFate
{
    /// <summary>A row refers to it.</summary>
    Keep,
    /// <summary>Nothing refers to it, for certain.</summary>
    Delete,
    /// <summary>Whether a row refers to it is not known (the catalog went away in the middle of a commit): the sweep will look again, later.</summary>
    LeaveToSweep,
}

/// <summary>A candidate's outcome and what becomes of its blob.</summary>
internal sealed record Decision(StoreOutcome Outcome, BlobFate Fate);

/// <summary>Decides one batch and gathers its rows. Pure: it works on what was loaded, in the order of the candidates, and two runs on
/// the same input give the same.</summary>
/// <param name="loaded">What was there. The plan uses its dictionaries up.</param>
/// <param name="grains">Studies that were not loaded because they are remembered.</param>
/// <param name="isSameContent">Whether the data sets of a known instance and of a candidate have the same bytes.</param>
/// <param name="now">Time of the commit.</param>
/// <param name="quietPeriod">Time without a new instance after which a study is complete.</param>
internal sealed class BatchPlan(LoadedState loaded, IReadOnlyDictionary<string, StudyGrain> grains, Func<StoredInstance, Candidate, bool> isSameContent,
    DateTimeOffset now, TimeSpan quietPeriod)
{
    private readonly Dictionary<string, StudyState> _studies = new(StringComparer.Ordinal);
    private readonly Dictionary<PatientIdentifier, PatientState> _patients = [];
    private readonly Dictionary<long, PatientState> _patientsByKey = [];

    /// <summary>The rows; complete after <see cref="Finish"/>.</summary>
    public CatalogChanges Changes { get; } = new() { DecidedOn = loaded };

    /// <summary>What it was decided on.</summary>
    public LoadedState Loaded => loaded;

    /// <summary>Blobs whose rows go with this commit: to be deleted after it.</summary>
    public List<BlobPlace> DeadBlobs { get; } = [];

    /// <summary>Decides one candidate and adds its rows. When this throws, the plan is of no more use: plan again without that candidate.</summary>
    public Decision Decide(Candidate candidate)
    {
        StudyState study = FindStudy(candidate.StudyInstanceUid);
        PatientState? claimed = candidate.Patient is { } identifier ? FindPatient(identifier) : null;
        Verdict verdict = study.Decide(candidate, claimed, FindKnown(candidate));
        StoreOutcome outcome = Outcome(candidate, verdict);
        // The blob of what is released is known to the catalog: Discard alone decides about it.
        BlobFate unneeded = candidate.ReleasedFrom is null ? BlobFate.Delete : BlobFate.Keep;
        switch (verdict.Action)
        {
            case VerdictAction.AlreadyCommitted:
                return new Decision(outcome, BlobFate.Keep);
            case VerdictAction.Duplicate:
                if (candidate.ReleasedFrom is { } duplicate) Discard(duplicate);
                return new Decision(outcome, unneeded);
            case VerdictAction.Refuse:
                return new Decision(outcome, unneeded);
            case VerdictAction.Quarantine:
                Quarantine(candidate, verdict);
                return new Decision(outcome, BlobFate.Keep);
            default:
                if (verdict.Action == VerdictAction.Replace) Remove(study, FindKnown(candidate).InStudy!, verdict);
                Add(study, candidate, claimed, verdict);
                return new Decision(outcome, BlobFate.Keep);
        }
    }

    /// <summary>Gathers studies, series and patients once all candidates are decided.</summary>
    public CatalogChanges Finish()
    {
        foreach (StudyState study in _studies.Values)
        {
            if (!study.IsChanged) continue;
            foreach (SeriesState empty in study.TakeEmptySeries())
            {
                if (!empty.IsNew) Changes.RemovedSeries.Add(empty.Row);
            }
            (study.IsNew ? Changes.NewStudies : Changes.ChangedStudies).Add(study.Row!);
            if (study.BeginsToReceive) Changes.Reminders.Add(StudyCompletion.ReminderOf(study.StudyInstanceUid, now + quietPeriod));
            foreach (SeriesState series in study.Series)
            {
                if (series.IsChanged) (series.IsNew ? Changes.NewSeries : Changes.ChangedSeries).Add(series.Row);
            }
        }
        foreach (PatientState patient in _patientsByKey.Values)
        {
            if (patient.IsNew)
            {
                if (patient.HasNewStudy) Changes.NewPatients.Add(patient.Row);
            }
            else if (patient.IsChanged) Changes.ChangedPatients.Add(patient.Row);
            else if (patient.HasNewStudy) Changes.UnchangedPatients.Add(patient.Row);
        }
        return Changes;
    }

    /// <summary>The grains as the commit leaves them.</summary>
    public IEnumerable<StudyGrain> GrainsAfterCommit()
    {
        foreach (StudyState study in _studies.Values)
        {
            if (study.Row is null || study.Patient is null) continue;
            PatientState patient = study.Patient;
            yield return new StudyGrain(
                study.Row with { Version = study.Row.Version + (study.IsChanged ? 1 : 0) },
                patient.Row with { Version = patient.Row.Version + (patient.IsNew || patient.IsChanged ? 1 : 0) },
                [.. study.Series.Select(s => s.Row)], study.Flagged);
        }
    }

    private StudyState FindStudy(string uid)
    {
        if (_studies.TryGetValue(uid, out StudyState? study)) return study;
        if (loaded.Studies.TryGetValue(uid, out LoadedStudy? row)) study = new StudyState(uid, row.Study, PatientOf(row.Patient), row.Series);
        else if (grains.TryGetValue(uid, out StudyGrain? grain)) study = new StudyState(uid, grain.Study, PatientOf(grain.Patient), grain.Series, grain.Flagged);
        else study = new StudyState(uid, null, null, []);
        _studies.Add(uid, study);
        return study;
    }

    private PatientState? FindPatient(PatientIdentifier identifier)
    {
        if (_patients.TryGetValue(identifier, out PatientState? patient)) return patient;
        if (!loaded.Patients.TryGetValue(identifier, out PatientRow? row)) return null;
        patient = PatientOf(row);
        _patients[identifier] = patient;
        return patient;
    }

    // One patient may be reached by several identifiers and several studies of a batch; its changes must meet in one place.
    private PatientState PatientOf(PatientRow row)
    {
        if (_patientsByKey.TryGetValue(row.Key, out PatientState? patient)) return patient;
        patient = new PatientState(row);
        _patientsByKey.Add(row.Key, patient);
        if (row.Identifier is { } identifier) _patients.TryAdd(identifier, patient);
        return patient;
    }

    private PatientState NewPatient(Candidate candidate)
    {
        PatientState patient = PatientState.New(candidate, loaded.NextKey(), now);
        _patientsByKey.Add(patient.Row.Key, patient);
        if (candidate.Patient is { } identifier) _patients[identifier] = patient;
        return patient;
    }

    private KnownInstance FindKnown(Candidate candidate)
    {
        if (candidate.SopInstanceUid.Length == 0 || !loaded.Instances.TryGetValue(candidate.SopInstanceUid, out List<StoredInstance>? known)) return default;
        StoredInstance? here = null, elsewhere = null;
        foreach (StoredInstance one in known)
        {
            if (one.Location.StudyInstanceUid == candidate.StudyInstanceUid) here = one;
            else elsewhere ??= one;
        }
        return new KnownInstance(here, here is not null && isSameContent(here, candidate), elsewhere);
    }

    private void Add(StudyState study, Candidate candidate, PatientState? claimed, Verdict verdict)
    {
        (StudyRow studyRow, SeriesRow seriesRow) = study.Add(candidate, () => claimed ?? NewPatient(candidate), loaded.NextKey, now);
        BlobRow blob = BlobOf(candidate);
        var instance = new InstanceRow
        {
            Key = loaded.NextKey(),
            SeriesKey = seriesRow.Key,
            StudyKey = studyRow.Key,
            SopInstanceUid = candidate.SopInstanceUid,
            SopClassUid = candidate.SopClassUid,
            TransferSyntaxUid = candidate.TransferSyntaxUid,
            BlobKey = blob.Key,
            Length = candidate.Length,
            DataSetOffset = candidate.DataSetOffset,
            PixelDataOffset = candidate.PixelDataOffset,
            Attributes = candidate.InstanceAttributes,
            ReceivedAt = candidate.ReceivedAt,
            Source = candidate.Source,
        };
        Changes.NewInstances.Add(instance);
        Changes.NewHeaders.Add(new HeaderRow(instance.Key, candidate.HeaderEncoding, candidate.Header, candidate.Frames));
        candidate.ReleasedFrom?.TakeOut(Changes);
        foreach (Finding finding in verdict.Findings)
        {
            if (study.Flag(finding)) Changes.NewConflicts.Add(Conflict(candidate, finding));
        }
        Changes.Outbox.Add(Event(verdict.Action == VerdictAction.Replace ? Events.InstanceReplaced : candidate.ReleasedFrom?.Event ?? Events.InstanceStored, candidate));
        Remember(candidate, instance, blob);
    }

    // The next candidate of this batch may have the same UID.
    private void Remember(Candidate candidate, InstanceRow instance, BlobRow blob)
    {
        if (!loaded.Instances.TryGetValue(candidate.SopInstanceUid, out List<StoredInstance>? known)) loaded.Instances[candidate.SopInstanceUid] = known = [];
        known.Add(new StoredInstance(instance, new InstanceLocation
        {
            InstanceKey = instance.Key,
            SopClassUid = instance.SopClassUid,
            SopInstanceUid = instance.SopInstanceUid,
            StudyInstanceUid = candidate.StudyInstanceUid,
            SeriesInstanceUid = candidate.SeriesInstanceUid,
            TransferSyntaxUid = instance.TransferSyntaxUid,
            Store = candidate.Place.Store,
            StoreKey = candidate.Place.Key,
            MoreCopies = candidate.MoreCopies,
            Offset = instance.Offset,
            Length = instance.Length,
            DataSetOffset = instance.DataSetOffset,
            PixelDataOffset = instance.PixelDataOffset,
            NumberOfFrames = 1,
        }, blob));
    }

    private void Remove(StudyState study, StoredInstance old, Verdict verdict)
    {
        study.Remove(old, now);
        loaded.Instances[old.Instance.SopInstanceUid].Remove(old);
        int added = Changes.NewInstances.FindIndex(i => i.Key == old.Instance.Key);
        if (added >= 0)
        {
            // It came in this very batch: it was never there, only its blob is.
            Changes.NewInstances.RemoveAt(added);
            Changes.NewHeaders.RemoveAll(h => h.InstanceKey == old.Instance.Key);
        }
        else Changes.RemovedInstances.Add(old.Instance);
        Changes.NewQuarantine.Add(new QuarantineRow
        {
            Key = loaded.NextKey(),
            Reason = verdict.Reason,
            StudyInstanceUid = old.Location.StudyInstanceUid,
            SeriesInstanceUid = old.Location.SeriesInstanceUid,
            SopInstanceUid = old.Instance.SopInstanceUid,
            SopClassUid = old.Instance.SopClassUid,
            TransferSyntaxUid = old.Instance.TransferSyntaxUid,
            BlobKey = old.Blob.Key,
            Detail = verdict.Detail,
            Source = old.Instance.Source,
            ReceivedAt = old.Instance.ReceivedAt,
        });
    }

    private void Quarantine(Candidate candidate, Verdict verdict)
    {
        // What is released and does not fit yet stays where it is.
        if (candidate.ReleasedFrom is not null) return;
        Changes.NewQuarantine.Add(new QuarantineRow
        {
            Key = loaded.NextKey(),
            Reason = verdict.Reason,
            StudyInstanceUid = candidate.StudyInstanceUid,
            SeriesInstanceUid = candidate.SeriesInstanceUid,
            SopInstanceUid = candidate.SopInstanceUid,
            SopClassUid = candidate.SopClassUid,
            TransferSyntaxUid = candidate.TransferSyntaxUid,
            BlobKey = BlobOf(candidate).Key,
            Detail = verdict.Detail,
            Source = candidate.Source,
            ReceivedAt = candidate.ReceivedAt,
        });
    }

    private void Discard(HeldInstance held)
    {
        held.TakeOut(Changes);
        if (held.IsBlobShared) return;
        Changes.RemovedBlobs.Add(held.Blob);
        DeadBlobs.AddRange(held.Copies.Select(c => c.Place));
    }

    private BlobRow BlobOf(Candidate candidate)
    {
        if (candidate.ReleasedFrom is { } held) return held.Blob;
        var blob = new BlobRow(loaded.NextKey(), candidate.Length, candidate.Digest, candidate.ReceivedAt);
        Changes.NewBlobs.Add(blob);
        Changes.NewCopies.Add(new BlobCopyRow(blob.Key, candidate.Place.Store, candidate.Place.Key));
        foreach (BlobPlace copy in candidate.MoreCopies) Changes.NewCopies.Add(new BlobCopyRow(blob.Key, copy.Store, copy.Key));
        foreach (string store in candidate.LaterCopies) Changes.WantedCopies.Add(new WantedCopyRow(blob.Key, store, now));
        return blob;
    }

    private ConflictRow Conflict(Candidate candidate, Finding finding) => new()
    {
        Key = loaded.NextKey(),
        Kind = finding.Kind,
        StudyInstanceUid = candidate.StudyInstanceUid,
        SopInstanceUid = candidate.SopInstanceUid,
        Detail = finding.Detail,
        Source = candidate.Source,
        CreatedAt = now,
    };

    private OutboxRow Event(string kind, Candidate candidate) => new()
    {
        Kind = kind,
        StudyInstanceUid = candidate.StudyInstanceUid,
        SeriesInstanceUid = candidate.SeriesInstanceUid,
        SopInstanceUid = candidate.SopInstanceUid,
        CreatedAt = now,
    };

    private static StoreOutcome Outcome(Candidate candidate, Verdict verdict) => new()
    {
        Kind = verdict.Action switch
        {
            VerdictAction.Add or VerdictAction.AlreadyCommitted => StoreOutcomeKind.Stored,
            VerdictAction.Replace => StoreOutcomeKind.Replaced,
            VerdictAction.Duplicate => StoreOutcomeKind.Duplicate,
            VerdictAction.Quarantine => StoreOutcomeKind.Quarantined,
            _ => verdict.Refusal,
        },
        Warning = verdict.Action is VerdictAction.Add or VerdictAction.Replace or VerdictAction.AlreadyCommitted ? candidate.Warning : StoreWarning.None,
        Comment = verdict.Comment,
        Offending = verdict.Offending,
        SopClassUid = NullIfEmpty(candidate.SopClassUid),
        SopInstanceUid = NullIfEmpty(candidate.SopInstanceUid),
        StudyInstanceUid = NullIfEmpty(candidate.StudyInstanceUid),
        SeriesInstanceUid = NullIfEmpty(candidate.SeriesInstanceUid),
    };

    private static string? NullIfEmpty(string text) => text.Length == 0 ? null : text;
}
