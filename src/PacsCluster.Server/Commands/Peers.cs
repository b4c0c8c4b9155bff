using System.Globalization;
using PacsCluster.Dicom.Network;
using PacsCluster.Dimse;

namespace PacsCluster.Server.Commands;

/// <summary>Peers as the command line names them, and associations with them.</summary>
internal static class Peers
{
    /// <summary>Reads <c>AE</c> (of Dimse:KnownAEs), <c>HOST:PORT:AE</c> or <c>AE@HOST:PORT</c>.</summary>
    /// <exception cref="CommandException">It is none of these.</exception>
    public static DimsePeer Parse(string text, DimseOptions options)
    {
        if (options.FindAE(text) is { Host: { } known } ae) return new DimsePeer(ae.AETitle, known, ae.Port);
        string[] parts = text.Split('@') is [var title, var address]
            ? [.. Split(address), title]
            : text.LastIndexOf(':') is > 0 and var colon ? [.. Split(text[..colon]), text[(colon + 1)..]] : [];
        if (parts is [{ Length: > 0 } host, var portText, { Length: > 0 and <= 16 } called] && int.TryParse(portText, NumberStyles.None, CultureInfo.InvariantCulture, out int port)
            && port is > 0 and <= 65535) return new DimsePeer(called, host, port);
        throw new CommandException($"'{text}' is neither an AE title of Dimse:KnownAEs with a host nor HOST:PORT:AE nor AE@HOST:PORT") { ExitCode = 2 };

        // The last colon, so that IPv6 addresses need no brackets.
        static string[] Split(string address) =>
            address.LastIndexOf(':') is > 0 and var at ? [address[..at].Trim('[', ']'), address[(at + 1)..]] : [address, ""];
    }

    /// <summary>Connects; what goes wrong is one line.</summary>
    public static async Task<DimseClient> ConnectAsync(DimsePeer peer, IReadOnlyList<ProposedContext> contexts, DimseOptions options, CancellationToken ct)
    {
        try
        {
            return await DimseClient.ConnectAsync(peer, contexts, DimseClientOptions.From(options, options.FindAE(peer.AETitle)?.CallingAETitle), ct);
        }
        catch (Exception e) when (e is AssociationRejectedException or AssociationEndedException)
        {
            throw new CommandException($"{peer.AETitle} at {peer.Host}:{peer.Port}: {e.Message}");
        }
    }

    /// <summary>A status in digits, with the peer's comment.</summary>
    public static string Describe(DimseResponse response) =>
        $"{response.Status:X4}{(response.Command.ErrorComment is { Length: > 0 } comment ? $" ({comment})" : "")}";
}
