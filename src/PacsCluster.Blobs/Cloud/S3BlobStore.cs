using System.Runtime.CompilerServices;
using Amazon.Runtime;
using Amazon.S3;
using Amazon.S3.Model;

namespace PacsCluster.Blobs;

/// <summary>Blobs in a bucket: one PUT up to a part, a multipart upload beyond. Parts of uploads that a crash left are the bucket's to forget: give it a
/// lifecycle rule AbortIncompleteMultipartUpload of some days.</summary>
public sealed partial class S3BlobStore : IBlobStore
{
    private readonly S3BlobStoreOptions _options;
    private readonly AmazonS3Client _client;
    private readonly SemaphoreSlim _uploads;

    /// <summary>Opens nothing yet: the first request does. <see cref="StatAsync"/> of any key says whether credentials and bucket are right.</summary>
    /// <exception cref="ArgumentException">Wrong options, all of them named.</exception>
    public S3BlobStore(S3BlobStoreOptions options)
    {
        if (options.Validate() is { Count: > 0 } errors) throw new ArgumentException(string.Join("; ", errors), nameof(options));
        _options = options;
        _uploads = new SemaphoreSlim(options.ParallelUploads);
        var config = new AmazonS3Config
        {
            AuthenticationRegion = options.Region,
            ForcePathStyle = options.PathStyle ?? !string.IsNullOrEmpty(options.Endpoint),
            RetryMode = RequestRetryMode.Standard,
            MaxErrorRetry = options.Retries,
            // One store's trouble is bounded by its retries and its time limit; a quota that outlives the trouble would be a third bound that nobody sees.
            ThrottleRetries = false,
            Timeout = options.Timeout,
            // Servers that are not AWS refuse the newer checksums.
            RequestChecksumCalculation = RequestChecksumCalculation.WHEN_REQUIRED,
            ResponseChecksumValidation = ResponseChecksumValidation.WHEN_REQUIRED,
        };
        if (string.IsNullOrEmpty(options.Endpoint)) config.RegionEndpoint = Amazon.RegionEndpoint.GetBySystemName(options.Region);
        else config.ServiceURL = options.Endpoint;
        _client = string.IsNullOrEmpty(options.AccessKey) ? new AmazonS3Client(config) : new AmazonS3Client(options.AccessKey, options.SecretKey, config);
    }

    /// <inheritdoc/>
    public string Name => _options.Name;

    /// <inheritdoc/>
    public ValueTask<BlobWriter> CreateAsync(CancellationToken ct = default)
    {
        ct.ThrowIfCancellationRequested();
        return ValueTask.FromResult<BlobWriter>(new Writer(this, BlobKey.New()));
    }

    /// <inheritdoc/>
    public async ValueTask<Stream> OpenReadAsync(string key, long offset = 0, long length = -1, CancellationToken ct = default)
    {
        ct.ThrowIfCancellationRequested();
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        if (!BlobKey.IsValid(key)) throw new BlobNotFoundException(Name, key);
        return await RangeStream.OpenAsync((from, count, token) => GetAsync(key, from, count, token), e => Fault("a blob cannot be read on", key, e), _options, offset, length, ct);
    }

    /// <inheritdoc/>
    public async ValueTask DeleteAsync(string key, CancellationToken ct = default)
    {
        ct.ThrowIfCancellationRequested();
        if (!BlobKey.IsValid(key)) return;
        try
        {
            await CallAsync("a blob cannot be deleted", key, () => _client.DeleteObjectAsync(_options.Bucket, NameOf(key), ct), ct);
        }
        catch (BlobNotFoundException)
        {
            // Idempotent: not every server says 204.
        }
    }

    /// <inheritdoc/>
    public async ValueTask<BlobStat?> StatAsync(string key, CancellationToken ct = default)
    {
        ct.ThrowIfCancellationRequested();
        if (!BlobKey.IsValid(key)) return null;
        // Not HEAD: its 404 cannot say whether the blob is missing or the whole bucket.
        ListObjectsV2Response found = await CallAsync("a blob cannot be looked at", null, () => _client.ListObjectsV2Async(
            new ListObjectsV2Request { BucketName = _options.Bucket, Prefix = NameOf(key), MaxKeys = 1 }, ct), ct);
        return found.S3Objects is [{ } one, ..] && one.Key == NameOf(key) ? Stat(key, one) : null;
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<BlobStat> ListAsync(string? afterKey = null, [EnumeratorCancellation] CancellationToken ct = default)
    {
        string? after = afterKey is null ? null : NameOf(afterKey);
        while (true)
        {
            // By the last name instead of a token, so that a page can be asked for again.
            string? from = after;
            ListObjectsV2Response page = await CallAsync("blobs cannot be listed", null, () => _client.ListObjectsV2Async(
                new ListObjectsV2Request { BucketName = _options.Bucket, Prefix = _options.Prefix, StartAfter = from, MaxKeys = 1000 }, ct), ct);
            foreach (S3Object item in page.S3Objects ?? [])
            {
                after = item.Key;
                string key = item.Key[_options.Prefix.Length..];
                if (BlobKey.IsValid(key)) yield return Stat(key, item);
            }
            if (page.IsTruncated != true) yield break;
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        _client.Dispose();
        _uploads.Dispose();
        return ValueTask.CompletedTask;
    }

    private static BlobStat Stat(string key, S3Object item) =>
        new(key, item.Size ?? 0, item.LastModified is { } time ? new DateTimeOffset(time.ToUniversalTime(), TimeSpan.Zero) : DateTimeOffset.MinValue);

    private string NameOf(string key) => _options.Prefix + key;

    private async Task<RangeAnswer> GetAsync(string key, long offset, long length, CancellationToken ct)
    {
        // HTTP has no empty range.
        if (length == 0) return await StatAsync(key, ct) is null ? throw new BlobNotFoundException(Name, key) : RangeAnswer.Empty;
        var request = new GetObjectRequest { BucketName = _options.Bucket, Key = NameOf(key) };
        if (offset > 0 || length > 0) request.ByteRange = length < 0 ? new ByteRange($"bytes={offset}-") : new ByteRange(offset, offset + length - 1);
        try
        {
            GetObjectResponse found = await CallAsync("a blob cannot be read", key, () => _client.GetObjectAsync(request, ct), ct);
            return new RangeAnswer(found.ResponseStream, found.ContentLength, found);
        }
        catch (PastEndException)
        {
            return RangeAnswer.Empty;
        }
    }
}
