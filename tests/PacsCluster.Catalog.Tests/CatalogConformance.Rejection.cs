using PacsCluster.Dicom;

namespace PacsCluster.Catalog.Tests;

// Deletions, and metadata blocks, which every change of their series takes out.
public abstract partial class CatalogConformance
{
    private static MetadataBlockRow Block(long seriesKey, params byte[] bytes) => new()
    {
        SeriesKey = seriesKey, InstanceCount = 2, BulkDataBase = "/dicom-web", Length = 1234, Crc32 = 0xFFFF_FFFE, PackedLength = bytes.Length, Bytes = bytes,
    };

    private async Task<LoadedStudy> LoadWholeAsync(string uid) =>
        (await Writer.LoadAsync(new LoadRequest { StudyInstanceUids = [uid], WithClasses = true }, Ct)).Studies[uid];

    private async Task<long> NewKeyAsync() => (await Writer.LoadAsync(new LoadRequest { NewKeys = 1 }, Ct)).NextKey();

    private async Task<RejectionRow> RejectionAsync(LoadedStudy study, QueryLevel level, int count, string series = "", string instance = "") => new()
    {
        Key = await NewKeyAsync(), Level = level, StudyInstanceUid = study.Study.StudyInstanceUid, SeriesInstanceUid = series, SopInstanceUid = instance, By = "admin", Reason = "wrong patient",
        InstanceCount = count, RejectedAt = s_t, PurgeAt = At(100),
    };

    private async Task<RejectionRow> RejectStudyAsync(string uid)
    {
        LoadedStudy study = await LoadWholeAsync(uid);
        RejectionRow row = await RejectionAsync(study, QueryLevel.Study, study.Study.InstanceCount);
        await CommitAsync(c =>
        {
            c.NewRejections.Add(new NewRejection(row, study.Study.Key));
            c.RemovedStudies.Add(study.Study);
            c.RemovedSeries.AddRange(study.Series);
            c.EmptiedPatients.Add(study.Patient);
        });
        return row;
    }

    [Fact]
    public async Task A_deleted_study_is_gone_everywhere_and_listed_with_its_blobs()
    {
        for (int i = 1; i <= 3; i++) await Archive.StoreAsync([.. Uids(1, series: i % 2, instance: i), (0x0010_0010, "Smith^John")]);
        LoadedStudy study = await LoadWholeAsync("1.2.1");
        await CommitAsync(c => c.MetadataBlocks.Add(Block(study.Series[0].Key, 1)));
        RejectionRow row = await RejectStudyAsync("1.2.1");

        Assert.Equal(new CatalogCounts(0, 0, 0, 0, 3, 3000, 0, 0), await Catalog.CountAsync(Ct));
        foreach (QueryLevel level in Enum.GetValues<QueryLevel>()) Assert.Empty(await Catalog.SearchAsync(Request(level, new DataSet()), Ct).ToListAsync(Ct));
        Assert.Empty(await Catalog.LocateAsync(new LocateRequest { StudyInstanceUids = ["1.2.1"] }, Ct).ToListAsync(Ct));
        Assert.Empty(await Catalog.LocateHeadersAsync(new LocateRequest { SopInstanceUids = ["1.2.1.1.1"] }, Ct).ToListAsync(Ct));
        Assert.Null(await Catalog.GetContentAsync("1.2.1", null, Ct));
        Assert.Null(await Catalog.ReadMetadataBlockAsync(study.Series[0].Key, Ct));

        Assert.Equal([row], await Catalog.ListRejectionsAsync(ct: Ct).ToListAsync(Ct));
        Assert.Equal(row, await Catalog.GetRejectionAsync(row.Key, Ct));
        IReadOnlyList<RejectedEntry> entries = await Catalog.ListRejectedAsync(row.Key, 0, 100, Ct);
        Assert.Equal(["1.2.1.0.2", "1.2.1.1.1", "1.2.1.1.3"], entries.Select(e => e.Row.SopInstanceUid).Order());
        Assert.All(entries, e => Assert.Equal((1000L, Archive.StoreKey(e.Blob.Key), "MODALITY", Archive.Now, false), (e.Row.Length, Assert.Single(e.Copies).StoreKey, e.Row.Source, e.Row.ReceivedAt, e.IsBlobShared)));
        Assert.Equal(entries[1].Row, Assert.Single(await Catalog.ListRejectedAsync(row.Key, entries[0].Row.Key, 1, Ct)).Row);
        Assert.All(await Catalog.WalkBlobsAsync(ct: Ct).ToListAsync(Ct), b => Assert.Equal((true, 0), (b.IsRejected, b.Instances.Count)));
        Assert.Empty(await Catalog.FindWrongCountsAsync(Ct).ToListAsync(Ct));
    }

