namespace PacsCluster.Dicom.Network;

/// <summary>What an acceptor offers: values and look-ups, no I/O. One set of rules serves one association request.</summary>
public sealed record AcceptorRules
{
    /// <summary>Is the called AE title one of ours? (C-5)</summary>
    public required Func<string, bool> AcceptsCalled { get; init; }
    /// <summary>May this calling AE title connect? (C-5)</summary>
    public required Func<string, bool> AcceptsCalling { get; init; }
    /// <summary>What we do with an abstract syntax; null when we do not know it.</summary>
    public required Func<string, AbstractSyntaxRule?> FindRule { get; init; }
    /// <summary>Rule for SOP classes that common extended negotiation declares to be of the Storage Service Class; null refuses them (C-15).</summary>
    public AbstractSyntaxRule? UnknownStorageRule { get; init; }
    /// <summary>Largest P-DATA-TF length in bytes that we announce.</summary>
    public required uint MaxPduBytes { get; init; }
    /// <summary>Most operations we let the requestor have outstanding; 1 answers every proposal with 1/1. 0 is no limit.</summary>
    public ushort MaxOperationsInvoked { get; init; } = 1;
    /// <summary>Judges a user identity; null ignores it (no response item, PS3.7 annex D.3.3.7.2). The function returns the server response
    /// (maybe empty) or null to reject the association.</summary>
    public Func<UserIdentity, ReadOnlyMemory<byte>?>? CheckIdentity { get; init; }
}

/// <summary>What the acceptor offers for one abstract syntax.</summary>
public sealed record AbstractSyntaxRule
{
    /// <summary>Is the transfer syntax one we can take?</summary>
    public required Func<string, bool> AcceptsTransferSyntax { get; init; }
    /// <summary>The requestor may be SCU, that is we serve it. Default true.</summary>
    public bool ServesScu { get; init; } = true;
    /// <summary>The requestor may be SCP, that is we send to it (C-GET's sub-operations). Default false.</summary>
    public bool SendsToScp { get; init; }
    /// <summary>Answers the extended negotiation bytes; null, or a null answer, says nothing of them (C-14).</summary>
    public Func<ReadOnlyMemory<byte>, ReadOnlyMemory<byte>?>? AnswerExtended { get; init; }
}

/// <summary>A presentation context that both sides agreed on.</summary>
/// <param name="Id">Odd, 1 to 255.</param>
/// <param name="AbstractSyntax">SOP class UID.</param>
/// <param name="TransferSyntax">The one accepted.</param>
/// <param name="RequestorIsScu">The association requestor may send requests for it.</param>
/// <param name="RequestorIsScp">The association acceptor may send requests for it (role selection).</param>
public sealed record PresentationContext(byte Id, string AbstractSyntax, TransferSyntax TransferSyntax, bool RequestorIsScu, bool RequestorIsScp);

/// <summary>What an association request is answered with: exactly one of the two is not null.</summary>
/// <param name="Accept">A-ASSOCIATE-AC.</param>
/// <param name="Reject">A-ASSOCIATE-RJ.</param>
/// <param name="Contexts">The accepted contexts; empty when rejected.</param>
public sealed record AssociationDecision(AssociateAccept? Accept, AssociateReject? Reject, IReadOnlyList<PresentationContext> Contexts);

/// <summary>Decides on an association request (PS3.8 section 7.1.1, PS3.7 annex D.3; C-2 to C-16). Pure.</summary>
public static class AssociationPolicy
{
    /// <summary>Accepts or rejects. An association without any acceptable context is accepted all the same, as the standard has it.</summary>
    public static AssociationDecision Decide(AssociateRequest request, AcceptorRules rules)
    {
        if (CheckRequest(request, rules) is { } reject) return Rejected(reject);
        ReadOnlyMemory<byte>? identityResponse = null;
        if (request.User.Identity is { } identity && rules.CheckIdentity is { } check)
        {
            ReadOnlyMemory<byte>? response = check(identity);
            if (response is null) return Rejected(new(RejectResult.Permanent, RejectReason.NoReason));
            if (identity.ResponseRequested) identityResponse = response;
        }
        var contexts = new List<PresentationContext>();
        var answers = new List<AnsweredContext>();
        var answeredRoles = new Dictionary<string, RoleSelection>(StringComparer.Ordinal);
        Span<bool> seen = stackalloc bool[256];
        foreach (ProposedContext proposed in request.Contexts)
        {
            // The same id again cannot be told from the first by anything sent later, so it is answered once (C-7).
            if (seen[proposed.Id]) continue;
            seen[proposed.Id] = true;
            answers.Add(AnswerContext(request, rules, proposed, contexts, answeredRoles));
        }
        var accept = new AssociateAccept
        {
            CalledAETitle = request.CalledAETitle,
            CallingAETitle = request.CallingAETitle,
            Contexts = answers,
            User = new UserInformation
            {
                MaxPduLength = rules.MaxPduBytes,
                AsyncWindow = AnswerWindow(request.User.AsyncWindow, rules.MaxOperationsInvoked),
                Roles = [.. answeredRoles.Values],
                Extended = AnswerExtended(request, rules),
                IdentityResponse = identityResponse,
            },
        };
        return new AssociationDecision(accept, null, contexts);
    }

