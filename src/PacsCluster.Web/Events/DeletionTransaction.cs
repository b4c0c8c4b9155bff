using System.Globalization;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using PacsCluster.Catalog;
using PacsCluster.Engine;

namespace PacsCluster.Web;

/// <summary>Deletion of studies, series and instances (C-88): what is deleted is found no more at once and can be taken back until it is purged. An extension of ours: not in PS3.18.</summary>
internal sealed class DeletionTransaction(Deletion deletion, ICatalog catalog, ServiceRoot root)
{
    /// <summary>Answers <c>DELETE</c> of a study, a series or an instance.</summary>
    public async Task DeleteAsync(HttpContext http)
    {
        string reason = http.Request.Query["reason"].ToString();
        if (reason.Length > 1024) throw new ProblemException(Problem.BadRequest("The reason is longer than 1024 characters.", "Say it shorter."));
        RejectionRow? row;
        try
        {
            row = await deletion.RejectAsync(new DeletionRequest
            {
                StudyInstanceUid = (string)http.GetRouteValue("study")!, SeriesInstanceUid = (string?)http.GetRouteValue("series"), SopInstanceUid = (string?)http.GetRouteValue("instance"),
                By = Who(http), Reason = reason,
            }, http.RequestAborted);
        }
        catch (VersionConflictException)
        {
            throw new ProblemException(new Problem(StatusCodes.Status503ServiceUnavailable, "Unavailable", "The study is being stored into without a pause.", "Try again when the sender is done.") { RetryAfterSeconds = 5 });
        }
        if (row is null) throw new ProblemException(Locator.NotHere(http));
        await AnswerAsync(http, json => Write(json, row, root.Url(http)));
    }

    /// <summary>Answers <c>GET /deletions</c>: those that can be taken back, oldest first.</summary>
    public Task ListAsync(HttpContext http) => AnswerAsync(http, async json =>
    {
        json.WriteStartArray();
        await foreach (RejectionRow row in catalog.ListRejectionsAsync(0, http.RequestAborted)) Write(json, row, root.Url(http));
        json.WriteEndArray();
    });

    /// <summary>Answers <c>POST /deletions/{key}/restore</c>.</summary>
    public async Task RestoreAsync(HttpContext http)
    {
        RestoreReport? report = long.TryParse((string)http.GetRouteValue("key")!, NumberStyles.None, CultureInfo.InvariantCulture, out long key)
            ? await deletion.RestoreAsync(key, Who(http), http.RequestAborted)
            : null;
        if (report is null) throw new ProblemException(Problem.NotFound("There is no such deletion: it was taken back, or purged.", "GET deletions for those that can be taken back."));
        await AnswerAsync(http, json =>
        {
            json.WriteStartObject();
            json.WriteNumber("restored", report.Restored);
            json.WriteNumber("dropped", report.Dropped);
            json.WriteNumber("left", report.Left);
            json.WriteEndObject();
        });
    }

    // Where nobody is asked who they are, the address is all there is to say.
    private static string Who(HttpContext http) => http.User.Identity?.Name ?? http.Connection.RemoteIpAddress?.ToString() ?? "";

    private static void Write(Utf8JsonWriter json, RejectionRow row, string service)
    {
        json.WriteStartObject();
        json.WriteNumber("deletion", row.Key);
        json.WriteString("StudyInstanceUID", row.StudyInstanceUid);
        if (row.SeriesInstanceUid.Length > 0) json.WriteString("SeriesInstanceUID", row.SeriesInstanceUid);
        if (row.SopInstanceUid.Length > 0) json.WriteString("SOPInstanceUID", row.SopInstanceUid);
        json.WriteNumber("instances", row.InstanceCount);
        json.WriteString("by", row.By);
        json.WriteString("reason", row.Reason);
        json.WriteString("at", row.RejectedAt.ToUniversalTime());
        json.WriteString("purgedFrom", row.PurgeAt.ToUniversalTime());
        json.WriteString("restore", $"{service}/deletions/{row.Key}/restore");
        json.WriteEndObject();
    }

    private static Task AnswerAsync(HttpContext http, Action<Utf8JsonWriter> write) => AnswerAsync(http, json =>
    {
        write(json);
        return Task.CompletedTask;
    });

    private static async Task AnswerAsync(HttpContext http, Func<Utf8JsonWriter, Task> write)
    {
        http.Response.ContentType = "application/json";
        http.Response.Headers.CacheControl = "no-store";
        await using var json = new Utf8JsonWriter(http.Response.BodyWriter);
        await write(json);
        await json.FlushAsync(http.RequestAborted);
    }
}
