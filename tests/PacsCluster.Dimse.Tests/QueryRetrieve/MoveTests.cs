using System.Net;
using System.Net.Sockets;
using PacsCluster.Dicom;
using PacsCluster.Dicom.Network;
using PacsCluster.Testing;

namespace PacsCluster.Dimse.Tests.QueryRetrieve;

public sealed class MoveTests(RetrievePopulation population) : IClassFixture<RetrievePopulation>
{
    [Fact]
    public async Task C_53_movescu_as_its_own_destination_gets_what_was_stored()
    {
        using var folder = new TempFolder();
        ToolResult result = await MovescuAsync("-S", "DEST0", ["+P", $"{population.Ports[0]}", "-od", folder.Path],
            "QueryRetrieveLevel=STUDY", "StudyInstanceUID=" + RetrievePopulation.Radiotherapy);
        Assert.Contains("Received Final Move Response (Success)", result.Output, StringComparison.Ordinal);
        await population.AssertSameAsync(folder.Path, 3);
    }

    [Fact]
    public async Task C_39_storescp_that_takes_everything_gets_every_transfer_syntax_as_stored()
    {
        using StoreScpProcess scp = await population.StartStoreScpAsync(1, "+xa");
        (DimseResponse final, List<CommandSet> pending) = await MoveAsync("DEST1", "QueryRetrieveLevel=STUDY", "StudyInstanceUID=" + RetrievePopulation.Mixed);
        AssertFinal(final, DimseStatus.Success, completed: 9, failed: 0);
        Assert.All(pending, response => Assert.Equal(9, response.Remaining + response.Completed));
        await population.AssertSameAsync(scp.Folder, 9);
        string[] syntaxes = await TransferSyntaxesAsync(scp.Folder);
        Assert.Equal(["BigEndianExplicit", "JPEG2000LosslessOnly", "JPEGLSLossless", "JPEGLSLossless", "LittleEndianExplicit", "LittleEndianImplicit", "RLELossless"],
            syntaxes.Where(name => !name.StartsWith("JPEGLossless", StringComparison.Ordinal)).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task C_53_compressed_instances_are_decompressed_for_who_takes_none()
    {
        using StoreScpProcess scp = await population.StartStoreScpAsync(2, "+xi");
        (DimseResponse final, _) = await MoveAsync("DEST2", "QueryRetrieveLevel=STUDY", "StudyInstanceUID=" + RetrievePopulation.Mixed);
        AssertFinal(final, DimseStatus.Success, completed: 9, failed: 0);
        RetrievePopulation.AssertSamePixels(scp.Folder, 9);
        Assert.Equal(["LittleEndianImplicit"], (await TransferSyntaxesAsync(scp.Folder)).Distinct());
    }

    [Fact]
    public async Task C_39_a_deflated_instance_is_inflated_for_who_does_not_take_it()
    {
        using StoreScpProcess scp = await population.StartStoreScpAsync(3, "+xe");
        (DimseResponse final, _) = await MoveAsync("DEST3", "QueryRetrieveLevel=STUDY", "StudyInstanceUID=" + RetrievePopulation.Deflated);
        AssertFinal(final, DimseStatus.Success, completed: 1, failed: 0);
        await population.AssertSameAsync(scp.Folder, 1);
        Assert.DoesNotContain("Deflated", string.Concat(await TransferSyntaxesAsync(scp.Folder)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task C_40_sub_operations_say_who_asked_and_pending_responses_count()
    {
        var received = new System.Collections.Concurrent.ConcurrentQueue<(string? Originator, ushort? Message)>();
        (DimseResponse final, List<CommandSet> pending) = await MoveToOwnScpAsync(4, (command, _) => received.Enqueue((command.MoveOriginatorAETitle, command.MoveOriginatorMessageId)),
            "QueryRetrieveLevel=STUDY", "StudyInstanceUID=" + RetrievePopulation.Fifty);
        AssertFinal(final, DimseStatus.Success, completed: 50, failed: 0);
        Assert.Equal(50, received.Count);
        Assert.Equal([("MOVER", 1)], received.Distinct());
        Assert.Equal(["40:10", "30:20", "20:30", "10:40"], pending.Select(response => $"{response.Remaining}:{response.Completed}"));
    }

    [Theory]
    [InlineData("MOVER", "UNKNOWN", 0xA801)]
    [InlineData("MOVER", "NOHOST", 0xA801)]
    [InlineData("NARROW", "DEST2", 0x0124)]
    public async Task C_54_unknown_and_forbidden_destinations_are_refused(string calling, string destination, int status)
    {
        (DimseResponse final, _) = await MoveAsAsync(calling, destination, "QueryRetrieveLevel=STUDY", "StudyInstanceUID=" + RetrievePopulation.Fifty);
        Assert.Equal((ushort)status, final.Status);
        Assert.NotNull(final.Command.ErrorComment);
    }

    [Fact]
    public async Task C_53_no_match_is_success_with_zero_counters_and_needs_no_destination_to_be_there()
    {
        (DimseResponse final, List<CommandSet> pending) = await MoveAsync("DEST9", "QueryRetrieveLevel=STUDY", "StudyInstanceUID=1.2.3.4");
        AssertFinal(final, DimseStatus.Success, completed: 0, failed: 0);
        Assert.Null(final.Command.Remaining);
        Assert.Empty(pending);
    }

    [Fact]
    public async Task C_53_a_destination_that_is_not_there_fails_all()
    {
        (DimseResponse final, _) = await MoveAsync("DEST9", "QueryRetrieveLevel=STUDY", "StudyInstanceUID=" + RetrievePopulation.Radiotherapy);
        AssertFinal(final, DimseStatus.UnableToPerformSuboperations, completed: 0, failed: 3);
        Assert.Equal(3, final.Identifier!.GetStrings(SubOperations.FailedSopInstanceUidList).Length);
    }

    [Theory]
    [InlineData("SERIES", "StudyInstanceUID={0}", "SeriesInstanceUID={1}", 3)]
    [InlineData("STUDY", "StudyInstanceUID={0}\\1.2.3", "", 3)]
    [InlineData("IMAGE", "StudyInstanceUID={0}", "SeriesInstanceUID={1}", -1)]
    public async Task C_55_levels_and_lists_of_UID(string level, string study, string series, int count)
    {
        // Each of the three is a series of its own.
        const string Ct = "2.16.840.1.113662.2.12.0.3057.1241703565.43";
        string[] keys = [$"QueryRetrieveLevel={level}", string.Format(null, study, RetrievePopulation.Radiotherapy)];
        if (series.Length > 0) keys = [.. keys, string.Format(null, series, RetrievePopulation.Radiotherapy, Ct)];
        if (level == "IMAGE") keys = [.. keys, "SOPInstanceUID=2.16.840.1.113662.2.12.0.3057.1241703565.44\\1.2.3"];
        int received = 0;
        (DimseResponse final, _) = await MoveToOwnScpAsync(5, (_, _) => received++, keys);
        int expected = level == "STUDY" ? count : 1;
        AssertFinal(final, DimseStatus.Success, expected, failed: 0);
        Assert.Equal(expected, received);
    }

    [Theory]
    [InlineData("QueryRetrieveLevel=SERIES", "SeriesInstanceUID=1.2")]
    [InlineData("QueryRetrieveLevel=IMAGE", "StudyInstanceUID=1.2", "SOPInstanceUID=1.2")]
    [InlineData("QueryRetrieveLevel=STUDY")]
    [InlineData("StudyInstanceUID=1.2")]
    public async Task C_41_retrieve_identifiers_without_their_unique_keys_are_A900(params string[] keys)
    {
        (DimseResponse final, _) = await MoveAsync("DEST9", keys);
        Assert.Equal(DimseStatus.DataSetDoesNotMatchSopClass, final.Status);
        Assert.NotNull(final.Command.OffendingElements);
    }

    [Fact]
    public async Task C_52_a_cancelled_move_stops_and_tells_what_remains()
    {
        using var cancel = new CancellationTokenSource();
        int received = 0;
        (DimseResponse final, _) = await MoveToOwnScpAsync(6, (_, _) =>
        {
            if (++received == 5) cancel.Cancel();
            // Gives the C-CANCEL the time that it needs on the other association.
            if (received > 5) Thread.SpinWait(2_000_000);
        }, cancel.Token, "QueryRetrieveLevel=STUDY", "StudyInstanceUID=" + RetrievePopulation.Fifty);
        Assert.Equal(DimseStatus.Cancel, final.Status);
        Assert.Equal(50, final.Command.Remaining + final.Command.Completed);
        Assert.InRange(final.Command.Remaining!.Value, 1, 45);
        Assert.Equal(received, (int)final.Command.Completed!.Value);
    }

    [Fact]
    public async Task C_53_pending_responses_come_at_the_interval_while_a_destination_is_slow()
    {
        int received = 0;
        (DimseResponse final, List<CommandSet> pending) = await MoveToOwnScpAsync(4, async (_, _) =>
        {
            if (++received == 1) await Task.Delay(2500, TestContext.Current.CancellationToken);
        }, CancellationToken.None, "QueryRetrieveLevel=STUDY", "StudyInstanceUID=" + RetrievePopulation.Radiotherapy);
        AssertFinal(final, DimseStatus.Success, completed: 3, failed: 0);
        Assert.Contains(pending, response => response.Remaining == 3);
    }

    [Fact]
    public async Task C_54_a_destination_gets_as_many_associations_at_once_as_it_may_and_the_other_moves_wait()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        int port = ((IPEndPoint)listener.LocalEndpoint).Port;
        await using ArchiveServer server = await ArchiveServer.StartAsync(new DimseOptions { KnownAEs = [new KnownAE { AETitle = "SMALL", Host = "127.0.0.1", Port = port, MaxSendAssociations = 1 }] });
        await server.StoreAsync(Corpus.File("dicompyler/tests/testdata/example_data/ct.0.dcm"));
        await server.StoreAsync(Corpus.File("dicompyler/tests/testdata/example_data/rtplan.dcm"));
        var open = new System.Collections.Concurrent.ConcurrentDictionary<DimseConnection, bool>();
        int most = 0, stores = 0;
        using var stop = new CancellationTokenSource();
        Task serving = ServeAsync(listener, async (_, connection) =>
        {
            open[connection] = true;
            most = Math.Max(most, open.Count);
            await Task.Delay(50, CancellationToken.None);
            // Two instances an association: after the second one its turn may end at any moment.
            if (Interlocked.Increment(ref stores) % 2 == 0) open.Clear();
        }, stop.Token);
        DimseResponse[] finals = await Task.WhenAll(Enumerable.Range(0, 3).Select(async _ =>
        {
            await using DimseClient client = await DimseClient.ConnectAsync(server.Peer, ContextPlan.For(WellKnownUids.StudyRootMove), new DimseClientOptions(), CancellationToken.None);
            DataSet identifier = FindTests.Identifier(["QueryRetrieveLevel=STUDY", "StudyInstanceUID=" + RetrievePopulation.Radiotherapy]);
            return await client.MoveAsync(WellKnownUids.StudyRootMove, identifier, "SMALL", null, CancellationToken.None);
        }));
        await stop.CancelAsync();
        await serving;
        Assert.All(finals, final => AssertFinal(final, DimseStatus.Success, completed: 2, failed: 0));
        Assert.Equal((1, 6), (most, stores));
    }

    [Fact]
    public async Task C_54_a_lost_association_is_opened_again_and_goes_on_where_it_broke()
    {
        int accepted = 0, received = 0;
        (DimseResponse final, _) = await MoveToOwnScpAsync(7, (_, connection) =>
        {
            if (++received == 20) connection.Cut(AssociationEnd.AbortedByUs);
            accepted = Math.Max(accepted, received);
        }, "QueryRetrieveLevel=STUDY", "StudyInstanceUID=" + RetrievePopulation.Fifty);
        AssertFinal(final, DimseStatus.Success, completed: 50, failed: 0);
        Assert.Equal(51, received); // the one under way came twice
    }

    [Fact]
    public async Task C_53_a_destination_that_aborts_every_time_fails_the_rest_with_right_counters()
    {
        using StoreScpProcess scp = await population.StartStoreScpAsync(8, "--abort-after");
        (DimseResponse final, _) = await MoveAsync("DEST8", "QueryRetrieveLevel=STUDY", "StudyInstanceUID=" + RetrievePopulation.Radiotherapy);
        AssertFinal(final, DimseStatus.UnableToPerformSuboperations, completed: 0, failed: 3);
    }

    [Fact]
    public async Task C_20_a_destination_that_stops_reading_costs_its_own_move_only()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        int port = ((IPEndPoint)listener.LocalEndpoint).Port;
        await using ArchiveServer server = await ArchiveServer.StartAsync(new DimseOptions
        {
            KnownAEs = [new KnownAE { AETitle = "DEAF", Host = "127.0.0.1", Port = port }],
            SocketBufferBytes = 64 * 1024,
            Timeouts = new DimseTimeouts { Send = TimeSpan.FromMilliseconds(500), Response = TimeSpan.FromSeconds(2) },
            QueryRetrieve = new QueryRetrieveOptions { MoveReconnects = 0 },
        });
        await server.StoreAsync(Corpus.File("dicompyler/tests/testdata/example_data/rtss.dcm"));
        await server.StoreAsync(Corpus.File("dicompyler/tests/testdata/example_data/ct.0.dcm"));
        Task deaf = AcceptAndStopReadingAsync(listener);
        await using DimseClient mover = await DimseClient.ConnectAsync(server.Peer, ContextPlan.For(WellKnownUids.StudyRootMove, WellKnownUids.Verification), new DimseClientOptions(), CancellationToken.None);
        DataSet identifier = FindTests.Identifier(["QueryRetrieveLevel=STUDY", "StudyInstanceUID=" + RetrievePopulation.Radiotherapy]);
        Task<DimseResponse> moving = mover.MoveAsync(WellKnownUids.StudyRootMove, identifier, "DEAF", null, CancellationToken.None);
        await using (DimseClient other = await DimseClient.ConnectAsync(server.Peer, ContextPlan.For(WellKnownUids.Verification), new DimseClientOptions(), CancellationToken.None))
        {
            Assert.Equal(DimseStatus.Success, await other.EchoAsync(CancellationToken.None));
        }
        DimseResponse final = await moving.WaitAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken);
        AssertFinal(final, DimseStatus.UnableToPerformSuboperations, completed: 0, failed: 2);
        Assert.Equal(DimseStatus.Success, await mover.EchoAsync(CancellationToken.None));
        await deaf;
    }

    /// <summary>Accepts one association in order, then never reads again until the peer closes.</summary>
    private static async Task AcceptAndStopReadingAsync(TcpListener listener)
    {
        using Socket socket = await listener.AcceptSocketAsync(TestContext.Current.CancellationToken);
        socket.ReceiveBufferSize = 16 * 1024;
        byte[] header = new byte[6];
        for (int got = 0; got < 6;) got += await socket.ReceiveAsync(header.AsMemory(got));
        byte[] body = new byte[PduHeader.Read(header).Length];
        for (int got = 0; got < body.Length;) got += await socket.ReceiveAsync(body.AsMemory(got));
        AssociateRequest request = PduDecoder.ReadAssociateRequest(body);
        await socket.SendAsync(PduEncoder.Encode(new AssociateAccept
        {
            CalledAETitle = request.CalledAETitle,
            CallingAETitle = request.CallingAETitle,
            Contexts = [.. request.Contexts.Select(context => new AnsweredContext(context.Id, ContextResult.Accepted, context.TransferSyntaxes[0]))],
            User = new UserInformation { MaxPduLength = 16384 },
        }));
        // The peer's reset does not show on a socket that nobody reads; its state does.
        for (int i = 0; i < 200 && IsEstablished(((IPEndPoint)socket.LocalEndPoint!).Port); i++) await Task.Delay(100, TestContext.Current.CancellationToken);
    }

    private static bool IsEstablished(int port) => File.ReadLines("/proc/net/tcp").Any(line =>
    {
        string[] fields = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return fields.Length > 3 && fields[1].EndsWith($":{port:X4}", StringComparison.Ordinal) && fields[3] == "01";
    });

    private static void AssertFinal(DimseResponse final, ushort status, int completed, int failed)
    {
        Assert.Equal((status.ToString("X4", null), completed, failed),
            (final.Status.ToString("X4", null), final.Command.Completed ?? -1, final.Command.Failed ?? -1));
        Assert.Equal(failed > 0, final.Identifier is not null);
    }

    private static async Task<string[]> TransferSyntaxesAsync(string folder)
    {
        ToolResult dump = await Tool.RunAsync("dcmdump", ["+P", "0002,0010", .. Directory.GetFiles(folder)]);
        return [.. dump.Output.Split('\n').Where(line => line.Contains("(0002,0010)", StringComparison.Ordinal)).Select(line => line.Split('=')[1].Split(' ')[0])];
    }

    private async Task<ToolResult> MovescuAsync(string model, string destination, string[] options, params string[] keys) => await Tool.RunAsync("movescu",
        ["-v", model, "-aec", "PACSCLUSTER", "-aet", destination, "-aem", destination, .. options, .. keys.SelectMany(key => new[] { "-k", key }), "127.0.0.1", $"{population.Server.Port}"]);

    private Task<(DimseResponse Final, List<CommandSet> Pending)> MoveAsync(string destination, params string[] keys) => MoveAsAsync("MOVER", destination, keys);

    private async Task<(DimseResponse Final, List<CommandSet> Pending)> MoveAsAsync(string calling, string destination, params string[] keys)
    {
        var pending = new List<CommandSet>();
        await using DimseClient client = await DimseClient.ConnectAsync(population.Server.Peer, ContextPlan.For(WellKnownUids.StudyRootMove),
            new DimseClientOptions { CallingAETitle = calling }, CancellationToken.None);
        DimseResponse final = await client.MoveAsync(WellKnownUids.StudyRootMove, FindTests.Identifier(keys), destination, pending.Add, CancellationToken.None);
        return (final, pending);
    }

    private Task<(DimseResponse Final, List<CommandSet> Pending)> MoveToOwnScpAsync(int destination, Action<CommandSet, DimseConnection> received, params string[] keys) =>
        MoveToOwnScpAsync(destination, received, CancellationToken.None, keys);

    private Task<(DimseResponse Final, List<CommandSet> Pending)> MoveToOwnScpAsync(
        int destination, Action<CommandSet, DimseConnection> received, CancellationToken cancel, params string[] keys) =>
        MoveToOwnScpAsync(destination, (command, connection) =>
        {
            received(command, connection);
            return Task.CompletedTask;
        }, cancel, keys);

    /// <summary>Moves to an SCP of the test's own, which says 0000 to all and shows each request.</summary>
    private async Task<(DimseResponse Final, List<CommandSet> Pending)> MoveToOwnScpAsync(
        int destination, Func<CommandSet, DimseConnection, Task> received, CancellationToken cancel, params string[] keys)
    {
        using var listener = new TcpListener(IPAddress.Loopback, population.Ports[destination]);
        listener.Start();
        using var stop = new CancellationTokenSource();
        Task serving = ServeAsync(listener, received, stop.Token);
        var pending = new List<CommandSet>();
        await using DimseClient client = await DimseClient.ConnectAsync(population.Server.Peer, ContextPlan.For(WellKnownUids.StudyRootMove),
            new DimseClientOptions { CallingAETitle = "MOVER" }, CancellationToken.None);
        DimseResponse final = await client.MoveAsync(WellKnownUids.StudyRootMove, FindTests.Identifier(keys), $"DEST{destination}", pending.Add, cancel);
        await stop.CancelAsync();
        await serving;
        return (final, pending);
    }

    /// <summary>Accepts associations, several at once, until stopped.</summary>
    private static async Task ServeAsync(TcpListener listener, Func<CommandSet, DimseConnection, Task> received, CancellationToken stop)
    {
        var open = new List<Task>();
        try
        {
            while (true) open.Add(ServeOneAsync(await listener.AcceptSocketAsync(stop), received));
        }
        catch (OperationCanceledException)
        {
            await Task.WhenAll(open);
        }
    }

    private static async Task ServeOneAsync(Socket socket, Func<CommandSet, DimseConnection, Task> received)
    {
        try
        {
            var settings = new DimseConnectionSettings("T", "127.0.0.1", IsRequestor: false, 64 * 1024, 1024 * 1024, new DimseTimeouts(), TimeProvider.System);
            await using var connection = new DimseConnection(new DicomSocketStream(socket, 0), settings);
            AssociateRequest request = await connection.ReceiveAssociateAsync();
            await connection.AcceptAsync(request, AssociationPolicy.Decide(request, new AcceptorRules
            {
                AcceptsCalled = _ => true,
                AcceptsCalling = _ => true,
                FindRule = _ => new AbstractSyntaxRule { AcceptsTransferSyntax = _ => true },
                MaxPduBytes = 64 * 1024,
            }));
            while (await connection.ReadCommandAsync(TimeSpan.FromSeconds(30)) is { } message)
            {
                await connection.DrainDataSetAsync();
                await received(message.Command, connection);
                await connection.SendAsync(message.Context.Id, message.Command.Respond(DimseStatus.Success));
            }
        }
        catch (AssociationEndedException)
        {
            // Cut by the test, or lost: the next association comes.
        }
    }
}
