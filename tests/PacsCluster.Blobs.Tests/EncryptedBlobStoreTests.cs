using PacsCluster.Testing;

namespace PacsCluster.Blobs.Tests;

/// <summary>The suite through encryption, over each kind of store.</summary>
public abstract class EncryptedBlobStoreConformance : BlobStoreConformance
{
    internal static readonly byte[] KeyA = Noise(32, 101), KeyB = Noise(32, 102);

    internal static KeyRing Ring => new([new("a", KeyA)], "a");

    /// <summary>The store under the encryption.</summary>
    protected abstract Task<IBlobStore> OpenInnerAsync();

    protected override async Task<IBlobStore> ReopenAsync() => new EncryptedBlobStore(await OpenInnerAsync(), Ring);

    protected override Task<IBlobStore> OpenEmptyAsync() => ReopenAsync();

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(65_535)]
    [InlineData(65_536)]
    [InlineData(65_537)]
    [InlineData(131_072)]
    [InlineData(200_000)]
    public async Task Every_range_around_chunk_boundaries_is_read(int length)
    {
        byte[] bytes = Noise(length);
        string key = await PutAsync(Store, bytes, 10_000);
        Assert.Equal(length, (await Store.StatAsync(key, Ct))!.Length);
        Assert.Equal(length, Assert.Single(await ListAsync(Store)).Length);
        int[] edges = [0, 1, 65_535, 65_536, 65_537, 131_071, 131_072, 131_073, 199_999, 200_000];
        foreach (int offset in edges)
        {
            foreach (int count in (int[])[-1, 0, 1, 65_535, 65_536, 65_537, 131_072, 300_000])
            {
                int from = Math.Min(offset, length), to = count < 0 ? length : Math.Min(length, offset + count);
                Assert.Equal(bytes[from..Math.Max(from, to)], await GetAsync(Store, key, offset, count));
            }
        }
    }
}

/// <summary>Over files, and what is said when keys or bytes are wrong.</summary>
public sealed class EncryptedFilesTests : EncryptedBlobStoreConformance
{
    private readonly TempFolder _folder = new();

    protected override Task<IBlobStore> OpenInnerAsync() => Task.FromResult<IBlobStore>(Files());

    private FileBlobStore Files() => new(new FileBlobStoreOptions { Folder = _folder.At("blobs") }, TimeProvider.System);

