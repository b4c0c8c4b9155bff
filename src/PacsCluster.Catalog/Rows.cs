using System.Globalization;
using PacsCluster.Dicom;

namespace PacsCluster.Catalog;

// The rows are the model: what the engine decides on is what lies in the tables. Keys are surrogate 64-bit numbers of one sequence for all
// tables, given out by LoadedState.NextKey. Times are kept to the millisecond. UIDs and identifiers come trimmed of padding.

/// <summary>A Patient ID and who issued it.</summary>
/// <param name="Id">(0010,0020), not empty.</param>
/// <param name="Issuer">(0010,0021); empty when not said.</param>
public readonly record struct PatientIdentifier(string Id, string Issuer = "");

/// <summary>A patient. Its identifiers lie in a table of their own: <see cref="Identifier"/> identifies it (unique), the others only help to find it.
/// Numbers of studies, series and instances are not kept here but summed from its studies, so that storing into one study never touches
/// a row that another study needs.</summary>
public sealed record PatientRow
{
    /// <summary>Surrogate key.</summary>
    public required long Key { get; init; }
    /// <summary>The identifier that is unique among patients; null for a patient without Patient ID (never found by another's).</summary>
    public PatientIdentifier? Identifier { get; init; }
    /// <summary>Other Patient IDs Sequence (0010,1002) and Other Patient IDs (0010,1000): found by, not identified by.</summary>
    public IReadOnlyList<PatientIdentifier> OtherIdentifiers { get; init; } = [];
    /// <summary>Columns of the patient level.</summary>
    public required AttributeValues Attributes { get; init; }
    /// <summary>The survivor, when this patient was merged into another; survivors are never merged themselves (chains are flattened).</summary>
    public long? MergedInto { get; init; }
    /// <summary>As read; 0 for a new row.</summary>
    public long Version { get; init; }
    /// <summary>When the row was made.</summary>
    public DateTimeOffset CreatedAt { get; init; }
    /// <summary>When the row last changed.</summary>
    public DateTimeOffset UpdatedAt { get; init; }
}

/// <summary>Where a study is in its life.</summary>
public enum StudyStatus
{
    /// <summary>Instances may still come.</summary>
    Receiving = 0,
    /// <summary>Quiet long enough, or said to be complete.</summary>
    Complete = 1,
}

/// <summary>A study, with what a search at study level needs of its series kept on it.</summary>
public sealed record StudyRow
{
    /// <summary>Surrogate key.</summary>
    public required long Key { get; init; }
    /// <summary>The patient (always a survivor of merges).</summary>
    public required long PatientKey { get; init; }
    /// <summary>(0020,000D), unique.</summary>
    public required string StudyInstanceUid { get; init; }
    /// <summary>Columns of the study level.</summary>
    public required AttributeValues Attributes { get; init; }
    /// <summary>(0008,0061) Modalities in Study: distinct, in order of first arrival.</summary>
    public IReadOnlyList<string> ModalitiesInStudy { get; init; } = [];
    /// <summary>(0008,0062) SOP Classes in Study: distinct, in order of first arrival.</summary>
    public IReadOnlyList<string> SopClassesInStudy { get; init; } = [];
    /// <summary>(0020,1206).</summary>
    public int SeriesCount { get; init; }
    /// <summary>(0020,1208).</summary>
    public int InstanceCount { get; init; }
    /// <summary>Where it is in its life.</summary>
    public StudyStatus Status { get; init; }
    /// <summary>As read; 0 for a new row.</summary>
    public long Version { get; init; }
    /// <summary>When the row was made.</summary>
    public DateTimeOffset CreatedAt { get; init; }
    /// <summary>When an instance last came or the row otherwise changed.</summary>
    public DateTimeOffset UpdatedAt { get; init; }
}

