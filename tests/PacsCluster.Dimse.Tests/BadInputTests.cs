using System.Text;
using PacsCluster.Dicom.Network;

namespace PacsCluster.Dimse.Tests;

/// <summary>Peers that are no DICOM peers, or bad ones: each gets a named answer, and the next one is served.</summary>
public sealed class BadInputTests
{
    private static readonly DimseOptions s_hasty = new()
    {
        Timeouts = new DimseTimeouts { Artim = TimeSpan.FromMilliseconds(300), Inactivity = TimeSpan.FromMilliseconds(600), Receive = TimeSpan.FromMilliseconds(300) },
    };

    public static TheoryData<string, byte[]> Strangers => new()
    {
        { "HTTP", Encoding.ASCII.GetBytes("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n") },
        { "HTTP/2", Encoding.ASCII.GetBytes("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") },
        { "a TLS handshake", [0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xFC, 0x03, 0x03] },
        { "SSH", Encoding.ASCII.GetBytes("SSH-2.0-OpenSSH_9.2\r\n") },
        { "a PDU of type FF", [0xFF, 0xFE, 0xFD, 0xFC, 0xFB, 0xFA, 0xF9] },
    };

    [Theory]
    [MemberData(nameof(Strangers))]
    public async Task StrangerIsNamedInTheLogAndAborted(string name, byte[] bytes)
    {
        await using TestServer server = await TestServer.StartAsync();
        using RawPeer peer = await RawPeer.ConnectAsync(server);
        await peer.SendAsync(bytes);
        Abort abort = await peer.ReadAbortAsync();
        Assert.Equal(AbortSource.ServiceUser, abort.Source); // PS3.8 table 9-9, AA-1
        await server.LogLineAsync($"does not speak DICOM: {name}");
        await AssertServesAsync(server);
    }

    [Theory]
    [InlineData(PduType.AssociateRequest)]
    [InlineData(PduType.Data)]
    [InlineData(PduType.Abort)]
    public async Task PduThatClaims4GigabytesIsAbortedBeforeAnyAllocation(PduType type)
    {
        await using TestServer server = await TestServer.StartAsync();
        using RawPeer peer = await RawPeer.ConnectAsync(server);
        long before = GC.GetTotalAllocatedBytes();
        byte[] head = new byte[6];
        new PduHeader(type, uint.MaxValue).Write(head);
        await peer.SendAsync(head);
        await peer.ReadAbortAsync();
        Assert.True(GC.GetTotalAllocatedBytes() - before < 64_000_000);
        await server.LogLineAsync("claims 4294967295 bytes");
    }

    [Fact]
    public async Task DataPduThatClaims4GigabytesOnAnOpenAssociation()
    {
        await using TestServer server = await TestServer.StartAsync();
        using RawPeer peer = await RawPeer.AssociateAsync(server);
        await peer.SendAsync(new byte[] { 4, 0, 0xFF, 0xFF, 0xFF, 0xFF });
        Assert.Equal(new Abort(AbortSource.ServiceProvider, AbortReason.InvalidPduParameterValue), await peer.ReadAbortAsync());
    }

    [Fact]
    public async Task PS3_8_Table_9_10_UnexpectedPduInSta6IsAbortedByTheProvider()
    {
        await using TestServer server = await TestServer.StartAsync();
        using RawPeer peer = await RawPeer.AssociateAsync(server);
        await peer.SendAsync(PduEncoder.Encode(RawPeer.Request()));
        Assert.Equal(new Abort(AbortSource.ServiceProvider, AbortReason.UnexpectedPdu), await peer.ReadAbortAsync());
    }

    [Fact]
    public async Task PS3_8_Table_9_10_UnknownPduTypeInSta6IsUnrecognized()
    {
        await using TestServer server = await TestServer.StartAsync();
        using RawPeer peer = await RawPeer.AssociateAsync(server);
        await peer.SendAsync(new byte[] { 9, 0, 0, 0, 0, 4, 0, 0, 0, 0 });
        Assert.Equal(new Abort(AbortSource.ServiceProvider, AbortReason.UnrecognizedPdu), await peer.ReadAbortAsync());
    }

