namespace PacsCluster.Dicom;

/// <summary>A value that is too large for memory and comes from streams.</summary>
/// <param name="Tag">Its tag, at the top level.</param>
/// <param name="VR">Its VR; for fragments OB.</param>
/// <param name="Contents">One stream: the value. Fragments of encapsulated pixel data: one each.</param>
/// <param name="IsEncapsulated">Written as fragments behind an empty Basic Offset Table (PS3.5 annex A.4).</param>
public sealed record StreamedValue(Tag Tag, VR VR, IReadOnlyList<(Func<Stream> Open, long Length)> Contents, bool IsEncapsulated);

/// <summary>Puts a data set and values from streams together into one encoded data set, read forward and never held whole.</summary>
public static class ComposedDataSet
{
    /// <summary>Makes the stream.</summary>
    /// <param name="dataSet">All other elements.</param>
    /// <param name="values">Values for its top level; an element of the same tag in <paramref name="dataSet"/> gives way.</param>
    /// <returns>Explicit VR Little Endian. Disposing it closes the stream of the value being read.</returns>
    /// <exception cref="ArgumentException">A value that is not encapsulated has several contents, or is 4 GiB or longer.</exception>
    public static Stream Open(DataSet dataSet, IReadOnlyList<StreamedValue> values)
    {
        ArgumentNullException.ThrowIfNull(dataSet);
        ArgumentNullException.ThrowIfNull(values);
        var pieces = new List<(Func<Stream> Open, long Length)>();
        var some = new DataSet(TransferSyntax.ExplicitVRLittleEndian);
        int next = 0;
        StreamedValue[] ordered = [.. values.OrderBy(v => v.Tag)];
        foreach (DataElement element in dataSet)
        {
            while (next < ordered.Length && ordered[next].Tag < element.Tag) Put(ordered[next++]);
            if (next < ordered.Length && ordered[next].Tag == element.Tag) continue;
            if (element.VR == VR.SQ) some.SetItems(element.Tag, element.Items);
            else some.SetRaw(element.Tag, element.VR, element.LittleEndianValue);
        }
        while (next < ordered.Length) Put(ordered[next++]);
        Flush();
        return new ChainedStream(pieces);

        void Put(StreamedValue value)
        {
            Flush();
            Add(pieces, value);
        }

        void Flush()
        {
            if (some.Count == 0) return;
            Bytes(pieces, some.ToArray());
            some = new DataSet(TransferSyntax.ExplicitVRLittleEndian);
        }
    }

    private static void Add(List<(Func<Stream> Open, long Length)> pieces, StreamedValue value)
    {
        if (value.Contents.Any(c => c.Length > uint.MaxValue - 2)) throw new ArgumentException("4 GiB or longer", nameof(value));
        byte[] header = new byte[DataSetWriter.HeaderSize(Mode.Explicit, value.VR)];
        if (!value.IsEncapsulated)
        {
            (Func<Stream> open, long length) = value.Contents.Count == 1 ? value.Contents[0] : throw new ArgumentException("several contents and no fragments", nameof(value));
            DataSetWriter.PutHeader(header, Mode.Explicit, value.Tag, value.VR, (uint)(length + (length & 1)));
            Bytes(pieces, header);
            Padded(pieces, open, length, value.VR.Padding());
            return;
        }
        DataSetWriter.PutHeader(header, Mode.Explicit, value.Tag, VR.OB, ElementHeader.Undefined);
        Bytes(pieces, [.. header, .. ItemHeader(ElementHeader.ItemTag, 0)]);
        foreach ((Func<Stream> open, long length) in value.Contents)
        {
            Bytes(pieces, ItemHeader(ElementHeader.ItemTag, (uint)(length + (length & 1))));
            Padded(pieces, open, length, 0);
        }
        Bytes(pieces, ItemHeader(ElementHeader.SequenceDelimiterTag, 0));
    }

    private static void Padded(List<(Func<Stream> Open, long Length)> pieces, Func<Stream> open, long length, byte padding)
    {
        pieces.Add((open, length));
        if ((length & 1) != 0) Bytes(pieces, [padding]);
    }

    private static void Bytes(List<(Func<Stream> Open, long Length)> pieces, byte[] bytes) => pieces.Add((() => new MemoryStream(bytes, writable: false), bytes.Length));

    private static byte[] ItemHeader(uint tag, uint length)
    {
        byte[] header = new byte[8];
        DataSetWriter.PutHeader(header, 0, new Tag(tag), VR.None, length);
        return header;
    }

    /// <summary>One stream behind the other, each opened when the one before has ended.</summary>
    private sealed class ChainedStream(List<(Func<Stream> Open, long Length)> pieces) : Stream
    {
        private Stream? _current;
        private long _left;
        private int _next;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => pieces.Sum(p => p.Length);

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (buffer.IsEmpty || !Advance()) return 0;
            return Took(await _current!.ReadAsync(buffer[..(int)Math.Min(buffer.Length, _left)], cancellationToken));
        }

        public override int Read(byte[] buffer, int offset, int count)
        {
            if (count == 0 || !Advance()) return 0;
            return Took(_current!.Read(buffer, offset, (int)Math.Min(count, _left)));
        }

        public override void Flush() { }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        protected override void Dispose(bool disposing)
        {
            if (disposing) _current?.Dispose();
            base.Dispose(disposing);
        }

        /// <summary>To the piece that has bytes left; false at the end.</summary>
        private bool Advance()
        {
            while (_left == 0)
            {
                _current?.Dispose();
                _current = null;
                if (_next == pieces.Count) return false;
                _left = pieces[_next].Length;
                if (_left > 0) _current = pieces[_next].Open();
                _next++;
            }
            return true;
        }

        private int Took(int read)
        {
            if (read == 0) throw new EndOfStreamException("a value ended before its length");
            _left -= read;
            return read;
        }
    }
}
