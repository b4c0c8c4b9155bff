using PacsCluster.Catalog;
using PacsCluster.Dicom;
using PacsCluster.Testing;

namespace PacsCluster.Engine.Tests;

/// <summary>Compression after completion: what it changes, what it leaves alone, and what it survives.</summary>
public sealed class CompressionTests
{
    private const int Size = 64;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    private static EngineOptions Options(params CompressionRule[] rules) => new()
    {
        CatalogRetryDelay = TimeSpan.FromMilliseconds(1),
        CatalogRetries = 0,
        ReminderConcurrency = 0,
        Compression = new CompressionOptions { Rules = rules },
    };

    private static CompressionRule Rule(CompressionTarget target, string? modality = null, string? sopClass = null, string? from = null) => new()
    {
        Target = target,
        Modalities = modality is null ? [] : [modality],
        SopClassUids = sopClass is null ? [] : [sopClass],
        CallingAETitles = from is null ? [] : [from],
    };

    private static async Task<(TestArchive Archive, ManualTime Time)> StartAsync(params CompressionRule[] rules)
    {
        var time = new ManualTime(DateTimeOffset.UtcNow);
        return (await TestArchive.StartAsync(Options(rules), time: time, inFiles: true), time);
    }

    private static byte[] Pixels(DataSet image) => image.TryGet(Tags.PixelData, out DataElement element) ? element.RawValue.ToArray() : throw new InvalidOperationException("no pixels");

    /// <summary>A picture that compresses well, of series 1 (CT) or 2 (MR); the pixels differ by instance.</summary>
    private static byte[] Picture(int instance, int series = 1, string content = "a", int bits = 12, bool signed = false, int samples = 1, int planar = 0, bool isNoise = false, int extra = 0)
    {
        byte[] image = Made.Image(1, series, instance, content, image =>
        {
            image.Set(Tags.Rows, Size);
            image.Set(Tags.Columns, Size);
            image.Set(Tags.SamplesPerPixel, samples);
            image.Set(Tags.PhotometricInterpretation, samples == 3 ? "RGB" : "MONOCHROME2");
            if (samples == 3) image.Set(Tags.PlanarConfiguration, planar);
            image.Set(Tags.BitsAllocated, bits <= 8 ? 8 : 16);
            image.Set(Tags.BitsStored, bits);
            image.Set(Tags.HighBit, bits - 1);
            image.Set(Tags.PixelRepresentation, signed ? 1 : 0);
        });
        var whole = DataSet.Read(image, TransferSyntax.ExplicitVRLittleEndian);
        int size = bits <= 8 ? 1 : 2;
        var random = new Random(instance);
        byte[] pixels = new byte[Size * Size * samples * size + extra];
        for (int i = 0; i < Size * Size * samples; i++)
        {
            int value = isNoise ? random.Next(1 << 16) : i / 40 + instance - (signed ? 30 : 0) & (signed ? -1 : (1 << bits) - 1);
            pixels[i * size] = (byte)value;
            if (size == 2) pixels[i * size + 1] = (byte)(value >> 8);
        }
        whole.SetRaw(Tags.PixelData, size == 1 ? VR.OB : VR.OW, pixels);
        return whole.ToArray();
    }

    private static async Task RunAsync(TestArchive archive, ManualTime time)
    {
        time.Advance(TimeSpan.FromSeconds(60));
        await archive.Archive.Reminders.RunDueAsync(Ct);
    }

    private static async Task<InstanceLocation> LocateAsync(TestArchive archive, int instance, int series = 1) => Assert.Single(await archive.LocateAsync(Made.Sop(1, series, instance)));

    private static async Task<List<string>> EventsAsync(TestArchive archive, string kind) =>
        [.. (await archive.Archive.ChangeFeed.ReadAsync(0, 1000, Ct)).Changes.Where(c => c.Kind == kind).Select(c => c.SopInstanceUid)];

