using PacsCluster.Dicom;
using PacsCluster.Dicom.Network;
using PacsCluster.Testing;

namespace PacsCluster.Dimse.Tests.QueryRetrieve;

public sealed class GetTests(RetrievePopulation population) : IClassFixture<RetrievePopulation>
{
    private const string Ct = "1.2.840.10008.5.1.4.1.1.2";
    private const string Mr = "1.2.840.10008.5.1.4.1.1.4";

    [Fact]
    public async Task C_56_getscu_gets_a_deflated_instance_inflated()
    {
        using var folder = new TempFolder();
        ToolResult result = await GetscuAsync(folder, "-v", "QueryRetrieveLevel=STUDY", "StudyInstanceUID=" + RetrievePopulation.Deflated);
        Assert.True(result.ExitCode == 0, result.Output);
        await population.AssertSameAsync(folder.Path, 1);
        ToolResult dump = await Tool.RunAsync("dcmdump", ["+P", "0002,0010", .. Directory.GetFiles(folder.Path)]);
        Assert.Contains("=LittleEndianExplicit", dump.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task C_56_getscu_gets_the_study_of_fifty()
    {
        using var folder = new TempFolder();
        ToolResult result = await GetscuAsync(folder, "-v", "QueryRetrieveLevel=STUDY", "StudyInstanceUID=" + RetrievePopulation.Fifty);
        Assert.Contains("Success", result.Output, StringComparison.Ordinal);
        await population.AssertSameAsync(folder.Path, 50);
    }

    [Fact]
    public async Task C_56_getscu_gets_compressed_instances_decompressed()
    {
        using var folder = new TempFolder();
        ToolResult result = await GetscuAsync(folder, "-d", "QueryRetrieveLevel=STUDY", "StudyInstanceUID=" + RetrievePopulation.Mixed);
        Assert.True(result.ExitCode == 0, result.Output);
        RetrievePopulation.AssertSamePixels(folder.Path, 9);
    }

    [Fact]
    public async Task C_13_without_the_SCP_role_nothing_is_sent_and_all_fail()
    {
        (DimseResponse final, List<CommandSet> requests, _) = await GetAsync(role: false, _ => DimseStatus.Success, RetrievePopulation.Mixed);
        Assert.Empty(requests);
        Assert.Equal(DimseStatus.UnableToPerformSuboperations, final.Status);
        Assert.Equal((ushort)9, final.Command.Failed);
        Assert.Equal(9, final.Identifier!.GetStrings(SubOperations.FailedSopInstanceUidList).Length);
    }

    [Fact]
    public async Task C_56_statuses_of_sub_operations_are_counted()
    {
        int n = 0;
        (DimseResponse final, List<CommandSet> requests, _) = await GetAsync(role: true, _ => ++n == 1 ? DimseStatus.OutOfResources : n == 2 ? DimseStatus.CoercionOfDataElements : DimseStatus.Success, RetrievePopulation.Mixed);
        Assert.Equal(9, requests.Count);
        Assert.Equal(DimseStatus.SuboperationsCompleteWithFailures, final.Status);
        Assert.Equal(((ushort?)7, (ushort?)1, (ushort?)1), (final.Command.Completed, final.Command.Failed, final.Command.Warning));
        string[] failed = final.Identifier!.GetStrings(SubOperations.FailedSopInstanceUidList);
        Assert.Contains(requests[0].AffectedSopInstanceUid, failed);
        Assert.DoesNotContain(requests[1].AffectedSopInstanceUid, failed);
    }

    [Fact]
    public async Task C_52_a_cancelled_get_stops_and_tells_what_remains()
    {
        using var cancel = new CancellationTokenSource();
        int n = 0;
        (DimseResponse final, List<CommandSet> requests, _) = await GetAsync(role: true, _ =>
        {
            if (++n == 7) cancel.Cancel();
            return DimseStatus.Success;
        }, RetrievePopulation.Fifty, Ct, cancel);
        Assert.Equal(DimseStatus.Cancel, final.Status);
        Assert.Equal(50, final.Command.Remaining + final.Command.Completed);
        Assert.Equal(requests.Count, (int)final.Command.Completed!.Value);
        Assert.InRange(requests.Count, 7, 12);
    }

    [Fact]
    public async Task C_53_pending_responses_come_between_the_instances()
    {
        (DimseResponse final, _, List<CommandSet> pending) = await GetAsync(role: true, _ => DimseStatus.Success, RetrievePopulation.Fifty, Ct);
        Assert.Equal(DimseStatus.Success, final.Status);
        Assert.Equal(["40:10", "30:20", "20:30", "10:40"], pending.Select(response => $"{response.Remaining}:{response.Completed}"));
    }

    [Fact]
    public async Task A_missing_blob_fails_by_itself()
    {
        await using ArchiveServer server = await ArchiveServer.StartAsync();
        for (int i = 1; i <= 3; i++) await server.StoreAsync(Corpus.File($"dcm_qa_ts/In/{i}.dcm"));
        StoredBlob.In(server.BlobFolder)[0].Remove();
        (DimseResponse final, List<CommandSet> requests, _) = await GetAsync(role: true, _ => DimseStatus.Success, RetrievePopulation.Mixed, server: server);
        Assert.Equal(2, requests.Count);
        Assert.Equal(((ushort?)2, (ushort?)1), (final.Command.Completed, final.Command.Failed));
    }

    [Fact]
    public async Task C_20_a_requestor_that_stops_reading_is_aborted_and_nobody_else()
    {
        await using ArchiveServer server = await ArchiveServer.StartAsync(new DimseOptions { SocketBufferBytes = 32 * 1024, Timeouts = new DimseTimeouts { Send = TimeSpan.FromMilliseconds(500) } });
        await server.StoreAsync(Corpus.File("dicompyler/tests/testdata/example_data/rtss.dcm"));
        const string Rtss = "1.2.840.10008.5.1.4.1.1.481.3";
        await using DimseClient client = await DimseClient.ConnectAsync(server.Peer, ContextPlan.For(WellKnownUids.StudyRootGet, Rtss),
            new DimseClientOptions { SocketBufferBytes = 32 * 1024, Roles = [new RoleSelection(Rtss, Scu: false, Scp: true)] }, CancellationToken.None);
        var deaf = new TaskCompletionSource();
        Task<DimseResponse> getting = client.GetAsync(WellKnownUids.StudyRootGet, FindTests.Identifier(["QueryRetrieveLevel=STUDY", "StudyInstanceUID=" + RetrievePopulation.Radiotherapy]),
            async (_, _, _, _) =>
            {
                await deaf.Task;
                return DimseStatus.Success;
            }, null, CancellationToken.None);
        await Task.Delay(1500, TestContext.Current.CancellationToken);
        await using (DimseClient other = await DimseClient.ConnectAsync(server.Peer, ContextPlan.For(WellKnownUids.Verification), new DimseClientOptions(), CancellationToken.None))
        {
            Assert.Equal(DimseStatus.Success, await other.EchoAsync(CancellationToken.None));
        }
        deaf.SetResult();
        await Assert.ThrowsAsync<AssociationEndedException>(() => getting);
    }

    private async Task<(DimseResponse Final, List<CommandSet> Requests, List<CommandSet> Pending)> GetAsync(
        bool role, Func<CommandSet, ushort> answer, string study, string sopClass = Mr, CancellationTokenSource? cancel = null, ArchiveServer? server = null)
    {
        var requests = new List<CommandSet>();
        var pending = new List<CommandSet>();
        await using DimseClient client = await DimseClient.ConnectAsync((server ?? population.Server).Peer, ContextPlan.For(WellKnownUids.StudyRootGet, sopClass),
            new DimseClientOptions { Roles = role ? [new RoleSelection(sopClass, Scu: false, Scp: true)] : [] }, CancellationToken.None);
        DimseResponse final = await client.GetAsync(WellKnownUids.StudyRootGet, FindTests.Identifier(["QueryRetrieveLevel=STUDY", "StudyInstanceUID=" + study]),
            async (command, context, dataSet, token) =>
            {
                using var bytes = new MemoryStream();
                await dataSet.CopyToAsync(bytes, token);
                Assert.Equal(command.AffectedSopInstanceUid, DataSet.Read(bytes.ToArray(), context.TransferSyntax).GetString(new Tag(0x0008_0018)));
                requests.Add(command);
                return answer(command);
            }, pending.Add, cancel?.Token ?? CancellationToken.None);
        return (final, requests, pending);
    }

    private Task<ToolResult> GetscuAsync(TempFolder folder, string option, params string[] keys) => Tool.RunAsync("getscu",
        [.. option.Length > 0 ? [option] : Array.Empty<string>(), "-S", "-aec", "PACSCLUSTER", "-od", folder.Path, .. keys.SelectMany(key => new[] { "-k", key }),
            "127.0.0.1", $"{population.Server.Port}"]);
}
