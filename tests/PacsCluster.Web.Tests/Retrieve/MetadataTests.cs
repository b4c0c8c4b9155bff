using System.IO.Compression;
using System.Net;
using System.Security.Cryptography;
using System.Text.Json;
using PacsCluster.Dicom;
using PacsCluster.Testing;

namespace PacsCluster.Web.Tests;

public sealed class MetadataTests
{
    [Fact]
    public async Task C_80_metadata_in_gzip_and_plain_with_etag_and_304_and_the_same_when_packed()
    {
        await using WebServer server = await WebServer.StartAsync();
        string study = Made.NewUid(), series = Made.NewUid();
        for (int number = 1; number <= 5; number++) await server.StoreAsync(Made.File(Made.Image(study, series, number)));
        string url = $"studies/{study}/metadata";
        string[] plain = await PlainAsync(server, url);
        Assert.Equal(5, plain.Length);
        Assert.Equal(plain, await PlainAsync(server, $"studies/{study}/series/{series}/metadata"));
        (string etag, string[] unpacked) = await GzipAsync(server, url);
        Assert.Equal(plain, unpacked);
        using (HttpResponseMessage same = await server.GetAsync(url, null, ("Accept-Encoding", "gzip"), ("If-None-Match", etag))) Assert.Equal(HttpStatusCode.NotModified, same.StatusCode);
        using (HttpResponseMessage other = await server.GetAsync(url, null, ("If-None-Match", etag))) Assert.Equal(HttpStatusCode.OK, other.StatusCode);

        await server.Archive.Completion.CompleteAsync(study, TestContext.Current.CancellationToken);
        (string packedTag, string[] packed) = await GzipAsync(server, url);
        Assert.EndsWith("-gz\"", packedTag, StringComparison.Ordinal);
        Assert.NotEqual(etag, packedTag);
        Assert.Equal(plain, packed);
        Assert.Equal(plain, await PlainAsync(server, url));

        await server.StoreAsync(Made.File(Made.Image(study, series, 6)));
        (string newTag, string[] more) = await GzipAsync(server, url);
        Assert.NotEqual(packedTag, newTag);
        Assert.Equal(6, more.Length);
    }

    [Fact]
    public async Task C_103_a_Warning_says_where_text_could_not_be_decoded()
    {
        await using WebServer server = await WebServer.StartAsync();
        string good = Made.NewUid(), bad = Made.NewUid(), series = Made.NewUid();
        await server.StoreAsync(Made.File(Made.Image(good, Made.NewUid())));
        DataSet broken = Made.Image(bad, series);
        broken.Set(Tags.SpecificCharacterSet, "ISO_IR 192");
        broken.SetRaw(Tags.StudyDescription, VR.LO, new byte[] { (byte)'a', 0xFF });
        await server.StoreAsync(Made.File(broken));
        foreach (bool isPacked in new[] { false, true })
        {
            if (isPacked) await server.Archive.Completion.CompleteAsync(bad, TestContext.Current.CancellationToken);
            foreach (string coding in new[] { "identity", "gzip", "br" })
            {
                foreach (string url in new[] { $"studies/{bad}/metadata", $"studies/{bad}/series/{series}/metadata", $"studies/{bad}/series/{series}/instances/{broken.GetString(Tags.SOPInstanceUID)}/metadata", $"studies?StudyInstanceUID={bad}" })
                {
                    using HttpResponseMessage response = await server.GetAsync(url, null, ("Accept-Encoding", coding));
                    Assert.Equal(HttpStatusCode.OK, response.StatusCode);
                    Assert.Contains("cannot be decoded", Assert.Single(response.Headers.Warning).Text, StringComparison.Ordinal);
                }
                foreach (string url in new[] { $"studies/{good}/metadata", $"studies?StudyInstanceUID={good}" })
                {
                    using HttpResponseMessage response = await server.GetAsync(url, null, ("Accept-Encoding", coding));
                    Assert.Empty(response.Headers.Warning);
                }
            }
        }
    }

