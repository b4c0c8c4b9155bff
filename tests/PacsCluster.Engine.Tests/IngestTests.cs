using System.Security.Cryptography;
using PacsCluster.Catalog;
using PacsCluster.Dicom;
using PacsCluster.Testing;

namespace PacsCluster.Engine.Tests;

/// <summary>One instance on its way in.</summary>
public sealed class IngestTests
{
    private static byte[] Instance(string sop = "1", string content = "a") =>
        new ScriptLine(0, "", "store", new Dictionary<string, string> { ["study"] = "1", ["sop"] = sop, ["content"] = content }, "", "", [])
            .DataSet(TransferSyntax.ExplicitVRLittleEndian);

    private static byte[] WithPixels(int bytes)
    {
        DataSet dataSet = DataSet.Read(Instance(), TransferSyntax.ExplicitVRLittleEndian);
        dataSet.Set(new Tag(0x00280010), bytes / 1024);
        dataSet.Set(new Tag(0x00280011), 512);
        dataSet.Set(new Tag(0x00280100), 16);
        dataSet.SetRaw(new Tag(0x7FE00010), VR.OW, RandomNumberGenerator.GetBytes(bytes));
        return dataSet.ToArray();
    }

    [Theory, InlineData(1000), InlineData(262144 - 40), InlineData(524288), InlineData(3_000_000)]
    public async Task BytesComeBackWhateverTheirLengthAndHoweverTheyArrive(int pixels)
    {
        byte[] dataSet = WithPixels(pixels & ~1);
        foreach (int chunk in new[] { 1 << 30, 16_378, 997 })
        {
            await using TestArchive archive = await TestArchive.StartAsync();
            Assert.Equal(StoreOutcomeKind.Stored, (await archive.StoreAsync(new SlowStream(dataSet, chunk))).Kind);
            InstanceLocation location = Assert.Single(await archive.LocateAsync("1.2.3.200.1"));
            Assert.Equal(dataSet, await archive.ReadAsync(location));
            Assert.Equal(dataSet.Length - (pixels & ~1) - 12, location.PixelDataOffset);
            await archive.AssertCleanAsync();
        }
    }

    [Theory]
    // Nothing behind the pixels, padding, and so much that it comes out longer than the buffer.
    [InlineData(1000, 0), InlineData(524_288, 0), InlineData(524_288, 10), InlineData(524_288, 300_000), InlineData(524_288, 700_000), InlineData(1_040_000, 0), InlineData(300_000, 2), InlineData(3_000_000, 8)]
    public async Task What_is_written_ahead_to_the_end_of_its_pixels_is_whole_whatever_follows_them(int pixels, int padding)
    {
        DataSet made = DataSet.Read(WithPixels(pixels), TransferSyntax.ExplicitVRLittleEndian);
        if (padding > 0) made.SetRaw(new Tag(0xFFFCFFFC), VR.OB, RandomNumberGenerator.GetBytes(padding));
        byte[] dataSet = made.ToArray();
        // The request names the instance truly, or by a UID of the same length, a shorter or a longer one, or not at all: its name decides where the data set is received.
        foreach (string? named in (string?[])["1.2.3.200.1", "1.2.3.200.2", "1.2.3", "1.2.3.200.100000000", null])
        {
            await using TestArchive archive = await TestArchive.StartAsync(new EngineOptions { Policy = new StorePolicy { RequestMismatch = MisfitPolicy.Store }, ReminderConcurrency = 0 });
            StoreOrigin origin = TestArchive.Origin with { AffectedSopClassUid = named is null ? null : "1.2.840.10008.5.1.4.1.1.7", AffectedSopInstanceUid = named };
            // What comes short of it is refused, and leaves nothing.
            Assert.Equal(StoreOutcomeKind.CannotUnderstand, (await archive.Archive.Ingest.StoreAsync(new MemoryStream(dataSet[..^(padding + 14)]), origin, TestContext.Current.CancellationToken)).Kind);
            Assert.Empty(await archive.BlobsAsync());
            Assert.Equal(StoreOutcomeKind.Stored, (await archive.Archive.Ingest.StoreAsync(new SlowStream(dataSet, 60_000), origin, TestContext.Current.CancellationToken)).Kind);
            Assert.Equal(dataSet, await archive.ReadAsync(Assert.Single(await archive.LocateAsync("1.2.3.200.1"))));
            Assert.Single(await archive.BlobsAsync());
            await archive.AssertCleanAsync();
        }
    }

