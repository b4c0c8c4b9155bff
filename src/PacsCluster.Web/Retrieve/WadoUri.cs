using Microsoft.AspNetCore.Http;
using PacsCluster.Catalog;

namespace PacsCluster.Web;

/// <summary>WADO-URI (PS3.18 9; C-85): one instance by query parameters, for Weasis and older middleware.</summary>
internal sealed class WadoUri(WebOptions options, ICatalog catalog, InstancesTransaction instances, RenderedTransaction rendered)
{
    private const string Dicom = "application/dicom";

    /// <summary>Answers.</summary>
    public async Task HandleAsync(HttpContext http)
    {
        IQueryCollection query = http.Request.Query;
        if (!string.Equals(query["requestType"], "WADO", StringComparison.OrdinalIgnoreCase)) throw Wrong("requestType is not WADO.", "Write requestType=WADO.");
        if (string.Equals(query["anonymize"], "yes", StringComparison.OrdinalIgnoreCase))
            throw new ProblemException(new Problem(StatusCodes.Status406NotAcceptable, "Not acceptable", "The instance cannot be de-identified here.", "Leave anonymize out to get it as it is, if you may."));
        InstanceLocation instance = await FindAsync(http, query);
        switch (Choose(query, instance))
        {
            case Dicom:
                string? syntax = query["transferSyntax"];
                await instances.SendAsync(http, [instance], new Selection(new Offer(Dicom), [new AcceptedTransferSyntax(string.IsNullOrEmpty(syntax) ? null : syntax, 1)]));
                break;
            case { } picture:
                await rendered.SendUriAsync(http, instance, picture);
                break;
        }
    }

    private async Task<InstanceLocation> FindAsync(HttpContext http, IQueryCollection query)
    {
        string study = Uid("studyUID", !options.WadoUriByObjectAlone), series = Uid("seriesUID", !options.WadoUriByObjectAlone), instance = Uid("objectUID", true);
        var request = new LocateRequest
        {
            StudyInstanceUids = study.Length > 0 ? [study] : [], SeriesInstanceUids = series.Length > 0 ? [series] : [], SopInstanceUids = [instance],
        };
        await foreach (InstanceLocation found in catalog.LocateAsync(request, http.RequestAborted)) return found;
        throw new ProblemException(Problem.NotFound("There is no such instance here.", "Search for it: GET instances?SOPInstanceUID=… says where it is."));

        string Uid(string name, bool isRequired)
        {
            string uid = query[name].ToString().Trim();
            return uid.Length > 0 || !isRequired ? uid : throw Wrong($"{name} is missing.", "Give studyUID, seriesUID and objectUID.");
        }
    }

    /// <summary>The media type: the first of contentType that can be; without it a picture for images of one frame, the instance itself for everything else (PS3.18 9.5.2 and annex D's defaults).</summary>
    private static string Choose(IQueryCollection query, InstanceLocation instance)
    {
        List<MediaType> wanted = [.. query["contentType"].SelectMany(v => MediaType.ParseList(v ?? ""))];
        if (wanted.Count == 0) return instance.PixelDataOffset >= 0 && instance.NumberOfFrames == 1 ? "image/jpeg" : Dicom;
        foreach (MediaType one in wanted)
        {
            if (one.Essence is Dicom or "*/*" or "application/*") return Dicom;
            if (one.Type is "image" or "video" or "text" || one.Essence == "application/pdf") return one.Essence;
        }
        throw new ProblemException(new Problem(StatusCodes.Status406NotAcceptable, "Not acceptable", "None of the types in contentType can be made of this instance.", "Ask for contentType=application/dicom."));
    }

    private static ProblemException Wrong(string detail, string next) => new(Problem.BadRequest(detail, next));
}
