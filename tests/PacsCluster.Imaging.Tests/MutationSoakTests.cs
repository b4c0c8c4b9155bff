using System.Globalization;
using PacsCluster.Dicom;
using PacsCluster.Testing;

namespace PacsCluster.Imaging.Tests;

/// <summary>Hostile codestreams: frames of the corpus with bytes changed, cut, doubled and taken out, from fixed seeds. PACS_SOAK says how many (600 by
/// default; <c>benchmarks/run soak</c> takes 100,000), PACS_SOAK_LIMIT after how many seconds decoding one is ended (20: a machine under tests is slow).</summary>
public sealed class MutationSoakTests
{
    [Fact]
    public async Task Mutated_codestreams_give_a_frame_or_an_error_and_the_process_lives()
    {
        int count = int.Parse(Environment.GetEnvironmentVariable("PACS_SOAK") ?? "600", CultureInfo.InvariantCulture);
        CancellationToken cancel = TestContext.Current.CancellationToken;
        List<(string Syntax, FrameFormat Format, byte[] Frame)> seeds = Seeds();
        Assert.True(seeds.Select(seed => seed.Syntax).Distinct().Count() >= 10);
        var limit = TimeSpan.FromSeconds(int.Parse(Environment.GetEnvironmentVariable("PACS_SOAK_LIMIT") ?? "20", CultureInfo.InvariantCulture));
        await using var codecs = new FrameCodecs(new CodecOptions { TimeLimit = limit, FrameMaxBytes = 64 * 1024 * 1024 });
        int decoded = 0;
        var refused = new Dictionary<ImagingError, int>();
        await Parallel.ForAsync(0, count, new ParallelOptions { MaxDegreeOfParallelism = 2, CancellationToken = cancel }, async (i, ct) =>
        {
            (string syntax, FrameFormat format, byte[] frame) = seeds[i % seeds.Count];
            try
            {
                using DecodedFrame result = await codecs.DecodeAsync(syntax, format, Mutate(frame, new Random(i)), ct);
                Assert.Equal(result.Format.DecodedLength, result.Samples.Length);
                Interlocked.Increment(ref decoded);
            }
            catch (ImagingException e)
            {
                lock (refused) refused[e.Error] = refused.GetValueOrDefault(e.Error) + 1;
            }
        });
        string said = $"{count} mutated: {decoded} decoded, " + string.Join(", ", refused.Select(pair => $"{pair.Value} {pair.Key}"));
        if (Environment.GetEnvironmentVariable("PACS_SOAK_REPORT") is { Length: > 0 } report) await File.WriteAllTextAsync(report, said, cancel);
        Assert.Equal(count, decoded + refused.Values.Sum());
        Assert.True(refused.GetValueOrDefault(ImagingError.Corrupt) > count / 20, said);
        // And a sound frame still is one.
        (string last, FrameFormat kind, byte[] sound) = seeds[0];
        using DecodedFrame after = await codecs.DecodeAsync(last, kind, sound, cancel);
        Assert.Equal(after.Format.DecodedLength, after.Samples.Length);
    }

    /// <summary>The first frames of small files, two of each transfer syntax.</summary>
    private static List<(string Syntax, FrameFormat Format, byte[] Frame)> Seeds()
    {
        var seeds = new List<(string Syntax, FrameFormat Format, byte[] Frame)>();
        foreach (string file in Corpus.Files().Where(f => !f.Contains("/malformed/", StringComparison.Ordinal) && new FileInfo(f).Length < 200_000))
        {
            try
            {
                Instance instance = Instance.Read(file);
                string syntax = instance.TransferSyntax.Uid;
                if (!instance.TransferSyntax.IsEncapsulated || !CodecSyntaxes.CanDecode(syntax) || seeds.Count(seed => seed.Syntax == syntax) == 2) continue;
                FrameReader frames = instance.Frames();
                seeds.Add((syntax, frames.Format, frames.Read(0).ToArray()));
            }
            catch (Exception e) when (e is DicomFormatException or ImagingException)
            {
                // Not an image.
            }
        }
        return seeds;
    }

    private static byte[] Mutate(byte[] frame, Random random)
    {
        byte[] mutated = [.. frame];
        // Headers are where sizes and tables stand: half of the changes go there.
        int At() => random.Next(2) == 0 ? random.Next(Math.Min(mutated.Length, 200)) : random.Next(mutated.Length);
        switch (random.Next(4))
        {
            case 0:
                return mutated[..random.Next(1, mutated.Length)];
            case 1:
                int from = At(), length = random.Next(1, 64);
                return [.. mutated[..from], .. mutated[Math.Min(mutated.Length, from + length)..]];
            case 2:
                int twice = At();
                return [.. mutated[..twice], .. mutated[Math.Max(0, twice - random.Next(64))..]];
            default:
                for (int i = random.Next(1, 9); i > 0; i--) mutated[At()] = random.Next(3) == 0 ? (byte)(random.Next(2) * 255) : (byte)random.Next(256);
                return mutated;
        }
    }
}
