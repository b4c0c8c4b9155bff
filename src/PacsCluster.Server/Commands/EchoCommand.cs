using System.Diagnostics;
using System.Globalization;
using PacsCluster.Dicom.Network;
using PacsCluster.Dimse;
using PacsCluster.Server.Options;

namespace PacsCluster.Server.Commands;

/// <summary><c>echo</c></summary>
internal static class EchoCommand
{
    /// <summary>C-ECHO to a peer; 0 when it answered with success.</summary>
    public static async Task<int> RunAsync(ServerOptions options, string peerText, CancellationToken ct)
    {
        DimsePeer peer = Peers.Parse(peerText, options.Dimse);
        var watch = Stopwatch.StartNew();
        await using DimseClient client = await Peers.ConnectAsync(peer, ContextPlan.For(WellKnownUids.Verification), options.Dimse, ct);
        if (client.FindContext(WellKnownUids.Verification) is null) throw new CommandException($"{peer.AETitle} does not accept Verification");
        ushort status = await client.EchoAsync(ct);
        Console.Out.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{peer.AETitle} at {peer.Host}:{peer.Port} answered {status:X4} in {watch.Elapsed.TotalMilliseconds:0} ms ({client.Association.PeerImplementation}, PDUs up to {client.Association.PeerMaxPduBytes})"));
        return status == DimseStatus.Success ? 0 : 1;
    }
}
