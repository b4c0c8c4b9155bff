using PacsCluster.Testing;

namespace PacsCluster.Catalog.Tests;

/// <summary>SQLite: the suite, and what only SQLite has.</summary>
public sealed class SqliteCatalogTests : CatalogConformance
{
    private readonly TempFolder _folder = new();

    protected override Task<ICatalog> OpenEmptyAsync() => OpenAgainAsync();

    protected override async Task<ICatalog> OpenAgainAsync() =>
        await SqliteCatalog.OpenAsync(new SqliteCatalogOptions { Path = _folder.At("catalog.db") }, TimeProvider.System, Ct);

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        _folder.Dispose();
    }
}
