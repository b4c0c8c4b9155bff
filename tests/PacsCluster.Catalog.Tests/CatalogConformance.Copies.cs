namespace PacsCluster.Catalog.Tests;

// Copies of blobs: those that are there, those that are wanted, and those that take another's place.
public abstract partial class CatalogConformance
{
    private async Task<long> StoreWithAsync(int instance, Action<CatalogChanges, long> more)
    {
        long blob = 0;
        await Archive.StoreAsync(Archive.Header(Uids(1, instance: instance)), (changes, _) => more(changes, blob = changes.NewBlobs[^1].Key));
        return blob;
    }

    private async Task<InstanceLocation> LocateOneAsync(int instance) =>
        Assert.Single(await Catalog.LocateAsync(new LocateRequest { SopInstanceUids = [$"1.2.1.1.{instance}"] }, Ct).ToListAsync(Ct));

    [Fact]
    public async Task Every_copy_of_an_instances_blob_is_located()
    {
        long blob = await StoreWithAsync(1, (changes, key) => changes.NewCopies.AddRange([new BlobCopyRow(key, "west-files", "w1"), new BlobCopyRow(key, "azure", "a1")]));
        await Archive.StoreAsync(Uids(1, instance: 2));
        InstanceLocation location = await LocateOneAsync(1);
        BlobPlace[] places = [new("azure", "a1"), new("files", Archive.StoreKey(blob)), new("west-files", "w1")];
        Assert.Equal(places, location.MoreCopies.Prepend(location.Place));
        Assert.All(places, p => Assert.True(location.IsAt(p)));
        Assert.False(location.IsAt(new BlobPlace("files", "a1")));
        Assert.Empty((await LocateOneAsync(2)).MoreCopies);
        Assert.Equal(places, (await Catalog.LocateHeadersAsync(new LocateRequest { SopInstanceUids = [location.SopInstanceUid] }, Ct).SingleAsync(Ct)).Location is var l ? l.MoreCopies.Prepend(l.Place) : []);
        StoredInstance stored = Assert.Single((await Writer.LoadAsync(new LoadRequest { SopInstanceUids = [location.SopInstanceUid] }, Ct)).Instances[location.SopInstanceUid]);
        Assert.Equal(places, stored.Location.MoreCopies.Prepend(stored.Location.Place));
        BlobEntry walked = await Catalog.WalkBlobsAsync(ct: Ct).FirstAsync(b => b.Blob.Key == blob, Ct);
        Assert.Equal(places, walked.Copies.Select(c => c.Place));
        Assert.Equal(places, Assert.Single(walked.Instances) is var w ? w.MoreCopies.Prepend(w.Place) : []);
    }

    [Fact]
    public async Task Wanted_copies_are_listed_when_due_and_settled_once()
    {
        long first = await StoreWithAsync(1, (changes, key) => changes.WantedCopies.AddRange([new WantedCopyRow(key, "azure", At(5)), new WantedCopyRow(key, "tape", At(1))]));
        long second = await StoreWithAsync(2, (changes, key) => changes.WantedCopies.Add(new WantedCopyRow(key, "azure", At(3))));
        Assert.Equal(new Dictionary<string, long> { ["azure"] = 2, ["tape"] = 1 }, await Catalog.CountWantedCopiesAsync(Ct));
        Assert.Empty(await Catalog.ListWantedCopiesAsync("azure", ["files"], At(2), 10, Ct));
        Assert.Equal([second, first], (await Catalog.ListWantedCopiesAsync("azure", ["files"], At(9), 10, Ct)).Select(w => w.Blob.Key));
        WantedCopyEntry entry = Assert.Single(await Catalog.ListWantedCopiesAsync("azure", ["files"], At(9), 1, Ct));
        Assert.Equal((new WantedCopyRow(second, "azure", At(3)), 1000L, new BlobPlace("files", Archive.StoreKey(second))), (entry.Row, entry.Blob.Length, Assert.Single(entry.Copies).Place));

        // Only those that can be made from these stores.
        Assert.Equal(2, (await Catalog.ListWantedCopiesAsync("azure", ["here", "files", "there"], At(9), 10, Ct)).Count);
        Assert.Empty(await Catalog.ListWantedCopiesAsync("azure", ["here", "there"], At(9), 10, Ct));
        Assert.Empty(await Catalog.ListWantedCopiesAsync("azure", [], At(9), 10, Ct));

        await CommitAsync(c => c.PostponedCopies.AddRange([entry.Row with { DueAt = At(20) }, new WantedCopyRow(4711, "azure", At(1))]));
        Assert.Equal([first], (await Catalog.ListWantedCopiesAsync("azure", ["files"], At(9), 10, Ct)).Select(w => w.Blob.Key));

        await CommitAsync(c =>
        {
            c.SettledCopies.Add(entry.Row);
            c.NewCopies.Add(new BlobCopyRow(second, "azure", "a2", VerifiedAt: At(4)));
        });
        // A second one who made it too: a conflict, and its other rows are not written.
        await Assert.ThrowsAsync<VersionConflictException>(() => CommitAsync(c =>
        {
            c.SettledCopies.AddRange([new WantedCopyRow(first, "azure", At(5)), entry.Row]);
            c.NewCopies.AddRange([new BlobCopyRow(first, "azure", "a1"), new BlobCopyRow(second, "azure", "a3")]);
        }));
        Assert.Equal(new Dictionary<string, long> { ["azure"] = 1, ["tape"] = 1 }, await Catalog.CountWantedCopiesAsync(Ct));
        Assert.Equal(["a1", "a3"], await Catalog.FindUnknownBlobsAsync("azure", ["a1", "a2", "a3"], Ct));
    }

    [Fact]
    public async Task Wanted_copies_go_with_their_blob()
    {
        await StoreWithAsync(1, (changes, key) => changes.WantedCopies.Add(new WantedCopyRow(key, "azure", At(5))));
        StoredInstance stored = Assert.Single((await Writer.LoadAsync(new LoadRequest { SopInstanceUids = ["1.2.1.1.1"] }, Ct)).Instances["1.2.1.1.1"]);
        LoadedStudy study = await LoadWholeAsync("1.2.1");
        await CommitAsync(c =>
        {
            c.ChangedStudies.Add(study.Study with { InstanceCount = 0 });
            c.RemovedInstances.Add(stored.Instance);
            c.RemovedBlobs.Add(stored.Blob);
        });
        Assert.Empty(await Catalog.CountWantedCopiesAsync(Ct));
    }

    [Fact]
    public async Task A_copy_is_replaced_where_its_old_key_still_is_there()
    {
        long blob = await StoreWithAsync(1, (changes, key) => changes.NewCopies.Add(new BlobCopyRow(key, "azure", "old")));
        var copy = new BlobCopyRow(blob, "azure", "new", VerifiedAt: At(7));
        await CommitAsync(c => c.ReplacedCopies.Add((copy, "old")));
        Assert.Equal([copy, new BlobCopyRow(blob, "files", Archive.StoreKey(blob))], (await Catalog.WalkBlobsAsync(ct: Ct).SingleAsync(Ct)).Copies);
        await Assert.ThrowsAsync<VersionConflictException>(() => CommitAsync(c => c.ReplacedCopies.Add((copy with { StoreKey = "third" }, "old"))));
        Assert.Equal("new", (await LocateOneAsync(1)).StoreKey);
    }
}
