using System.Security.Cryptography;
using PacsCluster.Dicom;

namespace PacsCluster.Server.Tests;

/// <summary>Small CT instances made here, where a test needs many or its own UIDs.</summary>
internal static class Synthetic
{
    public const string CT = "1.2.840.10008.5.1.4.1.1.2";

    public static string NewUid() => "2.25." + new System.Numerics.BigInteger(RandomNumberGenerator.GetBytes(15), isUnsigned: true);

    /// <summary>Writes one file; gives its SOP Instance UID.</summary>
    public static string Write(string path, string studyUid, string seriesUid, int pixelBytes = 2048, string patientId = "T1", string patientName = "Test^Patient")
    {
        string sopInstanceUid = NewUid();
        var set = new DataSet(TransferSyntax.ExplicitVRLittleEndian);
        set.Set(Tags.SOPClassUID, CT);
        set.Set(Tags.SOPInstanceUID, sopInstanceUid);
        set.Set(Tags.StudyDate, "20240102");
        set.Set(Tags.Modality, "CT");
        set.Set(Tags.PatientName, patientName);
        set.Set(Tags.PatientID, patientId);
        set.Set(Tags.StudyInstanceUID, studyUid);
        set.Set(Tags.SeriesInstanceUID, seriesUid);
        set.Set(Tags.InstanceNumber, "1");
        set.Set(Tags.Rows, pixelBytes / 16);
        set.Set(Tags.Columns, 8);
        set.Set(Tags.BitsAllocated, 16);
        set.SetRaw(Tags.PixelData, VR.OW, RandomNumberGenerator.GetBytes(pixelBytes));
        using FileStream file = File.Create(path);
        file.Write(Part10.BuildFileMeta(TransferSyntax.ExplicitVRLittleEndian, CT, sopInstanceUid));
        file.Write(set.ToArray());
        return sopInstanceUid;
    }

    /// <summary>The bytes behind the File Meta Information.</summary>
    public static ReadOnlyMemory<byte> DataSetOf(string path)
    {
        byte[] bytes = File.ReadAllBytes(path);
        return bytes.AsMemory(Part10.ReadStart(bytes).DataSetOffset);
    }
}
