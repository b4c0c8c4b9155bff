using System.Globalization;
using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using PacsCluster.Catalog;
using PacsCluster.Dicom;
using PacsCluster.Engine;
using PacsCluster.Imaging;
using PacsCluster.Imaging.Rendering;

namespace PacsCluster.Web;

/// <summary>Retrieve of rendered instances and thumbnails (PS3.18 10.4.1.1.3 and 10.4.1.1.4; C-83, C-84): pictures of images and presentation states,
/// pages of structured reports; encapsulated PDF, CDA and video as they are.</summary>
internal sealed class RenderedTransaction(Locator locator, ICatalog catalog, Retrieve retrieve, Metadata metadata, PictureMaker pictures, ServiceRoot root, WebOptions options)
{
    private const string Jpeg = "image/jpeg", Png = "image/png", Gif = "image/gif", Jpeg2000 = "image/jp2", Html = "text/html", Plain = "text/plain", Xml = "text/xml", Pdf = "application/pdf";

    // PS3.18 table 8.7.4-1. JPEG 2000 is the slowest to make, so the last that a wildcard gets.
    private static readonly Offer[] s_one = [new(Jpeg), new(Png), new(Gif), new(Jpeg2000)];
    private static readonly Offer[] s_many = [.. s_one.Select(o => o with { InParts = true }), .. s_one];
    private static readonly Offer[] s_report = [new(Html), new(Plain), new(Xml)];

    /// <summary>Answers <c>rendered</c> and <c>thumbnail</c> at each level, and of frames.</summary>
    public async Task HandleAsync(HttpContext http)
    {
        bool isThumbnail = http.Request.Path.Value!.EndsWith("/thumbnail", StringComparison.Ordinal);
        try
        {
            if (isThumbnail) await ThumbnailAsync(http);
            else if (http.GetRouteValue("instance") is null) await SeveralAsync(http);
            else await InstanceAsync(http);
        }
        catch (ImagingException e)
        {
            throw new ProblemException(For(e));
        }
    }

    /// <summary>Answers WADO-URI's requests for a picture, page, document or video.</summary>
    /// <param name="http">The request, with the parameters of PS3.18 9.4.</param>
    /// <param name="instance">Of what.</param>
    /// <param name="wanted">What contentType says, in order: the first that can be made of the instance.</param>
    /// <returns>False: the instance itself stands before anything that can be made of it.</returns>
    /// <exception cref="ProblemException">406: nothing of it can be.</exception>
    public async Task<bool> TrySendUriAsync(HttpContext http, InstanceLocation instance, IReadOnlyList<MediaType> wanted)
    {
        try
        {
            HeaderRow header = await HeaderAsync(instance, http.RequestAborted) ?? throw new ProblemException(Problem.NotFound("There is no such instance here any more.", "Search for it."));
            Offer itself = new("application/dicom");
            Offer[] offers = [.. Offers(instance, header, isWhole: !http.Request.Query.ContainsKey("frameNumber")), itself];
            Offer offer = wanted.Select(type => Array.Find(offers, o => o.Fits(type))).FirstOrDefault(o => o is not null)
                ?? throw new ProblemException(Negotiation.NotAcceptable("The instance cannot be had as any type in contentType.", offers));
            if (offer == itself) return false;
            if (!s_one.Contains(offer))
            {
                await DocumentAsync(http, instance, header, offer);
                return true;
            }
            PictureSource? source = PresentationState.IsPresentationState(instance.SopClassUid) ? null : await pictures.OpenAsync(instance, header, http.RequestAborted);
            RenderedParameters parameters = RenderedParameters.ReadUri(http.Request.Query, (source?.Format.Columns ?? 0, source?.Format.Rows ?? 0), options.RenderedPixelsMax);
            int frame = http.Request.Query["frameNumber"].ToString() is { Length: > 0 } text ? FramesTransaction.ReadList(text)[0] : 1;
            await PicturesAsync(http, instance, header, source, parameters, offer, [frame]);
            return true;
        }
        catch (ImagingException e)
        {
            throw new ProblemException(For(e));
        }
    }

