using System.IO.Compression;

namespace PacsCluster.Dicom;

/// <summary>Inflates what arrives in fragments: raw deflate (RFC 1951, PS3.5 section A.5), or zlib's form (RFC 1950), which some writers use instead.</summary>
internal sealed class Inflater : IDisposable
{
    /// <summary>Takes inflated bytes.</summary>
    public delegate void Sink(ReadOnlySpan<byte> inflated);

    private readonly FeedStream _input = new();
    private readonly DeflateStream _deflate;
    private readonly byte[] _output = new byte[32 * 1024];
    private readonly byte[] _start = new byte[2];
    private int _startCount;
    private bool _started;

    public Inflater() => _deflate = new DeflateStream(_input, CompressionMode.Decompress, leaveOpen: true);

    /// <summary>Inflates as much as this fragment allows. Bytes behind the end of the deflate stream (padding, checksum) are ignored.</summary>
    /// <exception cref="DicomFormatException">Not a deflate stream.</exception>
    public void Feed(ReadOnlySpan<byte> fragment, Sink sink)
    {
        if (!_started && !Start(ref fragment, sink)) return;
        Pump(fragment, sink);
    }

    /// <summary>The first two bytes tell zlib's form: a raw stream cannot start with them, its first block would be a stored one with non-zero filling.</summary>
    private bool Start(ref ReadOnlySpan<byte> fragment, Sink sink)
    {
        while (_startCount < 2)
        {
            if (fragment.IsEmpty) return false;
            _start[_startCount++] = fragment[0];
            fragment = fragment[1..];
        }
        _started = true;
        bool zlib = (_start[0] & 0x0F) == 8 && _start[0] >> 4 <= 7 && ((_start[0] << 8) | _start[1]) % 31 == 0 && (_start[1] & 0x20) == 0;
        if (!zlib) Pump(_start, sink);
        return true;
    }

    private void Pump(ReadOnlySpan<byte> fragment, Sink sink)
    {
        _input.Set(fragment);
        try
        {
            while (true)
            {
                int count = _deflate.Read(_output, 0, _output.Length);
                if (count == 0)
                {
                    // Nothing came out and nothing is left, or the deflate stream has ended and what is left is padding.
                    _input.Clear();
                    return;
                }
                sink(_output.AsSpan(0, count));
            }
        }
        catch (InvalidDataException)
        {
            throw new DicomFormatException("the deflated data set is damaged");
        }
    }

    public void Dispose()
    {
        _deflate.Dispose();
        _input.Dispose();
    }

    /// <summary>Inflates all, to <paramref name="maxBytes"/> at most.</summary>
    public static byte[] InflateAll(ReadOnlySpan<byte> deflated, int maxBytes)
    {
        using var inflater = new Inflater();
        var all = new ByteBuffer(Math.Min(maxBytes, Math.Max(4096, (int)Math.Min(deflated.Length * 3L, 1 << 20))));
        inflater.Feed(deflated, bytes =>
        {
            if (bytes.Length > maxBytes - all.Length) throw new DicomFormatException("the deflated data set inflates to more than is allowed");
            all.Append(bytes);
        });
        return all.ToArray();
    }

    /// <summary>Deflates, padded to even length as PS3.5 section A.5 asks.</summary>
    public static byte[] Deflate(byte[] bytes)
    {
        var to = new MemoryStream(Math.Max(256, bytes.Length / 2));
        using (var deflate = new DeflateStream(to, CompressionLevel.Fastest, leaveOpen: true)) deflate.Write(bytes);
        if ((to.Length & 1) != 0) to.WriteByte(0);
        return to.ToArray();
    }

    /// <summary>A stream that ends wherever the fragment ends, and goes on with the next one.</summary>
    private sealed class FeedStream : Stream
    {
        private byte[] _bytes = [];
        private int _at;
        private int _end;

        public void Set(ReadOnlySpan<byte> fragment)
        {
            // The stream keeps no span: one copy of compressed bytes, which are few.
            if (_bytes.Length < fragment.Length) _bytes = new byte[fragment.Length];
            fragment.CopyTo(_bytes);
            _at = 0;
            _end = fragment.Length;
        }

        public void Clear() => _at = _end = 0;

        public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

        public override int Read(Span<byte> buffer)
        {
            int count = Math.Min(buffer.Length, _end - _at);
            _bytes.AsSpan(_at, count).CopyTo(buffer);
            _at += count;
            return count;
        }

        public override bool CanRead => true;
        public override bool CanSeek => false;
        public override bool CanWrite => false;
        public override long Length => throw new NotSupportedException();
        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }
        public override void Flush() { }
        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
        public override void SetLength(long value) => throw new NotSupportedException();
        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
