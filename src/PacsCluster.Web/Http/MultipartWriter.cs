using System.IO.Pipelines;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http;

namespace PacsCluster.Web;

/// <summary>Writes <c>multipart/related</c> (RFC 2387, RFC 2046 5.1.1; C-72): random boundary, CRLF, <c>type</c> in quotes. Content goes through the
/// response's own buffers; nothing is held.</summary>
internal sealed class MultipartWriter
{
    private readonly PipeWriter _body;
    private readonly string _boundary;
    private bool _hasParts;

    private MultipartWriter(PipeWriter body, string boundary) => (_body, _boundary) = (body, boundary);

    /// <summary>A boundary that no content has: 128 random bits.</summary>
    public static string NewBoundary() => RandomNumberGenerator.GetHexString(32, lowercase: true);

    /// <summary>Sets the Content-Type and gives the writer. Nothing is sent yet.</summary>
    /// <param name="response">The response.</param>
    /// <param name="partType">Media type of the parts (of the root part, when they differ), without parameters.</param>
    public static MultipartWriter Start(HttpResponse response, string partType)
    {
        string boundary = NewBoundary();
        response.ContentType = $"multipart/related; type=\"{partType}\"; boundary={boundary}";
        return new MultipartWriter(response.BodyWriter, boundary);
    }

    /// <summary>Bytes of a part around its content, so that the whole length can be known in front.</summary>
    /// <param name="contentType">Its Content-Type.</param>
    /// <param name="location">Its Content-Location, or null.</param>
    /// <param name="isFirst">No line end stands before it.</param>
    public long Overhead(string contentType, string? location, bool isFirst) => Encoding.UTF8.GetByteCount(Head(contentType, location, isFirst));

    /// <summary>Bytes behind the last part.</summary>
    public long EndLength => 2 + 2 + _boundary.Length + 2 + 2;

    /// <summary>Begins a part; its content follows through the response's body writer.</summary>
    public void StartPart(string contentType, string? location)
    {
        Encoding.UTF8.GetBytes(Head(contentType, location, !_hasParts), _body);
        _hasParts = true;
    }

    /// <summary>Writes all parts of an answer and its end.</summary>
    public async Task WriteAllAsync(HttpContext http, IEnumerable<BulkPart> parts, CancellationToken ct)
    {
        int unflushed = 0;
        foreach (BulkPart part in parts) unflushed = await WriteAsync(http, part, unflushed, ct);
        End();
        await _body.FlushAsync(ct);
    }

    /// <summary>To be called before a part is opened or made: what fails then breaks off an answer that has parts already. That the first part could be had is known before anything is sent.</summary>
    public Task BeforeNextAsync(HttpContext http, CancellationToken ct) => _hasParts && !http.Response.HasStarted ? http.Response.StartAsync(ct) : Task.CompletedTask;

    /// <summary>Writes one part.</summary>
    /// <returns>Bytes not flushed yet.</returns>
    public async ValueTask<int> WriteAsync(HttpContext http, BulkPart part, int unflushed, CancellationToken ct)
    {
        await BeforeNextAsync(http, ct);
        await using Stream bytes = await part.Content.OpenAsync(0, part.Content.Length, ct);
        StartPart(part.ContentType, part.Location);
        return await BodyCopy.CopyAsync(bytes, part.Content.Length, _body, unflushed, ct);
    }

    /// <summary>Ends the message. One without parts has a boundary all the same, since a body needs one to be read.</summary>
    public void End() => Encoding.UTF8.GetBytes(_hasParts ? $"\r\n--{_boundary}--\r\n" : $"--{_boundary}--\r\n", _body);

    private string Head(string contentType, string? location, bool isFirst) =>
        $"{(isFirst ? "" : "\r\n")}--{_boundary}\r\nContent-Type: {contentType}\r\n{(location is null ? "" : $"Content-Location: {location}\r\n")}\r\n";
}
