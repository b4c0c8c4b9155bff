using System.Reflection;
using PacsCluster.Catalog;
using PacsCluster.Dicom;
using PacsCluster.Dicom.Network;
using PacsCluster.Testing;

namespace PacsCluster.Dimse.Tests.QueryRetrieve;

public sealed class FindLimitTests
{
    private const string Peter = "PatientID=98890234";

    [Fact]
    public async Task C_51_more_matches_than_the_limit_are_A700_with_a_comment_after_the_limit()
    {
        await using ArchiveServer server = await StartAsync(3);
        await using DimseClient client = await ConnectAsync(server);
        List<DimseResponse> responses = await FindAsync(client);
        Assert.Equal(4, responses.Count);
        Assert.Equal(DimseStatus.OutOfResources, responses[^1].Status);
        Assert.Contains("3", responses[^1].Command.ErrorComment, StringComparison.Ordinal);
        Assert.Null(responses[^1].Identifier);
    }

    [Fact]
    public async Task C_51_as_many_matches_as_the_limit_are_a_success()
    {
        await using ArchiveServer server = await StartAsync(4);
        await using DimseClient client = await ConnectAsync(server);
        List<DimseResponse> responses = await FindAsync(client);
        Assert.Equal((5, DimseStatus.Success), (responses.Count, responses[^1].Status));
    }

    [Fact]
    public async Task C_52_findscu_cancels_a_slow_query_and_hears_FE00_at_once()
    {
        await using ArchiveServer server = await StartAsync(100, StallingCatalog.After(2));
        ToolResult result = await Tool.RunAsync("findscu",
            ["-d", "-S", "-aec", "PACSCLUSTER", "--cancel", "1", "-k", "QueryRetrieveLevel=STUDY", "-k", Peter, "-k", "StudyInstanceUID", "127.0.0.1", $"{server.Port}"], 30);
        Assert.Contains("0xfe00", result.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task C_51_what_a_slow_cursor_has_given_is_not_held_back()
    {
        await using ArchiveServer server = await StartAsync(100, StallingCatalog.After(2));
        await using DimseClient client = await ConnectAsync(server);
        int n = 0;
        await foreach (DimseResponse response in client.FindAsync(WellKnownUids.StudyRootFind, FindTests.Identifier(["QueryRetrieveLevel=STUDY", Peter]), CancellationToken.None))
        {
            Assert.Equal(StatusCategory.Pending, DimseStatus.Categorize(response.Status));
            if (++n == 2) break; // leaving cancels, and waits for the final response
        }
        Assert.Equal(2, n);
        Assert.True(client.IsOpen);
    }

    [Fact]
    public async Task C_52_a_late_cancel_is_ignored()
    {
        await using ArchiveServer server = await StartAsync(100);
        await using DimseClient client = await ConnectAsync(server);
        using var cancel = new CancellationTokenSource();
        await foreach (DimseResponse response in client.FindAsync(WellKnownUids.StudyRootFind, FindTests.Identifier(["QueryRetrieveLevel=STUDY", Peter]), CancellationToken.None))
        {
            // All responses are on their way already when the first one is read: this cancel comes too late.
            if (DimseStatus.Categorize(response.Status) == StatusCategory.Pending) break;
        }
        Assert.Equal(5, (await FindAsync(client)).Count);
    }

    private static async Task<ArchiveServer> StartAsync(int matchesMax, Func<ICatalog, ICatalog>? wrap = null)
    {
        ArchiveServer server = await ArchiveServer.StartAsync(new DimseOptions { QueryRetrieve = new QueryRetrieveOptions { FindMatchesMax = matchesMax } }, wrap);
        foreach (string file in Corpus.Files("pydicom/src/pydicom/data/test_files/dicomdirtests").Where(f => f.Contains("/9889", StringComparison.Ordinal))) await server.StoreAsync(file);
        return server;
    }

    private static Task<DimseClient> ConnectAsync(ArchiveServer server) =>
        DimseClient.ConnectAsync(server.Peer, ContextPlan.For(WellKnownUids.StudyRootFind), new DimseClientOptions(), CancellationToken.None);

    private static async Task<List<DimseResponse>> FindAsync(DimseClient client)
    {
        var responses = new List<DimseResponse>();
        DataSet identifier = FindTests.Identifier(["QueryRetrieveLevel=STUDY", Peter]);
        await foreach (DimseResponse response in client.FindAsync(WellKnownUids.StudyRootFind, identifier, CancellationToken.None)) responses.Add(response);
        return responses;
    }
}

/// <summary>A catalog whose searches stop after some rows until they are cancelled; all else goes through.</summary>
public class StallingCatalog : DispatchProxy
{
    private ICatalog? _inner;
    private int _rows;

    public static Func<ICatalog, ICatalog> After(int rows) => inner =>
    {
        ICatalog made = Create<ICatalog, StallingCatalog>();
        ((StallingCatalog)(object)made)._inner = inner;
        ((StallingCatalog)(object)made)._rows = rows;
        return made;
    };

    protected override object? Invoke(MethodInfo? targetMethod, object?[]? args) => targetMethod!.Name == nameof(ICatalog.SearchAsync)
        ? StallAsync(_inner!.SearchAsync((SearchRequest)args![0]!, (CancellationToken)args[1]!), _rows, (CancellationToken)args[1]!)
        : targetMethod.Invoke(_inner, args);

    private static async IAsyncEnumerable<SearchRow> StallAsync(IAsyncEnumerable<SearchRow> rows, int count, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken ct)
    {
        await foreach (SearchRow row in rows.WithCancellation(ct))
        {
            if (count-- == 0) await Task.Delay(Timeout.Infinite, ct);
            yield return row;
        }
    }
}
