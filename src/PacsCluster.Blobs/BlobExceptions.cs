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
public class BlobStoreUnavailableException : Exception
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

/// <summary>A blob lies in a tier that cannot be read from: <see cref="IBlobStore.SetTierAsync"/> brings it back, which can take hours.</summary>
public sealed class BlobOfflineException : BlobStoreUnavailableException
{
    /// <summary>Made by stores.</summary>
    public BlobOfflineException(string storeName, string key, Exception? inner = null)
        : base(storeName, $"blob {key} lies in the archive tier and cannot be read before it is brought back", inner) { }
}

/// <summary>A blob is encrypted with a key that the key ring does not hold, or holds with other bytes. With the right key in the ring it can be read.</summary>
public sealed class BlobKeyException : BlobStoreUnavailableException
{
    /// <summary>Made by <see cref="EncryptedBlobStore"/>.</summary>
    public BlobKeyException(string storeName, string what, Exception? inner = null)
        : base(storeName, what, inner) { }
}

/// <summary>An encrypted blob is not what was written: changed, cut, extended, or another blob put in its place. Only another copy helps.</summary>
public sealed class BlobTamperedException : BlobStoreUnavailableException
{
    /// <summary>Made by <see cref="EncryptedBlobStore"/>.</summary>
    public BlobTamperedException(string storeName, string key, string what, Exception? inner = null)
        : base(storeName, $"blob {key} is not what was written: {what}", inner) { }
}
