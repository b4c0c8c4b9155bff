namespace PacsCluster.Catalog;

/// <summary>Where and how the catalog lies on SQLite.</summary>
public sealed record SqliteCatalogOptions
{
    /// <summary>File of the database; its folder must exist. Beside it lie <c>-wal</c>, <c>-shm</c> and <c>-commits</c>.</summary>
    public required string Path { get; init; }

    /// <summary>Connections for reading, each with a page cache of its own. Default 8; 1 to 64. More searches at once wait for one.</summary>
    public int ReadersMax { get; init; } = 8;

    /// <summary>Page cache of the writer, in MiB. Default 16; 1 to 1,024.</summary>
    public int WriterCacheMiB { get; init; } = 16;

    /// <summary>Page cache of each reader, in MiB. Default 4; 1 to 1,024.</summary>
    public int ReaderCacheMiB { get; init; } = 4;

    /// <summary>How long to wait for another process that writes. Default 10 s; 0 to 10 min. Then CatalogUnavailableException.</summary>
    public TimeSpan BusyTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How long a commit that nobody reads may wait in the log for those after it, until the database gets them together. Other processes that want to write wait for so long.
    /// Default 250 ms; 1 ms to 1 h.</summary>
    public TimeSpan PublishAfter { get; init; } = TimeSpan.FromMilliseconds(250);

    /// <summary>Told, once at most, that the disk refuses the log of commits: nothing is lost, and from then on each commit is flushed with the database itself, which takes longer.
    /// Default: nobody.</summary>
    public Action<Exception> LogLost { get; init; } = _ => { };

    /// <summary>Asked when the catalog is opened after a crash: whether the blobs of the last commit are whole where they lie, all of them, and durable from now on. A commit that was told
    /// to nobody may have no blobs; it did not happen then. What it throws keeps the catalog closed. Default: refuses, since a catalog does not know where its blobs are.</summary>
    public Func<IReadOnlyList<UnflushedBlob>, Task<bool>> MakeDurableAsync { get; init; } =
        _ => throw new CatalogUnavailableException("the last commit's blobs must be looked at: open the catalog with its blob stores");

    /// <summary>What is wrong with the options, a line each; empty when nothing is.</summary>
    public IReadOnlyList<string> Validate()
    {
        List<string> errors = [];
        if (string.IsNullOrWhiteSpace(Path)) errors.Add($"{nameof(Path)}: must name a file");
        Check(ReadersMax is >= 1 and <= 64, $"{nameof(ReadersMax)}: 1 to 64");
        Check(WriterCacheMiB is >= 1 and <= 1024, $"{nameof(WriterCacheMiB)}: 1 to 1024 MiB");
        Check(ReaderCacheMiB is >= 1 and <= 1024, $"{nameof(ReaderCacheMiB)}: 1 to 1024 MiB");
        Check(BusyTimeout >= TimeSpan.Zero && BusyTimeout <= TimeSpan.FromMinutes(10), $"{nameof(BusyTimeout)}: 0 to 10 minutes");
        Check(PublishAfter >= TimeSpan.FromMilliseconds(1) && PublishAfter <= TimeSpan.FromHours(1), $"{nameof(PublishAfter)}: 1 ms to 1 hour");
        return errors;

        void Check(bool right, string error)
        {
            if (!right) errors.Add(error);
        }
    }
}
