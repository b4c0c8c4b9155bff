using System.Globalization;
using PacsCluster.Catalog;
using PacsCluster.Dicom;
using PacsCluster.Engine;
using PacsCluster.Server.Health;
using PacsCluster.Server.Options;

namespace PacsCluster.Server.Commands;

/// <summary><c>quarantine list|show|release|delete</c>. Beside a running server these go through the catalog's own locking: each is one commit,
/// fenced by row versions.</summary>
internal static class QuarantineCommand
{
    /// <summary>One line per entry, tab between columns.</summary>
    public static async Task<int> ListAsync(ServerOptions options, CancellationToken ct)
    {
        await using Node node = await OpenAsync(options, start: false, ct);
        long count = 0;
        await foreach (QuarantineEntry entry in node.Catalog.ListQuarantineAsync(ct: ct))
        {
            count++;
            Console.Out.WriteLine(string.Join('\t', entry.Row.Key.ToString(CultureInfo.InvariantCulture),
                entry.Row.ReceivedAt.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture),
                entry.Row.Reason, entry.Row.Source, HealthPage.Size(entry.Blob.Length), entry.Row.SopInstanceUid));
        }
        await Console.Error.WriteLineAsync($"{count} in quarantine");
        return 0;
    }

    /// <summary>Everything about one entry, its attributes included: this prints patient data.</summary>
    public static async Task<int> ShowAsync(ServerOptions options, long key, CancellationToken ct)
    {
        await using Node node = await OpenAsync(options, start: false, ct);
        QuarantineEntry entry = await node.Catalog.GetQuarantineAsync(key, ct) ?? throw Unknown(key);
        Console.Out.WriteLine($"reason    {entry.Row.Reason}: {entry.Row.Detail}");
        Console.Out.WriteLine(string.Create(CultureInfo.InvariantCulture, $"received  {entry.Row.ReceivedAt.UtcDateTime:yyyy-MM-dd HH:mm:ss} UTC from {entry.Row.Source}"));
        Console.Out.WriteLine($"blob      {string.Join(", ", entry.Copies.Select(c => $"{c.Store}:{c.StoreKey}"))}, {entry.Blob.Length} bytes, {entry.Row.TransferSyntaxUid}");
        if (await node.Archive.Quarantine.ReadHeaderAsync(key, ct) is not { } header) throw Unknown(key);
        foreach (DataElement element in header)
        {
            string name = DataDictionary.TryGet(element.Tag, out DictionaryEntry known) ? known.Keyword : "";
            string value = element.VR == VR.SQ ? $"{element.Items.Count} items" : string.Join('\\', header.GetStrings(element.Tag));
            Console.Out.WriteLine($"{element.Tag} {element.VR} {name} {(value.Length > 100 ? value[..100] + "…" : value)}");
        }
        return 0;
    }

    /// <summary>Stores entries after a person looked; 0 when all are stored.</summary>
    public static async Task<int> ReleaseAsync(ServerOptions options, IReadOnlyList<long> keys, CancellationToken ct)
    {
        await using Node node = await OpenAsync(options, start: true, ct);
        bool all = true;
        foreach (long key in keys)
        {
            StoreOutcome? outcome = await node.Archive.Quarantine.ReleaseAsync(key, null, ct);
            Console.Out.WriteLine(outcome is null ? $"{key}: no such entry" : $"{key}: {outcome.Kind}{(outcome.Comment is { } comment ? $", {comment}" : "")}");
            all &= outcome is { Kind: not StoreOutcomeKind.Quarantined, IsSuccess: true };
        }
        return all ? 0 : 1;
    }

    /// <summary>Deletes entries for good.</summary>
    public static async Task<int> DeleteAsync(ServerOptions options, IReadOnlyList<long> keys, CancellationToken ct)
    {
        await using Node node = await OpenAsync(options, start: true, ct);
        bool all = true;
        foreach (long key in keys)
        {
            bool deleted = await node.Archive.Quarantine.DeleteAsync(key, ct);
            Console.Out.WriteLine($"{key}: {(deleted ? "deleted" : "no such entry")}");
            all &= deleted;
        }
        return all ? 0 : 1;
    }

    private static Task<Node> OpenAsync(ServerOptions options, bool start, CancellationToken ct)
    {
        Node.RequireArchive(options);
        // Reminders are the server's business, not that of a command of a second.
        return Node.OpenAsync(options with { Engine = options.Engine with { ReminderConcurrency = 0 } }, Loggers.Quiet, start, ct);
    }

    private static CommandException Unknown(long key) => new($"there is no entry {key} in quarantine");
}
