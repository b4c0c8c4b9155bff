using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using Microsoft.AspNetCore.WebUtilities;

namespace PacsCluster.Web.Tests;

/// <summary>A part as ASP.NET's own reader of multipart bodies sees it.</summary>
internal sealed record Part(string ContentType, string? Location, byte[] Bytes)
{
    public MediaType MediaType => Web.MediaType.TryParse(ContentType, out MediaType? type) ? type! : throw new InvalidDataException(ContentType);
}

/// <summary>Requests and what came back.</summary>
internal static class Answers
{
    public static async Task<HttpResponseMessage> GetAsync(this WebServer server, string path, string? accept = null, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        if (accept is not null) request.Headers.TryAddWithoutValidation("Accept", accept);
        foreach ((string name, string value) in headers) request.Headers.TryAddWithoutValidation(name, value);
        return await server.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, TestContext.Current.CancellationToken);
    }

    /// <summary>Status 200 and the whole body.</summary>
    public static async Task<byte[]> GetBytesAsync(this WebServer server, string path, string? accept = null)
    {
        using HttpResponseMessage response = await server.GetAsync(path, accept);
        byte[] body = await response.Content.ReadAsByteArrayAsync(TestContext.Current.CancellationToken);
        Assert.True(response.StatusCode == HttpStatusCode.OK, $"{response.StatusCode}: {System.Text.Encoding.UTF8.GetString(body.AsSpan(0, Math.Min(500, body.Length)))}");
        return body;
    }

    /// <summary>Status 200 and the parts of multipart/related.</summary>
    public static async Task<List<Part>> GetPartsAsync(this WebServer server, string path, string? accept = null)
    {
        using HttpResponseMessage response = await server.GetAsync(path, accept);
        if (response.StatusCode != HttpStatusCode.OK) Assert.Fail($"{response.StatusCode}: {await response.Content.ReadAsStringAsync()}");
        MediaTypeHeaderValue type = response.Content.Headers.ContentType!;
        Assert.Equal("multipart/related", type.MediaType);
        string boundary = type.Parameters.Single(p => p.Name == "boundary").Value!.Trim('"');
        var reader = new MultipartReader(boundary, await response.Content.ReadAsStreamAsync(TestContext.Current.CancellationToken)) { BodyLengthLimit = null };
        List<Part> parts = [];
        while (await reader.ReadNextSectionAsync(TestContext.Current.CancellationToken) is { } section)
        {
            using var bytes = new MemoryStream();
            await section.Body.CopyToAsync(bytes, TestContext.Current.CancellationToken);
            parts.Add(new Part(section.ContentType!, section.Headers!.TryGetValue("Content-Location", out var location) ? location.ToString() : null, bytes.ToArray()));
        }
        return parts;
    }

    /// <summary>A problem document of this status; gives what it says.</summary>
    public static async Task<string> ProblemAsync(this WebServer server, HttpStatusCode status, string path, string? accept = null)
    {
        using HttpResponseMessage response = await server.GetAsync(path, accept);
        string body = await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        Assert.True(response.StatusCode == status, $"{response.StatusCode}: {body}");
        Assert.Equal("application/problem+json", response.Content.Headers.ContentType?.MediaType);
        using JsonDocument problem = JsonDocument.Parse(body);
        return problem.RootElement.GetProperty("detail").GetString() + " " + problem.RootElement.GetProperty("next").GetString();
    }
}
