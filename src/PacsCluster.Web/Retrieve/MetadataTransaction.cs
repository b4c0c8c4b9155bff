using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Headers;
using Microsoft.AspNetCore.Routing;
using Microsoft.Net.Http.Headers;
using PacsCluster.Catalog;
using PacsCluster.Engine;

namespace PacsCluster.Web;

/// <summary>Retrieve of metadata (PS3.18 10.4.1.1.2; C-80): a study's, a series' or an instance's attributes in the DICOM JSON Model, in gzip as it lies in the catalog where the client
/// takes that; or in XML, a part for each instance (C-95).</summary>
internal sealed class MetadataTransaction(Metadata metadata, ServiceRoot root)
{
    private const string Xml = "application/dicom+xml";

    private static readonly Offer[] s_offers = [new("application/dicom+json"), new("application/json"), new(Xml, InParts: true)];

    /// <summary>Answers.</summary>
    public async Task HandleAsync(HttpContext http)
    {
        Offer offer = Negotiation.Select(http, s_offers).Offer;
        var request = new MetadataRequest
        {
            StudyInstanceUid = (string)http.GetRouteValue("study")!, SeriesInstanceUid = (string?)http.GetRouteValue("series"), SopInstanceUid = (string?)http.GetRouteValue("instance"),
        };
        MetadataAnswer answer = await metadata.OpenAsync(request, http.RequestAborted) ?? throw new ProblemException(Locator.NotHere(http));
        bool gzip = !offer.InParts && TakesGzip(http.Request.GetTypedHeaders());
        // Each coding is a representation of its own, and packed at once is packed otherwise than packed at leisure.
        string etag = $"{answer.Version}-{request.SeriesInstanceUid?.Length ?? 0}-{(offer.InParts ? "xml" : gzip ? answer.IsPacked ? "gz" : "gzf" : "id")}";
        Conditions.SetValidators(http.Response, etag, answer.LastModified);
        if (Conditions.IsNotModified(http, etag, answer.LastModified)) return;
        if (offer.InParts)
        {
            await WriteXmlAsync(http, answer);
            return;
        }
        http.Response.ContentType = offer.ContentType;
        if (gzip) http.Response.Headers.ContentEncoding = "gzip";
        if (HttpMethods.IsHead(http.Request.Method)) return;
        if (gzip) await answer.WriteGzipAsync(http.Response.Body, http.RequestAborted);
        else await answer.WriteJsonAsync(http.Response.Body, http.RequestAborted);
    }

    private async Task WriteXmlAsync(HttpContext http, MetadataAnswer answer)
    {
        MultipartWriter parts = MultipartWriter.Start(http.Response, Xml);
        if (HttpMethods.IsHead(http.Request.Method)) return;
        string service = root.Url(http);
        await foreach ((InstanceLocation location, ReadOnlyMemory<byte> document) in answer.ReadXmlAsync(http.RequestAborted))
        {
            parts.StartPart(Xml, InstancesTransaction.Location(service, location) + "/metadata");
            await http.Response.BodyWriter.WriteAsync(document, http.RequestAborted);
        }
        parts.End();
        await http.Response.BodyWriter.FlushAsync(http.RequestAborted);
    }

    /// <summary>The client takes gzip, by Accept-Encoding (RFC 9110 12.5.3).</summary>
    public static bool TakesGzip(RequestHeaders headers)
    {
        double? gzip = null, any = null;
        foreach (StringWithQualityHeaderValue coding in headers.AcceptEncoding)
        {
            if (coding.Value.Equals("gzip", StringComparison.OrdinalIgnoreCase) || coding.Value.Equals("x-gzip", StringComparison.OrdinalIgnoreCase)) gzip = coding.Quality ?? 1;
            else if (coding.Value == "*") any = coding.Quality ?? 1;
        }
        return (gzip ?? any ?? 0) > 0;
    }
}
