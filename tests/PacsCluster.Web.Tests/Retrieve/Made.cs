using System.Security.Cryptography;
using PacsCluster.Dicom;

namespace PacsCluster.Web.Tests;

/// <summary>Instances made here, where a test needs its own UIDs, sizes or encodings.</summary>
internal static class Made
{
    public const string CT = "1.2.840.10008.5.1.4.1.1.2";

    public static string NewUid() => "2.25." + new System.Numerics.BigInteger(RandomNumberGenerator.GetBytes(15), isUnsigned: true);

    /// <summary>A CT of 16 bits a pixel.</summary>
    public static DataSet Image(string study, string series, int number = 1, int rows = 8, int columns = 8, TransferSyntax? encoding = null)
    {
        var set = new DataSet(encoding);
        set.Set(Tags.SOPClassUID, CT);
        set.Set(Tags.SOPInstanceUID, NewUid());
        set.Set(Tags.StudyDate, "20240102");
        set.Set(Tags.Modality, "CT");
        set.Set(Tags.PatientName, "Test^Patient");
        set.Set(Tags.PatientID, "T1");
        set.Set(Tags.StudyInstanceUID, study);
        set.Set(Tags.SeriesInstanceUID, series);
        set.Set(Tags.InstanceNumber, number);
        set.Set(Tags.SamplesPerPixel, 1);
        set.Set(Tags.PhotometricInterpretation, "MONOCHROME2");
        set.Set(Tags.Rows, rows);
        set.Set(Tags.Columns, columns);
        set.Set(Tags.BitsAllocated, 16);
        set.Set(Tags.BitsStored, 16);
        set.Set(Tags.HighBit, 15);
        set.Set(Tags.PixelRepresentation, 0);
        set.SetRaw(Tags.PixelData, VR.OW, RandomNumberGenerator.GetBytes(rows * columns * 2));
        return set;
    }

    /// <summary>As a PS3.10 file.</summary>
    public static byte[] File(DataSet set, TransferSyntax? transferSyntax = null)
    {
        transferSyntax ??= TransferSyntax.ExplicitVRLittleEndian;
        return [.. Part10.BuildFileMeta(transferSyntax, set.GetString(Tags.SOPClassUID)!, set.GetString(Tags.SOPInstanceUID)!), .. set.ToArray()];
    }

    /// <summary>The bytes behind the File Meta Information.</summary>
    public static ReadOnlySpan<byte> DataSetOf(byte[] file) => file.AsSpan(Part10.ReadStart(file).DataSetOffset);

    public static string UrlOf(DataSet set) => $"studies/{set.GetString(Tags.StudyInstanceUID)}/series/{set.GetString(Tags.SeriesInstanceUID)}/instances/{set.GetString(Tags.SOPInstanceUID)}";
}
