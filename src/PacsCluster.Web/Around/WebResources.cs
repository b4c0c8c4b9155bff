namespace PacsCluster.Web;

/// <summary>What there is to say of each resource. A test compares it with the routes that are mapped.</summary>
public static class WebResources
{
    private const string Study = "/studies/{study}", Series = Study + "/series/{series}", Instance = Series + "/instances/{instance}";
    private const string Json = "application/dicom+json", Xml = "multipart/related; type=\"application/dicom+xml\"";

    private static readonly string[] s_searchQuery = ["{attributeID}", "includefield", "limit", "offset", "orderby", "fuzzymatching", "emptyvaluematching", "multiplevaluematching", "accept"];
    private static readonly string[] s_instances = ["multipart/related; type=\"application/dicom\""];
    private static readonly string[] s_bulk = ["multipart/related; type=\"application/octet-stream\""];

    private static readonly string[] s_codestreams =
        ["multipart/related; type=\"image/jpeg\"", "multipart/related; type=\"image/jls\"", "multipart/related; type=\"image/jp2\"", "multipart/related; type=\"image/jphc\"", "multipart/related; type=\"image/dicom-rle\""];

    private static readonly string[] s_pictures = ["image/jpeg", "image/png", "image/gif", "image/jp2"];
    private static readonly string[] s_pictureParts = [.. s_pictures.Select(type => $"multipart/related; type=\"{type}\"")];
    private static readonly string[] s_documents = ["text/html", "text/plain", "text/xml", "application/pdf", "video/mp4", "video/mpeg2", "video/mpeg", "video/H265"];
    private static readonly string[] s_renderedQuery = ["viewport", "window", "quality", "annotation", "iccprofile", "presentationUID", "bits", "accept"];

    private static readonly string[] s_stored =
    [
        "multipart/related; type=\"application/dicom\"", "multipart/related; type=\"application/dicom+json\"", "multipart/related; type=\"application/dicom+xml\"",
        "application/dicom", Json, "application/dicom+xml",
    ];

    /// <summary>All, by path and method.</summary>
    public static IReadOnlyList<WebResource> All { get; } = [.. Searches().Concat(Stores()).Concat(Retrieves()).Concat(Others()).OrderBy(r => r.Path, StringComparer.Ordinal).ThenBy(r => r.Method, StringComparer.Ordinal)];

    /// <summary>That of a method and path; null when there is none.</summary>
    internal static WebResource? Find(string method, string path) => All.FirstOrDefault(r => r.Method == method && r.Path == path);

    private static IEnumerable<WebResource> Searches()
    {
        (string Path, string What)[] all =
        [
            ("/studies", "studies"), ("/series", "series of all studies"), ("/instances", "instances of all studies"), (Study + "/series", "series of a study"),
            (Study + "/instances", "instances of a study"), (Series + "/instances", "instances of a series"),
        ];
        foreach ((string path, string what) in all) yield return Get(path, "Search (QIDO-RS)", $"Search for {what}", [Json, "application/json", Xml, "text/csv"], s_searchQuery);
        yield return Get("/patients", "Extension of Search", "Search for patients", [Json, "application/json", Xml, "text/csv"], s_searchQuery);
    }

    private static IEnumerable<WebResource> Stores()
    {
        foreach (string path in (string[])["/studies", Study])
            yield return new WebResource("POST", path, "Store (STOW-RS)", path == Study ? "Store instances of this study" : "Store instances", [Json, "application/dicom+xml"], ["accept"], s_stored);
    }

    private static IEnumerable<WebResource> Retrieves()
    {
        foreach ((string path, string what) in ((string, string)[])[(Study, "a study"), (Series, "a series"), (Instance, "an instance")])
        {
            yield return Get(path, "Retrieve (WADO-RS)", $"Retrieve the instances of {what}", path == Instance ? [.. s_instances, "application/dicom"] : s_instances, ["accept"]);
            yield return Get(path + "/bulkdata", "Retrieve (WADO-RS)", $"Retrieve the bulk data of {what}", [.. s_bulk, .. s_codestreams], ["accept"]);
            yield return Get(path + "/pixeldata", "Retrieve (WADO-RS)", $"Retrieve the pixel data of {what}", path == Instance ? [.. s_bulk, .. s_codestreams, "application/octet-stream"] : [.. s_bulk, .. s_codestreams], ["accept"]);
            yield return Get(path + "/metadata", "Retrieve (WADO-RS)", $"Retrieve the metadata of {what}", [Json, "application/json", Xml], ["accept"]);
            yield return Get(path + "/rendered", "Retrieve (WADO-RS)", $"Retrieve {what} rendered", path == Instance ? [.. s_pictures, .. s_documents] : [.. s_pictureParts, .. s_pictures], s_renderedQuery);
            yield return Get(path + "/thumbnail", "Retrieve (WADO-RS)", $"Retrieve a thumbnail of {what}", s_pictures, ["viewport", "accept"]);
            yield return new WebResource("DELETE", path, "Extension", $"Delete {what}: found no more at once, taken back by its deletion until it is purged", ["application/json"], ["reason"], []);
        }
        yield return Get(Instance + "/frames/{frames}/rendered", "Retrieve (WADO-RS)", "Retrieve frames rendered", [.. s_pictures, .. s_pictureParts], s_renderedQuery);
        yield return Get(Instance + "/frames/{frames}/thumbnail", "Retrieve (WADO-RS)", "Retrieve a thumbnail of a frame", s_pictures, ["viewport", "accept"]);
        yield return Get(Study + "/skeleton", "Extension", "Series with counts, and the metadata of their first and middle instances", ["application/json"], ["accept"]);
        yield return Get(Study + "/tree", "Extension", "Every series and instance of a study", ["application/json"], ["accept"]);
        yield return Get("/wado", "Retrieve (WADO-URI)", "Retrieve one instance", ["application/dicom", .. s_pictures, .. s_documents],
            ["requestType", "studyUID", "seriesUID", "objectUID", "contentType", "transferSyntax", "frameNumber", "rows", "columns", "region", "windowCenter", "windowWidth", "imageQuality", "annotation", "presentationUID", "anonymize"]);
        yield return Get(Instance + "/frames/{frames}", "Retrieve (WADO-RS)", "Retrieve frames", [.. s_bulk, .. s_codestreams, "application/octet-stream"], ["accept"]);
        yield return Get(Instance + "/bulkdata/{**path}", "Retrieve (WADO-RS)", "Retrieve one bulk value", ["application/octet-stream"], ["accept"]);
    }

    private static IEnumerable<WebResource> Others()
    {
        yield return Get("/changefeed", "Extension", "What changed, by sequence number; waits, or streams as server-sent events", ["application/json", "text/event-stream"], ["since", "limit", "wait", "consumer", "accept"]);
        yield return new WebResource("PUT", "/changefeed/consumers/{name}", "Extension", "Make a named reader of the change feed, or move it", ["application/json"], ["since"], []);
        yield return new WebResource("DELETE", "/changefeed/consumers/{name}", "Extension", "Delete a named reader of the change feed", [], [], []);
        yield return Get("/deletions", "Extension", "What was rejected and can be restored", ["application/json"], []);
        yield return new WebResource("POST", "/deletions/{key}/restore", "Extension", "Restore what was rejected", ["application/json"], [], []);
        yield return Get("/openapi.json", "Retrieve Capabilities", "This service as an OpenAPI document", ["application/json"], []);
    }

    private static WebResource Get(string path, string transaction, string summary, IReadOnlyList<string> produces, IReadOnlyList<string> query) => new("GET", path, transaction, summary, produces, query, []);
}
