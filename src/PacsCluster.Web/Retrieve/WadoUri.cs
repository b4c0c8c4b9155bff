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
        List<MediaType> wanted = [.. query["contentType"].SelectMany(v => MediaType.ParseList(v ?? ""))];
        // PS3.18 9.5.2 and annex D: a picture for images of one frame, the instance itself for everything else.
        if (wanted.Count == 0) wanted.Add(instance.PixelDataOffset >= 0 && instance.NumberOfFrames == 1 ? new MediaType("image", "jpeg", []) : new MediaType("application", "dicom", []));
        if (wanted[0].Essence is not (Dicom or "*/*" or "application/*") && await rendered.TrySendUriAsync(http, instance, wanted)) return;
        string? syntax = query["transferSyntax"];
        await instances.SendAsync(http, [instance], new Selection(new Offer(Dicom), [new AcceptedTransferSyntax(string.IsNullOrEmpty(syntax) ? null : syntax, 1)]));
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

    private static ProblemException Wrong(string detail, string next) => new(Problem.BadRequest(detail, next));
}
