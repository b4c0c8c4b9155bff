using PacsCluster.Dicom;

namespace PacsCluster.Imaging.Tests;

/// <summary>A DICOM file in memory.</summary>
internal sealed record Instance(DataSet DataSet, TransferSyntax TransferSyntax)
{
    public static Instance Read(string path)
    {
        byte[] bytes = File.ReadAllBytes(path);
        FileStart start = Part10.ReadStart(bytes);
        return new Instance(DataSet.Read(bytes.AsMemory(start.DataSetOffset), start.TransferSyntax), start.TransferSyntax);
    }

    public FrameReader Frames() => new(DataSet, TransferSyntax.Uid);
}
