using PacsCluster.Testing;

namespace PacsCluster.Server.Tests;

/// <summary>The session of the README, with DCMTK's tools against the real executable.</summary>
public sealed class DcmtkSessionTests
{
    [Fact]
    public async Task Echo_store_find_get_and_move_do_their_whole_job()
    {
        using var folder = new TempFolder();
        string study = Synthetic.NewUid(), series = Synthetic.NewUid();
        Directory.CreateDirectory(folder.At("in"));
        var sent = new Dictionary<string, string>();
        for (int i = 0; i < 5; i++)
        {
            string path = folder.At("in", $"{i}.dcm");
            sent[Synthetic.Write(path, study, series, patientId: "P-4711", patientName: "Muller^Anna")] = path;
        }
        int movePort = FreePort.Next();
        await using RunningServer server = await RunningServer.StartAsync(folder.At("data"),
            "--set", "Dimse:KnownAEs:0:AETitle=MOVESCU", "--set", "Dimse:KnownAEs:0:Host=127.0.0.1", "--set", $"Dimse:KnownAEs:0:Port={movePort}");

        Assert.Equal(0, (await server.DcmtkAsync("echoscu", [])).ExitCode);

        ToolResult stored = await server.DcmtkAsync("storescu", ["-v", "+sd"], folder.At("in"));
        Assert.True(stored.ExitCode == 0, stored.Output);
        Assert.Equal(5, stored.Output.Split("Received Store Response (Success)").Length - 1);

        ToolResult found = await server.DcmtkAsync("findscu", ["-S", "-k", "0008,0052=STUDY", "-k", "PatientName=MULL*", "-k", "PatientID", "-k", "StudyInstanceUID", "-k", "NumberOfStudyRelatedInstances"]);
        Assert.Contains(study, found.Output, StringComparison.Ordinal);
        Assert.Contains("P-4711", found.Output, StringComparison.Ordinal);

        Directory.CreateDirectory(folder.At("got"));
        ToolResult got = await server.DcmtkAsync("getscu", ["-S", "-od", folder.At("got"), "-k", "0008,0052=STUDY", "-k", $"StudyInstanceUID={study}"]);
        Assert.True(got.ExitCode == 0, got.Output);
        AssertSame(sent, folder.At("got"));

        Directory.CreateDirectory(folder.At("moved"));
        // +B writes the data sets exactly as they came, into the working folder whatever -od says.
        ToolResult moved = await Tool.RunAsync("movescu", ["-v", "-S", "-aet", "MOVESCU", "-aem", "MOVESCU", "+P", $"{movePort}", "+B",
            "-k", "0008,0052=SERIES", "-k", $"StudyInstanceUID={study}", "-k", $"SeriesInstanceUID={series}",
            "-aec", "PACSCLUSTER", "127.0.0.1", $"{server.DicomPort}"], workingDirectory: folder.At("moved"));
        Assert.True(moved.ExitCode == 0, moved.Output);
        AssertSame(sent, folder.At("moved"));

        Assert.Equal(0, await server.StopAsync());
        ToolResult verified = await RunningServer.RunAsync("verify", "--data", folder.At("data"));
        Assert.True(verified.ExitCode == 0, verified.Output);
        Assert.Contains("clean", verified.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Commands_echo_send_and_find_work_against_a_running_archive()
    {
        using var folder = new TempFolder();
        string study = Synthetic.NewUid();
        Directory.CreateDirectory(folder.At("in"));
        string one = Synthetic.Write(folder.At("in", "1.dcm"), study, Synthetic.NewUid(), patientName: "Send^Me");
        Assert.Equal(0, (await RunningServer.RunAsync("import", "--data", folder.At("first"), folder.At("in"))).ExitCode);
        await using RunningServer second = await RunningServer.StartAsync(folder.At("second"), "--aet", "SECOND");

        ToolResult echo = await RunningServer.RunAsync("echo", $"127.0.0.1:{second.DicomPort}:SECOND");
        Assert.True(echo.ExitCode == 0, echo.Output);
        Assert.Equal(1, (await RunningServer.RunAsync("echo", $"127.0.0.1:{second.DicomPort}:WRONG")).ExitCode);

        ToolResult send = await RunningServer.RunAsync("send", $"SECOND@127.0.0.1:{second.DicomPort}", "--data", folder.At("first"), "--study", study);
        Assert.True(send.ExitCode == 0, send.Output);
        Assert.Contains("sent 1 of 1", send.Output, StringComparison.Ordinal);

        foreach (string[] where in new[] { ["--data", folder.At("second")], new[] { "--peer", $"127.0.0.1:{second.DicomPort}:SECOND" } })
        {
            ToolResult find = await RunningServer.RunAsync(["find", "-L", "Image", "--json", "-k", $"StudyInstanceUID={study}", "-k", "SeriesInstanceUID", .. where]);
            if (where[0] == "--data") Assert.Contains(one, find.Output, StringComparison.Ordinal);
            ToolResult studies = await RunningServer.RunAsync(["find", "--json", "-k", "PatientName=send*", .. where]);
            Assert.Contains($"\"StudyInstanceUID\":\"{study}\"", studies.Output, StringComparison.Ordinal);
        }
    }

    /// <summary>Every file that was sent is in the folder with the data set that it had, and nothing else is.</summary>
    internal static void AssertSame(Dictionary<string, string> sent, string folder)
    {
        string[] files = Directory.GetFiles(folder);
        Assert.Equal(sent.Count, files.Length);
        foreach (string file in files)
        {
            (string uid, string path) = sent.Single(s => Path.GetFileName(file).EndsWith(s.Key, StringComparison.Ordinal));
            Assert.True(Synthetic.DataSetOf(path).Span.SequenceEqual(Synthetic.DataSetOf(file).Span), $"{uid} came back with another data set");
        }
    }
}
