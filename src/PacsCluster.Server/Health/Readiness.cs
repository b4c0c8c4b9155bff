using PacsCluster.Catalog;

namespace PacsCluster.Server.Health;

/// <summary>Whether this node can do its work now: the catalog answers, the blobs' folder takes a file, the DICOM port is open.</summary>
internal sealed class Readiness(Node node, Func<bool> isListening)
{
    private static readonly byte[] s_probe = new byte[4096];

    /// <summary>What keeps the node from being ready, in words; empty when it is.</summary>
    public async Task<IReadOnlyList<string>> FaultsAsync(CancellationToken ct)
    {
        var faults = new List<string>();
        try
        {
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
            limit.CancelAfter(TimeSpan.FromSeconds(5));
            await node.Catalog.PingAsync(limit.Token);
        }
        catch (Exception e) when (e is CatalogUnavailableException || (e is OperationCanceledException && !ct.IsCancellationRequested))
        {
            faults.Add("catalog: " + (e is CatalogUnavailableException ? e.Message : "no answer within 5 s"));
        }
        if (BlobFault() is { } fault) faults.Add("blobs: " + fault);
        if (!isListening()) faults.Add("DICOM: not listening");
        return faults;
    }

    // A full disk still lets an empty file be made, so the probe has bytes.
    private string? BlobFault()
    {
        string folder = DataFolder.Blobs(node.Options.Data);
        string probe = Path.Combine(node.Options.Data, $"probe-{Environment.CurrentManagedThreadId}");
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
