using PacsCluster.Dicom.Network;
using PacsCluster.Engine;
using PacsCluster.Testing;

namespace PacsCluster.Dimse.Tests;

/// <summary>The asynchronous operations window as acceptor (C-12, PS3.7 annex D.3.3.3).</summary>
public sealed class WindowTests
{
    [Theory]
    [InlineData(5, 8, 5)]
    [InlineData(20, 8, 8)]
    [InlineData(0, 8, 8)]
    [InlineData(0, 64, 64)]
    [InlineData(1, 8, 1)]
    [InlineData(5, 1, 1)]
    [InlineData(0, 1, 1)]
    public async Task C_12_TheSmallerWindowIsAnsweredAnd0Is_NoLimit(int proposed, int ours, int answered)
    {
        await using TestServer server = await TestServer.StartAsync(new DimseOptions { OperationsPerformedAtOnce = ours });
        using RawPeer peer = await RawPeer.AssociateAsync(server, window: new AsyncWindow((ushort)proposed, (ushort)proposed));
        Assert.Equal(new AsyncWindow((ushort)answered, 1), peer.Window);
    }

    [Fact]
    public async Task C_12_WithoutAProposalThereIsNoAnswerAndOneOperationAtATime()
    {
        var store = new HeldStore();
        await using TestServer server = await TestServer.StartAsync(store: store.StoreAsync);
        using RawPeer peer = await RawPeer.AssociateAsync(server);
        Assert.Null(peer.Window);
        store.Finish("1.1", "1.2", "1.3");
        for (int i = 1; i <= 3; i++) await peer.SendStoreAsync((ushort)i, $"1.{i}", new byte[100]);
        for (int i = 1; i <= 3; i++) Assert.Equal((ushort)i, (await peer.ReadResponseAsync()).MessageIdBeingRespondedTo);
        Assert.Equal(1, store.Most);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(100)]
    [InlineData(300_000)]
    public async Task NextDataSetsAreTakenInBeforeTheFirstResponseAndResponsesComeAsStoresEnd(int bytes)
    {
        var store = new HeldStore();
        await using TestServer server = await TestServer.StartAsync(store: store.StoreAsync);
        using RawPeer peer = await RawPeer.AssociateAsync(server, window: new AsyncWindow(3, 1));
        for (int i = 1; i <= 3; i++)
        {
            await peer.SendStoreCommandAsync((ushort)(10 * i), $"1.{i}");
            for (int sent = 0; sent < bytes; sent += 10_000) await peer.SendPdvAsync(3, command: false, last: false, new byte[Math.Min(10_000, bytes)]);
            await peer.SendPdvAsync(3, command: false, last: true, []);
        }
        Assert.Equal(["1.1", "1.2", "1.3"], await store.TakenAsync(3));
        Assert.False(peer.HasReceived);
        foreach (int i in (int[])[2, 3, 1])
        {
            store.Finish($"1.{i}");
            CommandSet response = await peer.ReadResponseAsync();
            Assert.Equal((CommandField.CStoreResponse, DimseStatus.Success, (ushort)(10 * i), $"1.{i}"),
                (response.Field, response.Status, response.MessageIdBeingRespondedTo!.Value, response.AffectedSopInstanceUid));
        }
    }

    [Fact]
    public async Task StoresOfOneAssociationShareTheRoundTripsOfASlowStore()
    {
        var trips = new RoundTrips(together: 8);
        await using TestServer server = await TestServer.StartAsync(store: trips.StoreAsync);
        using RawPeer peer = await RawPeer.AssociateAsync(server, window: new AsyncWindow(8, 1));
        await StoreManyAsync(peer, 32, 8);
        Assert.Equal(4, trips.Count);
    }

