using PacsCluster.Dicom;
using PacsCluster.Dicom.Network;

namespace PacsCluster.Dimse;

/// <summary>Plans presentation contexts for instances to be sent (C-39): for each SOP class one context with the uncompressed transfer syntaxes, and
/// one for each encapsulated transfer syntax that an instance is stored in, so that the peer answers each by itself.</summary>
public static class ContextPlan
{
    /// <summary>Contexts of one association.</summary>
    public const int MaxContexts = 128;

    /// <summary>Contexts for the given kinds of instances, split into as many associations as 128 contexts each need; a SOP class is never split
    /// unless it alone needs more.</summary>
    /// <param name="kinds">SOP class UID and stored transfer syntax UID of the instances; repetitions are fine.</param>
    public static IReadOnlyList<IReadOnlyList<ProposedContext>> ForStore(IEnumerable<(string SopClassUid, string TransferSyntaxUid)> kinds)
    {
        var associations = new List<IReadOnlyList<ProposedContext>>();
        var current = new List<ProposedContext>();
        foreach (IGrouping<string, string> sopClass in kinds.Distinct().GroupBy(kind => kind.SopClassUid, kind => kind.TransferSyntaxUid))
        {
            List<IReadOnlyList<string>> lists = ListsFor(sopClass);
            if (current.Count > 0 && current.Count + lists.Count > MaxContexts) Close();
            foreach (IReadOnlyList<string> transferSyntaxes in lists)
            {
                if (current.Count == MaxContexts) Close();
                current.Add(new ProposedContext((byte)(current.Count * 2 + 1), sopClass.Key, transferSyntaxes));
            }
        }
        if (current.Count > 0) Close();
        return associations;

        void Close()
        {
            associations.Add(current);
            current = [];
        }
    }

    /// <summary>Contexts for services without pixel data: one for each SOP class, Explicit and Implicit VR Little Endian.</summary>
    public static IReadOnlyList<ProposedContext> For(params string[] sopClassUids) =>
        [.. sopClassUids.Select((uid, i) => new ProposedContext((byte)(i * 2 + 1), uid, [TransferSyntax.ExplicitVRLittleEndian.Uid, TransferSyntax.ImplicitVRLittleEndian.Uid]))];

    private static List<IReadOnlyList<string>> ListsFor(IEnumerable<string> stored)
    {
        var lists = new List<IReadOnlyList<string>>();
        bool uncompressed = false, deflated = false, bigEndian = false;
        foreach (string uid in stored)
        {
            TransferSyntax transferSyntax = TransferSyntax.FromUid(uid);
            if (transferSyntax.IsEncapsulated) lists.Add([uid]);
            else if (transferSyntax.IsDeflated) deflated = true;
            else if (transferSyntax.IsBigEndian) bigEndian = true;
            else uncompressed = true;
        }
        // Deflated and big endian ones are converted for the peers that do not take them, so the common context goes with them.
        if (deflated) lists.Add([TransferSyntax.DeflatedExplicitVRLittleEndian.Uid]);
        if (bigEndian) lists.Add([TransferSyntax.ExplicitVRBigEndian.Uid]);
        if (uncompressed || deflated || bigEndian) lists.Add([TransferSyntax.ExplicitVRLittleEndian.Uid, TransferSyntax.ImplicitVRLittleEndian.Uid]);
        return lists;
    }
}