    /// <summary>AE title rules of C-4: 1 to 16 characters, not all spaces, no backslash, no control characters.</summary>
    public static bool IsValidAETitle(string title) => title.Trim(' ').Length is > 0 and <= 16 && title.All(c => c is >= ' ' and <= '~' and not '\\');

    /// <summary>The contexts that a requestor holds after its acceptance; a context that it did not propose, or with a transfer syntax
    /// that it did not propose, is left out.</summary>
    public static IReadOnlyList<PresentationContext> Agreed(AssociateRequest request, AssociateAccept accept)
    {
        var agreed = new List<PresentationContext>();
        foreach (AnsweredContext answer in accept.Contexts)
        {
            if (answer.Result != ContextResult.Accepted) continue;
            ProposedContext? proposed = request.Contexts.FirstOrDefault(context => context.Id == answer.Id);
            if (proposed is null || !proposed.TransferSyntaxes.Contains(answer.TransferSyntax)) continue;
            RoleSelection? asked = request.User.Roles.FirstOrDefault(role => role.SopClassUid == proposed.AbstractSyntax);
            RoleSelection? given = accept.User.Roles.FirstOrDefault(role => role.SopClassUid == proposed.AbstractSyntax);
            bool scu = asked is null || given is null || (asked.Scu && given.Scu);
            bool scp = asked is not null && given is not null && asked.Scp && given.Scp;
            agreed.Add(new PresentationContext(proposed.Id, proposed.AbstractSyntax, TransferSyntax.FromUid(answer.TransferSyntax), scu, scp));
        }
        return agreed;
    }

    private static AssociationDecision Rejected(AssociateReject reject) => new(null, reject, []);

    private static AssociateReject? CheckRequest(AssociateRequest request, AcceptorRules rules)
    {
        if ((request.ProtocolVersion & 1) == 0) return new(RejectResult.Permanent, RejectReason.ProtocolVersionNotSupported);
        if (request.ApplicationContext != WellKnownUids.ApplicationContext) return new(RejectResult.Permanent, RejectReason.ApplicationContextNotSupported);
        if (!IsValidAETitle(request.CalledAETitle) || !rules.AcceptsCalled(request.CalledAETitle))
        {
            return new(RejectResult.Permanent, RejectReason.CalledAETitleNotRecognized);
        }
        if (!IsValidAETitle(request.CallingAETitle) || !rules.AcceptsCalling(request.CallingAETitle))
        {
            return new(RejectResult.Permanent, RejectReason.CallingAETitleNotRecognized);
        }
        return null;
    }

    private static AnsweredContext AnswerContext(AssociateRequest request, AcceptorRules rules, ProposedContext proposed,
        List<PresentationContext> contexts, Dictionary<string, RoleSelection> answeredRoles)
    {
        string placeholder = proposed.TransferSyntaxes.Count > 0 ? proposed.TransferSyntaxes[0] : TransferSyntax.ImplicitVRLittleEndian.Uid;
        if ((proposed.Id & 1) == 0) return new AnsweredContext(proposed.Id, ContextResult.ProviderRejection, placeholder);
        AbstractSyntaxRule? rule = rules.FindRule(proposed.AbstractSyntax) ?? FindDeclared(request, rules, proposed.AbstractSyntax);
        if (rule is null) return new AnsweredContext(proposed.Id, ContextResult.AbstractSyntaxNotSupported, placeholder);

        RoleSelection? asked = request.User.Roles.LastOrDefault(role => role.SopClassUid == proposed.AbstractSyntax);
        bool scu = rule.ServesScu && (asked?.Scu ?? true);
        bool scp = rule.SendsToScp && (asked?.Scp ?? false);
        if (asked is not null) answeredRoles[proposed.AbstractSyntax] = new RoleSelection(proposed.AbstractSyntax, scu, scp);
        if (!scu && !scp) return new AnsweredContext(proposed.Id, ContextResult.UserRejection, placeholder);

        string? chosen = ChooseTransferSyntax(proposed.TransferSyntaxes, rule.AcceptsTransferSyntax);
        if (chosen is null) return new AnsweredContext(proposed.Id, ContextResult.TransferSyntaxesNotSupported, placeholder);
        contexts.Add(new PresentationContext(proposed.Id, proposed.AbstractSyntax, TransferSyntax.FromUid(chosen), scu, scp));
        return new AnsweredContext(proposed.Id, ContextResult.Accepted, chosen);
    }

