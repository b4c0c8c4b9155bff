using SQLitePCL;

namespace PacsCluster.Catalog.Sqlite;

/// <summary>One connection to SQLite, used by one caller at a time. The C interface is called directly: a commit is a few hundred small statements,
/// and a layer that looks parameters up by name and boxes each value costs more than SQLite itself.</summary>
internal sealed class Database : IDisposable
{
    /// <summary>Prepared statements kept, each some 20 to 60 KiB. Searches with many shapes throw the least used out.</summary>
    private const int StatementsMax = 48;

    private readonly Dictionary<string, Statement> _statements = new(StringComparer.Ordinal);
    private long _uses;

    static Database() => Batteries_V2.Init();

    /// <summary>Opens a file.</summary>
    /// <exception cref="CatalogUnavailableException">It cannot be opened.</exception>
    public Database(string path, bool readOnly)
    {
        int flags = readOnly ? raw.SQLITE_OPEN_READONLY : raw.SQLITE_OPEN_READWRITE | raw.SQLITE_OPEN_CREATE;
        // One caller at a time is promised above, so SQLite need not lock around each call.
        int result = raw.sqlite3_open_v2(path, out sqlite3 handle, flags | raw.SQLITE_OPEN_NOMUTEX, null);
        Handle = handle;
        if (result == raw.SQLITE_OK)
        {
            raw.sqlite3_extended_result_codes(handle, 1);
            return;
        }
        SqliteFault fault = new(result, handle is null ? "cannot open" : raw.sqlite3_errmsg(handle).utf8_to_string());
        handle?.Dispose();
        throw fault.ToUnavailable();
    }

    public sqlite3 Handle { get; }

    /// <summary>Gets the statements that change something; null while nobody wants them.</summary>
    public CommitRecord? Record { get; set; }

    /// <summary>Rows that the last statement changed.</summary>
    public int Changes => raw.sqlite3_changes(Handle);

    /// <summary>The statement of this text, prepared once and kept. The caller resets it (Dispose) before asking again.</summary>
    public Statement Prepare(string sql)
    {
        if (!_statements.TryGetValue(sql, out Statement? statement))
        {
            if (_statements.Count >= StatementsMax) Forget();
            statement = new Statement(this, sql);
            _statements.Add(sql, statement);
        }
        statement.LastUse = ++_uses;
        return statement;
    }

    /// <summary>Runs statements without results, each once.</summary>
    public void Execute(string sql)
    {
        int result = raw.sqlite3_exec(Handle, sql);
        if (result != raw.SQLITE_OK) throw Fault(result);
    }

    /// <summary>The first column of the first row of a query asked once.</summary>
    public long QueryInt64(string sql)
    {
        var statement = new Statement(this, sql);
        try
        {
            return statement.Step() ? statement.Int64(0) : 0;
        }
        finally
        {
            statement.Finish();
        }
    }

    /// <summary>Pages that this connection has written to the WAL since it was opened.</summary>
    public int PagesWritten
    {
        get
        {
            const int cacheWrite = 9; // SQLITE_DBSTATUS_CACHE_WRITE
            _ = raw.sqlite3_db_status(Handle, cacheWrite, out int written, out _, 0);
            return written;
        }
    }

    /// <summary>Copies what it can from the WAL into the database without waiting for anybody. The WAL's length in pages.</summary>
    public int CheckpointPassively()
    {
        _ = raw.sqlite3_wal_checkpoint_v2(Handle, null, raw.SQLITE_CHECKPOINT_PASSIVE, out int pages, out _);
        return pages;
    }

    /// <summary>Within a transaction. Some errors end it.</summary>
    public bool IsInTransaction => raw.sqlite3_get_autocommit(Handle) == 0;

    /// <summary>Ends the transaction without writing; nothing when there is none.</summary>
    public void Rollback()
    {
        if (IsInTransaction) raw.sqlite3_exec(Handle, "ROLLBACK");
    }

    public SqliteFault Fault(int result) => new(result, raw.sqlite3_errmsg(Handle).utf8_to_string());

    public void Dispose()
    {
        foreach (Statement statement in _statements.Values) statement.Finish();
        _statements.Clear();
        Handle.Dispose();
    }

    private void Forget()
    {
        // Once in many searches; 48 entries are looked through faster than a list in order of use is kept.
        (string sql, Statement oldest) = _statements.Where(s => !s.Value.IsRunning).MinBy(s => s.Value.LastUse);
        if (sql is null) return;
        _statements.Remove(sql);
        oldest.Finish();
    }
}

/// <summary>What SQLite said. Never leaves this room: callers get one of the catalog's exceptions.</summary>
internal sealed class SqliteFault(int result, string message) : Exception($"SQLite {result}: {message}")
{
    public int Result => result;

    private int Primary => result & 0xFF;

    // A quota that is reached shows as a failed write, and a disk too full for the shared index as a failed growth of it.
    public bool IsFull => Primary == raw.SQLITE_FULL || result is raw.SQLITE_IOERR_WRITE or raw.SQLITE_IOERR_SHMSIZE;

    public bool IsInterrupt => Primary == raw.SQLITE_INTERRUPT;

    /// <summary>Two rows with one unique key.</summary>
    public bool IsUnique => result is 2067 or 1555 or 2579; // SQLITE_CONSTRAINT_UNIQUE, _PRIMARYKEY, _ROWID

    /// <summary>Another rule of the schema: the row's fault, not the database's.</summary>
    public bool IsConstraint => Primary is raw.SQLITE_CONSTRAINT or raw.SQLITE_MISMATCH or raw.SQLITE_TOOBIG;

    public CatalogUnavailableException ToUnavailable() => new(IsFull ? "the catalog's disk is full" : $"the catalog cannot be used now ({Message})", IsFull, this);
}