    [Fact]
    public async Task LengthsAroundTheBufferAreRight()
    {
        await using TestArchive archive = await TestArchive.StartAsync(new EngineOptions { ReadBufferBytes = 16384, OrphanSweepInterval = TimeSpan.Zero });
        byte[] start = WithPixels(1000);
        int around = 1000 - start.Length;
        int sop = 0;
        foreach (int length in new[] { 16384 - 2, 16384, 16384 + 2, 32768, 32770 })
        {
            DataSet dataSet = DataSet.Read(WithPixels(length + around), TransferSyntax.ExplicitVRLittleEndian);
            dataSet.Set(new Tag(0x00080018), $"1.2.3.9.{++sop}");
            byte[] bytes = dataSet.ToArray();
            Assert.Equal(StoreOutcomeKind.Stored, (await archive.StoreAsync(bytes)).Kind);
            Assert.Equal(bytes, await archive.ReadAsync(Assert.Single(await archive.LocateAsync($"1.2.3.9.{sop}"))));
        }
        await archive.AssertCleanAsync();
    }

    [Fact]
    public async Task C_69_TheBlobIsAFileThatOthersRead()
    {
        await using TestArchive archive = await TestArchive.StartAsync(inFiles: true);
        await archive.StoreAsync(WithPixels(2048), from: "SENDER");
        string key = Assert.Single(await archive.BlobsAsync());
        string file = Directory.EnumerateFiles(archive.Folder, key, SearchOption.AllDirectories).Single();
        ToolResult dump = await Tool.RunAsync("dcmdump", ["+P", "0002,0003", "+P", "0002,0016", "+P", "0002,0012", file]);
        Assert.Equal(0, dump.ExitCode);
        Assert.Contains("1.2.3.200.1", dump.Output, StringComparison.Ordinal);
        Assert.Contains("SENDER", dump.Output, StringComparison.Ordinal);
        Assert.Contains(Part10.ImplementationClassUid, dump.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ASenderThatGoesAwayLeavesNothing()
    {
        await using TestArchive archive = await TestArchive.StartAsync();
        byte[] dataSet = WithPixels(1_000_000);
        foreach (int at in new[] { 0, 100, 300_000, 900_000 })
        {
            var broken = new SlowStream(dataSet, 10_000, position => position >= at ? throw new IOException("the sender went away") : Task.CompletedTask);
            await Assert.ThrowsAsync<IOException>(() => archive.StoreAsync(broken));
        }
        using var cancel = new CancellationTokenSource();
        var slow = new SlowStream(dataSet, 10_000, position => position >= 500_000 ? cancel.CancelAsync() : Task.CompletedTask);
        var origin = new StoreOrigin { TransferSyntax = TransferSyntax.ExplicitVRLittleEndian, Door = StoreDoor.Dimse };
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => archive.Archive.Ingest.StoreAsync(slow, origin, cancel.Token));
        Assert.Equal(0, archive.Archive.Ingest.InFlight);
        Assert.Empty(await archive.BlobsAsync());
    }

    [Fact]
    public async Task ADataSetCutOffAnywhereIsRefusedAndLeavesNothing()
    {
        await using TestArchive archive = await TestArchive.StartAsync();
        byte[] dataSet = Instance();
        int whole = 0;
        for (int length = 0; length < dataSet.Length; length++)
        {
            StoreOutcome outcome = await archive.StoreAsync(dataSet[..length]);
            // Between two elements nobody can tell; then UIDs are missing, and with the series' UID there it is simply a shorter data set.
            if (outcome.IsSuccess) whole++;
            else Assert.Equal(StoreOutcomeKind.CannotUnderstand, outcome.Kind);
            Assert.True(outcome.Comment is null or { Length: <= 64 });
        }
        Assert.InRange(whole, 1, 10);
        Assert.Equal(whole, (await archive.BlobsAsync()).Count);
        await archive.AssertCleanAsync();
    }

    [Fact]
    public async Task WhatIsNoDataSetIsRefused()
    {
        await using TestArchive archive = await TestArchive.StartAsync(inFiles: true);
        var random = new Random(1);
        for (int i = 0; i < 50; i++)
        {
            byte[] noise = new byte[random.Next(1, 5000)];
            random.NextBytes(noise);
            Assert.Equal(StoreOutcomeKind.CannotUnderstand, (await archive.StoreAsync(noise)).Kind);
        }
        Assert.Equal(StoreOutcomeKind.CannotUnderstand, (await archive.StoreAsync("GET / HTTP/1.1\r\nHost: pacs\r\n\r\n"u8.ToArray())).Kind);
        Assert.Equal(StoreOutcomeKind.CannotUnderstand, (await archive.StoreAsync([])).Kind);
        AssertNothing(archive);
    }

    [Fact]
    public async Task AFullBlobStoreRefusesAndResumes()
    {
        await using TestArchive archive = await TestArchive.StartAsync(inFiles: true);
        archive.Blobs.Room = 400_000;
        StoreOutcome outcome = await archive.StoreAsync(WithPixels(1_000_000));
        Assert.Equal(StoreOutcomeKind.OutOfResources, outcome.Kind);
        AssertNothing(archive);
        archive.Blobs.Room = long.MaxValue;
        archive.Blobs.CommitFault = new Blobs.BlobStoreFullException("files");
        Assert.Equal(StoreOutcomeKind.OutOfResources, (await archive.StoreAsync(WithPixels(1000))).Kind);
        archive.Blobs.CommitFault = new Blobs.BlobStoreUnavailableException("files", "I/O error");
        Assert.Equal(StoreOutcomeKind.OutOfResources, (await archive.StoreAsync(WithPixels(1000))).Kind);
        AssertNothing(archive);
        archive.Blobs.CommitFault = null;
        Assert.Equal(StoreOutcomeKind.Stored, (await archive.StoreAsync(WithPixels(1_000_000))).Kind);
        await archive.AssertCleanAsync();
    }

    [Theory]
    [InlineData("1.2.840.10008.5.1.4.1.1.7", "1.2.3.200.1", MisfitPolicy.Refuse, StoreOutcomeKind.Stored, StoreWarning.None)]
    [InlineData("1.2.840.10008.5.1.4.1.1.7\0", " 1.2.3.200.1", MisfitPolicy.Refuse, StoreOutcomeKind.Stored, StoreWarning.None)]
    [InlineData("1.2.840.10008.5.1.4.1.1.2", "1.2.3.200.1", MisfitPolicy.Store, StoreOutcomeKind.Stored, StoreWarning.DoesNotMatchSopClass)]
    [InlineData("1.2.840.10008.5.1.4.1.1.7", "1.2.3.200.2", MisfitPolicy.Store, StoreOutcomeKind.Stored, StoreWarning.DoesNotMatchSopClass)]
    [InlineData("1.2.840.10008.5.1.4.1.1.7", "1.2.3.200.2", MisfitPolicy.Quarantine, StoreOutcomeKind.Quarantined, StoreWarning.None)]
    [InlineData("1.2.840.10008.5.1.4.1.1.2", "1.2.3.200.1", MisfitPolicy.Refuse, StoreOutcomeKind.DataSetMismatch, StoreWarning.None)]
    public async Task C_27_TheRequestIsComparedWithTheDataSet(string sopClass, string sopInstance, MisfitPolicy policy, StoreOutcomeKind kind, StoreWarning warning)
    {
        await using TestArchive archive = await TestArchive.StartAsync(new EngineOptions { Policy = new StorePolicy { RequestMismatch = policy } });
        var origin = new StoreOrigin
        {
            TransferSyntax = TransferSyntax.ExplicitVRLittleEndian, Door = StoreDoor.Dimse, AffectedSopClassUid = sopClass, AffectedSopInstanceUid = sopInstance,
        };
        StoreOutcome outcome = await archive.Archive.Ingest.StoreAsync(new MemoryStream(Instance()), origin, CancellationToken.None);
        Assert.Equal((kind, warning), (outcome.Kind, outcome.Warning));
        Assert.Equal(kind == StoreOutcomeKind.DataSetMismatch, outcome.Offending is not null && !outcome.IsSuccess);
        await archive.AssertCleanAsync();
    }

    [Fact]
    public async Task C_30_WarningsCanBeSwitchedOffForASender()
    {
        await using TestArchive archive = await TestArchive.StartAsync(new EngineOptions
        {
            CallingAETitles = new Dictionary<string, StorePolicyOverride> { ["PICKY"] = new() { AnswerWarnings = false } },
        });
        var origin = new StoreOrigin { TransferSyntax = TransferSyntax.ExplicitVRLittleEndian, Door = StoreDoor.Dimse, AffectedSopInstanceUid = "1.9", CallingAETitle = "PICKY" };
        StoreOutcome outcome = await archive.Archive.Ingest.StoreAsync(new MemoryStream(Instance()), origin, CancellationToken.None);
        Assert.Equal((StoreOutcomeKind.Stored, StoreWarning.None), (outcome.Kind, outcome.Warning));
    }

    [Fact]
    public async Task TheMeterCountsByOutcome()
    {
        await using TestArchive archive = await TestArchive.StartAsync();
        var counts = new System.Collections.Concurrent.ConcurrentDictionary<string, long>();
        using var listener = new System.Diagnostics.Metrics.MeterListener();
        listener.InstrumentPublished = (instrument, self) =>
        {
            if (instrument.Name == "pacscluster.store.instances") self.EnableMeasurementEvents(instrument);
        };
        listener.SetMeasurementEventCallback<long>((_, value, tags, _) =>
        {
            foreach (KeyValuePair<string, object?> tag in tags)
            {
                if (tag.Key == "outcome") counts.AddOrUpdate((string)tag.Value!, value, (_, old) => old + value);
            }
        });
        listener.Start();
        await archive.StoreAsync(Instance());
        await archive.StoreAsync(Instance());
        // Other tests' archives have meters of the same name, so there may be more.
        Assert.True(counts["stored"] >= 1 && counts["duplicate"] >= 1);
    }

    private static void AssertNothing(TestArchive archive) =>
        Assert.Empty(Directory.EnumerateFiles(Path.Combine(archive.Folder, "blobs"), "*", SearchOption.AllDirectories));
}
