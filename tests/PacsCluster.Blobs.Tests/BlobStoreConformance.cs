using System.Collections.Concurrent;

namespace PacsCluster.Blobs.Tests;

/// <summary>What every store keeps of the contract on IBlobStore. A store's test class derives and says how to open one on an empty place.</summary>
public abstract class BlobStoreConformance : IAsyncLifetime
{
    private IBlobStore? _store;

    protected IBlobStore Store => _store!;

    protected static CancellationToken Ct => TestContext.Current.CancellationToken;

    /// <summary>A store on an empty place of its own.</summary>
    protected abstract Task<IBlobStore> OpenEmptyAsync();

    /// <summary>The same place again, as after a restart.</summary>
    protected abstract Task<IBlobStore> ReopenAsync();

    public async ValueTask InitializeAsync() => _store = await OpenEmptyAsync();

    public virtual async ValueTask DisposeAsync()
    {
        if (_store is not null) await _store.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    protected static byte[] Noise(int length, int seed = 1)
    {
        var bytes = new byte[length];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    protected static async Task<string> PutAsync(IBlobStore store, ReadOnlyMemory<byte> bytes, int piece = 16 * 1024)
    {
        await using BlobWriter writer = await store.CreateAsync(Ct);
        for (int at = 0; at < bytes.Length; at += piece) await writer.WriteAsync(bytes.Slice(at, Math.Min(piece, bytes.Length - at)), Ct);
        await writer.CommitAsync(Ct);
        Assert.Equal(bytes.Length, writer.Length);
        return writer.Key;
    }

    protected static async Task<byte[]> GetAsync(IBlobStore store, string key, long offset = 0, long length = -1)
    {
        await using Stream stream = await store.OpenReadAsync(key, offset, length, Ct);
        using var bytes = new MemoryStream();
        await stream.CopyToAsync(bytes, Ct);
        Assert.Equal(stream.Length, bytes.Length);
        return bytes.ToArray();
    }

    protected static async Task<List<BlobStat>> ListAsync(IBlobStore store, string? afterKey = null)
    {
        List<BlobStat> all = [];
        await foreach (BlobStat stat in store.ListAsync(afterKey, Ct)) all.Add(stat);
        return all;
    }

    [Theory]
    [InlineData(0, 1)]
    [InlineData(1, 1)]
    [InlineData(1000, 7)]
    [InlineData(128 * 1024, 16 * 1024)]
    [InlineData((128 * 1024) + 1, 100_000)]
    [InlineData(3_000_000, 1 << 20)]
    [InlineData(20_000_000, 131_072)]
    public async Task What_was_written_is_read(int length, int piece)
    {
        byte[] bytes = Noise(length);
        string key = await PutAsync(Store, bytes, piece);
        Assert.Equal(bytes, await GetAsync(Store, key));
    }

    [Fact]
    public async Task Committed_blobs_are_there_after_a_restart_without_closing()
    {
        byte[] bytes = Noise(100_000);
        string key = await PutAsync(Store, bytes);
        await using IBlobStore again = await ReopenAsync();
        Assert.Equal(bytes, await GetAsync(again, key));
    }

    [Fact]
    public async Task Keys_are_32_letters_and_digits_and_never_the_same()
    {
        HashSet<string> keys = [];
        for (int i = 0; i < 200; i++)
        {
            await using BlobWriter writer = await Store.CreateAsync(Ct);
            Assert.Matches("^[0-9a-z]{32}$", writer.Key);
            Assert.True(keys.Add(writer.Key[4..]), "the last 112 bits are random");
        }
    }

    [Fact]
    public async Task Ranges_are_cut_at_the_end_and_empty_past_it()
    {
        byte[] bytes = Noise(300_000);
        string key = await PutAsync(Store, bytes);
        Assert.Equal(bytes[1000..1500], await GetAsync(Store, key, 1000, 500));
        Assert.Equal(bytes[299_990..], await GetAsync(Store, key, 299_990, 500));
        Assert.Equal(bytes[5..], await GetAsync(Store, key, 5));
        Assert.Empty(await GetAsync(Store, key, 1000, 0));
        Assert.Empty(await GetAsync(Store, key, 300_000, 10));
        Assert.Empty(await GetAsync(Store, key, 1L << 40));
        await Assert.ThrowsAnyAsync<ArgumentException>(async () => await Store.OpenReadAsync(key, -1, 1, Ct));
    }

    [Fact]
    public async Task A_missing_blob_is_said_by_name()
    {
        string key = new('a', 32);
        Assert.Equal(key, (await Assert.ThrowsAsync<BlobNotFoundException>(async () => await Store.OpenReadAsync(key, ct: Ct))).Key);
        await Assert.ThrowsAsync<BlobNotFoundException>(async () => await Store.OpenReadAsync("../../etc/passwd", ct: Ct));
        Assert.Null(await Store.StatAsync(key, Ct));
        Assert.Null(await Store.StatAsync("..", Ct));
    }

    [Fact]
    public async Task Deleting_is_idempotent()
    {
        string key = await PutAsync(Store, Noise(10));
        await Store.DeleteAsync(key, Ct);
        await Store.DeleteAsync(key, Ct);
        await Store.DeleteAsync(new string('b', 32), Ct);
        await Store.DeleteAsync("../x", Ct);
        await Assert.ThrowsAsync<BlobNotFoundException>(async () => await Store.OpenReadAsync(key, ct: Ct));
        Assert.Empty(await ListAsync(Store));
    }

    [Fact]
    public async Task Stat_says_length_and_time()
    {
        DateTimeOffset before = TimeProvider.System.GetUtcNow().AddSeconds(-2);
        string key = await PutAsync(Store, Noise(12_345));
        BlobStat stat = (await Store.StatAsync(key, Ct))!;
        Assert.Equal((key, 12_345L), (stat.Key, stat.Length));
        Assert.InRange(stat.LastModified, before, TimeProvider.System.GetUtcNow().AddSeconds(2));
    }

    [Fact]
    public async Task Listing_is_ordered_and_continues_behind_a_key()
    {
        List<string> keys = [];
        for (int i = 0; i < 50; i++) keys.Add(await PutAsync(Store, Noise(i)));
        keys.Sort(StringComparer.Ordinal);
        Assert.Equal(keys, (await ListAsync(Store)).Select(s => s.Key));
        Assert.Equal(keys[20..], (await ListAsync(Store, keys[19])).Select(s => s.Key));
        Assert.Empty(await ListAsync(Store, keys[^1]));
        Assert.Equal(keys, (await ListAsync(Store, new string('0', 32))).Select(s => s.Key));
    }

    [Fact]
    public async Task Nothing_is_seen_before_the_commit()
    {
        await using BlobWriter writer = await Store.CreateAsync(Ct);
        await writer.WriteAsync(Noise(500_000), Ct);
        Assert.Null(await Store.StatAsync(writer.Key, Ct));
        await Assert.ThrowsAsync<BlobNotFoundException>(async () => await Store.OpenReadAsync(writer.Key, ct: Ct));
        Assert.Empty(await ListAsync(Store));
    }

    [Fact]
    public async Task An_abandoned_or_cancelled_write_leaves_nothing()
    {
        string key;
        await using (BlobWriter writer = await Store.CreateAsync(Ct))
        {
            key = writer.Key;
            await writer.WriteAsync(Noise(500_000), Ct);
            await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await writer.WriteAsync(Noise(1), new CancellationToken(canceled: true)));
            await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await writer.CommitAsync(new CancellationToken(canceled: true)));
        }
        Assert.Null(await Store.StatAsync(key, Ct));
        Assert.Empty(await ListAsync(Store));
        await AssertNothingLeftAsync();
    }

