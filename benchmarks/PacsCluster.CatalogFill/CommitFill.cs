using PacsCluster.Catalog;

namespace PacsCluster.CatalogFill;

/// <summary>Fills a catalog by its own commits: any engine, and exactly what the engine would have written.</summary>
internal static class CommitFill
{
    private const int StudiesPerCommit = 500;

    /// <param name="catalog">Where to.</param>
    /// <param name="studies">How many.</param>
    /// <param name="seed">See <see cref="StudyMaker"/>.</param>
    /// <param name="instancesPerStudy">See <see cref="StudyMaker"/>.</param>
    /// <param name="progress">Told the number of studies so far.</param>
    /// <param name="ct">Stops between two commits.</param>
    public static async Task RunAsync(ICatalog catalog, int studies, int seed = 1, int instancesPerStudy = 0, Action<int>? progress = null, CancellationToken ct = default)
    {
        var writer = (ICatalogWriter)catalog;
        var maker = new StudyMaker(seed, instancesPerStudy);
        for (int done = 0; done < studies;)
        {
            int count = Math.Min(StudiesPerCommit, studies - done);
            LoadedState keys = await writer.LoadAsync(new LoadRequest { NewKeys = count * StudyMaker.KeysMax(instancesPerStudy) }, ct);
            var changes = new CatalogChanges();
            maker.Add(changes, count, keys.NextKey);
            await writer.CommitAsync(changes, ct);
            done += count;
            progress?.Invoke(done);
        }
    }
}
