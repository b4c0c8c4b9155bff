using System.Runtime.CompilerServices;
using PacsCluster.Dicom;
using PacsCluster.Dicom.Network;

namespace PacsCluster.Dimse;

/// <summary>One instance to send by C-STORE.</summary>
public sealed record StoreMessage
{
    /// <summary>An accepted context of the instance's SOP class.</summary>
    public required PresentationContext Context { get; init; }
    /// <summary>Affected SOP Instance UID.</summary>
    public required string SopInstanceUid { get; init; }
    /// <summary>The data set, encoded in the context's transfer syntax; read once, not disposed.</summary>
    public required Stream DataSet { get; init; }
    /// <summary>Its length in bytes; -1 when not known.</summary>
    public long LengthBytes { get; init; } = -1;
    /// <summary>Priority.</summary>
    public Priority Priority { get; init; }
    /// <summary>In a sub-operation of C-MOVE: AE title that asked for the move (C-40).</summary>
    public string? MoveOriginatorAETitle { get; init; }
    /// <summary>In a sub-operation of C-MOVE: its message ID.</summary>
    public ushort? MoveOriginatorMessageId { get; init; }
}

/// <summary>A response with its identifier.</summary>
/// <param name="Command">Status, counters, comment.</param>
/// <param name="Identifier">The data set that came with it, or null.</param>
public sealed record DimseResponse(CommandSet Command, DataSet? Identifier)
{
    /// <summary>Status (0000,0900).</summary>
    public ushort Status => Command.Status ?? DimseStatus.ProcessingFailure;
}

/// <summary>Takes in an instance that a C-GET brings, reading the stream to its end, and returns the status to answer.</summary>
public delegate Task<ushort> ReceiveInstance(CommandSet request, PresentationContext context, Stream dataSet, CancellationToken cancellationToken);

public sealed partial class DimseClient
{
    private const int MaxIdentifierBytes = 16 * 1024 * 1024;

    /// <summary>C-ECHO; returns its status.</summary>
    public Task<ushort> EchoAsync(CancellationToken cancellationToken) => GuardAsync(async () =>
    {
        PresentationContext context = Require(WellKnownUids.Verification);
        var request = new CommandSet { Field = CommandField.CEchoRequest, MessageId = NextMessageId(), AffectedSopClassUid = context.AbstractSyntax };
        await _connection.SendAsync(context.Id, request);
        return (await ReadResponseToAsync(request)).Status;
    }, cancellationToken);

    /// <summary>C-STORE of one instance with bounded memory; returns the response (status, comment).</summary>
    /// <exception cref="IOException">Reading the data set failed; the association was aborted.</exception>
    public Task<DimseResponse> StoreAsync(StoreMessage message, CancellationToken cancellationToken) => GuardAsync(async () =>
    {
        var request = new CommandSet
        {
            Field = CommandField.CStoreRequest,
            MessageId = NextMessageId(),
            AffectedSopClassUid = message.Context.AbstractSyntax,
            AffectedSopInstanceUid = message.SopInstanceUid,
            Priority = message.Priority,
            MoveOriginatorAETitle = message.MoveOriginatorAETitle,
            MoveOriginatorMessageId = message.MoveOriginatorMessageId,
            HasDataSet = true,
        };
        await _connection.SendAsync(message.Context.Id, request, message.DataSet, message.LengthBytes, cancellationToken);
        return await ReadResponseToAsync(request);
    }, cancellationToken);

    /// <summary>C-FIND: all responses in order, the pending ones with identifiers, the final one last. Cancelling, or leaving the loop early,
    /// sends C-CANCEL and reads to the final response, so that the association can go on.</summary>
    /// <param name="sopClassUid">Information model, e.g. <see cref="WellKnownUids.StudyRootFind"/>.</param>
    /// <param name="identifier">Matching keys and return keys.</param>
    /// <param name="cancellationToken">Sends C-CANCEL; then the enumeration throws OperationCanceledException.</param>
    public async IAsyncEnumerable<DimseResponse> FindAsync(string sopClassUid, DataSet identifier, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        PresentationContext context = Require(sopClassUid);
        var request = NewRequest(CommandField.CFindRequest, sopClassUid);
        await GuardAsync(async () =>
        {
            await _connection.SendAsync(context.Id, request, identifier.ToArray(context.TransferSyntax));
            return 0;
        }, CancellationToken.None);
        bool final = false, cancelSent = false;
        await using CancellationTokenRegistration cancel = cancellationToken.UnsafeRegister(_ => SendCancelOnce(), null);
        try
        {
            while (!final)
            {
                DimseResponse response = await GuardAsync(() => ReadResponseToAsync(request), CancellationToken.None);
                final = DimseStatus.Categorize(response.Status) != StatusCategory.Pending;
                if (!Volatile.Read(ref cancelSent)) yield return response;
            }
        }
        finally
        {
            if (!final && IsOpen)
            {
                SendCancelOnce();
                while (DimseStatus.Categorize((await GuardAsync(() => ReadResponseToAsync(request), CancellationToken.None)).Status) == StatusCategory.Pending)
                {
                }
            }
        }
        if (cancelSent) cancellationToken.ThrowIfCancellationRequested();

        void SendCancelOnce()
        {
            if (!Interlocked.Exchange(ref cancelSent, true)) _ = TrySendCancelAsync(context, request);
        }
    }

