using System.Net;
using System.Text;
using PacsCluster.Dicom;
using PacsCluster.Testing;

namespace PacsCluster.Web.Tests;

public sealed class InstancesTests
{
    private const string Json = "multipart/related; type=\"application/dicom\"; transfer-syntax=*";

    [Fact]
    public async Task C_72_a_study_comes_in_parts_byte_for_byte_with_its_length_and_a_boundary_of_its_own()
    {
        await using WebServer server = await WebServer.StartAsync();
        string study = Made.NewUid();
        Dictionary<string, byte[]> stored = [];
        foreach (string series in new[] { Made.NewUid(), Made.NewUid() })
        {
            for (int number = 1; number <= 3; number++)
            {
                DataSet image = Made.Image(study, series, number, rows: 100 * number, columns: 300);
                byte[] file = Made.File(image);
                await server.StoreAsync(file);
                stored.Add($"{server.Root}/{Made.UrlOf(image)}", file);
            }
        }
        List<Part> parts = await server.GetPartsAsync($"studies/{study}");
        Assert.Equal(stored.Keys.Order(), parts.Select(p => p.Location!).Order());
        foreach (Part part in parts)
        {
            Assert.Equal("application/dicom; transfer-syntax=1.2.840.10008.1.2.1", part.ContentType);
            Assert.Equal(Made.DataSetOf(stored[part.Location!]), Made.DataSetOf(part.Bytes));
        }

        using HttpResponseMessage one = await server.GetAsync($"studies/{study}"), two = await server.GetAsync($"studies/{study}", Json);
        byte[] body = await one.Content.ReadAsByteArrayAsync(TestContext.Current.CancellationToken);
        Assert.Equal(one.Content.Headers.ContentLength, body.Length);
        Assert.NotEqual(one.Content.Headers.ContentType!.ToString(), two.Content.Headers.ContentType!.ToString());
        Assert.Contains("type=\"application/dicom\"", one.Content.Headers.ContentType!.ToString(), StringComparison.Ordinal);
        string boundary = one.Content.Headers.ContentType.Parameters.Single(p => p.Name == "boundary").Value!;
        string raw = Encoding.Latin1.GetString(body);
        Assert.StartsWith($"--{boundary}\r\nContent-Type: application/dicom; transfer-syntax=1.2.840.10008.1.2.1\r\nContent-Location: {server.Root}/studies/", raw, StringComparison.Ordinal);
        Assert.EndsWith($"\r\n--{boundary}--\r\n", raw, StringComparison.Ordinal);
    }

