namespace PacsCluster.Blobs;

/// <summary>The answer to one ranged request.</summary>
/// <param name="Body">Its bytes, as they come.</param>
/// <param name="Length">How many they are.</param>
/// <param name="Owner">What keeps the connection; disposed with the body.</param>
internal sealed record RangeAnswer(Stream Body, long Length, IDisposable? Owner) : IAsyncDisposable
{
    /// <summary>What lies past the end.</summary>
    public static RangeAnswer Empty => new(Stream.Null, 0, null);

    public async ValueTask DisposeAsync()
    {
        await Body.DisposeAsync();
        Owner?.Dispose();
    }
}

/// <summary>A range of a blob behind HTTP, forward only. A connection that breaks or falls silent is opened again where it broke: the blob cannot have
/// changed. As many times in a row as a request is retried; every byte that comes counts the tries anew.</summary>
internal sealed class RangeStream : BlobRangeStream
{
    private readonly Func<long, long, CancellationToken, Task<RangeAnswer>> _open;
    private readonly Func<Exception, Exception> _fault;
    private readonly CloudBlobStoreOptions _options;
    private readonly long _offset;
    private RangeAnswer? _answer;

    private RangeStream(Func<long, long, CancellationToken, Task<RangeAnswer>> open, Func<Exception, Exception> fault, CloudBlobStoreOptions options, long offset, RangeAnswer first)
    {
        (_open, _fault, _options, _offset, _answer) = (open, fault, options, offset, first);
        Length = first.Length;
    }

    /// <summary>Sends the first request.</summary>
    /// <param name="open">Requests bytes from an offset, so many or (-1) all to the end; its faults are the store's.</param>
    /// <param name="fault">Makes the store's fault of a broken body.</param>
    /// <param name="options">Retries and time limit.</param>
    /// <param name="offset">First byte.</param>
    /// <param name="length">Bytes, or -1.</param>
    /// <param name="ct">Cancels the opening only.</param>
    public static async Task<Stream> OpenAsync(Func<long, long, CancellationToken, Task<RangeAnswer>> open, Func<Exception, Exception> fault,
        CloudBlobStoreOptions options, long offset, long length, CancellationToken ct) => new RangeStream(open, fault, options, offset, await open(offset, length, ct));

    public override long Length { get; }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        int wanted = Wanted(buffer.Length);
        if (wanted == 0) return 0;
        for (int tries = 0; ; tries++)
        {
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            limit.CancelAfter(_options.Timeout);
            try
            {
                _answer ??= await _open(_offset + Given, Length - Given, cancellationToken);
                int read = await _answer.Body.ReadAsync(buffer[..wanted], limit.Token);
                if (read == 0) throw new EndOfStreamException($"the answer ended after {Given} of {Length} bytes");
                Given += read;
                return read;
            }
            catch (Exception e) when (e is not BlobNotFoundException and not BlobStoreUnavailableException && !cancellationToken.IsCancellationRequested)
            {
                // Every kind that a client library makes of a broken connection.
                await CloseAsync();
                if (tries >= _options.Retries) throw _fault(e);
            }
        }
    }

    public override async ValueTask DisposeAsync()
    {
        await CloseAsync();
        await base.DisposeAsync();
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _answer?.Body.Dispose();
            _answer?.Owner?.Dispose();
            _answer = null;
        }
        base.Dispose(disposing);
    }

    private async ValueTask CloseAsync()
    {
        if (_answer is { } answer) await answer.DisposeAsync();
        _answer = null;
    }
}
