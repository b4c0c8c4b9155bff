using System.Net;
using Azure.Core;
using Azure.Core.Pipeline;
using Azure.Identity;
using Azure.Storage.Blobs;
using Azure.Storage.Sas;
using PacsCluster.Testing;

namespace PacsCluster.Blobs.Tests;

/// <summary>The Azure store on Azurite: the suite, faults, and what only Azure has.</summary>
public sealed class AzureBlobStoreTests(BlobServers servers) : CloudStoreTests
{
    private string _container = "";

    protected override Task<Uri> ServerAsync() => servers.AzuriteAsync();

    protected override async Task<IBlobStore> OpenEmptyAsync()
    {
        _container = await servers.CreateContainerAsync();
        return await ReopenAsync();
    }

    protected override async Task<IBlobStore> ReopenAsync() => Open(await ServerAsync());

    private protected override IBlobStore Open(Uri address, int retries = 3, int timeoutSeconds = 10) => new AzureBlobStore(Options(address, _container) with { Retries = retries, Timeout = TimeSpan.FromSeconds(timeoutSeconds) });

    protected override bool IsCommitOfParts(string request) => request.Contains("comp=blocklist", StringComparison.Ordinal);

    protected override bool IsPart(string request) => request.Contains("comp=block&", StringComparison.Ordinal);

    internal static AzureBlobStoreOptions Options(Uri address, string container) => new()
    {
        Name = "azure",
        Container = container,
        ConnectionString = BlobServers.AzuriteConnection(address),
        Prefix = "pacs/",
        PartBytes = PartBytes,
    };

    [Fact]
    public async Task A_blob_moves_between_tiers_and_cannot_be_read_from_the_archive()
    {
        string key = await PutAsync(Store, Noise(1000));
        Assert.Equal(BlobTier.Hot, (await Store.StatAsync(key, Ct))!.Tier);
        foreach (BlobTier tier in (BlobTier[])[BlobTier.Cool, BlobTier.Archive])
        {
            await Store.SetTierAsync(key, tier, Ct);
            Assert.Equal(tier, (await Store.StatAsync(key, Ct))!.Tier);
            Assert.Equal(tier, Assert.Single(await ListAsync(Store)).Tier);
        }
        await Assert.ThrowsAsync<BlobOfflineException>(async () => await Store.OpenReadAsync(key, ct: Ct));
        await Store.SetTierAsync(key, BlobTier.Hot, Ct);
        Assert.Equal(Noise(1000), await GetAsync(Store, key));
        await Assert.ThrowsAsync<BlobNotFoundException>(async () => await Store.SetTierAsync(new string('a', 32), BlobTier.Cool, Ct));
    }

    [Fact]
    public async Task A_wrong_key_of_the_account_is_said()
    {
        Uri server = await ServerAsync();
        await using var store = new AzureBlobStore(Options(server, _container) with { ConnectionString = BlobServers.AzuriteConnection(server, Convert.ToBase64String(new byte[64])) });
        await AssertSaidAsync(store, "refuses the credentials (403");
    }

    [Fact]
    public async Task A_missing_container_is_said()
    {
        await using var store = new AzureBlobStore(Options(await ServerAsync(), "missing"));
        await AssertSaidAsync(store, "there is no container 'missing'");
    }

