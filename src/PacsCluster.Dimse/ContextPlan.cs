using PacsCluster.Dicom;
using PacsCluster.Dicom.Network;
using PacsCluster.Engine;

namespace PacsCluster.Dimse;

/// <summary>Plans presentation contexts for instances to be sent (C-39): for each SOP class one for each transfer syntax that an instance is stored in,
/// so that the peer answers each by itself; and one with what those can be converted to whose pixels we decode, or that have none compressed.</summary>
public static class ContextPlan
{
    /// <summary>Contexts of one association.</summary>
    public const int MaxContexts = 128;

    private static readonly string[] s_convertedTo = [TransferSyntax.ExplicitVRLittleEndian.Uid, TransferSyntax.ImplicitVRLittleEndian.Uid];

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
        // Each in a context of its own: in a common one the acceptor picks one, and all others are converted for no reason.
        foreach (string uid in stored) lists.Add([uid]);
        if (!lists.Exists(list => Retrieve.CanConvert(TransferSyntax.FromUid(list[0]), TransferSyntax.ExplicitVRLittleEndian))) return lists;
        // For the peers that do not take it as it is: to these we convert.
        string[] others = [.. s_convertedTo.Where(uid => !lists.Exists(list => list[0] == uid))];
        if (others.Length > 0) lists.Add(others);
        return lists;
    }
}
