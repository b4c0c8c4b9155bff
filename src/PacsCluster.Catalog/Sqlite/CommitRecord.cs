using System.Buffers;
using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;

namespace PacsCluster.Catalog.Sqlite;

/// <summary>
/// What one commit did, as the statements that changed something, with their values: run again in this order on the database as it was, they do the same (none of them asks the
/// clock, or for anything random). A text is said once in a run of the log, and called by its number from then on. One for all commits, filled anew for each.
/// </summary>
internal sealed class CommitRecord
{
    private const int FirstBytes = 64 * 1024;

    /// <summary>Memory that a rare long commit took beyond this is let go.</summary>
    private const int BytesKept = 1024 * 1024;

    private const byte Text = 1;
    private const byte Statement = 2;
    private const byte Blob = 3;

    private readonly Dictionary<string, int> _texts = new(StringComparer.Ordinal);
    private readonly List<string> _saidNow = [];
    private readonly Values _values = new();

    /// <summary>Pinned, from a block's beginning on, so that a disk can take it from there; room for the log's header first.</summary>
    private Memory<byte> _bytes;
    private int _end = CommitLog.HeaderBytes;

    public CommitRecord() => Grow(FirstBytes);

    /// <summary>Bytes of it.</summary>
    public int Length => _end - CommitLog.HeaderBytes;

    /// <summary>Begins the record of the next commit.</summary>
    public void Start()
    {
        _end = CommitLog.HeaderBytes;
        if (_bytes.Length > BytesKept) Grow(FirstBytes);
        _saidNow.Clear();
    }

    /// <summary>Takes back what was said in a record that nobody will read.</summary>
    public void Forget()
    {
        foreach (string text in _saidNow) _texts.Remove(text);
        Start();
    }

    /// <summary>The log begins anew: texts have to be said again. Not in the midst of a record.</summary>
    public void Restart()
    {
        _texts.Clear();
        Start();
    }

    /// <summary>A statement that is about to run.</summary>
    /// <param name="sql">Its text.</param>
    /// <param name="values">Its values, as <see cref="Values"/> has them.</param>
    public void Add(string sql, ReadOnlySpan<byte> values)
    {
        if (!_texts.TryGetValue(sql, out int number))
        {
            _texts.Add(sql, number = _texts.Count);
            _saidNow.Add(sql);
            int length = Encoding.UTF8.GetByteCount(sql);
            Span<byte> text = Take(1 + sizeof(int) + length);
            text[0] = Text;
            BinaryPrimitives.WriteInt32LittleEndian(text[1..], length);
            Encoding.UTF8.GetBytes(sql, text[(1 + sizeof(int))..]);
        }
        Span<byte> statement = Take(1 + (2 * sizeof(int)) + values.Length);
        statement[0] = Statement;
        BinaryPrimitives.WriteInt32LittleEndian(statement[1..], number);
        BinaryPrimitives.WriteInt32LittleEndian(statement[5..], values.Length);
        values.CopyTo(statement[9..]);
    }

    /// <summary>Blobs that the record does not count without.</summary>
    public void Add(IReadOnlyList<UnflushedBlob> blobs)
    {
        foreach (UnflushedBlob blob in blobs)
        {
            _values.Clear();
            _values.AddText(Encoding.UTF8.GetBytes(blob.Place.Store));
            _values.AddText(Encoding.UTF8.GetBytes(blob.Place.Key));
            _values.Add(blob.Length);
            _values.AddBlob(blob.Digest.Span);
            Span<byte> entry = Take(1 + sizeof(int) + _values.Written.Length);
            entry[0] = Blob;
            BinaryPrimitives.WriteInt32LittleEndian(entry[1..], _values.Written.Length);
            _values.Written.CopyTo(entry[(1 + sizeof(int))..]);
        }
    }

    /// <summary>Blobs that a record does not count without.</summary>
    public static IReadOnlyList<UnflushedBlob> BlobsOf(ReadOnlySpan<byte> record)
    {
        List<UnflushedBlob> blobs = [];
        while (!record.IsEmpty)
        {
            int length = LengthOf(record);
            if (record[0] == Blob)
            {
                ReadOnlySpan<byte> values = record.Slice(1 + sizeof(int), length - 1 - sizeof(int));
                string store = Encoding.UTF8.GetString(Values.TakeBytes(ref values)), key = Encoding.UTF8.GetString(Values.TakeBytes(ref values));
                long bytes = Values.TakeNumber(ref values);
                blobs.Add(new UnflushedBlob(new BlobPlace(store, key), bytes, Values.TakeBytes(ref values).ToArray()));
            }
            record = record[length..];
        }
        return blobs;
    }

    /// <summary>The record behind room for a header, filled up with zeros.</summary>
    public Span<byte> WithHeader(int total)
    {
        if (total > _bytes.Length) Grow(total);
        _bytes.Span[_end..total].Clear();
        return _bytes.Span[..total];
    }

