using PacsCluster.Testing;

namespace PacsCluster.Blobs.Tests;

/// <summary>One blob in several stores: written into all or none, read where one breaks off from the next.</summary>
public sealed class CopiesTests : IDisposable
{
    private readonly TempFolder _folder = new();

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    private FailingStore Store(string name) => new(new FileBlobStore(new FileBlobStoreOptions { Folder = _folder.At(name), Name = name }, TimeProvider.System));

    private static byte[] Bytes(int length) => [.. Enumerable.Range(0, length).Select(i => (byte)(i * 31 / 7))];

    private static async Task<List<string>> KeysAsync(IBlobStore store)
    {
        var keys = new List<string>();
        await foreach (BlobStat blob in store.ListAsync(null, Ct)) keys.Add(blob.Key);
        return keys;
    }

    private static async Task<BlobCopy[]> WriteAsync(IBlobStore[] stores, byte[] bytes)
    {
        await using CopiesWriter writer = await CopiesWriter.CreateAsync(stores, Ct);
        // As a caller does who has the memory back when a write returns.
        byte[] piece = new byte[70_000];
        for (int at = 0; at < bytes.Length; at += piece.Length)
        {
            int length = Math.Min(piece.Length, bytes.Length - at);
            bytes.AsSpan(at, length).CopyTo(piece);
            await writer.WriteAsync(piece.AsMemory(0, length), Ct);
            Array.Clear(piece);
        }
        writer.BeginCommit();
        await writer.CommitAsync(Ct);
        Assert.Equal(bytes.Length, writer.Length);
        Assert.Equal(writer.Key, writer.Keys.First());
        return [.. writer.Keys.Select((key, i) => new BlobCopy(stores[i], key))];
    }

    private static async Task<(byte[] Bytes, List<string> Failed)> ReadAsync(BlobCopy[] copies, long offset, long length)
    {
        var failed = new List<string>();
        await using Stream stream = await CopiesReader.OpenReadAsync(copies, offset, length, (copy, _) => failed.Add(copy.Store.Name), Ct);
        Assert.Equal(length, stream.Length);
        using var all = new MemoryStream();
        await stream.CopyToAsync(all, 10_000, Ct);
        return (all.ToArray(), failed);
    }

    [Fact]
    public async Task Every_store_has_the_whole_blob_under_a_key_of_its_own()
    {
        IBlobStore[] stores = [Store("a"), Store("b"), Store("c")];
        byte[] bytes = Bytes(1_000_000);
        BlobCopy[] copies = await WriteAsync(stores, bytes);
        Assert.Equal(3, copies.Select(c => c.Key).Distinct().Count());
        foreach (BlobCopy copy in copies) Assert.Equal(bytes, (await ReadAsync([copy], 0, bytes.Length)).Bytes);
        Assert.Equal(bytes[123_456..123_556], (await ReadAsync(copies, 123_456, 100)).Bytes);
    }

    [Theory]
    [InlineData("create")]
    [InlineData("write")]
    [InlineData("commit")]
    public async Task A_store_that_fails_fails_the_blob_and_no_store_keeps_any_of_it(string when)
    {
        FailingStore near = Store("near"), far = Store("far");
        far.Fails = when;
        await Assert.ThrowsAsync<BlobStoreUnavailableException>(() => WriteAsync([near, far], Bytes(300_000)));
        Assert.Empty(await KeysAsync(near));
        Assert.Empty(await KeysAsync(far));
        Assert.Empty(Directory.GetFiles(_folder.At("near", "tmp")));
    }

    [Fact]
    public async Task A_copy_that_breaks_off_is_read_on_from_the_next()
    {
        FailingStore a = Store("a"), b = Store("b"), c = Store("c");
        byte[] bytes = Bytes(500_000);
        BlobCopy[] copies = await WriteAsync([a, b, c], bytes);
        (a.BreakAfter, b.BreakAfter) = (200_000, 50_000);
        (byte[] read, List<string> failed) = await ReadAsync(copies, 10_000, 480_000);
        Assert.Equal(bytes[10_000..490_000], read);
        Assert.Equal(["a", "b"], failed);
    }

