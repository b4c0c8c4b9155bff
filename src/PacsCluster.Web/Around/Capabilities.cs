using System.Text.Json;
using System.Xml;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using PacsCluster.Dicom;

namespace PacsCluster.Web;

/// <summary>The Retrieve Capabilities Transaction (PS3.18 8.9): what is mapped, told as WADL, as OpenAPI, and in the Allow header of every resource.</summary>
internal sealed class Capabilities(WebOptions options, ServiceRoot root)
{
    private const string Wadl = "application/vnd.sun.wadl+xml", WadlNamespace = "http://wadl.dev.java.net/2009/02";

    private static readonly Offer[] s_offers = [new(Wadl), new("application/json"), new("application/xml")];

    private IReadOnlyList<WebResource>? _mapped;

    /// <summary>Maps <c>/openapi.json</c>.</summary>
    public void Map(IEndpointRouteBuilder routes) => routes.MapMethods("/openapi.json", ["GET", "HEAD"], http => WriteOpenApiAsync(http, Mapped(routes.ServiceProvider)));

    /// <summary>Answers OPTIONS of any resource of the service; a preflight was answered before.</summary>
    public async Task AnswerOptionsAsync(HttpContext http)
    {
        IReadOnlyList<WebResource> mapped = Mapped(http.RequestServices);
        string path = http.Request.Path.Value![options.Path.Length..].TrimEnd('/');
        string[] methods = [.. mapped.Where(r => path.Length == 0 || Fits(r.Path, path)).Select(r => r.Method).Distinct()];
        if (methods.Length == 0)
        {
            await Problem.NotFound("There is no such resource.", $"OPTIONS {options.Path} tells what there is.").WriteAsync(http);
            return;
        }
        http.Response.Headers.Allow = string.Join(", ", methods.Append("OPTIONS").Concat(methods.Contains("GET") ? ["HEAD"] : Array.Empty<string>()).Order(StringComparer.Ordinal));
        http.Response.Headers.Vary = "Accept";
        Selection? selected = AcceptedTypes.Of(http.Request).Select(s_offers);
        if (selected?.Offer.Essence == "application/json") await WriteOpenApiAsync(http, mapped);
        else if (selected is null) http.Response.StatusCode = StatusCodes.Status406NotAcceptable;
        else await WriteWadlAsync(http, mapped, selected.Offer.Essence);
    }

    // The routes are known once the host runs, and never change then.
    private IReadOnlyList<WebResource> Mapped(IServiceProvider services) =>
        _mapped ??= WebResource.Mapped((IEnumerable<EndpointDataSource>?)services.GetService(typeof(IEnumerable<EndpointDataSource>)) ?? [(EndpointDataSource)services.GetService(typeof(EndpointDataSource))!], options.Path);

    private static bool Fits(string pattern, string path)
    {
        string[] parts = pattern.Split('/'), given = path.Split('/');
        bool takesRest = parts[^1].StartsWith("{**", StringComparison.Ordinal);
        if (takesRest ? given.Length < parts.Length : given.Length != parts.Length) return false;
        return parts.Zip(given).All(pair => pair.First.StartsWith('{') ? pair.Second.Length > 0 : pair.First == pair.Second);
    }

    private async Task WriteOpenApiAsync(HttpContext http, IReadOnlyList<WebResource> resources)
    {
        http.Response.ContentType = "application/json";
        await using var json = new Utf8JsonWriter(http.Response.BodyWriter, JsonModel.WriterOptions with { Indented = true });
        json.WriteStartObject();
        json.WriteString("openapi", "3.1.0");
        json.WriteStartObject("info");
        json.WriteString("title", "PacsCluster DICOMweb");
        json.WriteString("version", typeof(Capabilities).Assembly.GetName().Version!.ToString(3));
        json.WriteString("description", "DICOMweb (PS3.18) over one archive. Errors are problem documents (RFC 9457) with what to do next.");
        json.WriteEndObject();
        json.WriteStartArray("servers");
        json.WriteStartObject();
        json.WriteString("url", root.Url(http));
        json.WriteEndObject();
        json.WriteEndArray();
        json.WriteStartObject("paths");
        foreach (IGrouping<string, WebResource> path in resources.GroupBy(r => r.Path))
        {
            json.WriteStartObject(path.Key.Replace("{**", "{", StringComparison.Ordinal));
            foreach (WebResource resource in path) WriteOperation(json, resource);
            json.WriteEndObject();
        }
        json.WriteEndObject();
        WriteComponents(json);
        json.WriteEndObject();
    }

