using PacsCluster.Catalog;
using PacsCluster.Dicom;
using PacsCluster.Testing;

namespace PacsCluster.Engine.Tests;

public sealed class RetrieveTests
{
    private static readonly TransferSyntax[] s_uncompressed =
    [
        TransferSyntax.ImplicitVRLittleEndian, TransferSyntax.ExplicitVRLittleEndian, TransferSyntax.ExplicitVRBigEndian, TransferSyntax.DeflatedExplicitVRLittleEndian,
    ];

    private static readonly TransferSyntax s_jpeg = TransferSyntax.FromUid("1.2.840.10008.1.2.4.50");
    private static readonly TransferSyntax s_jpeg2000 = TransferSyntax.FromUid("1.2.840.10008.1.2.4.91");
    private static readonly TransferSyntax s_rle = TransferSyntax.FromUid("1.2.840.10008.1.2.5");
    private static readonly TransferSyntax s_video = TransferSyntax.FromUid("1.2.840.10008.1.2.4.102");

    private static InstanceLocation Location(TransferSyntax stored) => new()
    {
        InstanceKey = 1, SopClassUid = "1", SopInstanceUid = "1", StudyInstanceUid = "1", SeriesInstanceUid = "1", TransferSyntaxUid = stored.Uid,
        Store = "files", StoreKey = "0", Offset = 0, Length = 1000, DataSetOffset = 100, PixelDataOffset = -1, NumberOfFrames = 1,
    };

    [Fact]
    public async Task AsStoredIsChosenFirstThenWhatCanBeConverted()
    {
        await using TestArchive archive = await TestArchive.StartAsync();
        Retrieve retrieve = archive.Archive.Retrieve;
        foreach (TransferSyntax stored in s_uncompressed) Assert.Same(stored, retrieve.Choose(Location(stored), s_uncompressed));
        Assert.Same(TransferSyntax.ExplicitVRLittleEndian, retrieve.Choose(Location(TransferSyntax.ExplicitVRBigEndian), [s_jpeg, TransferSyntax.ImplicitVRLittleEndian, TransferSyntax.ExplicitVRLittleEndian]));
        Assert.Same(TransferSyntax.ImplicitVRLittleEndian, retrieve.Choose(Location(TransferSyntax.DeflatedExplicitVRLittleEndian), [TransferSyntax.ImplicitVRLittleEndian, s_jpeg]));
        Assert.Same(s_jpeg, retrieve.Choose(Location(s_jpeg), [TransferSyntax.ExplicitVRLittleEndian, s_jpeg]));
        Assert.Same(TransferSyntax.ExplicitVRLittleEndian, retrieve.Choose(Location(s_jpeg), s_uncompressed));
        Assert.Same(TransferSyntax.ImplicitVRLittleEndian, retrieve.Choose(Location(s_jpeg), [s_rle, TransferSyntax.ImplicitVRLittleEndian]));
        Assert.Same(s_rle, retrieve.Choose(Location(TransferSyntax.ExplicitVRBigEndian), [s_jpeg, s_rle]));
        Assert.Null(retrieve.Choose(Location(s_jpeg), [s_jpeg2000]));
        Assert.Null(retrieve.Choose(Location(s_video), s_uncompressed));
        Assert.Null(retrieve.Choose(Location(TransferSyntax.ExplicitVRLittleEndian), [s_jpeg]));
        Assert.Null(retrieve.Choose(Location(TransferSyntax.ExplicitVRLittleEndian), []));
        await Assert.ThrowsAsync<NotSupportedException>(() => retrieve.OpenAsync(Location(s_video), TransferSyntax.ExplicitVRLittleEndian, CancellationToken.None).AsTask());
        await Assert.ThrowsAsync<InstanceUnavailableException>(() => retrieve.OpenAsync(Location(s_jpeg) with { StoreKey = new string('0', 32) }, s_jpeg, CancellationToken.None).AsTask());
    }

    /// <summary>Ours converted and theirs as it was, both brought into one form by dcmconv: every byte must be the same.</summary>
    [Fact]
    public async Task ConvertedInstancesAreWhatDcmconvMakesOfTheOriginals()
    {
        await using TestArchive archive = await TestArchive.StartAsync();
        using var folder = new TempFolder();
        var files = new List<(string File, InstanceLocation Location)>();
        foreach (string file in Corpus.Files().Where(f => !f.Contains("/malformed/", StringComparison.Ordinal) && new FileInfo(f).Length < 400_000))
        {
            byte[] bytes = await File.ReadAllBytesAsync(file);
            FileStart start;
            try
            {
                start = Part10.ReadStart(bytes);
            }
            catch (DicomFormatException)
            {
                continue;
            }
            if (start.TransferSyntax.IsEncapsulated) continue;
            StoreOutcome outcome = await archive.StoreAsync(bytes[start.DataSetOffset..], start.TransferSyntax);
            if (outcome.Kind == StoreOutcomeKind.Stored) files.Add((file, Assert.Single(await archive.LocateAsync(outcome.SopInstanceUid!), l => l.StudyInstanceUid == outcome.StudyInstanceUid)));
        }
        // Every syntax and every folder has its share; all of them would take minutes.
        List<(string File, InstanceLocation Location)> sample = [.. files.GroupBy(f => (f.Location.TransferSyntaxUid, Path.GetDirectoryName(f.File))).SelectMany(g => g.Take(4))];
        var wrong = new System.Collections.Concurrent.ConcurrentBag<string>();
        int compared = 0;
        await Parallel.ForEachAsync(sample, async (one, token) =>
        {
            string name = folder.At($"{one.Location.InstanceKey}");
            if (await NormalizeAsync(one.File, name + ".theirs") is not { } theirs) return;
            foreach (TransferSyntax target in s_uncompressed)
            {
                byte[] dataSet = await archive.ReadAsync(one.Location, target);
                await File.WriteAllBytesAsync($"{name}.{target.Uid}", [.. Part10.BuildFileMeta(target, one.Location.SopClassUid, one.Location.SopInstanceUid), .. dataSet], token);
                byte[]? ours = await NormalizeAsync($"{name}.{target.Uid}", $"{name}.ours");
                if (ours is null || !ours.AsSpan().SequenceEqual(theirs)) wrong.Add($"{one.File} from {one.Location.TransferSyntaxUid} to {target.Uid}{(ours is null ? " cannot be read" : "")}");
                Interlocked.Increment(ref compared);
            }
        });
        Assert.True(wrong.IsEmpty, $"{wrong.Count} of {compared}:\n{string.Join("\n", wrong.Order())}");
        Assert.True(compared >= 100, $"{compared} compared");
    }

    private static async Task<byte[]?> NormalizeAsync(string from, string to)
    {
        ToolResult result = await Tool.RunAsync("dcmconv", ["+ti", "-g", "+e", from, to]);
        if (result.ExitCode != 0) return null;
        byte[] bytes = await File.ReadAllBytesAsync(to);
        return bytes[Part10.ReadStart(bytes).DataSetOffset..];
    }
}
