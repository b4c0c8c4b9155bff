using System.IO.Pipelines;
using Microsoft.AspNetCore.Http;
using PacsCluster.Engine;

namespace PacsCluster.Web;

/// <summary>Sends pixels in another transfer syntax than they are stored in. One frame after the other: the next is read when the client took the one before. The first is converted before anything is
/// sent, so what cannot be is a 406.</summary>
internal sealed class ConvertedPixels(FrameConverter converter)
{
    /// <summary>Sends frames, each a part; or one alone, with ranges.</summary>
    /// <param name="http">The request.</param>
    /// <param name="content">The instance.</param>
    /// <param name="frames">From 1; one where the offer is not in parts.</param>
    /// <param name="answer">What was selected.</param>
    /// <param name="locate">The URL of a frame.</param>
    public async Task SendFramesAsync(HttpContext http, InstanceContent content, IReadOnlyList<int> frames, BulkAnswer answer, Func<int, string> locate)
    {
        CancellationToken ct = http.RequestAborted;
        if (!answer.Begin(http)) return;
        Offer offer = answer.Offer;
        if (!offer.InParts)
        {
            // HEAD too: its Content-Length and whether it can be converted at all are not known before.
            ReadOnlyMemory<byte> bytes = await converter.ConvertAsync(content, frames[0] - 1, offer.TransferSyntaxUid!, ct);
            http.Response.ContentType = offer.ContentType;
            http.Response.Headers.ContentLocation = locate(frames[0]);
            if (Conditions.TakeRange(http, bytes.Length) is { } range && !HttpMethods.IsHead(http.Request.Method)) await http.Response.BodyWriter.WriteAsync(bytes.Slice((int)range.Offset, (int)range.Length), ct);
            return;
        }
        MultipartWriter writer = MultipartWriter.Start(http.Response, offer.Essence);
        await WriteFramesAsync(http, writer, content, frames, offer, locate);
        if (HttpMethods.IsHead(http.Request.Method)) return;
        writer.End();
        await http.Response.BodyWriter.FlushAsync(ct);
    }

    /// <summary>Sends the samples of all frames as one, without parts or as the only one.</summary>
    public async Task SendSamplesAsync(HttpContext http, InstanceContent content, BulkAnswer answer, string location)
    {
        if (!answer.Begin(http)) return;
        MultipartWriter? writer = answer.Offer.InParts ? MultipartWriter.Start(http.Response, answer.Offer.Essence) : null;
        if (writer is null)
        {
            http.Response.ContentType = answer.Offer.ContentType;
            http.Response.Headers.ContentLocation = location;
        }
        await WriteSamplesAsync(http, writer, content, answer.Offer, location);
        if (HttpMethods.IsHead(http.Request.Method)) return;
        writer?.End();
        await http.Response.BodyWriter.FlushAsync(http.RequestAborted);
    }

    /// <summary>Writes frames, each as a part. For HEAD the first is only tried.</summary>
    public async Task WriteFramesAsync(HttpContext http, MultipartWriter writer, InstanceContent content, IReadOnlyList<int> frames, Offer offer, Func<int, string> locate)
    {
        CancellationToken ct = http.RequestAborted;
        foreach (int frame in frames)
        {
            await writer.BeforeNextAsync(http, ct);
            ReadOnlyMemory<byte> bytes = await converter.ConvertAsync(content, frame - 1, offer.TransferSyntaxUid!, ct);
            if (HttpMethods.IsHead(http.Request.Method)) return;
            writer.StartPart(offer.ContentType, locate(frame));
            await WriteAsync(http, bytes, ct);
        }
    }

    /// <summary>Writes the samples of all frames as one part, as of an instance that is stored native; without parts where there is no writer. For HEAD the first frame is only tried.</summary>
    public async Task WriteSamplesAsync(HttpContext http, MultipartWriter? writer, InstanceContent content, Offer offer, string location)
    {
        CancellationToken ct = http.RequestAborted;
        if (writer is not null) await writer.BeforeNextAsync(http, ct);
        bool isFirst = true;
        await foreach (ReadOnlyMemory<byte> bytes in converter.ReadSamplesAsync(content, ct))
        {
            if (HttpMethods.IsHead(http.Request.Method)) return;
            if (isFirst) writer?.StartPart(offer.ContentType, location);
            isFirst = false;
            await WriteAsync(http, bytes, ct);
        }
    }

    private static async ValueTask WriteAsync(HttpContext http, ReadOnlyMemory<byte> bytes, CancellationToken ct)
    {
        FlushResult flushed = await http.Response.BodyWriter.WriteAsync(bytes, ct);
        // Nobody reads any more.
        if (flushed.IsCompleted) throw new OperationCanceledException(ct);
    }
}