    private static void WriteOperation(Utf8JsonWriter json, WebResource resource)
    {
        json.WriteStartObject(resource.Method.ToLowerInvariant());
        json.WriteString("summary", resource.Summary);
        json.WriteStartArray("tags");
        json.WriteStringValue(resource.Transaction);
        json.WriteEndArray();
        json.WriteStartArray("parameters");
        foreach (string name in resource.PathParameters) WriteParameter(json, name, "path", isRequired: true);
        foreach (string name in resource.Query) WriteParameter(json, name.Trim('{', '}'), "query", isRequired: false);
        json.WriteEndArray();
        if (resource.Consumes.Count > 0)
        {
            json.WriteStartObject("requestBody");
            WriteContent(json, resource.Consumes);
            json.WriteEndObject();
        }
        json.WriteStartObject("responses");
        json.WriteStartObject("2XX");
        json.WriteString("description", "Success");
        if (resource.Produces.Count > 0) WriteContent(json, resource.Produces);
        json.WriteEndObject();
        json.WriteStartObject("default");
        json.WriteString("$ref", "#/components/responses/Problem");
        json.WriteEndObject();
        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static void WriteParameter(Utf8JsonWriter json, string name, string place, bool isRequired)
    {
        json.WriteStartObject();
        json.WriteString("name", name);
        json.WriteString("in", place);
        if (isRequired) json.WriteBoolean("required", true);
        if (name == "attributeID") json.WriteString("description", "Any attribute, by keyword (PatientName), tag (00100010) or path (00400275.00400009), with a value to match");
        json.WriteStartObject("schema");
        json.WriteString("type", name is "limit" or "offset" ? "integer" : "string");
        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static void WriteContent(Utf8JsonWriter json, IReadOnlyList<string> types)
    {
        json.WriteStartObject("content");
        foreach (string type in types)
        {
            json.WriteStartObject(type);
            json.WriteEndObject();
        }
        json.WriteEndObject();
    }

    private static void WriteComponents(Utf8JsonWriter json)
    {
        json.WriteStartObject("components");
        json.WriteStartObject("responses");
        json.WriteStartObject("Problem");
        json.WriteString("description", "What is wrong and what to do next");
        json.WriteStartObject("content");
        json.WriteStartObject(Problem.MediaType);
        json.WriteStartObject("schema");
        json.WriteString("type", "object");
        json.WriteStartObject("properties");
        foreach (string name in (string[])["title", "status", "detail", "next", "instance"])
        {
            json.WriteStartObject(name);
            json.WriteString("type", name == "status" ? "integer" : "string");
            json.WriteEndObject();
        }
        for (int level = 0; level < 7; level++) json.WriteEndObject();
    }

    private async Task WriteWadlAsync(HttpContext http, IReadOnlyList<WebResource> resources, string type)
    {
        using var document = new MemoryStream();
        using (XmlWriter xml = XmlWriter.Create(document, new XmlWriterSettings { Indent = true }))
        {
            xml.WriteStartElement("application", WadlNamespace);
            xml.WriteStartElement("resources", WadlNamespace);
            xml.WriteAttributeString("base", root.Url(http));
            foreach (IGrouping<string, WebResource> path in resources.GroupBy(r => r.Path))
            {
                xml.WriteStartElement("resource", WadlNamespace);
                xml.WriteAttributeString("path", path.Key.TrimStart('/').Replace("{**", "{", StringComparison.Ordinal));
                foreach (string name in path.First().PathParameters) WriteParam(xml, name, "template");
                foreach (WebResource resource in path) WriteMethod(xml, resource);
                xml.WriteEndElement();
            }
            xml.WriteEndElement();
            xml.WriteEndElement();
        }
        http.Response.ContentType = type;
        await http.Response.BodyWriter.WriteAsync(document.GetBuffer().AsMemory(0, (int)document.Length), http.RequestAborted);
    }

    private static void WriteMethod(XmlWriter xml, WebResource resource)
    {
        xml.WriteStartElement("method", WadlNamespace);
        xml.WriteAttributeString("name", resource.Method);
        xml.WriteElementString("doc", WadlNamespace, resource.Summary);
        xml.WriteStartElement("request", WadlNamespace);
        foreach (string name in resource.Query) WriteParam(xml, name.Trim('{', '}'), "query");
        foreach (string type in resource.Consumes) WriteRepresentation(xml, type);
        xml.WriteEndElement();
        xml.WriteStartElement("response", WadlNamespace);
        foreach (string type in resource.Produces) WriteRepresentation(xml, type);
        xml.WriteEndElement();
        xml.WriteEndElement();
    }

    private static void WriteParam(XmlWriter xml, string name, string style)
    {
        xml.WriteStartElement("param", WadlNamespace);
        xml.WriteAttributeString("name", name);
        xml.WriteAttributeString("style", style);
        xml.WriteEndElement();
    }

    private static void WriteRepresentation(XmlWriter xml, string type)
    {
        xml.WriteStartElement("representation", WadlNamespace);
        xml.WriteAttributeString("mediaType", type);
        xml.WriteEndElement();
    }
}
