using System.Diagnostics;
using PacsCluster.Dicom;
using PacsCluster.Engine;
using PacsCluster.Server.Options;

namespace PacsCluster.Server.Commands;

/// <summary>Stores one file's instance: straight into the archive when no server has the data folder, through the server when one has.</summary>
/// <param name="start">How the file begins.</param>
/// <param name="file">The file, at its data set.</param>
/// <param name="ct">Cancels.</param>
internal delegate Task<(ImportResult Result, string? Reason)> ImportFile(FileStart start, FileStream file, CancellationToken ct);

/// <summary><c>import DIR…</c></summary>
internal static class ImportCommand
{
    // The preamble, File Meta Information (some hundred bytes; private information may be longer) and a first look at the data set.
    private const int FirstBytes = 64 * 1024;

    /// <summary>Imports folders and files.</summary>
    /// <returns>0 when every DICOM file is in the archive; 1 when one was refused.</returns>
    public static async Task<int> RunAsync(ServerOptions options, IReadOnlyList<string> folders, int parallel, bool again, CancellationToken ct)
    {
        foreach (string folder in folders)
        {
            if (!Directory.Exists(folder) && !File.Exists(folder)) throw new CommandException($"there is no {folder}") { ExitCode = 2 };
        }
        var counts = new ImportCounts();
        var watch = Stopwatch.StartNew();
        using (DataFolder? owned = DataFolder.TryTake(options.Data))
        {
            if (owned is not null)
            {
                await using Node node = await Node.OpenAsync(options, Loggers.Quiet, start: true, ct);
                await AllAsync((start, file, token) => StoreAsync(node, start, file, token));
            }
            else
            {
                await using ServerImport server = ServerImport.To(options);
                await AllAsync(server.StoreAsync);
            }
        }
        ImportProgress.Summarize(counts, watch.Elapsed);
        return counts[ImportResult.Refused] > 0 ? 1 : 0;

        async Task AllAsync(ImportFile store)
        {
            using var done = CancellationTokenSource.CreateLinkedTokenSource(ct);
            // Counted by a walk of its own, far ahead of the reading one: only then is there an end that a bar can show.
            Task counting = Task.Run(() => Count(folders, counts, done.Token), CancellationToken.None);
            Task work = Task.Run(async () =>
            {
                foreach (string root in folders.Select(Path.GetFullPath))
                {
                    using var journal = new ImportJournal(options.Data, root, again);
                    await FolderAsync(store, root, journal, counts, parallel, ct);
                }
            }, ct);
            await ImportProgress.ShowAsync(work, counts, watch);
            await done.CancelAsync();
            await counting;
        }
    }

    private static Task FolderAsync(ImportFile store, string root, ImportJournal journal, ImportCounts counts, int parallel, CancellationToken ct)
    {
        string parent = Directory.Exists(root) ? root : Path.GetDirectoryName(root)!;
        var parallelism = new ParallelOptions { MaxDegreeOfParallelism = parallel, CancellationToken = ct };
        return Parallel.ForEachAsync(Files(root), parallelism, async (path, token) =>
        {
            var file = new FileInfo(path);
            // Length and time of a link are those of the link.
            if (file.LinkTarget is not null && file.ResolveLinkTarget(returnFinalTarget: true) is FileInfo { Exists: true } target) file = target;
            if (file.Exists && journal.Has(parent, file))
            {
                counts.AddEarlier();
                return;
            }
            (ImportResult result, string? reason) = await OneAsync(store, Path.GetFileName(path), file, token);
            counts.Add(result, file.Exists ? file.Length : 0, reason, Path.GetRelativePath(parent, path));
            // What was refused is tried again by the next run: the reason may be gone by then.
            if (result is not ImportResult.Refused && file.Exists) journal.Add(parent, file);
            if (counts.Done % 256 == 0) journal.Flush();
        });
    }

    private static void Count(IReadOnlyList<string> folders, ImportCounts counts, CancellationToken ct)
    {
        foreach (string _ in folders.SelectMany(folder => Files(Path.GetFullPath(folder))))
        {
            if (ct.IsCancellationRequested) return;
            counts.AddFound();
        }
        counts.FoundAll = true;
    }

    private static IEnumerable<string> Files(string root) => File.Exists(root)
        ? [root]
        : Directory.EnumerateFiles(root, "*", new EnumerationOptions { RecurseSubdirectories = true, IgnoreInaccessible = true, AttributesToSkip = FileAttributes.None });

    private static async Task<(ImportResult, string?)> OneAsync(ImportFile store, string name, FileInfo file, CancellationToken ct)
    {
        if (name.Equals("DICOMDIR", StringComparison.OrdinalIgnoreCase)) return (ImportResult.Skipped, "DICOMDIR");
        try
        {
            await using var stream = new FileStream(file.FullName, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0, FileOptions.SequentialScan);
            byte[] first = new byte[(int)Math.Min(FirstBytes, stream.Length)];
            await stream.ReadExactlyAsync(first, ct);
            FileStart start = Part10.ReadStart(first);
            stream.Position = start.DataSetOffset;
            return await store(start, stream, ct);
        }
        catch (DicomFormatException)
        {
            return (ImportResult.Unreadable, "not DICOM");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return (ImportResult.Unreadable, e is FileNotFoundException ? "gone before it was read" : "cannot be read");
        }
    }

    private static async Task<(ImportResult Result, string? Reason)> StoreAsync(Node node, FileStart start, FileStream file, CancellationToken ct)
    {
        var origin = new StoreOrigin
        {
            TransferSyntax = start.TransferSyntax,
            CallingAETitle = "IMPORT",
            CalledAETitle = node.Options.Dimse.AETitle,
            RemoteAddress = Environment.MachineName,
            Door = StoreDoor.Import,
            SourceFileMeta = start.FileMeta,
        };
        StoreOutcome outcome = await node.Archive.Ingest.StoreAsync(file, origin, ct);
        return outcome.Kind switch
        {
            StoreOutcomeKind.Stored or StoreOutcomeKind.Replaced => (ImportResult.Stored, outcome.Comment),
            StoreOutcomeKind.Duplicate => (ImportResult.Duplicate, null),
            StoreOutcomeKind.Quarantined => (ImportResult.Quarantined, outcome.Comment),
            StoreOutcomeKind.CannotUnderstand => (ImportResult.Unreadable, outcome.Comment ?? "not a data set"),
            _ => (ImportResult.Refused, outcome.Comment ?? outcome.Kind.ToString()),
        };
    }
}
