using PacsCluster.Testing;

namespace PacsCluster.Blobs.Tests;

/// <summary>The file store: the suite, and what only files have.</summary>
public sealed class FileBlobStoreTests : BlobStoreConformance
{
    private readonly TempFolder _folder = new();
    private readonly ShiftedTime _time = new();

    private string Root => _folder.At("blobs");

    private string PackFile => Assert.Single(Directory.EnumerateFiles(Path.Combine(Root, "packs"), "*", SearchOption.AllDirectories));

    protected override Task<IBlobStore> OpenEmptyAsync() => ReopenAsync();

    protected override Task<IBlobStore> ReopenAsync() =>
        Task.FromResult<IBlobStore>(new FileBlobStore(new FileBlobStoreOptions { Folder = Root, BlobsPerFolder = 7, PackMaxBytes = 3 << 20, PacksAtOnce = 1 }, _time));

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
        ArgumentException error = Assert.Throws<ArgumentException>(() => new FileBlobStore(new FileBlobStoreOptions { Folder = "", CommitThreads = 0, BlobsPerFolder = 0, PackedMaxBytes = -1, PackMaxBytes = 0, PacksAtOnce = 0 }, _time));
        foreach (string name in (string[])["Folder", "CommitThreads", "BlobsPerFolder", "PackedMaxBytes", "PackMaxBytes", "PacksAtOnce"]) Assert.Contains(name + ":", error.Message, StringComparison.Ordinal);
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

    [Fact]
    public async Task A_full_disk_takes_no_whole_blob_and_passes()
    {
        using var disk = await SmallDisk.MountAsync(_folder.At("disk"), kibibytes: 2048);
        await using var store = new FileBlobStore(new FileBlobStoreOptions { Folder = Path.Combine(disk.Path, "blobs") }, _time);
        string kept = await PutWholeAsync(store, Noise(600_000));
        string filler = Path.Combine(disk.Path, "filler");
        SmallDisk.Fill(filler);
        await Assert.ThrowsAsync<BlobStoreFullException>(() => PutWholeAsync(store, Noise(700_000)));
        Assert.Equal(kept, Assert.Single(await ListAsync(store)).Key);
        File.Delete(filler);
        string later = await PutWholeAsync(store, Noise(500_000, 2));
        Assert.Equal(Noise(500_000, 2), await GetAsync(store, later));
        Assert.Equal(Noise(600_000), await GetAsync(store, kept));
    }

    [Theory]
    [InlineData(1 << 20, 1 << 20), InlineData(2 << 20, 1 << 20), InlineData((2 << 20) + 1, 77_777), InlineData((3 << 20) - 1, 4_000_000), InlineData(40_000_000, 1_000_003)]
    public async Task A_large_blob_takes_no_more_of_the_disk_than_its_blocks(int length, int piece)
    {
        byte[] bytes = Noise(length);
        await using BlobWriter writer = await Store.CreateAsync(Ct);
        for (int at = 0; at < length; at += piece) await writer.WriteAsync(bytes.AsMemory(at, Math.Min(piece, length - at)), Ct);
        writer.BeginCommit();
        await Assert.ThrowsAsync<InvalidOperationException>(async () => await writer.WriteAsync(new byte[1], Ct));
        await writer.CommitAsync(Ct);
        string file = Assert.Single(Directory.EnumerateFiles(_folder.At("blobs"), writer.Key, SearchOption.AllDirectories));
        Assert.Equal(bytes, await File.ReadAllBytesAsync(file, Ct));
        if (OperatingSystem.IsLinux()) Assert.InRange(await AllocatedAsync(file), length, length + 128 * 1024);
    }

    [Fact]
    public async Task Of_a_large_blob_that_is_given_up_nothing_stays_and_its_memory_serves_again()
    {
        for (int i = 0; i < 20; i++)
        {
            await using BlobWriter writer = await Store.CreateAsync(Ct);
            await writer.WriteAsync(Noise(3_000_000, i), Ct);
        }
        Assert.Empty(Directory.EnumerateFiles(_folder.At("blobs"), "*", SearchOption.AllDirectories));
        string key = await PutAsync(Store, Noise(2_500_000, 99));
        Assert.Equal(Noise(2_500_000, 99), await GetAsync(Store, key));
    }