    [Fact]
    public async Task A_shared_access_signature_is_enough_and_its_rights_are_kept()
    {
        Uri server = await ServerAsync();
        AzureBlobStoreOptions options = Options(server, _container) with { ConnectionString = null, Endpoint = $"{server}{BlobServers.AzuriteAccount}" };
        await using (var store = new AzureBlobStore(options with { Sas = await SasAsync(BlobContainerSasPermissions.All) }))
        {
            string key = await PutAsync(store, Noise(PartBytes + 1), 1 << 20);
            Assert.Equal(Noise(PartBytes + 1), await GetAsync(store, key));
            await store.DeleteAsync(key, Ct);
            Assert.Empty(await ListAsync(store));
        }
        await using var reader = new AzureBlobStore(options with { Sas = "?" + await SasAsync(BlobContainerSasPermissions.Read) });
        Assert.Null(await reader.StatAsync(new string('a', 32), Ct));
        BlobStoreUnavailableException fault = await Assert.ThrowsAsync<BlobStoreUnavailableException>(() => PutAsync(reader, Noise(10)));
        Assert.Contains("refuses the credentials (403", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Tokens_of_Azure_Identity_go_over_https_and_a_missing_one_is_said()
    {
        AzureBlobStoreOptions options = Options(await ServerAsync(), _container) with { ConnectionString = null, Endpoint = "https://account.blob.core.windows.net", Retries = 0 };
        using var server = new OneAnswer();
        using var client = new HttpClient(server);
        await using (var store = new AzureBlobStore(options, new Credential("letmein"), new HttpClientTransport(client)))
        {
            Assert.Null(await store.StatAsync(new string('a', 32), Ct));
        }
        Assert.Equal("Bearer letmein", server.Authorization);
        await using var without = new AzureBlobStore(options, new Credential(null), new HttpClientTransport(client));
        await AssertSaidAsync(without, "Azure.Identity has no token: nobody is logged in");
    }

    [Fact]
    public void Wrong_options_are_all_said_at_once()
    {
        var wrong = new AzureBlobStoreOptions { Name = "", Container = "", Endpoint = "http://plain.example", Prefix = "/", PartBytes = 1, ParallelParts = 0, ParallelUploads = 0, Retries = -1, Timeout = TimeSpan.Zero };
        ArgumentException error = Assert.Throws<ArgumentException>(() => new AzureBlobStore(wrong));
        foreach (string name in (string[])["Name", "Container", "Endpoint", "Prefix", "PartBytes", "ParallelParts", "ParallelUploads", "Retries", "Timeout"])
            Assert.Contains(name + ":", error.Message, StringComparison.Ordinal);
        Assert.Contains("ConnectionString:", string.Join(';', (wrong with { Endpoint = null, ConnectionString = "nonsense" }).Validate()), StringComparison.Ordinal);
        Assert.Contains("Sas:", string.Join(';', (wrong with { Endpoint = null, ConnectionString = "UseDevelopmentStorage=true", Sas = "x" }).Validate()), StringComparison.Ordinal);
    }

    private async Task<string> SasAsync(BlobContainerSasPermissions rights) =>
        new BlobServiceClient(BlobServers.AzuriteConnection(await ServerAsync())).GetBlobContainerClient(_container)
            .GenerateSasUri(rights, TimeProvider.System.GetUtcNow().AddHours(1)).Query[1..];

    private static async Task AssertSaidAsync(AzureBlobStore store, string words)
    {
        string key = new('a', 32);
        foreach (Func<Task> call in (Func<Task>[])[async () => await store.StatAsync(key, Ct), async () => await store.OpenReadAsync(key, ct: Ct), () => PutAsync(store, Noise(10)), () => ListAsync(store)])
            Assert.Contains(words, (await Assert.ThrowsAsync<BlobStoreUnavailableException>(call)).Message, StringComparison.Ordinal);
    }

    private sealed class Credential(string? token) : TokenCredential
    {
        public override AccessToken GetToken(TokenRequestContext requestContext, CancellationToken cancellationToken) =>
            token is null ? throw new CredentialUnavailableException("nobody is logged in") : new AccessToken(token, TimeProvider.System.GetUtcNow().AddHours(1));

        public override ValueTask<AccessToken> GetTokenAsync(TokenRequestContext requestContext, CancellationToken cancellationToken) => ValueTask.FromResult(GetToken(requestContext, cancellationToken));
    }

    private sealed class OneAnswer : HttpMessageHandler
    {
        public string? Authorization { get; private set; }

        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            Authorization = request.Headers.Authorization?.ToString();
            var answer = new HttpResponseMessage(HttpStatusCode.NotFound) { RequestMessage = request };
            answer.Headers.Add("x-ms-error-code", "BlobNotFound");
            return Task.FromResult(answer);
        }
    }
}