    [Fact]
    public async Task C_12_APeerOfOthersReadsTheWindowThatIsAnswered()
    {
        string folder = Path.Combine(BlobServers.ProjectRoot(), "tests", "PacsCluster.Dimse.Tests", "node");
        if (!Directory.Exists(Path.Combine(folder, "node_modules", "dcmjs-dimse"))) throw Missing.Because("dcmjs-dimse is not installed: tests/run does npm ci in tests/PacsCluster.Dimse.Tests/node");
        await using TestServer server = await TestServer.StartAsync(new DimseOptions { OperationsPerformedAtOnce = 8 });
        // It negotiates a window, though it sends one request after the other all the same.
        ToolResult result = await Tool.RunAsync("node", ["window.cjs", $"{server.Port}", "12", "20", "PACSCLUSTER"], workingDirectory: folder);
        Assert.Equal($$"""{"answered":[8,1],"statuses":[{{string.Join(',', Enumerable.Repeat(0, 12))}}]}""", result.Output.Trim());
    }

    [Fact]
    public async Task RequestsBeyondTheWindowAreServedInTurnAndNamedInTheLog()
    {
        var store = new HeldStore();
        await using TestServer server = await TestServer.StartAsync(store: store.StoreAsync);
        using RawPeer peer = await RawPeer.AssociateAsync(server, window: new AsyncWindow(2, 1));
        for (int i = 1; i <= 5; i++) await peer.SendStoreAsync((ushort)i, $"1.{i}", new byte[100]);
        Assert.Equal(["1.1", "1.2"], await store.TakenAsync(2));
        for (int i = 1; i <= 5; i++)
        {
            store.Finish($"1.{i}");
            Assert.Equal((ushort)i, (await peer.ReadResponseAsync()).MessageIdBeingRespondedTo);
            if (i <= 3) Assert.Equal([$"1.{i + 2}"], await store.TakenAsync(1));
        }
        Assert.Equal(2, store.Most);
        await server.LogLineAsync("more requests at once than the 2 negotiated");
        Assert.Single(server.LogLines, line => line.Contains("more requests", StringComparison.Ordinal));
    }

    [Fact]
    public async Task PeerThatKeepsToItsWindowIsNotBlamed()
    {
        await using TestServer server = await TestServer.StartAsync();
        using RawPeer peer = await RawPeer.AssociateAsync(server, window: new AsyncWindow(4, 1));
        await StoreManyAsync(peer, 300, 4);
        await peer.SendAsync(PduEncoder.EncodeReleaseRequest());
        Assert.Equal(PduType.ReleaseResponse, (await peer.ReadPduAsync()).Header.Type);
        await server.LogLineAsync("released after 300 requests");
        Assert.DoesNotContain(server.LogLines, line => line.Contains("more requests", StringComparison.Ordinal));
    }

    [Fact]
    public async Task OperationsAheadOfAllAssociationsAreBoundedByTheNumberOfAssociations()
    {
        var store = new HeldStore();
        await using TestServer server = await TestServer.StartAsync(new DimseOptions { MaxAssociations = 2 }, store.StoreAsync);
        using RawPeer first = await RawPeer.AssociateAsync(server, window: new AsyncWindow(8, 1)), second = await RawPeer.AssociateAsync(server, window: new AsyncWindow(8, 1));
        for (int i = 1; i <= 5; i++) await first.SendStoreAsync((ushort)i, $"1.{i}", new byte[100]);
        Assert.Equal(["1.1", "1.2", "1.3"], await store.TakenAsync(3));
        // The first operation of an association always has its place.
        await second.SendStoreAsync(1, "2.1", new byte[100]);
        await second.SendStoreAsync(2, "2.2", new byte[100]);
        Assert.Equal(["2.1"], await store.TakenAsync(1));
        store.Finish("2.1");
        Assert.Equal(DimseStatus.Success, (await second.ReadResponseAsync()).Status);
        Assert.Equal(["2.2"], await store.TakenAsync(1));
        Assert.Equal(4, store.Most);
        store.Finish("1.1", "1.2", "1.3", "1.4", "1.5", "2.2");
        for (int i = 1; i <= 5; i++) Assert.Equal(DimseStatus.Success, (await first.ReadResponseAsync()).Status);
        Assert.Equal(DimseStatus.Success, (await second.ReadResponseAsync()).Status);
        Assert.DoesNotContain(server.LogLines, line => line.Contains("more requests", StringComparison.Ordinal));
    }

