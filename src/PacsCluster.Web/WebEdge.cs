using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using PacsCluster.Catalog;
using PacsCluster.Engine;
using PacsCluster.Imaging;

namespace PacsCluster.Web;

/// <summary>The edge of the HTTP pipeline: what a handler threw, and what no handler took, becomes a problem document.</summary>
internal sealed class WebEdge(RequestDelegate next, Capabilities capabilities, ILoggerFactory loggers)
{
    private readonly ILogger _logger = loggers.CreateLogger("PacsCluster.Web");

    /// <summary>Runs the request.</summary>
    public async Task InvokeAsync(HttpContext http)
    {
        try
        {
            await (HttpMethods.IsOptions(http.Request.Method) ? capabilities.AnswerOptionsAsync(http) : next(http));
        }
        catch (OperationCanceledException) when (http.RequestAborted.IsCancellationRequested)
        {
            // The client went away: nobody is there to answer.
            return;
        }
        catch (Exception fault)
        {
            Problem problem = For(http, fault);
            // What was begun cannot be taken back: cut it off, so that no client takes it for whole.
            if (http.Response.HasStarted)
            {
                Log.BrokenOff(_logger, http.Request.Method, http.Request.Path, fault);
                http.Abort();
                return;
            }
            http.Response.Clear();
            await problem.WriteAsync(http);
            return;
        }
        if (!http.Response.HasStarted && http.Response.ContentType is null && NoHandler(http) is { } unknown) await unknown.WriteAsync(http);
    }

    private Problem For(HttpContext http, Exception fault)
    {
        switch (fault)
        {
            case ProblemException known:
                return known.Problem;
            case BadHttpRequestException bad:
                return new Problem(bad.StatusCode, "Bad request", bad.Message, "Correct the request and send it again.");
            case CatalogUnavailableException:
                Log.Unavailable(_logger, http.Request.Method, http.Request.Path, fault);
                return new Problem(503, "Unavailable", "The catalog cannot be read now.", "Try again later; if it lasts, the operator finds the reason at /health/ready and in the log.") { RetryAfterSeconds = 5 };
            case ImagingException pixels:
                return CannotConvert(pixels);
            case InstanceUnavailableException { InnerException: ImagingException pixels }:
                return CannotConvert(pixels);
            case InstanceUnavailableException { IsMissing: false }:
                Log.Unavailable(_logger, http.Request.Method, http.Request.Path, fault);
                return new Problem(503, "Unavailable", "The stored bytes cannot be read now.", "Try again later; if it lasts, the operator finds the reason at /health/ready and in the log.") { RetryAfterSeconds = 5 };
            default:
                Log.Faulted(_logger, http.Request.Method, http.Request.Path, http.TraceIdentifier, fault);
                return new Problem(500, "Internal error", $"The server failed; its log names the reason under {http.TraceIdentifier}.", "Tell the operator; trying again will hardly help.");
        }
    }

    private static Problem CannotConvert(ImagingException fault)
    {
        const string next = "Accept it as stored, with transfer-syntax=*.";
        return fault.Error switch
        {
            ImagingError.TooLarge => new Problem(413, "Too large", fault.Message + ".", next),
            ImagingError.TimedOut or ImagingError.LibraryMissing => new Problem(503, "Unavailable", fault.Message + ".", next),
            _ => new Problem(406, "Not acceptable", $"The pixels cannot be converted to what the request accepts: {fault.Message}.", next),
        };
    }

    private static Problem? NoHandler(HttpContext http) => http.Response.StatusCode switch
    {
        404 => Problem.NotFound("There is no such resource.", "GET the path of the service with OPTIONS, or see its /openapi.json, for what there is."),
        405 => new Problem(405, "Method not allowed", $"This resource does not take {http.Request.Method}.", $"Use one of: {http.Response.Headers.Allow}."),
        _ => null,
    };
}
