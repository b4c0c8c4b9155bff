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

    private static readonly byte[] s_start = [0xFF, 0x4F, 0xFF, 0x51];

    /// <summary>OpenJPEG's own program, for one frame of JPEG 2000 or HTJ2K: the cells of its samples, colour by pixel, as many bytes each as asked for; null when it fails.</summary>
    public static async Task<byte[]?> OpenJpegAsync(ReadOnlyMemory<byte> codestream, FrameFormat format, string scratch)
    {
        string input = scratch + (codestream.Span is [0xFF, 0x4F, ..] ? ".j2k" : ".jp2"), output = scratch + ".rawl";
        await File.WriteAllBytesAsync(input, codestream);
        try
        {
            ToolResult result = await Tool.RunAsync("opj_decompress", ["-i", input, "-o", output], 120);
            if (result.ExitCode != 0 || !File.Exists(output)) return null;
            byte[] planes = await File.ReadAllBytesAsync(output);
            int pixels = (int)format.Pixels, samples = format.SamplesPerPixel, from = planes.Length / (pixels * samples), to = format.SampleBytes;
            if (from is not (1 or 2) || planes.Length != from * pixels * samples) return null;
            // It masks negative samples by their precision (Ssiz), so the sign is put back above.
            int ssiz = codestream.Span[codestream.Span.IndexOf(s_start) + 42], unused = (ssiz & 0x80) != 0 ? 31 - (ssiz & 0x7F) : 0;
            byte[] cells = new byte[pixels * samples * to];
            for (int i = 0; i < pixels * samples; i++)
            {
                int value = (from == 2 ? BitConverter.ToUInt16(planes, i * 2) : planes[i]) << unused >> unused;
                int at = (i % pixels * samples + i / pixels) * to;
                cells[at] = (byte)value;
                if (to == 2) cells[at + 1] = (byte)(value >> 8);
            }
            return cells;
        }
        finally
        {
            File.Delete(input);
            File.Delete(output);
        }
    }

    /// <summary>Frames of a transfer syntax that <see cref="OpenJpegAsync"/> may judge.</summary>
    public static bool IsJpeg2000(string transferSyntaxUid) => transferSyntaxUid is Uids.JPEG2000Lossless or Uids.JPEG2000 or Uids.JPEG2000MCLossless or Uids.JPEG2000MC
        or Uids.HTJ2KLossless or Uids.HTJ2KLosslessRPCL or Uids.HTJ2K;

    /// <summary>How many of DCMTK and GDCM make a picture of an uncompressed file.</summary>
    public static async Task<int> CountNativeReadersAsync(string file, string output)
    {
        ToolResult dcmtk = await Tool.RunAsync("dcm2pnm", ["--write-raw-pnm", file, output], 120);
        bool gdcm = await GdcmAsync(file, output) is not null;
        File.Delete(output);
        return (dcmtk.ExitCode == 0 ? 1 : 0) + (gdcm ? 1 : 0);
    }

    /// <summary>What dciodvfy (dicom3tools) calls errors of a file, each as often as it says it. It knows the definitions of the standard's IODs; what real senders write has some.</summary>
    public static async Task<Dictionary<string, int>> DciodvfyErrorsAsync(string file)
    {
        ToolResult result = await Tool.RunAsync("dciodvfy", [file], 120);
        return result.Output.Split('\n').Where(line => line.StartsWith("Error", StringComparison.Ordinal)).GroupBy(line => line.Trim()).ToDictionary(g => g.Key, g => g.Count());
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
