using Microsoft.Extensions.Logging.Abstractions;
using PacsCluster.Blobs;
using PacsCluster.Catalog;
using PacsCluster.Dicom;
using PacsCluster.Testing;

namespace PacsCluster.Engine.Tests;

/// <summary>Several engines on one PostgreSQL catalog and one folder of blobs, as nodes of a cluster are.</summary>
public sealed class PostgresClusterTests : IAsyncLifetime
{
    private const int Nodes = 4;
    private const string Strict = "STRICT";

    private readonly TempFolder _folder = new();
    private readonly List<(PostgresCatalog Catalog, FileBlobStore Blobs, Archive Archive)> _nodes = [];
    private PostgresServer? _server;

    public async ValueTask InitializeAsync()
    {
        _server = await PostgresServer.StartAsync();
        string connectionString = _server.ConnectionString(await _server.CreateDatabaseAsync());
        for (int i = 0; i < Nodes; i++)
        {
            PostgresCatalog catalog = await PostgresCatalog.OpenAsync(new PostgresCatalogOptions { ConnectionString = connectionString }, TimeProvider.System);
            var blobs = new FileBlobStore(new FileBlobStoreOptions { Folder = _folder.At("blobs") }, TimeProvider.System);
            var options = new EngineOptions { OrphanSweepInterval = TimeSpan.Zero, CallingAETitles = new Dictionary<string, StorePolicyOverride> { [Strict] = new() { MissingPatientId = MisfitPolicy.Refuse } } };
            var archive = new Archive(options, catalog, [blobs], TimeProvider.System, NullLoggerFactory.Instance);
            await archive.StartAsync(CancellationToken.None);
            _nodes.Add((catalog, blobs, archive));
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach ((PostgresCatalog catalog, FileBlobStore blobs, Archive archive) in _nodes)
        {
            await archive.DisposeAsync();
            await blobs.DisposeAsync();
            await catalog.DisposeAsync();
        }
        if (_server is not null) await _server.DisposeAsync();
        _folder.Dispose();
    }

    private static byte[] Instance(string study, string series, string sop, string patient, string number = "1")
    {
        var dataSet = new DataSet(TransferSyntax.ExplicitVRLittleEndian);
        foreach ((uint tag, string value) in ((uint, string)[])[(0x0008_0016, "1.2.840.10008.5.1.4.1.1.2"), (0x0008_0018, sop), (0x0008_0060, "CT"), (0x0010_0010, "Smith^John"), (0x0010_0020, patient),
            (0x0020_000D, study), (0x0020_000E, series), (0x0020_0013, number)]) dataSet.Set(new Tag(tag), value);
        return dataSet.ToArray();
    }

    private Task<StoreOutcome> StoreAsync(int node, byte[] dataSet, string caller = "CT1") => _nodes[node].Archive.Ingest.StoreAsync(new MemoryStream(dataSet), new StoreOrigin
    {
        TransferSyntax = TransferSyntax.ExplicitVRLittleEndian, CallingAETitle = caller, CalledAETitle = "PACSCLUSTER", RemoteAddress = "127.0.0.1", Door = StoreDoor.Dimse,
    }, TestContext.Current.CancellationToken);

    private async Task AssertRightAsync(int patients, int studies, int series, int instances)
    {
        CatalogCounts counts = await _nodes[0].Catalog.CountAsync();
        Assert.Equal((patients, studies, series, instances), ((int)counts.Patients, (int)counts.Studies, (int)counts.Series, (int)counts.Instances));
        Assert.Empty(await TestArchive.ListAsync(_nodes[1].Catalog.FindWrongCountsAsync()));
        var findings = new List<VerifyFinding>();
        await _nodes[2].Archive.Verify.RunAsync(new VerifyOptions { OrphanAge = TimeSpan.Zero }, findings.Add, null, CancellationToken.None);
        Assert.True(findings.Count == 0, string.Join("\n", findings));
    }

    [Fact]
    public async Task C_122_four_nodes_with_eight_associations_each_send_one_study()
    {
        const int senders = 8, perSender = 10;
        StoreOutcome[] outcomes = (await Task.WhenAll(Enumerable.Range(0, Nodes * senders).Select(sender => Task.Run(async () =>
        {
            var own = new List<StoreOutcome>();
            for (int i = 0; i < perSender; i++) own.Add(await StoreAsync(sender % Nodes, Instance("1.2.1", $"1.2.1.{i % 3}", $"1.2.1.{sender}.{i}", "P1")));
            return own;
        })))).SelectMany(o => o).ToArray();
        Assert.All(outcomes, o => Assert.Equal((StoreOutcomeKind.Stored, (string?)null), (o.Kind, o.Comment)));
        await AssertRightAsync(1, 1, 3, Nodes * senders * perSender);
    }

    [Fact]
    public async Task C_122_the_same_instances_sent_to_all_nodes_at_once_are_there_once()
    {
        StoreOutcome[] outcomes = await Task.WhenAll(Enumerable.Range(0, 80).Select(i => Task.Run(() => StoreAsync(i % Nodes, Instance("1.2.1", "1.2.1.1", $"1.2.1.1.{i / Nodes}", "P1")))));
        Assert.All(outcomes, o => Assert.True(o.Kind is StoreOutcomeKind.Stored or StoreOutcomeKind.Duplicate, $"{o.Kind} {o.Comment}"));
        Assert.Equal(20, outcomes.Count(o => o.Kind == StoreOutcomeKind.Stored));
        await AssertRightAsync(1, 1, 1, 20);
    }

    [Fact]
    public async Task C_123_one_patient_created_on_all_nodes_at_once_is_one_patient()
    {
        StoreOutcome[] outcomes = await Task.WhenAll(Enumerable.Range(0, 40).Select(i => Task.Run(() => StoreAsync(i % Nodes, Instance($"1.2.{i}", $"1.2.{i}.1", $"1.2.{i}.1.1", $"P{i / Nodes}")))));
        Assert.All(outcomes, o => Assert.Equal((StoreOutcomeKind.Stored, (string?)null), (o.Kind, o.Comment)));
        await AssertRightAsync(10, 40, 40, 40);
    }

    [Fact]
    public async Task What_a_node_takes_for_new_and_another_node_has_stored_is_decided_by_what_is_known()
    {
        for (int i = 1; i <= 4; i++) await StoreAsync(0, Instance("1.2.1", "1.2.1.1", $"1.2.1.1.{i}", "P1"));
        // From here on this node remembers both studies and has no reason to ask for them.
        await StoreAsync(1, Instance("1.2.1", "1.2.1.1", "1.2.1.1.9", "P1"));
        await StoreAsync(1, Instance("1.2.2", "1.2.2.1", "1.2.2.1.1", "P1"));

        StoreOutcome clash = await StoreAsync(1, Instance("1.2.2", "1.2.2.1", "1.2.1.1.1", "P1"));
        Assert.Equal(StoreOutcomeKind.Stored, clash.Kind);
        Assert.Equal("1.2.1.1.1", Assert.Single(await TestArchive.ListAsync(_nodes[0].Catalog.ListConflictsAsync())).SopInstanceUid);
        Assert.Equal(StoreOutcomeKind.Duplicate, (await StoreAsync(1, Instance("1.2.1", "1.2.1.1", "1.2.1.1.2", "P1"))).Kind);
        Assert.Equal(StoreOutcomeKind.Quarantined, (await StoreAsync(1, Instance("1.2.1", "1.2.1.1", "1.2.1.1.3", "P1", number: "2"))).Kind);
        // Several at once, new and known ones.
        StoreOutcome[] outcomes = await Task.WhenAll(Enumerable.Range(1, 8).Select(i => Task.Run(() => StoreAsync(2, Instance("1.2.1", "1.2.1.1", $"1.2.1.1.{i}", "P1")))));
        Assert.Equal([.. Enumerable.Repeat(StoreOutcomeKind.Duplicate, 4), .. Enumerable.Repeat(StoreOutcomeKind.Stored, 4)], outcomes.Select(o => o.Kind));
        await AssertRightAsync(1, 2, 2, 11);
    }

    [Fact]
    public async Task A_refusal_is_no_less_checked_than_a_success()
    {
        byte[] unidentified = Instance("1.2.1", "1.2.1.1", "1.2.1.1.1", "");
        await StoreAsync(0, unidentified);
        // The strict caller's node remembers the study, and nothing of it is written when all are refused.
        await StoreAsync(1, Instance("1.2.1", "1.2.1.1", "1.2.1.1.2", ""));
        Assert.Equal(StoreOutcomeKind.Duplicate, (await StoreAsync(1, unidentified, Strict)).Kind);
        Assert.False((await StoreAsync(1, Instance("1.2.1", "1.2.1.1", "1.2.1.1.3", ""), Strict)).IsSuccess);
        await AssertRightAsync(1, 1, 1, 2);
    }
}
