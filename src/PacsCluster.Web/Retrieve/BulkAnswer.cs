using Microsoft.AspNetCore.Http;
using PacsCluster.Catalog;
using PacsCluster.Engine;

namespace PacsCluster.Web;

/// <summary>One part of an answer.</summary>
/// <param name="ContentType">Its Content-Type.</param>
/// <param name="Location">Its URL.</param>
/// <param name="Content">Its bytes.</param>
internal readonly record struct BulkPart(string ContentType, string Location, BulkContent Content);

/// <summary>Sends frames and bulk values of one instance: in parts, or one alone with ranges.</summary>
/// <param name="Instance">Whose they are; stored bytes never change, so its place in the store says what they are.</param>
/// <param name="Offer">What was selected.</param>
/// <param name="Name">What of the instance it is.</param>
internal sealed record BulkAnswer(InstanceLocation Instance, Offer Offer, string Name)
{
    /// <summary>Sets validators.</summary>
    /// <returns>False: the client has it already, and 304 is set.</returns>
    public bool Begin(HttpContext http)
    {
        string etag = Conditions.Digest([Instance.ContentId, Offer.ToString(), Name]);
        Conditions.SetValidators(http.Response, etag);
        return !Conditions.IsNotModified(http, etag);
    }

    /// <summary>Sends; <paramref name="parts"/> is one where the offer is not in parts.</summary>
    public async Task SendAsync(HttpContext http, IReadOnlyList<BulkPart> parts)
    {
        CancellationToken ct = http.RequestAborted;
        if (!Begin(http)) return;
        if (Offer.InParts)
        {
            MultipartWriter writer = MultipartWriter.Start(http.Response, Offer.Essence);
            http.Response.ContentLength = writer.EndLength + parts.Select((part, i) => writer.Overhead(part.ContentType, part.Location, i == 0) + part.Content.Length).Sum();
            if (HttpMethods.IsHead(http.Request.Method)) return;
            await writer.WriteAllAsync(http, parts, ct);
        }
        else
        {
            BulkPart part = parts[0];
            http.Response.ContentType = part.ContentType;
            http.Response.Headers.ContentLocation = part.Location;
            if (Conditions.TakeRange(http, part.Content.Length) is not { } range || HttpMethods.IsHead(http.Request.Method)) return;
            await using Stream bytes = await part.Content.OpenAsync(range.Offset, range.Length, ct);
            await BodyCopy.CopyAsync(bytes, range.Length, http.Response.BodyWriter, 0, ct);
        }
        await http.Response.BodyWriter.FlushAsync(ct);
    }
}
