namespace PacsCluster.Blobs;

/// <summary>One blob on its way into several stores at once, under a key of its own in each. It is durable when it is in all of them: a store that fails fails the blob,
/// and what the others have of it is deleted.</summary>
public sealed class CopiesWriter : BlobWriter
{
    /// <summary>What a store has of a failed blob is asked away for so long; what remains is an orphan.</summary>
    private static readonly TimeSpan s_takeBackTime = TimeSpan.FromSeconds(5);

    private readonly IReadOnlyList<IBlobStore> _stores;
    private readonly BlobWriter[] _writers;
    private readonly Task[] _tasks;

    private CopiesWriter(IReadOnlyList<IBlobStore> stores, BlobWriter[] writers) : base(writers[0].Key) => (_stores, _writers, _tasks) = (stores, writers, new Task[writers.Length]);

    /// <summary>The keys of the blob in the stores, in their order; <see cref="BlobWriter.Key"/> is the first.</summary>
    public IEnumerable<string> Keys => _writers.Select(w => w.Key);

    /// <summary>Starts a blob in each store.</summary>
    /// <exception cref="BlobStoreFullException">One has no room.</exception>
    /// <exception cref="BlobStoreUnavailableException">One cannot be reached or refuses for now.</exception>
    public static ValueTask<CopiesWriter> CreateAsync(IReadOnlyList<IBlobStore> stores, CancellationToken ct = default) => CreateAsync(stores, store => store.CreateAsync(ct), 0);

    /// <summary>Starts a blob in each store of which all bytes are at hand; see <see cref="IBlobStore.CreateWholeAsync"/>.</summary>
    /// <exception cref="BlobStoreFullException">One has no room.</exception>
    /// <exception cref="BlobStoreUnavailableException">One cannot be reached or refuses for now.</exception>
    public static ValueTask<CopiesWriter> CreateWholeAsync(IReadOnlyList<IBlobStore> stores, ReadOnlyMemory<byte> bytes, CancellationToken ct = default) =>
        CreateAsync(stores, store => store.CreateWholeAsync(bytes, ct), bytes.Length);

    private static async ValueTask<CopiesWriter> CreateAsync(IReadOnlyList<IBlobStore> stores, Func<IBlobStore, ValueTask<BlobWriter>> create, long length)
    {
        ArgumentNullException.ThrowIfNull(stores);
        var writers = new BlobWriter[stores.Count];
        try
        {
            for (int i = 0; i < writers.Length; i++) writers[i] = await create(stores[i]);
            return new CopiesWriter(stores, writers) { Length = length };
        }
        catch
        {
            foreach (BlobWriter? writer in writers) if (writer is not null) await writer.DisposeAsync();
            throw;
        }
    }

    /// <inheritdoc/>
    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken ct = default)
    {
        // All have let go of the caller's memory before a fault of one goes out.
        for (int i = 0; i < _writers.Length; i++) _tasks[i] = WriteAsync(_writers[i], bytes, ct);
        await Task.WhenAll(_tasks);
        Length += bytes.Length;

        static async Task WriteAsync(BlobWriter writer, ReadOnlyMemory<byte> bytes, CancellationToken ct) => await writer.WriteAsync(bytes, ct);
    }

    /// <inheritdoc/>
    public override void BeginCommit()
    {
        foreach (BlobWriter writer in _writers) writer.BeginCommit();
    }

    /// <inheritdoc/>
    public override async ValueTask CommitAsync(CancellationToken ct = default)
    {
        ct.ThrowIfCancellationRequested();
        // The last store first: a commit to files may wait for the disk on this very thread, and the requests to the far stores are under way then.
        for (int i = _writers.Length - 1; i >= 0; i--) _tasks[i] = CommitAsync(_writers[i], ct);
        try
        {
            await Task.WhenAll(_tasks);
        }
        catch
        {
            await TakeBackAsync();
            throw;
        }

        static async Task CommitAsync(BlobWriter writer, CancellationToken ct) => await writer.CommitAsync(ct);
    }

    /// <inheritdoc/>
    public override async ValueTask DisposeAsync()
    {
        foreach (BlobWriter writer in _writers) await writer.DisposeAsync();
    }

    /// <summary>Deletes what was committed of a blob that was not committed everywhere.</summary>
    private async Task TakeBackAsync()
    {
        using var limit = new CancellationTokenSource(s_takeBackTime);
        for (int i = 0; i < _writers.Length; i++)
        {
            if (!_tasks[i].IsCompletedSuccessfully) continue;
            try
            {
                await _stores[i].DeleteAsync(_writers[i].Key, limit.Token);
            }
            catch (Exception e) when (e is BlobStoreUnavailableException or OperationCanceledException)
            {
                // No row will refer to it: the sweep takes it by its age.
            }
        }
    }
}
