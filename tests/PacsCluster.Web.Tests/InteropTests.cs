using System.Security.Cryptography;
using System.Text.Json;
using PacsCluster.Dicom;
using PacsCluster.Testing;

namespace PacsCluster.Web.Tests;

/// <summary>Clients that others wrote, unchanged.</summary>
public sealed class InteropTests
{
    [Fact]
    public async Task Dicomweb_client_in_a_browser_retrieves_and_dcmjs_reads_it()
    {
        await using WebServer server = await WebServer.StartAsync();
        string study = Made.NewUid(), series = Made.NewUid();
        List<DataSet> images = [];
        for (int number = 1; number <= 3; number++)
        {
            images.Add(Made.Image(study, series, number, rows: 64, columns: 64));
            await server.StoreAsync(Made.File(images[^1]));
        }
        using JsonDocument said = await NodeAsync("client.mjs", server.Root, study, series, images[1].GetString(Tags.SOPInstanceUID)!);
        JsonElement got = said.RootElement;
        string[] uids = [.. images.Select(i => i.GetString(Tags.SOPInstanceUID)!).Order(StringComparer.Ordinal)];
        Assert.Equal(3, got.GetProperty("studyMetadata").GetInt32());
        Assert.Equal(3, got.GetProperty("seriesMetadata").GetInt32());
        Assert.Equal("T1", got.GetProperty("named").GetString());
        Assert.Equal(uids, Strings("study").Order(StringComparer.Ordinal));
        Assert.Equal(uids, Strings("series").Order(StringComparer.Ordinal));
        Assert.Equal(images[1].GetString(Tags.SOPInstanceUID), got.GetProperty("instance").GetString());
        images[1].TryGet(Tags.PixelData, out DataElement pixels);
        string digest = Convert.ToHexStringLower(SHA256.HashData(pixels.RawValue.Span));
        Assert.Equal(digest, got.GetProperty("pixels").GetString());
        Assert.Equal([digest], Strings("frames"));
        Assert.Equal([digest], Strings("bulk"));

        string[] Strings(string name) => [.. got.GetProperty(name).EnumerateArray().Select(e => e.GetString()!)];
    }

    [Fact]
    public async Task Curl_downloads_goes_on_where_it_was_cut_off_and_revalidates()
    {
        await using WebServer server = await WebServer.StartAsync();
        DataSet image = Made.Image(Made.NewUid(), Made.NewUid(), rows: 256, columns: 256);
        byte[] file = Made.File(image);
        await server.StoreAsync(file);
        using var folder = new TempFolder();
        string url = $"{server.Root}/{Made.UrlOf(image)}";
        await CurlAsync("-o", folder.At("whole"), "-H", "Accept: application/dicom", "--etag-save", folder.At("etag"), url);
        byte[] whole = await File.ReadAllBytesAsync(folder.At("whole"), TestContext.Current.CancellationToken);
        Assert.Equal(Made.DataSetOf(file), Made.DataSetOf(whole));
        await File.WriteAllBytesAsync(folder.At("part"), whole[..1000], TestContext.Current.CancellationToken);
        await CurlAsync("-C", "-", "-o", folder.At("part"), "-H", "Accept: application/dicom", url);
        Assert.Equal(whole, await File.ReadAllBytesAsync(folder.At("part"), TestContext.Current.CancellationToken));
        Assert.EndsWith("304", await CurlAsync("-w", "%{http_code}", "-H", "Accept: application/dicom", "--etag-compare", folder.At("etag"), url), StringComparison.Ordinal);
        Assert.Contains("406", await CurlAsync("-w", "%{http_code}", "-H", "Accept: image/gif", url), StringComparison.Ordinal);
    }

    private static async Task<string> CurlAsync(params string[] arguments)
    {
        ToolResult said = await Tool.RunAsync("curl", ["-sS", "--max-time", "30", .. arguments]);
        Assert.True(said.ExitCode == 0, said.Output);
        return said.Output.Trim();
    }

    /// <summary>Runs a script of the folder interop; gives the JSON that it printed last.</summary>
    internal static async Task<JsonDocument> NodeAsync(string script, params string[] arguments)
    {
        string folder = Folder;
        if (!Directory.Exists(Path.Combine(folder, "node_modules"))) throw Missing.Because("the clients are not installed: run npm ci in tests/PacsCluster.Web.Tests/interop");
        if (Tool.Find("chromium") is null) throw Missing.Because("chromium is not installed");
        ToolResult said = await Tool.RunAsync("node", [Path.Combine(folder, script), .. arguments], timeoutSeconds: 400, workingDirectory: folder);
        string last = said.Output.Trim().Split('\n')[^1];
        Assert.True(said.ExitCode == 0 && last.StartsWith('{'), said.Output);
        return JsonDocument.Parse(last);
    }

    /// <summary>The folder in the sources, where node_modules are.</summary>
    internal static string Folder
    {
        get
        {
            for (DirectoryInfo? at = new(AppContext.BaseDirectory); at is not null; at = at.Parent)
            {
                if (File.Exists(Path.Combine(at.FullName, "PacsCluster.sln"))) return Path.Combine(at.FullName, "tests", "PacsCluster.Web.Tests", "interop");
            }
            throw Missing.Because("the sources are not here");
        }
    }
}