    [Fact]
    public async Task InstancesAreCompressedByTheFirstRuleThatMatchesAndComeBackAsTheyWere()
    {
        (TestArchive archive, ManualTime time) = await StartAsync(
            Rule(CompressionTarget.None, from: "RAW"), Rule(CompressionTarget.Jpeg2000Lossless, "MR"), Rule(CompressionTarget.JpegLsLossless, "CT"));
        await using TestArchive _ = archive;
        var sent = new Dictionary<(int Instance, int Series), byte[]>
        {
            [(1, 1)] = Picture(1), [(2, 1)] = Picture(2, bits: 8), [(3, 1)] = Picture(3, bits: 16, signed: true), [(4, 2)] = Picture(4, series: 2, signed: true),
            [(5, 2)] = Picture(5, series: 2, bits: 8, samples: 3), [(6, 1)] = Picture(6),
        };
        foreach (((int instance, int _), byte[] picture) in sent) Assert.True((await archive.StoreAsync(picture, from: instance == 6 ? "RAW" : "CT1")).IsSuccess);
        CatalogCounts before = await archive.Sqlite.CountAsync(Ct);
        await RunAsync(archive, time);

        foreach (((int instance, int series), byte[] picture) in sent)
        {
            InstanceLocation location = await LocateAsync(archive, instance, series);
            Assert.Equal(instance == 6 ? Uids.ExplicitVRLittleEndian : series == 1 ? Uids.JPEGLSLossless : Uids.JPEG2000Lossless, location.TransferSyntaxUid);
            Assert.Equal(picture, await archive.ReadAsync(location, TransferSyntax.ExplicitVRLittleEndian));
        }
        Assert.Equal(5, (await EventsAsync(archive, Events.InstanceCompressed)).Count);
        StudyContent content = (await archive.Sqlite.GetContentAsync(Made.Study(1), null, Ct))!;
        Assert.Equal(StudyStatus.Complete, content.Study.Status);
        Assert.All(content.Series, s => Assert.NotNull(s.Block));
        // Originals are there for readers that began before; nothing of it is a finding.
        Assert.Equal(11, (await archive.BlobsAsync()).Count);
        await archive.AssertCleanAsync();
        time.Advance(TimeSpan.FromMinutes(59));
        await archive.Archive.Reminders.RunDueAsync(Ct);
        Assert.Equal(11, (await archive.BlobsAsync()).Count);

        await archive.ChangeAsync(archive.Options with { ReminderConcurrency = 1 });
        await archive.ChangeAsync(archive.Options);
        time.Advance(TimeSpan.FromMinutes(2));
        await archive.Archive.Reminders.RunDueAsync(Ct);
        Assert.Equal(6, (await archive.BlobsAsync()).Count);
        CatalogCounts after = await archive.Sqlite.CountAsync(Ct);
        Assert.Equal((before.Blobs, before.Instances), (after.Blobs, after.Instances));
        Assert.True(after.BlobBytes < before.BlobBytes / 2, $"{before.BlobBytes} → {after.BlobBytes} bytes");
        await archive.AssertCleanAsync();
    }

    [Fact]
    public async Task WithoutRulesNothingIsCompressed()
    {
        (TestArchive archive, ManualTime time) = await StartAsync();
        await using TestArchive _ = archive;
        await archive.StoreAsync(Picture(1));
        await RunAsync(archive, time);
        Assert.Equal(Uids.ExplicitVRLittleEndian, (await LocateAsync(archive, 1)).TransferSyntaxUid);
        Assert.Empty(await archive.Sqlite.ListRemindersAsync(10, Ct));
    }

