using System.Collections.Concurrent;
using PacsCluster.Testing;

[assembly: AssemblyFixture(typeof(BlobServers))]

namespace PacsCluster.Blobs.Tests;

/// <summary>What every store behind HTTP does when its server is slow, refuses or breaks off.</summary>
public abstract class CloudStoreTests : BlobStoreConformance
{
    protected const int PartBytes = 5 * 1024 * 1024;

    /// <summary>The server itself.</summary>
    protected abstract Task<Uri> ServerAsync();

    /// <summary>A store on the place of this test, through an address.</summary>
    private protected abstract IBlobStore Open(Uri address, int retries = 3, int timeoutSeconds = 10);

    /// <summary>The request is the one that makes a long blob visible.</summary>
    protected abstract bool IsCommitOfParts(string request);

    /// <summary>The request carries a part.</summary>
    protected abstract bool IsPart(string request);

    [Fact]
    public async Task A_blob_up_to_a_part_is_one_request()
    {
        await using FaultProxy proxy = await FaultProxy.StartAsync(await ServerAsync());
        await using IBlobStore store = Open(proxy.Address, timeoutSeconds: 60);
        string key = await PutAsync(store, Noise(PartBytes));
        Assert.True(proxy.Requests.Distinct().Count() == 1, string.Join("\n", proxy.Requests));
        Assert.Equal(Noise(PartBytes), await GetAsync(Store, key));
    }

    [Fact]
    public async Task Reading_a_range_is_one_request()
    {
        string key = await PutAsync(Store, Noise(300_000));
        await using FaultProxy proxy = await FaultProxy.StartAsync(await ServerAsync());
        await using IBlobStore store = Open(proxy.Address, timeoutSeconds: 60);
        Assert.Equal(Noise(300_000)[200_000..250_000], await GetAsync(store, key, 200_000, 50_000));
        Assert.Single(proxy.Requests.Distinct());
    }

    [Fact]
    public async Task Parts_of_a_long_blob_go_side_by_side_while_it_comes_in_and_the_last_one_before_the_commit_is_asked_for()
    {
        await using FaultProxy proxy = await FaultProxy.StartAsync(await ServerAsync());
        await using IBlobStore store = Open(proxy.Address, timeoutSeconds: 60);
        proxy.Rule = _ => new Fault { Delay = TimeSpan.FromMilliseconds(500) };
        byte[] bytes = Noise((4 * PartBytes) + 17);
        await using BlobWriter writer = await store.CreateAsync(Ct);
        await writer.WriteAsync(bytes, Ct);
        writer.BeginCommit();
        await writer.CommitAsync(Ct);
        Assert.InRange(proxy.MostAtOnce, 2, 3);
        Assert.Equal(5, proxy.Requests.Where(IsPart).Distinct().Count());
        Assert.True(IsCommitOfParts(proxy.Requests.Last()), proxy.Requests.Last());
        Assert.Equal(bytes, await GetAsync(Store, writer.Key));
    }

    [Fact]
    public async Task A_writer_waits_for_its_parts_so_that_memory_is_bounded()
    {
        await using FaultProxy proxy = await FaultProxy.StartAsync(await ServerAsync());
        await using IBlobStore store = Open(proxy.Address, timeoutSeconds: 60);
        var open = new TaskCompletionSource();
        proxy.Rule = r => IsPart(r) ? new Fault { Until = open.Task } : null;
        byte[] piece = Noise(1024 * 1024);
        await using BlobWriter writer = await store.CreateAsync(Ct);
        ValueTask write;
        int taken = 0;
        do
        {
            write = writer.WriteAsync(piece, Ct);
            taken++;
        }
        while (write.IsCompleted && taken < 100);
        // Three parts on their way and one that fills.
        Assert.Equal(21, taken);
        open.SetResult();
        await write;
        await writer.CommitAsync(Ct);
        Assert.Equal(taken * (long)piece.Length, (await Store.StatAsync(writer.Key, Ct))!.Length);
    }

    [Theory]
    [InlineData(1000)]
    [InlineData((2 * PartBytes) + 1)]
    public async Task Passing_503s_and_broken_connections_are_tried_again(int length)
    {
        await using FaultProxy proxy = await FaultProxy.StartAsync(await ServerAsync());
        await using IBlobStore store = Open(proxy.Address, timeoutSeconds: 60);
        var tries = new ConcurrentDictionary<string, int>();
        proxy.Rule = r => tries.AddOrUpdate(r, 1, (_, before) => before + 1) switch
        {
            1 => new Fault { Status = 503 },
            2 => new Fault { Refuse = true },
            _ => null,
        };
        byte[] bytes = Noise(length);
        string key = await PutAsync(store, bytes, 100_000);
        Assert.Equal(bytes, await GetAsync(store, key));
        Assert.Equal(length, (await store.StatAsync(key, Ct))!.Length);
        Assert.Equal(key, Assert.Single(await ListAsync(store)).Key);
        await store.DeleteAsync(key, Ct);
        Assert.Empty(await ListAsync(Store));
    }

