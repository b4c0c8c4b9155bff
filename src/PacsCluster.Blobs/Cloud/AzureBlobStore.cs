using System.Runtime.CompilerServices;
using Azure;
using Azure.Core;
using Azure.Core.Pipeline;
using Azure.Identity;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;
using Azure.Storage.Blobs.Specialized;

namespace PacsCluster.Blobs;

/// <summary>Blobs in a container of Azure Blob Storage: one Put Blob up to a part, staged blocks and one commit of their list beyond. Azure forgets
/// blocks that were never committed after a week by itself.</summary>
public sealed partial class AzureBlobStore : IBlobStore
{
    private readonly AzureBlobStoreOptions _options;
    private readonly BlobContainerClient _container;
    private readonly SemaphoreSlim _uploads;

    /// <summary>Opens nothing yet: the first request does. <see cref="StatAsync"/> of any key says whether credentials and container are right.</summary>
    /// <exception cref="ArgumentException">Wrong options, all of them named.</exception>
    public AzureBlobStore(AzureBlobStoreOptions options) : this(options, null, null)
    {
    }

    /// <summary>With a credential and a way to the server of the caller's, for tests.</summary>
    internal AzureBlobStore(AzureBlobStoreOptions options, TokenCredential? credential, HttpPipelineTransport? transport)
    {
        if (options.Validate() is { Count: > 0 } errors) throw new ArgumentException(string.Join("; ", errors), nameof(options));
        _options = options;
        _uploads = new SemaphoreSlim(options.ParallelUploads);
        var client = new BlobClientOptions
        {
            Retry =
            {
                Mode = RetryMode.Exponential,
                MaxRetries = options.Retries,
                Delay = TimeSpan.FromMilliseconds(200),
                MaxDelay = TimeSpan.FromSeconds(5),
                NetworkTimeout = options.Timeout,
            },
        };
        // Headers and sizes of every request in the log are nobody's wish; what fails is said by our own faults.
        client.Diagnostics.IsLoggingEnabled = false;
        if (transport is not null) client.Transport = transport;
        _container = Connect(client, credential).GetBlobContainerClient(options.Container);
    }

    /// <inheritdoc/>
    public string Name => _options.Name;

    /// <inheritdoc/>
    public IReadOnlyCollection<BlobTier> Tiers => [BlobTier.Hot, BlobTier.Cool, BlobTier.Archive];

    /// <inheritdoc/>
    public ValueTask<BlobWriter> CreateAsync(CancellationToken ct = default)
    {
        ct.ThrowIfCancellationRequested();
        string key = BlobKey.New();
        return ValueTask.FromResult<BlobWriter>(new Writer(this, key, Client(key)));
    }

    /// <inheritdoc/>
    public async ValueTask<Stream> OpenReadAsync(string key, long offset = 0, long length = -1, CancellationToken ct = default)
    {
        ct.ThrowIfCancellationRequested();
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        if (!BlobKey.IsValid(key)) throw new BlobNotFoundException(Name, key);
        BlockBlobClient blob = Client(key);
        return await RangeStream.OpenAsync((from, count, token) => GetAsync(blob, key, from, count, token), e => Fault("a blob cannot be read on", key, e), _options, offset, length, ct);
    }

    /// <inheritdoc/>
    public async ValueTask DeleteAsync(string key, CancellationToken ct = default)
    {
        ct.ThrowIfCancellationRequested();
        if (!BlobKey.IsValid(key)) return;
        try
        {
            await CallAsync("a blob cannot be deleted", key, () => Client(key).DeleteAsync(DeleteSnapshotsOption.IncludeSnapshots, cancellationToken: ct), ct);
        }
        catch (BlobNotFoundException)
        {
            // Idempotent; also the answer to a repeated request whose first answer was lost.
        }
    }

    /// <inheritdoc/>
    public async ValueTask<BlobStat?> StatAsync(string key, CancellationToken ct = default)
    {
        ct.ThrowIfCancellationRequested();
        if (!BlobKey.IsValid(key)) return null;
        try
        {
            BlobProperties found = await CallAsync("a blob cannot be looked at", key, () => Client(key).GetPropertiesAsync(cancellationToken: ct), ct);
            return new BlobStat(key, found.ContentLength, found.LastModified, TierOf(found.AccessTier));
        }
        catch (BlobNotFoundException)
        {
            return null;
        }
    }