    [Fact]
    public async Task WhatWasCompressedIsADuplicateWhenItComesAgainAsItWas()
    {
        (TestArchive archive, ManualTime time) = await StartAsync(Rule(CompressionTarget.JpegLsLossless));
        await using TestArchive _ = archive;
        await archive.StoreAsync(Picture(1));
        await RunAsync(archive, time);
        Assert.Equal(Uids.JPEGLSLossless, (await LocateAsync(archive, 1)).TransferSyntaxUid);
        Assert.Equal(StoreOutcomeKind.Duplicate, (await archive.StoreAsync(Picture(1))).Kind);
        Assert.Equal(StoreOutcomeKind.Duplicate, (await archive.StoreAsync(Picture(1), from: "CT2")).Kind); // another File Meta Information
        // As it lies here now, from an archive that it was forwarded to.
        byte[] compressed = await archive.ReadAsync(await LocateAsync(archive, 1));
        Assert.Equal(StoreOutcomeKind.Duplicate, (await archive.StoreAsync(compressed, TransferSyntax.FromUid(Uids.JPEGLSLossless), "CT3")).Kind);
        Assert.Equal(StoreOutcomeKind.Quarantined, (await archive.StoreAsync(Picture(1, content: "b"))).Kind);

        // Deleted, sent again, and the deletion taken back: still the same instance.
        RejectionRow deletion = (await archive.Archive.Deletion.RejectAsync(new DeletionRequest { StudyInstanceUid = Made.Study(1), By = "test" }, Ct))!;
        Assert.Equal(StoreOutcomeKind.Stored, (await archive.StoreAsync(Picture(1))).Kind);
        Assert.Equal(new RestoreReport(0, 1, 0), await archive.Archive.Deletion.RestoreAsync(deletion.Key, "test", Ct));
        await archive.AssertCleanAsync();
    }

    [Fact]
    public async Task WhatTheCodecsWouldChangeOrNotShrinkStaysAsItWasReceived()
    {
        (TestArchive archive, ManualTime time) = await StartAsync(Rule(CompressionTarget.JpegLsLossless));
        await using TestArchive _ = archive;
        byte[][] sent =
        [
            Picture(1, bits: 16, isNoise: true), // larger than before
            Picture(2, extra: 100), // more than its frames
            Made.Image(1, 1, 3), // too small to gain, and without a Photometric Interpretation
        ];
        foreach (byte[] picture in sent) await archive.StoreAsync(picture);
        await archive.StoreAsync(Picture(4));
        await RunAsync(archive, time);
        for (int i = 0; i < sent.Length; i++)
        {
            InstanceLocation location = await LocateAsync(archive, i + 1);
            Assert.Equal(Uids.ExplicitVRLittleEndian, location.TransferSyntaxUid);
            Assert.Equal(sent[i], await archive.ReadAsync(location));
        }
        Assert.Equal([Made.Sop(1, 1, 4)], await EventsAsync(archive, Events.InstanceCompressed));
        Assert.Equal(5, (await archive.BlobsAsync()).Count);
        await archive.AssertCleanAsync();
    }

    [Fact]
    public async Task PlanesBecomePixelsWithTheSameSamples()
    {
        (TestArchive archive, ManualTime time) = await StartAsync(Rule(CompressionTarget.Jpeg2000Lossless));
        await using TestArchive _ = archive;
        byte[] sent = Picture(1, bits: 8, samples: 3, planar: 1);
        await archive.StoreAsync(sent);
        await RunAsync(archive, time);
        InstanceLocation location = await LocateAsync(archive, 1);
        Assert.Equal(Uids.JPEG2000Lossless, location.TransferSyntaxUid);
        var back = DataSet.Read(await archive.ReadAsync(location, TransferSyntax.ExplicitVRLittleEndian), TransferSyntax.ExplicitVRLittleEndian);
        byte[] planes = Pixels(DataSet.Read(sent, TransferSyntax.ExplicitVRLittleEndian)), pixels = Pixels(back);
        Assert.Equal(0, back.GetInt32(Tags.PlanarConfiguration));
        for (int i = 0; i < planes.Length; i++) Assert.Equal(planes[i], pixels[i % (Size * Size) * 3 + i / (Size * Size)]);
    }

