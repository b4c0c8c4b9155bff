using PacsCluster.Catalog;
using PacsCluster.Dicom;
using PacsCluster.Testing;

namespace PacsCluster.Engine.Tests;

/// <summary>Every file that others made goes in and comes back out with the same bytes.</summary>
public sealed class CorpusTests
{
    [Fact]
    public async Task EveryFileWithItsUidsComesBackWithTheSameDataSet()
    {
        await using TestArchive archive = await TestArchive.StartAsync();
        var stored = new Dictionary<string, byte[]>();
        var quarantined = new List<byte[]>();
        var refused = new List<string>();
        var wrong = new List<string>();
        foreach (string file in Corpus.Files())
        {
            byte[] bytes = await File.ReadAllBytesAsync(file, TestContext.Current.CancellationToken);
            FileStart start;
            try
            {
                start = Part10.ReadStart(bytes);
            }
            catch (DicomFormatException fault)
            {
                refused.Add($"{file}: {fault.Message}");
                continue;
            }
            byte[] dataSet = bytes[start.DataSetOffset..];
            StoreOutcome outcome = await archive.Archive.Ingest.StoreAsync(new MemoryStream(dataSet), new StoreOrigin
            {
                TransferSyntax = start.TransferSyntax,
                Door = StoreDoor.Import,
                RemoteAddress = "localhost",
                SourceFileMeta = start.FileMeta,
            }, TestContext.Current.CancellationToken);
            if (outcome.Kind is StoreOutcomeKind.Failed or StoreOutcomeKind.OutOfResources) wrong.Add($"{file}: {outcome.Kind} {outcome.Comment}");
            if (outcome.Kind == StoreOutcomeKind.Stored) stored.Add($"{outcome.StudyInstanceUid}/{outcome.SopInstanceUid}", dataSet);
            if (outcome.Kind == StoreOutcomeKind.Quarantined) quarantined.Add(dataSet);
            if (!outcome.IsSuccess) refused.Add($"{file}: {outcome.Kind} {outcome.Comment}");
        }
        string summary = $"{stored.Count} stored, {quarantined.Count} quarantined, {refused.Count} refused";
        TestContext.Current.SendDiagnosticMessage($"{summary}\n{string.Join("\n", refused)}");
        Assert.True(wrong.Count == 0, string.Join("\n", wrong));
        foreach ((string key, byte[] dataSet) in stored)
        {
            string[] uids = key.Split('/');
            InstanceLocation location = Assert.Single(await archive.LocateAsync(uids[1]), l => l.StudyInstanceUid == uids[0]);
            byte[] read = await archive.ReadAsync(location);
            Assert.True(dataSet.AsSpan().SequenceEqual(read), key);
        }
        // Several projects publish one image in many encodings under one UID: the first is stored, the others lie in quarantine, no byte less true.
        List<QuarantineEntry> entries = await TestArchive.ListAsync(archive.Sqlite.ListQuarantineAsync());
        Assert.Equal(quarantined.Count, entries.Count);
        foreach ((QuarantineEntry entry, byte[] dataSet) in entries.Zip(quarantined))
        {
            await using Stream stream = await archive.Files.OpenReadAsync(entry.Copies[0].StoreKey);
            using var bytes = new MemoryStream();
            await stream.CopyToAsync(bytes);
            Assert.True(bytes.GetBuffer().AsSpan(0, (int)bytes.Length).EndsWith(dataSet), entry.Row.SopInstanceUid);
            // Some of those without UIDs are fragments that are no file by themselves; the rest can be shown.
            Assert.NotNull(await archive.Archive.Quarantine.ReadHeaderAsync(entry.Row.Key, CancellationToken.None));
        }
        Assert.True(stored.Count + quarantined.Count >= 600, summary);
        await archive.AssertCleanAsync();
    }
}
