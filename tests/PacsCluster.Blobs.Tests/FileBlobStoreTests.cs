using PacsCluster.Testing;

namespace PacsCluster.Blobs.Tests;

/// <summary>The file store: the suite, and what only files have.</summary>
public sealed class FileBlobStoreTests : BlobStoreConformance
{
    private readonly TempFolder _folder = new();
    private readonly ShiftedTime _time = new();

    private string Root => _folder.At("blobs");

    protected override Task<IBlobStore> OpenEmptyAsync() => ReopenAsync();

    protected override Task<IBlobStore> ReopenAsync() =>
        Task.FromResult<IBlobStore>(new FileBlobStore(new FileBlobStoreOptions { Folder = Root, BlobsPerFolder = 7 }, _time));

    protected override Task AssertNothingLeftAsync()
    {
        Assert.Empty(Directory.EnumerateFiles(Path.Combine(Root, "tmp")));
        return Task.CompletedTask;
    }

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        _folder.Dispose();
    }

    [Fact]
    public async Task A_blob_lies_in_two_levels_of_folders()
    {
        string key = await PutAsync(Store, Noise(10));
        Assert.True(File.Exists(Path.Combine(Root, key[..2], key[2..4], key)));
    }

    [Fact]
    public async Task Folders_are_filled_one_after_the_other()
    {
        HashSet<string> folders = [];
        for (int i = 0; i < 70; i++) folders.Add((await PutAsync(Store, Noise(1)))[..4]);
        Assert.InRange(folders.Count, 9, 10);
    }

    [Fact]
    public async Task A_crashs_temporary_files_are_swept_and_living_ones_are_not()
    {
        await using BlobWriter living = await Store.CreateAsync(Ct);
        await living.WriteAsync(Noise(10), Ct);
        string left = Path.Combine(Root, "tmp", new string('c', 32));
        await File.WriteAllBytesAsync(left, Noise(10), Ct);

        await (await ReopenAsync()).DisposeAsync();
        Assert.True(File.Exists(left), "too young to be swept: its writer may not have locked it yet");

        _time.Shift = TimeSpan.FromMinutes(5);
        await (await ReopenAsync()).DisposeAsync();
        Assert.False(File.Exists(left));
        await living.CommitAsync(Ct);
        Assert.Equal(Noise(10), await GetAsync(Store, living.Key));

        await File.WriteAllBytesAsync(left, Noise(10), Ct);
        Assert.Single(await ListAsync(Store));
        Assert.False(File.Exists(left), "a listing sweeps too");
    }

    [Fact]
    public async Task Strange_files_in_the_folder_are_not_listed()
    {
        string key = await PutAsync(Store, Noise(10));
        string folder = Path.Combine(Root, key[..2], key[2..4]);
        await File.WriteAllTextAsync(Path.Combine(folder, "notes.txt"), "x", Ct);
        Directory.CreateDirectory(Path.Combine(Root, "lost+found"));
        Assert.Equal(key, Assert.Single(await ListAsync(Store)).Key);
    }

    [Fact]
    public void A_folder_that_cannot_be_used_is_said_by_name()
    {
        string file = _folder.At("file");
        File.WriteAllText(file, "");
        Assert.Throws<BlobStoreUnavailableException>(() => new FileBlobStore(new FileBlobStoreOptions { Folder = Path.Combine(file, "blobs") }, _time));
    }

    [Fact]
    public void Wrong_options_are_all_said_at_once()
    {
        ArgumentException error = Assert.Throws<ArgumentException>(() => new FileBlobStore(new FileBlobStoreOptions { Folder = "", CommitThreads = 0, BlobsPerFolder = 0 }, _time));
        foreach (string name in (string[])["Folder", "CommitThreads", "BlobsPerFolder"]) Assert.Contains(name + ":", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Disk_full_is_said_by_name_leaves_nothing_and_passes()
    {
        using var disk = await SmallDisk.MountAsync(_folder.At("disk"), kibibytes: 2048);
        await using var store = new FileBlobStore(new FileBlobStoreOptions { Folder = Path.Combine(disk.Path, "blobs") }, _time);
        string kept = await PutAsync(store, Noise(1_000_000));
        await Assert.ThrowsAsync<BlobStoreFullException>(() => PutAsync(store, Noise(3_000_000)));
        // Full only at the commit, when the last gathered bytes are written.
        string filler = Path.Combine(disk.Path, "filler");
        await using (BlobWriter writer = await store.CreateAsync(Ct))
        {
            await writer.WriteAsync(Noise(100_000), Ct);
            SmallDisk.Fill(filler);
            await Assert.ThrowsAsync<BlobStoreFullException>(async () => await writer.CommitAsync(Ct));
        }
        Assert.Empty(Directory.EnumerateFiles(Path.Combine(disk.Path, "blobs", "tmp")));
        Assert.Equal(kept, Assert.Single(await ListAsync(store)).Key);
        Assert.Equal(Noise(1_000_000), await GetAsync(store, kept));
        File.Delete(filler);
        string later = await PutAsync(store, Noise(500_000, 2));
        Assert.Equal(Noise(500_000, 2), await GetAsync(store, later));
    }

    private sealed class ShiftedTime : TimeProvider
    {
        public TimeSpan Shift { get; set; }

        public override DateTimeOffset GetUtcNow() => System.GetUtcNow() + Shift;
    }
}