    private async Task InstanceAsync(HttpContext http)
    {
        List<int>? frames = http.GetRouteValue("frames") is string list ? FramesTransaction.ReadList(list) : null;
        (InstanceLocation location, HeaderRow header) = await locator.InstanceAsync(http);
        RenderedParameters parameters = RenderedParameters.Read(http.Request.Query, options.RenderedPixelsMax);
        Offer[] offers = frames is { Count: > 1 } ? s_many : Offers(location, header, isWhole: frames is null);
        if (offers.Length == 0)
        {
            throw new ProblemException(new Problem(StatusCodes.Status406NotAcceptable, "Not acceptable", "The instance is nothing that is rendered here: no image, video, presentation state, report, PDF or CDA.",
                "GET its metadata for what it is, its bulkdata, or the instance itself as application/dicom."));
        }
        Offer offer = Negotiation.Select(http, offers).Offer;
        if (!offer.InParts && !s_one.Contains(offer))
        {
            await DocumentAsync(http, location, header, offer);
            return;
        }
        await PicturesAsync(http, location, header, null, parameters, offer, frames);
    }

    /// <summary>Pictures of frames of one instance.</summary>
    /// <param name="http">The request.</param>
    /// <param name="location">The instance.</param>
    /// <param name="header">Its header row.</param>
    /// <param name="open">The instance, when it is open already.</param>
    /// <param name="parameters">What is wanted.</param>
    /// <param name="offer">As what.</param>
    /// <param name="frames">From 1; null for the instance: all in a GIF, else the first.</param>
    private async Task PicturesAsync(HttpContext http, InstanceLocation location, HeaderRow header, PictureSource? open, RenderedParameters parameters, Offer offer, List<int>? frames)
    {
        CancellationToken ct = http.RequestAborted;
        if (!Begin(http, ETag(http, offer, [location]))) return;
        RenderRequest request = Fit(parameters.Request, offer);
        if (PresentationState.IsPresentationState(location.SopClassUid))
        {
            PresentationState state = await pictures.FindPresentationStateAsync(location.StudyInstanceUid, location.SopInstanceUid, ct) ?? throw new ProblemException(Locator.NotHere(http));
            request = request with { Presentation = state };
            (open, frames) = await ReferencedAsync(state, location, frames, ct);
        }
        else request = await WithPresentationAsync(request, parameters, location.StudyInstanceUid, ct);
        PictureSource source = open ?? await pictures.OpenAsync(location, header, ct);
        foreach (int frame in frames ?? [])
        {
            if (frame > source.FrameCount) throw new ProblemException(Problem.NotFound($"There is no frame {frame}: the instance has {source.FrameCount}.", $"Ask for frames 1 to {source.FrameCount}."));
        }
        if (offer.InParts)
        {
            string service = InstancesTransaction.Location(root.Url(http), location);
            MultipartWriter writer = MultipartWriter.Start(http.Response, offer.Essence);
            foreach (int frame in frames!) await PartAsync(http, writer, offer, $"{service}/frames/{frame}/rendered", await EncodeAsync(source, frame - 1, request, offer, parameters.Quality, ct));
            writer.End();
            await http.Response.BodyWriter.FlushAsync(ct);
            return;
        }
        http.Response.ContentType = offer.Essence;
        frames ??= offer.Essence == Gif ? [.. Enumerable.Range(1, source.FrameCount)] : [1];
        if (offer.Essence == Gif && frames.Count > 1)
        {
            await AnimationAsync(http, source, request, frames);
            return;
        }
        await SendAsync(http, await EncodeAsync(source, frames[0] - 1, request, offer, parameters.Quality, ct));
    }

    private async ValueTask<RenderRequest> WithPresentationAsync(RenderRequest request, RenderedParameters parameters, string study, CancellationToken ct)
    {
        if (parameters.PresentationUid is not { } uid) return request;
        return request with
        {
            Presentation = await pictures.FindPresentationStateAsync(study, uid, ct)
                ?? throw new ProblemException(Problem.NotFound("There is no such presentation state in this study.", "Search for it: GET studies/{study}/instances?Modality=PR.")),
        };
    }

