using PacsCluster.Testing;

namespace PacsCluster.Blobs.Tests;

/// <summary>The S3 store on a server from npm: the suite, faults, and what only S3 has.</summary>
public sealed class S3BlobStoreTests(BlobServers servers) : CloudStoreTests
{
    private readonly string _prefix = Guid.NewGuid().ToString("n") + "/";

    protected override Task<Uri> ServerAsync() => servers.S3Async();

    protected override Task<IBlobStore> OpenEmptyAsync() => ReopenAsync();

    protected override async Task<IBlobStore> ReopenAsync() => Open(await ServerAsync());

    private protected override IBlobStore Open(Uri address, int retries = 3, int timeoutSeconds = 10) => new S3BlobStore(Options(address, _prefix) with { Retries = retries, Timeout = TimeSpan.FromSeconds(timeoutSeconds) });

    protected override bool IsCommitOfParts(string request) => request.StartsWith("POST", StringComparison.Ordinal) && request.Contains("uploadId=", StringComparison.Ordinal);

    protected override bool IsPart(string request) => request.Contains("partNumber=", StringComparison.Ordinal);

    internal static S3BlobStoreOptions Options(Uri address, string prefix) => new()
    {
        Name = "s3",
        Bucket = BlobServers.S3Bucket,
        Endpoint = address.ToString(),
        AccessKey = BlobServers.S3Key,
        SecretKey = BlobServers.S3Key,
        Prefix = prefix,
        PartBytes = PartBytes,
    };

    [Fact]
    public async Task An_abandoned_upload_is_aborted()
    {
        await using FaultProxy proxy = await FaultProxy.StartAsync(await ServerAsync());
        await using IBlobStore store = Open(proxy.Address, retries: 0);
        var part = new TaskCompletionSource();
        proxy.Rule = r =>
        {
            if (IsPart(r)) part.TrySetResult();
            return null;
        };
        await using (BlobWriter writer = await store.CreateAsync(Ct))
        {
            await writer.WriteAsync(Noise(PartBytes + 1), Ct);
            await part.Task.WaitAsync(Ct);
        }
        Assert.Matches("^DELETE .*uploadId=", proxy.Requests.Last());
        Assert.Empty(await ListAsync(Store));
    }

    [Theory]
    [InlineData("S3RVER", "wrong")]
    [InlineData("nobody", "S3RVER")]
    public async Task Wrong_credentials_are_said(string accessKey, string secretKey)
    {
        await using var store = new S3BlobStore(Options(await ServerAsync(), _prefix) with { AccessKey = accessKey, SecretKey = secretKey });
        await AssertSaidAsync(store, "refuses the credentials (403");
    }

    [Fact]
    public async Task A_missing_bucket_is_said()
    {
        await using var store = new S3BlobStore(Options(await ServerAsync(), _prefix) with { Bucket = "missing" });
        await AssertSaidAsync(store, "there is no bucket 'missing'");
    }

    [Fact]
    public void Wrong_options_are_all_said_at_once()
    {
        ArgumentException error = Assert.Throws<ArgumentException>(() => new S3BlobStore(new S3BlobStoreOptions { Name = "", Bucket = "", Region = "", AccessKey = "x", Endpoint = "ftp://x" }));
        foreach (string name in (string[])["Name", "Bucket", "Region", "SecretKey", "Endpoint"]) Assert.Contains(name + ":", error.Message, StringComparison.Ordinal);
    }

    private static async Task AssertSaidAsync(S3BlobStore store, string words)
    {
        string key = new('a', 32);
        foreach (Func<Task> call in (Func<Task>[])[async () => await store.StatAsync(key, Ct), async () => await store.OpenReadAsync(key, ct: Ct), () => PutAsync(store, Noise(10)), () => ListAsync(store)])
            Assert.Contains(words, (await Assert.ThrowsAsync<BlobStoreUnavailableException>(call)).Message, StringComparison.Ordinal);
    }
}
