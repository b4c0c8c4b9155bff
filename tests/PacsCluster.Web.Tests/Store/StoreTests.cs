using System.Net;
using System.Text;
using System.Text.Json;
using PacsCluster.Catalog;
using PacsCluster.Dicom;
using PacsCluster.Engine;

namespace PacsCluster.Web.Tests.Store;

public sealed class StoreTests
{
    private static byte[] File(int n, string study = "1.5", params (string, string)[] attributes) => Synthetic.File(Synthetic.Instance(study, study + ".1", $"{study}.1.{n}", [("PatientID", "P"), .. attributes]));

    private static async Task<List<InstanceLocation>> HeldAsync(WebServer server, string study)
    {
        List<InstanceLocation> held = [];
        await foreach (InstanceLocation one in server.Catalog.LocateAsync(new LocateRequest { StudyInstanceUids = [study] })) held.Add(one);
        return held;
    }

    private static async Task<byte[]> DataSetAsync(WebServer server, InstanceLocation location)
    {
        await using RetrievedInstance got = await server.Archive.Retrieve.OpenAsync(location, TransferSyntax.FromUid(location.TransferSyntaxUid), CancellationToken.None);
        using var bytes = new MemoryStream();
        await got.DataSet.CopyToAsync(bytes);
        return bytes.ToArray();
    }

    [Fact]
    public async Task C_86_C_87_all_stored_is_200_with_retrieve_urls()
    {
        await using WebServer server = await WebServer.StartAsync();
        StoreAnswer answer = await StoreClient.PostAsync(server, [.. Enumerable.Range(1, 40).Select(n => File(n))]);
        Assert.Equal(HttpStatusCode.OK, answer.Status);
        Assert.Equal("application/dicom+json", answer.Type?.ToString());
        Assert.Equal($"{server.Root}/studies/1.5", StoreAnswer.First(answer.Json, "RetrieveURL"));
        Assert.Equal(string.Join(' ', Enumerable.Range(1, 40).Select(n => $"1.5.1.{n}")), answer.Instances("ReferencedSOPSequence"));
        JsonElement item = answer.Items("ReferencedSOPSequence")[0];
        Assert.Equal(Synthetic.SecondaryCapture, StoreAnswer.First(item, "ReferencedSOPClassUID"));
        Assert.Equal($"{server.Root}/studies/1.5/series/1.5.1/instances/1.5.1.1", StoreAnswer.First(item, "RetrieveURL"));
        Assert.Equal(40, (await HeldAsync(server, "1.5")).Count);
    }

    [Fact]
    public async Task C_86_single_part_application_dicom_and_parts_without_file_meta_are_stored()
    {
        await using WebServer server = await WebServer.StartAsync();
        Assert.Equal(HttpStatusCode.OK, (await StoreClient.PostAsync(server, "studies", File(1), "application/dicom")).Status);
        Assert.Equal(HttpStatusCode.OK, (await StoreClient.PostAsync(server, "studies/1.5", Synthetic.Instance("1.5", "1.5.1", "1.5.1.2").ToArray(TransferSyntax.ImplicitVRLittleEndian), "application/dicom")).Status);
        Assert.Equal([TransferSyntax.ExplicitVRLittleEndian.Uid, TransferSyntax.ImplicitVRLittleEndian.Uid], (await HeldAsync(server, "1.5")).Select(i => i.TransferSyntaxUid));
    }

