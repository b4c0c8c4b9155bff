using System.Collections.Frozen;
using PacsCluster.Dicom;
using PacsCluster.Dicom.Network;

namespace PacsCluster.Dimse;

/// <summary>Turns options and services into the rules of <see cref="AssociationPolicy"/>. One object serves all associations.</summary>
internal sealed class AcceptorRulesBuilder
{
    private readonly FrozenSet<string> _storage;
    private readonly AbstractSyntaxRule _storageRule;
    private readonly AbstractSyntaxRule _verificationRule;
    private readonly QueryRetrieveScp _queryRetrieve;

    public AcceptorRulesBuilder(DimseOptions options, QueryRetrieveScp queryRetrieve)
    {
        _queryRetrieve = queryRetrieve;
        _storage = UidDictionary.StorageSopClasses.Concat(options.PrivateStorageSopClasses).ToFrozenSet(StringComparer.Ordinal);
        FrozenSet<string> transferSyntaxes = UidDictionary.TransferSyntaxes.Concat(options.PrivateTransferSyntaxes).ToFrozenSet(StringComparer.Ordinal);
        _storageRule = new AbstractSyntaxRule
        {
            AcceptsTransferSyntax = transferSyntaxes.Contains,
            SendsToScp = true,
            AnswerExtended = AnswerStorage,
        };
        _verificationRule = new AbstractSyntaxRule { AcceptsTransferSyntax = IsUncompressed };
        var called = new HashSet<string>(options.AETitleAliases, StringComparer.Ordinal) { options.AETitle };
        Rules = new AcceptorRules
        {
            AcceptsCalled = title => options.AcceptAnyCalledAETitle || called.Contains(title),
            AcceptsCalling = title => options.AcceptUnknownCallingAEs || options.FindAE(title) is not null,
            FindRule = Find,
            UnknownStorageRule = options.AcceptDeclaredStorageSopClasses ? _storageRule : null,
            MaxPduBytes = (uint)options.MaxPduBytes,
            MaxOperationsInvoked = (ushort)options.OperationsPerformedAtOnce,
        };
    }

    /// <summary>The rules.</summary>
    public AcceptorRules Rules { get; }

    /// <summary>Transfer syntaxes for messages without pixel data: any of the four that need no codec.</summary>
    public static bool IsUncompressed(string uid) => !TransferSyntax.FromUid(uid).IsEncapsulated;

    private AbstractSyntaxRule? Find(string abstractSyntax)
    {
        if (_storage.Contains(abstractSyntax)) return _storageRule;
        if (abstractSyntax == WellKnownUids.Verification) return _verificationRule;
        return _queryRetrieve.RuleFor(abstractSyntax);
    }

    // PS3.4 table B.3-1: level of support 2 (full), digital signature level 3, no coercion (0: N/A). Only as many bytes as were asked about.
    private static ReadOnlyMemory<byte>? AnswerStorage(ReadOnlyMemory<byte> asked)
    {
        byte[] full = [2, 0, 3, 0, 0, 0];
        return asked.Length == 0 ? null : full.AsMemory(0, Math.Min(full.Length, asked.Length));
    }
}
