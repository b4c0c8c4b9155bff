namespace PacsCluster.Engine;

/// <summary>The words of the change feed (<c>OutboxRow.Kind</c>): what happened, committed together with it.</summary>
public static class Events
{
    /// <summary>An instance is new in its study.</summary>
    public const string InstanceStored = "instance-stored";
    /// <summary>An instance took the place of one with its UID.</summary>
    public const string InstanceReplaced = "instance-replaced";
    /// <summary>An instance lies compressed from now on; nothing of it was lost. Payload: <c>{"from":"transfer syntax UID","to":"…","bytesBefore":number,"bytesAfter":number}</c>.</summary>
    public const string InstanceCompressed = "instance-compressed";
    /// <summary>A deleted instance is back.</summary>
    public const string InstanceRestored = "instance-restored";
    /// <summary>A study was quiet long enough, or was said to be complete. Comes again when more was stored into it since.</summary>
    public const string StudyCompleted = "study-completed";
    /// <summary>A study was deleted; can be taken back. Payload: <c>{"rejection":number,"instances":number,"by":"…","reason":"…"}</c>, the reason being words that may name a patient.</summary>
    public const string StudyRejected = "study-rejected";
    /// <summary>A series was deleted; as <see cref="StudyRejected"/>.</summary>
    public const string SeriesRejected = "series-rejected";
    /// <summary>An instance was deleted; as <see cref="StudyRejected"/>.</summary>
    public const string InstanceRejected = "instance-rejected";
    /// <summary>A deletion was taken back, after its instances came back one by one. Payload: <c>{"rejection":number,"restored":number,"dropped":number,"left":number,"by":"…"}</c>.</summary>
    public const string RejectionRestored = "rejection-restored";
    /// <summary>A deletion's instances are gone for good. Payload: <c>{"rejection":number,"by":"…","reason":"…"}</c>.</summary>
    public const string RejectionPurged = "rejection-purged";
}