    /// <summary>C-MOVE; returns the final response. Cancelling sends C-CANCEL, and the final response tells what was done.</summary>
    /// <param name="sopClassUid">Information model, e.g. <see cref="WellKnownUids.StudyRootMove"/>.</param>
    /// <param name="identifier">Level and unique keys.</param>
    /// <param name="destination">Move destination's AE title.</param>
    /// <param name="progress">Called with each pending response; may be null.</param>
    /// <param name="cancellationToken">Sends C-CANCEL.</param>
    public Task<DimseResponse> MoveAsync(string sopClassUid, DataSet identifier, string destination, Action<CommandSet>? progress, CancellationToken cancellationToken) =>
        RetrieveAsync(NewRequest(CommandField.CMoveRequest, sopClassUid) with { MoveDestination = destination }, identifier, null, progress, cancellationToken);

    /// <summary>C-GET; returns the final response. The association must have been made with role selections that make us SCP of the storage SOP classes.</summary>
    /// <param name="sopClassUid">Information model, e.g. <see cref="WellKnownUids.StudyRootGet"/>.</param>
    /// <param name="identifier">Level and unique keys.</param>
    /// <param name="receive">Takes in each instance.</param>
    /// <param name="progress">Called with each pending response; may be null.</param>
    /// <param name="cancellationToken">Sends C-CANCEL.</param>
    public Task<DimseResponse> GetAsync(string sopClassUid, DataSet identifier, ReceiveInstance receive, Action<CommandSet>? progress, CancellationToken cancellationToken) =>
        RetrieveAsync(NewRequest(CommandField.CGetRequest, sopClassUid), identifier, receive, progress, cancellationToken);

    private Task<DimseResponse> RetrieveAsync(CommandSet request, DataSet identifier, ReceiveInstance? receive, Action<CommandSet>? progress, CancellationToken cancellationToken) =>
        GuardAsync(async () =>
        {
            PresentationContext context = Require(request.AffectedSopClassUid!);
            await _connection.SendAsync(context.Id, request, identifier.ToArray(context.TransferSyntax));
            await using CancellationTokenRegistration cancel = cancellationToken.UnsafeRegister(_ => _ = TrySendCancelAsync(context, request), null);
            while (true)
            {
                DimseMessage message = await ReadResponseAsync();
                if (message.Command.Field == CommandField.CStoreRequest && receive is not null)
                {
                    await ReceiveAsync(message, receive);
                    continue;
                }
                DimseResponse response = await CompleteResponseAsync(message, request);
                if (DimseStatus.Categorize(response.Status) != StatusCategory.Pending) return response;
                progress?.Invoke(response.Command);
            }
        }, CancellationToken.None);

    private async Task ReceiveAsync(DimseMessage message, ReceiveInstance receive)
    {
        ushort status = message.Context.RequestorIsScp
            ? await receive(message.Command, message.Context, _connection.DataSet, CancellationToken.None)
            : DimseStatus.SopClassNotSupported;
        await _connection.DrainDataSetAsync();
        await _connection.SendAsync(message.Context.Id, message.Command.Respond(status));
    }

    private CommandSet NewRequest(CommandField field, string sopClassUid) =>
        new() { Field = field, MessageId = NextMessageId(), AffectedSopClassUid = sopClassUid, Priority = Priority.Medium, HasDataSet = true };

    private PresentationContext Require(string sopClassUid) =>
        FindContext(sopClassUid) ?? throw new InvalidOperationException($"the peer accepted no presentation context of {sopClassUid}");

    private async Task<DimseResponse> ReadResponseToAsync(CommandSet request) => await CompleteResponseAsync(await ReadResponseAsync(), request);

    private async Task<DimseResponse> CompleteResponseAsync(DimseMessage message, CommandSet request)
    {
        (CommandSet command, PresentationContext context) = message;
        if (command.Field != (CommandField)((ushort)request.Field | 0x8000) || command.MessageIdBeingRespondedTo != request.MessageId)
        {
            await _connection.AbortAsync();
            throw new AssociationEndedException(AssociationEnd.ProtocolError, $"a message {(ushort)command.Field:X4} where the response to {(ushort)request.Field:X4} was due");
        }
        if (!command.HasDataSet) return new DimseResponse(command, null);
        ReadOnlyMemory<byte> bytes = await _connection.ReadDataSetAsync(MaxIdentifierBytes)
            ?? throw new AssociationEndedException(AssociationEnd.ProtocolError, "an identifier longer than 16 MiB");
        return new DimseResponse(command, DataSet.Read(bytes, context.TransferSyntax));
    }

    private ValueTask SendCancelAsync(PresentationContext context, CommandSet request) =>
        _connection.SendAsync(context.Id, new CommandSet { Field = CommandField.CCancelRequest, MessageIdBeingRespondedTo = request.MessageId });

    private async Task TrySendCancelAsync(PresentationContext context, CommandSet request)
    {
        try
        {
            await SendCancelAsync(context, request);
        }
        catch (AssociationEndedException)
        {
            // The operation itself hears of it.
        }
    }
}
