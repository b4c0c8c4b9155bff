using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using PacsCluster.Dicom;
using PacsCluster.Dicom.Network;
using PacsCluster.Testing;

namespace PacsCluster.Dimse.Tests;

/// <summary>We as Service Class User: against DCMTK's storescp, against ourselves, and against peers that misbehave.</summary>
public sealed class ClientTests
{
    private const string SecondaryCapture = "1.2.840.10008.5.1.4.1.1.7";

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("16384")]
    [InlineData("131072")]
    public async Task StorescpReceivesWhatWasSent(string maxPdu)
    {
        using var folder = new TempFolder();
        using StorescpPeer storescp = await StorescpPeer.StartAsync(folder, "--max-pdu", maxPdu);
        byte[] dataSet = Instance(700_001);
        await using (DimseClient client = await DimseClient.ConnectAsync(
            new DimsePeer("STORESCP", "localhost", storescp.Port), ContextPlan.ForStore([(SecondaryCapture, TransferSyntax.ExplicitVRLittleEndian.Uid)])[0], new(), Cancel))
        {
            for (int i = 0; i < 3; i++)
            {
                DimseResponse response = await client.StoreAsync(new StoreMessage
                {
                    Context = client.FindContext(SecondaryCapture, TransferSyntax.ExplicitVRLittleEndian.Uid)!,
                    SopInstanceUid = "1.2.3.4.5",
                    DataSet = new MemoryStream(dataSet),
                    LengthBytes = i == 1 ? -1 : dataSet.Length, // both ways of finding the end
                }, Cancel);
                Assert.Equal(DimseStatus.Success, response.Status);
                byte[] stored = await File.ReadAllBytesAsync(Assert.Single(Directory.GetFiles(folder.Path)), Cancel);
                Assert.True(stored.AsSpan().EndsWith(dataSet), "the data set came out differently");
            }
            await client.ReleaseAsync(Cancel);
        }
    }

    [Fact]
    public async Task EchoAndStoreAgainstOurselves()
    {
        await using TestServer server = await TestServer.StartAsync();
        IReadOnlyList<ProposedContext> contexts =
        [
            .. ContextPlan.For(WellKnownUids.Verification),
            new ProposedContext(3, SecondaryCapture, ["1.2.840.10008.1.2.4.70"]),
            new ProposedContext(5, SecondaryCapture, ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2"]),
        ];
        await using DimseClient client = await DimseClient.ConnectAsync(server.Peer, contexts, new(), Cancel);
        Assert.Equal(DimseStatus.Success, await client.EchoAsync(Cancel));
        foreach (int length in new[] { 0, 1, 2, 16_000, 131_058, 131_060, 131_062, 131_072, 3_000_000 })
        {
            byte[] bytes = Bytes(length);
            foreach (long announced in new long[] { length, -1 })
            {
                DimseResponse response = await client.StoreAsync(new StoreMessage
                {
                    Context = client.FindContext(SecondaryCapture, "1.2.840.10008.1.2.4.70")!,
                    SopInstanceUid = "1.2.3",
                    DataSet = new MemoryStream(bytes),
                    LengthBytes = announced,
                    MoveOriginatorAETitle = "MOVER",
                    MoveOriginatorMessageId = 7,
                }, Cancel);
                Assert.Equal(DimseStatus.Success, response.Status);
                Assert.True(server.Stored.TryDequeue(out Received? received));
                // An odd length gets one null byte, because fragments have even lengths.
                Assert.Equal([.. bytes, .. new byte[length & 1]], received.DataSet);
                Assert.Equal("1.2.840.10008.1.2.4.70", received.Origin.TransferSyntax.Uid);
            }
        }
    }

    [Fact]
    public async Task RejectionNamesItsReason()
    {
        await using TestServer server = await TestServer.StartAsync();
        AssociationRejectedException rejected = await Assert.ThrowsAsync<AssociationRejectedException>(() =>
            DimseClient.ConnectAsync(server.Peer with { AETitle = "NOBODY" }, ContextPlan.For(WellKnownUids.Verification), new(), Cancel));
        Assert.Equal(new AssociateReject(RejectResult.Permanent, RejectReason.CalledAETitleNotRecognized), rejected.Reject);
    }

    [Fact]
    public async Task NobodyListensIsNotConnected()
    {
        AssociationEndedException ended = await Assert.ThrowsAsync<AssociationEndedException>(() =>
            DimseClient.ConnectAsync(new DimsePeer("X", "127.0.0.1", FreePort.Next()), ContextPlan.For(WellKnownUids.Verification), new(), Cancel));
        Assert.Equal(AssociationEnd.NotConnected, ended.End);
    }

    [Fact]
    public async Task PeerThatSaysNothingIsLeftAfterTheAssociateTimeout()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var options = new DimseClientOptions { Timeouts = new DimseTimeouts { Associate = TimeSpan.FromMilliseconds(200) } };
        AssociationEndedException ended = await Assert.ThrowsAsync<AssociationEndedException>(() =>
            DimseClient.ConnectAsync(Peer(listener), ContextPlan.For(WellKnownUids.Verification), options, Cancel));
        Assert.Equal(AssociationEnd.ReceiveTimeout, ended.End);
    }

    [Fact]
    public async Task PeerThatStopsReadingIsAbortedAfterTheSendTimeout()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        Task<Socket> peer = AcceptAssociationAsync(listener, SecondaryCapture);
        var options = new DimseClientOptions { Timeouts = new DimseTimeouts { Send = TimeSpan.FromMilliseconds(300) }, SocketBufferBytes = 16 * 1024 };
        await using DimseClient client = await DimseClient.ConnectAsync(Peer(listener), ContextPlan.For(SecondaryCapture), options, Cancel);
        using Socket silent = await peer;
        long start = Stopwatch.GetTimestamp();
        AssociationEndedException ended = await Assert.ThrowsAsync<AssociationEndedException>(() => client.StoreAsync(new StoreMessage
        {
            Context = client.FindContext(SecondaryCapture)!,
            SopInstanceUid = "1.2.3",
            DataSet = new MemoryStream(new byte[50_000_000]),
            LengthBytes = 50_000_000,
        }, Cancel));
        Assert.Equal(AssociationEnd.SendTimeout, ended.End);
        Assert.True(Stopwatch.GetElapsedTime(start) < TimeSpan.FromSeconds(5));
        await Assert.ThrowsAnyAsync<IOException>(() => client.EchoOrStoreAgainAsync(Cancel));
    }

    [Fact]
    public async Task PeerThatNeverAnswersIsAbortedAfterTheResponseTimeout()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        Task<Socket> peer = AcceptAssociationAsync(listener, WellKnownUids.Verification);
        var options = new DimseClientOptions { Timeouts = new DimseTimeouts { Response = TimeSpan.FromMilliseconds(200) } };
        await using DimseClient client = await DimseClient.ConnectAsync(Peer(listener), ContextPlan.For(WellKnownUids.Verification), options, Cancel);
        using Socket silent = await peer;
        AssociationEndedException ended = await Assert.ThrowsAsync<AssociationEndedException>(() => client.EchoAsync(Cancel));
        Assert.Equal(AssociationEnd.ReceiveTimeout, ended.End);
        // The C-ECHO-RQ, then an A-ABORT, then the end of the stream.
        byte[] sent = await ReadToEndAsync(silent);
        Assert.Equal((byte)PduType.Abort, sent[^10]);
    }

    [Fact]
    public async Task CancelledOperationThrowsOperationCanceled()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        Task<Socket> peer = AcceptAssociationAsync(listener, WellKnownUids.Verification);
        await using DimseClient client = await DimseClient.ConnectAsync(Peer(listener), ContextPlan.For(WellKnownUids.Verification), new(), Cancel);
        using Socket silent = await peer;
        using var cancel = new CancellationTokenSource(TimeSpan.FromMilliseconds(100));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => client.EchoAsync(cancel.Token));
    }

    [Fact]
    public async Task SourceThatEndsEarlyAbortsTheAssociation()
    {
        await using TestServer server = await TestServer.StartAsync();
        await using DimseClient client = await DimseClient.ConnectAsync(server.Peer, ContextPlan.For(SecondaryCapture), new(), Cancel);
        await Assert.ThrowsAsync<EndOfStreamException>(() => client.StoreAsync(new StoreMessage
        {
            Context = client.FindContext(SecondaryCapture)!,
            SopInstanceUid = "1.2.3",
            DataSet = new MemoryStream(new byte[500_000]),
            LengthBytes = 600_000,
        }, Cancel));
        Assert.False(client.IsOpen);
        Assert.Empty(server.Stored);
        await server.LogLineAsync("A-ABORT");
    }

    [Fact]
    public void PlanGivesEachEncapsulatedSyntaxItsOwnContextAndSplitsAt128()
    {
        IReadOnlyList<IReadOnlyList<ProposedContext>> plan = ContextPlan.ForStore(
            Enumerable.Range(0, 50).SelectMany(i => new[]
            {
                ($"1.2.{i}", "1.2.840.10008.1.2.1"), ($"1.2.{i}", "1.2.840.10008.1.2.4.70"), ($"1.2.{i}", "1.2.840.10008.1.2.4.90"), ($"1.2.{i}", "1.2.840.10008.1.2.4.90"),
            }));
        Assert.Equal(2, plan.Count);
        Assert.Equal(200, plan.Sum(contexts => contexts.Count));
        Assert.All(plan, contexts => Assert.True(contexts.Count <= 128));
        Assert.All(plan, contexts => Assert.Equal(contexts.Count, contexts.Select(context => context.Id).Distinct().Count()));
        Assert.All(plan.SelectMany(contexts => contexts), context => Assert.Equal(1, context.Id & 1));
        // No SOP class is in both.
        Assert.Empty(plan[0].Select(context => context.AbstractSyntax).Intersect(plan[1].Select(context => context.AbstractSyntax)));
    }

    private static DimsePeer Peer(TcpListener listener) => new("PEER", "127.0.0.1", ((IPEndPoint)listener.LocalEndpoint).Port);

    /// <summary>A peer that accepts an association and then does nothing.</summary>
    private static async Task<Socket> AcceptAssociationAsync(TcpListener listener, string sopClass)
    {
        Socket socket = await listener.AcceptSocketAsync();
        byte[] head = new byte[6];
        await RawPeer.ReadExactlyAsync(socket, head);
        byte[] body = new byte[PduHeader.Read(head).Length];
        await RawPeer.ReadExactlyAsync(socket, body);
        AssociateRequest request = PduDecoder.ReadAssociateRequest(body);
        await socket.SendAsync(PduEncoder.Encode(new AssociateAccept
        {
            CalledAETitle = request.CalledAETitle,
            CallingAETitle = request.CallingAETitle,
            Contexts = [new AnsweredContext(request.Contexts.Single(context => context.AbstractSyntax == sopClass).Id, ContextResult.Accepted, "1.2.840.10008.1.2.1")],
            User = new UserInformation { MaxPduLength = 16384 },
        }));
        return socket;
    }

    private static async Task<byte[]> ReadToEndAsync(Socket socket)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(10));
        var bytes = new MemoryStream();
        byte[] buffer = new byte[4096];
        int count;
        while ((count = await socket.ReceiveAsync(buffer, limit.Token)) > 0) bytes.Write(buffer, 0, count);
        return bytes.ToArray();
    }

    private static byte[] Bytes(int length)
    {
        byte[] bytes = new byte[length];
        new Random(length).NextBytes(bytes);
        return bytes;
    }

    private static byte[] Instance(int pixelBytes)
    {
        var dataSet = new DataSet(TransferSyntax.ExplicitVRLittleEndian);
        dataSet.Set(new Tag(0x00080016), SecondaryCapture);
        dataSet.Set(new Tag(0x00080018), "1.2.3.4.5");
        dataSet.Set(new Tag(0x0020000D), "1.2.3.4");
        dataSet.Set(new Tag(0x0020000E), "1.2.3.4.1");
        dataSet.SetRaw(new Tag(0x7FE00010), VR.OW, Bytes(pixelBytes + (pixelBytes & 1)));
        return dataSet.ToArray();
    }
}