/// <summary>A series. Fenced by its study's version, so it has none of its own.</summary>
public sealed record SeriesRow
{
    /// <summary>Surrogate key.</summary>
    public required long Key { get; init; }
    /// <summary>The study.</summary>
    public required long StudyKey { get; init; }
    /// <summary>(0020,000E), unique within the study.</summary>
    public required string SeriesInstanceUid { get; init; }
    /// <summary>Columns of the series level.</summary>
    public required AttributeValues Attributes { get; init; }
    /// <summary>(0020,1209).</summary>
    public int InstanceCount { get; init; }
    /// <summary>When the row was made.</summary>
    public DateTimeOffset CreatedAt { get; init; }
    /// <summary>When the row last changed.</summary>
    public DateTimeOffset UpdatedAt { get; init; }
}

/// <summary>An instance and where its PS3.10 file lies. SOP Instance UIDs are unique within a study only: a clash across studies can be kept.</summary>
public sealed record InstanceRow
{
    /// <summary>Surrogate key.</summary>
    public required long Key { get; init; }
    /// <summary>The series.</summary>
    public required long SeriesKey { get; init; }
    /// <summary>The study.</summary>
    public required long StudyKey { get; init; }
    /// <summary>(0008,0018).</summary>
    public required string SopInstanceUid { get; init; }
    /// <summary>(0008,0016).</summary>
    public required string SopClassUid { get; init; }
    /// <summary>Transfer syntax as received and stored.</summary>
    public required string TransferSyntaxUid { get; init; }
    /// <summary>The blob that holds it (<see cref="BlobRow.Key"/>).</summary>
    public required long BlobKey { get; init; }
    /// <summary>First byte of the PS3.10 file in the blob.</summary>
    public long Offset { get; init; }
    /// <summary>Bytes of the PS3.10 file.</summary>
    public required long Length { get; init; }
    /// <summary>First byte of the data set, from the start of the PS3.10 file: what lies before it is the File Meta Information.</summary>
    public required int DataSetOffset { get; init; }
    /// <summary>The Pixel Data element's tag, from the start of the data set (of the inflated one when deflated); -1 without pixel data.</summary>
    public long PixelDataOffset { get; init; } = -1;
    /// <summary>Columns of the image level.</summary>
    public required AttributeValues Attributes { get; init; }
    /// <summary>When it was received.</summary>
    public DateTimeOffset ReceivedAt { get; init; }
    /// <summary>AE title (or other name) it came from; empty when not known.</summary>
    public string Source { get; init; } = "";
}

/// <summary>How <see cref="HeaderRow.Bytes"/> are packed.</summary>
public enum HeaderEncoding
{
    /// <summary>As they are.</summary>
    Raw = 0,
    /// <summary>A raw deflate stream (RFC 1951).</summary>
    Deflate = 1,
}

/// <summary>An instance's attributes without bulk values.</summary>
/// <param name="InstanceKey">The instance.</param>
/// <param name="Encoding">How <paramref name="Bytes"/> are packed.</param>
/// <param name="Bytes">A data set in the instance's own transfer syntax without pixels (deflated ones: Explicit VR Little Endian).</param>
/// <param name="Frames">Where the frames of encapsulated Pixel Data and the values that the header lacks lie, in the engine's own form (InstanceLayout); empty without.</param>
public sealed record HeaderRow(long InstanceKey, HeaderEncoding Encoding, ReadOnlyMemory<byte> Bytes, ReadOnlyMemory<byte> Frames = default)
{
    /// <summary>The encoding of the unpacked bytes, for an instance of this transfer syntax.</summary>
    public static TransferSyntax TransferSyntaxOf(string instanceTransferSyntaxUid)
    {
        TransferSyntax own = TransferSyntax.FromUid(instanceTransferSyntaxUid);
        return own.IsDeflated || own.IsEncapsulated ? TransferSyntax.ExplicitVRLittleEndian : own;
    }

    /// <summary>Unpacks (without copying when raw) and indexes.</summary>
    public DataSet ToDataSet(string instanceTransferSyntaxUid) => DataSet.Read(Unpack(), TransferSyntaxOf(instanceTransferSyntaxUid));

    /// <summary>The data set's bytes.</summary>
    public ReadOnlyMemory<byte> Unpack()
    {
        if (Encoding == HeaderEncoding.Raw) return Bytes;
        using var packed = new MemoryStream(Bytes.ToArray(), writable: false);
        using var inflate = new System.IO.Compression.DeflateStream(packed, System.IO.Compression.CompressionMode.Decompress);
        using var bytes = new MemoryStream();
        inflate.CopyTo(bytes);
        return bytes.GetBuffer().AsMemory(0, (int)bytes.Length);
    }
}

