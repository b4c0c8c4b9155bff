namespace PacsCluster.Dicom.Network;

#pragma warning disable CS1591 // the names are the standard's own; what they mean stands in the tables of PS3.8 section 9.2

/// <summary>States of PS3.8 tables 9-1 to 9-5.</summary>
public enum UpperLayerState : byte
{
    /// <summary>Idle.</summary>
    Sta1 = 1,
    /// <summary>Transport connection open (awaiting A-ASSOCIATE-RQ PDU).</summary>
    Sta2,
    /// <summary>Awaiting local A-ASSOCIATE response primitive.</summary>
    Sta3,
    /// <summary>Awaiting transport connection opening to complete.</summary>
    Sta4,
    /// <summary>Awaiting A-ASSOCIATE-AC or A-ASSOCIATE-RJ PDU.</summary>
    Sta5,
    /// <summary>Association established and ready for data transfer.</summary>
    Sta6,
    /// <summary>Awaiting A-RELEASE-RP PDU.</summary>
    Sta7,
    /// <summary>Awaiting local A-RELEASE response primitive.</summary>
    Sta8,
    /// <summary>Release collision requestor side; awaiting A-RELEASE response primitive.</summary>
    Sta9,
    /// <summary>Release collision acceptor side; awaiting A-RELEASE-RP PDU.</summary>
    Sta10,
    /// <summary>Release collision requestor side; awaiting A-RELEASE-RP PDU.</summary>
    Sta11,
    /// <summary>Release collision acceptor side; awaiting A-RELEASE response primitive.</summary>
    Sta12,
    /// <summary>Awaiting transport connection close indication.</summary>
    Sta13,
}

/// <summary>Events of PS3.8 table 9-10, in the standard's order.</summary>
public enum UpperLayerEvent : byte
{
    /// <summary>A-ASSOCIATE request (local user).</summary>
    Evt1 = 1,
    /// <summary>Transport connection confirmation (local transport service).</summary>
    Evt2,
    /// <summary>A-ASSOCIATE-AC PDU received.</summary>
    Evt3,
    /// <summary>A-ASSOCIATE-RJ PDU received.</summary>
    Evt4,
    /// <summary>Transport connection indication.</summary>
    Evt5,
    /// <summary>A-ASSOCIATE-RQ PDU received.</summary>
    Evt6,
    /// <summary>A-ASSOCIATE response primitive (accept).</summary>
    Evt7,
    /// <summary>A-ASSOCIATE response primitive (reject).</summary>
    Evt8,
    /// <summary>P-DATA request primitive.</summary>
    Evt9,
    /// <summary>P-DATA-TF PDU received.</summary>
    Evt10,
    /// <summary>A-RELEASE request primitive.</summary>
    Evt11,
    /// <summary>A-RELEASE-RQ PDU received.</summary>
    Evt12,
    /// <summary>A-RELEASE-RP PDU received.</summary>
    Evt13,
    /// <summary>A-RELEASE response primitive.</summary>
    Evt14,
    /// <summary>A-ABORT request primitive.</summary>
    Evt15,
    /// <summary>A-ABORT PDU received.</summary>
    Evt16,
    /// <summary>Transport connection closed indication.</summary>
    Evt17,
    /// <summary>ARTIM timer expired.</summary>
    Evt18,
    /// <summary>Unrecognized or invalid PDU received.</summary>
    Evt19,
}

