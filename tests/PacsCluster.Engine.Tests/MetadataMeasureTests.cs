using System.Diagnostics;
using PacsCluster.Dicom;

namespace PacsCluster.Engine.Tests;

/// <summary>Figures, not checks: run by <c>--explicit only</c> (xunit v3).</summary>
public sealed class MetadataMeasureTests(ITestOutputHelper output)
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact(Explicit = true)]
    public async Task Answers()
    {
        await using TestArchive archive = await TestArchive.StartAsync();
        int study = 0;
        foreach (int instances in (int[])[500, 2000, 5000])
        {
            study++;
            await Parallel.ForAsync(0, instances, new ParallelOptions { MaxDegreeOfParallelism = 16, CancellationToken = Ct }, async (i, _) =>
                await archive.StoreAsync(Made.Image(study, 1 + (i / 500), i, more: image => Fill(image, i))));
            async Task<MetadataAnswer> OpenAsync() => (await archive.Archive.Metadata.OpenAsync(new MetadataRequest { StudyInstanceUid = Made.Study(study) }, Ct))!;
            async Task JsonAsync() => await (await OpenAsync()).WriteJsonAsync(Stream.Null, Ct);
            async Task GzipAsync() => await (await OpenAsync()).WriteGzipAsync(Stream.Null, Ct);
            using var bytes = new MemoryStream();
            await (await OpenAsync()).WriteJsonAsync(bytes, Ct);
            long json = bytes.Length;
            double made = await TimeAsync(JsonAsync), madeGzip = await TimeAsync(GzipAsync);
            double complete = await TimeAsync(async () => await archive.Archive.Completion.CompleteAsync(Made.Study(study), Ct), 1);
            bytes.SetLength(0);
            await (await OpenAsync()).WriteGzipAsync(bytes, Ct);
            output.WriteLine($"{instances,5} instances, {json >> 10,6} KiB, packed {bytes.Length >> 10,5} KiB in {complete,5:F0} ms; p50: packed {await TimeAsync(GzipAsync):F2} ms, "
                + $"unpacked {await TimeAsync(JsonAsync):F1} ms; from headers {made:F1} ms, from headers to gzip {madeGzip:F1} ms");
        }
    }

    // About what a CT slice has.
    private static void Fill(DataSet image, int number)
    {
        for (uint i = 0; i < 60; i++) image.Set(new Tag(0x0018_0000 | (0x9000 + i)), $"{number * 0.37 + i:F4}", VR.DS);
        for (uint i = 0; i < 20; i++) image.Set(new Tag(0x0008_0000 | (0x0100 + i)), $"some words {i}", VR.LO);
        image.Set(new Tag(0x0020_0032), $"-120.5\\-130.25\\{number * 1.25:F2}");
        image.Set(new Tag(0x0020_0037), "1\\0\\0\\0\\1\\0");
        image.Set(new Tag(0x0020_0052), "1.2.826.0.1.3680043.10.1463.1.2.3");
    }

    private static async Task<double> TimeAsync(Func<Task> what, int times = 15)
    {
        var all = new List<double>();
        for (int i = 0; i < times; i++)
        {
            long start = Stopwatch.GetTimestamp();
            await what();
            all.Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
        }
        all.Sort();
        return all[all.Count / 2];
    }
}
