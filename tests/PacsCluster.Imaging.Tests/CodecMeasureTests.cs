using System.Diagnostics;
using System.Globalization;
using PacsCluster.Dicom;
using PacsCluster.Testing;

namespace PacsCluster.Imaging.Tests;

/// <summary>Figures for <c>benchmarks/run codecs</c>, which names a file for them in PACS_MEASURE_CODECS; without that nothing is measured.</summary>
public sealed class CodecMeasureTests
{
    private const int Frames = 40;

    // Short turns, and many: the machine's speed drifts within seconds.
    private const int Rounds = 15, DecodesPerRound = 10;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Decoding_beside_the_libraries_in_C_and_the_tools_of_DCMTK()
    {
        string report = Environment.GetEnvironmentVariable("PACS_MEASURE_CODECS") ?? "";
        Assert.SkipWhen(report.Length == 0, "PACS_MEASURE_CODECS is not set: benchmarks/run codecs measures");
        using var folder = new TempFolder();
        await using var codecs = new FrameCodecs(new CodecOptions());
        DecodedFrame image = Slice();
        var lines = new List<string>();
        string harness = folder.At("decode");
        ToolResult built = await Tool.RunAsync("gcc", ["-O2", "-o", harness, Path.Combine(AppContext.BaseDirectory, "native", "decode.c"), "-lopenjp2", "-lcharls"]);
        Assert.True(built.ExitCode == 0, "apt-get install gcc libopenjp2-7-dev libcharls-dev: " + built.Output);
        foreach ((string kind, string title, string syntax) in new[] { ("j2k", "JPEG 2000", Uids.JPEG2000Lossless), ("jls", "JPEG-LS", Uids.JPEGLSLossless) })
        {
            EncodedFrame encoded = await codecs.EncodeAsync(syntax, image, new EncodeOptions(), Cancel);
            string file = folder.At(kind);
            await File.WriteAllBytesAsync(file, encoded.Bytes.ToArray(), Cancel);
            // The worker has started, and its pages are there, as the library's are after its first frames.
            _ = await MedianAsync(codecs, syntax, encoded.Format, encoded.Bytes);
            for (int round = 0; round < Rounds; round++)
            {
                ToolResult theirs = await Tool.RunAsync(harness, [kind, file, $"{DecodesPerRound}"], 120);
                lines.Add($"decode {title} 512x512x12, ms\tlibrary from C\t{theirs.Output.Trim()}");
                lines.Add(Line($"decode {title} 512x512x12, ms", "PacsCluster", await MedianAsync(codecs, syntax, encoded.Format, encoded.Bytes)));
            }
        }
        string native = folder.At("native.dcm"), rle = folder.At("rle.dcm"), lossless = folder.At("lossless.dcm"), output = folder.At("out.dcm");
        await File.WriteAllBytesAsync(native, MultiFrame(image), Cancel);
        Assert.Equal(0, (await Tool.RunAsync("dcmcrle", [native, rle])).ExitCode);
        Assert.Equal(0, (await Tool.RunAsync("dcmcjpeg", ["+e1", native, lossless])).ExitCode);
        foreach ((string title, string tool, string file) in new[] { ("RLE", "dcmdrle", rle), ("lossless JPEG", "dcmdjpeg", lossless) })
        {
            for (int round = 0; round < Rounds; round++)
            {
                long start = Stopwatch.GetTimestamp();
                Assert.Equal(0, (await Tool.RunAsync(tool, [file, output])).ExitCode);
                lines.Add(Line($"decode {Frames} frames of {title}, ms", "DCMTK", Stopwatch.GetElapsedTime(start).TotalMilliseconds));
                start = Stopwatch.GetTimestamp();
                Instance instance = Instance.Read(file);
                FrameReader frames = instance.Frames();
                for (int i = 0; i < frames.Count; i++) (await codecs.DecodeAsync(frames.TransferSyntaxUid, frames.Format, frames.Read(i), Cancel)).Dispose();
                lines.Add(Line($"decode {Frames} frames of {title}, ms", "PacsCluster", Stopwatch.GetElapsedTime(start).TotalMilliseconds));
            }
        }
        await File.WriteAllLinesAsync(report, lines, Cancel);
    }

    private static string Line(string row, string column, double milliseconds) => string.Create(CultureInfo.InvariantCulture, $"{row}\t{column}\t{milliseconds:0.0000}");

    private static async Task<double> MedianAsync(FrameCodecs codecs, string syntax, FrameFormat format, ReadOnlyMemory<byte> frame)
    {
        var times = new List<double>();
        for (int i = 0; i < DecodesPerRound; i++)
        {
            long start = Stopwatch.GetTimestamp();
            (await codecs.DecodeAsync(syntax, format, frame, Cancel)).Dispose();
            times.Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
        }
        times.Sort();
        return times[DecodesPerRound / 2];
    }

    /// <summary>A slice as a scanner makes them: a body with edges, and noise of some 20 HU over all of it.</summary>
    private static DecodedFrame Slice()
    {
        var format = new FrameFormat { Rows = 512, Columns = 512, BitsAllocated = 16, BitsStored = 12, HighBit = 11, Photometric = PhotometricInterpretation.Monochrome2 };
        var random = new Random(20261122);
        byte[] samples = new byte[format.DecodedLength];
        for (int y = 0; y < 512; y++)
        {
            for (int x = 0; x < 512; x++)
            {
                double dx = (x - 256) / 200.0, dy = (y - 256) / 150.0, r = dx * dx + dy * dy;
                double level = r > 1 ? 24 : r > 0.9 ? 1900 : 1064 + 60 * Math.Sin(x / 17.0) * Math.Cos(y / 23.0);
                double noise = 20 * Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
                BitConverter.TryWriteBytes(samples.AsSpan((y * 512 + x) * 2), (ushort)Math.Clamp(level + noise, 0, 4095));
            }
        }
        return new DecodedFrame(format, samples);
    }

    private static byte[] MultiFrame(DecodedFrame image)
    {
        var dataSet = new DataSet();
        dataSet.Set(new Tag(0x0008_0016), "1.2.840.10008.5.1.4.1.1.7.3", VR.UI);
        dataSet.Set(new Tag(0x0008_0018), "1.2.3.4", VR.UI);
        dataSet.Set(Tags.SamplesPerPixel, 1);
        dataSet.Set(Tags.PhotometricInterpretation, "MONOCHROME2");
        dataSet.Set(Tags.NumberOfFrames, Frames);
        dataSet.Set(Tags.Rows, 512);
        dataSet.Set(Tags.Columns, 512);
        dataSet.Set(Tags.BitsAllocated, 16);
        dataSet.Set(Tags.BitsStored, 12);
        dataSet.Set(Tags.HighBit, 11);
        dataSet.Set(Tags.PixelRepresentation, 0);
        byte[] pixels = new byte[image.Samples.Length * Frames];
        for (int i = 0; i < Frames; i++) image.Samples.CopyTo(pixels.AsMemory(i * image.Samples.Length));
        dataSet.SetRaw(Tags.PixelData, VR.OW, pixels);
        return [.. Part10.BuildFileMeta(TransferSyntax.ExplicitVRLittleEndian, "1.2.840.10008.5.1.4.1.1.7.3", "1.2.3.4"), .. dataSet.ToArray()];
    }
}
