using System.Text.Json;
using PacsCluster.Dicom;
using PacsCluster.Testing;

namespace PacsCluster.Server.Tests;

/// <summary>OHIF as npm has it, served by the node beside DICOMweb and opened in headless Chromium.</summary>
public sealed class ViewerTests
{
    // Whoever renders WebGL in software on a machine that does other work needs his time.
    private const int TimeLimitSeconds = 900;

    private static readonly (string Name, string File)[] s_studies =
    [
        ("ct", "pydicom/src/pydicom/data/test_files/CT_small.dcm"),
        ("jpeg2000", "pydicom-data/data_store/data/MR2_J2KR.dcm"),
        ("multiframe", "dcm4che/dcm4che-test-data/src/main/resources/NM-MONO2-16-13x-heart"),
    ];

    [Fact]
    public async Task OHIF_lists_the_studies_and_shows_a_CT_a_JPEG_2000_and_a_multi_frame()
    {
        string folder = Folder, viewer = Path.Combine(folder, "node_modules", "@ohif", "app", "dist");
        if (!File.Exists(Path.Combine(viewer, "index.html")) || !Directory.Exists(Path.Combine(folder, "node_modules", "playwright-core")))
            throw Missing.Because("OHIF is not installed: tests/run fetches it with npm");
        if (Tool.Find("chromium") is null) throw Missing.Because("chromium is not installed: tests/run installs it as root on Debian");
        using var data = new TempFolder();
        Directory.CreateDirectory(data.At("in"));
        Dictionary<string, DataSet> headers = [];
        foreach ((string name, string file) in s_studies)
        {
            byte[] bytes = await File.ReadAllBytesAsync(Corpus.File(file), TestContext.Current.CancellationToken);
            FileStart start = Part10.ReadStart(bytes);
            headers[name] = DataSet.Read(bytes.AsMemory(start.DataSetOffset), start.TransferSyntax);
            await File.WriteAllBytesAsync(data.At("in", name + ".dcm"), bytes, TestContext.Current.CancellationToken);
        }
        ToolResult import = await RunningServer.RunAsync("import", "--data", data.At("data"), data.At("in"));
        Assert.True(import.ExitCode == 0, import.Output);
        await using RunningServer server = await RunningServer.StartAsync(data.At("data"), "--set", $"Http:Viewer={viewer}");

        string pictures = data.At("pictures");
        Directory.CreateDirectory(pictures);
        string[] pages = ["list=/", .. s_studies.Select(s => $"{s.Name}=/viewer?StudyInstanceUIDs={headers[s.Name].GetString(Tags.StudyInstanceUID)}")];
        ToolResult said = await Tool.RunAsync("node", [Path.Combine(folder, "viewer.mjs"), $"http://127.0.0.1:{server.HttpPort}", pictures, .. pages], TimeLimitSeconds, workingDirectory: folder);
        string last = said.Output.Trim().Split('\n')[^1];
        Assert.True(said.ExitCode == 0 && last.StartsWith('{'), said.Output);
        using JsonDocument seen = JsonDocument.Parse(last);
        List<string> wrong = [];
        JsonElement list = seen.RootElement.GetProperty("list");
        foreach ((string name, DataSet header) in headers)
        {
            string text = list.GetProperty("text").GetString()!;
            if (!header.GetString(Tags.PatientName)!.Split('^').All(word => text.Contains(word, StringComparison.Ordinal))) wrong.Add($"the list does not show the patient of {name}");
            JsonElement page = seen.RootElement.GetProperty(name);
            if (page.GetProperty("greys").GetInt32() <= 10) wrong.Add($"{name}: no picture was drawn");
        }
        foreach (JsonProperty page in seen.RootElement.EnumerateObject())
        {
            wrong.AddRange(page.Value.GetProperty("errors").EnumerateArray().Select(e => $"{page.Name}: console: {e}"));
            wrong.AddRange(page.Value.GetProperty("failed").EnumerateArray().Select(e => $"{page.Name}: {e}"));
        }
        // Kept either way: whether a picture is a good one, a person sees.
        string kept = Keep(pictures);
        Assert.True(wrong.Count == 0, $"{string.Join('\n', wrong)}\nscreenshots: {kept}\n{last}");
    }

    /// <summary>Where the screenshots are after the test.</summary>
    private static string Keep(string pictures)
    {
        string kept = Path.Combine(AppContext.BaseDirectory, "TestResults", "viewer");
        if (Directory.Exists(kept)) Directory.Delete(kept, recursive: true);
        Directory.CreateDirectory(kept);
        foreach (string one in Directory.EnumerateFiles(pictures)) File.Copy(one, Path.Combine(kept, Path.GetFileName(one)));
        return kept;
    }

    /// <summary>The folder in the sources, where node_modules are.</summary>
    internal static string Folder
    {
        get
        {
            for (DirectoryInfo? at = new(AppContext.BaseDirectory); at is not null; at = at.Parent)
            {
                if (File.Exists(Path.Combine(at.FullName, "PacsCluster.sln"))) return Path.Combine(at.FullName, "tests", "PacsCluster.Server.Tests", "viewer");
            }
            throw Missing.Because("the sources are not here");
        }
    }
}