    [Fact]
    public async Task AnInstanceThatIsDeletedMeanwhileIsLeftAlone()
    {
        (TestArchive archive, ManualTime time) = await StartAsync(Rule(CompressionTarget.JpegLsLossless));
        await using TestArchive _ = archive;
        await archive.StoreAsync(Picture(1));
        await archive.StoreAsync(Picture(2));
        archive.Blobs.AfterCommit = async () =>
        {
            archive.Blobs.AfterCommit = null;
            Assert.NotNull(await archive.Archive.Deletion.RejectAsync(
                new DeletionRequest { StudyInstanceUid = Made.Study(1), SeriesInstanceUid = Made.Series(1, 1), SopInstanceUid = Made.Sop(1, 1, 1), By = "test" }, Ct));
        };
        await RunAsync(archive, time);
        Assert.Empty(await archive.LocateAsync(Made.Sop(1, 1, 1)));
        Assert.Equal([Made.Sop(1, 1, 2)], await EventsAsync(archive, Events.InstanceCompressed));
        await archive.AssertCleanAsync();
        RejectionRow deletion = Assert.Single(await TestArchive.ListAsync(archive.Sqlite.ListRejectionsAsync(ct: Ct)));
        Assert.Equal(1, (await archive.Archive.Deletion.RestoreAsync(deletion.Key, "test", Ct))!.Restored);
        Assert.Equal(Picture(1), await archive.ReadAsync(await LocateAsync(archive, 1)));
    }

    [Fact]
    public async Task AnInstanceThatIsReplacedMeanwhileIsLeftAlone()
    {
        (TestArchive archive, ManualTime time) = await StartAsync(Rule(CompressionTarget.JpegLsLossless));
        await using TestArchive _ = archive;
        await archive.ChangeAsync(archive.Options with { Policy = new StorePolicy { DifferentContent = DifferentContentPolicy.Replace } });
        await archive.StoreAsync(Picture(1));
        archive.Blobs.AfterCommit = async () =>
        {
            archive.Blobs.AfterCommit = null;
            Assert.Equal(StoreOutcomeKind.Replaced, (await archive.StoreAsync(Picture(1, content: "b"))).Kind);
        };
        await RunAsync(archive, time);
        InstanceLocation location = await LocateAsync(archive, 1);
        Assert.Equal(Uids.ExplicitVRLittleEndian, location.TransferSyntaxUid);
        Assert.Equal(Picture(1, content: "b"), await archive.ReadAsync(location));
        Assert.Empty(await EventsAsync(archive, Events.InstanceCompressed));
        await archive.AssertCleanAsync();
        // It is received, so it is completed and compressed in its turn.
        await RunAsync(archive, time);
        Assert.Equal(Uids.JPEGLSLossless, (await LocateAsync(archive, 1)).TransferSyntaxUid);
    }

    [Fact]
    public async Task ACommitWhoseAnswerWasLostIsNotDoneTwice()
    {
        (TestArchive archive, ManualTime time) = await StartAsync(Rule(CompressionTarget.JpegLsLossless));
        await using TestArchive _ = archive;
        await archive.StoreAsync(Picture(1));
        await archive.StoreAsync(Picture(2));
        archive.Catalog.AfterCommit = changes => changes.RewrittenInstances.Count > 0 ? throw new CatalogUnavailableException("the connection broke") : Task.CompletedTask;
        await RunAsync(archive, time);
        archive.Catalog.Heal();
        time.Advance(TimeSpan.FromMinutes(10));
        await archive.Archive.Reminders.RunDueAsync(Ct);
        Assert.Equal([Made.Sop(1, 1, 1), Made.Sop(1, 1, 2)], (await EventsAsync(archive, Events.InstanceCompressed)).Order());
        Assert.Equal(Picture(1), await archive.ReadAsync(await LocateAsync(archive, 1), TransferSyntax.ExplicitVRLittleEndian));
        await archive.AssertCleanAsync();
    }

    [Fact]
    public async Task ADeathBetweenBlobAndCommitLeavesTheOriginalAndGarbageForTheSweep()
    {
        (TestArchive archive, ManualTime time) = await StartAsync(Rule(CompressionTarget.JpegLsLossless));
        await using TestArchive _ = archive;
        await archive.StoreAsync(Picture(1));
        archive.Catalog.BeforeCommit = changes => changes.RewrittenInstances.Count > 0 ? throw new CatalogUnavailableException("it is gone") : Task.CompletedTask;
        await RunAsync(archive, time);
        Assert.Equal(Picture(1), await archive.ReadAsync(await LocateAsync(archive, 1)));
        Assert.Equal(2, (await archive.BlobsAsync()).Count);
        // Another node, after the lease or the back-off.
        archive.Catalog.Heal();
        await using TestArchive other = await TestArchive.StartAsync(archive.Options, archive, time, inFiles: true);
        time.Advance(TimeSpan.FromMinutes(10));
        await other.Archive.Reminders.RunDueAsync(Ct);
        Assert.Equal(Uids.JPEGLSLossless, (await LocateAsync(archive, 1)).TransferSyntaxUid);
        Assert.Equal(1, (await archive.Archive.OrphanSweep.RunAsync(TimeSpan.Zero, Ct)).Deleted);
        await archive.AssertCleanAsync();
    }

