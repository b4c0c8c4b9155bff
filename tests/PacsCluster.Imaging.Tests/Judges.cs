using PacsCluster.Dicom;
using PacsCluster.Testing;

namespace PacsCluster.Imaging.Tests;

/// <summary>Programs of others that decode, each to an uncompressed file that is read back.</summary>
internal static class Judges
{
    /// <summary>DCMTK's decoder of a file's transfer syntax; null when it has none or fails.</summary>
    public static async Task<Instance?> DcmtkAsync(string file, string transferSyntaxUid, string output)
    {
        string? tool = transferSyntaxUid switch
        {
            Uids.RLELossless => "dcmdrle",
            Uids.JPEGLSLossless or Uids.JPEGLSNearLossless => "dcmdjpls",
            _ when transferSyntaxUid.StartsWith("1.2.840.10008.1.2.4.5", StringComparison.Ordinal) || transferSyntaxUid is Uids.JPEGLosslessSV1 => "dcmdjpeg",
            _ => null,
        };
        return tool is null ? null : await ReadAsync(tool, [file, output], output);
    }

    /// <summary>GDCM; null when it fails.</summary>
    public static Task<Instance?> GdcmAsync(string file, string output) => ReadAsync("gdcmconv", ["--raw", file, output], output);

    /// <summary>How many of DCMTK and GDCM make a picture of an uncompressed file.</summary>
    public static async Task<int> CountNativeReadersAsync(string file, string output)
    {
        ToolResult dcmtk = await Tool.RunAsync("dcm2pnm", ["--write-raw-pnm", file, output], 120);
        bool gdcm = await GdcmAsync(file, output) is not null;
        File.Delete(output);
        return (dcmtk.ExitCode == 0 ? 1 : 0) + (gdcm ? 1 : 0);
    }

    private static async Task<Instance?> ReadAsync(string tool, string[] arguments, string output)
    {
        ToolResult result = await Tool.RunAsync(tool, arguments, 120);
        if (result.ExitCode != 0 || !File.Exists(output)) return null;
        try
        {
            Instance read = Instance.Read(output);
            return read.TransferSyntax.IsEncapsulated ? null : read;
        }
        catch (DicomFormatException)
        {
            return null;
        }
        finally
        {
            File.Delete(output);
        }
    }
}
