using System.Text.Json;
using PacsCluster.Dicom;
using PacsCluster.Testing;

namespace PacsCluster.Web.Tests.Store;

/// <summary>What comes in through one door goes out through the other as it came, with clients that others wrote.</summary>
public sealed class StoreInteropTests
{
    private static readonly string[] s_files =
    [
        "pydicom/src/pydicom/data/test_files/CT_small.dcm", "pydicom/src/pydicom/data/test_files/MR_small.dcm", "pydicom/src/pydicom/data/test_files/rtplan.dcm",
        "codecs/Tests/Acceptance/PM5644-960x540_JPEG-Baseline_YBR422.dcm",
    ];

    private static byte[] DataSetOf(byte[] file) => file[Part10.ReadStart(file).DataSetOffset..];

    /// <summary>storescu leaves Data Set Trailing Padding (FFFC,FFFC) out.</summary>
    private static byte[] WithoutPadding(byte[] dataSet)
    {
        int padding = dataSet.AsSpan().LastIndexOf((ReadOnlySpan<byte>)[0xFC, 0xFF, 0xFC, 0xFF]);
        return padding < 0 ? dataSet : dataSet[..padding];
    }

    private static (string Study, string Class, string Instance) Uids(byte[] file)
    {
        DataSet dataSet = Part10.Read(file).DataSet;
        return (dataSet.GetString(Synthetic.Tag("StudyInstanceUID"))!, dataSet.GetString(Synthetic.Tag("SOPClassUID"))!, dataSet.GetString(Synthetic.Tag("SOPInstanceUID"))!);
    }

    [Fact]
    public async Task STOW_in_by_curl_and_C_GET_out_by_getscu_is_the_same_data_set()
    {
        await using WebServer server = await WebServer.StartAsync();
        using var folder = new TempFolder();
        // Implicit VR is left to the other direction: getscu got Explicit VR here whatever it was told to propose.
        foreach (string name in s_files.Where(f => !f.EndsWith("rtplan.dcm", StringComparison.Ordinal)))
        {
            string path = Corpus.File(name);
            byte[] file = await File.ReadAllBytesAsync(path, TestContext.Current.CancellationToken);
            ToolResult posted = await Tool.RunAsync("curl", ["-sS", "--max-time", "30", "-w", "%{http_code}", "-H", "Content-Type: application/dicom", "-H", "Accept: application/dicom+json",
                "--data-binary", "@" + path, server.Root + "/studies"]);
            Assert.EndsWith("200", posted.Output.Trim(), StringComparison.Ordinal);
            (string study, _, string instance) = Uids(file);
            string got = Directory.CreateDirectory(folder.At(instance)).FullName;
            // getscu takes what it proposed: any uncompressed one, or JPEG baseline too.
            TransferSyntax stored = Part10.ReadStart(file).TransferSyntax;
            string proposes = stored.IsEncapsulated ? "+xy" : "-x=";
            ToolResult retrieved = await Tool.RunAsync("getscu", ["-S", proposes, "+B", "-aec", "PACSCLUSTER", "127.0.0.1", $"{server.DicomPort}", "-od", got, "-k", "QueryRetrieveLevel=STUDY", "-k", $"StudyInstanceUID={study}"]);
            Assert.True(retrieved.ExitCode == 0, retrieved.Output);
            string back = Assert.Single(Directory.GetFiles(got));
            byte[] bytes = await File.ReadAllBytesAsync(back, TestContext.Current.CancellationToken);
            Assert.Equal(Part10.ReadStart(file).TransferSyntax.Uid, Part10.ReadStart(bytes).TransferSyntax.Uid);
            Assert.Equal(DataSetOf(file), DataSetOf(bytes));
        }
    }

    [Fact]
    public async Task C_STORE_in_by_storescu_and_WADO_out_is_the_same_data_set_and_STOW_again_stores_nothing()
    {
        await using WebServer server = await WebServer.StartAsync();
        foreach (string name in s_files.Take(3))
        {
            string path = Corpus.File(name);
            byte[] file = await File.ReadAllBytesAsync(path, TestContext.Current.CancellationToken);
            ToolResult sent = await Tool.RunAsync("storescu", ["-aec", "PACSCLUSTER", "127.0.0.1", $"{server.DicomPort}", path]);
            Assert.True(sent.ExitCode == 0, sent.Output);
            (string study, _, string instance) = Uids(file);
            using JsonDocument found = JsonDocument.Parse(await server.Client.GetStringAsync($"studies/{study}/instances?SOPInstanceUID={instance}", TestContext.Current.CancellationToken));
            string url = StoreAnswer.First(found.RootElement[0], "RetrieveURL");
            using var request = new HttpRequestMessage(HttpMethod.Get, url);
            request.Headers.TryAddWithoutValidation("Accept", "application/dicom; transfer-syntax=*");
            using HttpResponseMessage response = await server.Client.SendAsync(request, TestContext.Current.CancellationToken);
            byte[] got = await response.Content.ReadAsByteArrayAsync(TestContext.Current.CancellationToken);
            Assert.Equal(Part10.ReadStart(file).TransferSyntax.Uid, Part10.ReadStart(got).TransferSyntax.Uid);
            Assert.Equal(WithoutPadding(DataSetOf(file)), DataSetOf(got));
            StoreAnswer again = await StoreClient.PostAsync(server, got);
            Assert.Equal(System.Net.HttpStatusCode.OK, again.Status);
        }
        Assert.Equal(3, (await server.Catalog.CountAsync(TestContext.Current.CancellationToken)).Instances);
        Assert.Equal(0, (await server.Catalog.CountAsync(TestContext.Current.CancellationToken)).Quarantined);
    }

    [Fact]
    public async Task Dicomweb_client_stores_and_searches()
    {
        await using WebServer server = await WebServer.StartAsync();
        using var folder = new TempFolder();
        string path = folder.At("one.dcm");
        await File.WriteAllBytesAsync(path, Synthetic.File(Synthetic.Instance("1.5", "1.5.1", "1.5.1.1", ("PatientName", "Müller^Jürgen"), ("PatientID", "P"))), TestContext.Current.CancellationToken);
        string scripts = Scripts();
        if (!Directory.Exists(Path.Combine(scripts, "node_modules"))) throw Missing.Because("the clients are not installed: run npm ci in tests/PacsCluster.Web.Tests/interop");
        ToolResult said = await Tool.RunAsync("node", [Path.Combine(scripts, "store_search.mjs"), server.Root, path], workingDirectory: scripts);
        Assert.True(said.ExitCode == 0, said.Output);
        using JsonDocument got = JsonDocument.Parse(said.Output.Trim().Split('\n')[^1]);
        Assert.Equal("""["1.5.1.1"]""", got.RootElement.GetProperty("stored").GetRawText());
        Assert.Equal("""["Müller^Jürgen"]""", got.RootElement.GetProperty("studies").GetRawText());
        Assert.Equal("""["1.5.1.1"]""", got.RootElement.GetProperty("instances").GetRawText());
        Assert.Equal(0, got.RootElement.GetProperty("none").GetInt32());
    }

    private static string Scripts()
    {
        for (DirectoryInfo? at = new(AppContext.BaseDirectory); at is not null; at = at.Parent)
        {
            if (File.Exists(Path.Combine(at.FullName, "PacsCluster.sln"))) return Path.Combine(at.FullName, "tests", "PacsCluster.Web.Tests", "interop");
        }
        throw Missing.Because("the sources are not here");
    }
}
