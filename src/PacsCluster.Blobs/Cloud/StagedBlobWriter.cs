using System.Buffers;
using System.Runtime.InteropServices;

namespace PacsCluster.Blobs;

/// <summary>A blob on its way to a store behind HTTP. Up to one part it stays in memory and goes in one request at the commit; a longer one goes in parts
/// while the rest still comes in, and the commit names the parts. Memory: the part that fills and those on their way.</summary>
internal abstract class StagedBlobWriter : BlobWriter
{
    private const int FirstBufferBytes = 128 * 1024;

    private readonly CloudBlobStoreOptions _options;
    private readonly SemaphoreSlim _uploads;
    private readonly CancellationTokenSource _abandoned = new();
    private readonly List<Task> _onTheWay = [];
    private byte[]? _buffer;
    private int _buffered;
    private int _parts;
    private Task? _lastPart;
    private State _state;

    protected StagedBlobWriter(string key, CloudBlobStoreOptions options, SemaphoreSlim uploads) : base(key) => (_options, _uploads) = (options, uploads);

    private enum State
    {
        Writing,
        Failed,
        Committing,
        Committed,
    }

    /// <summary>Parts begun.</summary>
    protected int Parts => _parts;

    /// <summary>The whole blob in one request: durable and visible on return.</summary>
    protected abstract Task PutAsync(ReadOnlyMemory<byte> whole, CancellationToken ct);

    /// <summary>One part, from 0; invisible yet. Several run at once, in any order.</summary>
    protected abstract Task StageAsync(int part, ReadOnlyMemory<byte> bytes, CancellationToken ct);

    /// <summary>Makes the parts one blob: durable and visible on return.</summary>
    protected abstract Task CommitPartsAsync(CancellationToken ct);

    /// <summary>Takes back what may have arrived: parts, or a blob whose commit got no answer. Throws nothing but <see cref="BlobStoreUnavailableException"/>
    /// and OperationCanceledException.</summary>
    protected abstract Task TakeBackAsync(bool mayBeVisible, CancellationToken ct);

    /// <summary>What request bodies are made of: can be read again for another try.</summary>
    protected static MemoryStream AsStream(ReadOnlyMemory<byte> bytes) => MemoryMarshal.TryGetArray(bytes, out ArraySegment<byte> segment) && segment.Array is not null
        ? new MemoryStream(segment.Array, segment.Offset, segment.Count, writable: false)
        : new MemoryStream();

    /// <inheritdoc/>
    public sealed override async ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken ct = default)
    {
        ct.ThrowIfCancellationRequested();
        EnsureWriting();
        if (_lastPart is not null) throw new InvalidOperationException("nothing can be written after BeginCommit");
        int length = bytes.Length;
        try
        {
            while (bytes.Length > 0)
            {
                // A part leaves when the next one begins, so that a blob of just one part is one request.
                if (_buffered == _options.PartBytes) await SendPartAsync(ct);
                int taken = Math.Min(bytes.Length, _options.PartBytes - _buffered);
                Reserve(_buffered + taken);
                bytes.Span[..taken].CopyTo(_buffer.AsSpan(_buffered));
                _buffered += taken;
                bytes = bytes[taken..];
            }
        }
        catch
        {
            _state = State.Failed;
            throw;
        }
        Length += length;
    }

    /// <summary>Sends the last part of a long blob. A short one is visible as soon as it is sent, so it waits for the commit.</summary>
    public sealed override void BeginCommit()
    {
        EnsureWriting();
        if (_parts > 0) BeginLastPart();
    }

    /// <inheritdoc/>
    public sealed override async ValueTask CommitAsync(CancellationToken ct = default)
    {
        ct.ThrowIfCancellationRequested();
        EnsureWriting();
        _state = State.Committing;
        if (_parts == 0)
        {
            await PutAsync(_buffer.AsMemory(0, _buffered), ct);
        }
        else
        {
            BeginLastPart();
            if (_lastPart is not null) await _lastPart.WaitAsync(ct);
            await Task.WhenAll(_onTheWay).WaitAsync(ct);
            await CommitPartsAsync(ct);
        }
        _state = State.Committed;
    }

    /// <inheritdoc/>
    public sealed override async ValueTask DisposeAsync()
    {
        await _abandoned.CancelAsync();
        // Their buffers must come back before they are given away, and no part may arrive after the taking back.
        if (_lastPart is not null) await _lastPart.ContinueWith(static _ => { }, TaskScheduler.Default);
        await Task.WhenAll(_onTheWay).ContinueWith(static _ => { }, TaskScheduler.Default);
        if (_buffer is not null) ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = null;
        bool mayBeVisible = _state == State.Committing;
        if (_state != State.Committed && (_parts > 0 || mayBeVisible))
        {
            using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(Math.Min(_options.Timeout.TotalSeconds, 5)));
            try
            {
                await TakeBackAsync(mayBeVisible, limit.Token);
            }
            catch (Exception e) when (e is BlobStoreUnavailableException or OperationCanceledException)
            {
                // The store that did not take it cannot be asked to forget it either: parts it forgets by itself, and a blob is an orphan for the sweep.
            }
        }
        _state = State.Failed;
        _abandoned.Dispose();
    }

    private void EnsureWriting()
    {
        if (_state != State.Writing) throw new InvalidOperationException("the blob cannot be written or committed any more");
    }

    private void BeginLastPart()
    {
        if (_buffered > 0) _lastPart ??= SendPartAsync(_abandoned.Token);
    }

    private void Reserve(int length)
    {
        if (_buffer is not null && _buffer.Length >= length) return;
        byte[] larger = ArrayPool<byte>.Shared.Rent(Math.Min(_options.PartBytes, Math.Max(FirstBufferBytes, Math.Max(length, 2 * _buffered))));
        if (_buffer is not null)
        {
            _buffer.AsSpan(0, _buffered).CopyTo(larger);
            ArrayPool<byte>.Shared.Return(_buffer);
        }
        _buffer = larger;
    }

    /// <summary>Hands the buffer to an upload, as soon as there is a place for one; an upload that failed is said here.</summary>
    private async Task SendPartAsync(CancellationToken ct)
    {
        byte[] part = _buffer!;
        int length = _buffered, number = _parts;
        while (_onTheWay.Count >= _options.ParallelParts)
        {
            Task first = await Task.WhenAny(_onTheWay).WaitAsync(ct);
            await first;
            _onTheWay.Remove(first);
        }
        await _uploads.WaitAsync(ct);
        (_buffer, _buffered) = (null, 0);
        _parts++;
        // On the pool: the caller's own thread, an association's for example, is to receive meanwhile.
        _onTheWay.Add(Task.Run(async () =>
        {
            try
            {
                await StageAsync(number, part.AsMemory(0, length), _abandoned.Token);
            }
            finally
            {
                _uploads.Release();
                ArrayPool<byte>.Shared.Return(part);
            }
        }, CancellationToken.None));
    }
}
