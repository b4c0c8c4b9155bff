using PacsCluster.Dicom;
using PacsCluster.Dicom.Network;

namespace PacsCluster.Dimse;

/// <summary>A SOP class that the application entity serves as SCP.</summary>
/// <param name="Uid">SOP class UID.</param>
/// <param name="Service">Verification, Storage, C-FIND, C-MOVE or C-GET.</param>
/// <param name="TransferSyntaxUids">Transfer syntaxes accepted for it.</param>
public sealed record ServedSopClass(string Uid, string Service, IReadOnlyList<string> TransferSyntaxUids);

/// <summary>What the application entity accepts with given options: the same tables that negotiation uses.</summary>
public static class DimseCapabilities
{
    private const string Verification = "Verification", Storage = "Storage";

    /// <summary>Every SOP class, Verification first, then Query/Retrieve, then Storage.</summary>
    public static IReadOnlyList<ServedSopClass> Of(DimseOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        string[] all = [.. UidDictionary.TransferSyntaxes.Concat(options.PrivateTransferSyntaxes)];
        string[] uncompressed = [.. UidDictionary.TransferSyntaxes.Where(AcceptorRulesBuilder.IsUncompressed)];
        return
        [
            new ServedSopClass(WellKnownUids.Verification, Verification, uncompressed),
            .. InformationModel.All.Select(model => new ServedSopClass(model.SopClassUid, "C-" + model.Verb.ToString().ToUpperInvariant(), uncompressed)),
            .. UidDictionary.StorageSopClasses.Concat(options.PrivateStorageSopClasses).Select(uid => new ServedSopClass(uid, Storage, all)),
        ];
    }
}
