using System.Buffers;
using System.Text;

namespace PacsCluster.Web;

/// <summary>A body that is no multipart message, or breaks off.</summary>
internal sealed class MultipartException(string what) : IOException(what);

/// <summary>Reads a multipart body (RFC 2046 5.1.1) part by part, forward only, with one buffer. Lenient in what real clients send (C-72): line ends of LF alone,
/// a preamble, an epilogue, spaces behind a boundary, headers over several lines, parts without headers.</summary>
internal sealed class PartReader : IDisposable
{
    private const int BufferBytes = 128 * 1024;
    private const int HeadersMaxBytes = 16 * 1024;

    private readonly Stream _body;
    private readonly byte[] _buffer = ArrayPool<byte>.Shared.Rent(BufferBytes);
    private readonly byte[] _delimiter;
    private int _start;
    private int _end;
    private bool _isAtEnd;
    private PartBody? _part;
    private bool _isFinished;

    /// <param name="body">The body; not disposed.</param>
    /// <param name="boundary">The boundary parameter, 1 to 70 characters by RFC 2046; up to 1,000 are taken.</param>
    public PartReader(Stream body, string boundary)
    {
        _body = body;
        _delimiter = Encoding.Latin1.GetBytes("\n--" + boundary);
        // The first boundary may stand at the very beginning: a line end is put before it.
        _buffer[0] = (byte)'\n';
        _end = 1;
    }

    /// <summary>The next part; null behind the last. What is unread of the part before is passed over.</summary>
    /// <exception cref="MultipartException">The body breaks off, or is no multipart body with this boundary.</exception>
    public async ValueTask<BodyPart?> NextAsync(CancellationToken ct)
    {
        if (_isFinished) return null;
        if (_part is null)
        {
            // The preamble is a part that nobody reads.
            _part = new PartBody(this);
            if (!await _part.TryDrainAsync(ct)) throw new MultipartException("the body has no part with the boundary of its Content-Type");
        }
        else if (!await _part.TryDrainAsync(ct))
        {
            throw new MultipartException("the body breaks off within a part");
        }
        if (!await AtLeastAsync(2, ct) || (_buffer[_start] == '-' && _buffer[_start + 1] == '-'))
        {
            _isFinished = true;
            return null;
        }
        await LineAsync(HeadersMaxBytes, ct);
        BodyPart part = await ReadHeadersAsync(ct);
        // An empty part may have its boundary right behind the blank line: that line's end serves both.
        await AtLeastAsync(_delimiter.Length, ct);
        if (_buffer.AsSpan(_start, _end - _start).StartsWith(_delimiter.AsSpan(1))) _start--;
        _part = new PartBody(this);
        return part with { Body = _part };
    }

    public void Dispose() => ArrayPool<byte>.Shared.Return(_buffer);

    private async ValueTask<BodyPart> ReadHeadersAsync(CancellationToken ct)
    {
        var headers = new List<(string Name, string Value)>();
        int left = HeadersMaxBytes;
        while (true)
        {
            string line = await LineAsync(left, ct);
            left -= line.Length + 1;
            if (line.Length == 0) break;
            if (line[0] is ' ' or '\t' && headers.Count > 0)
            {
                headers[^1] = (headers[^1].Name, headers[^1].Value + " " + line.Trim());
                continue;
            }
            int colon = line.IndexOf(':', StringComparison.Ordinal);
            if (colon > 0) headers.Add((line[..colon].Trim(), line[(colon + 1)..].Trim()));
        }
        string? Header(string name) => headers.Find(h => h.Name.Equals(name, StringComparison.OrdinalIgnoreCase)).Value;
        string? type = Header("Content-Type");
        return new BodyPart(MediaType.TryParse(type, out MediaType? parsed) ? parsed : null, Header("Content-Location"), Header("Content-ID"), Stream.Null);
    }