    [Fact]
    public async Task What_is_deleted_from_a_pack_is_gone_from_the_disk_and_gives_its_blocks_back()
    {
        byte[] secret = "the patient's name stands here and must not stay"u8.ToArray(), large = Noise(800_000);
        secret.CopyTo(large, 0);
        string first = await PutWholeAsync(Store, secret), second = await PutWholeAsync(Store, large), third = await PutWholeAsync(Store, Noise(9000, 3));
        string pack = PackFile;
        long before = await AllocatedAsync(pack);
        await using Stream reading = await Store.OpenReadAsync(second, ct: Ct);
        await reading.ReadExactlyAsync(new byte[1000], Ct);
        await Store.DeleteAsync(first, Ct);
        await Store.DeleteAsync(second, Ct);
        await Assert.ThrowsAsync<BlobNotFoundException>(async () => await reading.ReadExactlyAsync(new byte[1000], Ct));
        Assert.Equal(-1, File.ReadAllBytes(pack).AsSpan().IndexOf(secret));
        Assert.Equal(Noise(9000, 3), await GetAsync(Store, third));
        if (OperatingSystem.IsLinux()) Assert.InRange(before - await AllocatedAsync(pack), 700_000, 800_000);
    }

    private static async Task<long> AllocatedAsync(string path)
    {
        if (!OperatingSystem.IsLinux()) return 0;
        ToolResult said = await Tool.RunAsync("stat", ["-c", "%b %B", path]);
        long[] numbers = [.. said.Output.Split(' ').Select(n => long.Parse(n, System.Globalization.CultureInfo.InvariantCulture))];
        return numbers[0] * numbers[1];
    }

    [Fact]
    public async Task A_pack_in_which_nothing_is_left_goes_once_nobody_writes_it()
    {
        string key = await PutWholeAsync(Store, Noise(1000));
        string pack = PackFile;
        await Store.DeleteAsync(key, Ct);
        _time.Shift = TimeSpan.FromHours(25);
        Assert.Empty(await ListAsync(Store));
        Assert.True(File.Exists(pack), "its writer has it open");
        _time.Shift = TimeSpan.FromHours(23);
        await Store.DisposeAsync();
        await using IBlobStore again = await ReopenAsync();
        Assert.Empty(await ListAsync(again));
        Assert.True(File.Exists(pack), "where locks are not seen, a writer may still have it");
        _time.Shift = TimeSpan.FromHours(25);
        Assert.Empty(await ListAsync(again));
        Assert.False(File.Exists(pack));
        Assert.Null(await again.StatAsync(key, Ct));
        await again.DeleteAsync(key, Ct);
    }

    [Fact]
    public async Task A_pack_of_half_a_day_gets_no_more_blobs()
    {
        string first = await PutWholeAsync(Store, Noise(1000));
        _time.Shift = TimeSpan.FromHours(13);
        string later = await PutWholeAsync(Store, Noise(1000, 2));
        Assert.NotEqual(first[..24], later[..24]);
        Assert.Equal(Noise(1000), await GetAsync(Store, first));
    }

    [Fact]
    public async Task A_blob_that_was_half_a_day_in_coming_is_refused()
    {
        string kept = await PutWholeAsync(Store, Noise(1000));
        await using (BlobWriter writer = Store.TryCreateSized(300_000)!)
        {
            await writer.WriteAsync(Noise(200_000), Ct);
            _time.Shift = TimeSpan.FromHours(13);
            await writer.WriteAsync(Noise(100_000), Ct);
            await Assert.ThrowsAsync<BlobStoreUnavailableException>(async () => await writer.CommitAsync(Ct));
        }
        Assert.Equal(kept, Assert.Single(await ListAsync(Store)).Key);
    }

    [Fact]
    public async Task What_a_crash_left_in_a_pack_hides_nothing_behind_it()
    {
        string first = await PutWholeAsync(Store, Noise(10_000));
        // One whose first bytes are on the disk, and one that only has its room.
        BlobWriter begun = await Store.CreateWholeAsync(Noise(300_000), Ct), crashed = Store.TryCreateSized(300_000)!;
        begun.EndWrites();
        string behind = await PutWholeAsync(Store, Noise(20_000));
        Assert.Equal((string[])[first, behind], (await ListAsync(Store)).Select(s => s.Key).Where(key => key != begun.Key));
        Assert.Equal(Noise(20_000), await GetAsync(Store, behind));
        await crashed.DisposeAsync();
        await begun.DisposeAsync();
        Assert.Equal((string[])[first, behind], (await ListAsync(Store)).Select(s => s.Key));
    }

