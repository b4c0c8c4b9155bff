namespace PacsCluster.Dimse;

/// <summary>The data set of one of several operations under way. Where it ends, the connection goes back to who reads the messages, and the operation goes on elsewhere.</summary>
internal sealed class OperationDataSet(DimseConnection connection) : DataSetStream(connection)
{
    private readonly DimseConnection _connection = connection;
    private readonly TaskCompletionSource _taken = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private bool _ended;

    /// <summary>Completes when the next message can be read; with what broke the association, if that was in this data set.</summary>
    public Task Taken => _taken.Task;

    /// <summary>Its bytes, once it has ended.</summary>
    public long LengthBytes { get; private set; }

    public override long Position { get => _ended ? LengthBytes : base.Position; set => throw new NotSupportedException(); }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (_ended) return 0;
        int count = await base.ReadAsync(buffer, cancellationToken);
        if (count > 0 || buffer.IsEmpty) return count;
        End();
        // What follows (digest, disk, commit) is not the reader's: on an association's thread the next receive begins now.
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        return 0;
    }

    /// <summary>Reads what was left of it, and forgets that.</summary>
    public async ValueTask DrainAsync()
    {
        if (_ended) return;
        await _connection.DrainDataSetAsync();
        End();
    }

    /// <summary>It cannot be read to its end. False: it has ended before.</summary>
    public bool Fail(Exception fault) => _taken.TrySetException(fault);

    private void End()
    {
        LengthBytes = _connection.DataSetBytes;
        _ended = true;
        _taken.TrySetResult();
    }
}
