using System.Buffers;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using PacsCluster.Catalog;
using PacsCluster.Dicom;

namespace PacsCluster.Web;

/// <summary>The Search Transaction, QIDO-RS (PS3.18 10.6). Rows go from the catalog's cursor as JSON into the response's buffers; no data set is made of them.</summary>
internal sealed class SearchTransaction(WebOptions options, ServiceRoot root, ICatalog catalog)
{
    /// <summary>Rows held back before the first is sent, so that the headers can say whether there are more; a longer answer is counted instead.</summary>
    private const int RowsHeld = 1000;

    private const int FlushBytes = 64 * 1024;

    private static readonly string[] s_read = ["GET", "HEAD"];

    private static readonly Offer s_csv = new("text/csv");
    private static readonly Offer[] s_offers = [new("application/dicom+json"), new("application/json"), new("application/dicom+xml", InParts: true), s_csv];
    private static readonly Tag s_study = new(0x0020_000D);
    private static readonly Tag s_series = new(0x0020_000E);
    private static readonly Tag s_instance = new(0x0008_0018);

    /// <summary>Maps the resources of table 10.6.1-2, and <c>/patients</c>.</summary>
    public void Map(IEndpointRouteBuilder routes)
    {
        routes.MapMethods("/patients", s_read, http => SearchAsync(http, QueryLevel.Patient));
        routes.MapMethods("/studies", s_read, http => SearchAsync(http, QueryLevel.Study));
        routes.MapMethods("/series", s_read, http => SearchAsync(http, QueryLevel.Series));
        routes.MapMethods("/instances", s_read, http => SearchAsync(http, QueryLevel.Image));
        routes.MapMethods("/studies/{study}/series", s_read, http => SearchAsync(http, QueryLevel.Series));
        routes.MapMethods("/studies/{study}/instances", s_read, http => SearchAsync(http, QueryLevel.Image));
        routes.MapMethods("/studies/{study}/series/{series}/instances", s_read, http => SearchAsync(http, QueryLevel.Image));
    }

    private async Task SearchAsync(HttpContext http, QueryLevel level)
    {
        string? study = http.GetRouteValue("study") as string, series = http.GetRouteValue("series") as string;
        (SearchParameters? parameters, Problem? problem) = SearchParameters.Read(http.Request.Query, level, study, series, options.Search);
        Selection? selected = AcceptedTypes.Of(http.Request).Select(s_offers);
        if (problem is null && selected is null)
            problem = new Problem(406, "Not acceptable", "A search can be answered in none of the media types that the request accepts.", $"Accept one of: {string.Join(", ", s_offers.AsEnumerable())}.");
        if (problem is not null)
        {
            await problem.WriteAsync(http);
            return;
        }
        http.Response.Headers.CacheControl = "private, no-store";
        http.Response.Headers.Vary = "Accept, Authorization";
        await AnswerAsync(http, parameters!, selected!.Offer);
    }

    private async Task AnswerAsync(HttpContext http, SearchParameters parameters, Offer offer)
    {
        CancellationToken ct = http.RequestAborted;
        SearchRequest request = parameters.Request;
        await using IAsyncEnumerator<SearchRow> rows = catalog.SearchAsync(request, ct).GetAsyncEnumerator(ct);
        List<SearchRow> held = new(Math.Min(request.Limit!.Value, 32));
        bool more = true;
        while (held.Count < RowsHeld && (more = await rows.MoveNextAsync())) held.Add(rows.Current);
        // Only a full page can have something behind it.
        if (more || (held.Count > 0 && held.Count == request.Limit)) await CountFurtherAsync(parameters, ct);
        if (held.Exists(row => row.HasReplacements)) parameters.Warnings.Add(MetadataTransaction.UndecodableText);
        foreach (string warning in parameters.Warnings) http.Response.Headers.Append("Warning", $"299 {http.Request.Host} \"{warning}\"");
        if (held.Count == 0)
        {
            http.Response.StatusCode = StatusCodes.Status204NoContent;
            return;
        }
        if (offer.InParts) await WriteXmlAsync(http, parameters, held, more ? rows : null);
        else if (offer == s_csv) await WriteCsvAsync(http, request, held, more ? rows : null);
        else await WriteJsonAsync(http, parameters, offer, held, more ? rows : null);
    }