    [Fact]
    public async Task A_flush_that_was_begun_is_waited_for_by_all_whom_it_covers_and_by_nobody_else()
    {
        string[] keys = await Task.WhenAll(Enumerable.Range(0, 64).Select(i => Task.Factory.StartNew(
            () =>
            {
                // Threads of their own, as associations have: some begin a flush, some only commit, some begin one and give up.
                BlobWriter writer = Store.CreateWholeAsync(Noise(1000 * i), Ct).AsTask().Result;
                if (i % 4 != 0) writer.BeginFlush();
                if (i % 4 != 3) writer.CommitAsync(Ct).AsTask().Wait(Ct);
                writer.DisposeAsync().AsTask().Wait(Ct);
                return writer.Key;
            },
            Ct, TaskCreationOptions.LongRunning, TaskScheduler.Default)));
        List<string> listed = (await ListAsync(Store)).ConvertAll(s => s.Key);
        for (int i = 0; i < keys.Length; i++)
        {
            Assert.Equal(i % 4 != 3, listed.Contains(keys[i]));
            if (i % 4 != 3) Assert.Equal(Noise(1000 * i), await GetAsync(Store, keys[i]));
        }
    }

    [Theory, InlineData(0), InlineData(1), InlineData(40_000), InlineData(524_288), InlineData(1_048_576)]
    public async Task What_is_gathered_in_a_stores_memory_is_the_blob_wherever_it_lay_there(int length)
    {
        byte[] bytes = Noise(length);
        foreach (int at in new[] { 0, 1 })
        {
            using BlobBuffer memory = Store.TryRentBuffer(1_048_576)!;
            await using BlobWriter writer = Store.TryCreateSized(length, memory)!;
            for (int from = 0; from < length; from += 70_001)
            {
                int count = Math.Min(70_001, length - from), place = Math.Min(from + at, 1_048_576 - count);
                bytes.AsMemory(from, count).CopyTo(memory.Memory[place..]);
                await writer.WriteAsync(memory.Memory.Slice(place, count), Ct);
            }
            await writer.CommitAsync(Ct);
            Assert.Equal(bytes, await GetAsync(Store, writer.Key));
        }
        Assert.Null(Store.TryRentBuffer(1_048_577));
    }

    [Fact]
    public async Task Memory_that_became_no_blob_serves_again()
    {
        BlobBuffer first = Store.TryRentBuffer(1000)!;
        Noise(1000).CopyTo(first.Memory);
        ((IDisposable)first).Dispose();
        Assert.Equal(Noise(5000, 2), await GetAsync(Store, await PutWholeAsync(Store, Noise(5000, 2))));
        Assert.Single(await ListAsync(Store));
    }

    [Fact]
    public async Task A_blob_that_was_long_in_coming_is_as_young_as_its_commit()
    {
        await using BlobWriter writer = Store.TryCreateSized(300_000)!;
        await writer.WriteAsync(Noise(200_000), Ct);
        _time.Shift = TimeSpan.FromHours(2);
        await writer.WriteAsync(Noise(300_000).AsMemory(200_000), Ct);
        await writer.CommitAsync(Ct);
        BlobStat stat = Assert.Single(await ListAsync(Store));
        Assert.InRange(stat.LastModified, _time.GetUtcNow() - TimeSpan.FromMinutes(5), _time.GetUtcNow());
        Assert.Equal(Noise(300_000), await GetAsync(Store, stat.Key));
    }

    [Fact]
    public async Task A_blob_that_looks_like_the_inside_of_a_pack_makes_no_blobs()
    {
        string inner = await PutWholeAsync(Store, Noise(9000));
        byte[] pack = File.ReadAllBytes(PackFile)[..12_288];
        // So that the copied header falls on a block.
        byte[] hostile = new byte[pack.Length + 4096];
        pack.CopyTo(hostile, 4096 - 64);
        BlobWriter crashed = await Store.CreateWholeAsync(hostile, Ct);
        string outer = await PutWholeAsync(Store, hostile);
        Assert.Equal((string[])[inner, outer], (await ListAsync(Store)).Select(s => s.Key).Where(key => key != crashed.Key));
        await crashed.DisposeAsync();
        Assert.Equal((string[])[inner, outer], (await ListAsync(Store)).Select(s => s.Key));
    }