/// <summary>Actions of PS3.8 tables 9-6 to 9-9.</summary>
public enum UpperLayerAction : byte
{
    /// <summary>The pair of event and state does not occur.</summary>
    None = 0,
    /// <summary>Issue TRANSPORT CONNECT request.</summary>
    AE1,
    /// <summary>Send A-ASSOCIATE-RQ PDU.</summary>
    AE2,
    /// <summary>Issue A-ASSOCIATE confirmation (accept).</summary>
    AE3,
    /// <summary>Issue A-ASSOCIATE confirmation (reject) and close.</summary>
    AE4,
    /// <summary>Issue transport connection response; start ARTIM.</summary>
    AE5,
    /// <summary>Stop ARTIM; indicate the A-ASSOCIATE request, or reject it.</summary>
    AE6,
    /// <summary>Send A-ASSOCIATE-AC PDU.</summary>
    AE7,
    /// <summary>Send A-ASSOCIATE-RJ PDU and start ARTIM.</summary>
    AE8,
    /// <summary>Send P-DATA-TF PDU.</summary>
    DT1,
    /// <summary>Indicate P-DATA.</summary>
    DT2,
    /// <summary>Send A-RELEASE-RQ PDU.</summary>
    AR1,
    /// <summary>Indicate A-RELEASE.</summary>
    AR2,
    /// <summary>Confirm A-RELEASE and close.</summary>
    AR3,
    /// <summary>Send A-RELEASE-RP PDU and start ARTIM.</summary>
    AR4,
    /// <summary>Stop ARTIM.</summary>
    AR5,
    /// <summary>Indicate P-DATA.</summary>
    AR6,
    /// <summary>Send P-DATA-TF PDU.</summary>
    AR7,
    /// <summary>Indicate A-RELEASE (release collision).</summary>
    AR8,
    /// <summary>Send A-RELEASE-RP PDU.</summary>
    AR9,
    /// <summary>Confirm A-RELEASE.</summary>
    AR10,
    /// <summary>Send A-ABORT PDU (service user) and start or restart ARTIM.</summary>
    AA1,
    /// <summary>Stop ARTIM and close.</summary>
    AA2,
    /// <summary>Indicate A-ABORT or A-P-ABORT and close.</summary>
    AA3,
    /// <summary>Indicate A-P-ABORT.</summary>
    AA4,
    /// <summary>Stop ARTIM.</summary>
    AA5,
    /// <summary>Ignore the PDU.</summary>
    AA6,
    /// <summary>Send A-ABORT PDU.</summary>
    AA7,
    /// <summary>Send A-ABORT PDU (service provider), indicate A-P-ABORT, start ARTIM.</summary>
    AA8,
}

#pragma warning restore CS1591

/// <summary>The state machine of PS3.8 section 9.2 as one value: events go in, actions come out. It has no timer and no socket; its owner
/// carries the actions out. Not thread-safe: one owner at a time fires.</summary>
public sealed class UpperLayer
{
    private const UpperLayerAction AE1 = UpperLayerAction.AE1, AE2 = UpperLayerAction.AE2, AE3 = UpperLayerAction.AE3, AE4 = UpperLayerAction.AE4,
        AE5 = UpperLayerAction.AE5, AE6 = UpperLayerAction.AE6, AE7 = UpperLayerAction.AE7, AE8 = UpperLayerAction.AE8,
        DT1 = UpperLayerAction.DT1, DT2 = UpperLayerAction.DT2,
        AR1 = UpperLayerAction.AR1, AR2 = UpperLayerAction.AR2, AR3 = UpperLayerAction.AR3, AR4 = UpperLayerAction.AR4, AR5 = UpperLayerAction.AR5,
        AR6 = UpperLayerAction.AR6, AR7 = UpperLayerAction.AR7, AR8 = UpperLayerAction.AR8, AR9 = UpperLayerAction.AR9, A10 = UpperLayerAction.AR10,
        AA1 = UpperLayerAction.AA1, AA2 = UpperLayerAction.AA2, AA3 = UpperLayerAction.AA3, AA4 = UpperLayerAction.AA4, AA5 = UpperLayerAction.AA5,
        AA6 = UpperLayerAction.AA6, AA7 = UpperLayerAction.AA7, AA8 = UpperLayerAction.AA8, ___ = UpperLayerAction.None;

    /// <summary>PS3.8 table 9-10, events downwards, states to the right.</summary>
    private static readonly UpperLayerAction[][] s_table =
    [
        //           Sta1 Sta2 Sta3 Sta4 Sta5 Sta6 Sta7 Sta8 Sta9 St10 St11 St12 St13
        /* Evt1  */ [AE1, ___, ___, ___, ___, ___, ___, ___, ___, ___, ___, ___, ___],
        /* Evt2  */ [___, ___, ___, AE2, ___, ___, ___, ___, ___, ___, ___, ___, ___],
        /* Evt3  */ [___, AA1, AA8, ___, AE3, AA8, AA8, AA8, AA8, AA8, AA8, AA8, AA6],
        /* Evt4  */ [___, AA1, AA8, ___, AE4, AA8, AA8, AA8, AA8, AA8, AA8, AA8, AA6],
        /* Evt5  */ [AE5, ___, ___, ___, ___, ___, ___, ___, ___, ___, ___, ___, ___],
        /* Evt6  */ [___, AE6, AA8, ___, AA8, AA8, AA8, AA8, AA8, AA8, AA8, AA8, AA7],
        /* Evt7  */ [___, ___, AE7, ___, ___, ___, ___, ___, ___, ___, ___, ___, ___],
        /* Evt8  */ [___, ___, AE8, ___, ___, ___, ___, ___, ___, ___, ___, ___, ___],
        /* Evt9  */ [___, ___, ___, ___, ___, DT1, ___, AR7, ___, ___, ___, ___, ___],
        /* Evt10 */ [___, AA1, AA8, ___, AA8, DT2, AR6, AA8, AA8, AA8, AA8, AA8, AA6],
        /* Evt11 */ [___, ___, ___, ___, ___, AR1, ___, ___, ___, ___, ___, ___, ___],
        /* Evt12 */ [___, AA1, AA8, ___, AA8, AR2, AR8, AA8, AA8, AA8, AA8, AA8, AA6],
        /* Evt13 */ [___, AA1, AA8, ___, AA8, AA8, AR3, AA8, AA8, A10, AR3, AA8, AA6],
        /* Evt14 */ [___, ___, ___, ___, ___, ___, ___, AR4, AR9, ___, ___, AR4, ___],
        /* Evt15 */ [___, ___, AA1, AA2, AA1, AA1, AA1, AA1, AA1, AA1, AA1, AA1, ___],
        /* Evt16 */ [___, AA2, AA3, ___, AA3, AA3, AA3, AA3, AA3, AA3, AA3, AA3, AA2],
        /* Evt17 */ [___, AA5, AA4, AA4, AA4, AA4, AA4, AA4, AA4, AA4, AA4, AA4, AR5],
        /* Evt18 */ [___, AA2, ___, ___, ___, ___, ___, ___, ___, ___, ___, ___, AA2],
        /* Evt19 */ [___, AA1, AA8, ___, AA8, AA8, AA8, AA8, AA8, AA8, AA8, AA8, AA7],
    ];