    /// <summary>What the engine's compression commits for one instance.</summary>
    private async Task<(RewrittenInstance Rewritten, BlobRow Old, BlobRow New, CatalogChanges Changes)> RewriteAsync(string study, string sop)
    {
        LoadedState loaded = await Writer.LoadAsync(new LoadRequest { StudyInstanceUids = [study], SopInstanceUids = [sop], NewKeys = 1 }, Ct);
        StoredInstance stored = Assert.Single(loaded.Instances[sop]);
        LoadedStudy known = loaded.Studies[study];
        var changes = new CatalogChanges();
        BlobRow made = Archive.Blob(changes, loaded, 400) with { Original = new OriginalContent(700, new byte[] { 7, 8, 9 }) };
        changes.NewBlobs[0] = made;
        DataSet header = Archive.Header((0x0008_0018, sop), (0x0020_0013, "77"), (0x0028_0004, "YBR_RCT"));
        InstanceRow row = stored.Instance with
        {
            TransferSyntaxUid = "1.2.840.10008.1.2.4.90", BlobKey = made.Key, Length = 400, DataSetOffset = 310, PixelDataOffset = 44, Attributes = AttributeValues.Read(header, QueryLevel.Image),
        };
        var rewritten = new RewrittenInstance(row, stored.Instance.BlobKey, new HeaderRow(row.Key, HeaderEncoding.Raw, header.ToArray(), new byte[] { 1, 2 }));
        changes.RewrittenInstances.Add(rewritten);
        changes.RetiredBlobs.Add(stored.Blob with { RetiredAt = At(50) });
        changes.ChangedSeries.Add(known.Series.First(s => s.Key == row.SeriesKey));
        changes.ChangedStudies.Add(known.Study);
        return (rewritten, stored.Blob, made, changes);
    }

    [Fact]
    public async Task An_instance_that_lies_elsewhere_is_found_there_and_its_old_blob_is_listed_until_it_is_removed()
    {
        await Archive.StoreAsync([.. Uids(1, instance: 1), (0x0020_0013, "1")]);
        await Archive.StoreAsync([.. Uids(1, instance: 2), (0x0020_0013, "2")]);
        long seriesKey = (await LoadWholeAsync("1.2.1")).Series[0].Key;
        await CommitAsync(c => c.MetadataBlocks.Add(Block(seriesKey, 1)));
        long version = (await LoadWholeAsync("1.2.1")).Study.Version;
        string sop = (await Catalog.LocateAsync(new LocateRequest { StudyInstanceUids = ["1.2.1"] }, Ct).ToListAsync(Ct))[0].SopInstanceUid;
        (RewrittenInstance rewritten, BlobRow old, BlobRow made, CatalogChanges changes) = await RewriteAsync("1.2.1", sop);
        await Archive.CommitAsync(changes);

        InstanceLocation location = Assert.Single(await Catalog.LocateAsync(new LocateRequest { SopInstanceUids = [sop] }, Ct).ToListAsync(Ct));
        Assert.Equal(
            (rewritten.Row.Key, "1.2.840.10008.1.2.4.90", Archive.StoreKey(made.Key), 400L, 310, 44L),
            (location.InstanceKey, location.TransferSyntaxUid, location.StoreKey, location.Length, location.DataSetOffset, location.PixelDataOffset));
        HeaderRow header = Assert.Single(await Catalog.LocateHeadersAsync(new LocateRequest { SopInstanceUids = [sop] }, Ct).ToListAsync(Ct)).Header;
        Assert.Equal(rewritten.Header.Bytes.ToArray(), header.Bytes.ToArray());
        Assert.Equal([1, 2], header.Frames.ToArray());
        Assert.Single(await Catalog.SearchAsync(Request(QueryLevel.Image, Identifier("00200013=77")), Ct).ToListAsync(Ct));
        Assert.Null(await Catalog.ReadMetadataBlockAsync(seriesKey, Ct));
        Assert.Equal(version + 1, (await LoadWholeAsync("1.2.1")).Study.Version);
        StoredInstance now = Assert.Single((await Writer.LoadAsync(new LoadRequest { SopInstanceUids = [sop] }, Ct)).Instances[sop]);
        Assert.Equal((700L, "MODALITY", Archive.Now), (now.Blob.Original!.Length, now.Instance.Source, now.Instance.ReceivedAt));
        Assert.Equal([7, 8, 9], now.Blob.Original.Sha256.ToArray());
        Assert.Equal(new CatalogCounts(1, 1, 1, 2, 3, 2400, 0, 0), await Catalog.CountAsync(Ct));
        Assert.Empty(await Catalog.FindWrongCountsAsync(Ct).ToListAsync(Ct));

        RetiredBlob retired = Assert.Single(await Catalog.ListRetiredBlobsAsync(10, Ct));
        Assert.Equal((old.Key, At(50), Archive.StoreKey(old.Key)), (retired.Blob.Key, retired.Blob.RetiredAt, Assert.Single(retired.Copies).StoreKey));
        Assert.Equal(At(50), Assert.Single(await Catalog.WalkBlobsAsync(ct: Ct).ToListAsync(Ct), b => b.Instances.Count == 0).Blob.RetiredAt);
        await CommitAsync(c => c.RemovedBlobs.Add(retired.Blob));
        Assert.Empty(await Catalog.ListRetiredBlobsAsync(10, Ct));
        Assert.Equal(1400, (await Catalog.CountAsync(Ct)).BlobBytes);
    }

