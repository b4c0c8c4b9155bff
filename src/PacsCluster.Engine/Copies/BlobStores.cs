using Microsoft.Extensions.Logging;
using PacsCluster.Blobs;
using PacsCluster.Catalog;

namespace PacsCluster.Engine;

/// <summary>Where the instances of one sender go.</summary>
/// <param name="Now">Stores that have the blob before the sender hears success; at least one.</param>
/// <param name="Later">Names of the stores that get a copy later.</param>
internal sealed record CopyPlan(IReadOnlyList<IBlobStore> Now, IReadOnlyList<string> Later);

/// <summary>The blob stores of this node: which of them an instance goes to, and which of its copies is read. Thread-safe.</summary>
internal sealed class BlobStores
{
    private readonly Dictionary<string, IBlobStore> _byName;
    private readonly Dictionary<string, int> _rank = new(StringComparer.Ordinal);
    private readonly Dictionary<string, CopyPlan> _plans = new(StringComparer.Ordinal);
    private readonly CopyPlan _plan;
    private readonly ILogger _logger;
    private readonly Action<BlobCopy, Exception> _failed;

    /// <summary>Finds out who goes where.</summary>
    /// <param name="stores">The stores; the first is the one for policies that name none.</param>
    /// <param name="options">The policies.</param>
    /// <param name="logger">Told of copies that cannot be read or deleted.</param>
    /// <exception cref="ArgumentException">There is no store, two have one name, or a policy names one that is not there.</exception>
    public BlobStores(IReadOnlyList<IBlobStore> stores, EngineOptions options, ILogger logger)
    {
        if (stores.Count == 0) throw new ArgumentException("there must be a blob store", nameof(stores));
        _byName = stores.ToDictionary(s => s.Name, StringComparer.Ordinal);
        if (options.ValidateStores(_byName.Keys).ToList() is { Count: > 0 } errors) throw new ArgumentException(string.Join("; ", errors), nameof(options));
        _logger = logger;
        _failed = (copy, fault) => Log.CopyUnreadable(_logger, fault, copy.Store.Name, copy.Key);
        _plan = PlanOf(options.Policy, stores[0]);
        foreach (string title in options.CallingAETitles.Keys) _plans[title] = PlanOf(options.PolicyFor(title), stores[0]);
        // The order of the policy, then of the stores: what is named first is nearest.
        foreach (string name in _plan.Now.Select(s => s.Name).Concat(_plan.Later).Concat(stores.Select(s => s.Name))) _rank.TryAdd(name, _rank.Count);
        All = [.. stores.OrderBy(s => _rank[s.Name])];
    }

    /// <summary>All of them, the nearest first.</summary>
    public IReadOnlyList<IBlobStore> All { get; }

    /// <summary>Stores that some policy gives copies to later.</summary>
    public IEnumerable<string> Later => _plans.Values.Append(_plan).SelectMany(p => p.Later).Distinct(StringComparer.Ordinal);

    /// <summary>Where the instances of a calling AE title go.</summary>
    public CopyPlan PlanFor(string callingAETitle) => _plans.Count > 0 && _plans.TryGetValue(callingAETitle, out CopyPlan? plan) ? plan : _plan;

    /// <summary>A store by its name; null when this node has none of that name.</summary>
    public IBlobStore? Find(string name) => _byName.GetValueOrDefault(name);

    /// <summary>Reads a range of a blob from the nearest copy that can be read, and from the next one where that breaks off.</summary>
    /// <param name="place">One copy.</param>
    /// <param name="more">The others.</param>
    /// <param name="offset">First byte.</param>
    /// <param name="length">Bytes, which the blob has.</param>
    /// <param name="ct">Cancels the opening.</param>
    /// <exception cref="BlobNotFoundException">No store has a copy.</exception>
    /// <exception cref="BlobStoreUnavailableException">None can be read now, or none is in a store of this node.</exception>
    public ValueTask<Stream> OpenReadAsync(BlobPlace place, IReadOnlyList<BlobPlace> more, long offset, long length, CancellationToken ct) => more.Count == 0
        ? Get(place).OpenReadAsync(place.Key, offset, length, ct)
        : CopiesReader.OpenReadAsync(
            Nearest(more.Prepend(place)) is { Count: > 0 } copies ? copies : throw Unknown(string.Join(", ", more.Prepend(place).Select(p => p.Store))), offset, length, _failed, ct);

    /// <summary>Of a blob's copies those that lie in stores of this node, the nearest first.</summary>
    public IReadOnlyList<BlobCopy> Nearest(IEnumerable<BlobPlace> places) =>
        [.. places.Where(p => _byName.ContainsKey(p.Store)).OrderBy(p => _rank[p.Store]).Select(p => new BlobCopy(_byName[p.Store], p.Key))];

    /// <summary>Deletes a copy that no row refers to; what cannot be deleted now is left to the sweep.</summary>
    public async Task DeleteAsync(BlobPlace place)
    {
        if (Find(place.Store) is not { } store)
        {
            Log.BlobElsewhere(_logger, place.Key, place.Store);
            return;
        }
        try
        {
            await store.DeleteAsync(place.Key);
        }
        catch (BlobStoreUnavailableException fault)
        {
            Log.BlobDeleteFailed(_logger, fault, place.Key);
        }
    }

    /// <summary>As the other, all copies of a blob.</summary>
    public async Task DeleteAsync(BlobPlace place, IReadOnlyList<BlobPlace> more)
    {
        await DeleteAsync(place);
        foreach (BlobPlace copy in more) await DeleteAsync(copy);
    }

    private CopyPlan PlanOf(StorePolicy policy, IBlobStore first) => new(policy.Copies.Count == 0 ? [first] : [.. policy.Copies.Select(name => _byName[name])], policy.LaterCopies);

    private IBlobStore Get(BlobPlace place) => Find(place.Store) ?? throw (place.Store.Length == 0 ? new BlobNotFoundException("any", "(no copy)") : Unknown(place.Store));

    private static BlobStoreUnavailableException Unknown(string store) => new(store, "is not among this node's stores");
}