/// <summary>A blob, wherever its copies lie.</summary>
/// <param name="Key">Surrogate key.</param>
/// <param name="Length">Bytes.</param>
/// <param name="Digest">Of all of them: CRC-32C (4 bytes, big endian) or SHA-256 (32 bytes). In the column <c>sha256</c>, from when it was always that.</param>
/// <param name="CreatedAt">When it was committed.</param>
public sealed record BlobRow(long Key, long Length, ReadOnlyMemory<byte> Digest, DateTimeOffset CreatedAt)
{
    /// <summary>The data set as it was received, where what lies here was made of it; null where it lies as received.</summary>
    public OriginalContent? Original { get; init; }
    /// <summary>When another blob took its place: it is kept for readers that began before, and then deleted. Null while it is needed.</summary>
    public DateTimeOffset? RetiredAt { get; init; }
}

/// <summary>A data set that was received and is not kept in that form.</summary>
/// <param name="Length">Bytes, without File Meta Information.</param>
/// <param name="Sha256">SHA-256 of them, 32 bytes.</param>
public sealed record OriginalContent(long Length, ReadOnlyMemory<byte> Sha256);

/// <summary>One copy of a blob.</summary>
/// <param name="BlobKey">The blob.</param>
/// <param name="Store">The store's name.</param>
/// <param name="StoreKey">The blob's key in that store.</param>
/// <param name="Tier">The store's word for the tier; empty where it has none.</param>
/// <param name="VerifiedAt">When its digest was last recomputed and right.</param>
public sealed record BlobCopyRow(long BlobKey, string Store, string StoreKey, string Tier = "", DateTimeOffset? VerifiedAt = null)
{
    /// <summary>Where it lies.</summary>
    public BlobPlace Place => new(Store, StoreKey);
}

/// <summary>Where one copy of a blob lies.</summary>
/// <param name="Store">The store's name: no spaces, no commas.</param>
/// <param name="Key">The blob's key in that store.</param>
public readonly record struct BlobPlace(string Store, string Key);

/// <summary>A copy that a blob is to get and has not got yet. It goes with its blob.</summary>
/// <param name="BlobKey">The blob.</param>
/// <param name="Store">Where the copy is to be.</param>
/// <param name="DueAt">Not tried before.</param>
public sealed record WantedCopyRow(long BlobKey, string Store, DateTimeOffset DueAt);

/// <summary>A copy that is wanted, with what it is to be made of.</summary>
/// <param name="Row">What is wanted.</param>
/// <param name="Blob">The blob.</param>
/// <param name="Copies">The copies that it has.</param>
public sealed record WantedCopyEntry(WantedCopyRow Row, BlobRow Blob, IReadOnlyList<BlobCopyRow> Copies);

/// <summary>What somebody should look at: an entry of the reconciliation list.</summary>
public sealed record ConflictRow
{
    /// <summary>Surrogate key.</summary>
    public required long Key { get; init; }
    /// <summary>What kind: the engine's word, e.g. <c>other-patient</c>, <c>uid-clash</c>.</summary>
    public required string Kind { get; init; }
    /// <summary>Study in question.</summary>
    public required string StudyInstanceUid { get; init; }
    /// <summary>Instance in question; empty when it is the study.</summary>
    public string SopInstanceUid { get; init; } = "";
    /// <summary>What was found against what was expected. May hold patient data: never logged.</summary>
    public string Detail { get; init; } = "";
    /// <summary>Who sent it.</summary>
    public string Source { get; init; } = "";
    /// <summary>When it was found.</summary>
    public DateTimeOffset CreatedAt { get; init; }
    /// <summary>When somebody said it is settled.</summary>
    public DateTimeOffset? ResolvedAt { get; init; }
}

