using System.Net;
using System.Net.Http.Headers;
using PacsCluster.Dicom;
using PacsCluster.Testing;

namespace PacsCluster.Web.Tests;

/// <summary>Rendered resources and thumbnails (PS3.18 8.3.5, 10.4.1.1.3, 10.4.1.1.4; C-83 to C-85).</summary>
public sealed class RenderedTests
{
    private const string Ct = "pydicom/src/pydicom/data/test_files/CT_small.dcm";
    private const string Color = "dcm4che/dcm4che-test-data/src/main/resources/US-RGB-8-esopecho";
    private const string MultiFrame = "dcm4che/dcm4che-test-data/src/main/resources/NM-MONO2-16-13x-heart";
    private const string Report = "highdicom/data/test_files/sr_document.dcm";

    [Fact]
    public async Task C_83_an_instance_is_a_jpeg_unless_another_type_is_accepted()
    {
        await using WebServer server = await WebServer.StartAsync();
        string instance = await StoreAsync(server, Ct);
        Assert.Equal(("image/jpeg", 128, 128), await PictureAsync(server, instance + "/rendered", null));
        Assert.Equal(("image/jpeg", 128, 128), await PictureAsync(server, instance + "/rendered", "image/*"));
        Assert.Equal(("image/png", 128, 128), await PictureAsync(server, instance + "/rendered", "image/jpeg;q=0.5, image/png"));
        Assert.Equal(("image/gif", 128, 128), await PictureAsync(server, instance + "/rendered?accept=image/gif", "*/*"));
        using HttpResponseMessage refused = await GetAsync(server, instance + "/rendered", "video/mp4");
        Assert.Equal(HttpStatusCode.NotAcceptable, refused.StatusCode);
        Assert.Contains("image/png", await refused.Content.ReadAsStringAsync(TestContext.Current.CancellationToken), StringComparison.Ordinal);
    }

    [Fact]
    public async Task C_83_viewport_window_quality_annotation_and_profile_change_the_picture()
    {
        await using WebServer server = await WebServer.StartAsync();
        string ct = await StoreAsync(server, Ct), color = await StoreAsync(server, Color);
        Assert.Equal(("image/png", 64, 64), await PictureAsync(server, ct + "/rendered?viewport=64,100", "image/png"));
        Assert.Equal(("image/png", 40, 20), await PictureAsync(server, ct + "/rendered?viewport=40,40,10,10,80,40", "image/png"));
        byte[] plain = await BytesAsync(server, ct + "/rendered", "image/png");
        foreach (string query in new[] { "window=40,400", "window=40,400,sigmoid", "annotation=patient", "annotation=technique", "bits=16", "viewport=128,128,,,-128," })
            Assert.NotEqual(plain, await BytesAsync(server, ct + "/rendered?" + query, "image/png"));
        Assert.NotEqual(await BytesAsync(server, ct + "/rendered?annotation=patient", "image/png"), await BytesAsync(server, ct + "/rendered?annotation=patient,technique", "image/png"));
        Assert.True((await BytesAsync(server, ct + "/rendered?quality=10", "image/jpeg")).Length < (await BytesAsync(server, ct + "/rendered?quality=95", "image/jpeg")).Length);
        Assert.True((await BytesAsync(server, color + "/rendered", "image/png")).AsSpan().IndexOf("iCCP"u8) < 0);
        Assert.True((await BytesAsync(server, color + "/rendered?iccprofile=adobergb", "image/png")).AsSpan().IndexOf("iCCP"u8) > 0);
    }