    /// <inheritdoc/>
    public async ValueTask SetTierAsync(string key, BlobTier tier, CancellationToken ct = default)
    {
        ct.ThrowIfCancellationRequested();
        if (!BlobKey.IsValid(key)) throw new BlobNotFoundException(Name, key);
        AccessTier wanted = tier switch
        {
            BlobTier.Hot => AccessTier.Hot,
            BlobTier.Cool => AccessTier.Cool,
            BlobTier.Archive => AccessTier.Archive,
            _ => throw new ArgumentException($"store '{Name}' has no tier {tier}", nameof(tier)),
        };
        await CallAsync("a tier cannot be set", key, () => Client(key).SetAccessTierAsync(wanted, cancellationToken: ct), ct);
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<BlobStat> ListAsync(string? afterKey = null, [EnumeratorCancellation] CancellationToken ct = default)
    {
        foreach (string start in Starts(afterKey))
        {
            string? page = null;
            do
            {
                // Page by page, so that an error is a fault of ours and memory is that of 1,000 names.
                string? from = page;
                Page<BlobItem> items = await CallAsync("blobs cannot be listed", null, () => NextPageAsync(_options.Prefix + start, from, ct), ct);
                foreach (BlobItem item in items.Values)
                {
                    string key = item.Name[_options.Prefix.Length..];
                    if (!BlobKey.IsValid(key) || string.CompareOrdinal(key, afterKey) <= 0) continue;
                    yield return new BlobStat(key, item.Properties.ContentLength ?? 0, item.Properties.LastModified ?? DateTimeOffset.MinValue, TierOf(item.Properties.AccessTier?.ToString()));
                }
                page = items.ContinuationToken;
            }
            while (!string.IsNullOrEmpty(page));
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        _uploads.Dispose();
        return ValueTask.CompletedTask;
    }

    private static BlobTier TierOf(string? tier) => tier switch
    {
        "Archive" => BlobTier.Archive,
        "Cool" or "Cold" => BlobTier.Cool,
        _ => BlobTier.Hot,
    };

    /// <summary>Azure cannot list from behind a name, only by how names begin: the first two digits of the key, then whatever is behind them.</summary>
    private static IEnumerable<string> Starts(string? afterKey)
    {
        const string digits = "0123456789abcdef";
        if (!BlobKey.IsValid(afterKey)) return [""];
        return [afterKey![..2], .. digits.Where(d => d > afterKey[1]).Select(d => $"{afterKey[0]}{d}"), .. digits.Where(d => d > afterKey[0]).Select(d => $"{d}")];
    }

    private BlobServiceClient Connect(BlobClientOptions client, TokenCredential? credential)
    {
        if (!string.IsNullOrEmpty(_options.ConnectionString)) return new BlobServiceClient(_options.ConnectionString, client);
        var endpoint = new Uri(_options.Endpoint!);
        if (!string.IsNullOrEmpty(_options.Sas)) return new BlobServiceClient(endpoint, new AzureSasCredential(_options.Sas), client);
        return new BlobServiceClient(endpoint, credential ?? new DefaultAzureCredential(new DefaultAzureCredentialOptions { ManagedIdentityClientId = _options.ClientId }), client);
    }

    private BlockBlobClient Client(string key) => _container.GetBlockBlobClient(_options.Prefix + key);

    private async Task<Page<BlobItem>> NextPageAsync(string prefix, string? from, CancellationToken ct)
    {
        await foreach (Page<BlobItem> page in _container.GetBlobsAsync(BlobTraits.None, BlobStates.None, prefix, ct).AsPages(from, 1000)) return page;
        throw new InvalidOperationException("a listing has at least one page");
    }

    private async Task<RangeAnswer> GetAsync(BlockBlobClient blob, string key, long offset, long length, CancellationToken ct)
    {
        // HTTP has no empty range.
        if (length == 0) return await StatAsync(key, ct) is null ? throw new BlobNotFoundException(Name, key) : RangeAnswer.Empty;
        try
        {
            BlobDownloadStreamingResult found = await CallAsync("a blob cannot be read", key, () => blob.DownloadStreamingAsync(
                new BlobDownloadOptions { Range = offset == 0 && length < 0 ? default : new HttpRange(offset, length < 0 ? null : length) }, ct), ct);
            return new RangeAnswer(found.Content, found.Details.ContentLength, found);
        }
        catch (PastEndException)
        {
            return RangeAnswer.Empty;
        }
    }
}
