using Microsoft.Extensions.Logging;
using PacsCluster.Catalog;

namespace PacsCluster.Engine;

/// <summary>What a node tells the others about itself.</summary>
public sealed record NodeDescription
{
    /// <summary>Its name, unique among the archive's nodes.</summary>
    public required string Name { get; init; }
    /// <summary>Where it stands; empty for an archive of one site.</summary>
    public string Site { get; init; } = "";
    /// <summary>What it does: <c>dimse</c>, <c>web</c>, <c>worker</c>.</summary>
    public IReadOnlyList<string> Roles { get; init; } = [];
    /// <summary>Where it listens, e.g. <c>dicom://10.0.0.5:11112/PACSCLUSTER</c>.</summary>
    public IReadOnlyList<string> Addresses { get; init; } = [];
    /// <summary>Version of its program.</summary>
    public string SoftwareVersion { get; init; } = "";
}

/// <summary>Keeps a node listed as living while it lives. Nothing depends on it but what operators see.</summary>
internal sealed class NodeLeases(EngineOptions options, ICatalogWriter writer, TimeProvider time, ILogger logger, NodeDescription node)
{
    private readonly string _session = Guid.NewGuid().ToString("N");
    private readonly DateTimeOffset _startedAt = time.GetUtcNow();

    /// <summary>Renews until cancelled, then takes the node off the list.</summary>
    public async Task RunAsync(CancellationToken ct)
    {
        using var timer = new PeriodicTimer(options.NodeLease / 3, time);
        try
        {
            do await RenewAsync();
            while (await timer.WaitForNextTickAsync(ct));
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested)
        {
            await TryAsync(new CatalogChanges { RemovedNodes = { Row() } });
        }
    }

    private Task RenewAsync() => TryAsync(new CatalogChanges { Nodes = { new Catalog.NodeLease(Row(), time.GetUtcNow()) } });

    private NodeRow Row() => new()
    {
        Name = node.Name, Session = _session, Site = node.Site, Roles = node.Roles, Addresses = node.Addresses, SoftwareVersion = node.SoftwareVersion,
        StartedAt = _startedAt, LeasedUntil = time.GetUtcNow() + options.NodeLease,
    };

    private async Task TryAsync(CatalogChanges changes)
    {
        try
        {
            await writer.CommitAsync(changes, CancellationToken.None);
        }
        catch (VersionConflictException)
        {
            Log.NodeNameTaken(logger, node.Name);
        }
        catch (CatalogUnavailableException fault)
        {
            Log.NodeLeaseFailed(logger, fault);
        }
    }
}
