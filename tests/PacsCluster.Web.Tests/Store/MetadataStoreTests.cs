using System.Net;
using System.Text;
using System.Text.Json;
using PacsCluster.Catalog;
using PacsCluster.Dicom;
using PacsCluster.Engine;
using PacsCluster.Testing;

namespace PacsCluster.Web.Tests.Store;

public sealed class MetadataStoreTests
{
    private const string Json = $"multipart/related; type=\"application/dicom+json\"; boundary={StoreClient.Boundary}";
    private const string Xml = $"multipart/related; type=\"application/dicom+xml\"; boundary={StoreClient.Boundary}";

    private static string Metadata(DataSet dataSet, Func<JsonBulkValue, string?> uri)
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream, JsonModel.WriterOptions)) JsonModel.Write(json, dataSet, new JsonWriteOptions { BulkDataUri = uri });
        return Encoding.UTF8.GetString(stream.ToArray());
    }

    private static async Task<(InstanceLocation Location, DataSet DataSet)> GetAsync(WebServer server, string instance)
    {
        await foreach (InstanceLocation one in server.Catalog.LocateAsync(new LocateRequest { SopInstanceUids = [instance] }))
        {
            TransferSyntax encoding = TransferSyntax.FromUid(one.TransferSyntaxUid);
            await using RetrievedInstance got = await server.Archive.Retrieve.OpenAsync(one, encoding, CancellationToken.None);
            using var bytes = new MemoryStream();
            await got.DataSet.CopyToAsync(bytes);
            return (one, DataSet.Read(bytes.ToArray(), encoding));
        }
        throw new InvalidOperationException($"{instance} is not there");
    }

    [Theory]
    [InlineData(Json, "http://any/where/bulk/1", "http://any/where/bulk/1", 1000)]
    [InlineData(Json, "bulk/1", "http://service/dicom-web/bulk/1", 1_000_001)]
    [InlineData(Xml, "cid:pixels@here", null, 1000)]
    public async Task C_86_metadata_with_octet_stream_bulk_is_the_instance_it_describes(string type, string uri, string? location, int length)
    {
        await using WebServer server = await WebServer.StartAsync();
        byte[] pixels = new byte[length];
        new Random(1).NextBytes(pixels);
        DataSet dataSet = Synthetic.Instance("1.5", "1.5.1", "1.5.1.1", ("PatientName", "Müller^Jürgen=山田"), ("PatientID", "P"));
        dataSet.SetRaw(Synthetic.Tag("PixelData"), VR.OB, pixels);
        byte[] metadata;
        if (type == Json) metadata = Encoding.UTF8.GetBytes($"[{Metadata(dataSet, b => b.Tag == Synthetic.Tag("PixelData") ? uri : null)}]");
        else
        {
            using var xml = new MemoryStream();
            NativeModel.Write(xml, dataSet, new JsonWriteOptions { BulkDataUri = b => b.Tag == Synthetic.Tag("PixelData") ? uri : null });
            metadata = xml.ToArray();
        }
        byte[] body = StoreClient.Body([($"Content-Type: application/dicom+{(type == Json ? "json" : "xml")}", metadata),
            ($"Content-Type: application/octet-stream\n{(location is null ? "Content-ID: <pixels@here>" : $"Content-Location: {location}")}", pixels)]);
        StoreAnswer answer = await StoreClient.PostAsync(server, "studies/1.5", body, type);
        Assert.True(answer.Status == HttpStatusCode.OK, answer.Text);
        (_, DataSet got) = await GetAsync(server, "1.5.1.1");
        Assert.True(got.TryGet(Synthetic.Tag("PixelData"), out DataElement element));
        Assert.Equal(pixels, element.RawValue[..length].ToArray());
        dataSet.SetRaw(Synthetic.Tag("PixelData"), VR.OB, length % 2 == 0 ? pixels : [.. pixels, 0]);
        Assert.Equal(dataSet.ToArray(), got.ToArray());
    }

    [Fact]
    public async Task C_86_jpeg_bulk_becomes_encapsulated_pixel_data_that_DCMTK_decodes_and_its_frame_header_fills_in_what_metadata_leaves_out()
    {
        await using WebServer server = await WebServer.StartAsync();
        using var folder = new TempFolder();
        string source = Corpus.File("codecs/Tests/Acceptance/PM5644-960x540_JPEG-Baseline_YBR422.dcm");
        (_, DataSet jpeg) = Part10.Read(await File.ReadAllBytesAsync(source, TestContext.Current.CancellationToken));
        Assert.True(jpeg.TryGet(Synthetic.Tag("PixelData"), out DataElement encapsulated));
        byte[] value = encapsulated.RawValue.ToArray();
        int start = value.AsSpan().IndexOf((ReadOnlySpan<byte>)[0xFF, 0xD8, 0xFF]);
        byte[] picture = value[start..(value.AsSpan().LastIndexOf((ReadOnlySpan<byte>)[0xFF, 0xD9]) + 2)];
        DataSet metadata = Synthetic.Instance("1.5", "1.5.1", "1.5.1.1", ("PatientID", "P"));
        foreach (string keyword in (string[])["PixelData", "SamplesPerPixel", "PhotometricInterpretation", "Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation"]) metadata.Remove(Synthetic.Tag(keyword));
        string json = Metadata(metadata, _ => null)[..^1] + ",\"7FE00010\":{\"vr\":\"OB\",\"BulkDataURI\":\"frame\"}}";
        byte[] body = StoreClient.Body([("Content-Type: application/dicom+json", Encoding.UTF8.GetBytes(json)), ("Content-Type: image/jpeg\nContent-Location: frame", picture)]);
        StoreAnswer answer = await StoreClient.PostAsync(server, "studies", body, Json);
        Assert.True(answer.Status == HttpStatusCode.OK, answer.Text);
        (InstanceLocation location, DataSet got) = await GetAsync(server, "1.5.1.1");
        Assert.Equal("1.2.840.10008.1.2.4.50", location.TransferSyntaxUid);
        Assert.Equal(jpeg.GetInt32(Synthetic.Tag("Rows")), got.GetInt32(Synthetic.Tag("Rows")));
        Assert.Equal(3, got.GetInt32(Synthetic.Tag("SamplesPerPixel")));
        string file = folder.At("got.dcm");
        await File.WriteAllBytesAsync(file, Synthetic.File(got, TransferSyntax.FromUid(location.TransferSyntaxUid)), TestContext.Current.CancellationToken);
        ToolResult decoded = await Tool.RunAsync("dcmdjpeg", [file, folder.At("decoded.dcm")]);
        Assert.True(decoded.ExitCode == 0, decoded.Output);
    }

    [Theory]
    [InlineData("video/mp4", "1.2.840.10008.1.2.4.102")]
    [InlineData("video/mp4; transfer-syntax=1.2.840.10008.1.2.4.106", "1.2.840.10008.1.2.4.106")]
    [InlineData("video/mpeg2", "1.2.840.10008.1.2.4.100")]
    public async Task C_86_video_bulk_becomes_encapsulated_pixel_data_and_comes_back_as_it_was(string type, string transferSyntax)
    {
        await using WebServer server = await WebServer.StartAsync();
        DataSet metadata = Synthetic.Instance("1.5", "1.5.1", "1.5.1.2", ("PatientID", "P"), ("NumberOfFrames", "250"));
        metadata.Remove(Synthetic.Tag("PixelData"));
        string json = Metadata(metadata, _ => null)[..^1] + ",\"7FE00010\":{\"vr\":\"OB\",\"BulkDataURI\":\"film\"}}";
        byte[] video = System.Security.Cryptography.RandomNumberGenerator.GetBytes(300_000);
        byte[] body = StoreClient.Body([("Content-Type: application/dicom+json", Encoding.UTF8.GetBytes(json)), ($"Content-Type: {type}\nContent-Location: film", video)]);
        StoreAnswer answer = await StoreClient.PostAsync(server, "studies", body, Json);
        Assert.True(answer.Status == HttpStatusCode.OK, answer.Text);
        (InstanceLocation location, _) = await GetAsync(server, "1.5.1.2");
        Assert.Equal(transferSyntax, location.TransferSyntaxUid);
        Assert.Equal(video, await server.GetBytesAsync("studies/1.5/series/1.5.1/instances/1.5.1.2/pixeldata", type.Split(';')[0]));
    }

    [Fact]
    public async Task C_86_a_pdf_and_a_value_within_a_sequence_come_from_their_parts()
    {
        await using WebServer server = await WebServer.StartAsync();
        const string json = """
            {"00080016":{"vr":"UI","Value":["1.2.840.10008.5.1.4.1.1.104.1"]},"00080018":{"vr":"UI","Value":["1.5.1.9"]},"0020000D":{"vr":"UI","Value":["1.5"]},
             "0020000E":{"vr":"UI","Value":["1.5.1"]},"00100010":{"vr":"PN","Value":[{"Alphabetic":"A^B"}]},"00100020":{"vr":"LO","Value":["P"]},
             "00420012":{"vr":"LO","Value":["application/pdf"]},"00420011":{"vr":"OB","BulkDataURI":"doc"},
             "00081115":{"vr":"SQ","Value":[{"00081199":{"vr":"SQ","Value":[{"00420011":{"vr":"OB","BulkDataURI":"inner"}}]}}]}}
            """;
        byte[] body = StoreClient.Body([("Content-Type: application/dicom+json", Encoding.UTF8.GetBytes(json)), ("Content-Type: application/pdf\nContent-Location: doc", "%PDF-1.4 x"u8.ToArray()),
            ("Content-Type: application/octet-stream\nContent-Location: inner", [1, 2, 3, 4])]);
        StoreAnswer answer = await StoreClient.PostAsync(server, "studies", body, Json);
        Assert.True(answer.Status == HttpStatusCode.OK, answer.Text);
        (_, DataSet got) = await GetAsync(server, "1.5.1.9");
        Assert.True(got.TryGet(Synthetic.Tag("EncapsulatedDocument"), out DataElement pdf));
        Assert.Equal("%PDF-1.4 x"u8.ToArray(), pdf.RawValue.ToArray());
        DataSet inner = got.GetItems(new Tag(0x0008_1115))[0].GetItems(new Tag(0x0008_1199))[0];
        Assert.True(inner.TryGet(Synthetic.Tag("EncapsulatedDocument"), out DataElement nested));
        Assert.Equal([1, 2, 3, 4], nested.RawValue.ToArray());
    }

    [Fact]
    public async Task C_87_metadata_whose_bulk_data_is_missing_fails_by_its_attribute_and_the_others_are_stored()
    {
        await using WebServer server = await WebServer.StartAsync();
        DataSet whole = Synthetic.Instance("1.5", "1.5.1", "1.5.1.1", ("PatientID", "P")), lacking = Synthetic.Instance("1.5", "1.5.1", "1.5.1.2", ("PatientID", "P"));
        string json = $"[{Metadata(whole, _ => null)},{Metadata(lacking, b => b.Tag == Synthetic.Tag("PixelData") ? "nowhere" : null)}]";
        StoreAnswer answer = await StoreClient.PostAsync(server, "studies", Encoding.UTF8.GetBytes(json), "application/dicom+json");
        Assert.Equal(HttpStatusCode.Accepted, answer.Status);
        Assert.Equal("1.5.1.1", answer.Instances("ReferencedSOPSequence"));
        JsonElement failed = Assert.Single(answer.Items("FailedSOPSequence"));
        Assert.Equal("1.5.1.2", StoreAnswer.First(failed, "ReferencedSOPInstanceUID"));
        Assert.Equal("7FE00010", StoreAnswer.First(failed.GetProperty(Synthetic.Hex("FailedAttributesSequence")).GetProperty("Value")[0], "SelectorAttribute"));
    }

    [Theory]
    [InlineData("{\"00080018\":")]
    [InlineData("[{\"00080018\":{\"vr\":\"ZZ\"}}]")]
    [InlineData("<NativeDicomModel>")]
    public async Task C_86_metadata_that_is_none_is_400(string metadata)
    {
        await using WebServer server = await WebServer.StartAsync();
        StoreAnswer answer = await StoreClient.PostAsync(server, "studies", Encoding.UTF8.GetBytes(metadata), metadata[0] == '<' ? "application/dicom+xml" : "application/dicom+json");
        Assert.Equal(HttpStatusCode.BadRequest, answer.Status);
        Assert.Single(answer.Items("OtherFailuresSequence"));
    }

    [Fact]
    public async Task C_86_temporary_files_of_large_bulk_data_are_gone_after_the_request()
    {
        using var folder = new TempFolder();
        await using WebServer server = await WebServer.StartAsync(new WebOptions { Store = new StoreOptions { BulkInMemoryBytes = 0, TempFolder = folder.Path } });
        DataSet dataSet = Synthetic.Instance("1.5", "1.5.1", "1.5.1.1", ("PatientID", "P"));
        byte[] body = StoreClient.Body([("Content-Type: application/dicom+json", Encoding.UTF8.GetBytes(Metadata(dataSet, b => b.Tag == Synthetic.Tag("PixelData") ? "x" : null))),
            ("Content-Type: application/octet-stream\nContent-Location: x", new byte[100_000])]);
        Assert.Equal(HttpStatusCode.OK, (await StoreClient.PostAsync(server, "studies", body, Json)).Status);
        Assert.Empty(Directory.GetFiles(folder.Path));
    }
}