    private string PathOf(string key) => _folder.At("blobs", key[..2], key[2..4], key);

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        _folder.Dispose();
    }

    [Fact]
    public async Task Nothing_of_a_blob_can_be_seen_on_the_medium_and_equal_blobs_differ()
    {
        byte[] bytes = new byte[100_000];
        byte[] one = await File.ReadAllBytesAsync(PathOf(await PutAsync(Store, bytes)), Ct);
        byte[] other = await File.ReadAllBytesAsync(PathOf(await PutAsync(Store, bytes)), Ct);
        Assert.Equal(100 + 100_000 + (2 * 16), one.Length);
        Assert.Equal(-1, one.AsSpan(100).IndexOf(new byte[8]));
        Assert.False(one.AsSpan(100).SequenceEqual(other.AsSpan(100)));
    }

    [Fact]
    public async Task New_blobs_get_the_current_key_and_old_ones_are_read_with_theirs()
    {
        string old = await PutAsync(Store, Noise(70_000));
        await using var rotated = new EncryptedBlobStore(Files(), new KeyRing([new("a", KeyA), new("b", KeyB)], "b"));
        string young = await PutAsync(rotated, Noise(80_000));
        Assert.Equal(Noise(70_000), await GetAsync(rotated, old));
        Assert.Equal(Noise(80_000), await GetAsync(rotated, young));
        BlobKeyException fault = await Assert.ThrowsAsync<BlobKeyException>(() => GetAsync(Store, young));
        Assert.Contains("encrypted with key 'b', which the key ring does not hold", fault.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<BlobKeyException>(() => GetAsync(Store, young, 70_000, 5));
    }

    [Fact]
    public async Task A_wrong_key_under_the_right_id_is_said()
    {
        string key = await PutAsync(Store, Noise(10));
        await using var wrong = new EncryptedBlobStore(Files(), new KeyRing([new("a", KeyB)], "a"));
        Assert.Contains("key 'a' of the key ring does not open", (await Assert.ThrowsAsync<BlobKeyException>(() => GetAsync(wrong, key))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_flipped_bit_anywhere_is_found()
    {
        string key = await PutAsync(Store, Noise(150_000));
        byte[] bytes = await File.ReadAllBytesAsync(PathOf(key), Ct);
        for (int at = 0; at < bytes.Length; at += at < 120 ? 1 : 9973)
        {
            byte[] changed = [.. bytes];
            changed[at] ^= 1;
            await File.WriteAllBytesAsync(PathOf(key), changed, Ct);
            Exception fault = await Assert.ThrowsAnyAsync<BlobStoreUnavailableException>(() => GetAsync(Store, key));
            Assert.True(fault is BlobKeyException or BlobTamperedException, $"{at}: {fault}");
        }
        await File.WriteAllBytesAsync(PathOf(key), bytes, Ct);
        Assert.Equal(Noise(150_000), await GetAsync(Store, key));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(50)]
    [InlineData(100)]
    [InlineData(110)]
    [InlineData(100 + 65_552)]
    [InlineData(100 + 65_552 + 10)]
    [InlineData(100 + 65_552 + 16)]
    [InlineData(100 + (2 * 65_552))]
    [InlineData(160_000)]
    public async Task A_cut_or_extended_blob_is_found(int length)
    {
        string key = await PutAsync(Store, Noise(150_000));
        using (FileStream file = File.OpenWrite(PathOf(key))) file.SetLength(length);
        await Assert.ThrowsAsync<BlobTamperedException>(() => GetAsync(Store, key));
    }

    [Fact]
    public async Task A_cut_empty_blob_is_found()
    {
        string key = await PutAsync(Store, ReadOnlyMemory<byte>.Empty);
        byte[] bytes = await File.ReadAllBytesAsync(PathOf(key), Ct);
        bytes[^1] ^= 1;
        await File.WriteAllBytesAsync(PathOf(key), bytes, Ct);
        await Assert.ThrowsAsync<BlobTamperedException>(() => GetAsync(Store, key));
    }

    [Fact]
    public async Task Chunks_cannot_change_places_and_blobs_cannot_stand_in_for_each_other()
    {
        string key = await PutAsync(Store, Noise(200_000)), other = await PutAsync(Store, Noise(200_000, 2));
        byte[] bytes = await File.ReadAllBytesAsync(PathOf(key), Ct);
        await File.WriteAllBytesAsync(PathOf(key), [.. bytes[..100], .. bytes[65_652..131_204], .. bytes[100..65_652], .. bytes[131_204..]], Ct);
        await Assert.ThrowsAsync<BlobTamperedException>(() => GetAsync(Store, key));
        await File.WriteAllBytesAsync(PathOf(other), bytes, Ct);
        await Assert.ThrowsAsync<BlobKeyException>(() => GetAsync(Store, other));
    }

    [Fact]
    public async Task A_blob_that_was_never_encrypted_is_said()
    {
        await using FileBlobStore files = Files();
        string key = await PutAsync(files, Noise(200_000));
        Assert.Contains("not an encrypted blob", (await Assert.ThrowsAsync<BlobTamperedException>(() => GetAsync(Store, key))).Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<BlobTamperedException>(() => GetAsync(Store, key, 100_000, 10));
    }

    [Fact]
    public void Keys_come_from_files_and_variables_and_wrong_ones_are_said_without_their_bytes()
    {
        string raw = _folder.At("raw"), hex = _folder.At("hex"), bad = _folder.At("bad");
        File.WriteAllBytes(raw, KeyA);
        File.WriteAllText(hex, Convert.ToHexString(KeyB) + "\n");
        File.WriteAllText(bad, "secretbutshort");
        string variable = "PACSCLUSTER_TEST_" + Guid.NewGuid().ToString("n");
        Environment.SetEnvironmentVariable(variable, Convert.ToBase64String(KeyA));
        KeyRing ring = KeyRing.Load([new() { Id = "1", File = raw }, new() { Id = "2", File = hex }, new() { Id = "3", Environment = variable }], "2");
        foreach ((byte[] expected, byte[]? found) in ((byte[], byte[]?)[])[(KeyA, ring.Find("1")), (KeyB, ring.Find("2")), (KeyA, ring.Find("3")), (KeyB, ring.Current)]) Assert.Equal(expected, found);
        Environment.SetEnvironmentVariable(variable, null);

        string Said(string current, params EncryptionKeyOptions[] keys) => Assert.Throws<ArgumentException>(() => KeyRing.Load(keys, current)).Message;
        Assert.Contains("current key '9' is not in the ring", Said("9", new EncryptionKeyOptions { Id = "1", File = raw }), StringComparison.Ordinal);
        Assert.Contains("given twice", Said("1", new() { Id = "1", File = raw }, new() { Id = "1", File = hex }), StringComparison.Ordinal);
        Assert.Contains("cannot be read", Said("1", new EncryptionKeyOptions { Id = "1", File = _folder.At("none") }), StringComparison.Ordinal);
        Assert.Contains("is not set", Said("1", new EncryptionKeyOptions { Id = "1", Environment = variable }), StringComparison.Ordinal);
        Assert.Contains("give either", Said("1", new EncryptionKeyOptions { Id = "1" }), StringComparison.Ordinal);
        Assert.Contains("key id", Said("ä", new EncryptionKeyOptions { Id = "ä", File = raw }), StringComparison.Ordinal);
        string said = Said("1", new EncryptionKeyOptions { Id = "1", File = bad });
        Assert.Contains("does not hold 32 bytes", said, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", said, StringComparison.Ordinal);
    }
}

/// <summary>Over Azure.</summary>
public sealed class EncryptedAzureTests(BlobServers servers) : EncryptedBlobStoreConformance
{
    private string _container = "";

    protected override async Task<IBlobStore> OpenEmptyAsync()
    {
        _container = await servers.CreateContainerAsync();
        return await ReopenAsync();
    }

    protected override async Task<IBlobStore> OpenInnerAsync() => new AzureBlobStore(AzureBlobStoreTests.Options(await servers.AzuriteAsync(), _container));

    [Fact]
    public async Task The_tier_is_that_of_the_store_under_it()
    {
        string key = await PutAsync(Store, Noise(10));
        await Store.SetTierAsync(key, BlobTier.Archive, Ct);
        Assert.Equal(BlobTier.Archive, (await Store.StatAsync(key, Ct))!.Tier);
        await Assert.ThrowsAsync<BlobOfflineException>(() => GetAsync(Store, key));
    }
}

/// <summary>Over S3.</summary>
public sealed class EncryptedS3Tests(BlobServers servers) : EncryptedBlobStoreConformance
{
    private readonly string _prefix = Guid.NewGuid().ToString("n") + "/";

    protected override async Task<IBlobStore> OpenInnerAsync() => new S3BlobStore(S3BlobStoreTests.Options(await servers.S3Async(), _prefix));
}