    [Theory]
    [InlineData("multipart/related; type=application/dicom; boundary=a-boundary.0123", "\r\n", "", "")]
    [InlineData("multipart/related;boundary=\"a-boundary.0123\";type=\"application/dicom\";start=\"<x>\"", "\n", "", "")]
    [InlineData("Multipart/Related; Boundary=a-boundary.0123", "\r\n", "This is a preamble.\r\nWith --a-boundary.01234 in it.", "And an epilogue\r\n--a-boundary.0123\r\nwith a boundary")]
    [InlineData("multipart/related; type=\"application/dicom; transfer-syntax=*\"; boundary=a-boundary.0123", "\n", "x", "y")]
    [InlineData("multipart/form-data; boundary=a-boundary.0123", "\r\n", "", "")]
    public async Task C_72_is_lenient_in_what_clients_send(string contentType, string newLine, string preamble, string epilogue)
    {
        await using WebServer server = await WebServer.StartAsync();
        byte[] body = StoreClient.Body([("content-type:application/dicom;transfer-syntax=1.2.840.10008.1.2.1\nX-More: a\n b", File(1)), ("Content-Type: application/dicom", File(2)), ("Content-Type: application/octet-stream", File(3))], newLine, preamble, epilogue);
        StoreAnswer answer = await StoreClient.PostAsync(server, "studies", body, contentType);
        Assert.Equal(HttpStatusCode.OK, answer.Status);
        foreach (InstanceLocation one in await HeldAsync(server, "1.5"))
        {
            byte[] file = File(int.Parse(one.SopInstanceUid[^1..], System.Globalization.CultureInfo.InvariantCulture));
            Assert.Equal(file[Part10.ReadStart(file).DataSetOffset..], await DataSetAsync(server, one));
        }
    }

    [Fact]
    public async Task C_72_boundaries_are_found_wherever_the_buffers_end_and_content_that_looks_like_one_stays()
    {
        await using WebServer server = await WebServer.StartAsync();
        var random = new Random(5);
        List<byte[]> files = [];
        for (int n = 1; n <= 30; n++)
        {
            byte[] pixels = new byte[random.Next(1, 60_000) * 2];
            random.NextBytes(pixels);
            Encoding.ASCII.GetBytes("\r\n--a-boundary.0123x\r\n--a-boundary.012").CopyTo(pixels.AsSpan(pixels.Length > 100 ? pixels.Length - 60 : 0, Math.Min(60, pixels.Length))[..Math.Min(38, pixels.Length)]);
            DataSet dataSet = Synthetic.Instance("1.5", "1.5.1", $"1.5.1.{n}");
            dataSet.SetRaw(Synthetic.Tag("PixelData"), VR.OB, pixels);
            files.Add(Synthetic.File(dataSet));
        }
        StoreAnswer answer = await StoreClient.PostAsync(server, [.. files]);
        Assert.Equal(HttpStatusCode.OK, answer.Status);
        foreach (InstanceLocation one in await HeldAsync(server, "1.5"))
        {
            byte[] file = files[int.Parse(one.SopInstanceUid[6..], System.Globalization.CultureInfo.InvariantCulture) - 1];
            Assert.Equal(file[Part10.ReadStart(file).DataSetOffset..], await DataSetAsync(server, one));
        }
    }

    [Fact]
    public async Task C_87_partial_success_is_202_and_each_failure_has_its_reason_and_comment()
    {
        await using WebServer server = await WebServer.StartAsync();
        byte[] body = StoreClient.Body(
        [
            ("Content-Type: application/dicom", File(1)), ("Content-Type: application/dicom", File(1, "1.6")), ("Content-Type: application/dicom", "This is no DICOM."u8.ToArray()),
            ("Content-Type: text/plain", "nor this"u8.ToArray()), ("Content-Type: application/dicom", []), ("Content-Type: application/dicom", File(2)[..^6]),
        ]);
        StoreAnswer answer = await StoreClient.PostAsync(server, "studies/1.5", body);
        Assert.Equal(HttpStatusCode.Accepted, answer.Status);
        Assert.Equal("1.5.1.1", answer.Instances("ReferencedSOPSequence"));
        JsonElement failed = Assert.Single(answer.Items("FailedSOPSequence"), f => StoreAnswer.First(f, "ReferencedSOPInstanceUID") == "1.6.1.1");
        Assert.Equal($"{0xA900}", StoreAnswer.First(failed, "FailureReason"));
        JsonElement attribute = failed.GetProperty(Synthetic.Hex("FailedAttributesSequence")).GetProperty("Value")[0];
        Assert.Equal(Synthetic.Hex("StudyInstanceUID"), StoreAnswer.First(attribute, "SelectorAttribute"));
        Assert.Contains("not of the study", attribute.GetProperty("00000902").GetProperty("Value")[0].GetString(), StringComparison.Ordinal);
        Assert.Equal(4, answer.Items("OtherFailuresSequence").Length);
        Assert.All(answer.Items("OtherFailuresSequence"), o => Assert.Equal($"{0xC000}", StoreAnswer.First(o, "FailureReason")));
        Assert.All(answer.Items("OtherFailuresSequence"), o => Assert.True(o.TryGetProperty(Synthetic.Hex("FailedAttributesSequence"), out _)));
        Assert.Single(await HeldAsync(server, "1.5"));
        Assert.Empty(await HeldAsync(server, "1.6"));
    }

