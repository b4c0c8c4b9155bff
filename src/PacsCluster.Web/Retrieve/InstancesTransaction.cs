using System.Buffers;
using System.IO.Pipelines;
using System.Text;
using Microsoft.AspNetCore.Http;
using PacsCluster.Catalog;
using PacsCluster.Dicom;
using PacsCluster.Engine;

namespace PacsCluster.Web;

/// <summary>Retrieve of a study's, a series' or one instance (PS3.18 10.4.1.1.1), as PS3.10 files.</summary>
internal sealed class InstancesTransaction(Locator locator, Retrieve retrieve, ServiceRoot root)
{
    private const string Dicom = "application/dicom";

    private static readonly Offer s_parts = new(Dicom, InParts: true), s_single = new(Dicom);

    /// <summary>One instance in the transfer syntax that it goes out in.</summary>
    private readonly record struct Planned(InstanceLocation Instance, TransferSyntax Target)
    {
        public bool AsStored => Target.Uid == Instance.TransferSyntaxUid;

        public string ContentType => $"{Dicom}; transfer-syntax={Target.Uid}";

        public string Name => $"{Instance.ContentId}.{Target.Uid}";
    }

    /// <summary>Answers.</summary>
    public async Task HandleAsync(HttpContext http)
    {
        List<InstanceLocation> instances = await locator.InstancesAsync(http);
        // The default is multipart, also for one (PS3.18 table 8.7.3-1); a single part where the client asks for it (C-73).
        Selection selection = Negotiation.Select(http, instances.Count == 1 ? [s_parts, s_single] : [s_parts]);
        await SendAsync(http, instances, selection);
    }

    /// <summary>Sends instances in what was selected.</summary>
    public async Task SendAsync(HttpContext http, IReadOnlyList<InstanceLocation> instances, Selection selection)
    {
        List<Planned> planned = [.. instances.Select(i => new Planned(i, Negotiation.Choose(i, selection.TransferSyntaxes) ?? throw new ProblemException(CannotConvert(i, instances, selection.Offer))))];
        string etag = Conditions.Digest(planned.Select(p => p.Name).Prepend(selection.Offer.InParts ? "parts" : "single"));
        Conditions.SetValidators(http.Response, etag);
        if (Conditions.IsNotModified(http, etag)) return;
        if (selection.Offer.InParts) await SendPartsAsync(http, planned);
        else await SendSingleAsync(http, planned[0]);
    }

    private async Task SendPartsAsync(HttpContext http, List<Planned> planned)
    {
        CancellationToken ct = http.RequestAborted;
        MultipartWriter parts = MultipartWriter.Start(http.Response, Dicom);
        string service = root.Url(http);
        if (planned.TrueForAll(p => p.AsStored)) http.Response.ContentLength = Length(parts, planned, service);
        if (HttpMethods.IsHead(http.Request.Method)) return;
        int unflushed = 0;
        foreach (Planned one in planned)
        {
            await using Stream file = await OpenAsync(one, 0, one.Instance.Length, ct);
            // What fails from here on breaks the answer off. The first instance could be opened.
            if (!http.Response.HasStarted) await http.Response.StartAsync(ct);
            parts.StartPart(one.ContentType, Location(service, one.Instance));
            unflushed = await CopyAsync(http, one, file, one.Instance.Length, unflushed, ct);
        }
        parts.End();
        await http.Response.BodyWriter.FlushAsync(ct);
    }

    private async Task SendSingleAsync(HttpContext http, Planned planned)
    {
        http.Response.ContentType = planned.ContentType;
        http.Response.Headers.ContentLocation = Location(root.Url(http), planned.Instance);
        long offset = 0, length = 0;
        if (planned.AsStored)
        {
            if (Conditions.TakeRange(http, planned.Instance.Length) is not { } range) return;
            (offset, length) = range;
        }
        if (HttpMethods.IsHead(http.Request.Method)) return;
        await using Stream file = await OpenAsync(planned, offset, length, http.RequestAborted);
        await CopyAsync(http, planned, file, length, 0, http.RequestAborted);
        await http.Response.BodyWriter.FlushAsync(http.RequestAborted);
    }

    // The range counts only for what goes as stored; what is converted on the way has no length until its end.
    private async ValueTask<Stream> OpenAsync(Planned planned, long offset, long length, CancellationToken ct) => planned.AsStored
        ? await retrieve.OpenFileAsync(planned.Instance, offset, length, ct)
        : (await retrieve.OpenAsync(planned.Instance, planned.Target, ct)).DataSet;

    private static async ValueTask<int> CopyAsync(HttpContext http, Planned planned, Stream bytes, long length, int unflushed, CancellationToken ct)
    {
        PipeWriter body = http.Response.BodyWriter;
        if (planned.AsStored) return await BodyCopy.CopyAsync(bytes, length, body, unflushed, ct);
        body.Write(Part10.BuildFileMeta(planned.Target, planned.Instance.SopClassUid, planned.Instance.SopInstanceUid));
        return await BodyCopy.CopyAsync(bytes, body, unflushed, ct);
    }

    private static long Length(MultipartWriter parts, List<Planned> planned, string service)
    {
        long length = parts.EndLength;
        for (int i = 0; i < planned.Count; i++) length += planned[i].Instance.Length + parts.Overhead(planned[i].ContentType, Location(service, planned[i].Instance), i == 0);
        return length;
    }

    /// <summary>URL of an instance.</summary>
    public static string Location(string service, InstanceLocation i) => $"{service}/studies/{i.StudyInstanceUid}/series/{i.SeriesInstanceUid}/instances/{i.SopInstanceUid}";

    private static Problem CannotConvert(InstanceLocation instance, IReadOnlyList<InstanceLocation> instances, Offer offer)
    {
        var syntaxes = new StringBuilder();
        foreach (string uid in instances.Select(i => i.TransferSyntaxUid).Distinct(StringComparer.Ordinal)) syntaxes.Append(", ").Append(offer with { TransferSyntaxUid = uid });
        return new Problem(StatusCodes.Status406NotAcceptable, "Not acceptable", $"Instances stored in {instance.TransferSyntaxUid} cannot be converted to a transfer syntax that the request accepts.",
            $"Accept one of: {offer with { TransferSyntaxUid = "*" }} (as stored){syntaxes}.");
    }
}
