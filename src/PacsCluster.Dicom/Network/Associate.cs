namespace PacsCluster.Dicom.Network;

/// <summary>A-ASSOCIATE-RQ (PS3.8 section 9.3.2).</summary>
public sealed record AssociateRequest
{
    /// <summary>Bit 0 is version 1, the only one there is (C-2).</summary>
    public ushort ProtocolVersion { get; init; } = 1;
    /// <summary>Called AE title, without its padding; empty when it was all spaces.</summary>
    public required string CalledAETitle { get; init; }
    /// <summary>Calling AE title, without its padding.</summary>
    public required string CallingAETitle { get; init; }
    /// <summary>Application context name; empty when the item is missing.</summary>
    public string ApplicationContext { get; init; } = WellKnownUids.ApplicationContext;
    /// <summary>Proposed presentation contexts, in order.</summary>
    public required IReadOnlyList<ProposedContext> Contexts { get; init; }
    /// <summary>User information.</summary>
    public UserInformation User { get; init; } = new();
}

/// <summary>A-ASSOCIATE-AC (PS3.8 section 9.3.3).</summary>
public sealed record AssociateAccept
{
    /// <summary>Bit 0 is version 1.</summary>
    public ushort ProtocolVersion { get; init; } = 1;
    /// <summary>As in the request; its value is not tested (PS3.8 table 9-17).</summary>
    public required string CalledAETitle { get; init; }
    /// <summary>As in the request; its value is not tested.</summary>
    public required string CallingAETitle { get; init; }
    /// <summary>Application context name.</summary>
    public string ApplicationContext { get; init; } = WellKnownUids.ApplicationContext;
    /// <summary>One answer for each proposed context.</summary>
    public required IReadOnlyList<AnsweredContext> Contexts { get; init; }
    /// <summary>User information.</summary>
    public UserInformation User { get; init; } = new();
}

/// <summary>A presentation context of A-ASSOCIATE-RQ.</summary>
/// <param name="Id">Odd, 1 to 255.</param>
/// <param name="AbstractSyntax">SOP class UID.</param>
/// <param name="TransferSyntaxes">UIDs in the order proposed.</param>
public sealed record ProposedContext(byte Id, string AbstractSyntax, IReadOnlyList<string> TransferSyntaxes);

/// <summary>Result of a presentation context (PS3.8 table 9-18).</summary>
public enum ContextResult : byte
{
    /// <summary>Acceptance.</summary>
    Accepted = 0,
    /// <summary>User rejection.</summary>
    UserRejection = 1,
    /// <summary>No reason (provider rejection).</summary>
    ProviderRejection = 2,
    /// <summary>Abstract syntax not supported.</summary>
    AbstractSyntaxNotSupported = 3,
    /// <summary>Transfer syntaxes not supported.</summary>
    TransferSyntaxesNotSupported = 4,
}

/// <summary>A presentation context of A-ASSOCIATE-AC.</summary>
/// <param name="Id">As proposed.</param>
/// <param name="Result">Accepted or why not.</param>
/// <param name="TransferSyntax">The one accepted; without meaning when rejected.</param>
public sealed record AnsweredContext(byte Id, ContextResult Result, string TransferSyntax);

/// <summary>User information item (PS3.8 section 9.3.2.3, PS3.7 annex D.3.3).</summary>
public sealed record UserInformation
{
    /// <summary>Largest P-DATA-TF length in bytes that the writer of this PDU takes in; 0 is no limit (51H).</summary>
    public uint MaxPduLength { get; init; }
    /// <summary>Implementation class UID (52H); null when absent.</summary>
    public string? ImplementationClassUid { get; init; } = Part10.ImplementationClassUid;
    /// <summary>Implementation version name (55H), at most 16 characters; null when absent.</summary>
    public string? ImplementationVersionName { get; init; } = Part10.ImplementationVersionName;
    /// <summary>Asynchronous operations window (53H); null when absent, which means 1/1.</summary>
    public AsyncWindow? AsyncWindow { get; init; }
    /// <summary>SCP/SCU role selections (54H).</summary>
    public IReadOnlyList<RoleSelection> Roles { get; init; } = [];
    /// <summary>SOP class extended negotiations (56H).</summary>
    public IReadOnlyList<ExtendedNegotiation> Extended { get; init; } = [];
    /// <summary>SOP class common extended negotiations (57H), in requests only.</summary>
    public IReadOnlyList<CommonExtendedNegotiation> CommonExtended { get; init; } = [];
    /// <summary>User identity (58H), in requests only.</summary>
    public UserIdentity? Identity { get; init; }
    /// <summary>Server response to a user identity (59H), in acceptances only; empty for the types without one.</summary>
    public ReadOnlyMemory<byte>? IdentityResponse { get; init; }
}

