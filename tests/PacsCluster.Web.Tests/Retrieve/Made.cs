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

    /// <summary>As a PS3.10 file with its pixel data in fragments (PS3.5 A.4), padded to even lengths.</summary>
    /// <param name="set">Explicit VR Little Endian; its own Pixel Data is left out.</param>
    /// <param name="transferSyntaxUid">What the fragments are.</param>
    /// <param name="fragments">In order.</param>
    /// <param name="offsets">The Basic Offset Table; empty for none.</param>
    public static byte[] Encapsulated(DataSet set, string transferSyntaxUid, IReadOnlyList<byte[]> fragments, params uint[] offsets)
    {
        set.Remove(Tags.PixelData);
        using var file = new MemoryStream();
        file.Write(Part10.BuildFileMeta(TransferSyntax.FromUid(transferSyntaxUid), set.GetString(Tags.SOPClassUID)!, set.GetString(Tags.SOPInstanceUID)!));
        file.Write(set.ToArray());
        file.Write([0xE0, 0x7F, 0x10, 0, (byte)'O', (byte)'B', 0, 0, 0xFF, 0xFF, 0xFF, 0xFF]);
        Item([.. offsets.SelectMany(BitConverter.GetBytes)]);
        foreach (byte[] fragment in fragments) Item(fragment.Length % 2 == 0 ? fragment : [.. fragment, 0]);
        file.Write([0xFE, 0xFF, 0xDD, 0xE0, 0, 0, 0, 0]);
        return file.ToArray();

        void Item(byte[] value)
        {
            file.Write([0xFE, 0xFF, 0, 0xE0]);
            file.Write(BitConverter.GetBytes(value.Length));
            file.Write(value);
        }
    }

    /// <summary>The bytes behind the File Meta Information.</summary>
    public static ReadOnlySpan<byte> DataSetOf(byte[] file) => file.AsSpan(Part10.ReadStart(file).DataSetOffset);

    public static string UrlOf(DataSet set) => $"studies/{set.GetString(Tags.StudyInstanceUID)}/series/{set.GetString(Tags.SeriesInstanceUID)}/instances/{set.GetString(Tags.SOPInstanceUID)}";
}
