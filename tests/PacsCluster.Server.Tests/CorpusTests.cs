using PacsCluster.Dicom;
using PacsCluster.Testing;

namespace PacsCluster.Server.Tests;

/// <summary>Every file of the corpus that DCMTK reads and that has the three UIDs goes in and comes back out with the same data set, byte for byte.</summary>
public sealed class CorpusTests
{
    private sealed record Source(string Path, string SopInstanceUid, string StudyInstanceUid, ReadOnlyMemory<byte> DataSet);

    [Fact]
    public async Task Imported_files_come_back_by_C_MOVE_byte_for_byte_and_by_C_GET_in_number()
    {
        List<Source> sources = Readable();
        Assert.True(sources.Count > 300, $"only {sources.Count} files of the corpus can be used");
        // The corpus has the same SOP Instance in several encodings. Only one can be in an archive, so each further one goes into a further archive.
        int moved = 0, archives = 0;
        List<Source> left = sources;
        var problems = new List<string>();
        while (left.Count > 0)
        {
            List<Source> now = [.. left.GroupBy(s => s.SopInstanceUid).Select(g => g.First())];
            left = [.. left.Except(now)];
            moved += await RoundTripAsync(now, problems);
            archives++;
        }
        TestContext.Current.TestOutputHelper?.WriteLine($"{sources.Count} files in {archives} archives, {moved} came back with the same data set");
        Assert.True(problems.Count == 0, string.Join(Environment.NewLine, problems));
        Assert.Equal(sources.Count, moved);
    }

    private static async Task<int> RoundTripAsync(List<Source> sources, List<string> problems)
    {
        using var folder = new TempFolder();
        Directory.CreateDirectory(folder.At("in"));
        for (int i = 0; i < sources.Count; i++) File.CreateSymbolicLink(folder.At("in", $"{i:0000}"), sources[i].Path);
        ToolResult import = await RunningServer.RunAsync("import", "--data", folder.At("data"), folder.At("in"));
        if (!import.Output.Contains($"stored: {sources.Count}", StringComparison.Ordinal)) problems.Add($"import of {sources.Count}: {import.Output}");

        int movePort = FreePort.Next();
        await using RunningServer server = await RunningServer.StartAsync(folder.At("data"),
            "--set", "Dimse:KnownAEs:0:AETitle=RECEIVER", "--set", "Dimse:KnownAEs:0:Host=127.0.0.1", "--set", $"Dimse:KnownAEs:0:Port={movePort}");
        Directory.CreateDirectory(folder.At("out"));
        // Accepts every SOP class and transfer syntax, writes exactly what it reads.
        using System.Diagnostics.Process receiver = Tool.Start(
            Tool.Find("storescp") ?? throw Missing.Because("storescp is not installed: tests/run installs it as root on Debian"),
            ["-q", "+xa", "-pm", "+B", "-aet", "RECEIVER", "-od", folder.At("out"), $"{movePort}"]);
        _ = receiver.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        _ = receiver.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        try
        {
            foreach (string[] studies in sources.Select(s => s.StudyInstanceUid).Distinct().Chunk(40))
            {
                ToolResult move = await server.DcmtkAsync("movescu", ["-v", "-S", "-aet", "RECEIVER", "-aem", "RECEIVER",
                    "-k", "0008,0052=STUDY", "-k", $"StudyInstanceUID={string.Join('\\', studies)}"]);
                if (move.ExitCode != 0) problems.Add($"movescu ended with {move.ExitCode}: {move.Output}");
            }
        }
        finally
        {
            receiver.Kill();
            await receiver.WaitForExitAsync();
        }
        Dictionary<string, string> files = Directory.GetFiles(folder.At("out")).ToDictionary(f => Path.GetFileName(f)[(Path.GetFileName(f).IndexOf('.', StringComparison.Ordinal) + 1)..]);
        int same = 0;
        foreach (Source source in sources)
        {
            if (!files.TryGetValue(source.SopInstanceUid, out string? file)) problems.Add($"{source.Path} did not come back");
            else if (!Synthetic.DataSetOf(file).Span.SequenceEqual(source.DataSet.Span)) problems.Add($"{source.Path} came back with another data set");
            else same++;
        }
        return same;
    }

    private static List<Source> Readable()
    {
        var sources = new List<Source>();
        foreach (string line in File.ReadLines(Corpus.File("INVENTORY.csv")).Skip(1))
        {
            string[] columns = line.Split(',');
            string path = Corpus.File(columns[0]);
            // dcmdump_reads is the eighth column; quoted names with commas would shift it, and then the file is simply read below or not.
            if (!columns.Contains("Y") || columns[7] != "Y" || Path.GetFileName(path) == "DICOMDIR") continue;
            try
            {
                byte[] bytes = File.ReadAllBytes(path);
                FileStart start = Part10.ReadStart(bytes);
                ReadOnlyMemory<byte> dataSet = bytes.AsMemory(start.DataSetOffset);
                DataSet read = DataSet.Read(dataSet, start.TransferSyntax);
                if (read.GetString(Tags.SOPInstanceUID) is { Length: > 0 } instance && read.GetString(Tags.StudyInstanceUID) is { Length: > 0 } study
                    && read.GetString(Tags.SeriesInstanceUID) is { Length: > 0 } && read.GetString(Tags.SOPClassUID) is { Length: > 0 })
                    sources.Add(new Source(path, instance, study, dataSet));
            }
            catch (DicomFormatException)
            {
                // The import names it unreadable; other tests look at those.
            }
        }
        return sources;
    }
}