/// <summary>Operations that may be outstanding at once (PS3.7 annex D.3.3.3); 0 is no limit.</summary>
/// <param name="Invoked">By the association requestor.</param>
/// <param name="Performed">By the association requestor.</param>
public readonly record struct AsyncWindow(ushort Invoked, ushort Performed);

/// <summary>Roles of the association requestor (PS3.7 annex D.3.3.4).</summary>
/// <param name="SopClassUid">SOP class.</param>
/// <param name="Scu">Proposed, or accepted, as SCU.</param>
/// <param name="Scp">Proposed, or accepted, as SCP.</param>
public sealed record RoleSelection(string SopClassUid, bool Scu, bool Scp);

/// <summary>SOP class extended negotiation (PS3.7 annex D.3.3.5).</summary>
/// <param name="SopClassUid">SOP class.</param>
/// <param name="Information">Bytes that PS3.4 defines per service class.</param>
public sealed record ExtendedNegotiation(string SopClassUid, ReadOnlyMemory<byte> Information);

/// <summary>SOP class common extended negotiation (PS3.7 annex D.3.3.6).</summary>
/// <param name="SopClassUid">SOP class.</param>
/// <param name="ServiceClassUid">Its service class.</param>
/// <param name="RelatedGeneralSopClassUids">Maybe empty.</param>
public sealed record CommonExtendedNegotiation(string SopClassUid, string ServiceClassUid, IReadOnlyList<string> RelatedGeneralSopClassUids);

/// <summary>User identity (PS3.7 annex D.3.3.7).</summary>
/// <param name="Type">1 user name, 2 user name and passcode, 3 Kerberos ticket, 4 SAML assertion, 5 JSON web token.</param>
/// <param name="ResponseRequested">The requestor wants a 59H item.</param>
/// <param name="Primary">User name, ticket, assertion or token. Never log it but for types 1 and 2.</param>
/// <param name="Secondary">Passcode of type 2. Never log it.</param>
public sealed record UserIdentity(byte Type, bool ResponseRequested, ReadOnlyMemory<byte> Primary, ReadOnlyMemory<byte> Secondary);

/// <summary>UIDs that the network services themselves need (PS3.6 annex A).</summary>
public static class WellKnownUids
{
    /// <summary>DICOM Application Context Name.</summary>
    public const string ApplicationContext = "1.2.840.10008.3.1.1.1";
    /// <summary>Verification SOP Class.</summary>
    public const string Verification = "1.2.840.10008.1.1";
    /// <summary>Storage Service Class, in common extended negotiation.</summary>
    public const string StorageServiceClass = "1.2.840.10008.4.2";
    /// <summary>Patient Root Query/Retrieve - FIND.</summary>
    public const string PatientRootFind = "1.2.840.10008.5.1.4.1.2.1.1";
    /// <summary>Patient Root Query/Retrieve - MOVE.</summary>
    public const string PatientRootMove = "1.2.840.10008.5.1.4.1.2.1.2";
    /// <summary>Patient Root Query/Retrieve - GET.</summary>
    public const string PatientRootGet = "1.2.840.10008.5.1.4.1.2.1.3";
    /// <summary>Study Root Query/Retrieve - FIND.</summary>
    public const string StudyRootFind = "1.2.840.10008.5.1.4.1.2.2.1";
    /// <summary>Study Root Query/Retrieve - MOVE.</summary>
    public const string StudyRootMove = "1.2.840.10008.5.1.4.1.2.2.2";
    /// <summary>Study Root Query/Retrieve - GET.</summary>
    public const string StudyRootGet = "1.2.840.10008.5.1.4.1.2.2.3";
}