    [Fact]
    public async Task An_instance_that_was_deleted_replaced_or_moved_meanwhile_is_not_put_elsewhere()
    {
        await Archive.StoreAsync(Uids(1, instance: 1));
        await Archive.StoreAsync(Uids(1, instance: 2));
        string[] sops = [.. (await Catalog.LocateAsync(new LocateRequest { StudyInstanceUids = ["1.2.1"] }, Ct).ToListAsync(Ct)).Select(l => l.SopInstanceUid)];
        (_, _, _, CatalogChanges first) = await RewriteAsync("1.2.1", sops[0]);
        (_, _, _, CatalogChanges second) = await RewriteAsync("1.2.1", sops[0]);
        await Archive.CommitAsync(first);
        // Decided on the study as it was.
        Assert.Equal("study", (await Assert.ThrowsAsync<VersionConflictException>(() => Archive.CommitAsync(second))).Kind);
        // On the study as it is, but of an instance in another blob.
        second.ChangedStudies[0] = (await LoadWholeAsync("1.2.1")).Study;
        Assert.Equal("instance", (await Assert.ThrowsAsync<VersionConflictException>(() => Archive.CommitAsync(second))).Kind);
        Assert.Single(await Catalog.ListRetiredBlobsAsync(10, Ct));

        (_, _, _, CatalogChanges third) = await RewriteAsync("1.2.1", sops[1]);
        await RejectStudyAsync("1.2.1");
        await Assert.ThrowsAsync<VersionConflictException>(() => Archive.CommitAsync(third));
        // A deleted instance keeps its blob, and what it was made of is known still.
        RejectionRow rejection = Assert.Single(await Catalog.ListRejectionsAsync(ct: Ct).ToListAsync(Ct));
        RejectedEntry entry = Assert.Single(await Catalog.ListRejectedAsync(rejection.Key, 0, 10, Ct), e => e.Row.SopInstanceUid == sops[0]);
        Assert.Equal((700L, null), (entry.Blob.Original!.Length, entry.Blob.RetiredAt));
        Assert.Single(await Catalog.ListRetiredBlobsAsync(10, Ct));
    }

