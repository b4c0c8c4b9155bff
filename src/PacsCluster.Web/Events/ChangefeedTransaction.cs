using System.Globalization;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using PacsCluster.Catalog;
using PacsCluster.Engine;

namespace PacsCluster.Web;

/// <summary>The change feed: what happened in the archive, by sequence number, as pages, as long polls (<c>wait</c>) or as Server-Sent Events. An extension of ours: not in PS3.18.</summary>
internal sealed class ChangefeedTransaction(ChangeFeed feed)
{
    private static readonly Offer s_json = new("application/json"), s_events = new("text/event-stream");

    // A proxy must see something now and then, or takes the connection for dead.
    private static readonly TimeSpan s_heartbeat = TimeSpan.FromSeconds(15), s_waitMax = TimeSpan.FromSeconds(60);

    /// <summary>Answers <c>GET /changefeed</c>.</summary>
    public async Task HandleAsync(HttpContext http)
    {
        int limit = (int)Number(http, "limit", 100, 1, ChangeFeed.LimitMax);
        TimeSpan wait = TimeSpan.FromSeconds(Number(http, "wait", 0, 0, (long)s_waitMax.TotalSeconds));
        Offer offer = Negotiation.Select(http, [s_json, s_events]).Offer;
        http.Response.ContentType = offer.ContentType;
        http.Response.Headers.CacheControl = "no-store";
        if (HttpMethods.IsHead(http.Request.Method)) return;
        long? since = await SinceAsync(http);
        if (offer == s_events)
        {
            await FollowAsync(http, since, limit);
            return;
        }
        ChangePage page = await feed.WaitAsync(since ?? (await feed.ReadAsync(0, 1, http.RequestAborted)).Feed.First - 1, limit, wait, http.RequestAborted);
        ThrowIfTrimmed(page);
        await using var json = new Utf8JsonWriter(http.Response.BodyWriter);
        json.WriteStartObject();
        json.WriteNumber("first", page.Feed.First);
        json.WriteNumber("last", page.Feed.Last);
        json.WriteNumber("next", page.Changes.Count > 0 ? page.Changes[^1].Sequence : since ?? page.Feed.First - 1);
        json.WriteStartArray("changes");
        foreach (OutboxRow change in page.Changes) Write(json, change);
        json.WriteEndArray();
        json.WriteEndObject();
        await json.FlushAsync(http.RequestAborted);
    }

    /// <summary><c>PUT /changefeed/consumers/{name}</c>: a reader that the archive remembers. Body none; with <c>since</c> it is done with all up to there.</summary>
    public async Task PutConsumerAsync(HttpContext http)
    {
        string name = (string)http.GetRouteValue("name")!;
        long? since = http.Request.Query.ContainsKey("since") ? Number(http, "since", 0, 0, long.MaxValue) : null;
        try
        {
            ConsumerRow consumer = await feed.OpenConsumerAsync(name, since, http.RequestAborted);
            if (since is { } done && done > consumer.Sequence)
            {
                await feed.AcknowledgeAsync(name, done, http.RequestAborted);
                consumer = consumer with { Sequence = done };
            }
            await WriteAsync(http, json =>
            {
                json.WriteString("name", consumer.Name);
                json.WriteNumber("since", consumer.Sequence);
            });
        }
        catch (ArgumentException e)
        {
            throw new ProblemException(Problem.BadRequest(e.Message, "Use a name of 1 to 64 letters, digits and .-_, and a sequence number that the feed has given."));
        }
    }

    /// <summary><c>DELETE /changefeed/consumers/{name}</c>.</summary>
    public async Task DeleteConsumerAsync(HttpContext http)
    {
        await feed.ForgetConsumerAsync((string)http.GetRouteValue("name")!, http.RequestAborted);
        http.Response.StatusCode = StatusCodes.Status204NoContent;
    }