    private readonly bool _isRequestor;

    /// <summary>Starts in Sta1.</summary>
    /// <param name="isRequestor">We asked for the association; decides who is who in a release collision (AR-8).</param>
    public UpperLayer(bool isRequestor) => _isRequestor = isRequestor;

    /// <summary>Where the association stands.</summary>
    public UpperLayerState State { get; private set; } = UpperLayerState.Sta1;

    /// <summary>The action of table 9-10 for an event in a state; None where the table has no entry.</summary>
    public static UpperLayerAction Action(UpperLayerEvent upperLayerEvent, UpperLayerState state) => s_table[(int)upperLayerEvent - 1][(int)state - 1];

    /// <summary>The state an action leads to (PS3.8 tables 9-6 to 9-9).</summary>
    /// <param name="action">Not None.</param>
    /// <param name="isRequestor">For AR-8.</param>
    public static UpperLayerState NextState(UpperLayerAction action, bool isRequestor) => action switch
    {
        AE1 => UpperLayerState.Sta4,
        AE2 => UpperLayerState.Sta5,
        AE3 or AE7 or DT1 or DT2 => UpperLayerState.Sta6,
        AE5 => UpperLayerState.Sta2,
        AE6 => UpperLayerState.Sta3,
        AR1 or AR6 => UpperLayerState.Sta7,
        AR2 or AR7 => UpperLayerState.Sta8,
        AR8 => isRequestor ? UpperLayerState.Sta9 : UpperLayerState.Sta10,
        AR9 => UpperLayerState.Sta11,
        A10 => UpperLayerState.Sta12,
        AE8 or AR4 or AA1 or AA6 or AA7 or AA8 => UpperLayerState.Sta13,
        AE4 or AR3 or AR5 or AA2 or AA3 or AA4 or AA5 => UpperLayerState.Sta1,
        _ => throw new InvalidOperationException("no such entry in PS3.8 table 9-10"),
    };

    /// <summary>Takes an event in, moves on and says what to do. AE-6 goes to Sta3 always: a request that the provider itself refuses is
    /// refused from there by Evt8, which sends the same PDU and ends in the same Sta13.</summary>
    /// <exception cref="InvalidOperationException">The table has no entry: a mistake of the caller, because everything a peer can do has one.</exception>
    public UpperLayerAction Fire(UpperLayerEvent upperLayerEvent)
    {
        UpperLayerAction action = Action(upperLayerEvent, State);
        if (action == UpperLayerAction.None) throw new InvalidOperationException($"{upperLayerEvent} does not occur in {State}");
        State = NextState(action, _isRequestor);
        return action;
    }

    /// <summary>The event that a received PDU of this type is; Evt19 for a type that does not exist.</summary>
    public static UpperLayerEvent EventOf(PduType type) => type switch
    {
        PduType.AssociateRequest => UpperLayerEvent.Evt6,
        PduType.AssociateAccept => UpperLayerEvent.Evt3,
        PduType.AssociateReject => UpperLayerEvent.Evt4,
        PduType.Data => UpperLayerEvent.Evt10,
        PduType.ReleaseRequest => UpperLayerEvent.Evt12,
        PduType.ReleaseResponse => UpperLayerEvent.Evt13,
        PduType.Abort => UpperLayerEvent.Evt16,
        _ => UpperLayerEvent.Evt19,
    };
}
