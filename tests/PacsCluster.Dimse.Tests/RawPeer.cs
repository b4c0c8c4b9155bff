using System.Net.Sockets;
using PacsCluster.Dicom.Network;

namespace PacsCluster.Dimse.Tests;

/// <summary>A peer that writes whatever bytes a test wants.</summary>
internal sealed class RawPeer(Socket socket) : IDisposable
{
    public static async Task<RawPeer> ConnectAsync(TestServer server) => new(await server.ConnectAsync());

    /// <summary>Connected and associated with Verification as context 1 and Secondary Capture as context 3.</summary>
    public static async Task<RawPeer> AssociateAsync(TestServer server, string calling = "RAW")
    {
        RawPeer peer = await ConnectAsync(server);
        await peer.SendAsync(PduEncoder.Encode(Request(calling)));
        (PduHeader header, byte[] _) = await peer.ReadPduAsync();
        Assert.Equal(PduType.AssociateAccept, header.Type);
        return peer;
    }

    public static AssociateRequest Request(string calling = "RAW") => new()
    {
        CalledAETitle = "PACSCLUSTER",
        CallingAETitle = calling,
        Contexts =
        [
            new ProposedContext(1, WellKnownUids.Verification, ["1.2.840.10008.1.2"]),
            new ProposedContext(3, "1.2.840.10008.5.1.4.1.1.7", ["1.2.840.10008.1.2.1"]),
        ],
        User = new UserInformation { MaxPduLength = 16384 },
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
