using PacsCluster.Dicom.Network;

namespace PacsCluster.Dicom.Tests.Network;

public sealed class AssociationPolicyTests
{
    private const string CT = "1.2.840.10008.5.1.4.1.1.2";
    private const string Ile = "1.2.840.10008.1.2", Ele = "1.2.840.10008.1.2.1", Deflated = "1.2.840.10008.1.2.1.99", Ebe = "1.2.840.10008.1.2.2";
    private const string JpegBaseline = "1.2.840.10008.1.2.4.50", JpegLossless = "1.2.840.10008.1.2.4.70", J2kLossless = "1.2.840.10008.1.2.4.90";

    private static readonly AbstractSyntaxRule s_storage = new()
    {
        AcceptsTransferSyntax = uid => uid.StartsWith("1.2.840.10008.1.2", StringComparison.Ordinal),
        SendsToScp = true,
        AnswerExtended = asked => asked.Length > 0 ? new byte[] { 2 } : null,
    };

    private static readonly AcceptorRules s_rules = new()
    {
        AcceptsCalled = title => title == "US",
        AcceptsCalling = title => title != "STRANGER",
        FindRule = uid => uid switch
        {
            CT => s_storage,
            WellKnownUids.Verification => new AbstractSyntaxRule { AcceptsTransferSyntax = uid => uid is Ile or Ele },
            _ => null,
        },
        UnknownStorageRule = s_storage,
        MaxPduBytes = 131072,
    };

    private static readonly AssociateRequest s_request = new()
    {
        CalledAETitle = "US",
        CallingAETitle = "THEM",
        Contexts = [new ProposedContext(1, CT, [Ele])],
        User = new UserInformation { MaxPduLength = 16384 },
    };

    internal static AssociationDecision Decide(AssociateRequest request) => AssociationPolicy.Decide(request, s_rules);

    [Fact]
    public void C_2_ProtocolVersionIsABitMask()
    {
        Assert.NotNull(Decide(s_request with { ProtocolVersion = 0x8003 }).Accept);
        Assert.Equal(RejectReason.ProtocolVersionNotSupported, Decide(s_request with { ProtocolVersion = 2 }).Reject!.Value.Reason);
    }

    [Fact]
    public void C_3_OtherApplicationContextIsRejected() =>
        Assert.Equal(new AssociateReject(RejectResult.Permanent, RejectReason.ApplicationContextNotSupported), Decide(s_request with { ApplicationContext = "1.2.3" }).Reject);

    [Theory]
    [InlineData("", RejectReason.CallingAETitleNotRecognized)]
    [InlineData("A\\B", RejectReason.CallingAETitleNotRecognized)]
    [InlineData("A\tB", RejectReason.CallingAETitleNotRecognized)]
    [InlineData("STRANGER", RejectReason.CallingAETitleNotRecognized)]
    public void C_4_C_5_BadOrUnknownCallingAETitle(string title, RejectReason reason) =>
        Assert.Equal(new AssociateReject(RejectResult.Permanent, reason), Decide(s_request with { CallingAETitle = title }).Reject);

    [Fact]
    public void C_5_UnknownCalledAETitle() =>
        Assert.Equal(new AssociateReject(RejectResult.Permanent, RejectReason.CalledAETitleNotRecognized), Decide(s_request with { CalledAETitle = "OTHER" }).Reject);

    [Fact]
    public void C_7_All128ContextsAreAnsweredAndASecondUseOfAnIdIsNot()
    {
        ProposedContext[] contexts = [.. Enumerable.Range(0, 128).Select(i => new ProposedContext((byte)(2 * i + 1), i % 2 == 0 ? CT : "1.2.3", [Ele]))];
        AssociationDecision decision = Decide(s_request with { Contexts = [.. contexts, new ProposedContext(1, "1.2.3", [Ele])] });
        Assert.Equal(128, decision.Accept!.Contexts.Count);
        Assert.Equal(64, decision.Contexts.Count);
        Assert.Equal(CT, decision.Contexts.Single(context => context.Id == 1).AbstractSyntax);
    }

    [Theory]
    [InlineData(CT, Ele, ContextResult.Accepted)]
    [InlineData(CT, "9.9", ContextResult.TransferSyntaxesNotSupported)]
    [InlineData("1.2.3", Ele, ContextResult.AbstractSyntaxNotSupported)]
    public void C_8_ResultCodes(string abstractSyntax, string transferSyntax, ContextResult result)
    {
        AnsweredContext answer = Assert.Single(Decide(s_request with { Contexts = [new ProposedContext(1, abstractSyntax, [transferSyntax])] }).Accept!.Contexts);
        Assert.Equal(result, answer.Result);
        Assert.Equal(transferSyntax, answer.TransferSyntax);
    }

