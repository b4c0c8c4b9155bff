namespace PacsCluster.Blobs;

/// <summary>The store holds no blob of that key. For a key of the catalog: read another copy, raise an alarm.</summary>
public sealed class BlobNotFoundException : Exception
{
    /// <summary>Made by stores.</summary>
    public BlobNotFoundException(string storeName, string key, Exception? inner = null)
        : base($"store '{storeName}' has no blob {key}", inner) => Key = key;

    /// <summary>The key asked for.</summary>
    public string Key { get; }
}

/// <summary>The medium cannot be reached or refuses for now (I/O error, time-out, rights). Trying again later may help.</summary>
public sealed class BlobStoreUnavailableException : Exception
{
    /// <summary>Made by stores.</summary>
    public BlobStoreUnavailableException(string storeName, string what, Exception? inner = null)
        : base($"store '{storeName}': {what}", inner) { }
}

/// <summary>No room: disk full, quota reached. Nothing of the refused blob remains; reading and deleting still work.</summary>
public sealed class BlobStoreFullException : Exception
{
    /// <summary>Made by stores.</summary>
    public BlobStoreFullException(string storeName, Exception? inner = null)
        : base($"store '{storeName}' has no room left", inner) { }
}