    /// <summary>curl is the judge of what browsers are sent.</summary>
    [Fact]
    public async Task C_80_metadata_in_brotli_for_who_likes_it_better_and_each_coding_has_its_own_etag()
    {
        await using WebServer server = await WebServer.StartAsync();
        string study = Made.NewUid(), series = Made.NewUid();
        for (int number = 1; number <= 3; number++) await server.StoreAsync(Made.File(Made.Image(study, series, number)));
        await server.StoreAsync(Made.File(Made.Image(study, Made.NewUid())));
        HashSet<string> tags = [];
        foreach (bool isPacked in new[] { false, true })
        {
            if (isPacked) await server.Archive.Completion.CompleteAsync(study, TestContext.Current.CancellationToken);
            string[] plain = await PlainAsync(server, $"studies/{study}/metadata");
            Assert.Equal(4, plain.Length);
            foreach (string accept in new[] { "br", "gzip;q=0.5, br;q=0.9", "gzip;q=0, *", "identity;q=0.5, br" })
            {
                using HttpResponseMessage response = await server.GetAsync($"studies/{study}/metadata", null, ("Accept-Encoding", accept));
                Assert.Equal("br", response.Content.Headers.ContentEncoding.Single());
                Assert.Contains("Accept-Encoding", response.Headers.Vary);
                tags.Add(response.Headers.ETag!.ToString());
                await using var brotli = new BrotliStream(await response.Content.ReadAsStreamAsync(TestContext.Current.CancellationToken), CompressionMode.Decompress);
                using var bytes = new MemoryStream();
                await brotli.CopyToAsync(bytes, TestContext.Current.CancellationToken);
                Assert.Equal(plain, Objects(bytes.ToArray()));
                using HttpResponseMessage same = await server.GetAsync($"studies/{study}/metadata", null, ("Accept-Encoding", accept), ("If-None-Match", response.Headers.ETag!.ToString()));
                Assert.Equal(HttpStatusCode.NotModified, same.StatusCode);
            }
            tags.Add((await GzipAsync(server, $"studies/{study}/metadata")).ETag);
            ToolResult curl = await Tool.RunAsync("curl", ["-sS", "--fail", "--compressed", "-H", "Accept-Encoding: br", $"{server.Root}/studies/{study}/metadata"]);
            Assert.Equal(plain, Objects(System.Text.Encoding.UTF8.GetBytes(curl.Output)));
        }
        Assert.Equal(4, tags.Count);
        using HttpResponseMessage none = await server.GetAsync($"studies/{study}/metadata", null, ("Accept-Encoding", "deflate, identity;q=0"));
        Assert.Equal(HttpStatusCode.NotAcceptable, none.StatusCode);
        Assert.Contains("gzip, br", await none.Content.ReadAsStringAsync(TestContext.Current.CancellationToken), StringComparison.Ordinal);
    }

    [Fact]
    public async Task C_80_metadata_is_all_but_group_2_says_how_it_is_stored_and_caches_keep_it_for_its_reader_alone()
    {
        await using WebServer server = await WebServer.StartAsync();
        DataSet image = Made.Image(Made.NewUid(), Made.NewUid());
        await server.StoreAsync(Made.Encapsulated(image, "1.2.840.10008.1.2.4.90", [[0xFF, 0x4F, 1, 2]]));
        using HttpResponseMessage response = await server.GetAsync(Made.UrlOf(image) + "/metadata");
        using JsonDocument metadata = JsonDocument.Parse(await response.Content.ReadAsByteArrayAsync(TestContext.Current.CancellationToken));
        string[] keys = [.. metadata.RootElement[0].EnumerateObject().Select(p => p.Name)];
        Assert.Equal([.. image.Select(e => e.Tag.ToHex()).Concat(["00083002", "7FE00010"]).Order(StringComparer.Ordinal)], keys.Except(["00080005"]));
        Assert.Equal("1.2.840.10008.1.2.4.90", metadata.RootElement[0].GetProperty("00083002").GetProperty("Value")[0].GetString());
        Assert.EndsWith("/bulkdata/7FE00010", metadata.RootElement[0].GetProperty("7FE00010").GetProperty("BulkDataURI").GetString(), StringComparison.Ordinal);
        Assert.False(response.Headers.ETag!.IsWeak);
        Assert.True(response.Headers.CacheControl!.Private && response.Headers.CacheControl.NoTransform);
        Assert.Equal(["Accept", "Accept-Encoding", "Authorization"], response.Headers.Vary);
        DateTimeOffset changed = response.Content.Headers.LastModified!.Value;
        using HttpResponseMessage same = await server.GetAsync(Made.UrlOf(image) + "/metadata", null, ("If-Modified-Since", changed.ToString("R")));
        Assert.Equal(HttpStatusCode.NotModified, same.StatusCode);
    }

