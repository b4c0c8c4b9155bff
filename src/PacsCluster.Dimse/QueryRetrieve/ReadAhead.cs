using PacsCluster.Catalog;
using PacsCluster.Dicom;
using PacsCluster.Dicom.Network;
using PacsCluster.Engine;

namespace PacsCluster.Dimse;

/// <summary>An instance ready to be sent, or the reason why it is not.</summary>
internal sealed class OpenedInstance : IAsyncDisposable
{
    /// <summary>Which one.</summary>
    public required InstanceLocation Location { get; init; }
    /// <summary>The context to send it by; null with a failure.</summary>
    public PresentationContext? Context { get; init; }
    /// <summary>In the context's transfer syntax; null with a failure.</summary>
    public ReadAheadStream? DataSet { get; init; }
    /// <summary>Bytes of the data set; -1 when not known.</summary>
    public long Length { get; init; }
    /// <summary>For the log; null when it is ready.</summary>
    public string? Failure { get; init; }

    public ValueTask DisposeAsync() => DataSet?.DisposeAsync() ?? default;
}

/// <summary>Opens the next instances and reads their beginning while the current one is being sent, so that the receiver does not wait for our
/// store, and an instance that cannot be read or converted is found out before its C-STORE begins. Gives them in order; for one caller at a
/// time. Disposing closes those that nobody took.</summary>
internal sealed class ReadAhead : IAsyncDisposable
{
    private readonly Retrieve _retrieve;
    private readonly IReadOnlyList<InstanceLocation> _instances;
    private readonly AcceptedContexts _contexts;
    private readonly CancellationToken _aborted;
    private readonly Queue<Task<OpenedInstance>> _opening = new();
    private readonly int _depth;
    private int _next;

    /// <param name="retrieve">Where they come from.</param>
    /// <param name="instances">All, in order.</param>
    /// <param name="contexts">How they can be sent.</param>
    /// <param name="depth">How many to open beyond the one that is taken.</param>
    /// <param name="aborted">Nobody wants them any more.</param>
    /// <param name="start">The first of <paramref name="instances"/> to give.</param>
    public ReadAhead(Retrieve retrieve, IReadOnlyList<InstanceLocation> instances, AcceptedContexts contexts, int depth, CancellationToken aborted, int start = 0)
    {
        _retrieve = retrieve;
        _instances = instances;
        _contexts = contexts;
        _depth = depth;
        _aborted = aborted;
        _next = start;
    }

    /// <summary>The next one, which the caller disposes; null after the last.</summary>
    public async ValueTask<OpenedInstance?> NextAsync()
    {
        Refill(_depth + 1);
        if (_opening.Count == 0) return null;
        OpenedInstance opened = await _opening.Dequeue();
        Refill(_depth);
        return opened;
    }

    public async ValueTask DisposeAsync()
    {
        while (_opening.TryDequeue(out Task<OpenedInstance>? opening))
        {
            try
            {
                await (await opening).DisposeAsync();
            }
            catch (OperationCanceledException)
            {
                // It was never opened.
            }
        }
    }

    private void Refill(int count)
    {
        while (_opening.Count < count && _next < _instances.Count)
        {
            InstanceLocation location = _instances[_next++];
            // On another thread: opening and reading a file blocks, and the caller is busy sending.
            _opening.Enqueue(Task.Run(() => OpenAsync(location), CancellationToken.None));
        }
    }

    private async Task<OpenedInstance> OpenAsync(InstanceLocation location)
    {
        if (_contexts.Choose(_retrieve, location, out string failure) is not { } context) return Failed(location, failure);
        try
        {
            RetrievedInstance instance = await _retrieve.OpenAsync(location, context.TransferSyntax, _aborted);
            var dataSet = new ReadAheadStream(instance.DataSet, instance.Length ?? -1);
            try
            {
                await dataSet.PrepareAsync(_aborted);
            }
            catch
            {
                await dataSet.DisposeAsync();
                throw;
            }
            return new OpenedInstance { Location = location, Context = context, DataSet = dataSet, Length = instance.Length ?? dataSet.LengthIfWhole ?? -1 };
        }
        catch (Exception e) when (e is IOException or NotSupportedException or DicomFormatException)
        {
            // Its blob is missing or unreadable, or its data set is not what its conversion needs: this one fails, the others do not.
            return Failed(location, e.Message);
        }
    }

    private static OpenedInstance Failed(InstanceLocation location, string failure) => new() { Location = location, Failure = failure };
}