    [Fact]
    public async Task FragmentThatPassesItsPduIsInvalid()
    {
        await using TestServer server = await TestServer.StartAsync();
        using RawPeer peer = await RawPeer.AssociateAsync(server);
        await peer.SendAsync(new byte[] { 4, 0, 0, 0, 0, 10, 0, 0, 1, 0, 1, 3, 0, 0, 0, 0 });
        Assert.Equal(AbortReason.InvalidPduParameterValue, (await peer.ReadAbortAsync()).Reason);
    }

    [Fact]
    public async Task ContextThatWasNotAcceptedIsInvalid()
    {
        await using TestServer server = await TestServer.StartAsync();
        using RawPeer peer = await RawPeer.AssociateAsync(server);
        await peer.SendPdvAsync(77, command: true, last: true, Echo().ToArray());
        Assert.Equal(AbortReason.InvalidPduParameterValue, (await peer.ReadAbortAsync()).Reason);
    }

    [Fact]
    public async Task C_19_FragmentsOfTwoMessagesInterleavedAreAborted()
    {
        await using TestServer server = await TestServer.StartAsync();
        using RawPeer peer = await RawPeer.AssociateAsync(server);
        await peer.SendPdvAsync(3, command: true, last: true, Store().ToArray());
        await peer.SendPdvAsync(3, command: false, last: false, new byte[100]);
        await peer.SendPdvAsync(1, command: true, last: true, Echo().ToArray());
        Assert.Equal(AbortReason.UnexpectedPduParameter, (await peer.ReadAbortAsync()).Reason);
        Assert.Empty(server.Stored);
    }

    [Fact]
    public async Task C_19_CommandInFragmentsOfOneByteAndManyPdvsInOnePdu()
    {
        await using TestServer server = await TestServer.StartAsync();
        using RawPeer peer = await RawPeer.AssociateAsync(server);
        byte[] command = Store().ToArray();
        for (int i = 0; i < command.Length; i++) await peer.SendPdvAsync(3, command: true, last: i == command.Length - 1, command.AsSpan(i, 1));
        // Three fragments of the data set and an empty last one in one PDU.
        byte[] pdu = new byte[6 + 4 * 6 + 9];
        new PduHeader(PduType.Data, (uint)pdu.Length - 6).Write(pdu);
        int at = 6;
        for (int i = 0; i < 4; i++)
        {
            int length = i < 3 ? 3 : 0;
            new PdvHeader(length, 3, i < 3 ? (byte)0 : (byte)2).Write(pdu.AsSpan(at));
            pdu.AsSpan(at + 6, length).Fill((byte)('a' + i));
            at += 6 + length;
        }
        await peer.SendAsync(pdu);
        Assert.Equal(DimseStatus.Success, (await peer.ReadResponseAsync()).Status);
        Assert.Equal("aaabbbccc", Encoding.ASCII.GetString(Assert.Single(server.Stored).DataSet));
    }

    [Fact]
    public async Task C_21_WrongGroupLengthIsToleratedAndUnknownCommandIsUnrecognizedOperation()
    {
        await using TestServer server = await TestServer.StartAsync();
        using RawPeer peer = await RawPeer.AssociateAsync(server);
        byte[] echo = Echo().ToArray();
        echo[8] = 0xEE;
        await peer.SendPdvAsync(1, command: true, last: true, echo);
        Assert.Equal(DimseStatus.Success, (await peer.ReadResponseAsync()).Status);
        await peer.SendPdvAsync(1, command: true, last: true, (Echo() with { Field = (CommandField)0x0777 }).ToArray());
        CommandSet response = await peer.ReadResponseAsync();
        Assert.Equal(DimseStatus.UnrecognizedOperation, response.Status);
        Assert.Equal((CommandField)0x8777, response.Field);
        await peer.SendPdvAsync(1, command: true, last: true, Echo().ToArray());
        Assert.Equal(DimseStatus.Success, (await peer.ReadResponseAsync()).Status);
    }

