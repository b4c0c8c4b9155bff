using Microsoft.AspNetCore.Http;
using PacsCluster.Catalog;
using PacsCluster.Dicom;

namespace PacsCluster.Web;

/// <summary>Content negotiation at the resources (PS3.18 8.7; C-70, C-71).</summary>
internal static class Negotiation
{
    /// <summary>The best of what is on offer.</summary>
    /// <exception cref="ProblemException">406, with what is on offer.</exception>
    public static Selection Select(HttpContext http, IReadOnlyList<Offer> offers) =>
        AcceptedTypes.Of(http.Request).Select(offers) ?? throw new ProblemException(NotAcceptable("Nothing that the request accepts is on offer here.", offers));

    /// <summary>406 with the list.</summary>
    public static Problem NotAcceptable(string why, IEnumerable<Offer> offers) =>
        new(StatusCodes.Status406NotAcceptable, "Not acceptable", why, "Accept one of: " + string.Join(", ", offers.Distinct()) + ".");

    /// <summary>The transfer syntax that one instance goes out in (C-71): the best weight first; within one weight as stored before converted. Without a
    /// word from the client Explicit VR Little Endian, but what is stored lossy goes as it is.</summary>
    /// <returns>Null: there is none that the client accepts and this node can make.</returns>
    public static TransferSyntax? Choose(InstanceLocation instance, IReadOnlyList<AcceptedTransferSyntax> accepted)
    {
        TransferSyntax stored = TransferSyntax.FromUid(instance.TransferSyntaxUid);
        foreach (IGrouping<double, AcceptedTransferSyntax> group in accepted.GroupBy(a => a.Weight).OrderByDescending(g => g.Key))
        {
            foreach (AcceptedTransferSyntax one in group)
            {
                if (one.Uid == "*" || one.Uid == stored.Uid || (one.Uid is null && (PixelMediaTypes.IsLossy(stored.Uid) || stored.Uid == PixelMediaTypes.Native))) return stored;
            }
            // Uncompressed before compressed: it costs no codec. What loses something comes last.
            TransferSyntax? made = group.Select(one => TransferSyntax.FromUid(one.Uid ?? PixelMediaTypes.Native)).Where(target => Engine.Retrieve.CanConvert(stored, target))
                .OrderBy(target => target.IsEncapsulated).ThenBy(target => PixelMediaTypes.IsLossy(target.Uid)).FirstOrDefault();
            if (made is not null) return made;
        }
        return null;
    }
}
