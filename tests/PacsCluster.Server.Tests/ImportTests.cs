using PacsCluster.Testing;

namespace PacsCluster.Server.Tests;

public sealed class ImportTests
{
    private static string Folder(TempFolder folder, int files)
    {
        Directory.CreateDirectory(folder.At("in", "deep", "er"));
        string study = Synthetic.NewUid(), series = Synthetic.NewUid();
        for (int i = 0; i < files; i++) Synthetic.Write(folder.At("in", "deep", "er", $"{i}.dcm"), study, series);
        File.WriteAllText(folder.At("in", "readme.txt"), "This is no DICOM file, and long enough to look at: " + new string('x', 500));
        File.WriteAllBytes(folder.At("in", "empty"), []);
        File.WriteAllText(folder.At("in", "DICOMDIR"), "by its name");
        return folder.At("in");
    }

    [Fact]
    public async Task Counts_reasons_and_goes_on_where_it_stopped()
    {
        using var folder = new TempFolder();
        string from = Folder(folder, 12);
        ToolResult first = await RunningServer.RunAsync("import", "--data", folder.At("data"), from);
        Assert.True(first.ExitCode == 0, first.Output);
        Assert.Contains("stored: 12", first.Output, StringComparison.Ordinal);
        Assert.Contains("unreadable: 2", first.Output, StringComparison.Ordinal);
        Assert.Contains("2 × not DICOM", first.Output, StringComparison.Ordinal);
        Assert.Contains("skipped: 1", first.Output, StringComparison.Ordinal);

        ToolResult second = await RunningServer.RunAsync("import", "--data", folder.At("data"), from);
        Assert.Contains("done by an earlier run: 15", second.Output, StringComparison.Ordinal);
        Assert.Contains("stored: 0", second.Output, StringComparison.Ordinal);

        ToolResult again = await RunningServer.RunAsync("import", "--data", folder.At("data"), from, "--again");
        Assert.Contains("duplicate: 12", again.Output, StringComparison.Ordinal);
        Assert.Equal(2, (await RunningServer.RunAsync("import", "--data", folder.At("data"), "/nonexistent")).ExitCode);
    }

    [Fact]
    public async Task Goes_through_the_server_that_has_the_data_folder()
    {
        using var folder = new TempFolder();
        string from = Folder(folder, 12);
        await using RunningServer server = await RunningServer.StartAsync(folder.At("data"));
        ToolResult import = await RunningServer.RunAsync("import", "--data", folder.At("data"), from);
        Assert.True(import.ExitCode == 0, import.Output);
        Assert.Contains("stored: 12", import.Output, StringComparison.Ordinal);
        Assert.Contains("unreadable: 2", import.Output, StringComparison.Ordinal);
        Assert.Contains("command=\"CStoreRequest\",status=\"0\"", (await server.GetAsync("/metrics")).Body, StringComparison.Ordinal);
        Assert.Equal(0, (await RunningServer.RunAsync("verify", "--data", folder.At("data"))).ExitCode);
    }

    [Fact]
    public async Task Verify_finds_a_changed_byte_and_a_missing_blob()
    {
        using var folder = new TempFolder();
        Assert.Equal(0, (await RunningServer.RunAsync("import", "--data", folder.At("data"), Folder(folder, 3))).ExitCode);
        List<StoredBlob> blobs = [.. StoredBlob.In(folder.At("data", "blobs")).Where(b => b.Length > 1000)];
        Assert.Equal(3, blobs.Count);
        blobs[0].Damage();
        blobs[1].Remove();
        ToolResult verified = await RunningServer.RunAsync("verify", "--data", folder.At("data"));
        Assert.Equal(1, verified.ExitCode);
        Assert.Contains("1 × WrongDigest", verified.Output, StringComparison.Ordinal);
        Assert.Contains("1 × BlobMissing", verified.Output, StringComparison.Ordinal);
        Assert.Equal(2, (await RunningServer.RunAsync("verify", "--data", folder.At("no-archive-here"))).ExitCode);
    }

    [Fact]
    public async Task Quarantine_is_listed_shown_released_and_deleted()
    {
        using var folder = new TempFolder();
        Directory.CreateDirectory(folder.At("in"));
        string study = Synthetic.NewUid(), series = Synthetic.NewUid();
        Synthetic.Write(folder.At("in", "a.dcm"), study, series);
        // The same SOP Instance with other pixels.
        byte[] other = File.ReadAllBytes(folder.At("in", "a.dcm"));
        other[^1] ^= 1;
        File.WriteAllBytes(folder.At("in", "b.dcm"), other);
        other[^2] ^= 1;
        File.WriteAllBytes(folder.At("in", "c.dcm"), other);
        ToolResult import = await RunningServer.RunAsync("import", "--data", folder.At("data"), "--parallel", "1", folder.At("in"));
        Assert.Contains("quarantined: 2", import.Output, StringComparison.Ordinal);
        ToolResult list = await RunningServer.RunAsync("quarantine", "list", "--data", folder.At("data"));
        string[] keys = [.. list.Output.Split('\n').Where(l => l.Contains('\t', StringComparison.Ordinal)).Select(l => l.Split('\t')[0])];
        Assert.Equal(2, keys.Length);
        Assert.Contains("PatientID", (await RunningServer.RunAsync("quarantine", "show", keys[0], "--data", folder.At("data"))).Output, StringComparison.Ordinal);
        ToolResult deleted = await RunningServer.RunAsync("quarantine", "delete", keys[0], "--data", folder.At("data"));
        Assert.True(deleted.ExitCode == 0, deleted.Output);
        ToolResult released = await RunningServer.RunAsync("quarantine", "release", keys[1], "--data", folder.At("data"));
        Assert.True(released.ExitCode == 0, released.Output);
        Assert.Equal(1, (await RunningServer.RunAsync("quarantine", "delete", keys[1], "--data", folder.At("data"))).ExitCode);
        Assert.Equal(0, (await RunningServer.RunAsync("verify", "--data", folder.At("data"))).ExitCode);
    }
}
