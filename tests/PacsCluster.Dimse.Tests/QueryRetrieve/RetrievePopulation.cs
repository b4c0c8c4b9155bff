using System.Diagnostics;
using PacsCluster.Dicom;
using PacsCluster.Testing;

namespace PacsCluster.Dimse.Tests.QueryRetrieve;

/// <summary>The archive that the retrieve tests ask, with its files in one folder to compare with, and known destinations on free ports.</summary>
public sealed class RetrievePopulation : IAsyncLifetime
{
    /// <summary>MR, one study, nine instances: Explicit, Implicit, Big Endian, RLE, JPEG lossless twice, JPEG-LS twice, JPEG 2000.</summary>
    public const string Mixed = "1.3.12.2.1107.5.2.32.35131.30000014022817282751500000052";

    /// <summary>Every file of a folder is uncompressed and has the pixels that they all were made from: those of the Mixed study are one image.</summary>
    public static void AssertSamePixels(string folder, int count)
    {
        string[] files = Directory.GetFiles(folder);
        Assert.Equal(count, files.Length);
        byte[] image = File.ReadAllBytes(Corpus.File("dcm_qa_ts/In/1.dcm"));
        FileStart start = Part10.ReadStart(image);
        ReadOnlyMemory<byte> expected = DataSet.Read(image.AsMemory(start.DataSetOffset), start.TransferSyntax) is { } original && original.TryGet(Tags.PixelData, out DataElement pixels) ? pixels.RawValue : default;
        Assert.All(files, file =>
        {
            byte[] bytes = File.ReadAllBytes(file);
            FileStart got = Part10.ReadStart(bytes);
            Assert.False(got.TransferSyntax.IsEncapsulated);
            Assert.True(DataSet.Read(bytes.AsMemory(got.DataSetOffset), got.TransferSyntax).TryGet(Tags.PixelData, out DataElement element));
            Assert.True(expected.Span.SequenceEqual(element.LittleEndianValue.Span[..expected.Length]), file);
        });
    }

    /// <summary>CT, RT Plan and RT Structure Set, Implicit VR Little Endian.</summary>
    public const string Radiotherapy = "2.16.840.1.113662.2.12.0.3057.1241703565.35";

    /// <summary>One CT, deflated.</summary>
    public const string Deflated = "1.2.840.113619.2.30.1.1762295590.1623.978668949.886";

    /// <summary>50 small instances.</summary>
    public const string Fifty = "1.2.826.0.1.3680043.8.498.64108189007039777171766333999874882472";

    private static readonly string[] s_files =
    [
        .. Enumerable.Range(1, 9).Select(i => $"dcm_qa_ts/In/{i}.dcm"),
        "dicompyler/tests/testdata/example_data/ct.0.dcm",
        "dicompyler/tests/testdata/example_data/rtplan.dcm",
        "dicompyler/tests/testdata/example_data/rtss.dcm",
        "cornerstone3D/packages/dicomImageLoader/examplesOld/test-images/CTImage.dcm_DeflatedExplicitVRLittleEndianTransferSyntax_1.2.840.10008.1.2.1.99.dcm",
    ];

    private readonly TempFolder _files = new();
    private ArchiveServer? _server;

    internal ArchiveServer Server => _server ?? throw new InvalidOperationException("not started");

    /// <summary>Copies of what was stored.</summary>
    public string Files => _files.Path;

    /// <summary>Ports of the destinations DEST0 to DEST9; each test takes one of its own.</summary>
    public IReadOnlyList<int> Ports { get; } = [.. Enumerable.Range(0, 10).Select(_ => FreePort.Next())];

    public async ValueTask InitializeAsync()
    {
        var options = new DimseOptions
        {
            KnownAEs =
            [
                .. Ports.Select((port, i) => new KnownAE { AETitle = $"DEST{i}", Host = "127.0.0.1", Port = port }),
                new KnownAE { AETitle = "NARROW", AllowedDestinations = ["DEST1"] },
                new KnownAE { AETitle = "NOHOST" },
            ],
            QueryRetrieve = new QueryRetrieveOptions { MoveReconnectDelay = TimeSpan.FromMilliseconds(50), PendingEveryInstances = 10 },
            Timeouts = new DimseTimeouts { Send = TimeSpan.FromSeconds(3), Connect = TimeSpan.FromSeconds(3) },
        };
        ArchiveServer server = await ArchiveServer.StartAsync(options);
        string[] files = [.. s_files.Select(Corpus.File), .. Corpus.Files("pydicom/src/pydicom/data/test_files/dicomdirtests/TINY_ALPHA/PT000000")];
        for (int i = 0; i < files.Length; i++)
        {
            File.Copy(files[i], _files.At($"{i}.dcm"));
            await server.StoreAsync(files[i]);
        }
        _server = server;
    }

    public async ValueTask DisposeAsync()
    {
        if (_server is not null) await _server.DisposeAsync();
        _files.Dispose();
    }

    /// <summary>pydicom's word on received files: how many are as they were stored; fails the test when one is not.</summary>
    public async Task AssertSameAsync(string receivedFolder, int count)
    {
        string script = Path.Combine(AppContext.BaseDirectory, "QueryRetrieve", "compare_data_sets.py");
        ToolResult compared = await Tool.RunAsync("/usr/bin/python3", [script, Files, receivedFolder]);
        Assert.True(compared.ExitCode == 0 && compared.Output.Contains($"{count} same", StringComparison.Ordinal), $"{count} expected: {compared.Output}");
    }

    /// <summary>A storescp on the port of a destination; the caller ends it.</summary>
    internal async Task<StoreScpProcess> StartStoreScpAsync(int destination, params string[] options)
    {
        string path = Tool.Find("storescp") ?? throw Missing.Because("storescp is not installed: tests/run installs it as root on Debian");
        var folder = new TempFolder();
        Process process = Tool.Start(path, ["-v", "-aet", $"DEST{destination}", "-od", folder.Path, .. options, $"{Ports[destination]}"]);
        var scp = new StoreScpProcess(process, folder);
        await ArchiveServer.WaitForListenerAsync(Ports[destination]);
        return scp;
    }
}

/// <summary>storescp, until disposed.</summary>
internal sealed class StoreScpProcess : IDisposable
{
    private readonly System.Text.StringBuilder _output = new();
    private readonly TempFolder _folder;

    public StoreScpProcess(Process process, TempFolder folder)
    {
        Process = process;
        _folder = folder;
        process.OutputDataReceived += Take;
        process.ErrorDataReceived += Take;
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
    }

    public Process Process { get; }

    public string Folder => _folder.Path;

    public string Output
    {
        get
        {
            lock (_output) return _output.ToString();
        }
    }

    public void Dispose()
    {
        if (!Process.HasExited) Process.Kill();
        Process.WaitForExit();
        Process.Dispose();
        _folder.Dispose();
    }

    private void Take(object sender, DataReceivedEventArgs line)
    {
        lock (_output) _output.AppendLine(line.Data);
    }
}
