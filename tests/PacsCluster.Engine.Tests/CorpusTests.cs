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
        int tried = 0, quarantined = 0, unreadable = 0;
        var wrong = new List<string>();
        foreach (string file in Corpus.Files())
        {
            byte[] bytes = await File.ReadAllBytesAsync(file, TestContext.Current.CancellationToken);
            FileStart start;
            try
            {
                start = Part10.ReadStart(bytes);
            }
            catch (DicomFormatException)
            {
                unreadable++;
                continue;
            }
            tried++;
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
            if (outcome.Kind == StoreOutcomeKind.Quarantined) quarantined++;
            if (!outcome.IsSuccess) unreadable++;
        }
        Assert.True(wrong.Count == 0, string.Join("\n", wrong));
        Assert.True(stored.Count >= 500, $"{stored.Count} of {tried} stored, {quarantined} quarantined, {unreadable} not readable");
        foreach ((string key, byte[] dataSet) in stored)
        {
            string[] uids = key.Split('/');
            InstanceLocation location = Assert.Single(await archive.LocateAsync(uids[1]), l => l.StudyInstanceUid == uids[0]);
            byte[] read = await archive.ReadAsync(location);
            Assert.True(dataSet.AsSpan().SequenceEqual(read), key);
        }
        await archive.AssertCleanAsync();
        TestContext.Current.SendDiagnosticMessage($"{stored.Count} of {tried} stored, {quarantined} quarantined, {unreadable} not readable");
    }
}
