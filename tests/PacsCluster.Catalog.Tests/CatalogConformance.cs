using PacsCluster.Dicom;

namespace PacsCluster.Catalog.Tests;

/// <summary>What every catalog keeps of its contract. A catalog's test class derives and says how to open one on an empty place.</summary>
public abstract partial class CatalogConformance : IAsyncLifetime
{
    private ICatalog? _catalog;

    protected ICatalog Catalog => _catalog!;

    internal ICatalogWriter Writer => (ICatalogWriter)_catalog!;

    internal Archive Archive => field ??= new Archive(Writer);

    protected static CancellationToken Ct => TestContext.Current.CancellationToken;

    /// <summary>A catalog on an empty place of its own.</summary>
    protected abstract Task<ICatalog> OpenEmptyAsync();

    /// <summary>The same place once more: as another process would, or after a death of the first.</summary>
    protected abstract Task<ICatalog> OpenAgainAsync();

    public async ValueTask InitializeAsync() => _catalog = await OpenEmptyAsync();

    public virtual async ValueTask DisposeAsync()
    {
        if (_catalog is not null) await _catalog.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    private ValueTask<LoadedState> LoadStudyAsync(string uid, ICatalogWriter? writer = null) => (writer ?? Writer).LoadAsync(new LoadRequest { StudyInstanceUids = [uid], NewKeys = 8 }, Ct);

    protected static (uint, string)[] Uids(int study, int series = 1, int instance = 1, string patient = "P1") =>
        [(0x0020_000D, $"1.2.{study}"), (0x0020_000E, $"1.2.{study}.{series}"), (0x0008_0018, $"1.2.{study}.{series}.{instance}"), (0x0010_0020, patient)];

    [Fact]
    public async Task A_commit_waits_for_the_blobs_of_its_rows_and_where_they_fail_nothing_is_written()
    {
        await Archive.StoreAsync(Uids(1));
        var changes = new CatalogChanges { Unflushed = new UnflushedBlobs([], () => { }, () => throw new IOException("the disk refuses")) };
        await Archive.AddAsync(changes, Archive.Header(Uids(1, instance: 2)));
        await Assert.ThrowsAsync<IOException>(() => Archive.CommitAsync(changes));
        Assert.Equal(1, (await LoadStudyAsync("1.2.1")).Studies["1.2.1"].Study.InstanceCount);

        int ran = 0;
        var gate = new TaskCompletionSource();
        changes = new CatalogChanges
        {
            Unflushed = new UnflushedBlobs([], () => { }, async () =>
            {
                ran++;
                await gate.Task;
            }),
        };
        await Archive.AddAsync(changes, Archive.Header(Uids(1, instance: 2)));
        Task commit = Task.Run(() => Archive.CommitAsync(changes), Ct);
        Assert.NotSame(commit, await Task.WhenAny(commit, Task.Delay(50, Ct)));
        gate.SetResult();
        await commit;
        Assert.Equal(1, ran);
        Assert.Equal(2, (await LoadStudyAsync("1.2.1")).Studies["1.2.1"].Study.InstanceCount);
        Assert.Empty(await Catalog.FindWrongCountsAsync(Ct).ToListAsync(Ct));
    }

    [Fact]
    public async Task What_was_committed_is_loaded()
    {
        DataSet header = Archive.Header([.. Uids(1), (0x0010_0010, "Müller^Jürgen"), (0x0010_0021, "HOSP"), (0x0010_0030, "19700102"), (0x0008_0020, "20240506"),
            (0x0008_0030, "101112.5"), (0x0008_0050, "A1"), (0x0008_0060, "CT"), (0x0020_0011, "007"), (0x0020_0013, " 12 "), (0x0028_0010, "512"), (0x0008_0008, "ORIGINAL\\PRIMARY\\AXIAL")]);
        InstanceRow stored = await Archive.StoreAsync(header);

        LoadedState state = await Writer.LoadAsync(new LoadRequest { StudyInstanceUids = ["1.2.1", "9.9"], Patients = [new("P1", "HOSP"), new("P1", "")], SopInstanceUids = ["1.2.1.1.1", "9.9"] }, Ct);
        LoadedStudy study = Assert.Single(state.Studies).Value;
        Assert.Equal("20240506", study.Study.Attributes[new Tag(0x0008_0020)]);
        Assert.Equal(["CT"], study.Study.ModalitiesInStudy);
        Assert.Equal((1, 1, 1L), (study.Study.SeriesCount, study.Study.InstanceCount, study.Study.Version));
        Assert.Equal(Archive.Now, study.Study.CreatedAt);
        SeriesRow series = Assert.Single(study.Series);
        Assert.Equal("7", series.Attributes[new Tag(0x0020_0011)]);
        PatientRow patient = Assert.Single(state.Patients).Value;
        Assert.Equal(patient.Key, study.Patient.Key);
        Assert.Equal(new PatientIdentifier("P1", "HOSP"), patient.Identifier);
        Assert.Equal("Müller^Jürgen", patient.Attributes[new Tag(0x0010_0010)]);
        StoredInstance instance = Assert.Single(state.Instances["1.2.1.1.1"]);
        Assert.Equal(stored with { Attributes = instance.Instance.Attributes }, instance.Instance);
        Assert.Equal(stored.Attributes, instance.Instance.Attributes);
        Assert.Equal("ORIGINAL\\PRIMARY\\AXIAL", instance.Instance.Attributes[new Tag(0x0008_0008)]);
        Assert.Equal(("files", Archive.StoreKey(stored.BlobKey), 1000L, 300, 500L, 1), (instance.Location.Store, instance.Location.StoreKey, instance.Location.Length,
            instance.Location.DataSetOffset, instance.Location.PixelDataOffset, instance.Location.NumberOfFrames));
        Assert.Equal(32, instance.Blob.Digest.Length);
    }

    [Fact]
    public async Task Counts_are_kept_and_the_version_moves_with_each_commit()
    {
        for (int i = 1; i <= 5; i++) await Archive.StoreAsync([.. Uids(1, series: 1 + (i % 2), instance: i), (0x0008_0020, "20240101")]);
        LoadedStudy study = (await LoadStudyAsync("1.2.1")).Studies["1.2.1"];
        Assert.Equal((2, 5, 5L), (study.Study.SeriesCount, study.Study.InstanceCount, study.Study.Version));
        Assert.Equal([2, 3], study.Series.Select(r => r.InstanceCount).Order());
        Assert.Equal("20240101", study.Study.Attributes[new Tag(0x0008_0020)]);
        CatalogCounts counts = await Catalog.CountAsync(Ct);
        Assert.Equal(new CatalogCounts(1, 1, 2, 5, 5, 5000, 0, 0), counts);
        Assert.Empty(await Catalog.FindWrongCountsAsync(Ct).ToListAsync(Ct));
    }

    [Fact]
    public async Task A_study_is_loaded_with_all_its_series()
    {
        for (int i = 1; i <= 5; i++) await Archive.StoreAsync(Uids(1, series: i));
        Assert.Equal(5, (await LoadStudyAsync("1.2.1")).Studies["1.2.1"].Series.Count);
    }

    [Fact]
    public async Task Keys_are_never_given_twice_also_not_to_another_process()
    {
        await using ICatalog other = await OpenAgainAsync();
        HashSet<long> keys = [];
        foreach (ICatalogWriter writer in (ICatalogWriter[])[Writer, (ICatalogWriter)other, Writer])
        {
            foreach (int count in (int[])[3, 15_000, 15_000, 60_000])
            {
                LoadedState state = await writer.LoadAsync(new LoadRequest { NewKeys = count }, Ct);
                for (int i = 0; i < count; i++) Assert.True(keys.Add(state.NextKey()));
                Assert.Throws<InvalidOperationException>(() => state.NextKey());
            }
        }
        Assert.DoesNotContain(0, keys);
    }

    [Fact]
    public async Task A_study_changed_by_another_is_a_conflict_and_nothing_is_written()
    {
        await Archive.StoreAsync(Uids(1));
        await using ICatalog other = await OpenAgainAsync();
        var mine = new CatalogChanges();
        await Archive.AddAsync(mine, Archive.Header(Uids(1, instance: 2)));
        await new Archive((ICatalogWriter)other).StoreAsync(Uids(1, instance: 3));
        VersionConflictException conflict = await Assert.ThrowsAsync<VersionConflictException>(async () => await Writer.CommitAsync(mine, Ct));
        Assert.Equal("study", conflict.Kind);
        LoadedState state = await Writer.LoadAsync(new LoadRequest { StudyInstanceUids = ["1.2.1"], SopInstanceUids = ["1.2.1.1.2", "1.2.1.1.3"] }, Ct);
        Assert.Equal(2, state.Studies["1.2.1"].Study.InstanceCount);
        Assert.Equal("1.2.1.1.3", Assert.Single(state.Instances).Key);

        await Archive.StoreAsync(Uids(1, instance: 2));
        Assert.Equal(3, (await LoadStudyAsync("1.2.1")).Studies["1.2.1"].Study.InstanceCount);
    }

    [Fact]
    public async Task Two_writers_making_one_patient_or_one_study_end_with_one()
    {
        await using ICatalog other = await OpenAgainAsync();
        var theirs = new Archive((ICatalogWriter)other);
        CatalogChanges a = new(), b = new(), c = new();
        await Archive.AddAsync(a, Archive.Header(Uids(1)));
        await theirs.AddAsync(b, Archive.Header(Uids(2)));
        await theirs.AddAsync(c, Archive.Header(Uids(1, instance: 2, patient: "P2")));
        await Writer.CommitAsync(a, Ct);
        await Assert.ThrowsAsync<VersionConflictException>(async () => await ((ICatalogWriter)other).CommitAsync(b, Ct));
        await Assert.ThrowsAsync<VersionConflictException>(async () => await ((ICatalogWriter)other).CommitAsync(c, Ct));
        await theirs.StoreAsync(Uids(2));
        await theirs.StoreAsync(Uids(1, instance: 2, patient: "P2"));
        CatalogCounts counts = await Catalog.CountAsync(Ct);
        Assert.Equal((1L, 2L, 3L), (counts.Patients, counts.Studies, counts.Instances));
    }

    [Fact]
    public async Task Many_writers_of_one_study_lose_nothing()
    {
        await using ICatalog other = await OpenAgainAsync();
        await Parallel.ForAsync(0, 8, Ct, async (w, _) =>
        {
            var archive = new Archive(w % 2 == 0 ? Writer : (ICatalogWriter)other);
            for (int i = 0; i < 10; i++)
            {
                while (true)
                {
                    try
                    {
                        await archive.StoreAsync(Uids(1, series: w % 3, instance: (w * 100) + i));
                        break;
                    }
                    catch (VersionConflictException)
                    {
                        // Load and decide again.
                    }
                }
            }
        });
        LoadedStudy study = (await LoadStudyAsync("1.2.1")).Studies["1.2.1"];
        Assert.Equal((3, 80), (study.Study.SeriesCount, study.Study.InstanceCount));
        Assert.Equal(80, study.Series.Sum(r => r.InstanceCount));
        Assert.Empty(await Catalog.FindWrongCountsAsync(Ct).ToListAsync(Ct));
    }

    [Fact]
    public async Task A_new_study_under_a_patient_that_was_changed_meanwhile_is_a_conflict()
    {
        await Archive.StoreAsync(Uids(1));
        var changes = new CatalogChanges();
        await Archive.AddAsync(changes, Archive.Header(Uids(2)));
        PatientRow patient = (await LoadStudyAsync("1.2.1")).Studies["1.2.1"].Patient;
        var rename = new CatalogChanges { ChangedPatients = { patient with { Attributes = patient.Attributes.With(new Tag(0x0010_0010), "New^Name") } } };
        await Writer.CommitAsync(rename, Ct);
        Assert.Equal("patient", (await Assert.ThrowsAsync<VersionConflictException>(async () => await Writer.CommitAsync(changes, Ct))).Kind);
        Assert.Equal("New^Name", (await LoadStudyAsync("1.2.1")).Studies["1.2.1"].Patient.Attributes[new Tag(0x0010_0010)]);
    }

    [Fact]
    public async Task A_merged_patients_studies_and_identifier_lead_to_the_survivor()
    {
        for (int i = 1; i <= 3; i++) await Archive.StoreAsync([.. Uids(i, patient: $"P{i}"), (0x0010_0010, $"Name^{i}")]);
        async Task<PatientRow> Load(string id) => (await Writer.LoadAsync(new LoadRequest { Patients = [new(id)] }, Ct)).Patients[new(id)];
        async Task MergeAsync(PatientRow loser, PatientRow survivor) => await Writer.CommitAsync(new CatalogChanges { Merges = { new PatientMerge(loser, survivor) } }, Ct);

        PatientRow first = await Load("P1");
        await MergeAsync(first, await Load("P2"));
        Assert.Equal("P2", (await Load("P1")).Identifier!.Value.Id);
        await Assert.ThrowsAsync<VersionConflictException>(() => MergeAsync(first, first));
        await MergeAsync(await Load("P2"), await Load("P3"));
        Assert.Equal("P3", (await Load("P1")).Identifier!.Value.Id);
        Assert.Equal("P3", (await Load("P2")).Identifier!.Value.Id);
        Assert.Equal("P3", (await LoadStudyAsync("1.2.1")).Studies["1.2.1"].Patient.Identifier!.Value.Id);

        // Into the survivor, though it came with an old identifier.
        await Archive.StoreAsync(Uids(9, patient: "P1"));
        Assert.Equal("P3", (await LoadStudyAsync("1.2.9")).Studies["1.2.9"].Patient.Identifier!.Value.Id);
    }

    [Fact]
    public async Task Patients_without_identifier_stay_apart()
    {
        foreach (int study in (int[])[1, 2]) await Archive.StoreAsync(Uids(study)[..3]);
        LoadedState state = await Writer.LoadAsync(new LoadRequest { StudyInstanceUids = ["1.2.1", "1.2.2"] }, Ct);
        Assert.NotEqual(state.Studies["1.2.1"].Patient.Key, state.Studies["1.2.2"].Patient.Key);
        Assert.Null(state.Studies["1.2.1"].Patient.Identifier);
    }

    [Fact]
    public async Task One_SOP_Instance_UID_may_be_in_two_studies_but_not_twice_in_one()
    {
        await Archive.StoreAsync(Uids(1));
        await Archive.StoreAsync([.. Uids(2)[..2], (0x0008_0018, "1.2.1.1.1"), (0x0010_0020, "P1")]);
        LoadedState state = await Writer.LoadAsync(new LoadRequest { SopInstanceUids = ["1.2.1.1.1"] }, Ct);
        Assert.Equal(["1.2.1", "1.2.2"], state.Instances["1.2.1.1.1"].Select(i => i.Location.StudyInstanceUid));
        await Assert.ThrowsAsync<VersionConflictException>(() => Archive.StoreAsync(Uids(1)));
        Assert.Equal(2, (await Catalog.CountAsync(Ct)).Instances);
    }

    [Theory]
    [InlineData(3)]
    [InlineData(40)]
    public async Task Instances_of_one_commit_keep_what_is_theirs(int count)
    {
        var changes = new CatalogChanges();
        List<InstanceRow> stored = [];
        // Some have an Instance Number and Image Comments, some have not.
        for (int i = 1; i <= count; i++)
        {
            (uint, string)[] some = i % 3 == 0 ? [] : [(0x0020_0013, $"{i}"), (0x0020_4000, $"comment {i}")];
            stored.Add((await Archive.AddAsync(changes, Archive.Header([.. Uids(i, patient: $"P{i}"), .. some]))).Instance);
        }
        await Archive.CommitAsync(changes);
        LoadedState state = await Writer.LoadAsync(new LoadRequest { SopInstanceUids = [.. stored.Select(i => i.SopInstanceUid)] }, Ct);
        foreach ((InstanceRow instance, int i) in stored.Select((row, at) => (row, at + 1)))
        {
            StoredInstance one = Assert.Single(state.Instances[$"1.2.{i}.1.1"]);
            Assert.Equal(($"1.2.{i}", instance.Key, Archive.StoreKey(instance.BlobKey)), (one.Location.StudyInstanceUid, one.Instance.Key, one.Location.StoreKey));
            Assert.Equal(i % 3 == 0 ? null : $"comment {i}", one.Instance.Attributes[new Tag(0x0020_4000)]);
            Assert.Equal(i % 3 == 0 ? null : $"{i}", one.Instance.Attributes[new Tag(0x0020_0013)]);
        }
        Assert.Equal(count, (await Catalog.CountAsync(Ct)).Instances);
    }

    [Fact]
    public async Task An_instance_that_was_expected_to_be_new_and_is_not_is_loaded_or_stops_the_commit()
    {
        await Archive.StoreAsync(Uids(1));
        LoadedState state = await Writer.LoadAsync(new LoadRequest { SopInstanceUids = ["1.2.1.1.1", "1.2.9.1.1"], ExpectsNew = true }, Ct);
        Assert.Equal(state.AssumedNew.Count == 0 ? ["1.2.1.1.1"] : [], state.Instances.Keys);
        var changes = new CatalogChanges { DecidedOn = state, Outbox = { new OutboxRow { Kind = "k", StudyInstanceUid = "1.2", CreatedAt = Archive.Now } } };
        if (state.AssumedNew.Count > 0)
        {
            Assert.Equal("instance", (await Assert.ThrowsAsync<VersionConflictException>(async () => await Writer.CommitAsync(changes, Ct))).Kind);
            Assert.Empty(await Catalog.ReadOutboxAsync(0, 10, Ct).ToListAsync(Ct));
        }

        // What was looked up anyway is never assumed.
        state = await Writer.LoadAsync(new LoadRequest { StudyInstanceUids = ["1.2.1"], SopInstanceUids = ["1.2.1.1.1"], ExpectsNew = true }, Ct);
        Assert.Single(state.Instances);
        Assert.Empty(state.AssumedNew);
        state = await Writer.LoadAsync(new LoadRequest { SopInstanceUids = ["1.2.9.1.1"], ExpectsNew = true }, Ct);
        changes = new CatalogChanges { DecidedOn = state, Outbox = { new OutboxRow { Kind = "k", StudyInstanceUid = "1.2", CreatedAt = Archive.Now } } };
        await Writer.CommitAsync(changes, Ct);
    }

    [Fact]
    public async Task An_instance_is_replaced_in_one_commit()
    {
        await Archive.StoreAsync(Uids(1));
        LoadedState state = await Writer.LoadAsync(new LoadRequest { StudyInstanceUids = ["1.2.1"], SopInstanceUids = ["1.2.1.1.1"], NewKeys = 8 }, Ct);
        StoredInstance old = state.Instances["1.2.1.1.1"][0];
        var changes = new CatalogChanges { RemovedInstances = { old.Instance }, RemovedBlobs = { old.Blob }, ChangedStudies = { state.Studies["1.2.1"].Study } };
        BlobRow blob = Archive.Blob(changes, state, 77);
        changes.NewInstances.Add(old.Instance with { Key = state.NextKey(), BlobKey = blob.Key, Length = 77 });
        await Writer.CommitAsync(changes, Ct);
        Assert.Equal(77, Assert.Single((await Writer.LoadAsync(new LoadRequest { SopInstanceUids = ["1.2.1.1.1"] }, Ct)).Instances["1.2.1.1.1"]).Instance.Length);
        Assert.Equal(new CatalogCounts(1, 1, 1, 1, 1, 77, 0, 0), await Catalog.CountAsync(Ct));
        Assert.Equal([old.Location.StoreKey], await Catalog.FindUnknownBlobsAsync("files", [old.Location.StoreKey, Archive.StoreKey(blob.Key)], Ct));
    }

    [Fact]
    public async Task A_row_that_breaks_a_rule_is_its_own_fault_and_nothing_is_written()
    {
        await Assert.ThrowsAsync<InvalidDataException>(() => Archive.StoreAsync(Archive.Header(Uids(1)), (changes, _) => changes.NewCopies.Add(new BlobCopyRow(999_999_999, "files", "nowhere"))));
        Assert.Equal(new CatalogCounts(0, 0, 0, 0, 0, 0, 0, 0), await Catalog.CountAsync(Ct));
        await Archive.StoreAsync(Uids(1));
    }

    [Fact]
    public async Task Committed_is_there_for_who_opens_after_a_death()
    {
        await Archive.StoreAsync(Uids(1));
        // The first is not closed: as if its process had died.
        await using ICatalog again = await OpenAgainAsync();
        Assert.Equal(1, (await LoadStudyAsync("1.2.1", (ICatalogWriter)again)).Studies["1.2.1"].Study.InstanceCount);
    }

    [Fact]
    public async Task The_outbox_is_numbered_without_gaps_also_after_conflicts()
    {
        OutboxRow Event(int i) => new() { Kind = "stored", StudyInstanceUid = $"1.2.{i}", Payload = "{}", CreatedAt = Archive.Now };
        await Archive.StoreAsync(Archive.Header(Uids(1)), (changes, _) => changes.Outbox.AddRange([Event(1), Event(2)]));
        await Assert.ThrowsAsync<VersionConflictException>(() => Archive.StoreAsync(Archive.Header(Uids(1)), (changes, _) => changes.Outbox.Add(Event(99))));
        await Writer.CommitAsync(new CatalogChanges { Outbox = { Event(3) } }, Ct);
        List<OutboxRow> feed = await Catalog.ReadOutboxAsync(0, 100, Ct).ToListAsync(Ct);
        Assert.Equal([(1L, "1.2.1"), (2L, "1.2.2"), (3L, "1.2.3")], feed.Select(e => (e.Sequence, e.StudyInstanceUid)));
        Assert.Equal([2L], (await Catalog.ReadOutboxAsync(1, 1, Ct).ToListAsync(Ct)).Select(e => e.Sequence));
    }

    [Fact]
    public async Task Quarantine_is_listed_got_and_taken_out()
    {
        var changes = new CatalogChanges();
        LoadedState state = await Writer.LoadAsync(new LoadRequest { NewKeys = 8 }, Ct);
        BlobRow blob = Archive.Blob(changes, state, 10);
        var row = new QuarantineRow { Key = state.NextKey(), Reason = "other-content", SopInstanceUid = "1.2.3", BlobKey = blob.Key, Source = "AE", ReceivedAt = Archive.Now };
        changes.NewQuarantine.Add(row);
        await Writer.CommitAsync(changes, Ct);
        QuarantineEntry entry = Assert.Single(await Catalog.ListQuarantineAsync(ct: Ct).ToListAsync(Ct));
        Assert.Equal(row, entry.Row);
        Assert.Equal((10L, Archive.StoreKey(blob.Key)), (entry.Blob.Length, Assert.Single(entry.Copies).StoreKey));
        Assert.Equal(row, (await Catalog.GetQuarantineAsync(row.Key, Ct))!.Row);
        Assert.Null(await Catalog.GetQuarantineAsync(4711, Ct));
        Assert.True(Assert.Single(await Catalog.WalkBlobsAsync(ct: Ct).ToListAsync(Ct)).IsQuarantined);
        Assert.Equal(1, (await Catalog.CountAsync(Ct)).Quarantined);

        await Writer.CommitAsync(new CatalogChanges { RemovedQuarantine = { entry.Row }, RemovedBlobs = { entry.Blob } }, Ct);
        Assert.Empty(await Catalog.ListQuarantineAsync(ct: Ct).ToListAsync(Ct));
        Assert.Equal(new CatalogCounts(0, 0, 0, 0, 0, 0, 0, 0), await Catalog.CountAsync(Ct));
        await Assert.ThrowsAsync<VersionConflictException>(async () => await Writer.CommitAsync(new CatalogChanges { RemovedQuarantine = { entry.Row } }, Ct));
    }

    [Fact]
    public async Task Conflicts_are_listed_until_resolved()
    {
        LoadedState state = await Writer.LoadAsync(new LoadRequest { NewKeys = 2 }, Ct);
        ConflictRow Row() => new() { Key = state.NextKey(), Kind = "other-patient", StudyInstanceUid = "1.2.1", Detail = "Patient ID", CreatedAt = Archive.Now };
        (ConflictRow a, ConflictRow b) = (Row(), Row());
        await Writer.CommitAsync(new CatalogChanges { NewConflicts = { a, b } }, Ct);
        Assert.Equal([a, b], await Catalog.ListConflictsAsync(ct: Ct).ToListAsync(Ct));
        await Writer.CommitAsync(new CatalogChanges { ResolvedConflicts = { a.Key } }, Ct);
        await Writer.CommitAsync(new CatalogChanges { ResolvedConflicts = { a.Key } }, Ct);
        Assert.Equal([b], await Catalog.ListConflictsAsync(ct: Ct).ToListAsync(Ct));
        Assert.Equal(2, (await Catalog.ListConflictsAsync(alsoResolved: true, ct: Ct).ToListAsync(Ct)).Count);
        Assert.Equal(1, (await Catalog.CountAsync(Ct)).OpenConflicts);
    }

    [Fact]
    public async Task Every_blob_is_walked_with_its_instances()
    {
        for (int i = 1; i <= 700; i++) await Archive.StoreAsync(Uids(i % 7, instance: i));
        List<BlobEntry> blobs = await Catalog.WalkBlobsAsync(ct: Ct).ToListAsync(Ct);
        Assert.Equal(700, blobs.Count);
        Assert.All(blobs, b => Assert.Equal(Assert.Single(b.Copies).StoreKey, Assert.Single(b.Instances).StoreKey));
        Assert.Equal(blobs.Select(b => b.Blob.Key).Order(), blobs.Select(b => b.Blob.Key));
        Assert.Equal(200, await Catalog.WalkBlobsAsync(blobs[499].Blob.Key, Ct).CountAsync(Ct));

        BlobCopyRow copy = blobs[0].Copies[0] with { VerifiedAt = Archive.Now };
        await Writer.CommitAsync(new CatalogChanges { VerifiedCopies = { copy } }, Ct);
        Assert.Equal(copy, (await Catalog.WalkBlobsAsync(ct: Ct).FirstAsync(Ct)).Copies[0]);
        await Catalog.PingAsync(Ct);
    }

    [Fact]
    public async Task Wrong_counts_are_found()
    {
        await Archive.StoreAsync(Uids(1));
        LoadedStudy loaded = (await LoadStudyAsync("1.2.1")).Studies["1.2.1"];
        await Writer.CommitAsync(new CatalogChanges { ChangedStudies = { loaded.Study with { InstanceCount = 7 } }, ChangedSeries = { loaded.Series[0] with { InstanceCount = 8 } } }, Ct);
        Assert.Equal([new WrongCount("1.2.1", "", 7, 1), new WrongCount("1.2.1", "1.2.1.1", 8, 1)], await Catalog.FindWrongCountsAsync(Ct).ToListAsync(Ct));
    }
}
