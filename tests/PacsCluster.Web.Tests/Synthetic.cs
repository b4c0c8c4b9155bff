using PacsCluster.Dicom;

namespace PacsCluster.Web.Tests;

/// <summary>Instances made for tests, as data sets and as PS3.10 files.</summary>
internal static class Synthetic
{
    public const string SecondaryCapture = "1.2.840.10008.5.1.4.1.1.7";

    /// <summary>A small secondary capture image; attributes by keyword on top of what it needs.</summary>
    public static DataSet Instance(string study, string series, string instance, params (string Keyword, string Value)[] attributes)
    {
        var dataSet = new DataSet(TransferSyntax.ExplicitVRLittleEndian);
        SortedDictionary<Tag, string> all = new()
        {
            [Tag("SpecificCharacterSet")] = "ISO_IR 192", [Tag("SOPClassUID")] = SecondaryCapture, [Tag("SOPInstanceUID")] = instance, [Tag("Modality")] = "OT",
            [Tag("StudyInstanceUID")] = study, [Tag("SeriesInstanceUID")] = series, [Tag("SamplesPerPixel")] = "1", [Tag("PhotometricInterpretation")] = "MONOCHROME2",
            [Tag("Rows")] = "2", [Tag("Columns")] = "2", [Tag("BitsAllocated")] = "8", [Tag("BitsStored")] = "8", [Tag("HighBit")] = "7", [Tag("PixelRepresentation")] = "0",
        };
        foreach ((string keyword, string value) in attributes) all[Tag(keyword)] = value;
        foreach ((Tag tag, string value) in all) dataSet.Set(tag, value);
        dataSet.SetRaw(Tag("PixelData"), VR.OB, new byte[] { 1, 2, 3, 4 });
        return dataSet;
    }

    /// <summary>As a PS3.10 file.</summary>
    public static byte[] File(DataSet dataSet, TransferSyntax? encoding = null)
    {
        encoding ??= dataSet.Encoding;
        return [.. Part10.BuildFileMeta(encoding, dataSet.GetString(Tag("SOPClassUID"))!, dataSet.GetString(Tag("SOPInstanceUID"))!), .. dataSet.ToArray(encoding)];
    }

    public static Tag Tag(string keyword)
    {
        Assert.True(DataDictionary.TryGetTag(keyword, out Tag tag), keyword);
        return tag;
    }

    public static string Hex(string keyword) => Tag(keyword).ToHex();
}
