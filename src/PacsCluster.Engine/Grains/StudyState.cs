using PacsCluster.Catalog;
using PacsCluster.Dicom;

namespace PacsCluster.Engine;

/// <summary>A study while a batch is decided: rows as read, and what the batch makes of them. <see cref="Decide"/> holds all rules of C-32 to C-35
/// and changes nothing; <see cref="Add"/> and <see cref="Remove"/> keep rows and counts. Pure; belongs to one batch.</summary>
internal sealed class StudyState
{
    private static readonly Tag s_patientId = new(0x00100020), s_sopInstanceUid = new(0x00080018), s_modality = new(0x00080060);

    private readonly Dictionary<string, SeriesState> _series = new(StringComparer.Ordinal);
    private readonly HashSet<string> _flagged;

    /// <summary>A study that was read, or null rows for one that nobody knew.</summary>
    /// <param name="studyInstanceUid">(0020,000D).</param>
    /// <param name="row">Its row.</param>
    /// <param name="patient">Its patient.</param>
    /// <param name="series">Its series.</param>
    /// <param name="flagged">Findings that are listed already, as far as remembered.</param>
    public StudyState(string studyInstanceUid, StudyRow? row, PatientState? patient, IEnumerable<SeriesRow> series, IEnumerable<string>? flagged = null)
    {
        StudyInstanceUid = studyInstanceUid;
        Row = row;
        Patient = patient;
        IsNew = row is null;
        _flagged = flagged is null ? new(StringComparer.Ordinal) : new(flagged, StringComparer.Ordinal);
        foreach (SeriesRow one in series) _series.Add(one.SeriesInstanceUid, new SeriesState(one, isNew: false));
    }

    /// <summary>(0020,000D).</summary>
    public string StudyInstanceUid { get; }

    /// <summary>As it will be; null while nothing was added to a new study.</summary>
    public StudyRow? Row { get; private set; }

    /// <summary>Its patient; null while nothing was added to a new study.</summary>
    public PatientState? Patient { get; private set; }

    /// <summary>Not in the catalog yet.</summary>
    public bool IsNew { get; }

    /// <summary>To be written.</summary>
    public bool IsChanged { get; private set; }

    /// <summary>New, or complete until now: something must complete it when nothing more comes.</summary>
    public bool BeginsToReceive { get; private set; }

    /// <summary>Its series.</summary>
    public IReadOnlyCollection<SeriesState> Series => _series.Values;

    /// <summary>Findings that were listed.</summary>
    public IReadOnlyCollection<string> Flagged => _flagged;

    /// <summary>Decides on one candidate.</summary>
    /// <param name="candidate">The candidate, of this study.</param>
    /// <param name="claimed">The patient that has the candidate's identifier, if one is known.</param>
    /// <param name="known">What is known of its SOP Instance UID.</param>
    public Verdict Decide(Candidate candidate, PatientState? claimed, KnownInstance known)
    {
        if (known.InStudy is { } there)
        {
            if (there.Location.IsAt(candidate.Place)) return new Verdict(VerdictAction.AlreadyCommitted);
            if (known.HasSameContent) return new Verdict(VerdictAction.Duplicate);
        }
        if (candidate.QuarantineReason is { } reason)
            return new Verdict(VerdictAction.Quarantine) { Reason = reason, Comment = candidate.Comment ?? "kept in quarantine" };
        if (known.InStudy is { } first) return DecideOtherContent(candidate, first);

        var findings = new List<Finding>(0);
        if (known.Elsewhere is { } elsewhere && DecideClash(candidate, elsewhere, findings) is { } clash) return clash;
        if (candidate.Patient is null && DecideMissingPatientId(candidate) is { } missing) return missing;
        if (DecidePatient(candidate, claimed, findings) is { } misfit) return misfit;
        return new Verdict(VerdictAction.Add) { Comment = candidate.Comment, Findings = findings };
    }

