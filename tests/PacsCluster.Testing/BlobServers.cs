using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace PacsCluster.Testing;

/// <summary>Cloud storage on this machine, for tests: Azurite and an S3 server from npm, each started when first asked for and one per test run.</summary>
public sealed class BlobServers : IAsyncDisposable
{
    /// <summary>The account that Azurite knows, as its documentation gives it.</summary>
    public const string AzuriteAccount = "devstoreaccount1";

    /// <summary>Its key, which is public.</summary>
    public const string AzuriteKey = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

    /// <summary>Access key and secret that the S3 server knows.</summary>
    public const string S3Key = "S3RVER";

    /// <summary>Its one bucket: tests take prefixes of their own.</summary>
    public const string S3Bucket = "tests";

    private readonly TempFolder _folder = new();
    private readonly Lock _lock = new();
    private readonly List<Process> _processes = [];
    private Task<Uri>? _azurite;
    private Task<Uri>? _s3;

    /// <summary>Where Azurite listens.</summary>
    public Task<Uri> AzuriteAsync()
    {
        lock (_lock)
        {
            return _azurite ??= StartAsync("successfully listens", port =>
                ["node_modules/azurite/dist/src/blob/main.js", "--blobHost", "127.0.0.1", "--blobPort", port, "--location", _folder.At("azurite"), "--silent", "--disableTelemetry"]);
        }
    }

    /// <summary>Where the S3 server listens.</summary>
    public Task<Uri> S3Async()
    {
        lock (_lock) return _s3 ??= StartAsync("listening", port => ["s3.cjs", port, _folder.At("s3")]);
    }

    /// <summary>A connection string for Azurite, or for a proxy in front of it.</summary>
    public static string AzuriteConnection(Uri endpoint, string key = AzuriteKey) =>
        $"DefaultEndpointsProtocol=http;AccountName={AzuriteAccount};AccountKey={key};BlobEndpoint={endpoint}{AzuriteAccount};";

    /// <summary>Makes a container in Azurite and gives its name.</summary>
    public async Task<string> CreateContainerAsync()
    {
        string container = "c" + Guid.NewGuid().ToString("n"), date = TimeProvider.System.GetUtcNow().ToString("r", CultureInfo.InvariantCulture);
        using var request = new HttpRequestMessage(HttpMethod.Put, new Uri(await AzuriteAsync(), $"{AzuriteAccount}/{container}?restype=container"));
        request.Headers.Add("x-ms-date", date);
        request.Headers.Add("x-ms-version", "2023-08-03");
        // Shared Key: the method, eleven empty headers, the headers of Azure, the account and the resource.
        string signed = $"PUT{new string('\n', 12)}x-ms-date:{date}\nx-ms-version:2023-08-03\n/{AzuriteAccount}/{AzuriteAccount}/{container}\nrestype:container";
        string signature = Convert.ToBase64String(HMACSHA256.HashData(Convert.FromBase64String(AzuriteKey), Encoding.UTF8.GetBytes(signed)));
        request.Headers.TryAddWithoutValidation("Authorization", $"SharedKey {AzuriteAccount}:{signature}");
        using var client = new HttpClient();
        using HttpResponseMessage response = await client.SendAsync(request);
        response.EnsureSuccessStatusCode();
        return container;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        foreach (Process process in _processes)
        {
            process.Kill(entireProcessTree: true);
            await process.WaitForExitAsync();
            process.Dispose();
        }
        _folder.Dispose();
    }

    private async Task<Uri> StartAsync(string ready, Func<string, string[]> arguments)
    {
        string node = Tool.Find("node") ?? throw Missing.Because("node is not installed: tests/run installs it as root on Debian");
        string folder = Path.Combine(ProjectRoot(), "tests", "PacsCluster.Blobs.Tests", "node");
        if (!Directory.Exists(Path.Combine(folder, "node_modules"))) throw Missing.Because("the blob servers are not installed: tests/run does (npm ci)");
        int port = FreePort.Next();
        Process process = Tool.Start(node, arguments(port.ToString(CultureInfo.InvariantCulture)), workingDirectory: folder);
        lock (_lock) _processes.Add(process);
        List<string> said = [];
        while (await process.StandardOutput.ReadLineAsync() is { } line)
        {
            said.Add(line);
            if (!line.Contains(ready, StringComparison.Ordinal)) continue;
            // Whatever it says later must not fill the pipe.
            process.ErrorDataReceived += static (_, _) => { };
            process.BeginErrorReadLine();
            _ = process.StandardOutput.BaseStream.CopyToAsync(Stream.Null);
            return new Uri($"http://127.0.0.1:{port}/");
        }
        throw new InvalidOperationException($"a blob server ended: {string.Join('\n', said)}{await process.StandardError.ReadToEndAsync()}");
    }

    /// <summary>The folder in which the solution lies.</summary>
    public static string ProjectRoot()
    {
        for (DirectoryInfo? at = new(AppContext.BaseDirectory); at is not null; at = at.Parent)
        {
            if (File.Exists(Path.Combine(at.FullName, "PacsCluster.sln"))) return at.FullName;
        }
        throw new InvalidOperationException("the project's root is not above the tests");
    }
}