    [Fact]
    public async Task A_store_that_only_says_503_is_given_up_after_the_retries()
    {
        await using FaultProxy proxy = await FaultProxy.StartAsync(await ServerAsync());
        await using IBlobStore store = Open(proxy.Address, retries: 2);
        proxy.Rule = _ => new Fault { Status = 503 };
        BlobStoreUnavailableException fault = await Assert.ThrowsAsync<BlobStoreUnavailableException>(async () => await store.OpenReadAsync(new string('a', 32), ct: Ct));
        Assert.Contains("503", fault.Message, StringComparison.Ordinal);
        Assert.Equal(3, proxy.Requests.Count);
        await Assert.ThrowsAsync<BlobStoreUnavailableException>(async () => await store.StatAsync(new string('a', 32), Ct));
        await Assert.ThrowsAsync<BlobStoreUnavailableException>(async () => await store.DeleteAsync(new string('a', 32), Ct));
        await Assert.ThrowsAsync<BlobStoreUnavailableException>(async () => await ListAsync(store));
        await Assert.ThrowsAsync<BlobStoreUnavailableException>(async () => await PutAsync(store, Noise(10)));
    }

    [Fact]
    public async Task A_store_that_does_not_answer_is_given_up_after_the_time_limit()
    {
        await using FaultProxy proxy = await FaultProxy.StartAsync(await ServerAsync());
        await using IBlobStore store = Open(proxy.Address, retries: 0, timeoutSeconds: 1);
        proxy.Rule = _ => new Fault { Until = new TaskCompletionSource().Task };
        BlobStoreUnavailableException fault = await Assert.ThrowsAsync<BlobStoreUnavailableException>(async () => await store.StatAsync(new string('a', 32), Ct));
        Assert.Contains("no answer within 1 s", fault.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1000)]
    [InlineData((2 * PartBytes) + 1)]
    public async Task A_commit_whose_answer_is_lost_is_done_once(int length)
    {
        await using FaultProxy proxy = await FaultProxy.StartAsync(await ServerAsync());
        await using IBlobStore store = Open(proxy.Address);
        int lost = 0;
        proxy.Rule = r => (length < PartBytes || IsCommitOfParts(r)) && Interlocked.Increment(ref lost) == 1 ? new Fault { LoseAnswer = true } : null;
        byte[] bytes = Noise(length);
        string key = await PutAsync(store, bytes, 1 << 20);
        Assert.True(lost > 1);
        Assert.Equal(bytes, await GetAsync(Store, key));
        Assert.Single(await ListAsync(Store));
    }

    [Fact]
    public async Task A_read_that_breaks_goes_on_where_it_broke()
    {
        byte[] bytes = Noise(3_000_000);
        string key = await PutAsync(Store, bytes);
        await using FaultProxy proxy = await FaultProxy.StartAsync(await ServerAsync());
        await using IBlobStore store = Open(proxy.Address);
        int requests = 0;
        proxy.Rule = _ => Interlocked.Increment(ref requests) <= 3 ? new Fault { CutAfter = 700_000 } : null;
        Assert.Equal(bytes, await GetAsync(store, key));
        Assert.True(requests > 3);
        requests = 0;
        Assert.Equal(bytes[1000..2_900_000], await GetAsync(store, key, 1000, 2_899_000));
    }

    [Theory]
    [InlineData(1000)]
    [InlineData((2 * PartBytes) + 1)]
    public async Task An_outage_in_the_midst_of_a_write_leaves_nothing_and_passes(int length)
    {
        await using FaultProxy proxy = await FaultProxy.StartAsync(await ServerAsync());
        await using IBlobStore store = Open(proxy.Address, retries: 1);
        int requests = 0;
        // The first request of a long blob gets through.
        proxy.Rule = _ => length < PartBytes || Interlocked.Increment(ref requests) > 1 ? new Fault { Refuse = true } : null;
        await Assert.ThrowsAsync<BlobStoreUnavailableException>(() => PutAsync(store, Noise(length), 1 << 20));
        Assert.Empty(await ListAsync(Store));
        proxy.Rule = _ => null;
        string key = await PutAsync(store, Noise(length), 1 << 20);
        Assert.Equal(key, Assert.Single(await ListAsync(Store)).Key);
    }

    [Fact]
    public async Task A_server_that_is_not_there_is_said()
    {
        await using IBlobStore store = Open(new Uri($"http://127.0.0.1:{FreePort.Next()}/"), retries: 0);
        BlobStoreUnavailableException fault = await Assert.ThrowsAsync<BlobStoreUnavailableException>(async () => await store.StatAsync(new string('a', 32), Ct));
        Assert.Contains("cannot be reached", fault.Message, StringComparison.Ordinal);
    }
}
