using System.Buffers;
using System.Security.Cryptography;

namespace PacsCluster.Blobs;

/// <summary>
/// A place that keeps blobs: runs of bytes that are written once, whole, and never changed. What every store promises:
/// <list type="bullet">
/// <item><b>Durable on return.</b> When <see cref="BlobWriter.CommitAsync"/> returns, the blob survives the death of the process and of the
/// machine's power. Before the call nobody sees it: not by key, not in a listing; during the call it may already be listed, and one whose length was said at its beginning
/// (<see cref="TryCreateSized"/>, <see cref="CreateWholeAsync"/>) from its beginning on.</item>
/// <item><b>Random keys.</b> The store makes the key: 32 lower-case letters and digits, at least 92 bits of them random. Two writers never meet,
/// on any number of nodes, and a key says nothing about its content.</item>
/// <item><b>Nothing half written.</b> A write that fails, is cancelled or abandoned leaves nothing that can be read or listed; what it leaves on
/// the medium (a crash leaves temporary files) is swept by the store itself. Only a crash can leave a blob that nobody was told of, whole or
/// not, where it may be listed already: an orphan like any other, which the catalog does not know and a sweep deletes by age, an hour or more.</item>
/// <item><b>Deleting is idempotent.</b> A reader that has a blob open reads on to its end where the medium allows it, else gets
/// <see cref="BlobNotFoundException"/>.</item>
/// <item><b>Faults by what the caller can do:</b> <see cref="BlobNotFoundException"/> (another copy, or an alarm),
/// <see cref="BlobStoreFullException"/> (refuse for now: out of resources), <see cref="BlobStoreUnavailableException"/> (try again later).</item>
/// </list>
/// All members may be called from any number of threads at once; one <see cref="BlobWriter"/> or Stream belongs to one caller.
/// </summary>
public interface IBlobStore : IAsyncDisposable
{
    /// <summary>The name under which the catalog knows this store, e.g. <c>files</c>. Never changes once blobs are stored.</summary>
    string Name { get; }

    /// <summary>Starts a blob under a new random key. Nothing is visible or durable until its <see cref="BlobWriter.CommitAsync"/>.</summary>
    /// <exception cref="BlobStoreFullException">No room.</exception>
    /// <exception cref="BlobStoreUnavailableException">The medium cannot be reached or refuses for now.</exception>
    ValueTask<BlobWriter> CreateAsync(CancellationToken ct = default);

    /// <summary>Starts a blob of which all bytes are at hand: it can only be committed or given up. A store may keep it more cheaply than one whose end it
    /// does not know.</summary>
    /// <param name="bytes">All of it; the caller's again when the call completes.</param>
    /// <param name="ct">Gives up.</param>
    /// <exception cref="BlobStoreFullException">No room.</exception>
    /// <exception cref="BlobStoreUnavailableException">The medium cannot be reached or refuses for now.</exception>
    ValueTask<BlobWriter> CreateWholeAsync(ReadOnlyMemory<byte> bytes, CancellationToken ct = default) => CreateAndWriteAsync(this, bytes, ct);

    /// <summary>Starts a blob of which the length is known, so that a store can write it where <see cref="CreateWholeAsync"/> would and begin before all of it is there.</summary>
    /// <param name="length">Bytes that will be written, no more and no less.</param>
    /// <param name="from">Memory of <see cref="TryRentBuffer"/> in which the blob is gathered, and which it takes over: bytes are still written, and not copied when they lie where they belong.
    /// Null when the bytes come from elsewhere.</param>
    /// <returns>Null where a store, or this store at such a length, had better be given all bytes at once or be told nothing.</returns>
    /// <exception cref="BlobStoreFullException">No room.</exception>
    /// <exception cref="BlobStoreUnavailableException">The medium cannot be reached or refuses for now.</exception>
    BlobWriter? TryCreateSized(long length, BlobBuffer? from = null) => null;

    /// <summary>Memory in which a blob of so many bytes can be gathered, for <see cref="TryCreateSized"/>.</summary>
    /// <returns>Null where a store has no use for that.</returns>
    BlobBuffer? TryRentBuffer(int length) => null;

    /// <summary>What a store does that has no cheaper way.</summary>
    internal static async ValueTask<BlobWriter> CreateAndWriteAsync(IBlobStore store, ReadOnlyMemory<byte> bytes, CancellationToken ct)
    {
        BlobWriter writer = await store.CreateAsync(ct);
        try
        {
            await writer.WriteAsync(bytes, ct);
            writer.BeginCommit();
            return writer;
        }
        catch
        {
            await writer.DisposeAsync();
            throw;
        }
    }

    /// <summary>Reads a range of a blob, from the medium, as the caller pulls. The stream knows its Length and is forward only.</summary>
    /// <param name="key">Key.</param>
    /// <param name="offset">First byte, from 0. At or past the end of the blob the stream is empty.</param>
    /// <param name="length">Bytes; -1 for all to the end. A range that passes the end is cut there.</param>
    /// <param name="ct">Cancels the opening only; reads take their own token.</param>
    /// <exception cref="BlobNotFoundException">No such blob.</exception>
    /// <exception cref="BlobStoreUnavailableException">The medium cannot be reached or refuses for now.</exception>
    ValueTask<Stream> OpenReadAsync(string key, long offset = 0, long length = -1, CancellationToken ct = default);

    /// <summary>Deletes a blob; no error when there is none.</summary>
    /// <exception cref="BlobStoreUnavailableException">The medium cannot be reached or refuses for now.</exception>
    ValueTask DeleteAsync(string key, CancellationToken ct = default);

