using System.Globalization;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using PacsCluster.Catalog;
using PacsCluster.Engine;

namespace PacsCluster.Web;

/// <summary>Retrieve of frames (PS3.18 10.4.1.1.6), in the order of the request: each one ranged read, and converted where the client asks for another transfer syntax.</summary>
internal sealed class FramesTransaction(Locator locator, Retrieve retrieve, ConvertedPixels converted, ServiceRoot root)
{
    /// <summary>Answers.</summary>
    public async Task HandleAsync(HttpContext http)
    {
        List<int> frames = ReadList((string)http.GetRouteValue("frames")!);
        (InstanceLocation location, HeaderRow header) = await locator.InstanceAsync(http);
        InstanceContent content = await retrieve.OpenContentAsync(location, header, http.RequestAborted);
        Check(content, frames);
        Offer offer = Negotiation.Select(http, PixelOffers.OfFrames(location.TransferSyntaxUid, single: frames.Count == 1)).Offer;
        string service = InstancesTransaction.Location(root.Url(http), location);
        var answer = new BulkAnswer(location, offer, $"frames {http.GetRouteValue("frames")}");
        if (PixelOffers.IsStored(offer, location.TransferSyntaxUid)) await answer.SendAsync(http, [.. frames.Select(frame => new BulkPart(offer.ContentType, $"{service}/frames/{frame}", content.Frame(frame - 1)))]);
        else await converted.SendFramesAsync(http, content, frames, answer, frame => $"{service}/frames/{frame}");
    }

    /// <summary>Frame numbers from 1, as in <c>1,2,2,5</c>.</summary>
    /// <exception cref="ProblemException">400: it is no such list.</exception>
    public static List<int> ReadList(string text)
    {
        List<int> frames = [];
        foreach (Range one in text.AsSpan().Split(','))
        {
            if (!int.TryParse(text.AsSpan()[one].Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out int frame) || frame < 1)
                throw new ProblemException(Problem.BadRequest("The list of frames holds something that is no frame number.", "Write numbers from 1 with commas between, as in frames/1,2,3."));
            frames.Add(frame);
        }
        return frames;
    }

    /// <summary>Makes sure that there are such frames.</summary>
    /// <exception cref="ProblemException">404 or 406: there are not.</exception>
    public static void Check(InstanceContent content, IReadOnlyList<int> frames)
    {
        if (content.PixelData is null) throw new ProblemException(Problem.NotFound("The instance has no pixel data.", "GET its metadata for what it has, and its bulkdata for documents and other values."));
        if (content.FrameCount == 0)
        {
            string why = PixelMediaTypes.IsVideo(content.Location.TransferSyntaxUid) ? "The instance is a video, whose frames cannot be sent one by one." : "The frames cannot be told apart: its attributes do not fit its pixel data.";
            throw new ProblemException(new Problem(StatusCodes.Status406NotAcceptable, "Not acceptable", why, "GET its pixeldata for the whole, or the instance itself."));
        }
        foreach (int frame in frames)
        {
            if (frame > content.FrameCount) throw new ProblemException(Problem.NotFound($"There is no frame {frame}: the instance has {content.FrameCount}.", $"Ask for frames 1 to {content.FrameCount}."));
        }
    }
}