    // UIDs are unique within a study: whether the newcomer says another series or not, only one of the two can be found by its UID.
    private static Verdict DecideOtherContent(Candidate candidate, StoredInstance first)
    {
        bool sameSeries = first.Location.SeriesInstanceUid == candidate.SeriesInstanceUid;
        string detail = sameSeries
            ? $"known since {first.Instance.ReceivedAt:u} from '{first.Instance.Source}'"
            : $"known in series {first.Location.SeriesInstanceUid} since {first.Instance.ReceivedAt:u} from '{first.Instance.Source}'";
        string reason = sameSeries ? Reasons.OtherContent : Reasons.UidClash;
        if (!sameSeries && candidate.Policy.SopInstanceClash == ClashPolicy.Refuse)
            return Refuse(StoreOutcomeKind.RefusedDuplicate, "SOP Instance UID is known in another series", s_sopInstanceUid);
        DifferentContentPolicy policy = !sameSeries && candidate.Policy.SopInstanceClash == ClashPolicy.Quarantine
            ? DifferentContentPolicy.KeepFirst : candidate.Policy.DifferentContent;
        return policy switch
        {
            DifferentContentPolicy.Refuse => Refuse(StoreOutcomeKind.RefusedDuplicate, "SOP Instance is known with other content", s_sopInstanceUid),
            DifferentContentPolicy.Replace => Replace(),
            DifferentContentPolicy.ReplaceFromSameSource when first.Instance.Source == candidate.Source => Replace(),
            _ => new Verdict(VerdictAction.Quarantine)
            {
                Reason = reason,
                Comment = sameSeries ? "SOP Instance known with other content: kept in quarantine" : "SOP Instance known in other series: kept in quarantine",
                Offending = s_sopInstanceUid,
                Detail = detail,
            },
        };
        Verdict Replace() => new(VerdictAction.Replace)
        {
            Reason = Reasons.Replaced,
            Comment = "replaced the SOP Instance known with other content",
            Detail = $"replaced by a newcomer from '{candidate.Source}'",
        };
    }

    private static Verdict? DecideClash(Candidate candidate, StoredInstance elsewhere, List<Finding> findings)
    {
        string detail = $"also in study {elsewhere.Location.StudyInstanceUid}, series {elsewhere.Location.SeriesInstanceUid}, since {elsewhere.Instance.ReceivedAt:u} from '{elsewhere.Instance.Source}'";
        switch (candidate.Policy.SopInstanceClash)
        {
            case ClashPolicy.Refuse:
                return Refuse(StoreOutcomeKind.RefusedDuplicate, "SOP Instance UID is known in another study", s_sopInstanceUid);
            case ClashPolicy.Quarantine:
                return new Verdict(VerdictAction.Quarantine)
                {
                    Reason = Reasons.UidClash,
                    Comment = "SOP Instance known in other study: kept in quarantine",
                    Offending = s_sopInstanceUid,
                    Detail = detail,
                };
            default:
                findings.Add(new Finding(Reasons.UidClash, detail, IsOfInstance: true));
                return null;
        }
    }

    private static Verdict? DecideMissingPatientId(Candidate candidate) => candidate.Policy.MissingPatientId switch
    {
        MisfitPolicy.Refuse => Refuse(StoreOutcomeKind.RefusedByPolicy, "no Patient ID", s_patientId),
        MisfitPolicy.Quarantine => new Verdict(VerdictAction.Quarantine)
        {
            Reason = Reasons.NoPatientId,
            Comment = "no Patient ID: kept in quarantine",
            Offending = s_patientId,
        },
        _ => null,
    };

    private Verdict? DecidePatient(Candidate candidate, PatientState? claimed, List<Finding> findings)
    {
        if (Patient is null)
        {
            if (claimed?.FindContradiction(candidate.PatientAttributes) is { } contradiction) findings.Add(new Finding(Reasons.PatientIdentity, contradiction, false));
            return null;
        }
        // An instance that names nobody contradicts nobody. A merged patient's old ID leads to the survivor: claimed is the study's own patient then.
        bool isSame = candidate.Patient is not { } identifier || Patient.Answers(identifier) || (claimed is not null && claimed.Row.Key == Patient.Row.Key);
        if (isSame)
        {
            if (Patient.FindContradiction(candidate.PatientAttributes) is { } contradiction) findings.Add(new Finding(Reasons.PatientIdentity, contradiction, false));
            return null;
        }
        string detail = $"known: {PatientState.Describe(Patient.Row.Identifier, Patient.Row.Attributes)}; sent: {PatientState.Describe(candidate.Patient, candidate.PatientAttributes)}";
        switch (candidate.Policy.OtherPatient)
        {
            case MisfitPolicy.Refuse:
                return Refuse(StoreOutcomeKind.RefusedByPolicy, "the study is known for another patient", s_patientId);
            case MisfitPolicy.Quarantine:
                return new Verdict(VerdictAction.Quarantine)
                {
                    Reason = Reasons.OtherPatient,
                    Comment = "study known for other patient: kept in quarantine",
                    Offending = s_patientId,
                    Detail = detail,
                };
            default:
                findings.Add(new Finding(Reasons.OtherPatient, detail, IsOfInstance: false));
                return null;
        }
    }

    private static Verdict Refuse(StoreOutcomeKind kind, string comment, Tag offending) =>
        new(VerdictAction.Refuse) { Refusal = kind, Comment = comment, Offending = offending };