    [Fact]
    public async Task EchoAndUnknownCommandAreAnsweredWhileStoresAreUnderWay()
    {
        var store = new HeldStore();
        await using TestServer server = await TestServer.StartAsync(store: store.StoreAsync);
        using RawPeer peer = await RawPeer.AssociateAsync(server, window: new AsyncWindow(4, 1));
        await peer.SendStoreAsync(1, "1.1", new byte[100]);
        await peer.SendEchoAsync(2);
        CommandSet echo = await peer.ReadResponseAsync();
        Assert.Equal((CommandField.CEchoResponse, (ushort)2), (echo.Field, echo.MessageIdBeingRespondedTo!.Value));
        await peer.SendStoreAsync(3, "1.3", new byte[100]);
        await peer.SendPdvAsync(1, command: true, last: true, new CommandSet { Field = (CommandField)0x0777, MessageId = 4 }.ToArray());
        Assert.Equal(DimseStatus.UnrecognizedOperation, (await peer.ReadResponseAsync()).Status);
        await peer.SendPdvAsync(1, command: true, last: true, new CommandSet { Field = CommandField.CCancelRequest, MessageIdBeingRespondedTo = 1 }.ToArray());
        store.Finish("1.3");
        Assert.Equal((ushort)3, (await peer.ReadResponseAsync()).MessageIdBeingRespondedTo);
        store.Finish("1.1");
        Assert.Equal((ushort)1, (await peer.ReadResponseAsync()).MessageIdBeingRespondedTo);
    }

    [Fact]
    public async Task FaultOfOneStoreIsItsOwnAnswer()
    {
        var store = new HeldStore();
        await using TestServer server = await TestServer.StartAsync(store: store.StoreAsync);
        using RawPeer peer = await RawPeer.AssociateAsync(server, window: new AsyncWindow(3, 1));
        for (int i = 1; i <= 3; i++) await peer.SendStoreAsync((ushort)i, $"1.{i}", new byte[100]);
        await store.TakenAsync(3);
        store.Fault("1.2", new InvalidOperationException("a bug"));
        CommandSet failed = await peer.ReadResponseAsync();
        Assert.Equal(((ushort)2, DimseStatus.ProcessingFailure), (failed.MessageIdBeingRespondedTo!.Value, failed.Status!.Value));
        store.Finish("1.1", "1.3");
        Assert.Equal(DimseStatus.Success, (await peer.ReadResponseAsync()).Status);
        Assert.Equal(DimseStatus.Success, (await peer.ReadResponseAsync()).Status);
        await server.LogLineAsync("a bug");
    }

    [Fact]
    public async Task OutcomeBeforeTheDataSetsEndIsAnsweredAfterItAndFaultsToo()
    {
        await using TestServer server = await TestServer.StartAsync(store: (_, origin, _) => origin.AffectedSopInstanceUid == "1.1"
            ? Task.FromResult(new StoreOutcome { Kind = StoreOutcomeKind.OutOfResources, Comment = "no space" })
            : throw new InvalidOperationException("a bug"));
        using RawPeer peer = await RawPeer.AssociateAsync(server, window: new AsyncWindow(3, 1));
        await peer.SendStoreCommandAsync(1, "1.1");
        for (int i = 0; i < 50; i++) await peer.SendPdvAsync(3, command: false, last: i == 49, new byte[10_000]);
        await peer.SendStoreAsync(2, "1.2", new byte[50_000]);
        await peer.SendEchoAsync(3);
        Assert.Equal(DimseStatus.OutOfResources, (await peer.ReadResponseAsync()).Status);
        Assert.Equal(DimseStatus.ProcessingFailure, (await peer.ReadResponseAsync()).Status);
        Assert.Equal(DimseStatus.Success, (await peer.ReadResponseAsync()).Status);
    }

