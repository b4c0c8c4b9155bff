using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using PacsCluster.Catalog;
using PacsCluster.Dicom;
using PacsCluster.Engine;

namespace PacsCluster.Web;

/// <summary>Retrieve of bulk data: one value by its URI, and all values or the pixel data of an instance, a series or a study (PS3.18 10.4.1.1.5, CP-2040).</summary>
internal sealed class BulkdataTransaction(Locator locator, Retrieve retrieve, ConvertedPixels converted, ServiceRoot root)
{
    private static readonly Tag s_encapsulatedDocument = new(0x00420011), s_mimeType = new(0x00420012);

    /// <summary>One value: <c>…/instances/{instance}/bulkdata/{path}</c>.</summary>
    public async Task HandleValueAsync(HttpContext http)
    {
        string path = (string)http.GetRouteValue("path")!;
        (InstanceLocation location, HeaderRow header) = await locator.InstanceAsync(http);
        InstanceContent content = await retrieve.OpenContentAsync(location, header, http.RequestAborted);
        if (content.IsEncapsulated && content.PixelData is { } pixels && path == pixels.Tag.ToHex())
        {
            await SendPixelsAsync(http, content);
            return;
        }
        BulkContent value = content.Value(path, out _) ?? throw new ProblemException(Problem.NotFound("The instance has no such value.", "Take the BulkDataURI from its metadata."));
        Offer octets = new(PixelMediaTypes.OctetStream);
        List<Offer> offers = [octets, octets with { InParts = true }];
        if (path == s_encapsulatedDocument.ToHex() && MediaType.TryParse(content.Header.GetString(s_mimeType), out MediaType? mime) && mime!.Type != "*")
        {
            Offer document = new(mime.Essence);
            offers.InsertRange(0, [document, document with { InParts = true }]);
        }
        // A document was made by somebody else: no browser is to run it as ours.
        http.Response.Headers.XContentTypeOptions = "nosniff";
        http.Response.Headers.ContentSecurityPolicy = "sandbox";
        Offer offer = Negotiation.Select(http, offers).Offer;
        var answer = new BulkAnswer(location, offer, "value " + path);
        await answer.SendAsync(http, [new BulkPart(offer.ContentType, Location(root.Url(http), location, path), value)]);
    }

    /// <summary>The pixel data of one instance, as stored or converted: samples as one part, codestreams one part a frame, a video as one stream.</summary>
    public async Task HandleInstancePixelsAsync(HttpContext http)
    {
        (InstanceLocation location, HeaderRow header) = await locator.InstanceAsync(http);
        await SendPixelsAsync(http, await retrieve.OpenContentAsync(location, header, http.RequestAborted));
    }

    /// <summary>The pixel data of a study's or series' instances.</summary>
    public Task HandlePixelsAsync(HttpContext http) => SendManyAsync(http, onlyPixels: true);

    /// <summary>All values that metadata gives by URI, of an instance, a series or a study.</summary>
    public Task HandleAllAsync(HttpContext http) => SendManyAsync(http, onlyPixels: false);

    private async Task SendPixelsAsync(HttpContext http, InstanceContent content)
    {
        string service = root.Url(http);
        if (content.PixelData is null) throw new ProblemException(Problem.NotFound("The instance has no pixel data.", "GET its bulkdata for documents and other values."));
        Offer offer = Negotiation.Select(http, PixelOffers.OfAll(content.Location.TransferSyntaxUid, content.FrameCount)).Offer;
        var answer = new BulkAnswer(content.Location, offer, "pixels");
        if (PixelOffers.IsStored(offer, content.Location.TransferSyntaxUid))
        {
            await answer.SendAsync(http, await PixelPartsAsync(content, offer, service, http.RequestAborted));
            return;
        }
        int[] frames = Frames(content);
        string all = Location(service, content);
        if (offer.TransferSyntaxUid != PixelMediaTypes.Native) await converted.SendFramesAsync(http, content, frames, answer, frame => Location(service, content, frame));
        // One frame has a length before it is sent, so it has ranges too.
        else if (frames.Length == 1) await converted.SendFramesAsync(http, content, frames, answer, _ => all);
        else await converted.SendSamplesAsync(http, content, answer, all);
    }

