using System.Net;
using PacsCluster.Dicom.Network;

namespace PacsCluster.Dimse;

/// <summary>The DICOM application entity: who we are, who may talk to us, and every limit of the network services.</summary>
public sealed record DimseOptions
{
    /// <summary>Our AE title, 1 to 16 characters. Default PACSCLUSTER.</summary>
    public string AETitle { get; init; } = "PACSCLUSTER";

    /// <summary>Other AE titles we answer to. Default none.</summary>
    public IReadOnlyList<string> AETitleAliases { get; init; } = [];

    /// <summary>Accept associations whatever AE title they call. Default false: 7, called AE title not recognized (C-5).</summary>
    public bool AcceptAnyCalledAETitle { get; init; }

    /// <summary>Accept calling AE titles that <see cref="KnownAEs"/> does not have. Default true.</summary>
    public bool AcceptUnknownCallingAEs { get; init; } = true;

    /// <summary>IP address to listen on. Default 127.0.0.1.</summary>
    public string BindAddress { get; init; } = "127.0.0.1";

    /// <summary>TCP port to listen on, 0 (any free one) to 65535. Default 11112.</summary>
    public int Port { get; init; } = 11112;

    /// <summary>Largest P-DATA-TF length we announce, in bytes, 4,096 to 1,048,576. Default 131,072. A longer PDU aborts its association.</summary>
    public int MaxPduBytes { get; init; } = 128 * 1024;

    /// <summary>Largest association PDU we read, in bytes, 4,096 to 16,777,216. Default 1 MiB: 128 contexts with 50 transfer syntaxes are 0.3 MiB.</summary>
    public int MaxAssociatePduBytes { get; init; } = 1024 * 1024;

    /// <summary>Largest identifier of a query or retrieve request, in bytes, 1,024 to 64 MiB. Default 1 MiB; a longer one fails with A700.</summary>
    public int MaxIdentifierBytes { get; init; } = 1024 * 1024;

    /// <summary>Associations open at once, 1 to 100,000. Default 500; more are rejected as transient, local limit exceeded (C-6).</summary>
    public int MaxAssociations { get; init; } = 500;

    /// <summary>Associations open at once of one calling AE title, 1 to 100,000. Default 200; more are rejected as above.</summary>
    public int MaxAssociationsPerAE { get; init; } = 200;

    /// <summary>Operations of one association that may be under way at once when its requestor proposes an asynchronous operations window, 1 to 64. Default 8: so many
    /// instances wait for disk, cloud and catalog together, each with its read buffer (1 MiB). 1 answers every proposal with a window of 1.</summary>
    public int OperationsPerformedAtOnce { get; init; } = 8;

    /// <summary>Socket receive and send buffer in bytes, 0 (the kernel tunes them, on Linux up to several MB) to 64 MiB. Default 0: a number here
    /// switches that tuning off and is capped by net.core.rmem_max.</summary>
    public int SocketBufferBytes { get; init; }

    /// <summary>Times.</summary>
    public DimseTimeouts Timeouts { get; init; } = new();

    /// <summary>Query/Retrieve.</summary>
    public QueryRetrieveOptions QueryRetrieve { get; init; } = new();

    /// <summary>Peers we know by AE title: those we send to, and those with settings of their own.</summary>
    public IReadOnlyList<KnownAE> KnownAEs { get; init; } = [];

    /// <summary>SOP class UIDs taken as storage SOP classes beside those of PS3.6. Default none.</summary>
    public IReadOnlyList<string> PrivateStorageSopClasses { get; init; } = [];

    /// <summary>Transfer syntax UIDs taken for storage beside those of PS3.6; their pixel data must be encapsulated. Default none.</summary>
    public IReadOnlyList<string> PrivateTransferSyntaxes { get; init; } = [];

    /// <summary>Accept SOP classes that we do not know but that common extended negotiation declares to be of the Storage Service Class. Default true.</summary>
    public bool AcceptDeclaredStorageSopClasses { get; init; } = true;

    /// <summary>The peer of this AE title, or null.</summary>
    public KnownAE? FindAE(string title) => KnownAEs.FirstOrDefault(ae => string.Equals(ae.AETitle, title, StringComparison.Ordinal));

    /// <summary>Everything that is wrong, a line each; empty when all is well.</summary>
    public IReadOnlyList<string> Validate()
    {
        var errors = new List<string>();
        foreach (string title in (string[])[AETitle, .. AETitleAliases])
        {
            if (!AssociationPolicy.IsValidAETitle(title)) errors.Add($"Dimse:AETitle: '{title}' is not 1 to 16 printable characters without backslash");
        }
        if (!IPAddress.TryParse(BindAddress, out _)) errors.Add($"Dimse:BindAddress: '{BindAddress}' is not an IP address");
        Range(errors, nameof(Port), Port, 0, 65535);
        Range(errors, nameof(MaxPduBytes), MaxPduBytes, 4096, 1024 * 1024);
        Range(errors, nameof(MaxAssociatePduBytes), MaxAssociatePduBytes, 4096, 16 * 1024 * 1024);
        Range(errors, nameof(MaxIdentifierBytes), MaxIdentifierBytes, 1024, 64 * 1024 * 1024);
        Range(errors, nameof(MaxAssociations), MaxAssociations, 1, 100_000);
        Range(errors, nameof(MaxAssociationsPerAE), MaxAssociationsPerAE, 1, 100_000);
        Range(errors, nameof(OperationsPerformedAtOnce), OperationsPerformedAtOnce, 1, 64);
        Range(errors, nameof(SocketBufferBytes), SocketBufferBytes, 0, 64 * 1024 * 1024);
        foreach (string uid in (string[])[.. PrivateStorageSopClasses, .. PrivateTransferSyntaxes])
        {
            if (uid.Length is 0 or > 64 || uid.Any(c => c is not ('.' or (>= '0' and <= '9')))) errors.Add($"Dimse: '{uid}' is not a UID");
        }
        Timeouts.Validate(errors);
        errors.AddRange(QueryRetrieve.Validate("Dimse:QueryRetrieve"));
        foreach (KnownAE ae in KnownAEs) ae.Validate(errors);
        foreach (IGrouping<string, KnownAE> twice in KnownAEs.GroupBy(ae => ae.AETitle).Where(group => group.Count() > 1))
        {
            errors.Add($"Dimse:KnownAEs: '{twice.Key}' is there {twice.Count()} times");
        }
        return errors;
    }

