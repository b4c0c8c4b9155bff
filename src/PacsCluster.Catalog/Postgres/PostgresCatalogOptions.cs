using Npgsql;

namespace PacsCluster.Catalog;

/// <summary>Where and how the catalog lies on PostgreSQL (15 to 18), and how hard it tries.</summary>
public sealed record PostgresCatalogOptions
{
    /// <summary>Connection string in Npgsql's words: <c>Host=a,b;Database=pacs;Username=pacs</c>. Several hosts are tried for the primary
    /// (<c>Target Session Attributes=primary</c> unless it says another). The database is empty or a catalog's; its encoding is UTF-8. Default empty: no PostgreSQL.</summary>
    public string ConnectionString { get; init; } = "";

    /// <summary>Connections to PostgreSQL for searches, retrieves and lists. Default 16; 1 to 1,000. More at once wait for one.</summary>
    public int ReadersMax { get; init; } = 16;

    /// <summary>Reads of this node that PostgreSQL works on at once; others wait in line, which keeps the slowest of many small searches near the others. Rows that a peer takes later
    /// do not count. Default 0: twice the node's processors, at least 4; 0 to 1,000.</summary>
    public int ReadsAtOnce { get; init; }

    internal int ReadTurns => ReadsAtOnce > 0 ? ReadsAtOnce : Math.Max(4, 2 * Environment.ProcessorCount);

    /// <summary>Connections to PostgreSQL for the engine's loads and commits, apart from the readers' so that slow peers cannot hold up storing. Default 8; 1 to 1,000.</summary>
    public int WritersMax { get; init; } = 8;

    /// <summary>How long a call is tried again while the primary is away, a lock is held or transactions collide. Default 15 s; 0 to 10 min.
    /// Then CatalogUnavailableException.</summary>
    public TimeSpan RetryFor { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>How long one statement waits for a row that another node has locked. Default 10 s; 1 s to 10 min.</summary>
    public TimeSpan LockTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How long a node may be silent while it holds a study that several nodes write. Then the others go on, and it decides anew. Shorter than <see cref="LockTimeout"/>. Default 750 ms;
    /// 100 ms to 1 min.</summary>
    public TimeSpan HoldTimeout { get; init; } = TimeSpan.FromMilliseconds(750);

    /// <summary>How long one statement of a commit, a load or a list may run. Searches may run as long as they give rows. Default 60 s; 1 s to 1 h.</summary>
    public TimeSpan CommandTimeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>What is wrong with the options, a line each; empty when nothing is.</summary>
    public IReadOnlyList<string> Validate()
    {
        List<string> errors = [];
        try
        {
            var parsed = new NpgsqlConnectionStringBuilder(ConnectionString);
            if (string.IsNullOrWhiteSpace(parsed.Host)) errors.Add($"{nameof(ConnectionString)}: names no Host");
            if (string.IsNullOrWhiteSpace(parsed.Database)) errors.Add($"{nameof(ConnectionString)}: names no Database");
            if (parsed.ShouldSerialize("Maximum Pool Size")) errors.Add($"{nameof(ConnectionString)}: leave out Maximum Pool Size, {nameof(ReadersMax)} and {nameof(WritersMax)} say it");
            if (parsed.Multiplexing) errors.Add($"{nameof(ConnectionString)}: Multiplexing is not for a catalog, its transactions need a connection each");
        }
        catch (Exception e) when (e is ArgumentException or FormatException)
        {
            // The message may name the keyword, never the password.
            errors.Add($"{nameof(ConnectionString)}: {e.Message}");
        }
        Check(ReadersMax is >= 1 and <= 1000, $"{nameof(ReadersMax)}: 1 to 1000");
        Check(ReadsAtOnce is >= 0 and <= 1000, $"{nameof(ReadsAtOnce)}: 0 to 1000");
        Check(WritersMax is >= 1 and <= 1000, $"{nameof(WritersMax)}: 1 to 1000");
        Check(RetryFor >= TimeSpan.Zero && RetryFor <= TimeSpan.FromMinutes(10), $"{nameof(RetryFor)}: 0 to 10 minutes");
        Check(LockTimeout >= TimeSpan.FromSeconds(1) && LockTimeout <= TimeSpan.FromMinutes(10), $"{nameof(LockTimeout)}: 1 second to 10 minutes");
        Check(HoldTimeout >= TimeSpan.FromMilliseconds(100) && HoldTimeout <= TimeSpan.FromMinutes(1) && HoldTimeout < LockTimeout,
            $"{nameof(HoldTimeout)}: 100 milliseconds to 1 minute, and less than {nameof(LockTimeout)}");
        Check(CommandTimeout >= TimeSpan.FromSeconds(1) && CommandTimeout <= TimeSpan.FromHours(1), $"{nameof(CommandTimeout)}: 1 second to 1 hour");
        return errors;

        void Check(bool right, string error)
        {
            if (!right) errors.Add(error);
        }
    }
}