    [Fact]
    public async Task C_80_no_bulk_value_is_dropped_and_every_uri_leads_to_it()
    {
        await using WebServer server = await WebServer.StartAsync();
        DataSet image = Made.Image(Made.NewUid(), Made.NewUid());
        Dictionary<string, byte[]> values = new()
        {
            ["00282000"] = RandomNumberGenerator.GetBytes(2000), ["00091002"] = RandomNumberGenerator.GetBytes(70_000), ["00420011"] = RandomNumberGenerator.GetBytes(1_000_000),
            ["54000110"] = RandomNumberGenerator.GetBytes(66_000),
        };
        image.Set(new Tag(0x00090010), "SOMEBODY", VR.LO);
        image.SetRaw(new Tag(0x00282000), VR.OB, values["00282000"]);
        image.SetRaw(new Tag(0x00091002), VR.OB, values["00091002"]);
        image.SetRaw(new Tag(0x00420011), VR.OB, values["00420011"]);
        image.SetRaw(new Tag(0x54000110), VR.OW, values["54000110"]);
        DataSet item = image.NewItem();
        byte[] inItem = RandomNumberGenerator.GetBytes(3000);
        item.SetRaw(new Tag(0x00281201), VR.OW, inItem);
        image.SetItems(new Tag(0x00081115), [image.NewItem(), item]);
        values["00081115/1/00281201"] = inItem;
        string note = string.Concat(Enumerable.Repeat("Grüße ", 1000));
        image.Set(Tags.SpecificCharacterSet, "ISO_IR 100");
        image.Set(new Tag(0x0040A160), note.TrimEnd(), VR.UT);
        image.TryGet(Tags.PixelData, out DataElement pixels);
        values["7FE00010"] = pixels.RawValue.ToArray();
        values["0040A160"] = System.Text.Encoding.UTF8.GetBytes(note.TrimEnd());
        await server.StoreAsync(Made.File(image));
        using JsonDocument metadata = JsonDocument.Parse(await server.GetBytesAsync(Made.UrlOf(image) + "/metadata"));
        Dictionary<string, string> uris = [];
        Find(metadata.RootElement[0], "", uris);
        Assert.Equal(values.Keys.Order(), uris.Keys.Order());
        foreach ((string path, string uri) in uris)
        {
            Assert.Equal(values[path], await server.GetBytesAsync(new Uri(server.Host, uri).ToString(), "application/octet-stream"));
            Assert.Equal(values[path], Assert.Single(await server.GetPartsAsync(new Uri(server.Host, uri).ToString(), "multipart/related; type=\"application/octet-stream\"")).Bytes);
        }
        List<Part> all = await server.GetPartsAsync(Made.UrlOf(image) + "/bulkdata");
        Assert.Equal(uris.Keys.Select(p => $"{server.Root}/{Made.UrlOf(image)}/bulkdata/{p}").Order(), all.Select(p => p.Location!).Order());
        foreach (Part part in all) Assert.Equal(values[part.Location![(part.Location!.IndexOf("/bulkdata/", StringComparison.Ordinal) + 10)..]], part.Bytes);
        using HttpResponseMessage range = await server.GetAsync(Made.UrlOf(image) + "/bulkdata/00420011", null, ("Range", "bytes=500000-500009"));
        Assert.Equal(HttpStatusCode.PartialContent, range.StatusCode);
        Assert.Equal(values["00420011"][500_000..500_010], await range.Content.ReadAsByteArrayAsync(TestContext.Current.CancellationToken));
        foreach (string none in new[] { "00081115", "00081115/0/00281201", "00081115/5/00281201", "00100010/0/00100010", "nonsense", "00420012" })
            await server.ProblemAsync(HttpStatusCode.NotFound, Made.UrlOf(image) + "/bulkdata/" + none);
    }

