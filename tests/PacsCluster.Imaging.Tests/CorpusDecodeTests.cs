using System.Collections.Concurrent;
using System.Globalization;
using PacsCluster.Dicom;
using PacsCluster.Testing;

namespace PacsCluster.Imaging.Tests;

public sealed class CorpusDecodeTests
{
    // Where judges disagree with each other, the one that is wrong and why.
    private static readonly Dictionary<(string Judge, string File), string> s_wrong = new()
    {
        [("gdcm", "pydicom/src/pydicom/data/test_files/SC_rgb_rle_16bit.dcm")] = "takes the segments for planes of bytes of all samples; DCMTK reads them as PS3.5 G.2 says",
        [("gdcm", "pydicom/src/pydicom/data/test_files/SC_rgb_rle_32bit.dcm")] = "as of 16 bits",
    };

    private sealed record Finding(string File, string TransferSyntaxUid, string Verdict, string Detail);

    [Fact]
    public async Task Every_frame_of_the_corpus_is_what_DCMTK_GDCM_and_OpenJPEG_decode()
    {
        using var folder = new TempFolder();
        await using var codecs = new FrameCodecs(new CodecOptions());
        var findings = new ConcurrentBag<Finding>();
        await Parallel.ForEachAsync(Corpus.Files(), new ParallelOptions { MaxDegreeOfParallelism = 2, CancellationToken = TestContext.Current.CancellationToken }, async (file, ct) =>
        {
            if (await JudgeAsync(codecs, file, folder, ct) is { } finding) findings.Add(finding);
        });
        string table = string.Join('\n', findings.OrderBy(f => f.TransferSyntaxUid).ThenBy(f => f.File).Select(f => $"{f.TransferSyntaxUid}\t{f.Verdict}\t{f.File}\t{f.Detail}"));
        if (Environment.GetEnvironmentVariable("PACS_CODEC_TABLE") is { Length: > 0 } path) await File.WriteAllTextAsync(path, table, TestContext.Current.CancellationToken);
        Assert.Empty(findings.Where(f => f.Verdict is "differs" or "unjustly refused").Select(f => $"{f.Verdict}: {f.TransferSyntaxUid} {f.File}: {f.Detail}"));
    }

    private static async Task<Finding?> JudgeAsync(FrameCodecs codecs, string file, TempFolder folder, CancellationToken ct)
    {
        string name = Path.GetRelativePath(Corpus.Root, file);
        Instance instance;
        try
        {
            instance = Instance.Read(file);
        }
        catch (DicomFormatException)
        {
            return null;
        }
        if (!instance.DataSet.Contains(Tags.PixelData) && !instance.DataSet.Contains(Tags.FloatPixelData) && !instance.DataSet.Contains(Tags.DoubleFloatPixelData)) return null;
        string syntax = instance.TransferSyntax.Uid;
        string scratch = folder.At(Guid.NewGuid().ToString("N"));
        Instance? dcmtk = instance.TransferSyntax.IsEncapsulated ? await Judges.DcmtkAsync(file, syntax, scratch) : null;
        Instance? gdcm = instance.TransferSyntax.IsEncapsulated ? await Judges.GdcmAsync(file, scratch) : null;
        var differences = new List<string>();
        int bound = 0, openJpeg = 0;
        ReadOnlyMemory<byte> stored = default;
        FrameReader? frames = null;
        try
        {
            frames = instance.Frames();
            for (int i = 0; i < frames.Count; i++)
            {
                stored = frames.Read(i);
                using DecodedFrame ours = await codecs.DecodeAsync(syntax, frames.Format, stored, ct);
                if (Judges.IsJpeg2000(syntax) && await Judges.OpenJpegAsync(stored, ours.Format, scratch) is { } cells)
                {
                    openJpeg++;
                    if (!SameValues(ours.Samples.Span, cells, ours.Format)) differences.Add($"OpenJPEG frame {i}: not the same");
                }
                foreach ((string judge, Instance? theirs) in new[] { ("dcmtk", dcmtk), ("gdcm", gdcm) })
                {
                    if (theirs is null || s_wrong.ContainsKey((judge, name))) continue;
                    (int most, string difference) = await CompareAsync(codecs, ours, theirs, i, ct);
                    // GDCM leaves YCbCr as it is, and the comparison converts it: chrominances are then rounded twice.
                    if (most > (judge == "gdcm" && CodecSyntaxes.IsLossy(syntax) ? 1 : 0)) differences.Add($"{judge} frame {i}: {difference}");
                    bound = Math.Max(bound, most);
                }
            }
        }
        catch (ImagingException e)
        {
            int readers = instance.TransferSyntax.IsEncapsulated ? (dcmtk is null ? 0 : 1) + (gdcm is null ? 0 : 1) : await Judges.CountNativeReadersAsync(file, scratch);
            if (frames is not null && Judges.IsJpeg2000(syntax) && await Judges.OpenJpegAsync(stored, frames.Format, scratch) is not null) readers++;
            return new Finding(name, syntax, readers >= 2 ? "unjustly refused" : "refused", $"{e.Error}: {e.Message}; {readers} judges read it");
        }
        string judges = string.Join(", ", new[] { dcmtk is null ? null : "dcmtk", gdcm is null ? null : "gdcm", openJpeg == 0 ? null : "openjpeg" }.OfType<string>());
        if (differences.Count > 0) return new Finding(name, syntax, "differs", string.Join("; ", differences.Take(3)));
        return new Finding(name, syntax, bound == 0 ? "exact" : $"within {bound}", judges);
    }

