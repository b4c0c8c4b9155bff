using System.Buffers;
using PacsCluster.Blobs;
using PacsCluster.Catalog;

namespace PacsCluster.Engine;

/// <summary>Copies blobs from store to store.</summary>
internal static class BlobTransfer
{
    private const int BufferBytes = 1024 * 1024;

    /// <summary>Copies a blob, with its digest recomputed on the way: bytes that are not those of the row never get into another store.</summary>
    /// <returns>The key of the durable copy; or null, and why the source did not have the blob's bytes.</returns>
    /// <exception cref="BlobStoreFullException">The target has no room.</exception>
    /// <exception cref="BlobStoreUnavailableException">The target cannot be written now.</exception>
    public static async Task<(string? Key, Exception? Fault)> CopyAsync(BlobCopy source, IBlobStore target, BlobRow blob, CancellationToken ct)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(BufferBytes);
        Stream? stream = null;
        try
        {
            try
            {
                stream = await source.Store.OpenReadAsync(source.Key, 0, -1, ct);
            }
            catch (Exception fault) when (IsOfSource(fault))
            {
                return (null, fault);
            }
            if (stream.Length != blob.Length) return (null, new InvalidDataException($"blob {source.Key} of store '{source.Store.Name}' has {stream.Length} bytes, not {blob.Length}"));
            using BlobDigest digest = BlobDigest.Like(blob.Digest.Span);
            BlobWriter? writer = null;
            try
            {
                while (true)
                {
                    int read;
                    try
                    {
                        read = await stream.ReadAtLeastAsync(buffer, buffer.Length, throwOnEndOfStream: false, ct);
                    }
                    catch (Exception fault) when (IsOfSource(fault))
                    {
                        return (null, fault);
                    }
                    digest.Append(buffer.AsSpan(0, read));
                    // All of it at once, as a store keeps a small blob best.
                    if (writer is null && read < buffer.Length) writer = await target.CreateWholeAsync(buffer.AsMemory(0, read), ct);
                    else if (read > 0) await (writer ??= await target.CreateAsync(ct)).WriteAsync(buffer.AsMemory(0, read), ct);
                    if (read < buffer.Length) break;
                }
                writer!.BeginCommit();
                if (!digest.End().AsSpan().SequenceEqual(blob.Digest.Span)) return (null, new InvalidDataException($"blob {source.Key} of store '{source.Store.Name}' has not the digest that was stored"));
                await writer.CommitAsync(ct);
                return (writer.Key, null);
            }
            finally
            {
                if (writer is not null) await writer.DisposeAsync();
            }
        }
        finally
        {
            if (stream is not null) await stream.DisposeAsync();
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static bool IsOfSource(Exception fault) => fault is BlobNotFoundException or BlobStoreUnavailableException or IOException;
}