    [Fact]
    public async Task A_commit_is_once_and_the_last()
    {
        await using BlobWriter writer = await Store.CreateAsync(Ct);
        await writer.WriteAsync(Noise(10), Ct);
        await writer.CommitAsync(Ct);
        await Assert.ThrowsAsync<InvalidOperationException>(async () => await writer.CommitAsync(Ct));
        await Assert.ThrowsAsync<InvalidOperationException>(async () => await writer.WriteAsync(Noise(1), Ct));
        Assert.Equal(10, (await Store.StatAsync(writer.Key, Ct))!.Length);
    }

    [Fact]
    public async Task Many_writers_at_once_do_not_disturb_each_other()
    {
        var written = new ConcurrentDictionary<string, int>();
        await Parallel.ForAsync(0, 100, new ParallelOptions { MaxDegreeOfParallelism = 24, CancellationToken = Ct }, async (i, _) =>
            written[await PutAsync(Store, Noise(1000 + (i * 3001), i), 4096)] = i);
        Assert.Equal(100, written.Count);
        foreach ((string key, int i) in written) Assert.Equal(Noise(1000 + (i * 3001), i), await GetAsync(Store, key));
        await AssertNothingLeftAsync();
    }

    [Fact]
    public async Task A_reader_reads_on_when_its_blob_is_deleted()
    {
        byte[] bytes = Noise(2_000_000);
        string key = await PutAsync(Store, bytes);
        await using Stream stream = await Store.OpenReadAsync(key, ct: Ct);
        var start = new byte[1000];
        await stream.ReadExactlyAsync(start, Ct);
        await Store.DeleteAsync(key, Ct);
        try
        {
            using var rest = new MemoryStream();
            await stream.CopyToAsync(rest, Ct);
            Assert.Equal(bytes[1000..], rest.ToArray());
        }
        catch (BlobNotFoundException)
        {
            // The other answer that the contract allows.
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(4032)]
    [InlineData(4033)]
    [InlineData(1 << 20)]
    [InlineData((1 << 20) + 1)]
    public async Task What_was_written_whole_is_read_listed_and_deleted(int length)
    {
        byte[] bytes = Noise(length);
        List<string> keys = [];
        for (int i = 0; i < 3; i++) keys.Add(await PutWholeAsync(Store, bytes));
        await Store.DeleteAsync(keys[1], Ct);
        Assert.Null(await Store.StatAsync(keys[1], Ct));
        await Assert.ThrowsAsync<BlobNotFoundException>(async () => await Store.OpenReadAsync(keys[1], ct: Ct));
        await using IBlobStore again = await ReopenAsync();
        string[] left = [keys[0], keys[2]];
        foreach (string key in left)
        {
            Assert.Equal(bytes, await GetAsync(again, key));
            Assert.Equal(length, (await again.StatAsync(key, Ct))!.Length);
            if (length > 100) Assert.Equal(bytes[^50..], await GetAsync(again, key, length - 50, 100));
        }
        Array.Sort(left, StringComparer.Ordinal);
        Assert.Equal(left, (await ListAsync(again)).Select(s => s.Key));
        Assert.Equal(left[1..], (await ListAsync(again, left[0])).Select(s => s.Key));
    }

    [Fact]
    public async Task A_blob_written_whole_leaves_nothing_without_its_commit()
    {
        string key;
        await using (BlobWriter writer = await Store.CreateWholeAsync(Noise(100_000), Ct))
        {
            key = writer.Key;
            Assert.Equal(100_000, writer.Length);
        }
        Assert.Null(await Store.StatAsync(key, Ct));
        await Assert.ThrowsAsync<BlobNotFoundException>(async () => await Store.OpenReadAsync(key, ct: Ct));
        Assert.Empty(await ListAsync(Store));
        string kept = await PutWholeAsync(Store, Noise(10));
        Assert.Equal(kept, Assert.Single(await ListAsync(Store)).Key);
        await AssertNothingLeftAsync();
    }

    [Fact]
    public async Task A_blob_written_whole_is_committed_once()
    {
        await using BlobWriter writer = await Store.CreateWholeAsync(Noise(10), Ct);
        await writer.CommitAsync(Ct);
        await Assert.ThrowsAsync<InvalidOperationException>(async () => await writer.CommitAsync(Ct));
        await Assert.ThrowsAsync<InvalidOperationException>(async () => await writer.WriteAsync(Noise(1), Ct));
        Assert.Equal(Noise(10), await GetAsync(Store, writer.Key));
    }

    [Fact]
    public async Task Many_whole_blobs_at_once_do_not_disturb_each_other()
    {
        var written = new ConcurrentDictionary<string, int>();
        await Parallel.ForAsync(0, 200, new ParallelOptions { MaxDegreeOfParallelism = 24, CancellationToken = Ct }, async (i, _) =>
            written[await PutWholeAsync(Store, Noise(1000 + (i * 3001), i))] = i);
        Assert.Equal(200, written.Count);
        foreach ((string key, int i) in written) Assert.Equal(Noise(1000 + (i * 3001), i), await GetAsync(Store, key));
        Assert.Equal(written.Keys.Order(StringComparer.Ordinal), (await ListAsync(Store)).Select(s => s.Key));
    }

    [Theory]
    [InlineData(0), InlineData(1), InlineData(4032), InlineData(65_536), InlineData(262_144), InlineData(526_000), InlineData(1_048_576)]
    public async Task A_blob_of_a_length_that_was_said_is_written_as_it_comes(int length)
    {
        byte[] bytes = Noise(length);
        await using BlobWriter? writer = Store.TryCreateSized(length);
        if (writer is null) return;
        for (int at = 0; at < length; at += 100_001)
        {
            await writer.WriteAsync(bytes.AsMemory(at, Math.Min(100_001, length - at)), Ct);
        }
        Assert.Equal(length, writer.Length);
        await Assert.ThrowsAsync<InvalidOperationException>(async () => await writer.WriteAsync(new byte[1], Ct));
        writer.BeginCommit();
        await writer.CommitAsync(Ct);
        await writer.DisposeAsync();
        await using IBlobStore again = await ReopenAsync();
        Assert.Equal(bytes, await GetAsync(again, writer.Key));
        Assert.Equal(new BlobStat(writer.Key, length, default), Assert.Single(await ListAsync(again)) with { LastModified = default });
    }

    [Fact]
    public async Task A_blob_shorter_than_was_said_is_not_committed_and_leaves_nothing()
    {
        await using (BlobWriter? writer = Store.TryCreateSized(600_000))
        {
            if (writer is null) return;
            await writer.WriteAsync(Noise(400_000), Ct);
            await Assert.ThrowsAsync<InvalidOperationException>(async () => await writer.CommitAsync(Ct));
        }
        Assert.Empty(await ListAsync(Store));
        await AssertNothingLeftAsync();
        Assert.Equal(Noise(70_000), await GetAsync(Store, await PutWholeAsync(Store, Noise(70_000))));
    }

    [Fact]
    public async Task Many_blobs_of_lengths_that_were_said_come_side_by_side()
    {
        if (Store.TryCreateSized(1) is not { } first) return;
        await first.DisposeAsync();
        var written = new ConcurrentDictionary<string, int>();
        await Parallel.ForAsync(0, 120, new ParallelOptions { MaxDegreeOfParallelism = 40, CancellationToken = Ct }, async (i, _) =>
        {
            byte[] bytes = Noise(1000 + (i * 8111), i);
            await using BlobWriter writer = Store.TryCreateSized(bytes.Length)!;
            for (int at = 0; at < bytes.Length; at += 150_000)
            {
                await Task.Yield();
                await writer.WriteAsync(bytes.AsMemory(at, Math.Min(150_000, bytes.Length - at)), Ct);
            }
            // Every fourth sender goes away.
            if (i % 4 == 3) return;
            await writer.CommitAsync(Ct);
            written[writer.Key] = i;
        });
        Assert.Equal(90, written.Count);
        foreach ((string key, int i) in written) Assert.Equal(Noise(1000 + (i * 8111), i), await GetAsync(Store, key));
        Assert.Equal(written.Keys.Order(StringComparer.Ordinal), (await ListAsync(Store)).Select(s => s.Key));
    }

    protected static async Task<string> PutWholeAsync(IBlobStore store, ReadOnlyMemory<byte> bytes)
    {
        await using BlobWriter writer = await store.CreateWholeAsync(bytes, Ct);
        await writer.CommitAsync(Ct);
        return writer.Key;
    }

    /// <summary>Nothing on the medium but committed blobs.</summary>
    protected virtual Task AssertNothingLeftAsync() => Task.CompletedTask;
}
