using PacsCluster.Blobs;
using PacsCluster.Catalog;
using PacsCluster.Testing;

namespace PacsCluster.Engine.Tests;

/// <summary>Which blobs of a last commit count after a crash.</summary>
public sealed class LastCommitTests : IAsyncLifetime
{
    private readonly TempFolder _folder = new();
    private FileBlobStore _store = null!;

    public ValueTask InitializeAsync()
    {
        _store = new FileBlobStore(new FileBlobStoreOptions { Folder = _folder.At("blobs") }, TimeProvider.System);
        return default;
    }

    public async ValueTask DisposeAsync()
    {
        await _store.DisposeAsync();
        _folder.Dispose();
    }

    [Theory]
    [InlineData(false, 40_000)]
    [InlineData(true, 40_000)]
    [InlineData(false, 3_000_000)]
    public async Task Whole_blobs_count(bool sha256, int length)
    {
        UnflushedBlob first = await StoreAsync(sha256, length), second = await StoreAsync(sha256, length);
        Assert.True(await LastCommit.MakeDurableAsync([_store], [first, second]));
    }

    [Fact]
    public async Task A_blob_that_is_missing_cut_or_torn_does_not_count()
    {
        UnflushedBlob whole = await StoreAsync(false, 40_000), deleted = await StoreAsync(false, 40_000), torn = await StoreAsync(false, 40_000);
        await _store.DeleteAsync(deleted.Place.Key);
        string pack = Assert.Single(Directory.EnumerateFiles(_folder.At("blobs/packs"), "*", SearchOption.AllDirectories));
        // Three blobs of ten blocks each; the last one's middle never came to the disk.
        using (FileStream file = new(pack, FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
        {
            file.Position = 25 * 4096;
            file.Write(new byte[4096]);
        }
        foreach (UnflushedBlob bad in (UnflushedBlob[])[deleted, torn, whole with { Length = 39_999 }, whole with { Place = new BlobPlace("files", "pffffffffffffffffffffffff0000000") }])
        {
            Assert.False(await LastCommit.MakeDurableAsync([_store], [whole, bad]));
        }
        Assert.True(await LastCommit.MakeDurableAsync([_store], [whole]));
    }

    [Fact]
    public async Task What_cannot_be_looked_at_costs_no_row()
    {
        UnflushedBlob whole = await StoreAsync(false, 40_000);
        Assert.True(await LastCommit.MakeDurableAsync([_store], [whole, whole with { Place = new BlobPlace("elsewhere", "k") }]));
    }

    private async Task<UnflushedBlob> StoreAsync(bool sha256, int length)
    {
        byte[] bytes = new byte[length];
        new Random(length).NextBytes(bytes);
        using var digest = new BlobDigest(sha256);
        digest.Append(bytes);
        await using BlobWriter writer = await _store.CreateWholeAsync(bytes);
        await writer.CommitAsync();
        return new UnflushedBlob(new BlobPlace(_store.Name, writer.Key), length, digest.End());
    }
}