    [Fact]
    public async Task C_86_none_stored_is_409_by_conflict_400_by_syntax_and_503_out_of_resources()
    {
        await using WebServer server = await WebServer.StartAsync();
        Assert.Equal(HttpStatusCode.Conflict, (await StoreClient.PostAsync(server, "studies/1.7", File(1), "application/dicom")).Status);
        Assert.Equal(HttpStatusCode.BadRequest, (await StoreClient.PostAsync(server, "studies", "no DICOM"u8.ToArray(), "application/dicom")).Status);
        Assert.Equal(503, Results(StoreOutcomeKind.OutOfResources).Status);
        Assert.Equal(202, Results(StoreOutcomeKind.OutOfResources, StoreOutcomeKind.Stored).Status);
        Assert.Equal(409, Results(StoreOutcomeKind.RefusedByPolicy, StoreOutcomeKind.CannotUnderstand).Status);
        Assert.Equal(200, Results(StoreOutcomeKind.Duplicate, StoreOutcomeKind.Stored).Status);
        Assert.Equal(202, Results(StoreOutcomeKind.Quarantined).Status);

        static StoreResults Results(params StoreOutcomeKind[] kinds)
        {
            var results = new StoreResults();
            for (int i = 0; i < kinds.Length; i++) results.Add(i, new StoreOutcome { Kind = kinds[i], SopInstanceUid = "1.2", SopClassUid = "1.3" });
            return results;
        }
    }

    [Theory]
    [InlineData(StoreOutcomeKind.OutOfResources, 0xA700)]
    [InlineData(StoreOutcomeKind.DataSetMismatch, 0xA900)]
    [InlineData(StoreOutcomeKind.CannotUnderstand, 0xC000)]
    [InlineData(StoreOutcomeKind.RefusedDuplicate, 0x0111)]
    [InlineData(StoreOutcomeKind.RefusedByPolicy, 0x0124)]
    [InlineData(StoreOutcomeKind.Failed, 0x0110)]
    public void C_87_failure_reasons(StoreOutcomeKind kind, int reason) => Assert.Equal(reason, StoreResults.FailureOf(new StoreOutcome { Kind = kind }));

    [Theory]
    [InlineData(StoreWarning.Coerced, 0xB000)]
    [InlineData(StoreWarning.ElementsDiscarded, 0xB006)]
    [InlineData(StoreWarning.DoesNotMatchSopClass, 0xB007)]
    [InlineData(StoreWarning.None, 0)]
    public void C_87_warning_reasons(StoreWarning warning, int reason) => Assert.Equal(reason, StoreResults.WarningOf(new StoreOutcome { Kind = StoreOutcomeKind.Stored, Warning = warning }));