internal static class ClientAgain
{
    public static Task EchoOrStoreAgainAsync(this DimseClient client, CancellationToken cancellationToken) => client.StoreAsync(new StoreMessage
    {
        Context = client.Association.Contexts[0],
        SopInstanceUid = "1.2.3",
        DataSet = new MemoryStream(new byte[10]),
    }, cancellationToken);
}

/// <summary>DCMTK's storescp writing to a folder.</summary>
internal sealed class StorescpPeer : IDisposable
{
    private readonly Process _process;

    private StorescpPeer(Process process, int port)
    {
        _process = process;
        Port = port;
    }

    public int Port { get; }

    public static async Task<StorescpPeer> StartAsync(TempFolder folder, params string[] arguments)
    {
        string path = Tool.Find("storescp") ?? throw Missing.Because("storescp is not installed: tests/run installs it as root on Debian");
        int port = FreePort.Next();
        Process process = Tool.Start(path, [.. arguments, "-od", folder.Path, "+B", "+xa", port.ToString()]);
        var peer = new StorescpPeer(process, port);
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(10));
        while (true)
        {
            try
            {
                using var probe = new TcpClient();
                await probe.ConnectAsync(IPAddress.Loopback, port, limit.Token);
                return peer;
            }
            catch (SocketException)
            {
                await Task.Delay(20, limit.Token);
            }
        }
    }

    public void Dispose()
    {
        _process.Kill();
        _process.WaitForExit();
        _process.Dispose();
    }
}
