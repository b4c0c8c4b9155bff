using System.Buffers;
using System.Security.Cryptography;
using PacsCluster.Blobs;
using PacsCluster.Catalog;

namespace PacsCluster.Engine;

/// <summary>Finds out whether two blobs hold the same data set. The digest of a whole blob also covers its File Meta Information, which names the
/// sender: equal SHA-256 settle it, different lengths of the data sets settle it, and only the rest is read. Belongs to one batch.</summary>
internal sealed class ContentCompare(BlobStores stores)
{
    private const int BufferBytes = 256 * 1024;

    private readonly Dictionary<BlobPlace, byte[]?> _digests = [];

    /// <summary>Reads what <see cref="IsSame"/> will need for one SOP Instance UID: all instances known and all candidates of the batch with it.</summary>
    public async Task PrepareAsync(IReadOnlyList<StoredInstance> known, IReadOnlyList<Candidate> candidates, CancellationToken cancellationToken)
    {
        foreach (Candidate candidate in candidates)
        {
            long length = candidate.Length - candidate.DataSetOffset;
            foreach (StoredInstance one in known)
            {
                if (one.Instance.Length - one.Instance.DataSetOffset != length || SameBlobs(one.Blob.Digest, candidate.Digest)) continue;
                await DigestAsync(one.Location.Place, one.Location.MoreCopies, one.Instance.Offset + one.Instance.DataSetOffset, length, cancellationToken);
                await DigestAsync(candidate.Place, candidate.MoreCopies, candidate.DataSetOffset, length, cancellationToken);
            }
            foreach (Candidate other in candidates)
            {
                if (ReferenceEquals(other, candidate) || other.Length - other.DataSetOffset != length || SameBlobs(other.Digest, candidate.Digest)) continue;
                await DigestAsync(other.Place, other.MoreCopies, other.DataSetOffset, length, cancellationToken);
                await DigestAsync(candidate.Place, candidate.MoreCopies, candidate.DataSetOffset, length, cancellationToken);
            }
        }
    }

    /// <summary>Whether their data sets have the same bytes, by what was prepared. A blob that cannot be read is not the same as anything:
    /// then the newcomer is kept.</summary>
    public bool IsSame(StoredInstance known, Candidate candidate)
    {
        if (known.Instance.Length - known.Instance.DataSetOffset != candidate.Length - candidate.DataSetOffset) return false;
        if (SameBlobs(known.Blob.Digest, candidate.Digest)) return true;
        return _digests.GetValueOrDefault(known.Location.Place) is { } left && _digests.GetValueOrDefault(candidate.Place) is { } right
            && left.AsSpan().SequenceEqual(right);
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
