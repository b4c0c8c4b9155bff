using System.Buffers;
using System.Security.Cryptography;
using PacsCluster.Blobs;
using PacsCluster.Catalog;

namespace PacsCluster.Engine;

/// <summary>Finds out whether two blobs hold the same data set. The digest of a whole blob also covers its File Meta Information, which names the
/// sender: equal SHA-256 settle it, different lengths of the data sets settle it, and only the rest is read. What was compressed since it came is known by the digest of what came. Belongs to one batch.</summary>
internal sealed class ContentCompare(BlobStores stores)
{
    private const int BufferBytes = 256 * 1024;

    private readonly Dictionary<BlobPlace, byte[]?> _digests = [];

    /// <summary>Reads what <see cref="IsSame"/> will need for one SOP Instance UID: all instances known and all candidates of the batch with it.</summary>
    public async Task PrepareAsync(IReadOnlyList<StoredInstance> known, IReadOnlyList<Candidate> candidates, CancellationToken cancellationToken)
    {
        foreach (Candidate candidate in candidates)
        {
            foreach (StoredInstance one in known) await PrepareAsync(Content.Of(one), Content.Of(candidate), cancellationToken);
            foreach (Candidate other in candidates)
            {
                if (!ReferenceEquals(other, candidate)) await PrepareAsync(Content.Of(other), Content.Of(candidate), cancellationToken);
            }
        }
    }

    /// <summary>Whether their data sets have the same bytes, or had when they were received, by what was prepared. A blob that cannot be read is not the same as anything:
    /// then the newcomer is kept.</summary>
    public bool IsSame(StoredInstance known, Candidate candidate)
    {
        (Content left, Content right) = (Content.Of(known), Content.Of(candidate));
        if (left.Length == right.Length && SameBlobs(left.BlobDigest, right.BlobDigest)) return true;
        if (left.Length == right.Length && _digests.GetValueOrDefault(left.Place) is { } digest && IsDigest(right, digest)) return true;
        return IsMadeOf(left, right) || IsMadeOf(right, left) || (left.Original is { } one && right.Original is { } other && one.Length == other.Length && SameBlobs(one.Sha256, other.Sha256));
    }

    private async Task PrepareAsync(Content left, Content right, CancellationToken cancellationToken)
    {
        bool isOpen = left.Length == right.Length && !SameBlobs(left.BlobDigest, right.BlobDigest);
        if (isOpen || right.Original?.Length == left.Length) await DigestAsync(left.Place, left.More, left.Offset, left.Length, cancellationToken);
        if (isOpen || left.Original?.Length == right.Length) await DigestAsync(right.Place, right.More, right.Offset, right.Length, cancellationToken);
    }

    /// <summary>What lies compressed was made of the very bytes that lie (or come) there.</summary>
    private bool IsMadeOf(Content made, Content of) => made.Original is { } original && original.Length == of.Length && IsDigest(of, original.Sha256);

    private bool IsDigest(Content content, ReadOnlyMemory<byte> sha256) => _digests.GetValueOrDefault(content.Place) is { } digest && digest.AsSpan().SequenceEqual(sha256.Span);

    /// <summary>A data set: where its bytes lie, and what they were made of when they were not received like that.</summary>
    private readonly record struct Content(BlobPlace Place, IReadOnlyList<BlobPlace> More, long Offset, long Length, ReadOnlyMemory<byte> BlobDigest, OriginalContent? Original)
    {
        public static Content Of(StoredInstance one) => new(
            one.Location.Place, one.Location.MoreCopies, one.Instance.Offset + one.Instance.DataSetOffset, one.Instance.Length - one.Instance.DataSetOffset, one.Blob.Digest, one.Blob.Original);

        public static Content Of(Candidate one) => new(one.Place, one.MoreCopies, one.DataSetOffset, one.Length - one.DataSetOffset, one.Digest, one.ReleasedFrom?.Blob.Original);
    }

    // A checksum of 32 bits notices accidents; that two blobs are the same it cannot say.
    private static bool SameBlobs(ReadOnlyMemory<byte> left, ReadOnlyMemory<byte> right) => left.Length == SHA256.HashSizeInBytes && left.Span.SequenceEqual(right.Span);

    private async Task DigestAsync(BlobPlace place, IReadOnlyList<BlobPlace> more, long offset, long length, CancellationToken cancellationToken)
    {
        if (_digests.ContainsKey(place)) return;
        byte[] buffer = ArrayPool<byte>.Shared.Rent(BufferBytes);
        try
        {
            using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            await using Stream stream = await stores.OpenReadAsync(place, more, offset, length, cancellationToken);
            for (int read; (read = await stream.ReadAsync(buffer, cancellationToken)) > 0;) hash.AppendData(buffer.AsSpan(0, read));
            _digests[place] = hash.GetHashAndReset();
        }
        catch (Exception fault) when (fault is BlobNotFoundException or BlobStoreUnavailableException)
        {
            _digests[place] = null;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}