    [Fact]
    public async Task What_was_deleted_may_be_stored_again_beside_it_and_the_rest_purged()
    {
        await Archive.StoreAsync(Uids(1));
        RejectionRow row = await RejectStudyAsync("1.2.1");
        await Archive.StoreAsync(Uids(1));
        Assert.Equal(1, (await LoadWholeAsync("1.2.1")).Study.InstanceCount);
        RejectedEntry entry = Assert.Single(await Catalog.ListRejectedAsync(row.Key, 0, 10, Ct));
        await CommitAsync(c =>
        {
            c.RemovedRejected.Add(entry.Row);
            c.RemovedBlobs.Add(entry.Blob);
            c.RemovedRejections.Add(row);
        });
        Assert.Null(await Catalog.GetRejectionAsync(row.Key, Ct));
        Assert.Equal(new CatalogCounts(1, 1, 1, 1, 1, 1000, 0, 0), await Catalog.CountAsync(Ct));
        Assert.Equal("rejection", (await Assert.ThrowsAsync<VersionConflictException>(() => CommitAsync(c => c.RemovedRejected.Add(entry.Row)))).Kind);
        Assert.Equal("rejection", (await Assert.ThrowsAsync<VersionConflictException>(() => CommitAsync(c => c.RemovedRejections.Add(row)))).Kind);
    }

    [Fact]
    public async Task A_series_or_an_instance_is_deleted_out_of_its_study()
    {
        for (int i = 1; i <= 4; i++) await Archive.StoreAsync([.. Uids(1, series: 1 + (i / 4), instance: i), (0x0008_0016, $"1.2.840.{i % 2}")]);
        LoadedStudy study = await LoadWholeAsync("1.2.1");
        SeriesRow first = study.Series.Single(s => s.SeriesInstanceUid == "1.2.1.1"), second = study.Series.Single(s => s.SeriesInstanceUid == "1.2.1.2");
        Assert.Equal([new(first.Key, "1.2.840.1", 2), new(first.Key, "1.2.840.0", 1), new(second.Key, "1.2.840.0", 1)], study.Classes);
        RejectionRow ofSeries = await RejectionAsync(study, QueryLevel.Series, 1, "1.2.1.2");
        await CommitAsync(c =>
        {
            c.NewRejections.Add(new NewRejection(ofSeries, study.Study.Key, second.Key));
            c.RemovedSeries.Add(second);
            c.ChangedStudies.Add(study.Study with { SeriesCount = 1, InstanceCount = 3 });
        });
        study = await LoadWholeAsync("1.2.1");
        StoredInstance instance = (await Writer.LoadAsync(new LoadRequest { SopInstanceUids = ["1.2.1.1.2"] }, Ct)).Instances["1.2.1.1.2"][0];
        RejectionRow ofInstance = await RejectionAsync(study, QueryLevel.Image, 1, "1.2.1.1", "1.2.1.1.2");
        await CommitAsync(c =>
        {
            c.NewRejections.Add(new NewRejection(ofInstance, study.Study.Key, first.Key, instance.Instance.Key));
            c.ChangedSeries.Add(study.Series[0] with { InstanceCount = 2 });
            c.ChangedStudies.Add(study.Study with { InstanceCount = 2 });
        });
        Assert.Equal(new CatalogCounts(1, 1, 1, 2, 4, 4000, 0, 0), await Catalog.CountAsync(Ct));
        Assert.Empty(await Catalog.FindWrongCountsAsync(Ct).ToListAsync(Ct));
        Assert.Equal(["1.2.1.1.1", "1.2.1.1.3"], (await Catalog.LocateAsync(new LocateRequest { StudyInstanceUids = ["1.2.1"] }, Ct).ToListAsync(Ct)).Select(l => l.SopInstanceUid));
        Assert.Equal("1.2.1.1.2", Assert.Single(await Catalog.ListRejectedAsync(ofInstance.Key, 0, 10, Ct)).Row.SopInstanceUid);
    }

    [Fact]
    public async Task A_deletion_decided_on_an_older_state_is_a_conflict_and_nothing_is_written()
    {
        await Archive.StoreAsync(Uids(1));
        LoadedStudy old = await LoadWholeAsync("1.2.1");
        RejectionRow row = await RejectionAsync(old, QueryLevel.Study, 1);
        await Archive.StoreAsync(Uids(1, instance: 2));
        await Assert.ThrowsAsync<VersionConflictException>(() => CommitAsync(c =>
        {
            c.NewRejections.Add(new NewRejection(row, old.Study.Key));
            c.RemovedSeries.AddRange(old.Series);
            c.RemovedStudies.Add(old.Study);
        }));
        await Assert.ThrowsAsync<VersionConflictException>(() => CommitAsync(c => c.RemovedStudies.Add(old.Study with { Version = 99 })));
        Assert.Equal(2, (await Catalog.CountAsync(Ct)).Instances);
        Assert.Empty(await Catalog.ListRejectionsAsync(ct: Ct).ToListAsync(Ct));
    }

