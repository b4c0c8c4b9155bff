using PacsCluster.Dicom;

namespace PacsCluster.Engine;

/// <summary>The door that an instance came through.</summary>
public enum StoreDoor
{
    /// <summary>C-STORE (PS3.7 section 9.1.1).</summary>
    Dimse,
    /// <summary>Store Transaction of DICOMweb (PS3.18 section 10.5).</summary>
    Web,
    /// <summary>A file taken from a folder by the import command, or released from quarantine.</summary>
    Import,
}

/// <summary>Where an instance comes from and how its data set is encoded: all that a door knows and the data set does not say.</summary>
public sealed record StoreOrigin
{
    /// <summary>Encoding of the data set: of the presentation context, the part's media type or the file's File Meta Information.</summary>
    public required TransferSyntax TransferSyntax { get; init; }

    /// <summary>Affected SOP Class UID (0000,0002); null where the door has none. Compared with the data set (C-27).</summary>
    public string? AffectedSopClassUid { get; init; }

    /// <summary>Affected SOP Instance UID (0000,1000); null where the door has none. Compared with the data set (C-27).</summary>
    public string? AffectedSopInstanceUid { get; init; }

    /// <summary>The study that the request is for (STOW-RS to <c>/studies/{uid}</c>); an instance of another study is refused with DataSetMismatch. Null where the
    /// door names none.</summary>
    public string? StudyInstanceUid { get; init; }

    /// <summary>AE title of the sender, trimmed; chooses the policy. Empty where there is none.</summary>
    public string CallingAETitle { get; init; } = "";

    /// <summary>AE title that the sender called, trimmed. Empty where there is none.</summary>
    public string CalledAETitle { get; init; } = "";

    /// <summary>Network address of the sender, or the name of the machine for an import. Empty where there is none.</summary>
    public string RemoteAddress { get; init; } = "";

    /// <summary>The door.</summary>
    public required StoreDoor Door { get; init; }

    /// <summary>File Meta Information that came with the data set (Web, Import): Source AE and private information of it are kept (C-69).</summary>
    public DataSet? SourceFileMeta { get; init; }
}