    private static AbstractSyntaxRule? FindDeclared(AssociateRequest request, AcceptorRules rules, string abstractSyntax)
    {
        if (rules.UnknownStorageRule is null) return null;
        foreach (CommonExtendedNegotiation common in request.User.CommonExtended)
        {
            if (common.SopClassUid == abstractSyntax && common.ServiceClassUid == WellKnownUids.StorageServiceClass) return rules.UnknownStorageRule;
        }
        return null;
    }

    /// <summary>One of the proposed transfer syntaxes, or null (C-9: stored &gt; lossless &gt; ELE &gt; ILE). The list has no order by the
    /// standard, but a requestor that puts an encapsulated one first says in practice what it holds: taking it spares both sides a conversion,
    /// and we store what we receive. Among encapsulated ones a lossless one is taken before a lossy one, so that nobody compresses with loss on
    /// our account. A requestor that puts an uncompressed one first may not be able to compress, so it gets Explicit VR Little Endian (it keeps
    /// the VRs of private elements), then Implicit, deflated and big endian; an encapsulated one only if nothing else is offered.</summary>
    public static string? ChooseTransferSyntax(IReadOnlyList<string> proposed, Func<string, bool> accepts)
    {
        string? first = null, lossless = null, encapsulated = null, best = null;
        int bestRank = int.MaxValue;
        foreach (string uid in proposed)
        {
            if (uid.Length == 0 || !accepts(uid)) continue;
            first ??= uid;
            int rank = UncompressedRank(uid);
            if (rank < bestRank) (best, bestRank) = (uid, rank);
            if (rank != int.MaxValue) continue;
            encapsulated ??= uid;
            if (IsLossless(uid)) lossless ??= uid;
        }
        if (first is null) return null;
        if (first == encapsulated || best is null) return lossless ?? encapsulated;
        return best;
    }

    private static int UncompressedRank(string uid) => uid switch
    {
        "1.2.840.10008.1.2.1" => 0,
        "1.2.840.10008.1.2" => 1,
        "1.2.840.10008.1.2.1.99" => 2,
        "1.2.840.10008.1.2.2" => 3,
        _ => int.MaxValue,
    };

    // JPEG lossless (two processes), JPEG-LS lossless, JPEG 2000 lossless (two parts), RLE, HTJ2K lossless (two), JPEG XL lossless,
    // encapsulated uncompressed, deflated image frame.
    private static bool IsLossless(string uid) => uid is "1.2.840.10008.1.2.4.57" or "1.2.840.10008.1.2.4.70" or "1.2.840.10008.1.2.4.80"
        or "1.2.840.10008.1.2.4.90" or "1.2.840.10008.1.2.4.92" or "1.2.840.10008.1.2.5" or "1.2.840.10008.1.2.4.201" or "1.2.840.10008.1.2.4.202"
        or "1.2.840.10008.1.2.4.110" or "1.2.840.10008.1.2.1.98" or "1.2.840.10008.1.2.8.1";

    private static AsyncWindow? AnswerWindow(AsyncWindow? proposed, ushort ours)
    {
        if (proposed is not { } window) return null;
        // 0 is no limit, so it counts as the largest number. What we perform as requestor of sub-operations is one at a time (C-12).
        ushort invoked = window.Invoked == 0 ? ours : ours == 0 ? window.Invoked : Math.Min(window.Invoked, ours);
        return new AsyncWindow(invoked, 1);
    }

    private static List<ExtendedNegotiation> AnswerExtended(AssociateRequest request, AcceptorRules rules)
    {
        var answers = new List<ExtendedNegotiation>();
        foreach (ExtendedNegotiation proposed in request.User.Extended)
        {
            AbstractSyntaxRule? rule = rules.FindRule(proposed.SopClassUid) ?? FindDeclared(request, rules, proposed.SopClassUid);
            if (rule?.AnswerExtended is { } answer && answer(proposed.Information) is { } bytes) answers.Add(new ExtendedNegotiation(proposed.SopClassUid, bytes));
        }
        return answers;
    }
}
