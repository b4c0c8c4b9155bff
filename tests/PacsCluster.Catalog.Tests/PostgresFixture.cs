using PacsCluster.Testing;

[assembly: AssemblyFixture(typeof(PacsCluster.Catalog.Tests.PostgresFixture))]
[assembly: AssemblyFixture(typeof(PacsCluster.Catalog.Tests.NewestPostgresFixture))]

namespace PacsCluster.Catalog.Tests;

/// <summary>One server for all tests of the run, started by the first that asks; a database for each test, copied from one with the newest schema.</summary>
public class PostgresFixture : IAsyncLifetime
{
    private readonly SemaphoreSlim _starting = new(1);
    private PostgresServer? _server;
    private string? _template;

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async Task<PostgresServer> ServerAsync()
    {
        await _starting.WaitAsync();
        try
        {
            return _server ??= await StartServerAsync();
        }
        finally
        {
            _starting.Release();
        }
    }

    protected virtual Task<PostgresServer> StartServerAsync() => PostgresServer.StartAsync();

    /// <summary>Where to connect to a new database with the newest schema and nothing in it.</summary>
    public async Task<string> NewCatalogAsync()
    {
        PostgresServer server = await ServerAsync();
        await _starting.WaitAsync();
        try
        {
            if (_template is null)
            {
                string name = await server.CreateDatabaseAsync();
                await (await OpenAsync(server.ConnectionString(name) + ";Pooling=false")).DisposeAsync();
                _template = name;
            }
        }
        finally
        {
            _starting.Release();
        }
        return server.ConnectionString(await server.CreateDatabaseAsync(_template));
    }

    /// <summary>Where to connect to a new database with nothing at all in it.</summary>
    public async Task<string> NewDatabaseAsync()
    {
        PostgresServer server = await ServerAsync();
        return server.ConnectionString(await server.CreateDatabaseAsync());
    }

    public static Task<PostgresCatalog> OpenAsync(string connectionString, TimeSpan? retryFor = null) => PostgresCatalog.OpenAsync(
        new PostgresCatalogOptions { ConnectionString = connectionString, RetryFor = retryFor ?? TimeSpan.FromSeconds(60) }, TimeProvider.System, TestContext.Current.CancellationToken);

    public async ValueTask DisposeAsync()
    {
        if (_server is not null) await _server.DisposeAsync();
        _starting.Dispose();
        GC.SuppressFinalize(this);
    }
}

/// <summary>The same on the newest version of PostgreSQL.</summary>
public sealed class NewestPostgresFixture : PostgresFixture
{
    protected override Task<PostgresServer> StartServerAsync() => PostgresServer.StartNewestAsync();
}