    private static async Task<(int Most, string Difference)> CompareAsync(FrameCodecs codecs, DecodedFrame ours, Instance theirs, int index, CancellationToken ct)
    {
        FrameReader frames;
        try
        {
            frames = theirs.Frames();
        }
        catch (ImagingException e)
        {
            return (int.MaxValue, "unreadable: " + e.Message);
        }
        if (index >= frames.Count) return (int.MaxValue, $"has {frames.Count} frames only");
        using DecodedFrame their = await codecs.DecodeAsync(theirs.TransferSyntax.Uid, frames.Format, frames.Read(index), ct);
        if (their.Samples.Length != ours.Samples.Length) return (int.MaxValue, $"{their.Format} instead of {ours.Format}");
        int most = 0, bytes = ours.Format.SampleBytes;
        bool convert = ours.Format is { Photometric: PhotometricInterpretation.Rgb, SampleBytes: 1 } && their.Format.Photometric is PhotometricInterpretation.YbrFull or PhotometricInterpretation.YbrFull422;
        for (int at = 0; at < ours.Samples.Length; at += bytes) most = Math.Max(most, Math.Abs(Sample(ours, at) - (convert ? Rgb(their.Samples.Span, at) : Sample(their, at))));
        return (most, most == 0 ? "" : string.Create(CultureInfo.InvariantCulture, $"up to {most} ({ours.Format.Photometric}, {their.Format.Photometric})"));
    }

    /// <summary>The same values; what stands outside of Bits Stored is not the codestream's.</summary>
    private static bool SameValues(ReadOnlySpan<byte> ours, ReadOnlySpan<byte> theirs, FrameFormat format)
    {
        if (format.BitsStored == format.BitsAllocated || format.HighBit != format.BitsStored - 1) return ours.SequenceEqual(theirs);
        int mask = (1 << format.BitsStored) - 1;
        for (int at = 0; at < ours.Length; at++)
        {
            if (((ours[at] ^ theirs[at]) & (byte)(mask >> (at % format.SampleBytes * 8))) != 0) return false;
        }
        return true;
    }

    /// <summary>One sample of RGB from YCbCr of 8 bits (PS3.3 C.7.6.3.1.2).</summary>
    private static int Rgb(ReadOnlySpan<byte> ycc, int at)
    {
        int pixel = at - at % 3;
        double y = ycc[pixel], cb = ycc[pixel + 1] - 128, cr = ycc[pixel + 2] - 128;
        double value = (at % 3) switch { 0 => y + 1.402 * cr, 1 => y - 0.344136 * cb - 0.714136 * cr, _ => y + 1.772 * cb };
        return Math.Clamp((int)Math.Round(value), 0, 255);
    }

    private static int Sample(DecodedFrame frame, int at)
    {
        ReadOnlySpan<byte> cells = frame.Samples.Span[at..];
        int cell = frame.Format.SampleBytes switch { 1 => cells[0], 2 => cells[0] | cells[1] << 8, _ => BitConverter.ToInt32(cells) };
        int unused = 32 - frame.Format.BitsStored;
        int value = cell >> (frame.Format.HighBit + 1 - frame.Format.BitsStored);
        return frame.Format.IsSigned ? value << unused >> unused : (int)((uint)value << unused >> unused);
    }
}
