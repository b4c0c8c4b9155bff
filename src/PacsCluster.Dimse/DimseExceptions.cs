using PacsCluster.Dicom.Network;

namespace PacsCluster.Dimse;

/// <summary>Why an association is no more.</summary>
public enum AssociationEnd
{
    /// <summary>TCP connection could not be made.</summary>
    NotConnected,
    /// <summary>The peer closed the connection, or it broke.</summary>
    ConnectionLost,
    /// <summary>The peer sent A-ABORT.</summary>
    AbortedByPeer,
    /// <summary>The peer released it while we still wanted something.</summary>
    ReleasedByPeer,
    /// <summary>The peer broke the protocol, and we aborted.</summary>
    ProtocolError,
    /// <summary>The peer said nothing for too long, and we aborted.</summary>
    ReceiveTimeout,
    /// <summary>The peer took nothing for too long, and we aborted.</summary>
    SendTimeout,
    /// <summary>We aborted, or are shutting down.</summary>
    AbortedByUs,
}

/// <summary>The association ended before it was released in good order. Whatever was under way on it did not complete as far as we know; a new
/// association may be tried.</summary>
public sealed class AssociationEndedException : IOException
{
    /// <summary>Says how it ended.</summary>
    public AssociationEndedException(AssociationEnd end, string message, Exception? inner = null) : base(message, inner) => End = end;

    /// <summary>How it ended.</summary>
    public AssociationEnd End { get; }

    /// <summary>The A-ABORT, when the peer sent one.</summary>
    public Abort? Abort { get; init; }
}

/// <summary>The peer rejected the association: permanently (settings are wrong on one side) or for now.</summary>
public sealed class AssociationRejectedException : IOException
{
    /// <summary>Names result, source and reason.</summary>
    public AssociationRejectedException(AssociateReject reject) : base($"association rejected: {reject.Result}, {reject.Reason}") => Reject = reject;

    /// <summary>Result, source and reason.</summary>
    public AssociateReject Reject { get; }
}
