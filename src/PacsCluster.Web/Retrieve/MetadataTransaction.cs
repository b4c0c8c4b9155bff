using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using PacsCluster.Catalog;
using PacsCluster.Engine;

namespace PacsCluster.Web;

/// <summary>Retrieve of metadata (PS3.18 10.4.1.1.2; C-80): a study's, a series' or an instance's attributes in the DICOM JSON Model, in gzip as it lies in the catalog where the client
/// takes that, in Brotli for one that takes only this; or in XML, a part for each instance (C-95).</summary>
internal sealed class MetadataTransaction(Metadata metadata, ServiceRoot root)
{
    private const string Xml = "application/dicom+xml";

    private const int HeldBytes = 64 * 1024;

    /// <summary>What a Warning header says of text with U+FFFD in it (C-103).</summary>
    public const string UndecodableText = "Some text cannot be decoded by its Specific Character Set; what cannot is replaced by U+FFFD";

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
        string coding = offer.InParts ? ContentCoding.Identity : ContentCoding.Choose(http.Request);
        // Each coding is a representation of its own, and packed at once is packed otherwise than packed at leisure.
        string etag = $"{answer.Version}-{request.SeriesInstanceUid?.Length ?? 0}-"
            + (offer.InParts ? "xml" : coding switch { ContentCoding.Gzip => answer.IsPacked ? "gz" : "gzf", ContentCoding.Brotli => answer.IsPacked ? "br" : "brf", _ => "id" });
        Conditions.SetValidators(http.Response, etag, answer.LastModified);
        if (Conditions.IsNotModified(http, etag, answer.LastModified)) return;
        if (offer.InParts)
        {
            await WriteXmlAsync(http, answer);
            return;
        }
        http.Response.ContentType = offer.ContentType;
        if (coding != ContentCoding.Identity) http.Response.Headers.ContentEncoding = coding;
        if (HttpMethods.IsHead(http.Request.Method)) return;
        // C-103. What is made while it is sent is known as far as it has been made; so the first of it waits.
        http.Response.OnStarting(() =>
        {
            if (answer.HasReplacements) http.Response.Headers.Append("Warning", $"299 {http.Request.Host} \"{UndecodableText}\"");
            return Task.CompletedTask;
        });
        var body = new BufferedStream(http.Response.Body, HeldBytes);
        await (coding switch
        {
            ContentCoding.Gzip => answer.WriteGzipAsync(body, http.RequestAborted),
            ContentCoding.Brotli => answer.WriteBrotliAsync(body, http.RequestAborted),
            _ => answer.WriteJsonAsync(body, http.RequestAborted),
        });
        await body.FlushAsync(http.RequestAborted);
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
}