    /// <summary>Says whether a finding is to be listed now. One that concerns the study is listed once for each thing it says, so that
    /// 5,000 slices with another name are one entry.</summary>
    public bool Flag(Finding finding)
    {
        if (finding.IsOfInstance) return true;
        if (_flagged.Count >= 64) _flagged.Clear();
        return _flagged.Add($"{finding.Kind}\n{finding.Detail}");
    }

    /// <summary>Counts a candidate in; gives its study and series keys.</summary>
    /// <param name="candidate">The candidate, decided to be added.</param>
    /// <param name="patient">Where a new study hangs; looked at only then.</param>
    /// <param name="nextKey">New surrogate keys.</param>
    /// <param name="now">Time of the commit.</param>
    public (StudyRow Study, SeriesRow Series) Add(Candidate candidate, Func<PatientState> patient, Func<long> nextKey, DateTimeOffset now)
    {
        if (Row is not { Status: StudyStatus.Receiving }) BeginsToReceive = true;
        if (Row is null)
        {
            Patient = patient();
            Patient.HasNewStudy = true;
            Row = new StudyRow
            {
                Key = nextKey(),
                PatientKey = Patient.Row.Key,
                StudyInstanceUid = StudyInstanceUid,
                Attributes = candidate.StudyAttributes,
                CreatedAt = now,
            };
        }
        if (!_series.TryGetValue(candidate.SeriesInstanceUid, out SeriesState? series))
        {
            series = new SeriesState(new SeriesRow
            {
                Key = nextKey(),
                StudyKey = Row.Key,
                SeriesInstanceUid = candidate.SeriesInstanceUid,
                Attributes = candidate.SeriesAttributes,
                CreatedAt = now,
            }, isNew: true);
            _series.Add(candidate.SeriesInstanceUid, series);
            Row = Row with { SeriesCount = Row.SeriesCount + 1 };
        }
        Row = Row with
        {
            Attributes = Filled(Row.Attributes, candidate.StudyAttributes),
            ModalitiesInStudy = With(Row.ModalitiesInStudy, candidate.SeriesAttributes[s_modality]),
            SopClassesInStudy = With(Row.SopClassesInStudy, candidate.SopClassUid),
            InstanceCount = Row.InstanceCount + 1,
            Status = StudyStatus.Receiving,
            UpdatedAt = now,
        };
        series.Change(series.Row with
        {
            Attributes = Filled(series.Row.Attributes, candidate.SeriesAttributes),
            InstanceCount = series.Row.InstanceCount + 1,
            UpdatedAt = now,
        });
        // Only a study's own patient is filled: what came under another patient's name must not become this one's.
        if (candidate.Patient is not { } identifier || Patient!.Answers(identifier)) Patient!.Fill(candidate, now);
        IsChanged = true;
        return (Row, series.Row);
    }

    /// <summary>Counts an instance out; its series goes when it was the last.</summary>
    public void Remove(StoredInstance instance, DateTimeOffset now)
    {
        SeriesState series = _series[instance.Location.SeriesInstanceUid];
        series.Change(series.Row with { InstanceCount = series.Row.InstanceCount - 1, UpdatedAt = now });
        Row = Row! with { InstanceCount = Row.InstanceCount - 1, UpdatedAt = now };
        IsChanged = true;
    }

    /// <summary>Takes series out that lost their last instance; after all of a batch was decided, since another may have come back.</summary>
    public List<SeriesState> TakeEmptySeries()
    {
        List<SeriesState> empty = [.. _series.Values.Where(s => s.Row.InstanceCount == 0)];
        foreach (SeriesState series in empty) _series.Remove(series.Row.SeriesInstanceUid);
        if (empty.Count > 0) Row = Row! with { SeriesCount = Row.SeriesCount - empty.Count };
        return empty;
    }

    // Equal values are the rule (every slice of a study says the same), and then the old object is kept.
    private static AttributeValues Filled(AttributeValues known, AttributeValues sent)
    {
        if (known.Equals(sent)) return known;
        AttributeValues filled = known.FillFrom(sent);
        return filled.Equals(known) ? known : filled;
    }

    private static IReadOnlyList<string> With(IReadOnlyList<string> known, string? one) =>
        string.IsNullOrEmpty(one) || known.Contains(one) ? known : [.. known, one];
}

/// <summary>A series while a batch is decided.</summary>
internal sealed class SeriesState(SeriesRow row, bool isNew)
{
    /// <summary>As it will be.</summary>
    public SeriesRow Row { get; private set; } = row;

    /// <summary>Not in the catalog yet.</summary>
    public bool IsNew { get; } = isNew;

    /// <summary>To be written.</summary>
    public bool IsChanged { get; private set; }

    /// <summary>Sets the row to write.</summary>
    public void Change(SeriesRow row) => (Row, IsChanged) = (row, true);
}
