using PacsCluster.Catalog;
using PacsCluster.Dicom;

namespace PacsCluster.Engine;

/// <summary>What a header says of itself, before any study is looked at.</summary>
internal sealed record Judgement
{
    /// <summary>Trimmed; empty when missing.</summary>
    public string SopClassUid { get; init; } = "";
    /// <summary>Trimmed; empty when missing.</summary>
    public string SopInstanceUid { get; init; } = "";
    /// <summary>Trimmed; empty when missing.</summary>
    public string StudyInstanceUid { get; init; } = "";
    /// <summary>Trimmed; empty when missing.</summary>
    public string SeriesInstanceUid { get; init; } = "";
    /// <summary>Not to be stored; the outcome. Null in general.</summary>
    public StoreOutcome? Refusal { get; init; }
    /// <summary>To quarantine, for this reason. Null in general.</summary>
    public string? QuarantineReason { get; init; }
    /// <summary>For the sender when it is stored.</summary>
    public StoreWarning Warning { get; init; }
    /// <summary>For the sender.</summary>
    public string? Comment { get; init; }
}

/// <summary>The blob that holds a candidate.</summary>
/// <param name="StoreKey">Key in the store.</param>
/// <param name="Length">Bytes.</param>
/// <param name="DataSetOffset">First byte of the data set.</param>
/// <param name="Digest">Of all of it; see <see cref="BlobDigest"/>.</param>
internal sealed record WrittenBlob(string StoreKey, long Length, int DataSetOffset, ReadOnlyMemory<byte> Digest);

/// <summary>Makes a <see cref="Candidate"/> of a header: C-27 and C-35, and the columns. Pure.</summary>
internal static class CandidateReader
{
    private static readonly Tag s_sopClassUid = new(0x00080016), s_sopInstanceUid = new(0x00080018), s_study = new(0x0020000D), s_series = new(0x0020000E);
    private static readonly Tag s_patientId = new(0x00100020), s_issuer = new(0x00100021), s_otherPatientIds = new(0x00101000), s_otherPatientIdsSequence = new(0x00101002);

    /// <summary>Longest Patient ID or issuer kept as a key, in characters; LO allows 64. Longer ones are cut: they are no key to anything else.</summary>
    private const int IdentifierMax = 256;

    /// <summary>Patient IDs beside the first that are kept at most.</summary>
    private const int OtherIdentifiersMax = 64;

    /// <summary>Judges the UIDs, against the request and by themselves.</summary>
    public static Judgement Judge(DataSet header, StoreOrigin origin, StorePolicy policy)
    {
        string? sopClass = UidCheck.Trim(header.GetString(s_sopClassUid)), sopInstance = UidCheck.Trim(header.GetString(s_sopInstanceUid));
        string? study = UidCheck.Trim(header.GetString(s_study)), series = UidCheck.Trim(header.GetString(s_series));
        string? askedClass = UidCheck.Trim(origin.AffectedSopClassUid), askedInstance = UidCheck.Trim(origin.AffectedSopInstanceUid);
        var judgement = new Judgement
        {
            SopClassUid = Usable(sopClass),
            SopInstanceUid = Usable(sopInstance),
            StudyInstanceUid = Usable(study),
            SeriesInstanceUid = Usable(series),
        };
        (Tag Tag, string? Uid)[] uids = [(s_sopClassUid, sopClass), (s_sopInstanceUid, sopInstance), (s_study, study), (s_series, series)];
        // With none of the four it is no image of anybody: text that happens to parse, an empty data set.
        if (uids.All(u => u.Uid is null)) return Refuse(judgement, StoreOutcomeKind.CannotUnderstand, "no UID of class, instance, study or series", s_sopInstanceUid);
        if (origin.StudyInstanceUid is { } asked && asked != study) return Refuse(judgement, StoreOutcomeKind.DataSetMismatch, "not of the study that the request is for", s_study);
        foreach ((Tag tag, string? uid) in uids)
        {
            if (UidCheck.Judge(uid) != UidHealth.Missing) continue;
            if (policy.MissingUid == MisfitPolicy.Refuse) return Refuse(judgement, StoreOutcomeKind.CannotUnderstand, $"no usable UID in {tag}", tag);
            return judgement with { QuarantineReason = Reasons.MissingUid, Comment = $"no usable UID in {tag}: kept in quarantine" };
        }
        foreach ((Tag tag, string? uid) in uids)
        {
            if (UidCheck.Judge(uid) == UidHealth.Good || policy.BadUid == MisfitPolicy.Store) continue;
            if (policy.BadUid == MisfitPolicy.Refuse) return Refuse(judgement, StoreOutcomeKind.CannotUnderstand, $"bad UID in {tag}", tag);
            return judgement with { QuarantineReason = Reasons.BadUid, Comment = $"bad UID in {tag}: kept in quarantine" };
        }
        Tag? differs = askedClass is not null && askedClass != sopClass ? s_sopClassUid : askedInstance is not null && askedInstance != sopInstance ? s_sopInstanceUid : null;
        if (differs is not { } different) return judgement;
        return policy.RequestMismatch switch
        {
            MisfitPolicy.Refuse => Refuse(judgement, StoreOutcomeKind.DataSetMismatch, $"{different} is not what the request says", different),
            MisfitPolicy.Quarantine => judgement with { QuarantineReason = Reasons.RequestMismatch, Comment = $"{different} unlike the request: kept in quarantine" },
            _ => judgement with { Warning = StoreWarning.DoesNotMatchSopClass, Comment = $"{different} is not what the request says" },
        };
    }

