using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using PacsCluster.Catalog.Sqlite;
using PacsCluster.Testing;

namespace PacsCluster.Catalog.Tests;

/// <summary>Commits are durable in the log before the database has them. What a process that dies leaves is taken from the files as they lie while it still runs.</summary>
public sealed partial class CommitLogTests : IDisposable
{
    private const uint AllowSealing = 2;
    private const int AddSeals = 1033;
    private const int SealWrite = 8;

    /// <summary>Commits of one instance, each of a block at least.</summary>
    private const int MoreThanItTakes = (CommitLog.CapacityBytes / CommitLog.BlockBytes) + 100;

    private readonly TempFolder _folder = new();

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task What_was_acknowledged_is_there_after_a_crash_though_the_database_had_none_of_it()
    {
        Requires();
        await using SqliteCatalog catalog = await OpenAsync("live");
        await StoreAsync(catalog, 0, 20);
        string image = Crash("live", "image");
        Assert.Equal(0, Count(image));
        await using (SqliteCatalog after = await OpenAsync("image"))
        {
            Assert.Equal(20, (await after.CountAsync(Ct)).Instances);
            Assert.Empty(await after.FindWrongCountsAsync(Ct).ToListAsync(Ct));
            await StoreAsync(after, 20, 25);
        }
        Assert.Equal(25, Count(image));
        // The one that lives has them too, and more.
        await StoreAsync(catalog, 20, 30);
        Assert.Equal(30, (await catalog.CountAsync(Ct)).Instances);
    }