    [Fact]
    public async Task C_87_what_went_to_quarantine_is_told_with_a_warning_and_no_url()
    {
        await using WebServer server = await WebServer.StartAsync();
        await StoreClient.PostAsync(server, File(1));
        StoreAnswer answer = await StoreClient.PostAsync(server, File(1, "1.5", ("PatientComments", "other content")));
        Assert.Equal(HttpStatusCode.Accepted, answer.Status);
        JsonElement item = Assert.Single(answer.Items("ReferencedSOPSequence"));
        Assert.Equal($"{0xB000}", StoreAnswer.First(item, "WarningReason"));
        Assert.False(item.TryGetProperty(Synthetic.Hex("RetrieveURL"), out _));
    }

    [Theory]
    [InlineData("text/plain", HttpStatusCode.UnsupportedMediaType)]
    [InlineData("multipart/related; type=\"image/jpeg\"; boundary=x", HttpStatusCode.UnsupportedMediaType)]
    [InlineData("multipart/related; type=\"application/dicom\"", HttpStatusCode.BadRequest)]
    [InlineData("multipart/related; type=\"application/dicom\"; boundary=other", HttpStatusCode.BadRequest)]
    [InlineData(null, HttpStatusCode.UnsupportedMediaType)]
    public async Task C_86_a_request_that_cannot_be_read_is_refused_in_words(string? contentType, HttpStatusCode status)
    {
        await using WebServer server = await WebServer.StartAsync();
        StoreAnswer answer = await StoreClient.PostAsync(server, "studies", StoreClient.Body([("Content-Type: application/dicom", File(1))]), contentType!);
        Assert.Equal(status, answer.Status);
        Assert.NotEmpty(answer.Text);
        Assert.Empty(await HeldAsync(server, "1.5"));
    }

    [Fact]
    public async Task C_86_a_body_that_breaks_off_keeps_what_was_whole()
    {
        await using WebServer server = await WebServer.StartAsync();
        byte[] body = StoreClient.Body([("Content-Type: application/dicom", File(1)), ("Content-Type: application/dicom", File(2))]);
        StoreAnswer answer = await StoreClient.PostAsync(server, "studies", body[..^40]);
        Assert.Equal(HttpStatusCode.Accepted, answer.Status);
        Assert.Equal("1.5.1.1", answer.Instances("ReferencedSOPSequence"));
        Assert.Single(answer.Items("OtherFailuresSequence"));
        Assert.Single(await HeldAsync(server, "1.5"));
    }

    [Fact]
    public async Task C_86_limits_of_parts_and_bytes_are_413()
    {
        await using WebServer server = await WebServer.StartAsync(new WebOptions { Store = new StoreOptions { PartsMax = 2, RequestMaxBytes = 1024 * 1024 } });
        StoreAnswer parts = await StoreClient.PostAsync(server, File(1), File(2), File(3));
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, parts.Status);
        Assert.Contains("next", parts.Text, StringComparison.Ordinal);
        Assert.Equal(2, (await HeldAsync(server, "1.5")).Count);
        DataSet large = Synthetic.Instance("1.8", "1.8.1", "1.8.1.1");
        large.SetRaw(Synthetic.Tag("PixelData"), VR.OB, new byte[2 * 1024 * 1024]);
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, (await StoreClient.PostAsync(server, Synthetic.File(large))).Status);
        Assert.Empty(await HeldAsync(server, "1.8"));
    }

    [Theory]
    [InlineData("application/dicom+xml", "application/dicom+xml")]
    [InlineData("application/json;q=0.5, application/dicom+json;q=0.4", "application/json")]
    public async Task C_70_the_answer_is_json_or_xml_as_accepted(string accept, string type)
    {
        await using WebServer server = await WebServer.StartAsync();
        StoreAnswer answer = await StoreClient.PostAsync(server, "studies", File(1), "application/dicom", accept);
        Assert.Equal(type, answer.Type?.MediaType);
        if (type.EndsWith("xml", StringComparison.Ordinal)) Assert.Contains("<Value number=\"1\">1.5.1.1</Value>", answer.Text, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.NotAcceptable, (await StoreClient.PostAsync(server, "studies", File(2), "application/dicom", "image/png")).Status);
        Assert.Single(await HeldAsync(server, "1.5"));
    }
}
