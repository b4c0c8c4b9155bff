using System.Collections.Concurrent;
using System.Globalization;
using PacsCluster.Dicom;
using PacsCluster.Testing;

namespace PacsCluster.Imaging.Tests;

public sealed class CorpusDecodeTests
{
    private sealed record Finding(string File, string TransferSyntaxUid, string Verdict, string Detail);

    [Fact]
    public async Task Every_frame_of_the_corpus_is_what_DCMTK_and_GDCM_decode()
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
        bool exact = true;
        try
        {
            FrameReader frames = instance.Frames();
            for (int i = 0; i < frames.Count; i++)
            {
                using DecodedFrame ours = await codecs.DecodeAsync(syntax, frames.Format, frames.Read(i), ct);
                foreach ((string judge, Instance? theirs) in new[] { ("dcmtk", dcmtk), ("gdcm", gdcm) })
                {
                    if (theirs is null) continue;
                    string difference = await CompareAsync(codecs, ours, theirs, i, ct);
                    if (difference.Length > 0) differences.Add($"{judge} frame {i}: {difference}");
                    exact &= difference.Length == 0;
                }
            }
        }
        catch (ImagingException e)
        {
            return new Finding(name, syntax, dcmtk is not null && gdcm is not null ? "unjustly refused" : "refused", $"{e.Error}: {e.Message} (dcmtk {dcmtk is not null}, gdcm {gdcm is not null})");
        }
        string judges = $"dcmtk {dcmtk is not null}, gdcm {gdcm is not null}";
        return exact ? new Finding(name, syntax, "exact", judges) : new Finding(name, syntax, "differs", string.Join("; ", differences.Take(3)));
    }

    private static async Task<string> CompareAsync(FrameCodecs codecs, DecodedFrame ours, Instance theirs, int index, CancellationToken ct)
    {
        FrameReader frames;
        try
        {
            frames = theirs.Frames();
        }
        catch (ImagingException e)
        {
            return "unreadable: " + e.Message;
        }
        if (index >= frames.Count) return $"has {frames.Count} frames only";
        using DecodedFrame their = await codecs.DecodeAsync(theirs.TransferSyntax.Uid, frames.Format, frames.Read(index), ct);
        if (their.Samples.Length != ours.Samples.Length) return $"{their.Format} instead of {ours.Format}";
        int most = 0, bytes = ours.Format.SampleBytes;
        for (int at = 0; at < ours.Samples.Length; at += bytes) most = Math.Max(most, Math.Abs(Sample(ours, at) - Sample(their, at)));
        return most == 0 ? "" : string.Create(CultureInfo.InvariantCulture, $"up to {most} ({ours.Format.Photometric}, {their.Format.Photometric})");
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
