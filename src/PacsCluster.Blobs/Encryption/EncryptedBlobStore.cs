using System.Runtime.CompilerServices;
using System.Security.Cryptography;

namespace PacsCluster.Blobs;

/// <summary>Blobs that lie encrypted in another store, see <see cref="Envelope"/>: what leaves this process can be neither read nor changed unseen without a key
/// of the ring. Every blob of the store must have come through here; lengths and ranges are those of the bytes that were written.</summary>
public sealed class EncryptedBlobStore : IBlobStore
{
    private readonly IBlobStore _inner;
    private readonly KeyRing _ring;

    /// <summary>Wraps a store, which is disposed with this.</summary>
    public EncryptedBlobStore(IBlobStore inner, KeyRing ring) => (_inner, _ring) = (inner, ring);

    /// <inheritdoc/>
    public string Name => _inner.Name;

    /// <inheritdoc/>
    public IReadOnlyCollection<BlobTier> Tiers => _inner.Tiers;

    /// <inheritdoc/>
    public async ValueTask<BlobWriter> CreateAsync(CancellationToken ct = default) => new EncryptedBlobWriter(await _inner.CreateAsync(ct), _ring);

    /// <inheritdoc/>
    /// <exception cref="BlobKeyException">The key ring lacks the blob's key, or has another one under its id; also from reads.</exception>
    /// <exception cref="BlobTamperedException">The blob is not what was written; also from reads.</exception>
    public async ValueTask<Stream> OpenReadAsync(string key, long offset = 0, long length = -1, CancellationToken ct = default)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        if (length == 0 || offset >= long.MaxValue / 2)
        {
            if (await _inner.StatAsync(key, ct) is null) throw new BlobNotFoundException(Name, key);
            return new MemoryStream([], writable: false);
        }
        // Whole chunks, and one byte more: whether it comes says whether the last of them is the blob's last.
        long first = offset / Envelope.ChunkBytes;
        long start = Envelope.HeaderBytes + (first * Envelope.SealedChunkBytes);
        long sealedLength = length < 0 || length > long.MaxValue / 2 ? -1 : ((((offset + length - 1) / Envelope.ChunkBytes) - first + 1) * Envelope.SealedChunkBytes) + 1;
        if (first == 0)
        {
            Stream all = await _inner.OpenReadAsync(key, 0, sealedLength < 0 ? -1 : sealedLength + Envelope.HeaderBytes, ct);
            return await OpenAsync(all, all, all.Length - Envelope.HeaderBytes);
        }
        // Header and chunks side by side: one round trip where the store is far.
        Task<Stream> chunksTask = _inner.OpenReadAsync(key, start, sealedLength, ct).AsTask();
        await using Stream header = await OrDisposeAsync(_inner.OpenReadAsync(key, 0, Envelope.HeaderBytes, ct).AsTask(), chunksTask);
        Stream chunks = await chunksTask;
        return await OpenAsync(header, chunks, chunks.Length);

        async Task<Stream> OpenAsync(Stream headerFrom, Stream chunksFrom, long available)
        {
            AesGcm? cipher = null;
            try
            {
                var bytes = new byte[Envelope.HeaderBytes];
                int read = await headerFrom.ReadAtLeastAsync(bytes, bytes.Length, throwOnEndOfStream: false, ct);
                cipher = Envelope.Open(bytes.AsSpan(0, read), Name, key, _ring);
                bool reachesEnd = sealedLength < 0 || available < sealedLength;
                return new UnsealingStream(chunksFrom, cipher, Name, key, first, reachesEnd ? available : available - 1, reachesEnd, (int)(offset % Envelope.ChunkBytes), length);
            }
            catch
            {
                cipher?.Dispose();
                await chunksFrom.DisposeAsync();
                throw;
            }
        }
    }

    /// <inheritdoc/>
    public ValueTask DeleteAsync(string key, CancellationToken ct = default) => _inner.DeleteAsync(key, ct);

    /// <inheritdoc/>
    public async ValueTask<BlobStat?> StatAsync(string key, CancellationToken ct = default) => await _inner.StatAsync(key, ct) is { } stat ? Plain(stat) : null;

    /// <inheritdoc/>
    public ValueTask SetTierAsync(string key, BlobTier tier, CancellationToken ct = default) => _inner.SetTierAsync(key, tier, ct);

    /// <inheritdoc/>
    public async IAsyncEnumerable<BlobStat> ListAsync(string? afterKey = null, [EnumeratorCancellation] CancellationToken ct = default)
    {
        await foreach (BlobStat stat in _inner.ListAsync(afterKey, ct)) yield return Plain(stat);
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _inner.DisposeAsync();

    // A length that no encrypted blob has is told as it is: it is wrong whatever was expected.
    private static BlobStat Plain(BlobStat stat) => Envelope.PlainLength(stat.Length) is var length and >= 0 ? stat with { Length = length } : stat;

    private static async Task<Stream> OrDisposeAsync(Task<Stream> task, Task<Stream> other)
    {
        try
        {
            return await task;
        }
        catch
        {
            _ = other.ContinueWith(static t => t.Status == TaskStatus.RanToCompletion ? t.Result.DisposeAsync().AsTask() : Task.FromResult(t.Exception), TaskScheduler.Default);
            throw;
        }
    }
}
