using System.Globalization;
using Npgsql;
using NpgsqlTypes;

namespace PacsCluster.Catalog.Postgres;

/// <summary>The row that a reader stands on.</summary>
internal sealed class ReaderRow(NpgsqlDataReader reader) : IRow
{
    public bool IsNull(int column) => reader.IsDBNull(column);

    public long Int64(int column) => reader.GetInt64(column);

    public int Int32(int column) => checked((int)reader.GetInt64(column));

    public string Text(int column) => TextOrNull(column) ?? "";

    public string? TextOrNull(int column)
    {
        if (reader.IsDBNull(column)) return null;
        return reader.GetFieldType(column) == typeof(string) ? reader.GetString(column) : reader.GetInt64(column).ToString(CultureInfo.InvariantCulture);
    }

    public byte[] Bytes(int column) => reader.GetFieldValue<byte[]>(column);

    public DateTimeOffset Time(int column) => DateTimeOffset.FromUnixTimeMilliseconds(reader.GetInt64(column));

    public DateTimeOffset? TimeOrNull(int column) => reader.IsDBNull(column) ? null : Time(column);
}

/// <summary>Rows turned into an array for each column, so that one statement writes them all from <c>unnest</c>.</summary>
internal sealed class RowArrays(int rows) : IRowBinder<RowArrays>
{
    private readonly List<Values> _columns = [];
    private int _row = -1;
    private int _column;

    /// <summary>The arrays of some rows.</summary>
    public static RowArrays Of<T>(IReadOnlyCollection<T> rows, Action<RowArrays, T> bind)
    {
        var arrays = new RowArrays(rows.Count);
        foreach (T row in rows)
        {
            arrays._row++;
            arrays._column = 0;
            bind(arrays, row);
        }
        return arrays;
    }

    /// <summary>One parameter for each column, in order.</summary>
    public IEnumerable<NpgsqlParameter> Parameters => _columns.Select(c => c.ToParameter());

    public RowArrays Bind(long value) => Put<long?>(NpgsqlDbType.Bigint, value);

    public RowArrays Bind(long? value) => Put(NpgsqlDbType.Bigint, value);

    public RowArrays Bind(DateTimeOffset value) => Bind(value.ToUnixTimeMilliseconds());

    public RowArrays Bind(DateTimeOffset? value) => Bind(value?.ToUnixTimeMilliseconds());

    public RowArrays Bind(string? value) => Put(NpgsqlDbType.Text, value);

    public RowArrays Bind(ReadOnlyMemory<byte> value) => Put(NpgsqlDbType.Bytea, (byte[]?)value.ToArray());

    public RowArrays BindNull() => Bind((long?)null);

    /// <summary>Bytes, or NULL where there are none.</summary>
    public RowArrays BindSome(ReadOnlyMemory<byte> value) => Put(NpgsqlDbType.Bytea, value.IsEmpty ? null : value.ToArray());

    private RowArrays Put<T>(NpgsqlDbType type, T value)
    {
        if (_columns.Count == _column) _columns.Add(new Values<T>(type, new T[rows]));
        ((Values<T>)_columns[_column++]).Set(_row, value);
        return this;
    }

    private abstract class Values
    {
        public abstract NpgsqlParameter ToParameter();
    }

    private sealed class Values<T>(NpgsqlDbType type, T[] values) : Values
    {
        private bool _hasValue;

        public void Set(int row, T value)
        {
            values[row] = value;
            _hasValue |= value is not null;
        }

        // unnest fills a shorter array up with NULL, and NULL is the shortest: most columns of most batches cost nothing.
        public override NpgsqlParameter ToParameter() => new() { NpgsqlDbType = NpgsqlDbType.Array | type, Value = _hasValue ? values : DBNull.Value };
    }
}