    /// <summary>The image, and the frames of it, that a presentation state names first.</summary>
    private async Task<(PictureSource Source, List<int>? Frames)> ReferencedAsync(PresentationState state, InstanceLocation location, List<int>? frames, CancellationToken ct)
    {
        foreach ((_, string sop, IReadOnlyList<int> named) in state.References)
        {
            var wanted = new LocateRequest { StudyInstanceUids = [location.StudyInstanceUid], SopInstanceUids = [sop] };
            await foreach ((InstanceLocation image, HeaderRow row) in catalog.LocateHeadersAsync(wanted, ct))
                return (await pictures.OpenAsync(image, row, ct), frames ?? (named.Count > 0 ? [.. named] : null));
        }
        throw new ProblemException(Problem.NotFound("None of the images that the presentation state refers to is in this study here.", "Store the images, or GET the state itself."));
    }

    /// <summary>Series and studies: a part for each image, or one picture that stands for them.</summary>
    private async Task SeveralAsync(HttpContext http)
    {
        CancellationToken ct = http.RequestAborted;
        RenderedParameters parameters = RenderedParameters.Read(http.Request.Query, options.RenderedPixelsMax);
        Offer offer = Negotiation.Select(http, s_many).Offer;
        List<InstanceLocation> images = [.. (await locator.InstancesAsync(http)).Where(i => i.PixelDataOffset >= 0 && CodecSyntaxes.CanDecode(i.TransferSyntaxUid))];
        if (images.Count == 0) throw new ProblemException(NoPicture);
        if (!offer.InParts) images = [Representative.Of(images)!];
        if (!Begin(http, ETag(http, offer, images))) return;
        RenderRequest request = await WithPresentationAsync(Fit(parameters.Request, offer), parameters, images[0].StudyInstanceUid, ct);
        if (!offer.InParts)
        {
            HeaderRow header = await HeaderAsync(images[0], ct) ?? throw new ProblemException(Locator.NotHere(http));
            PictureSource source = await pictures.OpenAsync(images[0], header, ct);
            http.Response.ContentType = offer.Essence;
            await SendAsync(http, await EncodeAsync(source, Representative.FrameOf(source.FrameCount), request, offer, parameters.Quality, ct));
            return;
        }
        MultipartWriter writer = MultipartWriter.Start(http.Response, offer.Essence);
        await foreach ((InstanceLocation location, HeaderRow header) in locator.HeadersAsync(images, ct))
        {
            PictureSource source = await pictures.OpenAsync(location, header, ct);
            byte[] picture = await EncodeAsync(source, 0, request, offer, parameters.Quality, ct);
            await PartAsync(http, writer, offer, InstancesTransaction.Location(root.Url(http), location) + "/rendered", picture);
        }
        writer.End();
        await http.Response.BodyWriter.FlushAsync(ct);
    }

    private async Task ThumbnailAsync(HttpContext http)
    {
        CancellationToken ct = http.RequestAborted;
        RenderedParameters parameters = RenderedParameters.ReadThumbnail(http.Request.Query, options.RenderedPixelsMax);
        Offer offer = Negotiation.Select(http, s_one).Offer;
        int? frame = http.GetRouteValue("frames") is string list ? FramesTransaction.ReadList(list)[0] : null;
        InstanceLocation image = Representative.Of(await locator.InstancesAsync(http)) ?? throw new ProblemException(NoPicture);
        if (!Begin(http, ETag(http, offer, [image]))) return;
        Viewport size = parameters.Request.Viewport!;
        string key = string.Create(CultureInfo.InvariantCulture, $"{image.ContentId} {frame} {size.Width}x{size.Height} {offer.Essence}");
        byte[] picture = await pictures.ThumbnailAsync(key, async () =>
        {
            HeaderRow header = await HeaderAsync(image, CancellationToken.None) ?? throw new ProblemException(Locator.NotHere(http));
            PictureSource source = await pictures.OpenAsync(image, header, CancellationToken.None);
            if (frame > source.FrameCount) throw new ProblemException(Problem.NotFound($"There is no frame {frame}: the instance has {source.FrameCount}.", $"Ask for frames 1 to {source.FrameCount}."));
            return await EncodeAsync(source, frame - 1 ?? Representative.FrameOf(source.FrameCount), parameters.Request, offer, parameters.Quality, CancellationToken.None);
        }, ct);
        http.Response.ContentType = offer.Essence;
        await SendAsync(http, picture);
    }

