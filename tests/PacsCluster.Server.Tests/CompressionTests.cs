using System.Net;
using System.Text.Json;
using PacsCluster.Dicom;
using PacsCluster.Testing;

namespace PacsCluster.Server.Tests;

/// <summary>Compression on completion with the real executable: DCMTK sends and gets, pydicom compares, GDCM and DCMTK decode what lies there.</summary>
public sealed class CompressionTests
{
    // Signed and unsigned of 8 to 16 bits, gray, RGB, YBR_FULL, palette, one frame and several.
    private static readonly string[] s_files =
    [
        "pydicom/src/pydicom/data/test_files/CT_small.dcm", "pydicom/src/pydicom/data/test_files/MR_small.dcm", "pydicom/src/pydicom/data/test_files/examples_overlay.dcm",
        "pydicom/src/pydicom/data/test_files/examples_palette.dcm", "pydicom-data/data_store/data/693_UNCR.dcm",
        "pydicom-data/data_store/data/SC_ybr_full_uncompressed.dcm", "pydicom-data/data_store/data/SC_rgb_16bit_2frame.dcm", "dcm_qa_enh/In/Philips/IM_0027_fMAP.dcm",
    ];

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    private static string[] Options(string target) =>
    [
        "--set", $"Engine:Compression:Rules:0:Target={target}", "--set", "Engine:CompletionQuietPeriod=1s", "--set", "Engine:ReminderIdle=100ms", "--set", "Engine:ReminderLease=1s",
    ];

