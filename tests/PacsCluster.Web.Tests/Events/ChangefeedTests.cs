using System.Net;
using System.Text.Json;
using PacsCluster.Dicom;

namespace PacsCluster.Web.Tests;

public sealed class ChangefeedTests
{
    [Fact]
    public async Task Changes_come_by_sequence_in_pages_and_go_on_where_they_ended()
    {
        await using WebServer server = await WebServer.StartAsync();
        List<string> stored = await StoreAsync(server, 3);
        using JsonDocument first = await ReadAsync(server, "changefeed?limit=2"), second = await ReadAsync(server, $"changefeed?since={first.RootElement.GetProperty("next")}");
        JsonElement[] changes = [.. first.RootElement.GetProperty("changes").EnumerateArray(), .. second.RootElement.GetProperty("changes").EnumerateArray()];
        Assert.Equal(Enumerable.Range(1, changes.Length), changes.Select(c => c.GetProperty("sequence").GetInt32()));
        Assert.Equal(stored, changes.Where(c => c.GetProperty("kind").GetString() == "instance-stored").Select(c => c.GetProperty("SOPInstanceUID").GetString()!));
        foreach (string wrong in new[] { "limit=0", "limit=x", "since=-1", "wait=61", "consumer=a/b" }) await server.ProblemAsync(HttpStatusCode.BadRequest, "changefeed?" + wrong);
    }

    [Fact]
    public async Task A_long_poll_waits_for_the_next_change()
    {
        await using WebServer server = await WebServer.StartAsync();
        await StoreAsync(server, 1);
        using JsonDocument before = await ReadAsync(server, "changefeed");
        Task<JsonDocument> waiting = ReadAsync(server, $"changefeed?wait=60&since={before.RootElement.GetProperty("next")}");
        string stored = Assert.Single(await StoreAsync(server, 1));
        using JsonDocument after = await waiting.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
        Assert.Equal(stored, after.RootElement.GetProperty("changes")[0].GetProperty("SOPInstanceUID").GetString());
    }

    [Fact]
    public async Task Server_sent_events_go_on_behind_the_last_event_id()
    {
        await using WebServer server = await WebServer.StartAsync();
        List<string> stored = await StoreAsync(server, 2);
        using HttpResponseMessage response = await server.GetAsync("changefeed", "text/event-stream", ("Last-Event-ID", "1"));
        Assert.Equal("text/event-stream", response.Content.Headers.ContentType!.ToString());
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(TestContext.Current.CancellationToken));
        Assert.Equal(("2", stored[1]), await NextAsync(reader));
        stored.AddRange(await StoreAsync(server, 1));
        Assert.Equal(("3", stored[2]), await NextAsync(reader));

