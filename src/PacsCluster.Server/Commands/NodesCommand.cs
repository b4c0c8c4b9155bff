using System.Globalization;
using PacsCluster.Catalog;
using PacsCluster.Server.Options;

namespace PacsCluster.Server.Commands;

/// <summary><c>nodes</c>: who serves the archive, and who did until it died.</summary>
internal static class NodesCommand
{
    /// <summary>One line per node, tab between columns; 0 when one lives, 1 when none does.</summary>
    public static async Task<int> RunAsync(ServerOptions options, CancellationToken ct)
    {
        Node.RequireArchive(options);
        await using Node node = await Node.OpenAsync(options, Loggers.Quiet, start: false, ct);
        DateTimeOffset now = TimeProvider.System.GetUtcNow();
        int alive = 0;
        IReadOnlyList<NodeRow> nodes = await node.Catalog.ListNodesAsync(ct);
        foreach (NodeRow row in nodes)
        {
            bool lives = row.LeasedUntil > now;
            if (lives) alive++;
            string state = lives ? "alive" : string.Create(CultureInfo.InvariantCulture, $"silent since {row.LeasedUntil.UtcDateTime:yyyy-MM-dd HH:mm:ss}");
            Console.Out.WriteLine(string.Join('\t', row.Name, state, row.Site.Length > 0 ? row.Site : "-", string.Join(',', row.Roles), row.SoftwareVersion,
                row.StartedAt.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture), string.Join(' ', row.Addresses)));
        }
        await Console.Error.WriteLineAsync($"{alive} of {nodes.Count} nodes alive (name, state, site, roles, version, started, addresses; UTC)");
        return alive > 0 ? 0 : 1;
    }
}