    [Fact]
    public async Task ReleaseIsAnsweredAfterTheResponsesOfAllStoresUnderWay()
    {
        var store = new HeldStore();
        await using TestServer server = await TestServer.StartAsync(store: store.StoreAsync);
        using RawPeer peer = await RawPeer.AssociateAsync(server, window: new AsyncWindow(3, 1));
        await peer.SendStoreAsync(1, "1.1", new byte[100]);
        await peer.SendStoreAsync(2, "1.2", new byte[100]);
        await peer.SendAsync(PduEncoder.EncodeReleaseRequest());
        await store.TakenAsync(2);
        foreach (int i in (int[])[2, 1])
        {
            store.Finish($"1.{i}");
            Assert.Equal((ushort)i, (await peer.ReadResponseAsync()).MessageIdBeingRespondedTo);
        }
        Assert.Equal(PduType.ReleaseResponse, (await peer.ReadPduAsync()).Header.Type);
        peer.ShutdownSend();
        await peer.ReadEndAsync();
        await server.LogLineAsync("released after 2 requests");
    }

    [Theory]
    [InlineData(true, "AbortedByPeer")]
    [InlineData(false, "ConnectionLost")]
    public async Task AfterAnAbortOrALossNothingIsAcknowledgedAndWhatIsHereComesToItsEnd(bool abort, string end)
    {
        var store = new HeldStore();
        await using TestServer server = await TestServer.StartAsync(store: store.StoreAsync);
        using RawPeer peer = await RawPeer.AssociateAsync(server, window: new AsyncWindow(4, 1));
        await peer.SendStoreAsync(1, "1.1", new byte[100]);
        await peer.SendStoreAsync(2, "1.2", new byte[100]);
        await peer.SendStoreCommandAsync(3, "1.3");
        await peer.SendPdvAsync(3, command: false, last: false, new byte[100]);
        await store.TakenAsync(2);
        if (abort) await peer.SendAsync(PduEncoder.Encode(new Abort(AbortSource.ServiceUser, AbortReason.NotSpecified)));
        peer.ShutdownSend();
        Assert.Equal("1.3", await store.BrokenOffAsync());
        store.Finish("1.1", "1.2");
        await peer.ReadEndAsync();
        await server.LogLineAsync($"ended after 0 requests: {end}");
        using RawPeer next = await RawPeer.AssociateAsync(server);
        await next.SendEchoAsync(1);
        Assert.Equal(DimseStatus.Success, (await next.ReadResponseAsync()).Status);
        Assert.DoesNotContain(server.LogLines, line => line.Contains("fault of ours", StringComparison.Ordinal));
    }

    [Fact]
    public async Task PeerThatBreaksTheProtocolIsAbortedWhileStoresAreUnderWay()
    {
        var store = new HeldStore();
        await using TestServer server = await TestServer.StartAsync(store: store.StoreAsync);
        using RawPeer peer = await RawPeer.AssociateAsync(server, window: new AsyncWindow(4, 1));
        await peer.SendStoreAsync(1, "1.1", new byte[100]);
        await peer.SendPdvAsync(77, command: true, last: true, new byte[20]);
        (PduHeader header, byte[] _) = await peer.ReadPduAsync();
        Assert.Equal(PduType.Abort, header.Type);
        store.Finish("1.1");
        await peer.ReadEndAsync();
        await server.LogLineAsync("ProtocolError");
    }

