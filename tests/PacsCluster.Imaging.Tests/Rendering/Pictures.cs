using System.Text;
using PacsCluster.Dicom;
using PacsCluster.Imaging.Rendering;
using PacsCluster.Testing;

namespace PacsCluster.Imaging.Tests.Rendering;

/// <summary>Pictures of files, ours and those of tools.</summary>
internal static class Pictures
{
    private static readonly FrameCodecs s_codecs = new(new CodecOptions());

    /// <summary>A file that is an image; null for others.</summary>
    public static (DataSet DataSet, string TransferSyntaxUid)? Open(string path)
    {
        byte[] bytes = File.ReadAllBytes(path);
        try
        {
            FileStart start = Part10.ReadStart(bytes.AsMemory(0, Math.Min(bytes.Length, 65536)));
            DataSet dataSet = DataSet.Read(bytes.AsMemory(start.DataSetOffset), start.TransferSyntax);
            return dataSet.Contains(Tags.Rows) ? (dataSet, start.TransferSyntax.Uid) : null;
        }
        catch (DicomFormatException)
        {
            return null;
        }
    }

    public static async Task<RenderedImage> RenderAsync(DataSet dataSet, string transferSyntaxUid, RenderRequest? request = null, int frame = 0)
    {
        var reader = new FrameReader(dataSet, transferSyntaxUid);
        using DecodedFrame decoded = await s_codecs.DecodeAsync(transferSyntaxUid, reader.Format, reader.Read(frame), TestContext.Current.CancellationToken);
        return Renderer.Render(dataSet, frame, decoded, request ?? new RenderRequest());
    }

    public static async Task<RenderedImage> RenderAsync(string corpusPath, RenderRequest? request = null, int frame = 0)
    {
        (DataSet dataSet, string uid) = Open(Corpus.File(corpusPath))!.Value;
        return await RenderAsync(dataSet, uid, request, frame);
    }

    /// <summary>A grey image of 16 bits from values, with what else it needs to be rendered.</summary>
    public static (DataSet DataSet, DecodedFrame Frame) Gray(int columns, short[] values, bool isSigned = true)
    {
        var dataSet = new DataSet();
        dataSet.Set(Tags.Rows, values.Length / columns);
        dataSet.Set(Tags.Columns, columns);
        dataSet.Set(Tags.BitsAllocated, 16);
        dataSet.Set(Tags.BitsStored, 16);
        dataSet.Set(Tags.HighBit, 15);
        dataSet.Set(Tags.PixelRepresentation, isSigned ? 1 : 0);
        dataSet.Set(Tags.SamplesPerPixel, 1);
        dataSet.Set(Tags.PhotometricInterpretation, "MONOCHROME2");
        dataSet.Set(Tags.SOPInstanceUID, "1.2.3");
        byte[] bytes = new byte[2 * values.Length];
        Buffer.BlockCopy(values, 0, bytes, 0, bytes.Length);
        return (dataSet, new DecodedFrame(FrameFormat.Read(dataSet), bytes));
    }

    /// <summary>Width, height, samples and pixels of a PGM or PPM of 8 bits.</summary>
    public static (int Width, int Height, int Samples, byte[] Pixels) ReadPnm(string path)
    {
        byte[] file = File.ReadAllBytes(path);
        int at = 0;
        string Token()
        {
            while (true)
            {
                while (file[at] <= 32) at++;
                if (file[at] != '#') break;
                while (file[at] != '\n') at++;
            }
            int start = at;
            while (file[at] > 32) at++;
            return Encoding.ASCII.GetString(file, start, at - start);
        }
        string kind = Token();
        int width = int.Parse(Token()), height = int.Parse(Token());
        Assert.Equal("255", Token());
        return (width, height, kind == "P6" ? 3 : 1, file[(at + 1)..]);
    }

    /// <summary>Greatest difference of two pictures, in levels; -1 when they differ in kind.</summary>
    public static int Difference(RenderedImage ours, (int Width, int Height, int Samples, byte[] Pixels) theirs)
    {
        if (ours.Width != theirs.Width || ours.Height != theirs.Height || ours.Samples != theirs.Samples) return -1;
        ReadOnlySpan<byte> pixels = ours.Pixels.Span;
        Assert.Equal(pixels.Length, theirs.Pixels.Length);
        int greatest = 0;
        for (int i = 0; i < pixels.Length; i++) greatest = Math.Max(greatest, Math.Abs(pixels[i] - theirs.Pixels[i]));
        return greatest;
    }

    /// <summary>Runs Debian's python3, which has pydicom, numpy and Pillow from its packages.</summary>
    public static async Task<string> PythonAsync(string script, params string[] arguments)
    {
        const string python = "/usr/bin/python3";
        if (!File.Exists(python)) throw Missing.Because("python3 is not installed: tests/run installs it as root on Debian");
        ToolResult result = await Tool.RunAsync(python, ["-c", script, .. arguments], timeoutSeconds: 120);
        if (result.Output.Contains("ModuleNotFoundError", StringComparison.Ordinal)) throw Missing.Because("python3-pydicom, python3-numpy or python3-pil is not installed: tests/run installs them");
        Assert.True(result.ExitCode == 0, result.Output);
        return result.Output;
    }
}