    [Theory]
    [InlineData(0), InlineData(1), InlineData(4032), InlineData(4033), InlineData(65_536), InlineData(69_568), InlineData(300_001)]
    public async Task What_shares_a_blobs_last_block_is_nothing_of_another_blob(int length)
    {
        // Memory of the first one, which is longer, is the next one's.
        await PutWholeAsync(Store, Noise(900_000, 7));
        string key = await PutWholeAsync(Store, Noise(length));
        Assert.Equal(Noise(length), await GetAsync(Store, key));
        long end = (long.Parse(key[24..], System.Globalization.NumberStyles.HexNumber, System.Globalization.CultureInfo.InvariantCulture) * 4096) + 64 + length;
        byte[] rest = File.ReadAllBytes(PackFile)[(int)end..(int)((end + 4095) / 4096 * 4096)];
        Assert.Equal(new byte[rest.Length], rest);
    }

    [Fact]
    public async Task Room_asked_for_ahead_is_given_back_when_the_store_closes()
    {
        await PutWholeAsync(Store, Noise(9000));
        if (OperatingSystem.IsLinux()) Assert.Equal(3 << 20, new FileInfo(PackFile).Length);
        await Store.DisposeAsync();
        Assert.Equal(3 * 4096, new FileInfo(PackFile).Length);
    }

    [Fact]
    public async Task Room_asked_for_ahead_that_a_crash_left_is_given_back_once_nobody_writes_the_pack()
    {
        string key = await PutWholeAsync(Store, Noise(9000));
        _time.Shift = TimeSpan.FromHours(25);
        Assert.Single(await ListAsync(Store));
        if (OperatingSystem.IsLinux()) Assert.True(new FileInfo(PackFile).Length > 3 * 4096, "its writer has it open");
        await Store.DisposeAsync();
        await using IBlobStore again = await ReopenAsync();
        using (FileStream left = File.OpenWrite(PackFile)) left.SetLength(3 << 20);
        _time.Shift = TimeSpan.FromHours(23);
        Assert.Single(await ListAsync(again));
        Assert.Equal(3 << 20, new FileInfo(PackFile).Length);
        _time.Shift = TimeSpan.FromHours(25);
        Assert.Single(await ListAsync(again));
        Assert.Equal(3 * 4096, new FileInfo(PackFile).Length);
        Assert.Equal(Noise(9000), await GetAsync(again, key));
    }

    [Fact]
    public async Task Where_there_is_no_more_room_than_a_blob_needs_it_is_taken()
    {
        using var disk = await SmallDisk.MountAsync(_folder.At("disk"), kibibytes: 4096);
        await using var store = new FileBlobStore(new FileBlobStoreOptions { Folder = Path.Combine(disk.Path, "blobs"), PacksAtOnce = 1 }, _time);
        List<string> keys = [];
        await Assert.ThrowsAsync<BlobStoreFullException>(async () =>
        {
            for (int i = 0; i < 100; i++) keys.Add(await PutWholeAsync(store, Noise(300_000, i)));
        });
        Assert.InRange(keys.Count, 11, 13);
        for (int i = 0; i < keys.Count; i++) Assert.Equal(Noise(300_000, i), await GetAsync(store, keys[i]));
    }

    [Fact]
    public async Task Two_stores_on_one_folder_write_packs_of_their_own_and_read_each_others()
    {
        await using IBlobStore other = await ReopenAsync();
        string one = await PutWholeAsync(Store, Noise(1000, 1)), two = await PutWholeAsync(other, Noise(1000, 2)), three = await PutWholeAsync(Store, Noise(1000, 3));
        Assert.NotEqual(one[..24], two[..24]);
        Assert.Equal(one[..24], three[..24]);
        Assert.Equal(Noise(1000, 2), await GetAsync(Store, two));
        await other.DeleteAsync(one, Ct);
        Assert.Null(await Store.StatAsync(one, Ct));
        Assert.Equal(Noise(1000, 3), await GetAsync(other, three));
    }

    private sealed class ShiftedTime : TimeProvider
    {
        public TimeSpan Shift { get; set; }

        public override DateTimeOffset GetUtcNow() => System.GetUtcNow() + Shift;

        public override long GetTimestamp() => System.GetTimestamp() + (long)(Shift.TotalSeconds * System.TimestampFrequency);
    }
}