    private async Task FollowAsync(HttpContext http, long? since, int limit)
    {
        CancellationToken ct = http.RequestAborted;
        long after = since ?? (await feed.ReadAsync(0, 1, ct)).Feed.First - 1;
        ChangePage page = await feed.ReadAsync(after, limit, ct);
        ThrowIfTrimmed(page);
        // Proxies of the nginx kind hold answers back otherwise.
        http.Response.Headers["X-Accel-Buffering"] = "no";
        await http.Response.StartAsync(ct);
        while (true)
        {
            var text = new StringBuilder();
            foreach (OutboxRow change in page.Changes) text.Append(CultureInfo.InvariantCulture, $"id: {change.Sequence}\nevent: {change.Kind}\ndata: {Text(change)}\n\n");
            if (page.Changes.Count == 0) text.Append(":\n\n");
            await http.Response.WriteAsync(text.ToString(), ct);
            await http.Response.BodyWriter.FlushAsync(ct);
            if (page.Changes.Count > 0) after = page.Changes[^1].Sequence;
            page = await feed.WaitAsync(after, limit, s_heartbeat, ct);
            // The client comes back with its last id, and is told then.
            if (page.IsTrimmed) return;
        }
    }

    /// <summary>Where the client is: its last event, its parameter, or the place of a named consumer; null for the start of what is there.</summary>
    private async Task<long?> SinceAsync(HttpContext http)
    {
        if (long.TryParse(http.Request.Headers["Last-Event-ID"], NumberStyles.None, CultureInfo.InvariantCulture, out long last)) return last;
        if (http.Request.Query.ContainsKey("since")) return Number(http, "since", 0, 0, long.MaxValue);
        if (http.Request.Query["consumer"].ToString() is not { Length: > 0 } name) return null;
        try
        {
            return (await feed.OpenConsumerAsync(name, null, http.RequestAborted)).Sequence;
        }
        catch (ArgumentException e)
        {
            throw new ProblemException(Problem.BadRequest(e.Message, "Use a name of 1 to 64 letters, digits and .-_."));
        }
    }

    private static void ThrowIfTrimmed(ChangePage page)
    {
        if (page.IsTrimmed)
            throw new ProblemException(new Problem(StatusCodes.Status410Gone, "Gone", $"Entries behind this place are gone: the feed begins at {page.Feed.First}.",
                $"Look at the whole archive again, then go on with since={page.Feed.Last}. A named consumer keeps the feed from being trimmed before it."));
    }

    private static long Number(HttpContext http, string name, long byDefault, long least, long most)
    {
        string text = http.Request.Query[name].ToString();
        if (text.Length == 0) return byDefault;
        if (long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long value) && value >= least && value <= most) return value;
        throw new ProblemException(Problem.BadRequest($"{name} is not a number from {least} to {most}.", $"Leave it out for {byDefault}."));
    }

    private static string Text(OutboxRow change)
    {
        using var bytes = new MemoryStream();
        using (var json = new Utf8JsonWriter(bytes)) Write(json, change);
        return Encoding.UTF8.GetString(bytes.GetBuffer(), 0, (int)bytes.Length);
    }

    private static void Write(Utf8JsonWriter json, OutboxRow change)
    {
        json.WriteStartObject();
        json.WriteNumber("sequence", change.Sequence);
        json.WriteString("kind", change.Kind);
        json.WriteString("at", change.CreatedAt.ToUniversalTime());
        json.WriteString("StudyInstanceUID", change.StudyInstanceUid);
        if (change.SeriesInstanceUid.Length > 0) json.WriteString("SeriesInstanceUID", change.SeriesInstanceUid);
        if (change.SopInstanceUid.Length > 0) json.WriteString("SOPInstanceUID", change.SopInstanceUid);
        if (change.Payload.Length > 0)
        {
            json.WritePropertyName("more");
            json.WriteRawValue(change.Payload);
        }
        json.WriteEndObject();
    }

    private static async Task WriteAsync(HttpContext http, Action<Utf8JsonWriter> write)
    {
        http.Response.ContentType = s_json.ContentType;
        http.Response.Headers.CacheControl = "no-store";
        await using var json = new Utf8JsonWriter(http.Response.BodyWriter);
        json.WriteStartObject();
        write(json);
        json.WriteEndObject();
        await json.FlushAsync(http.RequestAborted);
    }
}