        static async Task<(string Id, string Uid)> NextAsync(StreamReader reader)
        {
            string id = "";
            while (await reader.ReadLineAsync(TestContext.Current.CancellationToken) is { } line)
            {
                if (line.StartsWith("id: ", StringComparison.Ordinal)) id = line[4..];
                if (!line.StartsWith("data: ", StringComparison.Ordinal)) continue;
                using JsonDocument change = JsonDocument.Parse(line[6..]);
                return (id, change.RootElement.GetProperty("SOPInstanceUID").GetString()!);
            }
            throw new EndOfStreamException();
        }
    }

    [Fact]
    public async Task A_named_consumer_is_remembered()
    {
        await using WebServer server = await WebServer.StartAsync();
        await StoreAsync(server, 2);
        using (HttpResponseMessage put = await server.Client.PutAsync("changefeed/consumers/ris?since=0", null, TestContext.Current.CancellationToken)) Assert.Equal(HttpStatusCode.OK, put.StatusCode);
        using (JsonDocument all = await ReadAsync(server, "changefeed?consumer=ris")) Assert.Equal(1, all.RootElement.GetProperty("changes")[0].GetProperty("sequence").GetInt32());
        using (HttpResponseMessage put = await server.Client.PutAsync("changefeed/consumers/ris?since=1", null, TestContext.Current.CancellationToken)) Assert.Equal(HttpStatusCode.OK, put.StatusCode);
        using (JsonDocument rest = await ReadAsync(server, "changefeed?consumer=ris")) Assert.Equal(2, rest.RootElement.GetProperty("changes")[0].GetProperty("sequence").GetInt32());
        using (HttpResponseMessage put = await server.Client.PutAsync("changefeed/consumers/ris?since=99999", null, TestContext.Current.CancellationToken)) Assert.Equal(HttpStatusCode.BadRequest, put.StatusCode);
        using (HttpResponseMessage gone = await server.Client.DeleteAsync("changefeed/consumers/ris", TestContext.Current.CancellationToken)) Assert.Equal(HttpStatusCode.NoContent, gone.StatusCode);
    }

    [Fact]
    public async Task C_88_what_is_deleted_is_gone_at_once_and_comes_back()
    {
        await using WebServer server = await WebServer.StartAsync();
        string study = Made.NewUid(), series = Made.NewUid();
        DataSet one = Made.Image(study, series, 1), two = Made.Image(study, series, 2), other = Made.Image(study, Made.NewUid(), 1);
        foreach (DataSet image in new[] { one, two, other }) await server.StoreAsync(Made.File(image));
        await DeleteAsync(Made.UrlOf(one) + "?reason=wrong%20patient", 1);
        await server.ProblemAsync(HttpStatusCode.NotFound, Made.UrlOf(one));
        await DeleteAsync($"studies/{study}/series/{series}", 1);
        JsonElement whole = await DeleteAsync($"studies/{study}", 1);
        await server.ProblemAsync(HttpStatusCode.NotFound, $"studies/{study}/metadata");
        using (HttpResponseMessage again = await server.Client.DeleteAsync($"studies/{study}", TestContext.Current.CancellationToken)) Assert.Equal(HttpStatusCode.NotFound, again.StatusCode);

        using JsonDocument list = await ReadAsync(server, "deletions");
        Assert.Equal("wrong patient", list.RootElement[0].GetProperty("reason").GetString());
        Assert.Equal([Made.UrlOf(one).Split('/')[^1], "", ""], list.RootElement.EnumerateArray().Select(d => d.TryGetProperty("SOPInstanceUID", out JsonElement uid) ? uid.GetString() : ""));
        foreach (JsonElement deletion in list.RootElement.EnumerateArray())
        {
            using HttpResponseMessage restored = await server.Client.PostAsync(deletion.GetProperty("restore").GetString(), null, TestContext.Current.CancellationToken);
            using JsonDocument report = JsonDocument.Parse(await restored.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
            Assert.Equal(1, report.RootElement.GetProperty("restored").GetInt32());
        }
        Assert.Equal(3, (await server.GetPartsAsync($"studies/{study}")).Count);
        using HttpResponseMessage none = await server.Client.PostAsync(whole.GetProperty("restore").GetString(), null, TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.NotFound, none.StatusCode);

        async Task<JsonElement> DeleteAsync(string url, int instances)
        {
            using HttpResponseMessage response = await server.Client.DeleteAsync(url, TestContext.Current.CancellationToken);
            string body = await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
            Assert.True(response.IsSuccessStatusCode, body);
            using JsonDocument document = JsonDocument.Parse(body);
            Assert.Equal(instances, document.RootElement.GetProperty("instances").GetInt32());
            return document.RootElement.Clone();
        }
    }

    private static async Task<List<string>> StoreAsync(WebServer server, int count)
    {
        List<string> stored = [];
        string study = Made.NewUid(), series = Made.NewUid();
        for (int i = 0; i < count; i++)
        {
            DataSet image = Made.Image(study, series, i + 1);
            await server.StoreAsync(Made.File(image));
            stored.Add(image.GetString(Tags.SOPInstanceUID)!);
        }
        return stored;
    }

    private static async Task<JsonDocument> ReadAsync(WebServer server, string url) => JsonDocument.Parse(await server.GetBytesAsync(url));
}