    /// <summary>PS3.18 10.6.3.2: a Warning says how many results are left.</summary>
    private async Task CountFurtherAsync(SearchParameters parameters, CancellationToken ct)
    {
        SearchRequest request = parameters.Request;
        int most = options.Search.FurtherCountedMax;
        int end = request.Limit!.Value > int.MaxValue - most - request.Offset ? int.MaxValue - most : request.Offset + request.Limit.Value;
        int further = await catalog.CountMatchesAsync(request, end + most, ct) - end;
        if (further > 0) parameters.Warnings.Add($"There are {(further == most ? "at least " : "")}{further} additional results that can be requested");
    }

    private async Task WriteJsonAsync(HttpContext http, SearchParameters parameters, Offer offer, List<SearchRow> held, IAsyncEnumerator<SearchRow>? rest)
    {
        HttpResponse response = http.Response;
        response.ContentType = offer.ContentType;
        string url = root.Url(http);
        await using var json = new Utf8JsonWriter(response.BodyWriter, JsonModel.WriterOptions);
        json.WriteStartArray();
        foreach (SearchRow row in held)
        {
            row.WriteJson(json, RetrieveUrl(url, row), parameters.KeepEmpty);
            await FlushAsync();
        }
        while (rest is not null && await rest.MoveNextAsync())
        {
            rest.Current.WriteJson(json, RetrieveUrl(url, rest.Current), parameters.KeepEmpty);
            await FlushAsync();
        }
        json.WriteEndArray();

        async ValueTask FlushAsync()
        {
            if (json.BytesPending + response.BodyWriter.UnflushedBytes < FlushBytes) return;
            json.Flush();
            await response.BodyWriter.FlushAsync(http.RequestAborted);
        }
    }

    private async Task WriteXmlAsync(HttpContext http, SearchParameters parameters, List<SearchRow> held, IAsyncEnumerator<SearchRow>? rest)
    {
        const string xml = "application/dicom+xml";
        string url = root.Url(http);
        MultipartWriter parts = MultipartWriter.Start(http.Response, xml);
        var buffer = new ArrayBufferWriter<byte>(4096);
        using var document = new MemoryStream();
        foreach (SearchRow row in held) await WriteAsync(row);
        while (rest is not null && await rest.MoveNextAsync()) await WriteAsync(rest.Current);
        parts.End();

        async ValueTask WriteAsync(SearchRow row)
        {
            buffer.ResetWrittenCount();
            using (var json = new Utf8JsonWriter(buffer, JsonModel.WriterOptions)) row.WriteJson(json, RetrieveUrl(url, row), parameters.KeepEmpty);
            parts.StartPart(xml, location: null);
            document.SetLength(0);
            NativeModel.Write(document, JsonModel.Read(buffer.WrittenSpan));
            await http.Response.BodyWriter.WriteAsync(document.GetBuffer().AsMemory(0, (int)document.Length), http.RequestAborted);
        }
    }

    private async Task WriteCsvAsync(HttpContext http, SearchRequest request, List<SearchRow> held, IAsyncEnumerator<SearchRow>? rest)
    {
        HttpResponse response = http.Response;
        response.ContentType = "text/csv; charset=utf-8; header=present";
        string url = root.Url(http);
        var csv = new CsvRows(request.ReturnKeys);
        csv.WriteHeader(response.BodyWriter, hasUrl: request.Level != QueryLevel.Patient);
        foreach (SearchRow row in held) await WriteAsync(row);
        while (rest is not null && await rest.MoveNextAsync()) await WriteAsync(rest.Current);

        async ValueTask WriteAsync(SearchRow row)
        {
            csv.Write(response.BodyWriter, row, RetrieveUrl(url, row));
            if (response.BodyWriter.UnflushedBytes >= FlushBytes) await response.BodyWriter.FlushAsync(http.RequestAborted);
        }
    }

    /// <summary>Patients have no resource to retrieve.</summary>
    private static string? RetrieveUrl(string url, SearchRow row) => row.Level switch
    {
        QueryLevel.Study => $"{url}/studies/{row[s_study]}",
        QueryLevel.Series => $"{url}/studies/{row[s_study]}/series/{row[s_series]}",
        QueryLevel.Image => $"{url}/studies/{row[s_study]}/series/{row[s_series]}/instances/{row[s_instance]}",
        _ => null,
    };
}
