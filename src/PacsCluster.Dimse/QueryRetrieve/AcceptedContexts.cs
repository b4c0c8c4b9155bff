using PacsCluster.Catalog;
using PacsCluster.Dicom;
using PacsCluster.Dicom.Network;
using PacsCluster.Engine;

namespace PacsCluster.Dimse;

/// <summary>The contexts by which instances can be sent on an association, by SOP class.</summary>
internal sealed class AcceptedContexts
{
    private readonly Dictionary<string, (List<TransferSyntax> Syntaxes, List<PresentationContext> Contexts)> _byClass = new(StringComparer.Ordinal);

    /// <param name="contexts">Accepted, and with the role that sending needs.</param>
    public AcceptedContexts(IEnumerable<PresentationContext> contexts)
    {
        foreach (PresentationContext context in contexts)
        {
            if (!_byClass.TryGetValue(context.AbstractSyntax, out var accepted)) _byClass.Add(context.AbstractSyntax, accepted = ([], []));
            accepted.Syntaxes.Add(context.TransferSyntax);
            accepted.Contexts.Add(context);
        }
    }

    /// <summary>The context to send an instance by: as it is stored, else converted; null with the reason when there is none.</summary>
    public PresentationContext? Choose(Retrieve retrieve, InstanceLocation instance, out string failure)
    {
        failure = "its SOP class was not accepted";
        if (!_byClass.TryGetValue(instance.SopClassUid, out var accepted)) return null;
        failure = "no transfer syntax was accepted that it is in or can be converted to";
        if (retrieve.Choose(instance, accepted.Syntaxes) is not { } chosen) return null;
        return accepted.Contexts.Find(context => context.TransferSyntax.Uid == chosen.Uid);
    }
}
