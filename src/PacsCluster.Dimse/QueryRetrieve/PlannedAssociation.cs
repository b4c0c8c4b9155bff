using PacsCluster.Catalog;
using PacsCluster.Dicom.Network;

namespace PacsCluster.Dimse;

/// <summary>What to propose to the destination of a C-MOVE: the contexts of one association and the instances to send over it.</summary>
/// <param name="Contexts">1 to 128 presentation contexts.</param>
/// <param name="Instances">In the order they were located.</param>
internal sealed record PlannedAssociation(IReadOnlyList<ProposedContext> Contexts, IReadOnlyList<InstanceLocation> Instances)
{
    /// <summary>Plans the associations that carry a set of instances, one after the other (C-39). Pure. Each instance goes over the first one that
    /// offers its SOP class in the transfer syntax that it is stored in.</summary>
    public static IReadOnlyList<PlannedAssociation> Plan(IReadOnlyList<InstanceLocation> instances)
    {
        IReadOnlyList<IReadOnlyList<ProposedContext>> offers = ContextPlan.ForStore(instances.Select(KindOf));
        if (offers.Count <= 1) return [.. offers.Select(contexts => new PlannedAssociation(contexts, instances))];
        var association = new Dictionary<(string, string), int>();
        for (int i = 0; i < offers.Count; i++)
        {
            foreach (ProposedContext context in offers[i])
            {
                foreach (string transferSyntax in context.TransferSyntaxes) association.TryAdd((context.AbstractSyntax, transferSyntax), i);
            }
        }
        ILookup<int, InstanceLocation> byAssociation = instances.ToLookup(instance => association[KindOf(instance)]);
        return [.. offers.Select((contexts, i) => new PlannedAssociation(contexts, [.. byAssociation[i]]))];
    }

    private static (string SopClassUid, string TransferSyntaxUid) KindOf(InstanceLocation instance) => (instance.SopClassUid, instance.TransferSyntaxUid);
}
