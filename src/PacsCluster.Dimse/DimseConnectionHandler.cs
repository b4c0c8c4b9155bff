using System.IO.Pipelines;
using System.Net;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.Extensions.Logging;
using PacsCluster.Dicom.Network;

namespace PacsCluster.Dimse;

/// <summary>The acceptor: negotiates each connection that Kestrel gives it and serves its requests, one after the other or within the window that was negotiated.</summary>
internal sealed partial class DimseConnectionHandler(
    DimseOptions options, AcceptorRulesBuilder rules, AssociationLimits limits, StorageScp storage, QueryRetrieveScp queryRetrieve,
    TimeProvider time, ILogger<DimseConnectionHandler> logger) : ConnectionHandler
{
    public override async Task OnConnectedAsync(ConnectionContext connection)
    {
        string remote = AddressOf(connection.RemoteEndPoint);
        if (!limits.TryEnterConnection())
        {
            Log.TooManyConnections(logger, connection.ConnectionId, remote, limits.MaxConnections);
            return;
        }
        try
        {
            var settings = new DimseConnectionSettings(
                connection.ConnectionId, remote, IsRequestor: false, options.MaxPduBytes, options.MaxAssociatePduBytes, options.Timeouts, time);
            await using var dimse = new DimseConnection(StreamOf(connection), settings);
            await using CancellationTokenRegistration closed = connection.ConnectionClosed.UnsafeRegister(
                static state => ((DimseConnection)state!).AbortAndCut(), dimse);
            await AssociationThread.RunAsync($"association {connection.ConnectionId}", () => RunAsync(dimse, connection, remote));
        }
        finally
        {
            limits.LeaveConnection();
        }
    }

    private async Task RunAsync(DimseConnection dimse, ConnectionContext connection, string remote)
    {
        var session = new Session(dimse, connection, remote);
        dimse.ReadsBlock = true;
        try
        {
            AssociateRequest request = await dimse.ReceiveAssociateAsync();
            session.Calling = request.CallingAETitle;
            AssociationDecision decision = Decide(request, session);
            if (decision.Reject is { } reject)
            {
                Log.Rejected(logger, dimse.Id, Printable(request.CallingAETitle), Printable(request.CalledAETitle), remote, reject.Result, reject.Reason);
                Metrics.Rejected.Add(1, new KeyValuePair<string, object?>("reason", reject.Reason.ToString()));
                await dimse.RejectAsync(reject);
                return;
            }
            session.AETag = new("ae", options.FindAE(request.CallingAETitle) is null ? "other" : request.CallingAETitle);
            Metrics.Accepted.Add(1, session.AETag);
            Metrics.OpenAssociations.Add(1, session.AETag);
            await dimse.AcceptAsync(request, decision);
            Log.Associated(logger, dimse.Id, session.Calling, remote, decision.Contexts.Count, Printable(dimse.Association!.PeerImplementation));
            if (dimse.Association!.Window.Invoked > 1) await ServeWindowAsync(session);
            else await ServeAsync(session);
            Log.Released(logger, dimse.Id, session.Calling, session.Requests);
            await dimse.AwaitCloseAsync(options.Timeouts.Artim);
        }
        catch (AssociationEndedException e)
        {
            await EndAsync(session, e);
        }
        catch (OperationCanceledException e) when (connection.ConnectionClosed.IsCancellationRequested)
        {
            await EndAsync(session, new AssociationEndedException(AssociationEnd.AbortedByUs, "cut while a request was served", e));
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            // The edge of this room: a fault of ours costs this association and no other.
            Log.Faulted(logger, dimse.Id, session.Calling, remote, e);
            await dimse.AbortAsync();
            if (session.ReadAhead is null) await dimse.AwaitCloseAsync(TimeSpan.FromSeconds(1));
        }
        finally
        {
            await EndReadAheadAsync(session);
            if (session.Entered)
            {
                limits.Leave(session.Calling);
                if (session.AETag.Key is not null) Metrics.OpenAssociations.Add(-1, session.AETag);
            }
        }
    }

    /// <summary>A read that is still under way after a fault must end before its buffer goes back to the pool.</summary>
    private static async Task EndReadAheadAsync(Session session)
    {
        if (session.ReadAhead is not { } ahead) return;
        session.Dimse.Cut(AssociationEnd.AbortedByUs);
        try
        {
            await ahead;
        }
        catch (IOException)
        {
            // As it should.
        }
    }

    private AssociationDecision Decide(AssociateRequest request, Session session)
    {
        AssociationDecision decision = AssociationPolicy.Decide(request, rules.Rules);
        if (decision.Accept is null) return decision;
        if (session.Drain.IsCancellationRequested) return new AssociationDecision(null, new(RejectResult.Transient, RejectReason.TemporaryCongestion), []);
        session.Entered = limits.TryEnter(request.CallingAETitle);
        return session.Entered ? decision : new AssociationDecision(null, new(RejectResult.Transient, RejectReason.LocalLimitExceeded), []);
    }

    private async Task ServeAsync(Session session)
    {
        DimseConnection dimse = session.Dimse;
        await using CancellationTokenRegistration drain = session.Drain.UnsafeRegister(static state => ((DimseConnection)state!).Drain(), dimse);
        while (true)
        {
            DimseMessage? next;
            if (session.ReadAhead is { } ahead)
            {
                session.ReadAhead = null;
                if (!ahead.IsCompleted) await dimse.ContinueIdleAsync(options.Timeouts.Inactivity);
                next = await ahead;
            }
            else
            {
                next = await dimse.ReadCommandAsync(options.Timeouts.Inactivity);
            }
            if (next is not { } message) return;
            ushort? status = message.Command.Field switch
            {
                CommandField.CStoreRequest when message.Context.RequestorIsScu => await storage.ServeAsync(dimse, message, null, session.Connection.ConnectionClosed),
                CommandField.CEchoRequest => await VerificationScp.ServeAsync(dimse, message),
                CommandField.CFindRequest or CommandField.CMoveRequest or CommandField.CGetRequest => await ServeQueryAsync(session, message),
                // Late: what it wanted to cancel has ended (C-52).
                CommandField.CCancelRequest => null,
                _ => await RefuseAsync(dimse, message),
            };
            if (status is { } answered) session.Count(message, answered);
        }
    }

    private async ValueTask<ushort?> RefuseAsync(DimseConnection dimse, DimseMessage message)
    {
        await dimse.DrainDataSetAsync();
        (CommandSet command, PresentationContext context) = message;
        if (command.IsResponse) return null;
        ushort status = command.Field == CommandField.CStoreRequest ? DimseStatus.SopClassNotSupported : DimseStatus.UnrecognizedOperation;
        Log.Unrecognized(logger, dimse.Id, dimse.Association!.CallingAETitle, (ushort)command.Field, context.AbstractSyntax, status);
        await dimse.SendAsync(context.Id, command.Respond(status));
        return status;
    }

    /// <summary>Runs a query or retrieve while reading on, for C-CANCEL and for the responses to C-GET's sub-operations.</summary>
    private async ValueTask<ushort> ServeQueryAsync(Session session, DimseMessage message)
    {
        DimseConnection dimse = session.Dimse;
        ReadOnlyMemory<byte>? identifier = await ReadIdentifierAsync(dimse, message);
        if (RefusalOf(session, message, identifier) is { } refusal) return await AnswerAsync(dimse, message, refusal);
        using var aborted = CancellationTokenSource.CreateLinkedTokenSource(session.Connection.ConnectionClosed);
        using var request = new DimseRequest(dimse, message, identifier!.Value, aborted.Token);
        Task<ushort> serving = ServeAsync(request);
        dimse.ReadsBlock = false;
        try
        {
            return await ServeWhileReadingAsync(session, request, serving, aborted);
        }
        finally
        {
            dimse.ReadsBlock = true;
        }
    }

    /// <summary>Null when the identifier is too long.</summary>
    private async ValueTask<ReadOnlyMemory<byte>?> ReadIdentifierAsync(DimseConnection dimse, DimseMessage message) =>
        message.Command.HasDataSet ? await dimse.ReadDataSetAsync(options.MaxIdentifierBytes) : ReadOnlyMemory<byte>.Empty;

    private ushort? RefusalOf(Session session, DimseMessage message, ReadOnlyMemory<byte>? identifier) =>
        identifier is null ? DimseStatus.OutOfResources
        : options.FindAE(session.Calling) is { MayQuery: false } ? DimseStatus.NotAuthorized
        : !message.Context.RequestorIsScu ? DimseStatus.SopClassNotSupported
        : null;

    private static async Task<ushort> AnswerAsync(DimseConnection dimse, DimseMessage message, ushort status)
    {
        await dimse.SendAsync(message.Context.Id, message.Command.Respond(status));
        return status;
    }

    private Task<ushort> ServeAsync(DimseRequest request) => request.Command.Field switch
    {
        CommandField.CFindRequest => queryRetrieve.FindAsync(request),
        CommandField.CMoveRequest => queryRetrieve.MoveAsync(request),
        _ => queryRetrieve.GetAsync(request),
    };

    private static async ValueTask<ushort> ServeWhileReadingAsync(Session session, DimseRequest request, Task<ushort> serving, CancellationTokenSource aborted)
    {
        while (!serving.IsCompleted)
        {
            Task<DimseMessage?> reading = session.ReadAhead ??= session.Dimse.ReadCommandAsync(Timeout.InfiniteTimeSpan).AsTask();
            await Task.WhenAny(serving, reading);
            if (!reading.IsCompleted) break;
            if (!reading.IsCompletedSuccessfully || reading.Result is not { } incoming)
            {
                // Lost, aborted or released under way: nobody waits for the answer.
                var why = reading.Exception?.InnerException as AssociationEndedException
                    ?? new AssociationEndedException(AssociationEnd.ReleasedByPeer, "released while a request was served");
                request.End(why);
                await aborted.CancelAsync();
                try
                {
                    await serving;
                }
                catch (Exception e) when (e is AssociationEndedException or OperationCanceledException)
                {
                    // It noticed.
                }
                return DimseStatus.Cancel;
            }
            if (!Dispatch(request, incoming)) break; // a request before its time: it stays read ahead and waits for its turn
            session.ReadAhead = null;
        }
        return await serving;
    }

    private static bool Dispatch(DimseRequest request, DimseMessage incoming)
    {
        CommandSet command = incoming.Command;
        if (command.Field == CommandField.CCancelRequest)
        {
            if (command.MessageIdBeingRespondedTo == request.Command.MessageId) request.Cancel();
            return true;
        }
        if (!command.IsResponse) return false;
        request.Complete(command);
        return true;
    }

    private async ValueTask EndAsync(Session session, AssociationEndedException e)
    {
        DimseConnection dimse = session.Dimse;
        if (session.Calling.Length == 0)
        {
            if (e.End == AssociationEnd.ProtocolError) Log.NotDicom(logger, dimse.Id, session.Remote, Guess(dimse.FirstBytes, e.Message));
            else Log.Silent(logger, dimse.Id, session.Remote);
        }
        else
        {
            Log.Ended(logger, dimse.Id, Printable(session.Calling), session.Remote, session.Requests, e.End, e.Message);
        }
        Metrics.Ended.Add(1, new KeyValuePair<string, object?>("end", e.End.ToString()));
        if (e.End is AssociationEnd.ReceiveTimeout or AssociationEnd.AbortedByUs or AssociationEnd.ReleasedByPeer) await dimse.AbortAsync();
        if (e.End == AssociationEnd.ProtocolError) await dimse.AwaitCloseAsync(options.Timeouts.Artim);
    }

    /// <summary>What speaks, when it is not DICOM.</summary>
    internal static string Guess(ReadOnlySpan<byte> bytes, string message)
    {
        if (bytes.Length >= 3 && bytes[0] == 0x16 && bytes[1] == 0x03) return "a TLS handshake";
        if (bytes.StartsWith("SSH-"u8)) return "SSH";
        if (bytes.StartsWith("PROXY "u8) || bytes.StartsWith("\r\n\r\n\0\r\nQUIT\n"u8)) return "the PROXY protocol";
        if (bytes.StartsWith("PRI * HTTP"u8)) return "HTTP/2";
        foreach (ReadOnlySpan<char> method in new[] { "GET ", "POST ", "HEAD ", "PUT ", "DELETE ", "OPTIONS ", "CONNECT " })
        {
            if (bytes.Length >= method.Length && System.Text.Ascii.Equals(bytes[..method.Length], method)) return "HTTP";
        }
        return message;
    }

    private static Stream StreamOf(ConnectionContext connection) =>
        connection is DicomSocketConnection { IsBare: true } bare ? bare.Stream
        : (Stream?)FindSocket(connection) ?? new DuplexStream(connection.Transport);

    // Kestrel hands its own wrapper on; the transport's connection is found by the feature it sets.
    private static DicomSocketStream? FindSocket(ConnectionContext connection) =>
        connection.Features.Get<DicomSocketConnection>() is { IsBare: true } bare ? bare.Stream : null;

    private static string AddressOf(EndPoint? endPoint) => endPoint is IPEndPoint ip
        ? (ip.Address.IsIPv4MappedToIPv6 ? ip.Address.MapToIPv4() : ip.Address).ToString()
        : endPoint?.ToString() ?? "";

    /// <summary>AE titles and version names are the peer's to choose: control characters do not get into the log.</summary>
    private static string Printable(string text) => text.All(c => c is >= ' ' and <= '~') ? text : string.Concat(text.Select(c => c is >= ' ' and <= '~' ? c : '?'));

    /// <summary>What one connection carries through the handler.</summary>
    private sealed class Session(DimseConnection dimse, ConnectionContext connection, string remote)
    {
        private long _requests;

        public DimseConnection Dimse { get; } = dimse;
        public ConnectionContext Connection { get; } = connection;
        public string Remote { get; } = remote;
        public string Calling { get; set; } = "";
        public bool Entered { get; set; }
        public long Requests => Volatile.Read(ref _requests);
        public bool IsBeyondWindow { get; set; }
        public KeyValuePair<string, object?> AETag { get; set; }
        public Task<DimseMessage?>? ReadAhead { get; set; }
        public CancellationToken Drain { get; } = connection.Features.Get<IConnectionLifetimeNotificationFeature>()?.ConnectionClosedRequested ?? CancellationToken.None;

        /// <summary>A request was answered. From any thread.</summary>
        public void Count(DimseMessage message, ushort status)
        {
            Interlocked.Increment(ref _requests);
            Metrics.Requests.Add(1, new("command", message.Command.Field.ToString()), new("status", status), AETag);
        }
    }

    /// <summary>Pipes of a middleware (TLS) as a stream.</summary>
    private sealed class DuplexStream(IDuplexPipe pipe) : Stream
    {
        private readonly Stream _input = pipe.Input.AsStream();
        private readonly Stream _output = pipe.Output.AsStream();

        public override bool CanRead => true;
        public override bool CanWrite => true;
        public override bool CanSeek => false;
        public override long Length => throw new NotSupportedException();
        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => _input.ReadAsync(buffer, cancellationToken);
        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) => _output.WriteAsync(buffer, cancellationToken);
        public override Task FlushAsync(CancellationToken cancellationToken) => _output.FlushAsync(cancellationToken);
        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException("read asynchronously");
        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException("write asynchronously");
        public override void Flush()
        {
        }
        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
        public override void SetLength(long value) => throw new NotSupportedException();
    }
}