    /// <summary>Does once more what a record says.</summary>
    /// <param name="database">In a transaction; null to learn the texts only.</param>
    /// <param name="record">The record.</param>
    /// <param name="texts">Texts of the run so far, in order; gets those that are said here.</param>
    public static void Apply(Database? database, ReadOnlySpan<byte> record, List<string> texts)
    {
        while (!record.IsEmpty)
        {
            int length = LengthOf(record);
            if (record[0] == Text) texts.Add(Encoding.UTF8.GetString(record[(1 + sizeof(int))..length]));
            else if (record[0] == Statement && database is not null)
            {
                Values.Bind(database.Prepare(texts[BinaryPrimitives.ReadInt32LittleEndian(record[1..])]), record[(1 + (2 * sizeof(int)))..length]).Run();
            }
            record = record[length..];
        }
    }

    /// <summary>Bytes of the entry with which this begins: what it is, a statement's text by its number, the length of the rest, the rest.</summary>
    private static int LengthOf(ReadOnlySpan<byte> record)
    {
        int before = record[0] == Statement ? 1 + sizeof(int) : 1;
        return before + sizeof(int) + BinaryPrimitives.ReadInt32LittleEndian(record[before..]);
    }

    private Span<byte> Take(int length)
    {
        if (_end + length > _bytes.Length) Grow(Math.Max(_bytes.Length * 2, _end + length));
        _end += length;
        return _bytes.Span.Slice(_end - length, length);
    }

    private void Grow(int length)
    {
        byte[] memory = GC.AllocateUninitializedArray<byte>(length + CommitLog.BlockBytes, pinned: true);
        int before = (int)(-Marshal.UnsafeAddrOfPinnedArrayElement(memory, 0) & (CommitLog.BlockBytes - 1));
        Memory<byte> bytes = memory.AsMemory(before, length);
        if (!_bytes.IsEmpty) _bytes.Span[.._end].CopyTo(bytes.Span);
        _bytes = bytes;
    }

    /// <summary>The values of one statement in their order: a byte that says what it is, then a number, or a length and bytes.</summary>
    internal sealed class Values
    {
        private const byte Null = 0;
        private const byte Number = 1;
        private const byte Utf8 = 2;
        private const byte Blob = 3;

        private const int ValuesBytesKept = 256 * 1024;

        private ArrayBufferWriter<byte> _bytes = new(256);

        public ReadOnlySpan<byte> Written => _bytes.WrittenSpan;

        public void Clear()
        {
            if (_bytes.Capacity > ValuesBytesKept) _bytes = new ArrayBufferWriter<byte>(256);
            else _bytes.ResetWrittenCount();
        }

        public void AddNull()
        {
            _bytes.GetSpan(1)[0] = Null;
            _bytes.Advance(1);
        }

        public void Add(long value)
        {
            Span<byte> to = _bytes.GetSpan(1 + sizeof(long));
            to[0] = Number;
            BinaryPrimitives.WriteInt64LittleEndian(to[1..], value);
            _bytes.Advance(1 + sizeof(long));
        }

        public void AddText(ReadOnlySpan<byte> utf8) => Add(Utf8, utf8);

        public void AddBlob(ReadOnlySpan<byte> bytes) => Add(Blob, bytes);

        public static Statement Bind(Statement statement, ReadOnlySpan<byte> values)
        {
            while (!values.IsEmpty)
            {
                switch (values[0])
                {
                    case Null:
                        statement.BindNull();
                        values = values[1..];
                        break;
                    case Number:
                        statement.Bind(TakeNumber(ref values));
                        break;
                    case Utf8:
                        statement.BindText(TakeBytes(ref values));
                        break;
                    default:
                        statement.BindBlob(TakeBytes(ref values));
                        break;
                }
            }
            return statement;
        }

        /// <summary>The number with which this begins; it begins behind it then.</summary>
        public static long TakeNumber(ref ReadOnlySpan<byte> values)
        {
            long number = BinaryPrimitives.ReadInt64LittleEndian(values[1..]);
            values = values[(1 + sizeof(long))..];
            return number;
        }

        /// <summary>The text or bytes with which this begins; it begins behind them then.</summary>
        public static ReadOnlySpan<byte> TakeBytes(ref ReadOnlySpan<byte> values)
        {
            int length = BinaryPrimitives.ReadInt32LittleEndian(values[1..]);
            ReadOnlySpan<byte> bytes = values.Slice(1 + sizeof(int), length);
            values = values[(1 + sizeof(int) + length)..];
            return bytes;
        }

        private void Add(byte kind, ReadOnlySpan<byte> bytes)
        {
            Span<byte> to = _bytes.GetSpan(1 + sizeof(int) + bytes.Length);
            to[0] = kind;
            BinaryPrimitives.WriteInt32LittleEndian(to[1..], bytes.Length);
            bytes.CopyTo(to[(1 + sizeof(int))..]);
            _bytes.Advance(1 + sizeof(int) + bytes.Length);
        }
    }
}