    [Fact]
    public async Task C_24_StoresUnderWayAreAnsweredBeforeTheReleaseOfAStop()
    {
        var store = new HeldStore();
        TestServer server = await TestServer.StartAsync(store: store.StoreAsync);
        using RawPeer peer = await RawPeer.AssociateAsync(server, window: new AsyncWindow(4, 1));
        await peer.SendStoreAsync(1, "1.1", new byte[100]);
        await peer.SendStoreAsync(2, "1.2", new byte[100]);
        await store.TakenAsync(2);
        Task stopping = server.StopAsync(TimeSpan.FromSeconds(20));
        foreach (int i in (int[])[2, 1])
        {
            store.Finish($"1.{i}");
            Assert.Equal((ushort)i, (await peer.ReadResponseAsync()).MessageIdBeingRespondedTo);
        }
        await peer.AnswerReleaseAsync();
        await stopping;
        await server.DisposeAsync();
    }

    [Fact]
    public async Task C_24_StoreThatOutlastsTheHostsPatienceIsNotAcknowledged()
    {
        var store = new HeldStore();
        TestServer server = await TestServer.StartAsync(store: store.StoreAsync);
        using RawPeer peer = await RawPeer.AssociateAsync(server, window: new AsyncWindow(4, 1));
        await peer.SendStoreAsync(1, "1.1", new byte[100]);
        await store.TakenAsync(1);
        Task stopping = server.StopAsync(TimeSpan.FromMilliseconds(300));
        Assert.Equal(PduType.Abort, (await peer.ReadPduAsync()).Header.Type);
        store.Finish("1.1");
        await peer.ReadEndAsync();
        await stopping;
        await server.DisposeAsync();
    }

    [Fact]
    public async Task C_17_PeerThatWaitsForItsResponsesIsNotIdleAndAfterThemItIs()
    {
        var store = new HeldStore();
        var time = new ManualTime(DateTimeOffset.UnixEpoch);
        await using TestServer server = await TestServer.StartAsync(store: store.StoreAsync, time: time);
        using RawPeer peer = await RawPeer.AssociateAsync(server, window: new AsyncWindow(4, 1));
        await peer.SendStoreAsync(1, "1.1", new byte[100]);
        await store.TakenAsync(1);
        for (int i = 0; i < 20; i++)
        {
            time.Advance(TimeSpan.FromMinutes(11));
            await Task.Yield();
        }
        store.Finish("1.1");
        Assert.Equal(DimseStatus.Success, (await peer.ReadResponseAsync()).Status);
        // In steps far shorter than what the server has for sending: it may not be done with its answer, though the peer has it. And none once it has noticed, for it sends an abort then.
        Task noticed = server.LogLineAsync("ReceiveTimeout");
        while (!noticed.IsCompleted)
        {
            time.Advance(TimeSpan.FromSeconds(1));
            await Task.WhenAny(noticed, Task.Delay(1, TestContext.Current.CancellationToken));
        }
        await noticed;
        await peer.ReadAbortAsync();
    }

    [Theory]
    [InlineData(0)]
    [InlineData(65)]
    public void WindowOutOfRangeIsNamed(int operations) =>
        Assert.Contains("OperationsPerformedAtOnce", Assert.Single(new DimseOptions { OperationsPerformedAtOnce = operations }.Validate()), StringComparison.Ordinal);

    /// <summary>Sends stores with as many outstanding as the window has, and reads their responses; each is answered once and well.</summary>
    private static async Task StoreManyAsync(RawPeer peer, int count, int window)
    {
        var outstanding = new HashSet<ushort>();
        for (int sent = 0; sent < count || outstanding.Count > 0;)
        {
            while (sent < count && outstanding.Count < window)
            {
                ushort id = (ushort)++sent;
                outstanding.Add(id);
                await peer.SendStoreAsync(id, $"1.{id}", new byte[200]);
            }
            CommandSet response = await peer.ReadResponseAsync();
            Assert.True(outstanding.Remove(response.MessageIdBeingRespondedTo!.Value));
            Assert.Equal((DimseStatus.Success, $"1.{response.MessageIdBeingRespondedTo}"), (response.Status!.Value, response.AffectedSopInstanceUid));
        }
    }
}