    [Fact]
    public async Task TwoNodesThatCompressOneStudyAtOnceDoNoHarm()
    {
        (TestArchive archive, ManualTime time) = await StartAsync(Rule(CompressionTarget.JpegLsLossless));
        await using TestArchive _ = archive;
        await archive.StoreAsync(Picture(1));
        await using TestArchive other = await TestArchive.StartAsync(archive.Options, archive, time, inFiles: true);
        archive.Blobs.AfterCommit = async () =>
        {
            // The lease of the first is over while it still works.
            archive.Blobs.AfterCommit = null;
            time.Advance(archive.Options.ReminderLease);
            await other.Archive.Reminders.RunDueAsync(Ct);
        };
        await RunAsync(archive, time);
        Assert.Single(await EventsAsync(archive, Events.InstanceCompressed));
        Assert.Equal(2, (await archive.BlobsAsync()).Count);
        await archive.AssertCleanAsync();
    }

    [Fact]
    public async Task AnotherTurnGoesOnWhereTheLastOneEnded()
    {
        (TestArchive archive, ManualTime time) = await StartAsync(Rule(CompressionTarget.JpegLsLossless));
        await using TestArchive _ = archive;
        await archive.StoreAsync(Picture(1, bits: 16, isNoise: true));
        for (int i = 2; i <= 5; i++) await archive.StoreAsync(Picture(i, series: 1 + i % 2));
        int tried = 0;
        archive.Blobs.AfterCreate = () => tried++;
        archive.Catalog.BeforeCommit = changes =>
        {
            if (changes.RewrittenInstances.Count > 0) time.Advance(TimeSpan.FromMinutes(1));
            return Task.CompletedTask;
        };
        await RunAsync(archive, time);
        Assert.Equal(4, (await EventsAsync(archive, Events.InstanceCompressed)).Count);
        // What did not become smaller was tried once, not in each turn.
        Assert.Equal(5, tried);
        Assert.All((await archive.Sqlite.GetContentAsync(Made.Study(1), null, Ct))!.Series, s => Assert.NotNull(s.Block));
    }

    [Fact]
    public async Task OnRequestACompleteStudyIsCompressedByRulesThatCameLater()
    {
        (TestArchive archive, ManualTime time) = await StartAsync();
        await using TestArchive _ = archive;
        await archive.StoreAsync(Picture(1));
        await RunAsync(archive, time);
        await archive.ChangeAsync(Options(Rule(CompressionTarget.JpegLsLossless, sopClass: "1.2.840.10008.5.1.4.1.1.3")));
        Assert.True(await archive.Archive.Completion.CompleteAsync(Made.Study(1), Ct));
        await archive.Archive.Reminders.RunDueAsync(Ct);
        Assert.Equal(Uids.JPEGLSLossless, (await LocateAsync(archive, 1)).TransferSyntaxUid);
    }

    [Fact]
    public void WrongRulesAreNamedAllAtOnce()
    {
        var options = new EngineOptions
        {
            Compression = new CompressionOptions
            {
                OriginalRetention = TimeSpan.Zero,
                Rules = [new CompressionRule { Target = null }, new CompressionRule { Target = CompressionTarget.None, Modalities = ["ct"], SopClassUids = ["CT"], CallingAETitles = [new string('A', 17)] }],
            },
        };
        IReadOnlyList<string> errors = options.Validate();
        Assert.Equal(5, errors.Count);
        foreach (string name in new[] { "OriginalRetention", "Rules:0:Target", "Rules:1:Modalities", "Rules:1:SopClassUids", "Rules:1:CallingAETitles" })
            Assert.Contains(errors, error => error.StartsWith($"Engine:Compression:{name}: ", StringComparison.Ordinal));
    }
}