    /// <summary>A structured report as a page, as text or in XML, or the document or video that an instance carries.</summary>
    private async Task DocumentAsync(HttpContext http, InstanceLocation location, HeaderRow header, Offer offer)
    {
        CancellationToken ct = http.RequestAborted;
        InstanceContent content = await retrieve.OpenContentAsync(location, header, ct);
        // A page or document of somebody runs nothing and loads nothing, whatever a browser may think of it.
        if (offer.Essence is Html or Plain or Xml)
        {
            http.Response.Headers.ContentSecurityPolicy = "default-src 'none'; style-src 'unsafe-inline'; sandbox";
            http.Response.Headers.XContentTypeOptions = "nosniff";
        }
        bool isVideo = PixelMediaTypes.IsVideo(location.TransferSyntaxUid);
        if (isVideo || location.SopClassUid is Uids.EncapsulatedPDFStorage or Uids.EncapsulatedCDAStorage)
        {
            BulkContent document = (isVideo ? await content.PixelsAsync(ct) : content.Value("00420011", out _))
                ?? throw new ProblemException(Problem.NotFound("The instance carries no document.", "GET its metadata for what it has."));
            // A PDF or a video may end with the byte that makes its length even; readers pass over it. XML must not.
            if (offer.Essence == Xml) document = await WithoutPaddingAsync(document, ct);
            await new BulkAnswer(location, offer, "document").SendAsync(http, [new BulkPart(offer.Essence, InstancesTransaction.Location(root.Url(http), location) + "/rendered", document)]);
            return;
        }
        if (!Begin(http, ETag(http, offer, [location]))) return;
        http.Response.ContentType = offer.Essence + "; charset=utf-8";
        await SendAsync(http, offer.Essence switch
        {
            Html => Encoding.UTF8.GetBytes(StructuredReport.ToHtml(content.Header)),
            Plain => Encoding.UTF8.GetBytes(StructuredReport.ToText(content.Header)),
            _ => NativeXml(location, header),
        });
    }

    // The one XML that DICOM has for any instance (PS3.19 A.1).
    private byte[] NativeXml(InstanceLocation location, HeaderRow header)
    {
        using var document = new MemoryStream();
        metadata.WriteXml(document, location, header);
        return document.ToArray();
    }

    private static async Task<BulkContent> WithoutPaddingAsync(BulkContent document, CancellationToken ct)
    {
        if (document.Length == 0) return document;
        byte[] last = new byte[1];
        await using Stream end = await document.OpenAsync(document.Length - 1, 1, ct);
        await end.ReadExactlyAsync(last, ct);
        return last[0] == 0 ? document.Take(document.Length - 1) : document;
    }

    /// <summary>Empty: it is nothing that is rendered.</summary>
    private static Offer[] Offers(InstanceLocation location, HeaderRow header, bool isWhole)
    {
        if (isWhole && PixelMediaTypes.IsVideo(location.TransferSyntaxUid)) return [.. PixelMediaTypes.OfVideo(location.TransferSyntaxUid).Select(type => new Offer(type))];
        if (location.PixelDataOffset >= 0 || PresentationState.IsPresentationState(location.SopClassUid)) return s_one;
        if (location.SopClassUid == Uids.EncapsulatedPDFStorage) return [new Offer(Pdf)];
        if (location.SopClassUid == Uids.EncapsulatedCDAStorage) return [new Offer(Xml)];
        if (StructuredReport.IsReport(header.ToDataSet(location.TransferSyntaxUid))) return s_report;
        return [];
    }

    /// <summary>Sets validators; false when the answer is complete (304, HEAD).</summary>
    private static bool Begin(HttpContext http, string etag)
    {
        Conditions.SetValidators(http.Response, etag);
        return !Conditions.IsNotModified(http, etag);
    }

