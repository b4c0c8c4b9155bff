using System.Collections;
using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;
using PacsCluster.Dicom;

namespace PacsCluster.Web.Tests.Around;

/// <summary>What OPTIONS and the OpenAPI document say of query parameters is what the code reads.</summary>
public sealed class QueryParameterTests
{
    [Fact]
    public async Task C_92_every_described_query_parameter_is_read_and_every_one_that_is_read_is_described()
    {
        var reads = new ConcurrentDictionary<string, ConcurrentDictionary<string, bool>>();
        await using WebServer server = await WebServer.StartAsync(before: app => app.Use((http, next) =>
        {
            http.Request.Query = new WatchedQuery(http.Request.Query, reads.GetOrAdd(http.Request.Headers["X-Resource"].ToString(), _ => new()));
            return next(http);
        }));
        DataSet image = Made.Image(Made.NewUid(), Made.NewUid());
        await server.StoreAsync(Made.File(image));
        Dictionary<string, string> path = new()
        {
            ["{study}"] = image.GetString(Tags.StudyInstanceUID)!, ["{series}"] = image.GetString(Tags.SeriesInstanceUID)!, ["{instance}"] = image.GetString(Tags.SOPInstanceUID)!,
            ["{frames}"] = "1", ["{**path}"] = "7FE00010", ["{name}"] = "ris", ["{key}"] = "1",
        };
        // One value of each that is right, so that no reading ends at a wrong one.
        Dictionary<string, string> right = new()
        {
            ["{attributeID}"] = "PatientID=T1", ["includefield"] = "all", ["limit"] = "1", ["offset"] = "0", ["orderby"] = "PatientID", ["fuzzymatching"] = "false", ["emptyvaluematching"] = "false",
            ["multiplevaluematching"] = "false", ["viewport"] = "4,4", ["window"] = "40,400", ["quality"] = "50", ["annotation"] = "patient", ["iccprofile"] = "no", ["bits"] = "8",
            ["requestType"] = "WADO", ["studyUID"] = path["{study}"], ["seriesUID"] = path["{series}"], ["objectUID"] = path["{instance}"], ["contentType"] = "image/jpeg", ["frameNumber"] = "1", ["rows"] = "4",
            ["columns"] = "4", ["windowCenter"] = "40", ["windowWidth"] = "400", ["imageQuality"] = "50", ["anonymize"] = "no", ["since"] = "0", ["wait"] = "0",
        };
        // What stands for another kind of answer, and changes which parameters are looked at.
        Dictionary<string, string[]> also = new() { ["GET /wado"] = ["contentType=application/dicom&transferSyntax=*"], ["GET /changefeed"] = ["consumer=ris"] };
        foreach (WebResource resource in WebResources.All.OrderBy(r => r.Method is "DELETE" or "POST"))
        {
            string name = $"{resource.Method} {resource.Path}";
            string url = path.Aggregate(server.Root + resource.Path, (at, pair) => at.Replace(pair.Key, pair.Value, StringComparison.Ordinal));
            string all = string.Join('&', resource.Query.Where(right.ContainsKey).Select(q => q.StartsWith('{') ? right[q] : $"{q}={Uri.EscapeDataString(right[q])}"));
            string required = resource.Path == "/wado" ? string.Join('&', new[] { "requestType", "studyUID", "seriesUID", "objectUID" }.Select(q => $"{q}={right[q]}")) + "&" : "";
            foreach (string query in also.GetValueOrDefault(name, []).Select(q => required + q).Prepend(all))
            {
                using var request = new HttpRequestMessage(new HttpMethod(resource.Method), $"{url}?{query}");
                request.Headers.Add("X-Resource", name);
                if (resource.Consumes.Count > 0) request.Content = new ByteArrayContent(Made.File(Made.Image(path["{study}"], path["{series}"]))) { Headers = { ContentType = new("application/dicom") } };
                using HttpResponseMessage response = await server.Client.SendAsync(request, TestContext.Current.CancellationToken);
                // Deleted before its turn: the one thing that is not there any more.
                Assert.True(response.IsSuccessStatusCode || (response.StatusCode == HttpStatusCode.NotFound && resource.Method is "DELETE" or "POST"),
                    $"{name}?{query}: {response.StatusCode} {await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken)}");
            }
            string[] read = [.. reads[name].Keys.Order(StringComparer.Ordinal)];
            string[] described = [.. resource.Query.Order(StringComparer.Ordinal)];
            // A search goes through all that it was given: each of them is known or a key, which the strict search beneath tells apart.
            if (read.Contains("*")) read = [.. described];
            Assert.Equal((name, string.Join(' ', described)), (name, string.Join(' ', read)));
        }

        await using WebServer strict = await WebServer.StartAsync(new WebOptions { Search = new SearchOptions { Strict = true } });
        foreach (WebResource search in WebResources.All.Where(r => r.Transaction.Contains("Search", StringComparison.Ordinal)))
        {
            string url = path.Aggregate(strict.Root + search.Path, (at, pair) => at.Replace(pair.Key, pair.Value, StringComparison.Ordinal));
            Assert.Contains("{attributeID}", search.Query);
            foreach (string parameter in search.Query.Where(q => q is not ("{attributeID}" or "accept")))
            {
                using HttpResponseMessage response = await strict.Client.GetAsync($"{url}?{parameter}={right[parameter]}", TestContext.Current.CancellationToken);
                Assert.True(response.StatusCode == HttpStatusCode.NoContent, $"{search.Path}?{parameter}: {response.StatusCode} {await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken)}");
            }
        }
    }

    /// <summary>Notes what is asked of it; "*" for who goes through all.</summary>
    private sealed class WatchedQuery(IQueryCollection inner, ConcurrentDictionary<string, bool> reads) : IQueryCollection
    {
        public StringValues this[string key]
        {
            get
            {
                reads[key] = true;
                return inner[key];
            }
        }

        public int Count => inner.Count;

        public ICollection<string> Keys => inner.Keys;

        public bool ContainsKey(string key)
        {
            reads[key] = true;
            return inner.ContainsKey(key);
        }

        public bool TryGetValue(string key, [NotNullWhen(true)] out StringValues value)
        {
            reads[key] = true;
            return inner.TryGetValue(key, out value);
        }

        public IEnumerator<KeyValuePair<string, StringValues>> GetEnumerator()
        {
            reads["*"] = true;
            return inner.GetEnumerator();
        }

        IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
    }
}