    [Fact]
    public async Task What_the_database_published_and_did_not_flush_is_still_in_the_log_after_a_power_cut()
    {
        Requires();
        await using SqliteCatalog catalog = await OpenAsync("live");
        await StoreAsync(catalog, 0, 1);
        // The last that was flushed: the log began after it.
        byte[] flushed = await File.ReadAllBytesAsync(_folder.At("live", "catalog.db-wal"), Ct);
        for (int i = 1; i < 8; i++)
        {
            await StoreAsync(catalog, i, i + 1);
            await catalog.PingAsync(Ct);
        }
        Assert.Equal(8, Count(_folder.At("live")));
        string image = Crash("live", "image");
        await File.WriteAllBytesAsync(Path.Combine(image, "catalog.db-wal"), flushed, Ct);
        Assert.Equal(0, Count(image));
        await AssertHasAsync("image", 8);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_last_commit_that_was_told_to_nobody_happened_where_its_blobs_are_whole(bool areWhole)
    {
        Requires();
        await using SqliteCatalog catalog = await OpenAsync("live");
        await StoreAsync(catalog, 0, 3);
        UnflushedBlob blob = new(new BlobPlace("files", "p0"), 40_000, new byte[] { 1, 2, 3, 4 });
        bool hasBegun = false;
        await StoreWithBlobAsync(catalog, 100, blob, () => hasBegun = true, () =>
        {
            // The disk has the record, and not the blob yet.
            Assert.True(hasBegun);
            Crash("live", "image");
            return Task.CompletedTask;
        });
        List<UnflushedBlob> asked = [];
        await using SqliteCatalog after = await OpenAsync("image", isWhole: blobs =>
        {
            asked.AddRange(blobs);
            return areWhole;
        });
        UnflushedBlob one = Assert.Single(asked);
        Assert.Equal((blob.Place, blob.Length), (one.Place, one.Length));
        Assert.Equal(blob.Digest.ToArray(), one.Digest.ToArray());
        Assert.Equal(areWhole ? 4 : 3, (await after.CountAsync(Ct)).Instances);
        Assert.Empty(await after.FindWrongCountsAsync(Ct).ToListAsync(Ct));
        await StoreAsync(after, 4, 6);
        Assert.Equal(areWhole ? 6 : 5, (await after.CountAsync(Ct)).Instances);
    }

    [Fact]
    public async Task Only_the_last_commit_s_blobs_are_asked_for_and_none_that_the_database_has()
    {
        Requires();
        await using SqliteCatalog catalog = await OpenAsync("live");
        for (int i = 0; i < 3; i++) await StoreWithBlobAsync(catalog, i, new UnflushedBlob(new BlobPlace("files", $"p{i}"), i, new byte[4]), () => { }, () => Task.CompletedTask);
        Crash("live", "unpublished");
        await catalog.PingAsync(Ct);
        await catalog.CountAsync(Ct);
        Crash("live", "published");
        List<string> asked = [];
        foreach (string image in (string[])["unpublished", "published"])
        {
            await using SqliteCatalog after = await OpenAsync(image, isWhole: blobs =>
            {
                asked.AddRange(blobs.Select(b => $"{image} {b.Place.Key}"));
                return true;
            });
            Assert.Equal(3, (await after.CountAsync(Ct)).Instances);
        }
        Assert.Equal(["unpublished p2"], asked);
    }

    [Fact]
    public async Task A_catalog_that_cannot_ask_for_the_last_commit_s_blobs_is_not_opened()
    {
        Requires();
        await using SqliteCatalog catalog = await OpenAsync("live");
        await StoreWithBlobAsync(catalog, 0, new UnflushedBlob(new BlobPlace("files", "p0"), 1, new byte[4]), () => { }, () => Task.CompletedTask);
        string image = Crash("live", "image");
        await Assert.ThrowsAsync<CatalogUnavailableException>(() => SqliteCatalog.OpenAsync(new SqliteCatalogOptions { Path = Path.Combine(image, "catalog.db") }, TimeProvider.System, Ct));
        await using SqliteCatalog after = await OpenAsync("image", isWhole: _ => true);
        Assert.Equal(1, (await after.CountAsync(Ct)).Instances);
    }

    [Fact]
    public async Task A_commit_whose_blob_fails_takes_nothing_of_others_with_it()
    {
        Requires();
        await using SqliteCatalog catalog = await OpenAsync("live");
        await StoreAsync(catalog, 0, 3);
        var blob = new UnflushedBlob(new BlobPlace("files", "p0"), 1, new byte[4]);
        // Its texts are said for the first time in a record that does not count, and it is longer than the next one.
        await Assert.ThrowsAsync<IOException>(() => StoreWithBlobAsync(catalog, 100, blob, () => { }, () => throw new IOException("the disk refuses"), new string('x', 20_000)));
        Crash("live", "failed");
        await AssertHasAsync("failed", 3);
        await StoreAsync(catalog, 3, 5);
        Crash("live", "image");
        Assert.Equal(5, (await catalog.CountAsync(Ct)).Instances);
        await AssertHasAsync("image", 5);
    }

    [Fact]
    public async Task A_commit_whose_blob_fails_is_not_there_when_the_log_is_applied_again()
    {
        Requires();
        await using SqliteCatalog catalog = await OpenAsync("live");
        await StoreAsync(catalog, 0, 3);
        await Assert.ThrowsAsync<IOException>(() => StoreWithBlobAsync(
            catalog, 100, new UnflushedBlob(new BlobPlace("files", "p0"), 1, new byte[4]), () => { }, () => throw new IOException("the disk refuses")));
        // The three were in the transaction that was lost.
        Assert.Equal(3, (await catalog.CountAsync(Ct)).Instances);
        Assert.Equal(3, Count(_folder.At("live")));
    }

    [Fact]
    public async Task A_torn_record_ends_the_log_and_all_in_front_of_it_is_applied()
    {
        Requires();
        await using SqliteCatalog catalog = await OpenAsync("live");
        await StoreAsync(catalog, 0, 1);
        await catalog.PingAsync(Ct);
        long before = Count(_folder.At("live"));
        List<int> ends = [];
        for (int i = 1; i <= 6; i++)
        {
            await StoreAsync(catalog, i, i + 1);
            ends.Add(End(_folder.At("live")));
        }
        for (int torn = 0; torn < ends.Count; torn++)
        {
            string image = Crash("live", $"image{torn}");
            using (FileStream log = File.OpenWrite(Log(image)))
            {
                // Its last block did not come to the disk.
                log.Position = ends[torn] - CommitLog.BlockBytes;
                log.Write(new byte[CommitLog.BlockBytes]);
            }
            await using SqliteCatalog after = await OpenAsync($"image{torn}");
            Assert.Equal(before + torn, (await after.CountAsync(Ct)).Instances);
            await StoreAsync(after, 100, 103);
            Assert.Equal(before + torn + 3, (await after.CountAsync(Ct)).Instances);
        }
    }

    [Fact]
    public async Task A_commit_that_fails_takes_none_of_those_before_it_away()
    {
        Requires();
        await using SqliteCatalog catalog = await OpenAsync("live");
        await StoreAsync(catalog, 0, 10);
        var archive = new Archive(catalog);
        for (int i = 0; i < 3; i++)
        {
            // The same key once more.
            await Assert.ThrowsAsync<VersionConflictException>(() => archive.StoreAsync(Archive.Header(Uids(10 + i)), (changes, _) => changes.NewBlobs.Add(changes.NewBlobs[0])));
            await StoreAsync(catalog, 20 + i, 21 + i);
        }
        Assert.Equal(13, (await catalog.CountAsync(Ct)).Instances);
        await using SqliteCatalog after = await OpenAsync(Path.GetFileName(Crash("live", "image")));
        Assert.Equal(13, (await after.CountAsync(Ct)).Instances);
        Assert.Empty(await after.FindWrongCountsAsync(Ct).ToListAsync(Ct));
    }

    [Fact]
    public async Task The_log_begins_anew_when_it_is_full_and_a_commit_too_long_for_it_is_durable_without_it()
    {
        Requires();
        await using SqliteCatalog catalog = await OpenAsync("live");
        await StoreAsync(catalog, 0, MoreThanItTakes);
        Assert.Equal(CommitLog.CapacityBytes, new FileInfo(Log(_folder.At("live"))).Length);
        Assert.InRange(Count(_folder.At("live")), MoreThanItTakes / 3, MoreThanItTakes - 1);
        await new Archive(catalog).StoreAsync(Archive.Header(Uids(MoreThanItTakes)), (changes, _) => changes.NewHeaders[0] = changes.NewHeaders[0] with { Bytes = new byte[CommitLog.CapacityBytes] });
        Assert.Equal(MoreThanItTakes + 1, Count(_folder.At("live")));
        await StoreAsync(catalog, MoreThanItTakes + 1, MoreThanItTakes + 10);
        await using SqliteCatalog after = await OpenAsync(Path.GetFileName(Crash("live", "image")));
        Assert.Equal(MoreThanItTakes + 10, (await after.CountAsync(Ct)).Instances);
    }

    [Fact]
    public async Task While_another_has_the_database_open_each_commit_is_in_the_database_at_once()
    {
        Requires();
        await using SqliteCatalog first = await OpenAsync("live");
        await StoreAsync(first, 0, 3);
        await first.PingAsync(Ct);
        await using (SqliteCatalog second = await OpenAsync("live"))
        {
            for (int i = 3; i < 30; i++)
            {
                await StoreAsync(i % 2 == 0 ? first : second, i, i + 1);
                Assert.Equal(i + 1, Count(_folder.At("live")));
            }
        }
        await StoreAsync(first, 30, 35);
        Assert.Equal(30, Count(_folder.At("live")));
        Assert.Equal(35, (await first.CountAsync(Ct)).Instances);
    }

    [Fact]
    public async Task Who_lives_on_beside_a_process_that_died_applies_what_it_left_before_writing_anything()
    {
        Requires();
        await using SqliteCatalog dying = await OpenAsync("live");
        await StoreAsync(dying, 0, 5);
        await dying.PingAsync(Ct);
        string state = Crash("live", "state");
        await StoreAsync(dying, 5, 9);
        byte[] left = await File.ReadAllBytesAsync(Log(_folder.At("live")), Ct);
        // Two who had the database open all the time, in the state in which the dead one's last transaction never ended.
        await using SqliteCatalog one = await OpenAsync("state");
        await using SqliteCatalog other = await OpenAsync("state");
        await using (var log = new FileStream(Log(state), FileMode.Open, FileAccess.Write, FileShare.ReadWrite)) await log.WriteAsync(left, Ct);
        await StoreAsync(one, 9, 10);
        Assert.Equal(10, (await other.CountAsync(Ct)).Instances);
        Assert.Empty(await other.FindWrongCountsAsync(Ct).ToListAsync(Ct));
    }

    [Fact]
    public async Task An_older_copy_of_the_database_under_a_newer_log_is_refused_in_words()
    {
        Requires();
        await using (SqliteCatalog catalog = await OpenAsync("live"))
        {
            await StoreAsync(catalog, 0, 1);
            await catalog.PingAsync(Ct);
            Crash("live", "older");
            await StoreAsync(catalog, 1, MoreThanItTakes);
        }
        File.Copy(Log(_folder.At("live")), Log(_folder.At("older")), overwrite: true);
        CatalogUnavailableException refused = await Assert.ThrowsAsync<CatalogUnavailableException>(() => OpenAsync("older"));
        Assert.Contains("-commits", refused.Message, StringComparison.Ordinal);
        File.Delete(Log(_folder.At("older")));
        await using SqliteCatalog again = await OpenAsync("older");
        Assert.Equal(1, (await again.CountAsync(Ct)).Instances);
    }

    [Fact]
    public async Task A_log_that_the_disk_refuses_is_told_of_once_and_costs_no_commit()
    {
        Requires();
        // A file in memory that takes no more from the moment it is sealed.
        using var file = new SafeFileHandle(CreateMemory("commits", AllowSealing), ownsHandle: true);
        RandomAccess.Write(file, new byte[CommitLog.CapacityBytes], 0);
        Directory.CreateDirectory(_folder.At("live"));
        File.CreateSymbolicLink(Log(_folder.At("live")), $"/proc/self/fd/{file.DangerousGetHandle()}");
        int told = 0;
        await using (SqliteCatalog catalog = await OpenAsync("live", _ => told++))
        {
            await StoreAsync(catalog, 0, 3);
            Assert.Equal(0, Count(_folder.At("live")));
            Assert.Equal(0, Control(file, AddSeals, SealWrite));
            await StoreAsync(catalog, 3, 4);
            Assert.Equal(4, Count(_folder.At("live")));
            await StoreAsync(catalog, 4, 8);
            Assert.Equal(8, Count(_folder.At("live")));
        }
        Assert.Equal(1, told);
        await AssertHasAsync("live", 8);
    }

    private static void Requires() => Assert.SkipUnless(OperatingSystem.IsLinux(), "the log is used on Linux");

    private async Task<SqliteCatalog> OpenAsync(string folder, Action<Exception>? logLost = null, Func<IReadOnlyList<UnflushedBlob>, bool>? isWhole = null)
    {
        Directory.CreateDirectory(_folder.At(folder));
        return await SqliteCatalog.OpenAsync(
            new SqliteCatalogOptions
            {
                Path = Path.Combine(_folder.At(folder), "catalog.db"),
                // No timer publishes in a test.
                PublishAfter = TimeSpan.FromHours(1),
                LogLost = logLost ?? (_ => { }),
                MakeDurableAsync = blobs => Task.FromResult((isWhole ?? throw new InvalidOperationException("there are no blobs to ask for"))(blobs)),
            },
            TimeProvider.System, Ct);
    }

    private static Task<InstanceRow> StoreWithBlobAsync(SqliteCatalog catalog, int i, UnflushedBlob blob, Action begin, Func<Task> flush, string description = "") => new Archive(catalog).StoreAsync(
        Archive.Header([.. Uids(i), (0x0008_1030, description)]), (changes, _) => changes.Unflushed = new UnflushedBlobs([blob], begin, flush));

    /// <summary>Opens what a crash left: so many instances, and right counts.</summary>
    private async Task AssertHasAsync(string folder, int instances)
    {
        await using SqliteCatalog after = await OpenAsync(folder);
        Assert.Equal(instances, (await after.CountAsync(Ct)).Instances);
        Assert.Empty(await after.FindWrongCountsAsync(Ct).ToListAsync(Ct));
    }

    private static (uint, string)[] Uids(int i) => [(0x0020_000D, "1.2.1"), (0x0020_000E, "1.2.1.1"), (0x0008_0018, $"1.2.1.1.{i}"), (0x0010_0020, "P1")];

    private static async Task StoreAsync(SqliteCatalog catalog, int from, int to)
    {
        var archive = new Archive(catalog);
        for (int i = from; i < to; i++) await archive.StoreAsync(Uids(i));
    }

    /// <summary>The files as a crash would leave them, in a folder of their own.</summary>
    private string Crash(string from, string to)
    {
        Directory.CreateDirectory(_folder.At(to));
        foreach (string name in (string[])["catalog.db", "catalog.db-wal", "catalog.db-commits"]) File.Copy(Path.Combine(_folder.At(from), name), Path.Combine(_folder.At(to), name));
        return _folder.At(to);
    }

    private static string Log(string folder) => Path.Combine(folder, "catalog.db-commits");

    /// <summary>Where the last record ends: behind it there are zeros, as nothing has begun anew.</summary>
    private static int End(string folder)
    {
        byte[] log = File.ReadAllBytes(Log(folder));
        return (log.AsSpan().LastIndexOfAnyExcept((byte)0) + CommitLog.BlockBytes) / CommitLog.BlockBytes * CommitLog.BlockBytes;
    }

    /// <summary>Instances that the database itself has.</summary>
    private static long Count(string folder)
    {
        using var database = new Database(Path.Combine(folder, "catalog.db"), readOnly: true);
        return database.QueryInt64("SELECT count(*) FROM instance");
    }

    [LibraryImport("libc", EntryPoint = "memfd_create", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int CreateMemory(string name, uint flags);

    [LibraryImport("libc", EntryPoint = "fcntl")]
    private static partial int Control(SafeFileHandle file, int command, int argument);
}
