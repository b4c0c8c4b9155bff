using System.Buffers;
using System.Text;
using SQLitePCL;

namespace PacsCluster.Catalog.Sqlite;

/// <summary>A prepared statement: bind in order, step, read, and <see cref="Dispose"/>, which makes it ready for the next use.</summary>
internal sealed class Statement : IRow, IRowBinder<Statement>, IDisposable
{
    private readonly Database _database;
    private readonly sqlite3_stmt _handle;
    private readonly string _sql;
    private readonly bool _isReadOnly;
    private CommitRecord.Values? _values;
    private int _bound;

    public Statement(Database database, string sql)
    {
        (_database, _sql) = (database, sql);
        int result = raw.sqlite3_prepare_v3(database.Handle, sql, raw.SQLITE_PREPARE_PERSISTENT, out _handle);
        if (result != raw.SQLITE_OK) throw database.Fault(result);
        _isReadOnly = raw.sqlite3_stmt_readonly(_handle) != 0;
    }

    public long LastUse { get; set; }

    /// <summary>Stepped and not yet reset.</summary>
    public bool IsRunning { get; private set; }

    public Statement Bind(long value)
    {
        Check(raw.sqlite3_bind_int64(_handle, ++_bound, value));
        Recorded?.Add(value);
        return this;
    }

    public Statement Bind(long? value) => value is { } number ? Bind(number) : BindNull();

    public Statement Bind(DateTimeOffset value) => Bind(value.ToUnixTimeMilliseconds());

    public Statement Bind(DateTimeOffset? value) => Bind(value?.ToUnixTimeMilliseconds());

    public Statement BindNull()
    {
        // As it is: Dispose has cleared what was bound before.
        _bound++;
        Recorded?.AddNull();
        return this;
    }

    public Statement Bind(string? value)
    {
        if (value is null) return BindNull();
        int most = Encoding.UTF8.GetMaxByteCount(value.Length);
        byte[]? rented = null;
        Span<byte> buffer = most <= 512 ? stackalloc byte[512] : rented = ArrayPool<byte>.Shared.Rent(most);
        int length = Encoding.UTF8.GetBytes(value, buffer);
        BindText(buffer[..length]);
        if (rented is not null) ArrayPool<byte>.Shared.Return(rented);
        return this;
    }

    /// <summary>A text in UTF-8.</summary>
    public void BindText(ReadOnlySpan<byte> utf8)
    {
        // SQLite copies the bytes. The span of an empty text may be a null pointer, which would bind NULL.
        Check(utf8.IsEmpty ? raw.sqlite3_bind_text(_handle, ++_bound, "") : raw.sqlite3_bind_text(_handle, ++_bound, utf8));
        Recorded?.AddText(utf8);
    }

    public Statement Bind(ReadOnlyMemory<byte> value)
    {
        BindBlob(value.Span);
        return this;
    }

    /// <summary>Bytes.</summary>
    public void BindBlob(ReadOnlySpan<byte> value)
    {
        Check(value.IsEmpty ? raw.sqlite3_bind_zeroblob(_handle, ++_bound, 0) : raw.sqlite3_bind_blob(_handle, ++_bound, value));
        Recorded?.AddBlob(value);
    }

    /// <summary>A value of a search: text or number.</summary>
    public Statement Bind(object value) => value is string text ? Bind(text) : Bind((long)value);

    /// <summary>The next row; false at the end.</summary>
    public bool Step()
    {
        if (!IsRunning && !_isReadOnly && _database.Record is { } record) record.Add(_sql, _values is null ? default : _values.Written);
        IsRunning = true;
        int result = raw.sqlite3_step(_handle);
        if (result == raw.SQLITE_ROW) return true;
        if (result == raw.SQLITE_DONE) return false;
        throw _database.Fault(result);
    }

    /// <summary>Runs a statement that has no rows, and makes it ready again. Rows changed.</summary>
    public int Run()
    {
        try
        {
            while (Step()) { }
            return _database.Changes;
        }
        finally
        {
            Dispose();
        }
    }

    public bool IsNull(int column) => raw.sqlite3_column_type(_handle, column) == raw.SQLITE_NULL;

    public long Int64(int column) => raw.sqlite3_column_int64(_handle, column);

    public int Int32(int column) => raw.sqlite3_column_int(_handle, column);

    public string Text(int column) => raw.sqlite3_column_text(_handle, column).utf8_to_string() ?? "";

    public string? TextOrNull(int column) => IsNull(column) ? null : raw.sqlite3_column_text(_handle, column).utf8_to_string();

    public byte[] Bytes(int column) => raw.sqlite3_column_blob(_handle, column).ToArray();

    public DateTimeOffset Time(int column) => DateTimeOffset.FromUnixTimeMilliseconds(Int64(column));

    public DateTimeOffset? TimeOrNull(int column) => IsNull(column) ? null : Time(column);

    /// <summary>Ready for the next use. The statement stays prepared.</summary>
    public void Dispose()
    {
        // The error of the last step comes again here; it was thrown there.
        _ = raw.sqlite3_reset(_handle);
        _ = raw.sqlite3_clear_bindings(_handle);
        _values?.Clear();
        _bound = 0;
        IsRunning = false;
    }

    /// <summary>The end of it.</summary>
    public void Finish() => _handle.Dispose();

    /// <summary>Where values go that will have to be written down.</summary>
    private CommitRecord.Values? Recorded => _isReadOnly || _database.Record is null ? null : _values ??= new CommitRecord.Values();

    private void Check(int result)
    {
        if (result != raw.SQLITE_OK) throw _database.Fault(result);
    }
}
