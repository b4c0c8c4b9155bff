using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Routing;
using PacsCluster.Dicom;

namespace PacsCluster.Web;

/// <summary>The Store Transaction, STOW-RS (PS3.18 10.5). Instances go into the engine as they come in, one behind the other; while one is being made
/// durable, the next is read, so that several share a commit.</summary>
internal sealed class StoreTransaction(WebOptions options, ServiceRoot root, StoreFunction store)
{
    private const string Dicom = "application/dicom", Json = "application/dicom+json", Xml = "application/dicom+xml";

    private static readonly Offer[] s_offers = [new(Json), new("application/json"), new(Xml), new(Xml, InParts: true)];

    /// <summary>Maps <c>/studies</c> and <c>/studies/{study}</c>.</summary>
    public void Map(IEndpointRouteBuilder routes)
    {
        routes.MapPost("/studies", StoreAsync);
        routes.MapPost("/studies/{study}", StoreAsync);
    }

    private async Task StoreAsync(HttpContext http)
    {
        string? study = http.GetRouteValue("study") as string;
        (MediaType? type, Problem? problem) = Accept(http, study);
        Selection? answer = AcceptedTypes.Of(http.Request).Select(s_offers);
        if (problem is null && answer is null)
            problem = new Problem(406, "Not acceptable", "The result of a store can be told in none of the media types that the request accepts.", $"Accept one of: {string.Join(", ", s_offers.AsEnumerable())}.");
        if (problem is not null)
        {
            await problem.WriteAsync(http);
            return;
        }
        // Kestrel's own limit of 30 MB is less than one instance; ours is an option.
        if (http.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } size) size.MaxRequestBodySize = options.Store.RequestMaxBytes == 0 ? null : options.Store.RequestMaxBytes;
        StoreResults results = await ReadAsync(http, type!, study);
        if (results.Count == 0)
        {
            await Problem.BadRequest("The request has no instance in it.", "Send at least one part with an instance or with metadata.").WriteAsync(http);
            return;
        }
        await AnswerAsync(http, results, study, answer!.Offer);
    }

    private async Task<StoreResults> ReadAsync(HttpContext http, MediaType type, string? study)
    {
        var results = new StoreResults();
        await using var parts = new PartStore(options.Store, store, results, study, http.Connection.RemoteIpAddress?.ToString() ?? "", http.RequestAborted);
        if (type.Type != "multipart")
        {
            await parts.TakeAsync(new BodyPart(type, null, null, http.Request.Body), type);
        }
        else
        {
            using var reader = new PartReader(http.Request.Body, type["boundary"]!);
            MediaType? rootType = type.PartType;
            try
            {
                while (await reader.NextAsync(http.RequestAborted) is { } part)
                {
                    // Without a type parameter the first part says what the request is (RFC 2387 3.2).
                    rootType ??= part.ContentType;
                    await parts.TakeAsync(part, rootType);
                }
            }
            catch (MultipartException e)
            {
                // What came before is whole and stored; the answer tells which.
                await parts.BreakOffAsync(e.Message);
            }
        }
        await parts.FinishAsync();
        return results;
    }

    private static (MediaType?, Problem?) Accept(HttpContext http, string? study)
    {
        if (study is not null && (study.Length > 64 || study.Any(c => c is not ('.' or (>= '0' and <= '9'))))) return (null, Problem.BadRequest("The path has something that is no UID.", "UIDs are digits and points, at most 64 characters."));
        const string next = "Send multipart/related; type=\"application/dicom\" (or \"application/dicom+json\", \"application/dicom+xml\" with bulk data parts), or one instance as application/dicom.";
        if (!MediaType.TryParse(http.Request.ContentType, out MediaType? type) || type is null)
            return (null, new Problem(415, "Unsupported media type", "The request says no Content-Type.", next));
        if (type.Type == "multipart")
        {
            if (string.IsNullOrEmpty(type["boundary"]) || type["boundary"]!.Length > 1000) return (null, Problem.BadRequest("The Content-Type has no usable boundary.", "Give the boundary parameter that separates the parts."));
            return type.PartType is null or { Essence: Dicom or Json or Xml } ? (type, null) : (null, new Problem(415, "Unsupported media type", $"Instances cannot be stored from parts of type {type.PartType.Essence}.", next));
        }
        return type.Essence is Dicom or Json or Xml ? (type, null) : (null, new Problem(415, "Unsupported media type", $"Instances cannot be stored from {type.Essence}.", next));
    }

    private async Task AnswerAsync(HttpContext http, StoreResults results, string? study, Offer offer)
    {
        HttpResponse response = http.Response;
        response.StatusCode = results.Status;
        if (response.StatusCode == StatusCodes.Status503ServiceUnavailable) response.Headers.RetryAfter = "10";
        response.Headers.CacheControl = "no-store";
        DataSet answer = results.ToDataSet(root.Url(http), study);
        if (offer.Essence != Xml)
        {
            response.ContentType = offer.ContentType;
            await using var json = new System.Text.Json.Utf8JsonWriter(response.BodyWriter, JsonModel.WriterOptions);
            JsonModel.Write(json, answer);
            return;
        }
        using var document = new MemoryStream();
        NativeModel.Write(document, answer);
        MultipartWriter? multipart = offer.InParts ? MultipartWriter.Start(response, Xml) : null;
        if (multipart is null) response.ContentType = Xml;
        multipart?.StartPart(Xml, location: null);
        await response.BodyWriter.WriteAsync(document.GetBuffer().AsMemory(0, (int)document.Length), http.RequestAborted);
        multipart?.End();
    }
}
