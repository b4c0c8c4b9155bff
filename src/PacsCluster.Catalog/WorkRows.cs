namespace PacsCluster.Catalog;

// Rows of what is still to be done and of who does it: reminders, readers of the change feed, nodes; and of what was deleted but can come back.

/// <summary>What a reminder is about: one grain has at most one of a name.</summary>
/// <param name="Kind">Kind of grain, the engine's word, e.g. <c>study</c>.</param>
/// <param name="Key">Which one, e.g. its Study Instance UID.</param>
/// <param name="Name">What is to be done, e.g. <c>completion</c>.</param>
public readonly record struct ReminderId(string Kind, string Key, string Name);

/// <summary>Something that is to be done at a time, by whichever node claims it first.</summary>
public sealed record ReminderRow
{
    /// <summary>What about.</summary>
    public required ReminderId Id { get; init; }
    /// <summary>Not before this. While a node works on it: the end of that node's lease, when it is due again for anybody.</summary>
    public required DateTimeOffset DueAt { get; init; }
    /// <summary>More of it, in the form that its handler knows; empty in general.</summary>
    public string Payload { get; init; } = "";
    /// <summary>How often it was claimed since it was set.</summary>
    public int Attempts { get; init; }
    /// <summary>Who works on it; empty when nobody does.</summary>
    public string LeasedBy { get; init; } = "";
}

/// <summary>A reader of the change feed that the catalog remembers: the feed is not trimmed before it.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Sequence">The last entry it is done with; 0 for none.</param>
/// <param name="UpdatedAt">When it last said so.</param>
public sealed record ConsumerRow(string Name, long Sequence, DateTimeOffset UpdatedAt);

/// <summary>How far the change feed goes. Entries between the two are all there.</summary>
/// <param name="First">The oldest entry that is still there; <see cref="Last"/> + 1 when none is.</param>
/// <param name="Last">The newest entry ever written; 0 when there was none.</param>
public readonly record struct FeedState(long First, long Last);

/// <summary>A node and until when it is known to live. For operators and for placing copies; correctness never depends on it.</summary>
public sealed record NodeRow
{
    /// <summary>Its name, unique among living nodes.</summary>
    public required string Name { get; init; }
    /// <summary>Made anew at each start: tells a node from another that was given the same name.</summary>
    public required string Session { get; init; }
    /// <summary>Where it stands.</summary>
    public string Site { get; init; } = "";
    /// <summary>What it does: <c>dimse</c>, <c>web</c>, <c>worker</c>.</summary>
    public IReadOnlyList<string> Roles { get; init; } = [];
    /// <summary>Where it listens, e.g. <c>dicom://10.0.0.5:11112/PACSCLUSTER</c>.</summary>
    public IReadOnlyList<string> Addresses { get; init; } = [];
    /// <summary>Version of its program.</summary>
    public string SoftwareVersion { get; init; } = "";
    /// <summary>When it was started.</summary>
    public DateTimeOffset StartedAt { get; init; }
    /// <summary>It lives until then, or longer when it renews.</summary>
    public DateTimeOffset LeasedUntil { get; init; }
}

/// <summary>One deletion, which can be taken back until its instances are purged.</summary>
public sealed record RejectionRow
{
    /// <summary>Surrogate key.</summary>
    public required long Key { get; init; }
    /// <summary>Study, Series or Image: what was deleted.</summary>
    public required QueryLevel Level { get; init; }
    /// <summary>(0020,000D).</summary>
    public required string StudyInstanceUid { get; init; }
    /// <summary>(0020,000E), or empty when a study was deleted.</summary>
    public string SeriesInstanceUid { get; init; } = "";
    /// <summary>(0008,0018), or empty when a study or a series was deleted.</summary>
    public string SopInstanceUid { get; init; } = "";
    /// <summary>Who asked for it.</summary>
    public string By { get; init; } = "";
    /// <summary>Why, in that person's words. May hold patient data: never logged.</summary>
    public string Reason { get; init; } = "";
    /// <summary>Instances that were deleted.</summary>
    public required int InstanceCount { get; init; }
    /// <summary>When it was deleted.</summary>
    public DateTimeOffset RejectedAt { get; init; }
    /// <summary>From when on it is purged.</summary>
    public DateTimeOffset PurgeAt { get; init; }
}

/// <summary>An instance that was deleted and not purged yet: no search and no retrieve sees it, its blob is kept.</summary>
public sealed record RejectedRow
{
    /// <summary>Surrogate key: the one that the instance had.</summary>
    public required long Key { get; init; }
    /// <summary>The deletion it belongs to.</summary>
    public required long RejectionKey { get; init; }
    /// <summary>(0020,000D).</summary>
    public required string StudyInstanceUid { get; init; }
    /// <summary>(0020,000E).</summary>
    public required string SeriesInstanceUid { get; init; }
    /// <summary>(0008,0018).</summary>
    public required string SopInstanceUid { get; init; }
    /// <summary>(0008,0016).</summary>
    public required string SopClassUid { get; init; }
    /// <summary>Transfer syntax as stored.</summary>
    public required string TransferSyntaxUid { get; init; }
    /// <summary>The blob that holds it.</summary>
    public required long BlobKey { get; init; }
    /// <summary>First byte of the PS3.10 file in the blob.</summary>
    public long Offset { get; init; }
    /// <summary>Bytes of the PS3.10 file.</summary>
    public required long Length { get; init; }
    /// <summary>Who sent it.</summary>
    public string Source { get; init; } = "";
    /// <summary>When it was received.</summary>
    public DateTimeOffset ReceivedAt { get; init; }
}

/// <summary>A deleted instance with its blob.</summary>
/// <param name="Row">The instance.</param>
/// <param name="Blob">Its blob.</param>
/// <param name="Copies">Where the blob lies.</param>
/// <param name="IsBlobShared">Something else lies in the blob too: it stays when the instance goes.</param>
public sealed record RejectedEntry(RejectedRow Row, BlobRow Blob, IReadOnlyList<BlobCopyRow> Copies, bool IsBlobShared);

/// <summary>The metadata of all instances of a series in the DICOM JSON Model, packed once for all who ask. It is there only while it is true:
/// every commit that changes the series takes it out.</summary>
public sealed record MetadataBlockRow
{
    /// <summary>The series.</summary>
    public required long SeriesKey { get; init; }
    /// <summary>Instances in it.</summary>
    public required int InstanceCount { get; init; }
    /// <summary>What the BulkDataURIs in it begin with.</summary>
    public required string BulkDataBase { get; init; }
    /// <summary>Bytes when unpacked.</summary>
    public required long Length { get; init; }
    /// <summary>CRC-32 (that of RFC 1952) of the unpacked bytes.</summary>
    public required uint Crc32 { get; init; }
    /// <summary>Bytes as packed.</summary>
    public required int PackedLength { get; init; }
    /// <summary>Packed in the engine's own form; empty where only the description was asked for.</summary>
    public ReadOnlyMemory<byte> Bytes { get; init; }
}

/// <summary>What a study consists of, for those who give out its metadata.</summary>
/// <param name="Study">The study; <see cref="StudyRow.Version"/> changes whenever anything in it does.</param>
/// <param name="Series">The series asked for, or all, as they were first stored, each with what is known of its block (without its bytes) where it has one.</param>
public sealed record StudyContent(StudyRow Study, IReadOnlyList<SeriesContent> Series);

/// <summary>A series of a <see cref="StudyContent"/>.</summary>
public sealed record SeriesContent(SeriesRow Series, MetadataBlockRow? Block);
