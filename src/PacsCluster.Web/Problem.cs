using System.Text.Json;
using Microsoft.AspNetCore.Http;
using PacsCluster.Dicom;

namespace PacsCluster.Web;

/// <summary>An error as a problem document (RFC 9457): what is wrong, and what to do next. Without any value of a data set.</summary>
/// <param name="Status">HTTP status, 400 to 599.</param>
/// <param name="Title">The kind of error in a few words, the same each time.</param>
/// <param name="Detail">What is wrong with this request.</param>
/// <param name="Next">What the client, or its operator, can do about it.</param>
internal sealed record Problem(int Status, string Title, string Detail, string Next)
{
    /// <summary>Media type of the document.</summary>
    public const string MediaType = "application/problem+json";

    /// <summary>Seconds for Retry-After; null for none.</summary>
    public int? RetryAfterSeconds { get; init; }

    /// <summary>The request is wrong.</summary>
    public static Problem BadRequest(string detail, string next) => new(StatusCodes.Status400BadRequest, "Bad request", detail, next);

    /// <summary>There is no such thing.</summary>
    public static Problem NotFound(string detail, string next) => new(StatusCodes.Status404NotFound, "Not found", detail, next);

    /// <summary>Answers the request with it; nothing may have been sent before.</summary>
    public async Task WriteAsync(HttpContext http)
    {
        http.Response.StatusCode = Status;
        http.Response.ContentType = MediaType;
        http.Response.Headers.CacheControl = "no-store";
        if (RetryAfterSeconds is { } seconds) http.Response.Headers.RetryAfter = seconds.ToString(System.Globalization.CultureInfo.InvariantCulture);
        if (HttpMethods.IsHead(http.Request.Method)) return;
        using var json = new Utf8JsonWriter(http.Response.BodyWriter, JsonModel.WriterOptions);
        json.WriteStartObject();
        json.WriteString("title", Title);
        json.WriteNumber("status", Status);
        json.WriteString("detail", Detail);
        json.WriteString("next", Next);
        json.WriteString("instance", http.Request.Path.Value);
        json.WriteEndObject();
        await json.FlushAsync(http.RequestAborted);
    }
}

/// <summary>Ends a request with a problem from where a return value cannot reach the handler: in the midst of reading its body.</summary>
internal sealed class ProblemException(Problem problem) : Exception(problem.Detail)
{
    /// <summary>What to answer.</summary>
    public Problem Problem { get; } = problem;
}
