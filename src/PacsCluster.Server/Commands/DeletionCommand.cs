using System.Globalization;
using PacsCluster.Catalog;
using PacsCluster.Engine;
using PacsCluster.Server.Options;

namespace PacsCluster.Server.Commands;

/// <summary><c>delete</c> and <c>undelete</c>. Beside a running server they go through the catalog's own locking, and the server purges when it is time.</summary>
internal static class DeletionCommand
{
    /// <summary>Deletes a study, a series or an instance; 0 when it was there, 1 when not.</summary>
    public static async Task<int> DeleteAsync(ServerOptions options, DeletionRequest request, CancellationToken ct)
    {
        await using Node node = await OpenAsync(options, ct);
        if (await node.Archive.Deletion.RejectAsync(request, ct) is not { } deletion)
        {
            await Console.Error.WriteLineAsync("there is nothing of the kind");
            return 1;
        }
        Console.Out.WriteLine(string.Create(CultureInfo.InvariantCulture, $"deletion {deletion.Key}: {deletion.InstanceCount} instances are hidden now and purged after {deletion.PurgeAt.UtcDateTime:yyyy-MM-dd HH:mm} UTC"));
        Console.Out.WriteLine($"to take it back: PacsCluster.Server undelete {deletion.Key}");
        return 0;
    }

    /// <summary>Takes deletions back, or lists them when none is named; 0 when all instances of all came back.</summary>
    public static async Task<int> UndeleteAsync(ServerOptions options, IReadOnlyList<long> keys, CancellationToken ct)
    {
        await using Node node = await OpenAsync(options, ct);
        if (keys.Count == 0) return await ListAsync(node, ct);
        bool all = true;
        foreach (long key in keys)
        {
            RestoreReport? report = await node.Archive.Deletion.RestoreAsync(key, Environment.UserName, ct);
            all &= report is { Left: 0 };
            Console.Out.WriteLine(report is null
                ? $"{key}: no such deletion, or it is purged"
                : $"{key}: {report.Restored} instances restored, {report.Dropped} were stored again meanwhile, {report.Left} stay deleted");
        }
        return all ? 0 : 1;
    }

    private static async Task<int> ListAsync(Node node, CancellationToken ct)
    {
        int count = 0;
        await foreach (RejectionRow row in node.Catalog.ListRejectionsAsync(ct: ct))
        {
            count++;
            string what = row.Level switch
            {
                QueryLevel.Study => $"study {row.StudyInstanceUid}",
                QueryLevel.Series => $"series {row.SeriesInstanceUid} of study {row.StudyInstanceUid}",
                _ => $"instance {row.SopInstanceUid} of study {row.StudyInstanceUid}",
            };
            Console.Out.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{row.Key}\t{row.RejectedAt.UtcDateTime:yyyy-MM-dd HH:mm:ss}\t{row.PurgeAt.UtcDateTime:yyyy-MM-dd HH:mm:ss}\t{row.By}\t{row.InstanceCount}\t{what}\t{row.Reason}"));
        }
        await Console.Error.WriteLineAsync($"{count} deletions can be taken back (number, deleted, purged from, by, instances, what, why; UTC)");
        return 0;
    }

    private static Task<Node> OpenAsync(ServerOptions options, CancellationToken ct)
    {
        Node.RequireArchive(options);
        return Node.OpenAsync(options with { Engine = options.Engine with { ReminderConcurrency = 0 } }, Loggers.Quiet, start: true, ct);
    }
}