    /// <summary>Waits until so many instances were compressed and the study's metadata is packed again; what the change feed says of them.</summary>
    private static async Task<List<JsonElement>> CompressedAsync(RunningServer server, int count)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(Ct);
        limit.CancelAfter(TimeSpan.FromMinutes(5));
        var compressed = new List<JsonElement>();
        for (long since = 0; compressed.Count < count;)
        {
            limit.Token.ThrowIfCancellationRequested();
            (HttpStatusCode status, string body) = await server.GetAsync($"/dicom-web/changefeed?since={since}&wait=20");
            Assert.Equal(HttpStatusCode.OK, status);
            JsonElement page = JsonDocument.Parse(body).RootElement;
            compressed.AddRange(page.GetProperty("changes").EnumerateArray().Where(c => c.GetProperty("kind").GetString() == "instance-compressed"));
            since = page.GetProperty("next").GetInt64();
        }
        return compressed;
    }

    private static async Task JudgeAsync(string sent, string got)
    {
        ToolResult judged = await Tool.RunAsync("/usr/bin/python3", [Path.Combine(AppContext.BaseDirectory, "compression_judge.py"), sent, got]);
        Assert.True(judged.ExitCode == 0, judged.Output);
    }

    private static async Task GetAsync(RunningServer server, TempFolder folder, string to, IEnumerable<string> studies, string proposed = "-x=")
    {
        Directory.CreateDirectory(folder.At(to));
        foreach (string study in studies.Distinct())
        {
            ToolResult got = await server.DcmtkAsync("getscu", ["-S", proposed, "-od", folder.At(to), "-k", "0008,0052=STUDY", "-k", $"StudyInstanceUID={study}"]);
            Assert.True(got.ExitCode == 0, got.Output);
        }
    }

    [Theory]
    [InlineData("JpegLsLossless", "1.2.840.10008.1.2.4.80")]
    [InlineData("Jpeg2000Lossless", "1.2.840.10008.1.2.4.90")]
    [InlineData("Htj2kLossless", "1.2.840.10008.1.2.4.201")]
    public async Task What_was_compressed_after_completion_comes_back_as_it_was_sent(string target, string transferSyntaxUid)
    {
        using var folder = new TempFolder();
        Directory.CreateDirectory(folder.At("in"));
        var sent = new Dictionary<string, (string Study, string Series)>();
        foreach (string name in s_files)
        {
            string path = Corpus.File(name);
            byte[] bytes = await File.ReadAllBytesAsync(path, Ct);
            FileStart start = Part10.ReadStart(bytes);
            var image = DataSet.Read(bytes.AsMemory(start.DataSetOffset), start.TransferSyntax);
            sent.Add(image.GetString(Tags.SOPInstanceUID)!, (image.GetString(Tags.StudyInstanceUID)!, image.GetString(Tags.SeriesInstanceUID)!));
            File.Copy(path, folder.At("in", Path.GetFileName(name)));
        }
        int count = sent.Count;
        await using RunningServer server = await RunningServer.StartAsync(folder.At("data"), Options(target));
        ToolResult stored = await server.DcmtkAsync("storescu", ["-xe", "+sd"], folder.At("in"));
        Assert.True(stored.ExitCode == 0, stored.Output);

        List<JsonElement> events = await CompressedAsync(server, count);
        Assert.Equal(sent.Keys.Order(), events.Select(e => e.GetProperty("SOPInstanceUID").GetString()!).Order());
        await GetAsync(server, folder, "got", sent.Values.Select(s => s.Study));
        await JudgeAsync(folder.At("in"), folder.At("got"));

        Directory.CreateDirectory(folder.At("web"));
        using var client = new HttpClient();
        foreach ((string uid, (string study, string series)) in sent)
        {
            string url = $"http://127.0.0.1:{server.HttpPort}/dicom-web/wado?requestType=WADO&studyUID={study}&seriesUID={series}&objectUID={uid}&contentType=application/dicom&transferSyntax=";
            await File.WriteAllBytesAsync(folder.At("web", uid), await client.GetByteArrayAsync(new Uri(url + TransferSyntax.ExplicitVRLittleEndian.Uid), Ct), Ct);
            byte[] kept = await client.GetByteArrayAsync(new Uri(url + "*"), Ct);
            Assert.Equal(transferSyntaxUid, Part10.ReadStart(kept).TransferSyntax.Uid);
            string file = folder.At(uid + ".dcm");
            await File.WriteAllBytesAsync(file, kept, Ct);
            ToolResult dump = await Tool.RunAsync("dcmdump", ["-q", file]);
            Assert.True(dump.ExitCode == 0 && !dump.Output.Contains("E: ", StringComparison.Ordinal), dump.Output);
        }
        await JudgeAsync(folder.At("in"), folder.At("web"));

        // The sender tries again, as after a lost answer: nothing new.
        stored = await server.DcmtkAsync("storescu", ["-xe", "+sd"], folder.At("in"));
        Assert.True(stored.ExitCode == 0, stored.Output);
        ToolResult verified = await RunningServer.RunAsync("verify", "--data", folder.At("data"));
        Assert.True(verified.ExitCode == 0, verified.Output);
        Assert.Contains($"{count} instances, 0 in quarantine", verified.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Kill_9_in_the_midst_of_compressing_loses_nothing_and_it_goes_on()
    {
        const int count = 40;
        using var folder = new TempFolder();
        Directory.CreateDirectory(folder.At("in"));
        string study = Synthetic.NewUid(), series = Synthetic.NewUid();
        for (int i = 0; i < count; i++) WriteSmooth(folder.At("in", $"{i}.dcm"), study, series, i);
        string[] options = Options("Jpeg2000Lossless");
        await using (RunningServer first = await RunningServer.StartAsync(folder.At("data"), options))
        {
            Assert.Equal(0, (await first.DcmtkAsync("storescu", ["+sd"], folder.At("in"))).ExitCode);
        }
        int compressed = 0;
        for (int round = 1; round <= 3; round++)
        {
            await using RunningServer server = await RunningServer.StartAsync(folder.At("data"), options);
            compressed = (await CompressedAsync(server, Math.Min(count, compressed + 5))).Count;
            await server.KillAsync();
            ToolResult verified = await RunningServer.RunAsync("verify", "--data", folder.At("data"));
            Assert.True(verified.ExitCode == 0, verified.Output);
        }
        await using RunningServer last = await RunningServer.StartAsync(folder.At("data"), options);
        List<JsonElement> events = await CompressedAsync(last, count);
        Assert.Equal(count, events.Select(e => e.GetProperty("SOPInstanceUID").GetString()).Distinct().Count());
        await GetAsync(last, folder, "got", [study]);
        await JudgeAsync(folder.At("in"), folder.At("got"));
        ToolResult all = await RunningServer.RunAsync("verify", "--data", folder.At("data"));
        Assert.True(all.ExitCode == 0, all.Output);
    }

    [Fact]
    public async Task A_wrong_rule_is_said_at_start()
    {
        using var folder = new TempFolder();
        ToolResult started = await RunningServer.RunAsync(
            "serve", "--data", folder.At("data"), "--set", "Engine:Compression:Rules:0:Modalities=CT", "--set", "Engine:Compression:Rules:1:Target=Jpeg", "--set", "Engine:Compression:OriginalRetention=1s");
        Assert.NotEqual(0, started.ExitCode);
        foreach (string line in new[] { "Engine:Compression:Rules:0:Target: is needed", "Engine:Compression:Rules:1:Target: 'Jpeg' is not one of None, JpegLsLossless, Jpeg2000Lossless, Htj2kLossless" })
            Assert.Contains(line, started.Output, StringComparison.Ordinal);
    }

    private static void WriteSmooth(string path, string study, string series, int number)
    {
        const int size = 512;
        var image = new DataSet(TransferSyntax.ExplicitVRLittleEndian);
        string sopInstanceUid = Synthetic.NewUid();
        image.Set(Tags.SOPClassUID, Synthetic.CT);
        image.Set(Tags.SOPInstanceUID, sopInstanceUid);
        image.Set(Tags.Modality, "CT");
        image.Set(Tags.PatientName, "Smooth^Picture");
        image.Set(Tags.PatientID, "SMOOTH");
        image.Set(Tags.StudyInstanceUID, study);
        image.Set(Tags.SeriesInstanceUID, series);
        image.Set(Tags.InstanceNumber, number);
        image.Set(Tags.SamplesPerPixel, 1);
        image.Set(Tags.PhotometricInterpretation, "MONOCHROME2");
        image.Set(Tags.Rows, size);
        image.Set(Tags.Columns, size);
        image.Set(Tags.BitsAllocated, 16);
        image.Set(Tags.BitsStored, 12);
        image.Set(Tags.HighBit, 11);
        image.Set(Tags.PixelRepresentation, 0);
        byte[] pixels = new byte[size * size * 2];
        var random = new Random(number);
        for (int i = 0; i < size * size; i++)
        {
            int value = 1000 + i % size + i / size + random.Next(16);
            pixels[i * 2] = (byte)value;
            pixels[i * 2 + 1] = (byte)(value >> 8);
        }
        image.SetRaw(Tags.PixelData, VR.OW, pixels);
        using FileStream file = File.Create(path);
        file.Write(Part10.BuildFileMeta(TransferSyntax.ExplicitVRLittleEndian, Synthetic.CT, sopInstanceUid));
        file.Write(image.ToArray());
    }
}
