using System.Buffers;

namespace PacsCluster.Dicom;

/// <summary>Reads a source through a transcoder.</summary>
internal sealed class TranscodingStream : Stream
{
    // A few KiB of deflated bytes can become a thousand times as many.
    private readonly byte[] _input;
    private readonly Stream _source;
    private readonly DataSetTranscoder _transcoder;
    private readonly ArrayBufferWriter<byte> _output = new(64 * 1024);
    private int _at;
    private bool _ended;

    public TranscodingStream(Stream source, DataSetTranscoder transcoder, bool deflated)
    {
        _source = source;
        _transcoder = transcoder;
        _input = new byte[deflated ? 2 * 1024 : 64 * 1024];
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        while (_at == _output.WrittenCount && !_ended)
        {
            Take(await _source.ReadAsync(_input, cancellationToken));
        }
        return Give(buffer.Span);
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override int Read(Span<byte> buffer)
    {
        while (_at == _output.WrittenCount && !_ended) Take(_source.Read(_input));
        return Give(buffer);
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    private void Take(int count)
    {
        _output.ResetWrittenCount();
        _at = 0;
        if (count > 0)
        {
            _transcoder.Feed(_input.AsSpan(0, count), _output);
            return;
        }
        _ended = true;
        _transcoder.Complete(_output);
    }

    private int Give(Span<byte> buffer)
    {
        int count = Math.Min(buffer.Length, _output.WrittenCount - _at);
        _output.WrittenSpan.Slice(_at, count).CopyTo(buffer);
        _at += count;
        return count;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _transcoder.Dispose();
            _source.Dispose();
        }
        base.Dispose(disposing);
    }

    public override async ValueTask DisposeAsync()
    {
        await _source.DisposeAsync();
        await base.DisposeAsync();
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