    private static void Range(List<string> errors, string name, int value, int low, int high)
    {
        if (value < low || value > high) errors.Add($"Dimse:{name}: {value} is not in {low} to {high}");
    }
}

/// <summary>Times of the network services. Each is 50 ms to 24 h; they are kept to a quarter of the shortest one, at most a second late.</summary>
public sealed record DimseTimeouts
{
    /// <summary>ARTIM (PS3.8 section 9.1.5): from connection to a whole A-ASSOCIATE-RQ, and for the peer to close after reject, release or abort.
    /// Default 30 s; then the connection is closed.</summary>
    public TimeSpan Artim { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>An association on which nothing is asked. Default 10 min; then it is aborted.</summary>
    public TimeSpan Inactivity { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>A peer that stops in the middle of a message. Default 60 s; then the association is aborted and nothing of the message is kept.</summary>
    public TimeSpan Receive { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>A peer that does not take what we send. Default 60 s; then the association is aborted, never continued (C-20).</summary>
    public TimeSpan Send { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>As SCU: TCP connection. Default 10 s.</summary>
    public TimeSpan Connect { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>As SCU: from A-ASSOCIATE-RQ to its answer, and from A-RELEASE-RQ to its answer. Default 30 s.</summary>
    public TimeSpan Associate { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>As SCU: from a request, or a pending response, to the next response. Default 5 min, because a store may wait for a slow archive.</summary>
    public TimeSpan Response { get; init; } = TimeSpan.FromMinutes(5);

    internal TimeSpan Shortest => new(new[] { Artim, Inactivity, Receive, Send, Associate, Response }.Min(time => time.Ticks));

    internal void Validate(List<string> errors)
    {
        foreach ((string name, TimeSpan value) in new[]
        {
            (nameof(Artim), Artim), (nameof(Inactivity), Inactivity), (nameof(Receive), Receive), (nameof(Send), Send),
            (nameof(Connect), Connect), (nameof(Associate), Associate), (nameof(Response), Response),
        })
        {
            if (value < TimeSpan.FromMilliseconds(50) || value > TimeSpan.FromHours(24)) errors.Add($"Dimse:Timeouts:{name}: {value} is not in 50 ms to 24 h");
        }
    }
}

/// <summary>A peer application entity.</summary>
public sealed record KnownAE
{
    /// <summary>Its AE title, 1 to 16 characters.</summary>
    public required string AETitle { get; init; }

    /// <summary>Host name or IP address to send to; null when we never connect to it.</summary>
    public string? Host { get; init; }

    /// <summary>TCP port to send to, 1 to 65535. Default 104.</summary>
    public int Port { get; init; } = 104;

    /// <summary>Move Destinations that this AE may name as calling AE; null allows every known AE with a host (C-54). Default null.</summary>
    public IReadOnlyList<string>? AllowedDestinations { get; init; }

    /// <summary>It may store. Default true; false answers 0124.</summary>
    public bool MayStore { get; init; } = true;

    /// <summary>It may query and retrieve. Default true; false answers 0124.</summary>
    public bool MayQuery { get; init; } = true;

    /// <summary>Associations open at once from it, 1 to 100,000; null takes the common limit.</summary>
    public int? MaxAssociations { get; init; }

    /// <summary>Associations that we open to it at once for C-MOVE, 1 to 1,000; more moves wait for their turn (C-54). Default 10.</summary>
    public int MaxSendAssociations { get; init; } = 10;

    /// <summary>Our calling AE title towards it; null takes our own.</summary>
    public string? CallingAETitle { get; init; }

    internal void Validate(List<string> errors)
    {
        if (!AssociationPolicy.IsValidAETitle(AETitle)) errors.Add($"Dimse:KnownAEs: '{AETitle}' is not 1 to 16 printable characters without backslash");
        if (Port is < 1 or > 65535) errors.Add($"Dimse:KnownAEs:{AETitle}:Port: {Port} is not in 1 to 65535");
        if (Host is { Length: 0 }) errors.Add($"Dimse:KnownAEs:{AETitle}:Host: is empty");
        if (MaxAssociations is < 1 or > 100_000) errors.Add($"Dimse:KnownAEs:{AETitle}:MaxAssociations: {MaxAssociations} is not in 1 to 100000");
        if (MaxSendAssociations is < 1 or > 1000) errors.Add($"Dimse:KnownAEs:{AETitle}:MaxSendAssociations: {MaxSendAssociations} is not in 1 to 1000");
        if (CallingAETitle is { } calling && !AssociationPolicy.IsValidAETitle(calling)) errors.Add($"Dimse:KnownAEs:{AETitle}:CallingAETitle: '{calling}' is no AE title");
    }
}