    private static int[] Frames(InstanceContent content)
    {
        FramesTransaction.Check(content, []);
        return [.. Enumerable.Range(1, content.FrameCount)];
    }

    private static async Task<IReadOnlyList<BulkPart>> PixelPartsAsync(InstanceContent content, Offer offer, string service, CancellationToken ct)
    {
        if (content.IsEncapsulated && content.FrameCount > 0)
            return [.. Enumerable.Range(1, content.FrameCount).Select(frame => new BulkPart(offer.ContentType, Location(service, content, frame), content.Frame(frame - 1)))];
        return await content.PixelsAsync(ct) is { } all ? [new BulkPart(offer.ContentType, Location(service, content), all)] : [];
    }

    private async Task SendManyAsync(HttpContext http, bool onlyPixels)
    {
        CancellationToken ct = http.RequestAborted;
        List<InstanceLocation> instances = await locator.InstancesAsync(http);
        if (onlyPixels) instances.RemoveAll(i => i.PixelDataOffset < 0);
        if (instances.Count == 0) throw new ProblemException(Problem.NotFound("There is no pixel data.", "GET bulkdata for documents and other values."));
        // What each is answered with depends on its transfer syntax alone, so what cannot be is known before anything is sent.
        Dictionary<string, Offer> bySyntax = [];
        Offer octets = new(PixelMediaTypes.OctetStream, InParts: true);
        foreach (string uid in instances.Where(i => i.PixelDataOffset >= 0).Select(i => i.TransferSyntaxUid).Distinct(StringComparer.Ordinal))
            bySyntax[uid] = Negotiation.Select(http, PixelOffers.OfFrames(uid, single: false)).Offer;
        if (bySyntax.Count == 0) Negotiation.Select(http, [octets]);
        string etag = Conditions.Digest(instances.Select(i => i.ContentId).Concat(bySyntax.Values.Select(o => o.ToString())).Prepend(onlyPixels ? "pixels" : "all"));
        Conditions.SetValidators(http.Response, etag);
        if (Conditions.IsNotModified(http, etag)) return;
        MultipartWriter writer = MultipartWriter.Start(http.Response, bySyntax.TryGetValue(instances[0].TransferSyntaxUid, out Offer? first) ? first.Essence : octets.Essence);
        if (HttpMethods.IsHead(http.Request.Method)) return;
        string service = root.Url(http);
        int unflushed = 0;
        await foreach ((InstanceLocation location, HeaderRow header) in locator.HeadersAsync(instances, ct))
        {
            InstanceContent content = await retrieve.OpenContentAsync(location, header, ct);
            if (!onlyPixels)
            {
                foreach (BulkPart part in Values(content, service)) unflushed = await writer.WriteAsync(http, part, unflushed, ct);
            }
            if (content.PixelData is null || !bySyntax.TryGetValue(location.TransferSyntaxUid, out Offer? offer)) continue;
            if (!PixelOffers.IsStored(offer, location.TransferSyntaxUid))
            {
                int[] frames = Frames(content);
                if (offer.TransferSyntaxUid == PixelMediaTypes.Native) await converted.WriteSamplesAsync(http, writer, content, offer, Location(service, content));
                else await converted.WriteFramesAsync(http, writer, content, frames, offer, frame => Location(service, content, frame));
                unflushed = 0;
                continue;
            }
            foreach (BulkPart part in await PixelPartsAsync(content, offer, service, ct)) unflushed = await writer.WriteAsync(http, part, unflushed, ct);
        }
        writer.End();
        await http.Response.BodyWriter.FlushAsync(ct);
    }

    private static IEnumerable<BulkPart> Values(InstanceContent content, string service)
    {
        string? pixels = content.PixelData?.Tag.ToHex();
        foreach (string path in content.BulkPaths())
        {
            if (path != pixels && content.Value(path, out _) is { } bytes) yield return new BulkPart(PixelMediaTypes.OctetStream, Location(service, content.Location, path), bytes);
        }
    }

    private static string Location(string service, InstanceContent content) => Location(service, content.Location, content.PixelData!.Value.Tag.ToHex());

    private static string Location(string service, InstanceContent content, int frame) => $"{InstancesTransaction.Location(service, content.Location)}/frames/{frame}";

    private static string Location(string service, InstanceLocation instance, string path) => $"{InstancesTransaction.Location(service, instance)}/bulkdata/{path}";
}