    /// <summary>Takes the columns out and puts everything together.</summary>
    public static Candidate Read(Judgement judged, PushReader reader, WrittenBlob blob, StoreOrigin origin, StorePolicy policy, DateTimeOffset now)
    {
        DataSet header = reader.Header;
        (HeaderEncoding encoding, ReadOnlyMemory<byte> bytes) = Pack(reader.HeaderBytes);
        return new Candidate
        {
            SopClassUid = judged.SopClassUid,
            SopInstanceUid = judged.SopInstanceUid,
            StudyInstanceUid = judged.StudyInstanceUid,
            SeriesInstanceUid = judged.SeriesInstanceUid,
            QuarantineReason = judged.QuarantineReason,
            Warning = judged.Warning,
            Comment = judged.Comment,
            TransferSyntaxUid = origin.TransferSyntax.Uid,
            Patient = Identifier(header),
            OtherPatients = ReadOtherPatients(header),
            PatientAttributes = AttributeValues.Read(header, QueryLevel.Patient),
            StudyAttributes = AttributeValues.Read(header, QueryLevel.Study),
            SeriesAttributes = AttributeValues.Read(header, QueryLevel.Series),
            InstanceAttributes = AttributeValues.Read(header, QueryLevel.Image),
            StoreKey = blob.StoreKey,
            Length = blob.Length,
            DataSetOffset = blob.DataSetOffset,
            Digest = blob.Digest,
            PixelDataOffset = reader.PixelDataOffset,
            Header = bytes,
            HeaderEncoding = encoding,
            Frames = InstanceLayout.Pack(origin.TransferSyntax.IsEncapsulated ? reader.Frames : [], reader.Bulk),
            Policy = policy,
            Source = origin.CallingAETitle.Length > 0 ? origin.CallingAETitle : origin.RemoteAddress,
            ReceivedAt = now,
        };
    }

    private static List<PatientIdentifier> ReadOtherPatients(DataSet header)
    {
        List<PatientIdentifier>? others = null;
        PatientIdentifier? own = Identifier(header);
        if (header.Contains(s_otherPatientIdsSequence))
        {
            foreach (DataSet item in header.GetItems(s_otherPatientIdsSequence))
            {
                if (Identifier(item) is { } identifier) Take(identifier);
            }
        }
        if (header.Contains(s_otherPatientIds))
        {
            foreach (string id in header.GetStrings(s_otherPatientIds))
            {
                if (Clean(id) is { } clean) Take(new PatientIdentifier(clean));
            }
        }
        return others ?? [];

        void Take(PatientIdentifier identifier)
        {
            others ??= [];
            if (others.Count < OtherIdentifiersMax && identifier != own && !others.Contains(identifier)) others.Add(identifier);
        }
    }

    private static PatientIdentifier? Identifier(DataSet dataSet) =>
        Clean(dataSet.GetString(s_patientId)) is { } id ? new PatientIdentifier(id, Clean(dataSet.GetString(s_issuer)) ?? "") : null;

    private static string? Clean(string? text)
    {
        if (text is null) return null;
        text = text.Replace("\0", "", StringComparison.Ordinal).Trim();
        if (text.Length > IdentifierMax) text = text[..IdentifierMax];
        return text.Length == 0 ? null : text;
    }

    private static string Usable(string? uid) => UidCheck.Judge(uid) == UidHealth.Missing ? "" : uid!;

    // Headers of single images have some 3 KB, and packing one costs more time than the commit saves; those of enhanced objects have
    // 100 KB to many MB of repetitive functional groups and shrink by a factor of ten.
    private static (HeaderEncoding, ReadOnlyMemory<byte>) Pack(ReadOnlyMemory<byte> header)
    {
        const int Worthwhile = 32 * 1024;
        if (header.Length < Worthwhile) return (HeaderEncoding.Raw, header);
        using var packed = new MemoryStream(header.Length / 4);
        using (var deflate = new System.IO.Compression.DeflateStream(packed, System.IO.Compression.CompressionLevel.Fastest, leaveOpen: true)) deflate.Write(header.Span);
        return packed.Length < header.Length ? (HeaderEncoding.Deflate, packed.GetBuffer().AsMemory(0, (int)packed.Length)) : (HeaderEncoding.Raw, header);
    }

    private static Judgement Refuse(Judgement judgement, StoreOutcomeKind kind, string comment, Tag offending) => judgement with
    {
        Refusal = new StoreOutcome
        {
            Kind = kind,
            Comment = comment,
            Offending = offending,
            SopClassUid = judgement.SopClassUid.Length > 0 ? judgement.SopClassUid : null,
            SopInstanceUid = judgement.SopInstanceUid.Length > 0 ? judgement.SopInstanceUid : null,
            StudyInstanceUid = judgement.StudyInstanceUid.Length > 0 ? judgement.StudyInstanceUid : null,
            SeriesInstanceUid = judgement.SeriesInstanceUid.Length > 0 ? judgement.SeriesInstanceUid : null,
        },
    };
}
