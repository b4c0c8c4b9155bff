using PacsCluster.Blobs;

namespace PacsCluster.Server.Options;

/// <summary>The blob stores of this node. A store's name is what the catalog keeps: 1 to 32 of a to z, digits, <c>-</c> <c>_</c> <c>.</c> (capitals are taken as small letters, because variables of the
/// environment have no others). It must mean the same place on every node, and never another one once blobs are stored.</summary>
public sealed record BlobsOptions
{
    /// <summary>The store that is always there.</summary>
    public const string DefaultStore = "files";

    /// <summary>Stores in folders, by name. <c>files</c> is always there: the folder <c>blobs</c> in the data folder, unless it is named here.</summary>
    public IReadOnlyDictionary<string, FileBlobStoreOptions> Files { get; init; } = new Dictionary<string, FileBlobStoreOptions>();

    /// <summary>Stores in containers of Azure Blob Storage, by name.</summary>
    public IReadOnlyDictionary<string, AzureBlobStoreOptions> Azure { get; init; } = new Dictionary<string, AzureBlobStoreOptions>();

    /// <summary>Stores in buckets of S3, or of a server that speaks its protocol, by name.</summary>
    public IReadOnlyDictionary<string, S3BlobStoreOptions> S3 { get; init; } = new Dictionary<string, S3BlobStoreOptions>();

    /// <summary>Encryption at rest.</summary>
    public EncryptionOptions Encryption { get; init; } = new();

    /// <summary>Every store's name, <c>files</c> in front.</summary>
    internal IReadOnlyList<string> Names() => [.. Files.Keys.Concat(Azure.Keys).Concat(S3.Keys).Select(Name).Prepend(DefaultStore).Distinct(StringComparer.Ordinal)];

    /// <summary>What is wrong, a line each.</summary>
    internal IEnumerable<string> Validate()
    {
        foreach (string name in Files.Keys.Concat(Azure.Keys).Concat(S3.Keys))
        {
            if (Name(name) is { Length: < 1 or > 32 } || Name(name).Any(c => !char.IsAsciiLetterLower(c) && !char.IsAsciiDigit(c) && c is not ('-' or '_' or '.')))
                yield return $"Blobs: '{name}' cannot be a store's name: 1 to 32 of a to z, digits, - _ .";
        }
        foreach (string twice in Files.Keys.Concat(Azure.Keys).Concat(S3.Keys).GroupBy(Name, StringComparer.Ordinal).Where(g => g.Count() > 1).Select(g => g.Key))
            yield return $"Blobs: two stores are named '{twice}'";
        foreach ((string name, FileBlobStoreOptions store) in Files) foreach (string error in store.Validate()) yield return $"Blobs:Files:{name}:{error}";
        foreach ((string name, AzureBlobStoreOptions store) in Azure) foreach (string error in store.Validate()) yield return $"Blobs:Azure:{name}:{error}";
        foreach ((string name, S3BlobStoreOptions store) in S3) foreach (string error in store.Validate()) yield return $"Blobs:S3:{name}:{error}";
        foreach (string error in Encryption.Validate(Names())) yield return $"Blobs:Encryption:{error}";
    }

    /// <summary>Opens them, <c>files</c> in front. Stores behind HTTP are asked nothing yet.</summary>
    /// <exception cref="BlobStoreUnavailableException">A folder cannot be used.</exception>
    /// <exception cref="BlobStoreFullException">No room for a folder.</exception>
    internal IReadOnlyList<OpenStore> Open(string dataFolder, TimeProvider time)
    {
        KeyRing? ring = Encryption.CurrentKey.Length > 0 ? KeyRing.Load(Encryption.Keys, Encryption.CurrentKey) : null;
        Dictionary<string, FileBlobStoreOptions> files = Files.ToDictionary(f => Name(f.Key), f => f.Value with { Name = Name(f.Key) }, StringComparer.Ordinal);
        if (!Azure.Keys.Concat(S3.Keys).Select(Name).Contains(DefaultStore)) files.TryAdd(DefaultStore, new FileBlobStoreOptions { Folder = DataFolder.Blobs(dataFolder), Name = DefaultStore });
        IEnumerable<OpenStore> stores =
        [
            .. files.Values.Select(store => new OpenStore(new FileBlobStore(store with { Folder = Path.GetFullPath(store.Folder, dataFolder) }, time), Path.GetFullPath(store.Folder, dataFolder))),
            .. Azure.Select(store => new OpenStore(new AzureBlobStore(store.Value with { Name = Name(store.Key) }), null)),
            .. S3.Select(store => new OpenStore(new S3BlobStore(store.Value with { Name = Name(store.Key) }), null)),
        ];
        return [.. stores.Select(s => Encryption.Stores.Contains(s.Store.Name) ? s with { Store = new EncryptedBlobStore(s.Store, ring!) } : s).OrderByDescending(s => s.Store.Name == DefaultStore)];
    }

    /// <summary>A store's name as the catalog knows it.</summary>
    private static string Name(string written) => written.Trim().ToLowerInvariant();
}

/// <summary>A store of this node.</summary>
/// <param name="Store">The store.</param>
/// <param name="Folder">Where it lies; null for one behind HTTP.</param>
internal sealed record OpenStore(IBlobStore Store, string? Folder);

/// <summary>Blobs that lie encrypted (AES-256-GCM, a data key each, wrapped by a key of the ring).</summary>
public sealed record EncryptionOptions
{
    /// <summary>Names of the stores whose blobs are encrypted. Only for a store that has no other blobs: what was written before cannot be read through it. Default none.</summary>
    public IReadOnlyList<string> Stores { get; init; } = [];

    /// <summary>Id of the key that new blobs get. Default empty: no encryption.</summary>
    public string CurrentKey { get; init; } = "";

    /// <summary>The key ring. A key that some blob still needs must stay in it; a new current key is for new blobs only.</summary>
    public IReadOnlyList<EncryptionKeyOptions> Keys { get; init; } = [];

    internal IEnumerable<string> Validate(IReadOnlyList<string> stores)
    {
        foreach (string store in Stores.Where(s => !stores.Contains(s))) yield return $"Stores: there is no blob store '{store}' (there is {string.Join(", ", stores)})";
        if (Stores.Count > 0 && CurrentKey.Length == 0) yield return "CurrentKey: is needed, since Stores names stores to be encrypted";
        if (CurrentKey.Length > 0 && Stores.Count == 0) yield return "Stores: none is named, so nothing would be encrypted";
        if (Keys.Count > 0 || CurrentKey.Length > 0) foreach (string error in KeyRing.Validate(Keys, CurrentKey)) yield return $"Keys: {error}";
    }
}
