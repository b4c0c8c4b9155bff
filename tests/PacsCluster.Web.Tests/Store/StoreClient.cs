using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;

namespace PacsCluster.Web.Tests.Store;

/// <summary>Store requests written byte by byte, so that a test decides what is on the line.</summary>
internal static class StoreClient
{
    public const string Boundary = "a-boundary.0123";

    /// <summary>The parts as RFC 2046 has them.</summary>
    public static byte[] Body(IEnumerable<(string Headers, byte[] Content)> parts, string newLine = "\r\n", string preamble = "", string epilogue = "")
    {
        using var body = new MemoryStream();
        void Write(string text) => body.Write(Encoding.UTF8.GetBytes(text));
        Write(preamble);
        bool first = preamble.Length == 0;
        foreach ((string headers, byte[] content) in parts)
        {
            Write($"{(first ? "" : newLine)}--{Boundary}{newLine}{string.Concat(headers.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(h => h + newLine))}{newLine}");
            body.Write(content);
            first = false;
        }
        Write($"{newLine}--{Boundary}--{newLine}{epilogue}");
        return body.ToArray();
    }

    public static async Task<StoreAnswer> PostAsync(WebServer server, string resource, byte[] body, string contentType = $"multipart/related; type=\"application/dicom\"; boundary={Boundary}", string? accept = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, resource) { Content = new ByteArrayContent(body) };
        request.Content.Headers.TryAddWithoutValidation("Content-Type", contentType);
        if (accept is not null) request.Headers.TryAddWithoutValidation("Accept", accept);
        using HttpResponseMessage response = await server.Client.SendAsync(request, TestContext.Current.CancellationToken);
        return new StoreAnswer(response.StatusCode, response.Content.Headers.ContentType, await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
    }

    public static Task<StoreAnswer> PostAsync(WebServer server, params byte[][] files) => PostAsync(server, "studies", Body(files.Select(f => ("Content-Type: application/dicom", f))));
}

/// <summary>What the server said.</summary>
internal sealed record StoreAnswer(HttpStatusCode Status, MediaTypeHeaderValue? Type, string Text)
{
    public JsonElement Json => JsonDocument.Parse(Text).RootElement;

    /// <summary>The items of a sequence; none when it is absent.</summary>
    public JsonElement[] Items(string sequence) => Json.TryGetProperty(Synthetic.Hex(sequence), out JsonElement element) ? [.. element.GetProperty("Value").EnumerateArray()] : [];

    public string Instances(string sequence) => string.Join(' ', Items(sequence).Select(i => First(i, "ReferencedSOPInstanceUID")));

    public static string First(JsonElement item, string keyword) => item.GetProperty(Synthetic.Hex(keyword)).GetProperty("Value")[0].ToString();
}