    [Fact]
    public async Task C_73_one_instance_alone_with_ranges_and_304()
    {
        await using WebServer server = await WebServer.StartAsync();
        DataSet image = Made.Image(Made.NewUid(), Made.NewUid(), rows: 64, columns: 64);
        byte[] file = Made.File(image);
        await server.StoreAsync(file);
        string url = Made.UrlOf(image);
        byte[] whole = await server.GetBytesAsync(url, "application/dicom");
        Assert.Equal(Made.DataSetOf(file), Made.DataSetOf(whole));

        using HttpResponseMessage range = await server.GetAsync(url, "application/dicom", ("Range", "bytes=128-131"));
        Assert.Equal(HttpStatusCode.PartialContent, range.StatusCode);
        Assert.Equal("DICM", await range.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
        Assert.Equal($"bytes 128-131/{whole.Length}", range.Content.Headers.ContentRange!.ToString());
        using HttpResponseMessage behind = await server.GetAsync(url, "application/dicom", ("Range", "bytes=9999999-"));
        Assert.Equal(HttpStatusCode.RequestedRangeNotSatisfiable, behind.StatusCode);

        using HttpResponseMessage same = await server.GetAsync(url, "application/dicom", ("If-None-Match", range.Headers.ETag!.ToString()));
        Assert.Equal(HttpStatusCode.NotModified, same.StatusCode);
        using HttpResponseMessage parts = await server.GetAsync(url, null, ("If-None-Match", range.Headers.ETag!.ToString()));
        Assert.Equal(HttpStatusCode.OK, parts.StatusCode);
        Assert.Contains("Accept", parts.Headers.Vary);
        Assert.True(parts.Headers.CacheControl!.Private && parts.Headers.CacheControl.NoTransform);

        using var head = new HttpRequestMessage(HttpMethod.Head, url);
        using HttpResponseMessage headed = await server.Client.SendAsync(head, TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.OK, headed.StatusCode);
        Assert.True(headed.Content.Headers.ContentLength > whole.Length);
    }

    [Fact]
    public async Task C_71_without_a_transfer_syntax_explicit_little_endian_is_sent_and_dcmdump_reads_it()
    {
        await using WebServer server = await WebServer.StartAsync();
        DataSet image = Made.Image(Made.NewUid(), Made.NewUid(), encoding: TransferSyntax.ImplicitVRLittleEndian);
        byte[] file = Made.File(image, TransferSyntax.ImplicitVRLittleEndian);
        await server.StoreAsync(file);
        byte[] converted = await server.GetBytesAsync(Made.UrlOf(image), "application/dicom");
        Assert.Equal(TransferSyntax.ExplicitVRLittleEndian, Part10.ReadStart(converted).TransferSyntax);
        byte[] stored = await server.GetBytesAsync(Made.UrlOf(image), "application/dicom; transfer-syntax=*");
        Assert.Equal(Made.DataSetOf(file), Made.DataSetOf(stored));
        Part inParts = Assert.Single(await server.GetPartsAsync(Made.UrlOf(image)));
        Assert.Equal(converted, inParts.Bytes);
        using var folder = new TempFolder();
        await File.WriteAllBytesAsync(folder.At("a.dcm"), converted, TestContext.Current.CancellationToken);
        ToolResult dump = await Tool.RunAsync("dcmdump", [folder.At("a.dcm")]);
        Assert.True(dump.ExitCode == 0, dump.Output);
        Assert.Contains(image.GetString(Tags.SOPInstanceUID)!, dump.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("W: ", dump.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task C_70_what_is_not_acceptable_is_answered_with_what_is_on_offer()
    {
        await using WebServer server = await WebServer.StartAsync();
        DataSet image = Made.Image(Made.NewUid(), Made.NewUid());
        await server.StoreAsync(Made.File(image));
        string url = Made.UrlOf(image);
        Assert.Contains("multipart/related; type=\"application/dicom\", application/dicom", await server.ProblemAsync(HttpStatusCode.NotAcceptable, url, "image/jpeg"), StringComparison.Ordinal);
        Assert.Contains("transfer-syntax=*", await server.ProblemAsync(HttpStatusCode.NotAcceptable, url, "application/dicom; transfer-syntax=1.2.840.10008.1.2.4.100"), StringComparison.Ordinal);
        // A browser's Accept, and the parameter.
        byte[] byQuery = await server.GetBytesAsync(url + "?accept=application/dicom", "text/html,application/xhtml+xml,*/*;q=0.8");
        Assert.Equal("DICM", Encoding.ASCII.GetString(byQuery, 128, 4));
    }

    [Fact]
    public async Task What_is_not_here_is_404()
    {
        await using WebServer server = await WebServer.StartAsync();
        DataSet image = Made.Image(Made.NewUid(), Made.NewUid());
        await server.StoreAsync(Made.File(image));
        string study = image.GetString(Tags.StudyInstanceUID)!, series = image.GetString(Tags.SeriesInstanceUID)!;
        foreach (string url in new[] { "studies/1.2.3", $"studies/{study}/series/1.2.3", $"studies/{study}/series/{series}/instances/1.2.3", $"studies/1.2.3/series/{series}" })
        {
            foreach (string resource in new[] { "", "/bulkdata", "/pixeldata" }) await server.ProblemAsync(HttpStatusCode.NotFound, url + resource);
        }
    }

    [Fact]
    public async Task A_missing_blob_is_a_fault_and_never_a_short_answer()
    {
        await using WebServer server = await WebServer.StartAsync();
        string study = Made.NewUid();
        for (int number = 1; number <= 3; number++) await server.StoreAsync(Made.File(Made.Image(study, Made.NewUid(), number, rows: 512, columns: 512)));
        List<StoredBlob> blobs = StoredBlob.In(server.BlobFolder);
        Assert.Equal(3, blobs.Count);
        blobs[1].Remove();
        await Assert.ThrowsAnyAsync<Exception>(() => server.GetPartsAsync($"studies/{study}"));
        foreach (StoredBlob blob in blobs) blob.Remove();
        await server.ProblemAsync(HttpStatusCode.InternalServerError, $"studies/{study}");
    }
}
