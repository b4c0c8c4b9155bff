using PacsCluster.Dicom.Network;

namespace PacsCluster.Dimse;

/// <summary>What both sides of an open association agreed on. Immutable.</summary>
public sealed class Association
{
    private readonly PresentationContext?[] _byId = new PresentationContext?[256];

    internal Association(AssociateRequest request, AssociateAccept accept, IReadOnlyList<PresentationContext> contexts, bool weAreRequestor, string remoteAddress)
    {
        CallingAETitle = request.CallingAETitle;
        CalledAETitle = request.CalledAETitle;
        Contexts = contexts;
        foreach (PresentationContext context in contexts) _byId[context.Id] = context;
        UserInformation peer = weAreRequestor ? accept.User : request.User;
        PeerMaxPduBytes = peer.MaxPduLength;
        PeerImplementation = peer.ImplementationVersionName ?? peer.ImplementationClassUid ?? "unknown";
        Extended = accept.User.Extended;
        Window = accept.User.AsyncWindow ?? new AsyncWindow(1, 1);
        RemoteAddress = remoteAddress;
    }

    /// <summary>AE title of the requestor.</summary>
    public string CallingAETitle { get; }

    /// <summary>AE title of the acceptor, as called.</summary>
    public string CalledAETitle { get; }

    /// <summary>The peer's network address.</summary>
    public string RemoteAddress { get; }

    /// <summary>Accepted presentation contexts.</summary>
    public IReadOnlyList<PresentationContext> Contexts { get; }

    /// <summary>Largest P-DATA-TF length that the peer takes, in bytes; 0 is no limit.</summary>
    public uint PeerMaxPduBytes { get; }

    /// <summary>The peer's implementation version name, else its class UID.</summary>
    public string PeerImplementation { get; }

    /// <summary>Extended negotiations as the acceptor answered them.</summary>
    public IReadOnlyList<ExtendedNegotiation> Extended { get; }

    /// <summary>Asynchronous operations window as answered; 1/1 when not negotiated.</summary>
    public AsyncWindow Window { get; }

    /// <summary>The accepted context of an id, or null.</summary>
    public PresentationContext? Find(byte id) => _byId[id];

    /// <summary>The answer to an extended negotiation for a SOP class; empty when there was none.</summary>
    public ReadOnlyMemory<byte> ExtendedFor(string sopClassUid) =>
        Extended.FirstOrDefault(extended => extended.SopClassUid == sopClassUid)?.Information ?? ReadOnlyMemory<byte>.Empty;
}