    // Stored bytes never change, so which they are and what was asked say what the picture is.
    private static string ETag(HttpContext http, Offer offer, IReadOnlyList<InstanceLocation> instances) =>
        Conditions.Digest([offer.ToString(), http.Request.Path.Value!, http.Request.QueryString.Value ?? "", .. instances.Select(i => i.ContentId)]);

    private static RenderRequest Fit(RenderRequest request, Offer offer) => offer.Essence == Png ? request : request with { Bits = 8 };

    private static Task<byte[]> EncodeAsync(PictureSource source, int frame, RenderRequest request, Offer offer, int quality, CancellationToken ct) => source.RenderAsync(frame, request, image => offer.Essence switch
    {
        Png => PictureWriter.Png(image),
        Gif => Still(image),
        Jpeg2000 => PictureWriter.Jpeg2000(image, quality),
        _ => PictureWriter.Jpeg(image, quality),
    }, ct);

    private static byte[] Still(RenderedImage image)
    {
        using var file = new MemoryStream();
        var writer = new GifWriter(file);
        writer.Add(image, TimeSpan.Zero);
        writer.Complete();
        return file.ToArray();
    }

    private async Task AnimationAsync(HttpContext http, PictureSource source, RenderRequest request, List<int> frames)
    {
        CancellationToken ct = http.RequestAborted;
        if (frames.Count > options.RenderedFramesMax)
            throw new ProblemException(new Problem(StatusCodes.Status413PayloadTooLarge, "Too large", $"An animation of {frames.Count} frames; {options.RenderedFramesMax} are allowed.", "Ask for some of them: frames/1,2,3/rendered."));
        if (HttpMethods.IsHead(http.Request.Method)) return;
        using var part = new MemoryStream();
        var writer = new GifWriter(part);
        foreach (int frame in frames)
        {
            TimeSpan shown = FrameTiming.Of(source.Header, frame - 1);
            await source.RenderAsync(frame - 1, request, image =>
            {
                writer.Add(image, shown);
                return true;
            }, ct);
            await http.Response.BodyWriter.WriteAsync(part.GetBuffer().AsMemory(0, (int)part.Length), ct);
            part.SetLength(0);
        }
        writer.Complete();
        await http.Response.BodyWriter.WriteAsync(part.GetBuffer().AsMemory(0, (int)part.Length), ct);
    }

    private static async Task PartAsync(HttpContext http, MultipartWriter writer, Offer offer, string location, byte[] picture)
    {
        if (HttpMethods.IsHead(http.Request.Method)) return;
        writer.StartPart(offer.Essence, location);
        await http.Response.BodyWriter.WriteAsync(picture, http.RequestAborted);
    }

    private static async Task SendAsync(HttpContext http, byte[] body)
    {
        http.Response.ContentLength = body.Length;
        if (!HttpMethods.IsHead(http.Request.Method)) await http.Response.BodyWriter.WriteAsync(body, http.RequestAborted);
    }

    private async ValueTask<HeaderRow?> HeaderAsync(InstanceLocation instance, CancellationToken ct)
    {
        var request = new LocateRequest { StudyInstanceUids = [instance.StudyInstanceUid], SopInstanceUids = [instance.SopInstanceUid] };
        await foreach ((_, HeaderRow header) in catalog.LocateHeadersAsync(request, ct)) return header;
        return null;
    }

    private static Problem NoPicture => Problem.NotFound("There is nothing here that has a picture.", "GET the metadata for what there is, or the instances themselves.");

    private static Problem For(ImagingException fault) => fault.Error switch
    {
        ImagingError.TooLarge => new Problem(StatusCodes.Status413PayloadTooLarge, "Too large", fault.Message + ".", "Ask for a smaller viewport or a smaller part."),
        ImagingError.TimedOut => new Problem(StatusCodes.Status503ServiceUnavailable, "Unavailable", fault.Message + ".", "GET the frame or the instance itself and render it in the client."),
        _ => new Problem(StatusCodes.Status406NotAcceptable, "Not acceptable", $"No picture can be made of it: {fault.Message}.", "GET the frame or the instance itself and render it in the client."),
    };
}
