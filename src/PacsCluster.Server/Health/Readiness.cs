using PacsCluster.Blobs;
using PacsCluster.Catalog;
using PacsCluster.Server.Options;

namespace PacsCluster.Server.Health;

/// <summary>Whether this node can do its work now: the catalog answers, the folders that an instance must be in take files, the DICOM port is open. A store behind HTTP that is out of reach does not
/// take the node away, because the others would be no better off, and searches go on: the node says so and refuses to store.</summary>
internal sealed class Readiness(Node node, Func<bool> isListening)
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(5);

    private static readonly string s_noKey = new('0', 32);

    private static readonly byte[] s_probe = new byte[4096];

    /// <summary>Nodes may share a folder.</summary>
    private static readonly string s_probeName = $"probe-{Guid.NewGuid():N}";

    private readonly Lock _lock = new();
    private Task<IReadOnlyList<string>> _farLook = Task.FromResult<IReadOnlyList<string>>([]);
    private IReadOnlyList<string> _farFaults = [];
    private long _farLooked;

    /// <summary>Those of the common policy, without which no sender would hear success.</summary>
    private readonly OpenStore[] _stores = node.Options.Engine.Policy.Copies is { Count: > 0 } names ? [.. node.Stores.Where(s => names.Contains(s.Store.Name))] : [node.Stores[0]];

    /// <summary>What keeps the node from being ready, in words; empty when it is.</summary>
    public async Task<IReadOnlyList<string>> FaultsAsync(CancellationToken ct)
    {
        var faults = new List<string>();
        try
        {
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
            limit.CancelAfter(s_limit);
            await node.Catalog.PingAsync(limit.Token);
        }
        catch (Exception e) when (e is CatalogUnavailableException || (e is OperationCanceledException && !ct.IsCancellationRequested))
        {
            faults.Add("catalog: " + (e is CatalogUnavailableException ? e.Message : "no answer within 5 s"));
        }
        foreach (OpenStore store in _stores)
        {
            if (store.Folder is { } folder && FolderFault(folder) is { } fault) faults.Add("blobs: " + fault);
        }
        if (!isListening()) faults.Add("DICOM: not listening");
        return faults;
    }

    /// <summary>What the node cannot do though it is ready, in words: the faults of stores behind HTTP, as of the last look. Each asking begins a new look when the last is older than 5 s, and waits for none:
    /// who asks is a load balancer that takes a slow answer for a dead node.</summary>
    public IReadOnlyList<string> Limits()
    {
        if (Array.TrueForAll(_stores, s => s.Folder is not null)) return [];
        lock (_lock)
        {
            if (_farLook.IsCompletedSuccessfully) _farFaults = _farLook.Result;
            if (_farLook.IsCompleted && (_farLooked == 0 || TimeProvider.System.GetElapsedTime(_farLooked) > s_limit))
            {
                _farLooked = TimeProvider.System.GetTimestamp();
                _farLook = Task.Run(LookFarAsync);
            }
            return _farFaults;
        }
    }

    private async Task<IReadOnlyList<string>> LookFarAsync()
    {
        var faults = new List<string>();
        foreach (OpenStore store in _stores.Where(s => s.Folder is null))
        {
            try
            {
                using var limit = new CancellationTokenSource(s_limit);
                // One that no store has: whoever can say so is reached, and takes our credentials.
                await store.Store.StatAsync(s_noKey, limit.Token);
            }
            catch (BlobStoreUnavailableException e)
            {
                faults.Add("blobs: " + e.Message);
            }
            catch (OperationCanceledException)
            {
                faults.Add($"blobs: store '{store.Store.Name}': no answer within {s_limit.TotalSeconds:0} s");
            }
        }
        return faults;
    }

    // A full disk still lets an empty file be made, so the probe has bytes.
    private static string? FolderFault(string folder)
    {
        string probe = Path.Combine(folder, $"{s_probeName}-{Environment.CurrentManagedThreadId}");
        try
        {
            if (!Directory.Exists(folder)) return $"the folder {folder} is gone";
            File.WriteAllBytes(probe, s_probe);
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return e.Message;
        }
        finally
        {
            try
            {
                File.Delete(probe);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // The fault is told already.
            }
        }
    }
}