    [Fact]
    public async Task A_missing_a_cut_and_a_far_copy_are_passed_over_and_the_last_fault_is_told()
    {
        FailingStore a = Store("a"), b = Store("b"), c = Store("c");
        byte[] bytes = Bytes(100_000);
        BlobCopy[] copies = await WriteAsync([a, b, c], bytes);
        await a.DeleteAsync(copies[0].Key, Ct);
        string path = Directory.EnumerateFiles(_folder.At("b"), copies[1].Key, SearchOption.AllDirectories).Single();
        await File.WriteAllBytesAsync(path, bytes[..^1], Ct);
        (byte[] read, List<string> failed) = await ReadAsync(copies, 0, bytes.Length);
        Assert.Equal(bytes, read);
        Assert.Equal(["a", "b"], failed);

        // What may come back is told before what is gone.
        c.Fails = "read";
        await Assert.ThrowsAsync<BlobStoreUnavailableException>(() => ReadAsync([copies[2], copies[0]], 0, bytes.Length));
        await Assert.ThrowsAsync<BlobStoreUnavailableException>(() => ReadAsync([copies[0], copies[2]], 0, bytes.Length));
        await Assert.ThrowsAsync<BlobNotFoundException>(() => ReadAsync([copies[0], copies[0] with { Store = b }], 0, bytes.Length));
    }

    /// <summary>A store of files that fails where a test says so.</summary>
    private sealed class FailingStore(FileBlobStore inner) : IBlobStore
    {
        /// <summary>create, write, commit or read.</summary>
        public string Fails { get; set; } = "";

        /// <summary>Bytes after which a read breaks off.</summary>
        public long? BreakAfter { get; set; }

        public string Name => inner.Name;

        public async ValueTask<BlobWriter> CreateAsync(CancellationToken ct = default) => Fails == "create" ? throw Fault() : new Writer(this, await inner.CreateAsync(ct));

        public async ValueTask<Stream> OpenReadAsync(string key, long offset = 0, long length = -1, CancellationToken ct = default) => Fails == "read" ? throw Fault()
            : BreakAfter is { } bytes ? new BreakingStream(await inner.OpenReadAsync(key, offset, length, ct), bytes, Fault()) : await inner.OpenReadAsync(key, offset, length, ct);

        public ValueTask DeleteAsync(string key, CancellationToken ct = default) => inner.DeleteAsync(key, ct);
        public ValueTask<BlobStat?> StatAsync(string key, CancellationToken ct = default) => inner.StatAsync(key, ct);
        public IAsyncEnumerable<BlobStat> ListAsync(string? afterKey = null, CancellationToken ct = default) => inner.ListAsync(afterKey, ct);
        public ValueTask DisposeAsync() => inner.DisposeAsync();

        private BlobStoreUnavailableException Fault() => new(Name, "cannot be reached");

        private sealed class Writer(FailingStore store, BlobWriter inner) : BlobWriter(inner.Key)
        {
            public override ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken ct = default) => store.Fails == "write" ? throw store.Fault() : inner.WriteAsync(bytes, ct);
            public override ValueTask CommitAsync(CancellationToken ct = default) => store.Fails == "commit" ? throw store.Fault() : inner.CommitAsync(ct);
            public override ValueTask DisposeAsync() => inner.DisposeAsync();
        }

        private sealed class BreakingStream(Stream inner, long bytes, Exception fault) : BlobRangeStream
        {
            public override long Length => inner.Length;

            public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
            {
                if (Given >= bytes) throw fault;
                int read = await inner.ReadAsync(buffer, cancellationToken);
                Given += read;
                return read;
            }

            public override async ValueTask DisposeAsync()
            {
                await inner.DisposeAsync();
                await base.DisposeAsync();
            }
        }
    }
}