    [Fact]
    public async Task C_52_LateCancelIsIgnored()
    {
        await using TestServer server = await TestServer.StartAsync();
        using RawPeer peer = await RawPeer.AssociateAsync(server);
        await peer.SendPdvAsync(1, command: true, last: true, new CommandSet { Field = CommandField.CCancelRequest, MessageIdBeingRespondedTo = 5 }.ToArray());
        await peer.SendPdvAsync(1, command: true, last: true, Echo().ToArray());
        Assert.Equal(DimseStatus.Success, (await peer.ReadResponseAsync()).Status);
    }

    [Fact]
    public async Task DataSetCutOffAtEveryByteStoresNothing()
    {
        await using TestServer server = await TestServer.StartAsync();
        byte[] command = Store().ToArray();
        byte[] dataSet = new byte[60];
        for (int cut = 0; cut < dataSet.Length; cut++)
        {
            using RawPeer peer = await RawPeer.AssociateAsync(server);
            await peer.SendPdvAsync(3, command: true, last: true, command);
            await peer.SendPdvAsync(3, command: false, last: false, dataSet.AsSpan(0, cut));
            peer.ShutdownSend();
            await peer.ReadEndAsync();
        }
        Assert.Empty(server.Stored);
        await AssertServesAsync(server);
    }

    [Fact]
    public async Task C_17_PeerThatConnectsAndSaysNothingIsClosedByArtim()
    {
        await using TestServer server = await TestServer.StartAsync(s_hasty);
        using RawPeer silent = await RawPeer.ConnectAsync(server);
        await silent.ReadEndAsync();
        await server.LogLineAsync("said nothing");
        // A byte now and then does not put ARTIM off: it counts from the connection.
        using RawPeer slow = await RawPeer.ConnectAsync(server);
        await slow.SendAsync(new byte[] { 1 });
        await slow.ReadEndAsync();
    }

    [Fact]
    public async Task C_17_IdleAssociationIsAbortedAfterTheInactivityTimeout()
    {
        await using TestServer server = await TestServer.StartAsync(s_hasty);
        using RawPeer peer = await RawPeer.AssociateAsync(server);
        await peer.ReadAbortAsync();
        await server.LogLineAsync("ReceiveTimeout");
    }

    [Fact]
    public async Task PeerThatStopsInTheMiddleOfADataSetIsAborted()
    {
        await using TestServer server = await TestServer.StartAsync(s_hasty);
        using RawPeer peer = await RawPeer.AssociateAsync(server);
        await peer.SendPdvAsync(3, command: true, last: true, Store().ToArray());
        await peer.SendPdvAsync(3, command: false, last: false, new byte[100]);
        await peer.ReadAbortAsync();
        Assert.Empty(server.Stored);
    }

    [Fact]
    public async Task C_6_AssociationsBeyondTheLimitsAreRejectedAsTransient()
    {
        await using TestServer server = await TestServer.StartAsync(new DimseOptions { MaxAssociations = 3, MaxAssociationsPerAE = 2 });
        using RawPeer first = await RawPeer.AssociateAsync(server, "A"), second = await RawPeer.AssociateAsync(server, "A");
        await AssertRejectedAsync(server, "A");
        using (RawPeer third = await RawPeer.AssociateAsync(server, "B")) await AssertRejectedAsync(server, "C");
        await server.LogLineAsync("ConnectionLost");
        using RawPeer fourth = await RawPeer.AssociateAsync(server, "C");
    }

    [Fact]
    public async Task C_24_IdleAssociationsAreReleasedWhenTheServerStops()
    {
        TestServer server = await TestServer.StartAsync();
        using RawPeer peer = await RawPeer.AssociateAsync(server);
        Task stopping = server.StopAsync(TimeSpan.FromSeconds(20));
        (PduHeader header, byte[] _) = await peer.ReadPduAsync();
        Assert.Equal(PduType.ReleaseRequest, header.Type);
        await peer.SendAsync(PduEncoder.EncodeReleaseResponse());
        await peer.ReadEndAsync();
        peer.ShutdownSend();
        await stopping;
        await server.DisposeAsync();
    }

