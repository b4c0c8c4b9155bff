using System.Diagnostics;
using PacsCluster.Dicom;
using PacsCluster.Engine;
using PacsCluster.Testing;

namespace PacsCluster.Dimse.Tests;

/// <summary>DCMTK's tools as Service Class Users against us.</summary>
public sealed class DcmtkPeerTests
{
    private static readonly Dictionary<string, string> s_noDelay = new() { ["TCP_NODELAY"] = "1" };

    [Fact]
    public async Task EchoscuGetsSuccess()
    {
        await using TestServer server = await TestServer.StartAsync();
        ToolResult result = await Tool.RunAsync("echoscu", ["-v", "-aec", "PACSCLUSTER", "--repeat", "3", "127.0.0.1", server.Port.ToString()]);
        Assert.Equal(0, result.ExitCode);
        Assert.Contains("Received Echo Response (Success)", result.Output);
        await server.LogLineAsync("released after 3 requests");
    }

    [Fact]
    public async Task UnknownCalledAETitleIsRejectedPermanently()
    {
        await using TestServer server = await TestServer.StartAsync();
        ToolResult result = await Tool.RunAsync("echoscu", ["-aec", "NOBODY", "127.0.0.1", server.Port.ToString()]);
        Assert.NotEqual(0, result.ExitCode);
        Assert.Contains("Called AE Title Not Recognized", result.Output);
    }

    [Fact]
    public async Task UnknownCallingAETitleIsRejectedWhenOptionsSaySo()
    {
        await using TestServer server = await TestServer.StartAsync(new DimseOptions { AcceptUnknownCallingAEs = false, KnownAEs = [new KnownAE { AETitle = "CT1" }] });
        ToolResult stranger = await Tool.RunAsync("echoscu", ["-aet", "STRANGER", "-aec", "PACSCLUSTER", "127.0.0.1", server.Port.ToString()]);
        Assert.Contains("Calling AE Title Not Recognized", stranger.Output);
        ToolResult known = await Tool.RunAsync("echoscu", ["-aet", "CT1", "-aec", "PACSCLUSTER", "127.0.0.1", server.Port.ToString()]);
        Assert.Equal(0, known.ExitCode);
    }

    [Theory]
    [InlineData("16384")]
    [InlineData("131072")]
    public async Task StorescuSendsAndTheDataSetArrivesAsSent(string pdu)
    {
        string[] files = [.. Corpus.Files("pydicom-data").Where(IsPart10).Take(12)];
        await using TestServer server = await TestServer.StartAsync();
        ToolResult result = await Tool.RunAsync("storescu",
            ["-v", "-R", "-nh", "--max-send-pdu", pdu, "-aec", "PACSCLUSTER", "127.0.0.1", server.Port.ToString(), .. files], environment: s_noDelay);
        Assert.True(server.Stored.Count >= 3, result.Output);
        foreach (Received received in server.Stored)
        {
            DataSet dataSet = DataSet.Read(received.DataSet, received.Origin.TransferSyntax);
            Assert.Equal(received.Origin.AffectedSopInstanceUid, dataSet.GetString(new Tag(0x00080018)));
            Assert.Equal(StoreDoor.Dimse, received.Origin.Door);
            Assert.Equal("STORESCU", received.Origin.CallingAETitle);
            Assert.Equal("127.0.0.1", received.Origin.RemoteAddress);
        }
    }

    [Fact]
    public async Task DcmsendsCompressedInstancesArriveInTheirOwnTransferSyntax()
    {
        string[] files = [.. Corpus.Files("pydicom-data").Where(IsPart10).Take(40)];
        await using TestServer server = await TestServer.StartAsync();
        ToolResult result = await Tool.RunAsync("dcmsend",
            ["-v", "-nh", "-dn", "--no-uid-checks", "-aec", "PACSCLUSTER", "127.0.0.1", server.Port.ToString(), .. files], environment: s_noDelay);
        Assert.True(server.Stored.Count > 25, result.Output);
        Assert.True(server.Stored.Select(received => received.Origin.TransferSyntax.Uid).Distinct().Count() >= 4, result.Output);
        foreach (Received received in server.Stored)
        {
            DataSet dataSet = DataSet.Read(received.DataSet, received.Origin.TransferSyntax);
            Assert.Equal(received.Origin.AffectedSopInstanceUid, dataSet.GetString(new Tag(0x00080018)));
        }
    }

    [Fact]
    public async Task OutcomesBecomeStatusesAndTheAssociationGoesOn()
    {
        int count = 0;
        await using TestServer server = await TestServer.StartAsync(store: (_, _, _) => Task.FromResult(new StoreOutcome
        {
            Kind = ++count == 1 ? StoreOutcomeKind.OutOfResources : StoreOutcomeKind.Stored,
            Comment = "no space",
        }));
        // The outcome comes before a byte is read: the data set is drained and the next instance goes on the same association.
        string[] files = [.. Corpus.Files("pydicom-data").Where(IsPart10).Take(3)];
        ToolResult result = await Tool.RunAsync("storescu",
            ["-v", "-R", "-nh", "-aec", "PACSCLUSTER", "127.0.0.1", server.Port.ToString(), .. files], environment: s_noDelay);
        Assert.Contains("OutOfResources", result.Output);
        Assert.Contains("Received Store Response (Success)", result.Output);
        await server.LogLineAsync("stored nothing of");
        Assert.Single(server.LogLines, line => line.Contains("associated", StringComparison.Ordinal));
    }

    [Fact]
    public async Task StorescuWithNagleNeedsNoDelayedAck()
    {
        // 40 KB in fragments that leave a short last segment: with delayed acknowledgements each instance costs 40 ms or more.
        using var folder = new TempFolder();
        string file = SmallInstance(folder);
        await using TestServer server = await TestServer.StartAsync();
        long start = Stopwatch.GetTimestamp();
        ToolResult result = await Tool.RunAsync("storescu",
            ["-aec", "PACSCLUSTER", "--repeat", "100", "127.0.0.1", server.Port.ToString(), file]);
        TimeSpan took = Stopwatch.GetElapsedTime(start);
        Assert.Equal(0, result.ExitCode);
        Assert.Equal(100, server.Stored.Count);
        Assert.True(took < TimeSpan.FromSeconds(2.5), $"100 instances took {took.TotalSeconds:0.0} s");
    }

    private static string SmallInstance(TempFolder folder)
    {
        var dataSet = new DataSet(TransferSyntax.ExplicitVRLittleEndian);
        dataSet.Set(new Tag(0x00080016), "1.2.840.10008.5.1.4.1.1.7");
        dataSet.Set(new Tag(0x00080018), "1.2.3.4.5");
        dataSet.Set(new Tag(0x0020000D), "1.2.3.4");
        dataSet.Set(new Tag(0x0020000E), "1.2.3.4.1");
        dataSet.SetRaw(new Tag(0x7FE00010), VR.OW, new byte[40_000]);
        string file = folder.At("small.dcm");
        using FileStream stream = File.Create(file);
        stream.Write(Part10.BuildFileMeta(TransferSyntax.ExplicitVRLittleEndian, "1.2.840.10008.5.1.4.1.1.7", "1.2.3.4.5"));
        stream.Write(dataSet.ToArray());
        return file;
    }

    private static bool IsPart10(string file)
    {
        using FileStream stream = File.OpenRead(file);
        if (stream.Length is < 200 or > 5_000_000) return false;
        byte[] head = new byte[132];
        stream.ReadExactly(head);
        return head.AsSpan(128).SequenceEqual("DICM"u8);
    }
}
