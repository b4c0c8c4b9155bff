using System.Collections.Concurrent;
using PacsCluster.Dicom;
using PacsCluster.Dicom.Network;

namespace PacsCluster.Dimse;

/// <summary>A C-FIND, C-MOVE or C-GET being served. While its server runs, <see cref="DimseConnectionHandler"/> goes on reading the association:
/// a C-CANCEL-RQ sets <see cref="CancelRequested"/>, C-STORE responses complete <see cref="StoreAsync"/>.
/// One server uses it; its members are not for concurrent calls, but for the token.</summary>
internal sealed class DimseRequest : IDisposable
{
    private readonly DimseConnection _connection;
    private readonly CancellationTokenSource _cancel = new();
    private readonly ConcurrentDictionary<ushort, TaskCompletionSource<CommandSet>> _subOperations = new();
    private AssociationEndedException? _ended;
    private ushort _lastMessageId;

    public DimseRequest(DimseConnection connection, DimseMessage message, ReadOnlyMemory<byte> identifierBytes, CancellationToken aborted)
    {
        _connection = connection;
        Command = message.Command;
        Context = message.Context;
        IdentifierBytes = identifierBytes;
        Aborted = aborted;
        _lastMessageId = Command.MessageId ?? 0;
    }

    /// <summary>The request.</summary>
    public CommandSet Command { get; }

    /// <summary>The context that it came by; responses go by the same, their identifiers in its transfer syntax.</summary>
    public PresentationContext Context { get; }

    /// <summary>The whole association.</summary>
    public Association Association => _connection.Association!;

    /// <summary>Name of the connection, for the log.</summary>
    public string ConnectionId => _connection.Id;

    /// <summary>The identifier as it came.</summary>
    public ReadOnlyMemory<byte> IdentifierBytes { get; }

    /// <summary>The identifier.</summary>
    /// <exception cref="DicomFormatException">It is no data set.</exception>
    public DataSet ReadIdentifier() => DataSet.Read(IdentifierBytes, Context.TransferSyntax);

    /// <summary>Fires when the requestor sent C-CANCEL: stop soon and answer FE00. Also fires when the association is no more.</summary>
    public CancellationToken CancelRequested => _cancel.Token;

    /// <summary>Fires when the association is no more: stop, nobody hears an answer.</summary>
    public CancellationToken Aborted { get; }

    /// <summary>Sends a response that others follow (FF00, FF01).</summary>
    /// <param name="response">Made by <c>Command.Respond(status, hasDataSet)</c>, with counters as they are due.</param>
    /// <param name="identifier">Encoded in the context's transfer syntax; empty with HasDataSet false.</param>
    /// <param name="flush">False lets it wait for the next one or for <see cref="FlushAsync"/>: fewer system calls while a cursor yields fast.</param>
    public ValueTask SendPendingAsync(CommandSet response, ReadOnlyMemory<byte> identifier = default, bool flush = false) =>
        _connection.SendAsync(Context.Id, response, identifier, flush);

    /// <summary>Sends pending responses that wait.</summary>
    public ValueTask FlushAsync() => _connection.FlushAsync();

    /// <summary>Sends the final response, and those that waited.</summary>
    public ValueTask RespondAsync(CommandSet response, ReadOnlyMemory<byte> identifier = default) =>
        _connection.SendAsync(Context.Id, response, identifier, flush: true);

    /// <summary>C-GET: sends one instance by C-STORE on this association and waits for its response (PS3.7 section 9.1.3).</summary>
    /// <param name="context">One of <see cref="Association"/> with RequestorIsScp, of the instance's SOP class.</param>
    /// <param name="sopInstanceUid">Affected SOP Instance UID.</param>
    /// <param name="dataSet">Encoded in the context's transfer syntax.</param>
    /// <param name="length">In bytes when known; -1 otherwise.</param>
    /// <exception cref="AssociationEndedException">The association is no more.</exception>
    /// <exception cref="IOException">Reading <paramref name="dataSet"/> failed; the association was aborted, because part of it was sent.</exception>
    public async Task<CommandSet> StoreAsync(PresentationContext context, string sopInstanceUid, Stream dataSet, long length)
    {
        ushort messageId = NextMessageId();
        var response = new TaskCompletionSource<CommandSet>(TaskCreationOptions.RunContinuationsAsynchronously);
        _subOperations[messageId] = response;
        if (_ended is not null) throw _ended;
        var request = new CommandSet
        {
            Field = CommandField.CStoreRequest,
            MessageId = messageId,
            AffectedSopClassUid = context.AbstractSyntax,
            AffectedSopInstanceUid = sopInstanceUid,
            Priority = Command.Priority ?? Priority.Medium,
            HasDataSet = true,
        };
        try
        {
            await _connection.SendAsync(context.Id, request, dataSet, length, Aborted);
        }
        catch (Exception e) when (e is not AssociationEndedException)
        {
            await _connection.AbortAsync();
            throw;
        }
        return await response.Task;
    }

    /// <summary>The requestor sent C-CANCEL.</summary>
    internal void Cancel() => _cancel.Cancel();

    /// <summary>The association is no more: nothing waits any longer.</summary>
    internal void End(AssociationEndedException why)
    {
        _ended = why;
        _cancel.Cancel();
        foreach (TaskCompletionSource<CommandSet> waiting in _subOperations.Values) waiting.TrySetException(why);
    }

    /// <summary>A C-STORE-RSP came; false when nobody waits for it.</summary>
    internal bool Complete(CommandSet response) =>
        response.MessageIdBeingRespondedTo is { } id && _subOperations.TryRemove(id, out TaskCompletionSource<CommandSet>? waiting) && waiting.TrySetResult(response);

    public void Dispose() => _cancel.Dispose();

    private ushort NextMessageId()
    {
        _lastMessageId++;
        return _lastMessageId == 0 ? ++_lastMessageId : _lastMessageId;
    }
}
