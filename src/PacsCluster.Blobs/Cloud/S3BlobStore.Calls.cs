using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using Amazon.Runtime;
using Amazon.S3.Model;

namespace PacsCluster.Blobs;

public sealed partial class S3BlobStore
{
    private async Task<T> CallAsync<T>(string what, string? key, Func<Task<T>> call, CancellationToken ct)
    {
        try
        {
            return await call();
        }
        catch (Exception e) when (e is AmazonClientException or AmazonServiceException or HttpRequestException or IOException or TimeoutException or OperationCanceledException)
        {
            ct.ThrowIfCancellationRequested();
            throw Fault(what, key, e);
        }
    }

    /// <summary>The store's fault for what the client said.</summary>
    private Exception Fault(string what, string? key, Exception e)
    {
        string host = string.IsNullOrEmpty(_options.Endpoint) ? "AWS" : new Uri(_options.Endpoint).Authority;
        if (e is not AmazonServiceException { StatusCode: not 0 } failed)
        {
            string why = e is OperationCanceledException or TimeoutException || e.InnerException is OperationCanceledException or TimeoutException
                ? string.Create(CultureInfo.InvariantCulture, $"no answer within {_options.Timeout.TotalSeconds} s")
                : $"cannot be reached: {e.Message}";
            return new BlobStoreUnavailableException(Name, $"{what}: {host}: {why}", e);
        }
        string code = failed.ErrorCode ?? "";
        if (code == "NoSuchBucket") return new BlobStoreUnavailableException(Name, $"{what}: there is no bucket '{_options.Bucket}' at {host} ({code})", e);
        if (code is "QuotaExceeded" or "XMinioStorageFull" or "XMinioAdminBucketQuotaExceeded") return new BlobStoreFullException(Name, e);
        return failed.StatusCode switch
        {
            HttpStatusCode.NotFound when key is not null => new BlobNotFoundException(Name, key, e),
            HttpStatusCode.RequestedRangeNotSatisfiable => new PastEndException(),
            HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden => code == "InvalidObjectState" && key is not null
                ? new BlobOfflineException(Name, key, e)
                : new BlobStoreUnavailableException(Name, $"{what}: {host} refuses the credentials ({(int)failed.StatusCode} {code})", e),
            HttpStatusCode.InsufficientStorage => new BlobStoreFullException(Name, e),
            _ => new BlobStoreUnavailableException(Name, $"{what}: {host} answers {(int)failed.StatusCode} {code}", e),
        };
    }

    /// <summary>The range begins at or past the end.</summary>
    private sealed class PastEndException : Exception;

    private sealed class Writer(S3BlobStore store, string key) : StagedBlobWriter(key, store._options, store._uploads)
    {
        private readonly ConcurrentDictionary<int, string> _etags = new();
        private readonly Lock _startLock = new();
        private Task<string>? _upload;

        private string ObjectName => store.NameOf(Key);

        protected override async Task PutAsync(ReadOnlyMemory<byte> whole, CancellationToken ct)
        {
            var request = new PutObjectRequest { BucketName = store._options.Bucket, Key = ObjectName, InputStream = AsStream(whole), UseChunkEncoding = false };
            await store.CallAsync("a blob cannot be written", null, () => store._client.PutObjectAsync(request, ct), ct);
        }

        protected override async Task StageAsync(int part, ReadOnlyMemory<byte> bytes, CancellationToken ct)
        {
            var request = new UploadPartRequest
            {
                BucketName = store._options.Bucket,
                Key = ObjectName,
                UploadId = await UploadAsync(ct),
                PartNumber = part + 1,
                PartSize = bytes.Length,
                InputStream = AsStream(bytes),
                UseChunkEncoding = false,
            };
            UploadPartResponse answer = await store.CallAsync("a blob cannot be written", null, () => store._client.UploadPartAsync(request, ct), ct);
            _etags[part] = answer.ETag;
        }

        protected override async Task CommitPartsAsync(CancellationToken ct)
        {
            var request = new CompleteMultipartUploadRequest
            {
                BucketName = store._options.Bucket,
                Key = ObjectName,
                UploadId = await UploadAsync(ct),
                PartETags = [.. Enumerable.Range(0, Parts).Select(p => new PartETag(p + 1, _etags[p]))],
            };
            try
            {
                await store.CallAsync("a blob cannot be committed", Key, () => store._client.CompleteMultipartUploadAsync(request, ct), ct);
            }
            catch (Exception e) when (e is BlobNotFoundException or BlobStoreUnavailableException)
            {
                // An earlier try may have had its way and lost its answer; the next one then finds no upload (NoSuchUpload, or 500 from some servers).
                if (await store.StatAsync(Key, ct) is { } stat && stat.Length == Length) return;
                if (e is BlobNotFoundException) throw new BlobStoreUnavailableException(store.Name, "a blob cannot be committed: its upload is gone", e);
                throw;
            }
        }

        protected override async Task TakeBackAsync(bool mayBeVisible, CancellationToken ct)
        {
            if (_upload is { } started)
            {
                string id = await started.WaitAsync(ct);
                var request = new AbortMultipartUploadRequest { BucketName = store._options.Bucket, Key = ObjectName, UploadId = id };
                try
                {
                    await store.CallAsync("an upload cannot be aborted", Key, () => store._client.AbortMultipartUploadAsync(request, ct), ct);
                }
                catch (BlobNotFoundException)
                {
                    // Gone already, or committed after all.
                }
            }
            if (mayBeVisible) await store.DeleteAsync(Key, ct);
        }

        /// <summary>The upload's id. A repeated start leaves an empty upload behind, which costs nothing and goes by the bucket's lifecycle rule.</summary>
        private Task<string> UploadAsync(CancellationToken ct)
        {
            lock (_startLock) return _upload ??= StartAsync();

            async Task<string> StartAsync() => (await store.CallAsync("a blob cannot be written", null,
                () => store._client.InitiateMultipartUploadAsync(new InitiateMultipartUploadRequest { BucketName = store._options.Bucket, Key = ObjectName }, ct), ct)).UploadId;
        }
    }
}
