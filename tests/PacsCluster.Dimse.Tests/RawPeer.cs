using System.Net.Sockets;
using PacsCluster.Dicom.Network;

namespace PacsCluster.Dimse.Tests;

/// <summary>A peer that writes whatever bytes a test wants.</summary>
internal sealed class RawPeer(Socket socket) : IDisposable
{
    public static async Task<RawPeer> ConnectAsync(TestServer server) => new(await server.ConnectAsync());

    /// <summary>Connected and associated with Verification as context 1, Secondary Capture as context 3, and FIND of the Study Root as context 5.</summary>
    public static Task<RawPeer> AssociateAsync(TestServer server, string calling = "RAW", AsyncWindow? window = null) => AssociateAsync(server.Port, calling, window);

    public static async Task<RawPeer> AssociateAsync(int port, string calling = "RAW", AsyncWindow? window = null)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(System.Net.IPAddress.Loopback, port);
        var peer = new RawPeer(socket);
        await peer.SendAsync(PduEncoder.Encode(Request(calling, window)));
        (PduHeader header, byte[] body) = await peer.ReadPduAsync();
        Assert.Equal(PduType.AssociateAccept, header.Type);
        peer.Window = PduDecoder.ReadAssociateAccept(body).User.AsyncWindow;
        return peer;
    }

    /// <summary>Something has come that was not read.</summary>
    public bool HasReceived => socket.Available > 0;

    /// <summary>As the acceptor answered it.</summary>
    public AsyncWindow? Window { get; private set; }

    public static AssociateRequest Request(string calling = "RAW", AsyncWindow? window = null) => new()
    {
        CalledAETitle = "PACSCLUSTER",
        CallingAETitle = calling,
        Contexts =
        [
            new ProposedContext(1, WellKnownUids.Verification, ["1.2.840.10008.1.2"]),
            new ProposedContext(3, "1.2.840.10008.5.1.4.1.1.7", ["1.2.840.10008.1.2.1"]),
            new ProposedContext(5, WellKnownUids.StudyRootFind, ["1.2.840.10008.1.2.1"]),
        ],
        User = new UserInformation { MaxPduLength = 16384, AsyncWindow = window },
    };

    public async Task SendAsync(ReadOnlyMemory<byte> bytes)
    {
        while (!bytes.IsEmpty) bytes = bytes[await socket.SendAsync(bytes)..];
    }

    /// <summary>A P-DATA-TF of one fragment.</summary>
    public Task SendPdvAsync(byte contextId, bool command, bool last, ReadOnlySpan<byte> fragment)
    {
        byte[] pdu = new byte[12 + fragment.Length];
        new PduHeader(PduType.Data, (uint)fragment.Length + 6).Write(pdu);
        new PdvHeader(fragment.Length, contextId, (byte)((command ? 1 : 0) | (last ? 2 : 0))).Write(pdu.AsSpan(6));
        fragment.CopyTo(pdu.AsSpan(12));
        return SendAsync(pdu);
    }

    /// <summary>A C-STORE-RQ and its data set, a fragment each.</summary>
    public async Task SendStoreAsync(ushort messageId, string sopInstanceUid, ReadOnlyMemory<byte> dataSet)
    {
        await SendStoreCommandAsync(messageId, sopInstanceUid);
        await SendPdvAsync(3, command: false, last: true, dataSet.Span);
    }

    public Task SendStoreCommandAsync(ushort messageId, string sopInstanceUid) => SendPdvAsync(3, command: true, last: true, new CommandSet
    {
        Field = CommandField.CStoreRequest,
        MessageId = messageId,
        AffectedSopClassUid = "1.2.840.10008.5.1.4.1.1.7",
        AffectedSopInstanceUid = sopInstanceUid,
        HasDataSet = true,
    }.ToArray());

    public Task SendEchoAsync(ushort messageId) => SendPdvAsync(1, command: true, last: true,
        new CommandSet { Field = CommandField.CEchoRequest, MessageId = messageId, AffectedSopClassUid = WellKnownUids.Verification }.ToArray());

    public async Task<(PduHeader Header, byte[] Body)> ReadPduAsync()
    {
        byte[] head = new byte[6];
        await ReadExactlyAsync(socket, head);
        var header = PduHeader.Read(head);
        byte[] body = new byte[header.Length];
        await ReadExactlyAsync(socket, body);
        return (header, body);
    }

    /// <summary>The response of one fragment that comes next.</summary>
    public async Task<CommandSet> ReadResponseAsync()
    {
        (PduHeader header, byte[] body) = await ReadPduAsync();
        Assert.Equal(PduType.Data, header.Type);
        return CommandSet.Read(body.AsSpan(6));
    }

    /// <summary>The request with a data set that comes next; its data set is read and forgotten.</summary>
    public async Task<CommandSet> ReadRequestAsync()
    {
        var command = new MemoryStream();
        for (bool isLast = false; !isLast;)
        {
            (PduHeader header, byte[] body) = await ReadPduAsync();
            Assert.Equal(PduType.Data, header.Type);
            for (int at = 0; at < body.Length;)
            {
                PdvHeader pdv = PdvHeader.Read(body.AsSpan(at), (uint)(body.Length - at));
                at += PdvHeader.Size;
                if (pdv.IsCommand) command.Write(body, at, pdv.Length);
                isLast = pdv is { IsLast: true, IsCommand: false };
                at += pdv.Length;
            }
        }
        return CommandSet.Read(command.ToArray());
    }

    /// <summary>The A-ABORT that comes next, and the end of the stream after it.</summary>
    public async Task<Abort> ReadAbortAsync()
    {
        (PduHeader header, byte[] body) = await ReadPduAsync();
        Assert.Equal(PduType.Abort, header.Type);
        await ReadEndAsync();
        return PduDecoder.ReadAbort(body);
    }

    public async Task ReadEndAsync()
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(10));
        Assert.Equal(0, await socket.ReceiveAsync(new byte[1], limit.Token));
    }

    /// <summary>The next PDU is the server's A-RELEASE-RQ; agrees, and closes this side.</summary>
    public async Task AnswerReleaseAsync()
    {
        Assert.Equal(PduType.ReleaseRequest, (await ReadPduAsync()).Header.Type);
        await SendAsync(PduEncoder.EncodeReleaseResponse());
        ShutdownSend();
    }

    public void ShutdownSend() => socket.Shutdown(SocketShutdown.Send);

    public void Dispose() => socket.Dispose();

    public static async Task ReadExactlyAsync(Socket socket, byte[] bytes)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(10));
        for (int length = 0; length < bytes.Length;)
        {
            int count = await socket.ReceiveAsync(bytes.AsMemory(length), limit.Token);
            Assert.True(count > 0, $"the stream ended after {length} of {bytes.Length} bytes");
            length += count;
        }
    }
}
