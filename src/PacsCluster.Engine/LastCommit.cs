using System.Buffers;
using PacsCluster.Blobs;
using PacsCluster.Catalog;

namespace PacsCluster.Engine;

/// <summary>What <see cref="SqliteCatalogOptions.MakeDurableAsync"/> asks after a crash.</summary>
public static class LastCommit
{
    /// <summary>Whether the blobs of a commit are whole, and makes them durable. Only what is seen to be missing or torn says no: a sender may have been told, and where a blob cannot be read,
    /// or its store is not here, that must not cost the row. <see cref="Verify"/> tells of it then.</summary>
    /// <param name="stores">The stores of this node.</param>
    /// <param name="blobs">The blobs.</param>
    public static async Task<bool> MakeDurableAsync(IReadOnlyList<IBlobStore> stores, IReadOnlyList<UnflushedBlob> blobs)
    {
        foreach (UnflushedBlob blob in blobs)
        {
            if (stores.FirstOrDefault(store => store.Name == blob.Place.Store) is not { } store) continue;
            try
            {
                if (!await IsWholeAsync(store, blob)) return false;
                await store.FlushAsync(blob.Place.Key);
            }
            catch (BlobNotFoundException)
            {
                return false;
            }
            catch (Exception e) when (e is BlobStoreUnavailableException or IOException)
            {
                // What lies there is not known.
            }
        }
        return true;
    }

    private static async Task<bool> IsWholeAsync(IBlobStore store, UnflushedBlob blob)
    {
        await using Stream stream = await store.OpenReadAsync(blob.Place.Key);
        if (stream.Length != blob.Length) return false;
        using BlobDigest digest = BlobDigest.Like(blob.Digest.Span);
        byte[] buffer = ArrayPool<byte>.Shared.Rent(256 * 1024);
        try
        {
            while (await stream.ReadAsync(buffer) is > 0 and int read) digest.Append(buffer.AsSpan(0, read));
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
        return digest.End().AsSpan().SequenceEqual(blob.Digest.Span);
    }
}
