using PacsCluster.Catalog;

namespace PacsCluster.Engine;

/// <summary>The one way in which this room writes the catalog: after each commit, those who wait in this process for what it holds are told.</summary>
internal sealed class ObservedWriter(ICatalogWriter inner) : ICatalogWriter
{
    /// <summary>A commit is durable. Runs on the committer's path: short, and never throws.</summary>
    public event Action<CatalogChanges>? Committed;

    public ValueTask<LoadedState> LoadAsync(LoadRequest request, CancellationToken ct) => inner.LoadAsync(request, ct);

    public async ValueTask CommitAsync(CatalogChanges changes, CancellationToken ct)
    {
        await inner.CommitAsync(changes, ct);
        Committed?.Invoke(changes);
    }

    public ValueTask<ReminderClaim> ClaimRemindersAsync(ClaimRequest request, CancellationToken ct) => inner.ClaimRemindersAsync(request, ct);
}
