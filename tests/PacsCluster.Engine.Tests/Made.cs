using PacsCluster.Dicom;

namespace PacsCluster.Engine.Tests;

/// <summary>Small images made for a test: three UIDs of small numbers, pixels of 2 by 2, and whatever else it wants.</summary>
internal static class Made
{
    public static string Study(int study) => $"1.2.3.{study}";

    public static string Series(int study, int series) => $"1.2.3.{study}.{series}";

    public static string Sop(int study, int series, int instance) => $"1.2.3.{study}.{series}.{instance}";

    public static byte[] Image(int study, int series, int instance, string content = "a", Action<DataSet>? more = null)
    {
        var image = new DataSet(TransferSyntax.ExplicitVRLittleEndian);
        image.Set(Tags.SpecificCharacterSet, "ISO_IR 192");
        image.Set(Tags.SOPClassUID, $"1.2.840.10008.5.1.4.1.1.{2 + (instance % 2)}");
        image.Set(Tags.SOPInstanceUID, Sop(study, series, instance));
        image.Set(Tags.Modality, series % 2 == 0 ? "MR" : "CT");
        image.Set(Tags.PatientName, "Müller^Jürgen");
        image.Set(Tags.PatientID, $"P{study / 10}");
        image.Set(Tags.StudyInstanceUID, Study(study));
        image.Set(Tags.SeriesInstanceUID, Series(study, series));
        image.Set(Tags.InstanceNumber, 1000 - instance);
        image.Set(Tags.ImageComments, content);
        image.Set(Tags.Rows, 2);
        image.Set(Tags.Columns, 2);
        image.Set(Tags.BitsAllocated, 16);
        more?.Invoke(image);
        image.SetRaw(Tags.PixelData, VR.OW, new byte[] { 1, 0, 2, 0, 3, 0, (byte)instance, 0 });
        return image.ToArray();
    }
}