    [Fact]
    public async Task C_95_metadata_comes_as_one_XML_document_an_instance_with_the_values_and_URIs_of_the_JSON()
    {
        await using WebServer server = await WebServer.StartAsync();
        string study = Made.NewUid(), series = Made.NewUid();
        DataSet[] images = [Made.Image(study, series, 1), Made.Image(study, series, 2), Made.Image(study, Made.NewUid(), 1)];
        foreach (DataSet image in images)
        {
            DataSet item = image.NewItem();
            item.Set(Tags.ReferencedSOPInstanceUID, "1.2.3");
            item.SetRaw(new Tag(0x00281201), VR.OW, RandomNumberGenerator.GetBytes(3000));
            image.SetItems(new Tag(0x00081140), [item, image.NewItem()]);
            image.Set(new Tag(0x00090010), "SOMEBODY", VR.LO);
            image.SetRaw(new Tag(0x00091002), VR.OB, RandomNumberGenerator.GetBytes(2000));
            image.Set(Tags.SpecificCharacterSet, "ISO_IR 100");
            image.Set(Tags.PatientName, "Müller^Jörg");
            await server.StoreAsync(Made.File(image));
        }
        const string xml = "multipart/related; type=\"application/dicom+xml\"";
        foreach ((string path, int count) in new[] { ($"studies/{study}", 3), ($"studies/{study}/series/{series}", 2), (Made.UrlOf(images[2]), 1) })
        {
            string[] json = await PlainAsync(server, path + "/metadata");
            List<Part> parts = await server.GetPartsAsync(path + "/metadata", xml);
            Assert.Equal(count, parts.Count);
            foreach ((string expected, Part part) in json.Zip(parts))
            {
                Assert.Equal("application/dicom+xml", part.ContentType);
                (DataSet fromJson, Dictionary<string, string> jsonUris) = Read(options => JsonModel.Read(System.Text.Encoding.UTF8.GetBytes(expected), options));
                (DataSet fromXml, Dictionary<string, string> xmlUris) = Read(options => NativeModel.Read(new MemoryStream(part.Bytes), options));
                Assert.Equal(fromJson.ToArray(), fromXml.ToArray());
                Assert.Equal(3, xmlUris.Count);
                // XML names a private element without its block, so only the URI says which one it is.
                Assert.Equal(jsonUris.Values.Order(StringComparer.Ordinal), xmlUris.Values.Order(StringComparer.Ordinal));
                Assert.Equal($"{server.Root}/studies/{study}/series/{fromXml.GetString(Tags.SeriesInstanceUID)}/instances/{fromXml.GetString(Tags.SOPInstanceUID)}/metadata", part.Location);
            }
        }
        using HttpResponseMessage first = await server.GetAsync($"studies/{study}/metadata", xml, ("Accept-Encoding", "gzip"));
        Assert.Empty(first.Content.Headers.ContentEncoding);
        using HttpResponseMessage plain = await server.GetAsync($"studies/{study}/metadata");
        Assert.NotEqual(plain.Headers.ETag, first.Headers.ETag);
        using HttpResponseMessage same = await server.GetAsync($"studies/{study}/metadata", xml, ("If-None-Match", first.Headers.ETag!.ToString()));
        Assert.Equal(HttpStatusCode.NotModified, same.StatusCode);
        await server.ProblemAsync(HttpStatusCode.NotFound, "studies/1.2.3/metadata", xml);

        static (DataSet DataSet, Dictionary<string, string> Uris) Read(Func<JsonReadOptions, DataSet> read)
        {
            Dictionary<string, string> uris = [];
            return (read(new JsonReadOptions
            {
                ReadBulk = bulk =>
                {
                    uris[bulk.Path] = bulk.Uri;
                    return null;
                },
            }), uris);
        }
    }

