using System.Text.RegularExpressions;
using PacsCluster.Dicom;
using PacsCluster.Dicom.Network;
using PacsCluster.Dimse;
using PacsCluster.Testing;

namespace PacsCluster.Server.Tests;

/// <summary>Every file of the corpus that DCMTK reads and that has the three UIDs goes in and comes back out with the same data set, byte for byte.</summary>
public sealed partial class CorpusTests
{
    private sealed record Source(
        string Path, string SopClassUid, string TransferSyntaxUid, string SopInstanceUid, string SeriesInstanceUid, string StudyInstanceUid, ReadOnlyMemory<byte> DataSet);

    [Fact]
    public async Task Imported_files_come_back_with_the_same_data_set()
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
                await server.DcmtkAsync("movescu", ["-S", "-aet", "RECEIVER", "-aem", "RECEIVER", "-k", "0008,0052=STUDY", "-k", $"StudyInstanceUID={string.Join('\\', studies)}"]);
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
            ReadOnlyMemory<byte> back;
            bool came = files.TryGetValue(source.SopInstanceUid, out string? file);
            // DCMTK 3.6.7 knows neither the newest and the retired transfer syntaxes, and gets those decompressed, nor every SOP class here; our own client does.
            if (came && Part10.ReadStart(File.ReadAllBytes(file!)).TransferSyntax.Uid == source.TransferSyntaxUid) back = Synthetic.DataSetOf(file!);
            else if (came || server.Output.Contains($"{source.SopInstanceUid} was not sent: ", StringComparison.Ordinal)) back = await GetAsync(server, source);
            else
            {
                problems.Add($"{source.Path} did not come back");
                continue;
            }
            if (IsSame(source.DataSet.Span, back.Span)) same++;
            else problems.Add($"{source.Path} came back with another data set ({source.DataSet.Length} bytes in, {back.Length} out)");
        }
        return same;
    }

    // On the network a data set has an even length: the odd ones of the corpus (deflated, or cut) come back with one null byte more.
    private static bool IsSame(ReadOnlySpan<byte> sent, ReadOnlySpan<byte> back) =>
        back.SequenceEqual(sent) || (sent.Length % 2 == 1 && back.Length == sent.Length + 1 && back[^1] == 0 && back.StartsWith(sent));

    private static async Task<byte[]> GetAsync(RunningServer server, Source source)
    {
        CancellationToken ct = TestContext.Current.CancellationToken;
        var options = new DimseClientOptions { CallingAETitle = "CORPUS", Roles = [new RoleSelection(source.SopClassUid, Scu: false, Scp: true)] };
        IReadOnlyList<ProposedContext> contexts =
        [
            .. ContextPlan.For(WellKnownUids.StudyRootGet), new ProposedContext(3, source.SopClassUid, [source.TransferSyntaxUid]),
        ];
        await using DimseClient client = await DimseClient.ConnectAsync(new DimsePeer("PACSCLUSTER", "127.0.0.1", server.DicomPort), contexts, options, ct);
        var identifier = new DataSet(TransferSyntax.ExplicitVRLittleEndian);
        identifier.Set(Tags.QueryRetrieveLevel, "IMAGE");
        identifier.Set(Tags.StudyInstanceUID, source.StudyInstanceUid);
        identifier.Set(Tags.SeriesInstanceUID, source.SeriesInstanceUid);
        identifier.Set(Tags.SOPInstanceUID, source.SopInstanceUid);
        var bytes = new MemoryStream();
        await client.GetAsync(WellKnownUids.StudyRootGet, identifier, async (_, _, dataSet, token) =>
        {
            await dataSet.CopyToAsync(bytes, token);
            return DimseStatus.Success;
        }, null, ct);
        return bytes.ToArray();
    }

    private static List<Source> Readable()
    {
        // What DCMTK makes of each file stands in the inventory; two files it names wrongly, those are simply tried.
        var unreadByDcmtk = new HashSet<string>();
        foreach (string line in File.ReadLines(Corpus.File("INVENTORY.csv")).Skip(1))
        {
            string[] columns = [.. Csv().Matches(line).Select(m => m.Value.Trim('"'))];
            if (columns[7] != "Y") unreadByDcmtk.Add(Corpus.File(columns[0]));
        }
        var sources = new List<Source>();
        foreach (string path in Corpus.Files())
        {
            if (unreadByDcmtk.Contains(path) || Path.GetFileName(path) == "DICOMDIR") continue;
            try
            {
                byte[] bytes = File.ReadAllBytes(path);
                FileStart start = Part10.ReadStart(bytes);
                ReadOnlyMemory<byte> dataSet = bytes.AsMemory(start.DataSetOffset);
                DataSet read = DataSet.Read(dataSet, start.TransferSyntax);
                // Two files of malformed/ have "UIDs" of 640 characters; those go to quarantine as missing ones do.
                if (read.GetString(Tags.SOPInstanceUID) is { Length: > 0 and <= 128 } instance && read.GetString(Tags.StudyInstanceUID) is { Length: > 0 and <= 128 } study
                    && read.GetString(Tags.SeriesInstanceUID) is { Length: > 0 and <= 128 } series && read.GetString(Tags.SOPClassUID) is { Length: > 0 and <= 128 } sopClass)
                    sources.Add(new Source(path, sopClass, start.TransferSyntax.Uid, instance, series, study, dataSet));
            }
            catch (DicomFormatException)
            {
                // The import names it unreadable; other tests look at those.
            }
        }
        return sources;
    }

    [GeneratedRegex("""(?<=^|,)("[^"]*"|[^,]*)""")]
    private static partial Regex Csv();
}
