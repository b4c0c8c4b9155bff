namespace PacsCluster.Dicom;

/// <summary>Files of PS3.10.</summary>
public static class Part10
{
    /// <summary>Our Implementation Class UID (0002,0012).</summary>
    public const string ImplementationClassUid = "1.2.826.0.1.3680043.10.1463.1";
    /// <summary>Our Implementation Version Name (0002,0013), at most 16 characters.</summary>
    public const string ImplementationVersionName = "PACSCLUSTER_0_1";
    /// <summary>Preamble, DICM and a new group 0002 (C-69). Keeps Source AE and private information of <paramref name="source"/> when given.</summary>
    public static byte[] BuildFileMeta(TransferSyntax transferSyntax, string sopClassUid, string sopInstanceUid, string? sourceAETitle = null, DataSet? source = null) => throw new NotImplementedException();
    /// <summary>Finds where the data set starts and how it is encoded, from a file's first bytes; with or without preamble or File Meta Information.</summary>
    /// <exception cref="DicomFormatException">Not a DICOM file.</exception>
    public static FileStart ReadStart(ReadOnlyMemory<byte> firstBytes) => throw new NotImplementedException();
    /// <summary>A whole file.</summary>
    public static (DataSet? FileMeta, DataSet DataSet) Read(ReadOnlyMemory<byte> file, ReadOptions? options = null) => throw new NotImplementedException();
}

/// <summary>How a file starts.</summary>
/// <param name="FileMeta">Group 0002, Explicit VR Little Endian; null without one.</param>
/// <param name="TransferSyntax">Of the data set; guessed where File Meta Information is missing or evidently wrong.</param>
/// <param name="DataSetOffset">Bytes before the data set.</param>
public sealed record FileStart(DataSet? FileMeta, TransferSyntax TransferSyntax, int DataSetOffset);