    [Fact]
    public async Task C_82_documents_have_their_own_type_and_no_browser_runs_them()
    {
        await using WebServer server = await WebServer.StartAsync();
        DataSet document = Made.Image(Made.NewUid(), Made.NewUid());
        document.Remove(Tags.PixelData);
        byte[] pdf = RandomNumberGenerator.GetBytes(200_000);
        document.Set(new Tag(0x00420012), "application/pdf", VR.LO);
        document.SetRaw(new Tag(0x00420011), VR.OB, pdf);
        await server.StoreAsync(Made.File(document));
        using HttpResponseMessage response = await server.GetAsync(Made.UrlOf(document) + "/bulkdata/00420011");
        Assert.Equal("application/pdf", response.Content.Headers.ContentType!.ToString());
        Assert.Equal("nosniff", response.Headers.GetValues("X-Content-Type-Options").Single());
        Assert.Equal("sandbox", response.Headers.GetValues("Content-Security-Policy").Single());
        Assert.Equal(pdf, await response.Content.ReadAsByteArrayAsync(TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task C_82_pixel_data_of_an_instance_a_series_and_a_study()
    {
        await using WebServer server = await WebServer.StartAsync();
        string study = Made.NewUid(), series = Made.NewUid();
        Dictionary<string, byte[]> pixels = [];
        for (int number = 1; number <= 3; number++)
        {
            DataSet image = Made.Image(study, number == 3 ? Made.NewUid() : series, number);
            image.TryGet(Tags.PixelData, out DataElement element);
            pixels.Add($"{server.Root}/{Made.UrlOf(image)}/bulkdata/7FE00010", element.RawValue.ToArray());
            await server.StoreAsync(Made.File(image));
        }
        foreach ((string path, int count) in new[] { ($"studies/{study}", 3), ($"studies/{study}/series/{series}", 2) })
        {
            List<Part> parts = await server.GetPartsAsync(path + "/pixeldata");
            Assert.Equal(count, parts.Count);
            foreach (Part part in parts) Assert.Equal(pixels[part.Location!], part.Bytes);
        }
        string one = pixels.Keys.First();
        Assert.Equal(pixels[one], await server.GetBytesAsync(one.Replace("bulkdata/7FE00010", "pixeldata", StringComparison.Ordinal), "application/octet-stream"));
    }

    [Fact]
    public async Task Skeleton_and_tree_give_a_viewer_what_it_opens_first()
    {
        await using WebServer server = await WebServer.StartAsync();
        string study = Made.NewUid();
        Dictionary<string, List<string>> series = [];
        foreach (int count in new[] { 5, 1, 2 })
        {
            string uid = Made.NewUid();
            series[uid] = [];
            for (int number = 1; number <= count; number++)
            {
                DataSet image = Made.Image(study, uid, number);
                series[uid].Add(image.GetString(Tags.SOPInstanceUID)!);
                await server.StoreAsync(Made.File(image));
            }
        }
        using JsonDocument skeleton = JsonDocument.Parse(await server.GetBytesAsync($"studies/{study}/skeleton"));
        Assert.Equal(8, skeleton.RootElement.GetProperty("NumberOfStudyRelatedInstances").GetInt32());
        JsonElement[] found = [.. skeleton.RootElement.GetProperty("series").EnumerateArray()];
        Assert.Equal(series.Keys, found.Select(s => s.GetProperty("SeriesInstanceUID").GetString()!));
        foreach (JsonElement one in found)
        {
            List<string> instances = series[one.GetProperty("SeriesInstanceUID").GetString()!];
            Assert.Equal(instances.Count, one.GetProperty("NumberOfSeriesRelatedInstances").GetInt32());
            Assert.Equal(instances[0], Uid(one.GetProperty("first")));
            if (instances.Count > 1) Assert.Equal(instances[instances.Count / 2], Uid(one.GetProperty("middle")));
            else Assert.False(one.TryGetProperty("middle", out _));
            // The whole metadata, as the metadata resource gives it.
            using JsonDocument metadata = JsonDocument.Parse(await server.GetBytesAsync($"{one.GetProperty("RetrieveURL").GetString()}/instances/{instances[0]}/metadata"));
            Assert.Equal(metadata.RootElement[0].GetRawText(), one.GetProperty("first").GetRawText());
        }
        using JsonDocument tree = JsonDocument.Parse(await server.GetBytesAsync($"studies/{study}/tree"));
        Assert.Equal(series.Values.SelectMany(s => s), tree.RootElement.GetProperty("series").EnumerateArray().SelectMany(s => s.GetProperty("instances").EnumerateArray()).Select(i => i.GetProperty("SOPInstanceUID").GetString()!));
        await server.ProblemAsync(HttpStatusCode.NotFound, "studies/1.2.3/skeleton");
        await server.ProblemAsync(HttpStatusCode.NotFound, "studies/1.2.3/metadata");
        await server.ProblemAsync(HttpStatusCode.NotAcceptable, $"studies/{study}/metadata", "text/html");

        static string Uid(JsonElement metadata) => metadata.GetProperty("00080018").GetProperty("Value")[0].GetString()!;
    }

    private static async Task<string[]> PlainAsync(WebServer server, string url)
    {
        using HttpResponseMessage response = await server.GetAsync(url, "application/dicom+json", ("Accept-Encoding", "identity"));
        Assert.Equal("application/dicom+json", response.Content.Headers.ContentType!.ToString());
        Assert.Empty(response.Content.Headers.ContentEncoding);
        return Objects(await response.Content.ReadAsByteArrayAsync(TestContext.Current.CancellationToken));
    }

    private static async Task<(string ETag, string[] Objects)> GzipAsync(WebServer server, string url)
    {
        using HttpResponseMessage response = await server.GetAsync(url, null, ("Accept-Encoding", "br, gzip"));
        Assert.Equal("gzip", response.Content.Headers.ContentEncoding.Single());
        await using var gzip = new GZipStream(await response.Content.ReadAsStreamAsync(TestContext.Current.CancellationToken), CompressionMode.Decompress);
        using var bytes = new MemoryStream();
        await gzip.CopyToAsync(bytes, TestContext.Current.CancellationToken);
        Assert.True(response.Content.Headers.LastModified > DateTimeOffset.UtcNow.AddMinutes(-5));
        Assert.Contains("Accept-Encoding", response.Headers.Vary);
        return (response.Headers.ETag!.ToString(), Objects(bytes.ToArray()));
    }

    private static string[] Objects(byte[] json)
    {
        using JsonDocument document = JsonDocument.Parse(json);
        return [.. document.RootElement.EnumerateArray().Select(e => e.GetRawText())];
    }

    private static void Find(JsonElement dataSet, string prefix, Dictionary<string, string> uris)
    {
        foreach (JsonProperty attribute in dataSet.EnumerateObject())
        {
            if (attribute.Value.TryGetProperty("BulkDataURI", out JsonElement uri)) uris[prefix + attribute.Name] = uri.GetString()!;
            if (attribute.Value.GetProperty("vr").GetString() != "SQ" || !attribute.Value.TryGetProperty("Value", out JsonElement items)) continue;
            for (int i = 0; i < items.GetArrayLength(); i++) Find(items[i], $"{prefix}{attribute.Name}/{i}/", uris);
        }
    }
}
