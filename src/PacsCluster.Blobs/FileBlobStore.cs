namespace PacsCluster.Blobs;

/// <summary>Where and how blobs lie in files.</summary>
public sealed record FileBlobStoreOptions
{
    /// <summary>Folder; made when missing (its parent must exist). One file system: temporary files lie in it too.</summary>
    public required string Folder { get; init; }

    /// <summary>Name under which the catalog knows this store. Default <c>files</c>.</summary>
    public string Name { get; init; } = "files";
}

/// <summary>Blobs in files: two levels of folders by the first digits of the key.</summary>
public sealed class FileBlobStore(FileBlobStoreOptions options, TimeProvider time) : IBlobStore
{
    private readonly TimeProvider _time = time;

    /// <inheritdoc/>
    public string Name => options.Name;

    /// <inheritdoc/>
    public ValueTask<BlobWriter> CreateAsync(long lengthHint = 0, CancellationToken ct = default) => throw new NotImplementedException(_time.ToString());

    /// <inheritdoc/>
    public ValueTask<Stream> OpenReadAsync(string key, long offset = 0, long length = -1, CancellationToken ct = default) => throw new NotImplementedException();

    /// <inheritdoc/>
    public ValueTask DeleteAsync(string key, CancellationToken ct = default) => throw new NotImplementedException();

    /// <inheritdoc/>
    public ValueTask<BlobStat?> StatAsync(string key, CancellationToken ct = default) => throw new NotImplementedException();

    /// <inheritdoc/>
    public IAsyncEnumerable<BlobStat> ListAsync(string? afterKey = null, CancellationToken ct = default) => throw new NotImplementedException();

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