    [Theory]
    [InlineData(Ele, new[] { Ile, Ebe, Ele })]
    [InlineData(Ile, new[] { Ile })]
    [InlineData(Ile, new[] { Ebe, Deflated, Ile })]
    [InlineData(Deflated, new[] { Ebe, Deflated })]
    [InlineData(JpegLossless, new[] { JpegLossless, Ele, Ile })]
    [InlineData(JpegLossless, new[] { JpegBaseline, JpegLossless, Ele })]
    [InlineData(JpegBaseline, new[] { JpegBaseline, Ele, Ile })]
    [InlineData(Ele, new[] { Ile, Ele, J2kLossless })]
    [InlineData(J2kLossless, new[] { "9.9.9", JpegBaseline, J2kLossless })]
    public void C_9_TransferSyntaxChoice(string expected, string[] proposed) =>
        Assert.Equal(expected, Assert.Single(Decide(s_request with { Contexts = [new ProposedContext(1, CT, proposed)] }).Contexts).TransferSyntax.Uid);

    [Theory]
    [InlineData(null, null)]
    [InlineData(5, 1)]
    [InlineData(0, 1)]
    [InlineData(1, 1)]
    public void C_12_AsynchronousWindowIsNeverMoreThanProposed(int? proposed, int? answered)
    {
        AsyncWindow? window = proposed is { } number ? new AsyncWindow((ushort)number, (ushort)number) : null;
        Assert.Equal(answered, (int?)Decide(s_request with { User = s_request.User with { AsyncWindow = window } }).Accept!.User.AsyncWindow?.Invoked);
    }

    [Theory]
    [InlineData(true, true, true, true)]
    [InlineData(false, true, false, true)]
    [InlineData(true, false, true, false)]
    public void C_13_OnlyRolesAskedForAreAccepted(bool askScu, bool askScp, bool scu, bool scp)
    {
        AssociationDecision decision = Decide(s_request with { User = s_request.User with { Roles = [new RoleSelection(CT, askScu, askScp)] } });
        Assert.Equal(new RoleSelection(CT, scu, scp), Assert.Single(decision.Accept!.User.Roles));
        PresentationContext context = Assert.Single(decision.Contexts);
        Assert.Equal((scu, scp), (context.RequestorIsScu, context.RequestorIsScp));
    }

    [Fact]
    public void C_13_WithoutRoleSelectionTheRequestorIsScuOnly()
    {
        AssociationDecision decision = Decide(s_request);
        Assert.Empty(decision.Accept!.User.Roles);
        Assert.Equal((true, false), (decision.Contexts[0].RequestorIsScu, decision.Contexts[0].RequestorIsScp));
    }

    [Fact]
    public void C_13_AContextWithNoRoleLeftIsUserRejected()
    {
        AssociateRequest request = s_request with
        {
            Contexts = [new ProposedContext(1, WellKnownUids.Verification, [Ele])],
            User = s_request.User with { Roles = [new RoleSelection(WellKnownUids.Verification, false, true)] },
        };
        Assert.Equal(ContextResult.UserRejection, Assert.Single(Decide(request).Accept!.Contexts).Result);
    }

    [Fact]
    public void C_14_ExtendedNegotiationIsAnsweredOnlyWhereSupported()
    {
        AssociateRequest request = s_request with
        {
            User = s_request.User with { Extended = [new ExtendedNegotiation(CT, new byte[] { 1, 1 }), new ExtendedNegotiation("1.2.3", new byte[] { 1 })] },
        };
        Assert.Equal(CT, Assert.Single(Decide(request).Accept!.User.Extended).SopClassUid);
    }

    [Fact]
    public void C_15_UnknownSopClassDeclaredAsStorageIsAccepted()
    {
        AssociateRequest request = s_request with { Contexts = [new ProposedContext(1, "1.2.3.4", [Ele])] };
        Assert.Empty(Decide(request).Contexts);
        request = request with { User = request.User with { CommonExtended = [new CommonExtendedNegotiation("1.2.3.4", WellKnownUids.StorageServiceClass, [])] } };
        Assert.Single(Decide(request).Contexts);
        Assert.Empty(AssociationPolicy.Decide(request, s_rules with { UnknownStorageRule = null }).Contexts);
    }

    [Fact]
    public void C_16_UserIdentityIsAnsweredIfAskedAndJudgedByPolicy()
    {
        AssociateRequest request = s_request with { User = s_request.User with { Identity = new UserIdentity(1, true, "me"u8.ToArray(), ReadOnlyMemory<byte>.Empty) } };
        Assert.Null(Decide(request).Accept!.User.IdentityResponse);
        Assert.NotNull(AssociationPolicy.Decide(request, s_rules with { CheckIdentity = _ => ReadOnlyMemory<byte>.Empty }).Accept!.User.IdentityResponse);
        Assert.NotNull(AssociationPolicy.Decide(request, s_rules with { CheckIdentity = _ => null }).Reject);
    }

    [Fact]
    public void RequestorKeepsOnlyContextsThatItProposed()
    {
        var accept = new AssociateAccept
        {
            CalledAETitle = "US",
            CallingAETitle = "THEM",
            Contexts =
            [
                new AnsweredContext(1, ContextResult.Accepted, Ele),
                new AnsweredContext(3, ContextResult.Accepted, Ele),
                new AnsweredContext(1, ContextResult.Accepted, Ile),
            ],
        };
        Assert.Equal(1, Assert.Single(AssociationPolicy.Agreed(s_request, accept)).Id);
    }
}