    [Theory]
    [InlineData("viewport=0,10")]
    [InlineData("viewport=10")]
    [InlineData("viewport=10,10,-1,0,5,5")]
    [InlineData("viewport=a,b")]
    [InlineData("window=1")]
    [InlineData("window=1,0")]
    [InlineData("window=1,2,cubic")]
    [InlineData("quality=0")]
    [InlineData("quality=101")]
    [InlineData("annotation=everything")]
    [InlineData("iccprofile=cmyk")]
    [InlineData("bits=12")]
    public async Task C_83_a_parameter_that_is_wrong_is_400_and_says_how_to_write_it(string query)
    {
        await using WebServer server = await WebServer.StartAsync();
        string instance = await StoreAsync(server, Ct);
        using HttpResponseMessage response = await GetAsync(server, $"{instance}/rendered?{query}", null);
        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Contains("Write", await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken), StringComparison.Ordinal);
    }

    [Fact]
    public async Task C_83_more_pixels_than_allowed_are_413()
    {
        await using WebServer server = await WebServer.StartAsync(new WebOptions { RenderedPixelsMax = 1_000_000 });
        string instance = await StoreAsync(server, Ct);
        using HttpResponseMessage response = await GetAsync(server, instance + "/rendered?viewport=30000,30000", null);
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, response.StatusCode);
    }

    [Fact]
    public async Task C_83_frames_are_pictures_one_alone_or_in_parts_or_an_animation()
    {
        await using WebServer server = await WebServer.StartAsync();
        string instance = await StoreAsync(server, MultiFrame);
        Assert.Equal(("image/jpeg", 64, 64), await PictureAsync(server, instance + "/frames/13/rendered", null));
        using (HttpResponseMessage several = await GetAsync(server, instance + "/frames/1,13/rendered", null))
        {
            Assert.Equal("multipart/related", several.Content.Headers.ContentType!.MediaType);
            byte[] body = await several.Content.ReadAsByteArrayAsync(TestContext.Current.CancellationToken);
            Assert.Equal(2, Count(body, [0xFF, 0xD8, 0xFF]));
            Assert.Equal(1, Count(body, "/frames/13/rendered"u8));
        }
        using (HttpResponseMessage missing = await GetAsync(server, instance + "/frames/14/rendered", null)) Assert.Equal(HttpStatusCode.NotFound, missing.StatusCode);
        // One image descriptor block a frame, behind its graphic control extension.
        Assert.Equal(13, Count(await BytesAsync(server, instance + "/rendered", "image/gif"), [0x21, 0xF9, 4]));
        Assert.Equal(("image/jpeg", 64, 64), await PictureAsync(server, instance + "/rendered", "image/jpeg"));
        await using WebServer small = await WebServer.StartAsync(new WebOptions { RenderedFramesMax = 5 });
        await StoreAsync(small, MultiFrame);
        using HttpResponseMessage refused = await GetAsync(small, instance + "/rendered", "image/gif");
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, refused.StatusCode);
    }

    [Fact]
    public async Task C_83_series_and_studies_are_parts_or_one_picture_that_stands_for_them()
    {
        await using WebServer server = await WebServer.StartAsync();
        string instance = await StoreAsync(server, Ct);
        await server.StoreAsync(Edited(Ct, d => d.Set(Tags.SOPInstanceUID, "1.2.3.4")));
        await server.StoreAsync(Corpus.File(Report));
        string series = instance[..instance.IndexOf("/instances", StringComparison.Ordinal)], study = instance[..instance.IndexOf("/series", StringComparison.Ordinal)];
        foreach (string level in new[] { series, study })
        {
            using HttpResponseMessage parts = await GetAsync(server, level + "/rendered", null);
            Assert.Equal("multipart/related", parts.Content.Headers.ContentType!.MediaType);
            Assert.Equal(2, Count(await parts.Content.ReadAsByteArrayAsync(TestContext.Current.CancellationToken), [0xFF, 0xD8, 0xFF]));
            Assert.Equal(("image/png", 128, 128), await PictureAsync(server, level + "/rendered", "image/png"));
        }
    }

    [Fact]
    public async Task C_83_jpeg_2000_is_a_JP2_file_that_foreign_programs_read_by_every_way_to_a_picture()
    {
        await using WebServer server = await WebServer.StartAsync();
        using var folder = new TempFolder();
        string ct = await StoreAsync(server, Ct), color = await StoreAsync(server, Color), heart = await StoreAsync(server, MultiFrame);
        DataSet image = Part10.Read(await File.ReadAllBytesAsync(Corpus.File(Ct), TestContext.Current.CancellationToken)).DataSet;
        string wado = $"wado?requestType=WADO&studyUID={image.GetString(Tags.StudyInstanceUID)}&seriesUID={image.GetString(Tags.SeriesInstanceUID)}&objectUID={image.GetString(Tags.SOPInstanceUID)}";
        int n = 0;
        foreach ((string resource, int columns, int samples) in new[]
        {
            (ct + "/rendered", 128, 1), (color + "/rendered?viewport=100,100", 100, 3), (color + "/rendered?iccprofile=adobergb&viewport=100,100", 100, 3), (heart + "/frames/13/rendered", 64, 1),
            (ct[..ct.IndexOf("/series", StringComparison.Ordinal)] + "/rendered", 128, 1), (ct + "/thumbnail?viewport=32,32", 32, 1), (wado + "&contentType=image/jp2", 128, 1),
        })
        {
            using HttpResponseMessage response = await GetAsync(server, resource, "image/jp2");
            byte[] file = await response.Content.ReadAsByteArrayAsync(TestContext.Current.CancellationToken);
            Assert.True(response.StatusCode == HttpStatusCode.OK, $"{resource}: {System.Text.Encoding.UTF8.GetString(file)}");
            Assert.Equal("image/jp2", response.Content.Headers.ContentType!.ToString());
            string path = folder.At($"{++n}.jp2");
            await File.WriteAllBytesAsync(path, file, TestContext.Current.CancellationToken);
            ToolResult dump = await Tool.RunAsync("opj_dump", ["-i", path]);
            Assert.True(dump.ExitCode == 0 && dump.Output.Contains($"x1={columns},", StringComparison.Ordinal) && dump.Output.Contains($"numcomps={samples}", StringComparison.Ordinal) && dump.Output.Contains("prec=8", StringComparison.Ordinal), dump.Output);
        }
        Assert.True((await BytesAsync(server, ct + "/rendered?quality=30", "image/jp2")).Length < (await BytesAsync(server, ct + "/rendered?quality=100", "image/jp2")).Length);
        // A wildcard gets what every viewer knows.
        Assert.Equal("image/jpeg", (await PictureAsync(server, ct + "/rendered", "image/jp2;q=0.5, image/*")).Type);
        using HttpResponseMessage parts = await GetAsync(server, heart + "/frames/1,2/rendered", "multipart/related; type=\"image/jp2\"");
        Assert.Equal(2, Count(await parts.Content.ReadAsByteArrayAsync(TestContext.Current.CancellationToken), "ftypjp2 "u8));
    }

    [Fact]
    public async Task C_84_thumbnails_are_at_every_level_small_and_made_once()
    {
        await using WebServer server = await WebServer.StartAsync();
        string instance = await StoreAsync(server, MultiFrame);
        string series = instance[..instance.IndexOf("/instances", StringComparison.Ordinal)], study = instance[..instance.IndexOf("/series", StringComparison.Ordinal)];
        foreach (string level in new[] { instance, series, study, instance + "/frames/2" })
        {
            Assert.Equal(("image/jpeg", 128, 128), await PictureAsync(server, level + "/thumbnail", null));
            Assert.Equal(("image/png", 32, 32), await PictureAsync(server, level + "/thumbnail?viewport=32,50", "image/png"));
        }
        byte[] before = await BytesAsync(server, study + "/thumbnail", "image/jpeg");
        // What is kept needs no blob any more.
        foreach (string blob in Directory.EnumerateFiles(server.BlobFolder, "*", SearchOption.AllDirectories)) File.Delete(blob);
        Assert.Equal(before, await BytesAsync(server, study + "/thumbnail", "image/jpeg"));
    }

    [Fact]
    public async Task C_83_C_84_a_picture_that_the_client_has_is_304()
    {
        await using WebServer server = await WebServer.StartAsync();
        string instance = await StoreAsync(server, Ct);
        foreach (string resource in new[] { "/rendered?window=40,400", "/thumbnail" })
        {
            using HttpResponseMessage first = await GetAsync(server, instance + resource, null);
            using var again = new HttpRequestMessage(HttpMethod.Get, instance + resource);
            again.Headers.IfNoneMatch.Add(first.Headers.ETag!);
            using HttpResponseMessage second = await server.Client.SendAsync(again, TestContext.Current.CancellationToken);
            Assert.Equal(HttpStatusCode.NotModified, second.StatusCode);
            using HttpResponseMessage other = await GetAsync(server, instance + "/rendered?window=50,400", null);
            Assert.NotEqual(first.Headers.ETag, other.Headers.ETag);
        }
    }

    [Fact]
    public async Task C_83_a_report_is_a_page_that_runs_nothing_and_a_document_is_itself()
    {
        await using WebServer server = await WebServer.StartAsync();
        string report = await StoreAsync(server, Report);
        using (HttpResponseMessage page = await GetAsync(server, report + "/rendered", null))
        {
            Assert.Equal("text/html", page.Content.Headers.ContentType!.MediaType);
            Assert.Contains("default-src 'none'", page.Headers.GetValues("Content-Security-Policy").Single(), StringComparison.Ordinal);
            Assert.Contains("Imaging Measurement Report", await page.Content.ReadAsStringAsync(TestContext.Current.CancellationToken), StringComparison.Ordinal);
        }
        using (HttpResponseMessage picture = await GetAsync(server, report + "/rendered", "image/jpeg"))
        {
            Assert.Equal(HttpStatusCode.NotAcceptable, picture.StatusCode);
            Assert.Contains("text/html, text/plain, text/xml", await picture.Content.ReadAsStringAsync(TestContext.Current.CancellationToken), StringComparison.Ordinal);
        }
        byte[] pdf = [.. "%PDF-1.4 and so on"u8];
        string document = Path.GetDirectoryName(report)!.Replace('\\', '/') + "/1.2.3.9";
        await server.StoreAsync(Edited(Report, d =>
        {
            d.Set(Tags.SOPClassUID, "1.2.840.10008.5.1.4.1.1.104.1");
            d.Set(Tags.SOPInstanceUID, "1.2.3.9");
            d.Set(Tags.MIMETypeOfEncapsulatedDocument, "application/pdf");
            d.SetRaw(Tags.EncapsulatedDocument, VR.OB, pdf);
        }));
        Assert.Equal(pdf, await BytesAsync(server, document + "/rendered", "application/pdf"));
    }

    [Fact]
    public async Task C_83_C_85_a_report_is_plain_text_or_XML_too_and_a_CDA_document_is_its_XML()
    {
        await using WebServer server = await WebServer.StartAsync();
        string report = await StoreAsync(server, Report);
        DataSet stored = Part10.Read(await File.ReadAllBytesAsync(Corpus.File(Report), TestContext.Current.CancellationToken)).DataSet;
        string wado = $"wado?requestType=WADO&studyUID={stored.GetString(Tags.StudyInstanceUID)}&seriesUID={stored.GetString(Tags.SeriesInstanceUID)}&objectUID={stored.GetString(Tags.SOPInstanceUID)}";
        foreach (string resource in new[] { report + "/rendered", wado + "&contentType=text/plain" })
        {
            using HttpResponseMessage text = await GetAsync(server, resource, "text/plain");
            Assert.Equal("text/plain; charset=utf-8", text.Content.Headers.ContentType!.ToString());
            Assert.Equal("nosniff", text.Headers.GetValues("X-Content-Type-Options").Single());
            string body = await text.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
            Assert.StartsWith("Imaging Measurement Report\n", body, StringComparison.Ordinal);
            Assert.Contains("1.7 cm2", body, StringComparison.Ordinal);
            Assert.DoesNotContain("<", body, StringComparison.Ordinal);
        }
        using (HttpResponseMessage xml = await GetAsync(server, report + "/rendered", "text/xml"))
        {
            Assert.Equal("text/xml; charset=utf-8", xml.Content.Headers.ContentType!.ToString());
            DataSet read = NativeModel.Read(await xml.Content.ReadAsStreamAsync(TestContext.Current.CancellationToken));
            Assert.Equal(stored.GetItems(Tags.ContentSequence).Count, read.GetItems(Tags.ContentSequence).Count);
        }
        // Of contentType the first that can be; application/dicom among others stands for the instance.
        Assert.StartsWith("Imaging", System.Text.Encoding.UTF8.GetString(await BytesAsync(server, wado + "&contentType=image/png,text/plain,application/dicom", "*/*")), StringComparison.Ordinal);
        Assert.Equal("DICM"u8.ToArray(), (await BytesAsync(server, wado + "&contentType=image/png,application/dicom,text/plain", "*/*"))[128..132]);

        byte[] cda = [.. "<?xml version=\"1.0\"?><ClinicalDocument xmlns=\"urn:hl7-org:v3\"/>"u8];
        Assert.Equal(1, cda.Length % 2);
        string document = Path.GetDirectoryName(report)!.Replace('\\', '/') + "/1.2.3.10";
        await server.StoreAsync(Edited(Report, d =>
        {
            d.Set(Tags.SOPClassUID, "1.2.840.10008.5.1.4.1.1.104.2");
            d.Set(Tags.SOPInstanceUID, "1.2.3.10");
            d.Set(Tags.MIMETypeOfEncapsulatedDocument, "text/XML");
            d.SetRaw(Tags.EncapsulatedDocument, VR.OB, (byte[])[.. cda, 0]);
        }));
        // Without the byte that makes its length even, which would be no XML.
        using HttpResponseMessage clinical = await GetAsync(server, document + "/rendered", null);
        Assert.Equal("text/xml", clinical.Content.Headers.ContentType!.ToString());
        Assert.Contains("sandbox", clinical.Headers.GetValues("Content-Security-Policy").Single(), StringComparison.Ordinal);
        Assert.Equal(cda, await clinical.Content.ReadAsByteArrayAsync(TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task C_83_what_is_nothing_to_look_at_is_406_in_words()
    {
        await using WebServer server = await WebServer.StartAsync();
        DataSet raw = Made.Image(Made.NewUid(), Made.NewUid());
        raw.Remove(Tags.PixelData);
        raw.Set(Tags.SOPClassUID, "1.2.840.10008.5.1.4.1.1.66");
        await server.StoreAsync(Made.File(raw));
        Assert.Contains("metadata", await server.ProblemAsync(HttpStatusCode.NotAcceptable, Made.UrlOf(raw) + "/rendered"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("1.2.840.10008.1.2.4.100", "video/mpeg2", "video/mpeg")]
    [InlineData("1.2.840.10008.1.2.4.106", "video/mp4", "video/mp4")]
    [InlineData("1.2.840.10008.1.2.4.107", "video/mp4", "video/H265")]
    public async Task C_83_C_82_a_video_is_to_be_had_by_each_of_its_media_types(string syntax, string first, string second)
    {
        await using WebServer server = await WebServer.StartAsync();
        DataSet image = Made.Image(Made.NewUid(), Made.NewUid());
        image.Set(Tags.NumberOfFrames, 30);
        byte[] video = System.Security.Cryptography.RandomNumberGenerator.GetBytes(1000);
        await server.StoreAsync(Made.Encapsulated(image, syntax, [video]));
        foreach (string resource in new[] { "/rendered", "/pixeldata" })
        {
            foreach (string type in new[] { first, second, second.ToUpperInvariant() })
            {
                using HttpResponseMessage response = await GetAsync(server, Made.UrlOf(image) + resource, type);
                Assert.Equal(type, response.Content.Headers.ContentType?.MediaType, ignoreCase: true);
                Assert.Equal(video, await response.Content.ReadAsByteArrayAsync(TestContext.Current.CancellationToken));
            }
        }
        Assert.Contains(second, await server.ProblemAsync(HttpStatusCode.NotAcceptable, Made.UrlOf(image) + "/rendered", "video/webm"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task C_83_a_video_is_itself_with_ranges_and_none_of_its_frames_is_a_picture()
    {
        await using WebServer server = await WebServer.StartAsync();
        const string mpeg4 = "1.2.840.10008.1.2.4.102";
        DataSet image = Made.Image(Made.NewUid(), Made.NewUid());
        image.Set(Tags.NumberOfFrames, 30);
        byte[] video = System.Security.Cryptography.RandomNumberGenerator.GetBytes(100_000);
        await server.StoreAsync(Made.Encapsulated(image, mpeg4, [video]));
        string url = Made.UrlOf(image);
        Assert.Equal(video, await BytesAsync(server, url + "/rendered", "video/mp4"));
        Assert.Equal(video, await BytesAsync(server, url + "/rendered", "*/*"));
        using var part = new HttpRequestMessage(HttpMethod.Get, url + "/rendered");
        part.Headers.Range = new RangeHeaderValue(70_000, 70_099);
        using HttpResponseMessage range = await server.Client.SendAsync(part, TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.PartialContent, range.StatusCode);
        Assert.Equal("video/mp4", range.Content.Headers.ContentType!.MediaType);
        Assert.Equal(video[70_000..70_100], await range.Content.ReadAsByteArrayAsync(TestContext.Current.CancellationToken));
        string wado = $"wado?requestType=WADO&studyUID={image.GetString(Tags.StudyInstanceUID)}&seriesUID={image.GetString(Tags.SeriesInstanceUID)}&objectUID={image.GetString(Tags.SOPInstanceUID)}";
        Assert.Equal(video, await BytesAsync(server, wado + "&contentType=video/mp4", "*/*"));
        foreach (string resource in new[] { "/rendered", "/frames/1/rendered", "/frames/1" })
        {
            using HttpResponseMessage refused = await GetAsync(server, url + resource, "image/jpeg");
            Assert.Equal(HttpStatusCode.NotAcceptable, refused.StatusCode);
        }
    }

    [Fact]
    public async Task C_83_C_85_a_presentation_state_shows_its_image_by_itself_and_when_it_is_named()
    {
        await using WebServer server = await WebServer.StartAsync();
        string image = await StoreAsync(server, Ct);
        using var folder = new TempFolder();
        Assert.Equal(0, (await Tool.RunAsync("dcmpsmk", [Corpus.File(Ct), folder.At("state")])).ExitCode);
        Assert.Equal(0, (await Tool.RunAsync("dcmodify", ["-nb", "-i", "(0028,3110)[0].(0028,1050)=40", "-i", "(0028,3110)[0].(0028,1051)=400", "-i", "(2050,0020)=INVERSE", folder.At("state")])).ExitCode);
        await server.StoreAsync(folder.At("state"));
        DataSet state = Part10.Read(await File.ReadAllBytesAsync(folder.At("state"), TestContext.Current.CancellationToken)).DataSet;
        string uid = state.GetString(Tags.SOPInstanceUID)!;
        byte[] plain = await BytesAsync(server, image + "/rendered?window=40,400", "image/png"), named = await BytesAsync(server, $"{image}/rendered?presentationUID={uid}", "image/png");
        Assert.NotEqual(plain, named);
        Assert.Equal(named, await BytesAsync(server, $"{Resource(state)}/rendered", "image/png"));
        string wado = $"wado?requestType=WADO&studyUID={state.GetString(Tags.StudyInstanceUID)}&seriesUID={image.Split('/')[3]}&objectUID={image.Split('/')[5]}&contentType=image/png";
        Assert.Equal(named, await BytesAsync(server, $"{wado}&presentationUID={uid}", "*/*"));
        // The picture that stands for the series, or each of its parts, is shown as the state says too.
        string series = image[..image.IndexOf("/instances", StringComparison.Ordinal)];
        Assert.Equal(named, await BytesAsync(server, $"{series}/rendered?presentationUID={uid}", "image/png"));
        foreach (string resource in new[] { image, series })
        {
            using HttpResponseMessage unknown = await GetAsync(server, resource + "/rendered?presentationUID=9.9", null);
            Assert.Equal(HttpStatusCode.NotFound, unknown.StatusCode);
        }
    }

    [Fact]
    public async Task C_85_wado_uri_gives_pictures_with_its_own_parameters()
    {
        await using WebServer server = await WebServer.StartAsync();
        await StoreAsync(server, Ct);
        DataSet image = Part10.Read(await File.ReadAllBytesAsync(Corpus.File(Ct), TestContext.Current.CancellationToken)).DataSet;
        string wado = $"wado?requestType=WADO&studyUID={image.GetString(Tags.StudyInstanceUID)}&seriesUID={image.GetString(Tags.SeriesInstanceUID)}&objectUID={image.GetString(Tags.SOPInstanceUID)}";
        Assert.Equal(("image/jpeg", 128, 128), await PictureAsync(server, wado, null));
        Assert.Equal(("image/png", 64, 64), await PictureAsync(server, wado + "&contentType=image/png&rows=64&windowCenter=40&windowWidth=400", null));
        Assert.Equal(("image/jpeg", 64, 32), await PictureAsync(server, wado + "&contentType=image/jpeg&region=0.25,0.5,0.75,0.75&imageQuality=50&annotation=patient&frameNumber=1", null));
        string heart = await StoreAsync(server, MultiFrame);
        string[] uids = heart.Split('/');
        string cine = $"wado?requestType=WADO&studyUID={uids[1]}&seriesUID={uids[3]}&objectUID={uids[5]}&contentType=image/png";
        Assert.Equal(await BytesAsync(server, heart + "/frames/13/rendered", "image/png"), await BytesAsync(server, cine + "&frameNumber=13", "*/*"));
        Assert.NotEqual(await BytesAsync(server, cine + "&frameNumber=1", "*/*"), await BytesAsync(server, cine + "&frameNumber=13", "*/*"));
        using HttpResponseMessage wrong = await GetAsync(server, wado + "&windowCenter=40", null);
        Assert.Equal(HttpStatusCode.BadRequest, wrong.StatusCode);
    }

    private static async Task<string> StoreAsync(WebServer server, string path)
    {
        await server.StoreAsync(Corpus.File(path));
        return Resource(Part10.Read(await File.ReadAllBytesAsync(Corpus.File(path), TestContext.Current.CancellationToken)).DataSet);
    }

    private static string Resource(DataSet dataSet) =>
        $"studies/{dataSet.GetString(Tags.StudyInstanceUID)}/series/{dataSet.GetString(Tags.SeriesInstanceUID)}/instances/{dataSet.GetString(Tags.SOPInstanceUID)}";

    private static byte[] Edited(string path, Action<DataSet> edit)
    {
        (_, DataSet dataSet) = Part10.Read(File.ReadAllBytes(Corpus.File(path)));
        edit(dataSet);
        return [.. Part10.BuildFileMeta(dataSet.Encoding, dataSet.GetString(Tags.SOPClassUID)!, dataSet.GetString(Tags.SOPInstanceUID)!), .. dataSet.ToArray()];
    }

    private static async Task<HttpResponseMessage> GetAsync(WebServer server, string resource, string? accept)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, resource);
        foreach (string one in (accept ?? "").Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)) request.Headers.Accept.Add(MediaTypeWithQualityHeaderValue.Parse(one));
        return await server.Client.SendAsync(request, TestContext.Current.CancellationToken);
    }

    private static async Task<byte[]> BytesAsync(WebServer server, string resource, string accept)
    {
        using HttpResponseMessage response = await GetAsync(server, resource, accept);
        byte[] body = await response.Content.ReadAsByteArrayAsync(TestContext.Current.CancellationToken);
        Assert.True(response.StatusCode == HttpStatusCode.OK, $"{resource}: {response.StatusCode} {System.Text.Encoding.UTF8.GetString(body)}");
        return body;
    }

    /// <summary>Media type as the answer says and its bytes agree, and the picture's size.</summary>
    private static async Task<(string Type, int Width, int Height)> PictureAsync(WebServer server, string resource, string? accept)
    {
        using HttpResponseMessage response = await GetAsync(server, resource, accept);
        byte[] body = await response.Content.ReadAsByteArrayAsync(TestContext.Current.CancellationToken);
        Assert.True(response.StatusCode == HttpStatusCode.OK, $"{resource}: {response.StatusCode} {System.Text.Encoding.UTF8.GetString(body)}");
        string type = response.Content.Headers.ContentType!.MediaType!;
        switch (type)
        {
            case "image/png":
                Assert.Equal((byte)0x89, body[0]);
                return (type, body[18] << 8 | body[19], body[22] << 8 | body[23]);
            case "image/gif":
                Assert.Equal((byte)'G', body[0]);
                return (type, body[6] | body[7] << 8, body[8] | body[9] << 8);
            default:
                Assert.Equal((0xFF, 0xD8), (body[0], body[1]));
                int frame = body.AsSpan().IndexOf((ReadOnlySpan<byte>)[0xFF, 0xC0]);
                return (type, body[frame + 7] << 8 | body[frame + 8], body[frame + 5] << 8 | body[frame + 6]);
        }
    }

    private static int Count(ReadOnlySpan<byte> body, ReadOnlySpan<byte> what)
    {
        int count = 0;
        for (int at; (at = body.IndexOf(what)) >= 0; count++) body = body[(at + what.Length)..];
        return count;
    }
}
