using System.Globalization;
using System.Text;
using Azure;
using Azure.Identity;
using Azure.Storage;
using Azure.Storage.Blobs.Models;
using Azure.Storage.Blobs.Specialized;

namespace PacsCluster.Blobs;

public sealed partial class AzureBlobStore
{
    private async Task<T> CallAsync<T>(string what, string? key, Func<Task<Response<T>>> call, CancellationToken ct) => await CallAsync(what, key, async () => (await call()).Value, ct);

    private async Task<T> CallAsync<T>(string what, string? key, Func<Task<T>> call, CancellationToken ct)
    {
        try
        {
            return await call();
        }
        catch (Exception e) when (e is RequestFailedException or AggregateException or AuthenticationFailedException or IOException or OperationCanceledException)
        {
            ct.ThrowIfCancellationRequested();
            throw Fault(what, key, e);
        }
    }

    /// <summary>The store's fault for what the client said.</summary>
    private Exception Fault(string what, string? key, Exception thrown)
    {
        // After the last retry the client throws all that it saw; the last one is why.
        Exception e = thrown is AggregateException all ? all.Flatten().InnerExceptions[^1] : thrown;
        if (e is AuthenticationFailedException) return new BlobStoreUnavailableException(Name, $"{what}: Azure.Identity has no token: {FirstLine(e.Message)}", thrown);
        if (e is not RequestFailedException failed)
        {
            string why = e is OperationCanceledException ? string.Create(CultureInfo.InvariantCulture, $"no answer within {_options.Timeout.TotalSeconds} s") : FirstLine(e.Message);
            return new BlobStoreUnavailableException(Name, $"{what}: {why}", thrown);
        }
        string code = failed.ErrorCode ?? "";
        if (code is "ContainerNotFound" or "ContainerBeingDeleted" or "ContainerDisabled")
            return new BlobStoreUnavailableException(Name, $"{what}: there is no container '{_options.Container}' at {_container.Uri.Host} ({code})", thrown);
        return failed.Status switch
        {
            404 when key is not null => new BlobNotFoundException(Name, key, thrown),
            416 => new PastEndException(),
            401 or 403 => new BlobStoreUnavailableException(Name, $"{what}: {_container.Uri.Host} refuses the credentials ({failed.Status} {code})", thrown),
            409 when key is not null && code is "BlobArchived" or "BlobBeingRehydrated" => new BlobOfflineException(Name, key!, thrown),
            507 => new BlobStoreFullException(Name, thrown),
            0 => new BlobStoreUnavailableException(Name, $"{what}: {_container.Uri.Host} cannot be reached: {FirstLine(failed.Message)}", thrown),
            _ => new BlobStoreUnavailableException(Name, $"{what}: {_container.Uri.Host} answers {failed.Status} {code}", thrown),
        };
    }

    private static string FirstLine(string text) => text.Split('\n', 2)[0].TrimEnd();

    /// <summary>The range begins at or past the end.</summary>
    private sealed class PastEndException : Exception;

    private sealed class Writer(AzureBlobStore store, string key, BlockBlobClient blob) : StagedBlobWriter(key, store._options, store._uploads)
    {
        protected override async Task PutAsync(ReadOnlyMemory<byte> whole, CancellationToken ct)
        {
            var options = new BlobUploadOptions
            {
                // One request up to a part (the library wants it to be less than this): the buffer is at hand, and can be sent again.
                TransferOptions = new StorageTransferOptions { InitialTransferSize = store._options.PartBytes + 1L, MaximumTransferSize = store._options.PartBytes, MaximumConcurrency = 1 },
            };
            await store.CallAsync("a blob cannot be written", null, () => blob.UploadAsync(AsStream(whole), options, ct), ct);
        }

        protected override async Task StageAsync(int part, ReadOnlyMemory<byte> bytes, CancellationToken ct) =>
            await store.CallAsync("a blob cannot be written", null, () => blob.StageBlockAsync(BlockId(part), AsStream(bytes), cancellationToken: ct), ct);

        protected override async Task CommitPartsAsync(CancellationToken ct) =>
            await store.CallAsync("a blob cannot be committed", null, () => blob.CommitBlockListAsync(Enumerable.Range(0, Parts).Select(BlockId), cancellationToken: ct), ct);

        protected override async Task TakeBackAsync(bool mayBeVisible, CancellationToken ct)
        {
            if (mayBeVisible) await store.DeleteAsync(Key, ct);
        }

        // Of one length, as Azure wants them.
        private static string BlockId(int part) => Convert.ToBase64String(Encoding.ASCII.GetBytes(part.ToString("d6", CultureInfo.InvariantCulture)));
    }
}