    [Fact]
    public async Task C_24_RequestUnderWayIsAnsweredBeforeTheRelease()
    {
        var started = new TaskCompletionSource();
        var finish = new TaskCompletionSource();
        TestServer server = await TestServer.StartAsync(store: async (dataSet, _, cancellationToken) =>
        {
            started.SetResult();
            await finish.Task;
            await dataSet.CopyToAsync(Stream.Null, cancellationToken);
            return new Engine.StoreOutcome { Kind = Engine.StoreOutcomeKind.Stored };
        });
        using RawPeer peer = await RawPeer.AssociateAsync(server);
        await peer.SendPdvAsync(3, command: true, last: true, Store().ToArray());
        await peer.SendPdvAsync(3, command: false, last: true, new byte[100]);
        await started.Task;
        Task stopping = server.StopAsync(TimeSpan.FromSeconds(20));
        finish.SetResult();
        Assert.Equal(DimseStatus.Success, (await peer.ReadResponseAsync()).Status);
        await peer.AnswerReleaseAsync();
        await stopping;
        await server.DisposeAsync();
    }

    [Fact]
    public async Task C_24_PeerThatDoesNotAnswerTheReleaseIsAbortedWhenPatienceEnds()
    {
        TestServer server = await TestServer.StartAsync();
        using RawPeer peer = await RawPeer.AssociateAsync(server);
        Task stopping = server.StopAsync(TimeSpan.FromMilliseconds(300));
        Assert.Equal(PduType.ReleaseRequest, (await peer.ReadPduAsync()).Header.Type);
        Assert.Equal(PduType.Abort, (await peer.ReadPduAsync()).Header.Type);
        await peer.ReadEndAsync();
        await stopping;
        await server.DisposeAsync();
    }

    [Fact]
    public async Task PS3_8_ReleaseIsAnsweredAndTheConnectionClosedByThePeer()
    {
        await using TestServer server = await TestServer.StartAsync();
        using RawPeer peer = await RawPeer.AssociateAsync(server);
        await peer.SendAsync(PduEncoder.EncodeReleaseRequest());
        Assert.Equal(PduType.ReleaseResponse, (await peer.ReadPduAsync()).Header.Type);
    }

    [Fact]
    public async Task RandomBytesNeverHangOrKillTheServer()
    {
        await using TestServer server = await TestServer.StartAsync(s_hasty);
        var random = new Random(4711);
        for (int i = 0; i < 60; i++)
        {
            using RawPeer peer = await (i % 2 == 0 ? RawPeer.ConnectAsync(server) : RawPeer.AssociateAsync(server));
            byte[] bytes = new byte[random.Next(1, 3000)];
            random.NextBytes(bytes);
            if (i % 3 == 0) bytes[0] = (byte)random.Next(1, 8);
            try
            {
                await peer.SendAsync(bytes);
            }
            catch (System.Net.Sockets.SocketException)
            {
                // It had enough of us.
            }
        }
        await AssertServesAsync(server);
        Assert.DoesNotContain(server.LogLines, line => line.Contains("fault of ours", StringComparison.Ordinal));
    }

    private static async Task AssertRejectedAsync(TestServer server, string calling)
    {
        using RawPeer peer = await RawPeer.ConnectAsync(server);
        await peer.SendAsync(PduEncoder.Encode(RawPeer.Request(calling)));
        (PduHeader header, byte[] body) = await peer.ReadPduAsync();
        Assert.Equal(PduType.AssociateReject, header.Type);
        Assert.Equal(new AssociateReject(RejectResult.Transient, RejectReason.LocalLimitExceeded), PduDecoder.ReadAssociateReject(body));
    }

    private static async Task AssertServesAsync(TestServer server)
    {
        using RawPeer peer = await RawPeer.AssociateAsync(server);
        await peer.SendPdvAsync(1, command: true, last: true, Echo().ToArray());
        Assert.Equal(DimseStatus.Success, (await peer.ReadResponseAsync()).Status);
    }

    private static CommandSet Echo() => new() { Field = CommandField.CEchoRequest, MessageId = 1, AffectedSopClassUid = WellKnownUids.Verification };

    private static CommandSet Store() => new()
    {
        Field = CommandField.CStoreRequest,
        MessageId = 2,
        AffectedSopClassUid = "1.2.840.10008.5.1.4.1.1.7",
        AffectedSopInstanceUid = "1.2.3",
        HasDataSet = true,
    };
}
