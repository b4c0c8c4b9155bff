using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using PacsCluster.Catalog;
using PacsCluster.Dicom;
using PacsCluster.Engine;

namespace PacsCluster.Web;

/// <summary>What a viewer needs before all metadata, each in one request and from the catalog alone: <c>/studies/{study}/skeleton</c> gives the series with counts and the metadata of their
/// first and middle instances, so that the first image waits for nothing else; <c>/studies/{study}/tree</c> names every series and instance. Extensions of ours: not in PS3.18.</summary>
internal sealed class SkeletonTransaction(ICatalog catalog, Metadata metadata, Locator locator, ServiceRoot root)
{
    private static readonly Offer[] s_offers = [new("application/json")];

    /// <summary>Series with counts, first and middle instance.</summary>
    public async Task HandleSkeletonAsync(HttpContext http)
    {
        if (await OpenAsync(http, "skeleton") is not { } open) return;
        (StudyContent study, ILookup<string, InstanceLocation> bySeries) = open;
        CancellationToken ct = http.RequestAborted;
        Dictionary<string, InstanceLocation[]> chosen = study.Series.ToDictionary(s => s.Series.SeriesInstanceUid, s => FirstAndMiddle([.. bySeries[s.Series.SeriesInstanceUid]]), StringComparer.Ordinal);
        List<InstanceLocation> wanted = [.. chosen.Values.SelectMany(c => c)];
        Dictionary<long, HeaderRow> headers = [];
        await foreach ((InstanceLocation location, HeaderRow header) in locator.HeadersAsync(wanted, ct)) headers[location.InstanceKey] = header;
        string service = root.Url(http);
        await using var json = new Utf8JsonWriter(http.Response.BodyWriter, JsonModel.WriterOptions);
        WriteStudy(json, study, service);
        json.WriteStartArray("series");
        foreach (SeriesContent series in study.Series)
        {
            WriteSeries(json, series, study, service);
            InstanceLocation[] two = chosen[series.Series.SeriesInstanceUid];
            if (two.Length > 0) WriteInstance("first", two[0]);
            if (two.Length > 1) WriteInstance("middle", two[1]);
            json.WriteEndObject();
            await json.FlushAsync(ct);
        }
        json.WriteEndArray();
        json.WriteEndObject();
        await json.FlushAsync(ct);

        void WriteInstance(string name, InstanceLocation location)
        {
            if (!headers.TryGetValue(location.InstanceKey, out HeaderRow? header)) return;
            json.WritePropertyName(name);
            metadata.Write(json, location, header);
        }
    }

    /// <summary>Every series and instance.</summary>
    public async Task HandleTreeAsync(HttpContext http)
    {
        if (await OpenAsync(http, "tree") is not { } open) return;
        (StudyContent study, ILookup<string, InstanceLocation> bySeries) = open;
        string service = root.Url(http);
        await using var json = new Utf8JsonWriter(http.Response.BodyWriter, JsonModel.WriterOptions);
        WriteStudy(json, study, service);
        json.WriteStartArray("series");
        foreach (SeriesContent series in study.Series)
        {
            WriteSeries(json, series, study, service);
            json.WriteStartArray("instances");
            foreach (InstanceLocation one in bySeries[series.Series.SeriesInstanceUid])
            {
                json.WriteStartObject();
                json.WriteString("SOPInstanceUID", one.SopInstanceUid);
                json.WriteString("SOPClassUID", one.SopClassUid);
                json.WriteString("AvailableTransferSyntaxUID", one.TransferSyntaxUid);
                if (one.PixelDataOffset >= 0) json.WriteNumber("NumberOfFrames", one.NumberOfFrames);
                json.WriteEndObject();
            }
            json.WriteEndArray();
            json.WriteEndObject();
            await json.FlushAsync(http.RequestAborted);
        }
        json.WriteEndArray();
        json.WriteEndObject();
        await json.FlushAsync(http.RequestAborted);
    }

    /// <summary>The study and its instances by series; null when the answer is complete (304, HEAD).</summary>
    private async Task<(StudyContent Study, ILookup<string, InstanceLocation> BySeries)?> OpenAsync(HttpContext http, string what)
    {
        Offer offer = Negotiation.Select(http, s_offers).Offer;
        StudyContent study = await catalog.GetContentAsync((string)http.GetRouteValue("study")!, null, http.RequestAborted) ?? throw new ProblemException(Locator.NotHere(http));
        string etag = $"{what}-{study.Study.Key:x}-{study.Study.Version:x}";
        Conditions.SetValidators(http.Response, etag, study.Study.UpdatedAt);
        if (Conditions.IsNotModified(http, etag, study.Study.UpdatedAt)) return null;
        http.Response.ContentType = offer.ContentType;
        if (HttpMethods.IsHead(http.Request.Method)) return null;
        return (study, (await locator.InstancesAsync(http)).ToLookup(i => i.SeriesInstanceUid, StringComparer.Ordinal));
    }

    // In order of instance number. The middle is where a viewer opens a stack of slices.
    private static InstanceLocation[] FirstAndMiddle(InstanceLocation[] instances) => instances.Length switch
    {
        0 => [],
        1 => [instances[0]],
        _ => [instances[0], instances[instances.Length / 2]],
    };

    private static void WriteStudy(Utf8JsonWriter json, StudyContent study, string service)
    {
        json.WriteStartObject();
        json.WriteString("StudyInstanceUID", study.Study.StudyInstanceUid);
        json.WriteString("RetrieveURL", $"{service}/studies/{study.Study.StudyInstanceUid}");
        json.WriteNumber("NumberOfStudyRelatedSeries", study.Study.SeriesCount);
        json.WriteNumber("NumberOfStudyRelatedInstances", study.Study.InstanceCount);
        json.WriteBoolean("complete", study.Study.Status == StudyStatus.Complete);
    }

    private static void WriteSeries(Utf8JsonWriter json, SeriesContent series, StudyContent study, string service)
    {
        json.WriteStartObject();
        json.WriteString("SeriesInstanceUID", series.Series.SeriesInstanceUid);
        json.WriteString("RetrieveURL", $"{service}/studies/{study.Study.StudyInstanceUid}/series/{series.Series.SeriesInstanceUid}");
        json.WriteNumber("NumberOfSeriesRelatedInstances", series.Series.InstanceCount);
    }
}