    [Fact]
    public async Task A_patient_goes_with_the_last_study_only()
    {
        await Archive.StoreAsync([.. Uids(1), (0x0010_0010, "Yamada^Tarou=山田^太郎"), (0x0010_1000, "OTHER")]);
        await Archive.StoreAsync(Uids(2));
        await RejectStudyAsync("1.2.1");
        Assert.Equal(1, (await Catalog.CountAsync(Ct)).Patients);
        LoadedStudy last = await LoadWholeAsync("1.2.2");
        await CommitAsync(c => c.ChangedPatients.Add(last.Patient));
        await Assert.ThrowsAsync<VersionConflictException>(() => CommitAsync(c => c.EmptiedPatients.Add(last.Patient)));
        await RejectStudyAsync("1.2.2");
        Assert.Equal(0, (await Catalog.CountAsync(Ct)).Patients);
        Assert.Empty((await Writer.LoadAsync(new LoadRequest { Patients = [new("P1")] }, Ct)).Patients);
        await Archive.StoreAsync(Uids(1));
        Assert.Equal(1, (await Catalog.CountAsync(Ct)).Patients);
    }

    [Fact]
    public async Task A_patient_into_whom_another_was_merged_stays()
    {
        await Archive.StoreAsync(Uids(1, patient: "P1"));
        await Archive.StoreAsync(Uids(2, patient: "P2"));
        LoadedState both = await Writer.LoadAsync(new LoadRequest { Patients = [new("P1"), new("P2")] }, Ct);
        await CommitAsync(c => c.Merges.Add(new PatientMerge(both.Patients[new("P1")], both.Patients[new("P2")])));
        await RejectStudyAsync("1.2.1");
        await RejectStudyAsync("1.2.2");
        Assert.Equal("P2", (await Writer.LoadAsync(new LoadRequest { Patients = [new("P1")] }, Ct)).Patients[new("P1")].Identifier!.Value.Id);
    }

    [Fact]
    public async Task A_metadata_block_is_there_until_its_series_changes()
    {
        for (int i = 1; i <= 2; i++) await Archive.StoreAsync(Uids(1, series: i));
        LoadedStudy study = await LoadWholeAsync("1.2.1");
        byte[] bytes = [.. Enumerable.Range(0, 200_000).Select(i => (byte)i)];
        await CommitAsync(c =>
        {
            c.ChangedStudies.Add(study.Study with { Status = StudyStatus.Complete });
            c.MetadataBlocks.AddRange([Block(study.Series[0].Key, 9), Block(study.Series[1].Key, 2)]);
        });
        await CommitAsync(c => c.MetadataBlocks.Add(Block(study.Series[0].Key, bytes)));
        StudyContent content = (await Catalog.GetContentAsync("1.2.1", null, Ct))!;
        Assert.Equal((StudyStatus.Complete, study.Study.Version + 1), (content.Study.Status, content.Study.Version));
        Assert.Equal(["1.2.1.1", "1.2.1.2"], content.Series.Select(s => s.Series.SeriesInstanceUid));
        Assert.Equal(Block(study.Series[0].Key, bytes) with { Bytes = default }, content.Series[0].Block);
        MetadataBlockRow block = (await Catalog.ReadMetadataBlockAsync(study.Series[0].Key, Ct))!;
        Assert.Equal(bytes, block.Bytes.ToArray());
        Assert.Equal((0xFFFF_FFFEu, "/dicom-web", 1234L), (block.Crc32, block.BulkDataBase, block.Length));
        Assert.Equal("1.2.1.2", Assert.Single((await Catalog.GetContentAsync("1.2.1", "1.2.1.2", Ct))!.Series).Series.SeriesInstanceUid);
        Assert.Null(await Catalog.GetContentAsync("1.2.1", "1.2.1.3", Ct));

        await Archive.StoreAsync(Uids(1, series: 1, instance: 2));
        content = (await Catalog.GetContentAsync("1.2.1", null, Ct))!;
        Assert.Equal([true, false], content.Series.Select(s => s.Block is null));
        Assert.Null(await Catalog.ReadMetadataBlockAsync(study.Series[0].Key, Ct));
    }
}