    /// <summary>A line without its end.</summary>
    private async ValueTask<string> LineAsync(int max, CancellationToken ct)
    {
        int searched = 0;
        while (true)
        {
            int end = _buffer.AsSpan(_start + searched, _end - _start - searched).IndexOf((byte)'\n');
            if (end >= 0)
            {
                end += searched;
                string line = Encoding.UTF8.GetString(_buffer, _start, end).TrimEnd('\r');
                _start += end + 1;
                return line;
            }
            searched = _end - _start;
            if (searched > max) throw new MultipartException($"the headers of a part are longer than {HeadersMaxBytes} bytes");
            if (!await FillAsync(ct)) throw new MultipartException("the body breaks off within the headers of a part");
        }
    }

    private async ValueTask<bool> AtLeastAsync(int bytes, CancellationToken ct)
    {
        while (_end - _start < bytes)
        {
            if (!await FillAsync(ct)) return false;
        }
        return true;
    }

    /// <summary>Reads more behind what is there; false at the end of the body.</summary>
    private async ValueTask<bool> FillAsync(CancellationToken ct)
    {
        if (_isAtEnd) return false;
        // One byte in front stays, for the line end that a boundary may share.
        if (_start > 1 && _buffer.Length - _end < BufferBytes / 2)
        {
            _buffer.AsSpan(_start - 1, _end - _start + 1).CopyTo(_buffer);
            _end -= _start - 1;
            _start = 1;
        }
        int read = await _body.ReadAsync(_buffer.AsMemory(_end), ct);
        _end += read;
        _isAtEnd = read == 0;
        return read > 0;
    }

    /// <summary>The content of one part.</summary>
    private sealed class PartBody(PartReader reader) : Stream
    {
        // Of the buffered bytes, from the reader's start: content that was searched and has no boundary.
        private int _clear;
        private bool _hasEnded;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (_hasEnded || buffer.IsEmpty) return 0;
            while (_clear == 0)
            {
                if (!Search() && !await reader.FillAsync(cancellationToken)) throw new MultipartException("the body breaks off within a part");
                if (_hasEnded) return 0;
            }
            return Take(buffer.Span);
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException("asynchronous only");

        /// <summary>Reads to the end; false when the body breaks off first.</summary>
        public async ValueTask<bool> TryDrainAsync(CancellationToken ct)
        {
            while (!_hasEnded)
            {
                if (_clear > 0) (reader._start, _clear) = (reader._start + _clear, 0);
                else if (!Search() && !await reader.FillAsync(ct)) return false;
            }
            return true;
        }

        public override void Flush() { }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        private int Take(Span<byte> to)
        {
            int length = Math.Min(to.Length, _clear);
            reader._buffer.AsSpan(reader._start, length).CopyTo(to);
            reader._start += length;
            _clear -= length;
            return length;
        }

        /// <summary>Finds out how much of the buffer is content, or that the part ends here. False: more bytes are needed to say.</summary>
        private bool Search()
        {
            ReadOnlySpan<byte> window = reader._buffer.AsSpan(reader._start, reader._end - reader._start);
            int from = 0;
            while (true)
            {
                int at = window[from..].IndexOf(reader._delimiter);
                if (at < 0)
                {
                    // The last bytes may be the beginning of a boundary, with the CR before it.
                    return Found(window.Length - reader._delimiter.Length - 1);
                }
                at += from;
                int behind = at + reader._delimiter.Length;
                if (behind >= window.Length && !reader._isAtEnd)
                {
                    return Found(at > 0 && window[at - 1] == '\r' ? at - 1 : at);
                }
                // A longer word that begins like the boundary is content.
                if (behind < window.Length && window[behind] is not ((byte)'-' or (byte)'\r' or (byte)'\n' or (byte)' ' or (byte)'\t'))
                {
                    from = at + 1;
                    continue;
                }
                int end = at > 0 && window[at - 1] == '\r' ? at - 1 : at;
                if (Found(end)) return true;
                reader._start += behind;
                return _hasEnded = true;
            }
        }

        private bool Found(int content)
        {
            _clear = Math.Max(0, content);
            return _clear > 0;
        }
    }
}

/// <summary>A part of a multipart body.</summary>
/// <param name="ContentType">Null when it says none.</param>
/// <param name="ContentLocation">Null when it says none.</param>
/// <param name="ContentId">Null when it says none.</param>
/// <param name="Body">Its content; valid until the next part is asked for.</param>
internal sealed record BodyPart(MediaType? ContentType, string? ContentLocation, string? ContentId, Stream Body);