    /// <summary>Makes a blob durable whose writer died before its commit had ended, and that was found to be whole. Nothing to do where what can be read is durable.</summary>
    /// <exception cref="BlobNotFoundException">No such blob.</exception>
    /// <exception cref="BlobStoreUnavailableException">The medium cannot be reached or refuses for now.</exception>
    ValueTask FlushAsync(string key) => ValueTask.CompletedTask;

    /// <summary>Length and time of a blob; null when there is none.</summary>
    /// <exception cref="BlobStoreUnavailableException">The medium cannot be reached or refuses for now.</exception>
    ValueTask<BlobStat?> StatAsync(string key, CancellationToken ct = default);

    /// <summary>The tiers that this store has; <see cref="BlobTier.Hot"/> alone where it has no choice.</summary>
    IReadOnlyCollection<BlobTier> Tiers => [BlobTier.Hot];

    /// <summary>Moves a blob to another tier. From <see cref="BlobTier.Archive"/> it comes back in hours: until then <see cref="StatAsync"/> says Archive
    /// and reading throws <see cref="BlobOfflineException"/>.</summary>
    /// <exception cref="ArgumentException">The store has no such tier.</exception>
    /// <exception cref="BlobNotFoundException">No such blob.</exception>
    /// <exception cref="BlobStoreUnavailableException">The medium cannot be reached or refuses for now.</exception>
    async ValueTask SetTierAsync(string key, BlobTier tier, CancellationToken ct = default)
    {
        if (tier != BlobTier.Hot) throw new ArgumentException($"store '{Name}' has no tier {tier}", nameof(tier));
        if (await StatAsync(key, ct) is null) throw new BlobNotFoundException(Name, key);
    }

    /// <summary>All blobs in ordinal order of their keys, for sweeps: what was there when the listing started is listed, what comes or goes
    /// meanwhile may or may not be. Memory is bounded whatever the number of blobs.</summary>
    /// <param name="afterKey">Continue behind this key; null from the start.</param>
    /// <param name="ct">Stops the listing.</param>
    IAsyncEnumerable<BlobStat> ListAsync(string? afterKey = null, CancellationToken ct = default);
}

/// <summary>A blob being written by one caller. Disposed without commit, it leaves nothing behind.</summary>
public abstract class BlobWriter : IAsyncDisposable
{
    /// <summary>Made by stores.</summary>
    protected BlobWriter(string key) => Key = key;

    /// <summary>The key that the blob has once committed.</summary>
    public string Key { get; }

    /// <summary>Bytes taken so far.</summary>
    public long Length { get; protected set; }

    /// <summary>Appends. The memory is the caller's again when the call completes.</summary>
    /// <exception cref="BlobStoreFullException">No room; nothing of the blob will remain.</exception>
    /// <exception cref="BlobStoreUnavailableException">The medium cannot be reached or refuses for now.</exception>
    public abstract ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken ct = default);

    /// <summary>Nothing more will be written: the store may begin with what <see cref="CommitAsync"/> will wait for, while the caller does something
    /// else.</summary>
    /// <exception cref="BlobStoreFullException">No room; nothing of the blob will remain.</exception>
    /// <exception cref="BlobStoreUnavailableException">The medium cannot be reached or refuses for now.</exception>
    public virtual void BeginCommit()
    {
    }

    /// <summary>All bytes are on their way to a local disk, and <see cref="CommitAsync"/> would only wait for it: a caller with several such commits does best to call
    /// <see cref="EndWrites"/> of each and then commit each, and all but the first find the disk flushed.</summary>
    public virtual bool IsFlushLeft => false;

    /// <summary>Where <see cref="IsFlushLeft"/>, and on a thread that may wait, waits until all is written, which is not durable yet. What goes wrong the commit says.</summary>
    public virtual void EndWrites()
    {
    }

    /// <summary>The same, and begins what the commit will wait for: for the last one of several.</summary>
    public virtual void BeginFlush()
    {
    }

    /// <summary>Makes the blob durable and visible; on return it is both. Once only, nothing can be written after.</summary>
    /// <exception cref="BlobStoreFullException">No room; nothing of the blob remains.</exception>
    /// <exception cref="BlobStoreUnavailableException">The medium cannot be reached or refuses for now.</exception>
    public abstract ValueTask CommitAsync(CancellationToken ct = default);

    /// <summary>Gives everything up that was not committed.</summary>
    public abstract ValueTask DisposeAsync();
}

/// <summary>What a store says of a blob without reading it.</summary>
/// <param name="Key">Key.</param>
/// <param name="Length">Bytes.</param>
/// <param name="LastModified">When it was committed, or a few minutes before, by the medium's clock.</param>
/// <param name="Tier">Where it lies.</param>
public sealed record BlobStat(string Key, long Length, DateTimeOffset LastModified, BlobTier Tier = BlobTier.Hot);

/// <summary>How soon a blob can be read, against what keeping it costs.</summary>
public enum BlobTier
{
    /// <summary>At once.</summary>
    Hot,

    /// <summary>At once; cheaper to keep, dearer to read.</summary>
    Cool,

    /// <summary>Only hours after it was asked back.</summary>
    Archive,
}

/// <summary>The keys of blobs.</summary>
internal static class BlobKey
{
    private static readonly SearchValues<char> s_digits = SearchValues.Create("0123456789abcdef");

    /// <summary>A new one, all of it random.</summary>
    public static string New() => RandomNumberGenerator.GetHexString(32, lowercase: true);

    /// <summary>Whether a text can be a key: anything else names no blob.</summary>
    public static bool IsValid(ReadOnlySpan<char> text) => text.Length == 32 && AreDigits(text);

    /// <summary>Whether a text is hexadecimal digits in lower case.</summary>
    public static bool AreDigits(ReadOnlySpan<char> text) => !text.ContainsAnyExcept(s_digits);
}