/// <summary>An instance that was taken in but not indexed; its blob is kept and known.</summary>
public sealed record QuarantineRow
{
    /// <summary>Surrogate key.</summary>
    public required long Key { get; init; }
    /// <summary>Why: the engine's word, e.g. <c>duplicate-other-content</c>.</summary>
    public required string Reason { get; init; }
    /// <summary>(0020,000D) or empty.</summary>
    public string StudyInstanceUid { get; init; } = "";
    /// <summary>(0020,000E) or empty.</summary>
    public string SeriesInstanceUid { get; init; } = "";
    /// <summary>(0008,0018) or empty.</summary>
    public string SopInstanceUid { get; init; } = "";
    /// <summary>(0008,0016) or empty.</summary>
    public string SopClassUid { get; init; } = "";
    /// <summary>Transfer syntax as received.</summary>
    public string TransferSyntaxUid { get; init; } = "";
    /// <summary>The blob that holds it.</summary>
    public required long BlobKey { get; init; }
    /// <summary>What was found, for people. May hold patient data: never logged.</summary>
    public string Detail { get; init; } = "";
    /// <summary>Who sent it.</summary>
    public string Source { get; init; } = "";
    /// <summary>When it was received.</summary>
    public DateTimeOffset ReceivedAt { get; init; }
}

/// <summary>An entry of the change feed. The catalog numbers it in the commit's own transaction, without gaps.</summary>
public sealed record OutboxRow
{
    /// <summary>Place in the feed, from 1; 0 before the commit.</summary>
    public long Sequence { get; init; }
    /// <summary>What happened: the engine's word, e.g. <c>instance-stored</c>.</summary>
    public required string Kind { get; init; }
    /// <summary>Study.</summary>
    public required string StudyInstanceUid { get; init; }
    /// <summary>Series, or empty.</summary>
    public string SeriesInstanceUid { get; init; } = "";
    /// <summary>Instance, or empty.</summary>
    public string SopInstanceUid { get; init; } = "";
    /// <summary>More of it, as JSON, or empty.</summary>
    public string Payload { get; init; } = "";
    /// <summary>When.</summary>
    public DateTimeOffset CreatedAt { get; init; }
}

/// <summary>Where an instance's PS3.10 file lies, with what choosing a transfer syntax and reading a frame need.</summary>
public sealed record InstanceLocation
{
    /// <summary>Surrogate key of the instance.</summary>
    public required long InstanceKey { get; init; }
    /// <summary>(0008,0016).</summary>
    public required string SopClassUid { get; init; }
    /// <summary>(0008,0018).</summary>
    public required string SopInstanceUid { get; init; }
    /// <summary>(0020,000D).</summary>
    public required string StudyInstanceUid { get; init; }
    /// <summary>(0020,000E).</summary>
    public required string SeriesInstanceUid { get; init; }
    /// <summary>As stored.</summary>
    public required string TransferSyntaxUid { get; init; }
    /// <summary>Name of a store that has a copy: the first of them by name. Empty when no store has one.</summary>
    public required string Store { get; init; }
    /// <summary>The blob's key in that store.</summary>
    public required string StoreKey { get; init; }
    /// <summary>The other copies; most blobs have none.</summary>
    public IReadOnlyList<BlobPlace> MoreCopies { get; init; } = [];
    /// <summary>First byte of the PS3.10 file in the blob.</summary>
    public required long Offset { get; init; }
    /// <summary>Bytes of the PS3.10 file.</summary>
    public required long Length { get; init; }
    /// <summary>First byte of the data set, from the start of the PS3.10 file.</summary>
    public required int DataSetOffset { get; init; }
    /// <summary>The Pixel Data element's tag, from the start of the data set; -1 without.</summary>
    public required long PixelDataOffset { get; init; }
    /// <summary>(0028,0008), 1 when absent.</summary>
    public required int NumberOfFrames { get; init; }

    /// <summary>The copy that <see cref="Store"/> and <see cref="StoreKey"/> name.</summary>
    public BlobPlace Place => new(Store, StoreKey);

    /// <summary>Whether one of its copies lies there.</summary>
    public bool IsAt(BlobPlace place) => Place == place || MoreCopies.Contains(place);

    /// <summary>Names its bytes, which never change, wherever their copies lie: another content under the same UID has another.</summary>
    public string ContentId => string.Create(CultureInfo.InvariantCulture, $"{InstanceKey}.{SopInstanceUid}");
}
