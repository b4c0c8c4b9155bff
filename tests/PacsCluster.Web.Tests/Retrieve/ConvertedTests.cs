using System.Net;
using PacsCluster.Dicom;
using PacsCluster.Imaging;
using PacsCluster.Testing;

namespace PacsCluster.Web.Tests;

/// <summary>Pixels in another transfer syntax than they are stored in. DCMTK and GDCM are the judges.</summary>
public sealed class ConvertedTests
{
    private const string Native = "1.2.840.10008.1.2.1", Baseline = "1.2.840.10008.1.2.4.50", Jpeg2000 = "1.2.840.10008.1.2.4.90", Jpeg2000Lossy = "1.2.840.10008.1.2.4.91";
    private const string Ct = "pydicom/src/pydicom/data/test_files/CT_small.dcm";
    private const string Heart = "dcm4che/dcm4che-test-data/src/main/resources/NM-MONO2-16-13x-heart";
    private const string Color = "dcm4che/dcm4che-test-data/src/main/resources/US-RGB-8-esopecho";
    private const string LossyColor = "pydicom/src/pydicom/data/test_files/examples_ybr_color.dcm";
    private const string Samples = "multipart/related; type=\"application/octet-stream\"";

    [Theory]
    [InlineData("pydicom-data/data_store/data/emri_small_RLE.dcm", "dcmdrle")]
    [InlineData("pydicom-data/data_store/data/emri_small_jpeg_ls_lossless.dcm", "dcmdjpls")]
    [InlineData("pydicom-data/data_store/data/emri_small_jpeg_2k_lossless.dcm", "gdcmconv")]
    [InlineData("dicomParser/testImages/encapsulated/multi-frame/CT0012.fragmented_no_bot_jpeg_lossless.70.dcm", "dcmdjpeg")]
    [InlineData("pydicom-data/data_store/data/US1_J2KR.dcm", "gdcmconv")]
    // The lossy ones: two decoders need not agree in the last bits.
    [InlineData(LossyColor, "dcmdjpeg", 4)]
    public async Task C_70_C_81_octet_stream_is_decoded_as_foreign_decoders_do(string file, string judge, int tolerance = 0)
    {
        await using WebServer server = await WebServer.StartAsync();
        using var folder = new TempFolder();
        DataSet image = await StoreAsync(server, file);
        byte[] expected = await DecodeAsync(judge, Corpus.File(file), folder);
        int count = image.GetInt32(Tags.NumberOfFrames) ?? 1;
        List<Part> parts = await server.GetPartsAsync($"{Made.UrlOf(image)}/frames/{string.Join(',', Enumerable.Range(1, count))}", Samples);
        Assert.All(parts, part => Assert.Equal($"application/octet-stream; transfer-syntax={Native}", part.ContentType));
        Assert.Equal($"{server.Root}/{Made.UrlOf(image)}/frames/{count}", parts[^1].Location);
        byte[] got = [.. parts.SelectMany(p => p.Bytes)];
        // An odd number of bytes has one for padding.
        Assert.InRange(expected.Length - got.Length, 0, 1);
        int worst = 0;
        for (int i = 0; i < got.Length; i++) worst = Math.Max(worst, Math.Abs(got[i] - expected[i]));
        Assert.InRange(worst, 0, tolerance);

        // One alone, and ranges of it.
        string last = $"{Made.UrlOf(image)}/frames/{count}";
        Assert.Equal(parts[^1].Bytes, await server.GetBytesAsync(last, "application/octet-stream"));
        using HttpResponseMessage range = await server.GetAsync(last, "application/octet-stream", ("Range", "bytes=100-163"));
        Assert.Equal(HttpStatusCode.PartialContent, range.StatusCode);
        Assert.Equal(parts[^1].Bytes[100..164], await range.Content.ReadAsByteArrayAsync(TestContext.Current.CancellationToken));
        using HttpResponseMessage again = await server.GetAsync(last, "application/octet-stream", ("If-None-Match", range.Headers.ETag!.ToString()));
        Assert.Equal(HttpStatusCode.NotModified, again.StatusCode);
    }

    [Theory]
    [InlineData("image/jls", "1.2.840.10008.1.2.4.80", "dcmdjpls")]
    [InlineData("image/jp2", Jpeg2000, "gdcmconv")]
    [InlineData("image/dicom-rle", "1.2.840.10008.1.2.5", "dcmdrle")]
    public async Task C_70_C_71_C_81_pixels_are_compressed_without_loss_where_the_client_asks_and_foreign_decoders_get_them_back(string type, string uid, string judge)
    {
        await using WebServer server = await WebServer.StartAsync();
        foreach (string file in new[] { Heart, Ct, "pydicom-data/data_store/data/emri_small_RLE.dcm" })
        {
            using var folder = new TempFolder();
            DataSet image = await StoreAsync(server, file);
            string url = Made.UrlOf(image);
            byte[] converted = await server.GetBytesAsync(url, $"application/dicom; transfer-syntax={uid}");
            Assert.Equal(uid, Part10.ReadStart(converted).TransferSyntax.Uid);
            await File.WriteAllBytesAsync(folder.At("converted.dcm"), converted, TestContext.Current.CancellationToken);
            byte[] before = file.Contains("RLE", StringComparison.Ordinal) ? await DecodeAsync("dcmdrle", Corpus.File(file), folder) : PixelsOf(image);
            byte[] after = uid == image.Encoding.Uid ? before : await DecodeAsync(judge, folder.At("converted.dcm"), folder);
            Assert.True(before.AsSpan().SequenceEqual(after), $"{file} as {type}: other pixels");

            // The frames are those of the instance.
            var frames = new FrameReader(Part10.Read(converted).DataSet, uid);
            List<Part> parts = await server.GetPartsAsync($"{url}/frames/{string.Join(',', Enumerable.Range(1, frames.Count))}", $"multipart/related; type=\"{type}\"");
            Assert.Equal(frames.Count, parts.Count);
            for (int i = 0; i < parts.Count; i++)
            {
                Assert.Equal($"{type}; transfer-syntax={uid}", parts[i].ContentType);
                ReadOnlySpan<byte> whole = frames.Read(i).Span;
                Assert.InRange(whole.Length - parts[i].Bytes.Length, 0, 1);
                Assert.True(whole[..parts[i].Bytes.Length].SequenceEqual(parts[i].Bytes), $"{file} as {type}: frame {i + 1}");
            }
        }
    }

    [Fact]
    public async Task C_71_lossy_is_made_only_when_it_is_named_comes_behind_lossless_and_is_never_made_from_lossy()
    {
        await using WebServer server = await WebServer.StartAsync();
        string native = Made.UrlOf(await StoreAsync(server, Color)), lossy = Made.UrlOf(await StoreAsync(server, LossyColor));
        foreach (string accept in new[] { "image/jpeg", "image/jpeg; transfer-syntax=*" }) await server.ProblemAsync(HttpStatusCode.NotAcceptable, native + "/frames/1", accept);
        byte[] jpeg = await server.GetBytesAsync(native + "/frames/1", $"image/jpeg; transfer-syntax={Baseline}");
        Assert.True(jpeg.AsSpan().StartsWith((ReadOnlySpan<byte>)[0xFF, 0xD8, 0xFF]));
        DataSet asked = Part10.Read(await server.GetBytesAsync(native, $"application/dicom; transfer-syntax={Baseline}")).DataSet;
        Assert.Equal("01", asked.GetString(Tags.LossyImageCompression));
        byte[] both = await server.GetBytesAsync(native, $"application/dicom; transfer-syntax={Baseline}, application/dicom; transfer-syntax={Jpeg2000}");
        Assert.Equal(Jpeg2000, Part10.ReadStart(both).TransferSyntax.Uid);

        Assert.Contains("transfer-syntax=" + Baseline, await server.ProblemAsync(HttpStatusCode.NotAcceptable, lossy + "/frames/1", $"image/jp2; transfer-syntax={Jpeg2000Lossy}"), StringComparison.Ordinal);
        await server.ProblemAsync(HttpStatusCode.NotAcceptable, lossy, $"application/dicom; transfer-syntax={Jpeg2000Lossy}");
        // What was lossy once may be kept without further loss.
        byte[] kept = await server.GetBytesAsync(lossy, $"application/dicom; transfer-syntax={Jpeg2000}");
        Assert.Equal("01", Part10.Read(kept).DataSet.GetString(Tags.LossyImageCompression));
        Assert.NotEmpty(await server.GetBytesAsync(lossy + "/frames/30", "image/jp2"));
    }

    [Fact]
    public async Task C_71_pixels_that_the_asked_encoding_cannot_hold_are_406_in_words_before_anything_is_sent()
    {
        await using WebServer server = await WebServer.StartAsync();
        string ct = Made.UrlOf(await StoreAsync(server, Ct));
        foreach ((string resource, string accept) in new[]
        {
            ("/frames/1", $"image/jpeg; transfer-syntax={Baseline}"), ("/frames/1", $"multipart/related; type=\"image/jpeg\"; transfer-syntax={Baseline}"), ("", $"application/dicom; transfer-syntax={Baseline}"),
        })
        {
            Assert.Contains("8 bits", await server.ProblemAsync(HttpStatusCode.NotAcceptable, ct + resource, accept), StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("pydicom-data/data_store/data/emri_small_RLE.dcm", "dcmdrle")]
    [InlineData("pydicom-data/data_store/data/emri_small_jpeg_ls_lossless.dcm", "dcmdjpls")]
    [InlineData("pydicom-data/data_store/data/US1_J2KR.dcm", "gdcmconv")]
    public async Task C_82_pixeldata_is_one_part_of_samples_where_samples_are_asked_for(string file, string judge)
    {
        await using WebServer server = await WebServer.StartAsync();
        using var folder = new TempFolder();
        DataSet image = await StoreAsync(server, file);
        byte[] expected = await DecodeAsync(judge, Corpus.File(file), folder);
        string url = Made.UrlOf(image);
        foreach (string resource in new[] { url + "/pixeldata", url + "/bulkdata/7FE00010", url[..url.IndexOf("/instances", StringComparison.Ordinal)] + "/pixeldata", url[..url.IndexOf("/series", StringComparison.Ordinal)] + "/pixeldata" })
        {
            Part part = Assert.Single(await server.GetPartsAsync(resource, Samples));
            Assert.Equal($"application/octet-stream; transfer-syntax={Native}", part.ContentType);
            Assert.Equal($"{server.Root}/{url}/bulkdata/7FE00010", part.Location);
            Assert.True(expected.AsSpan(0, part.Bytes.Length).SequenceEqual(part.Bytes) && expected.Length - part.Bytes.Length is 0 or 1, resource);
        }
        using HttpResponseMessage alone = await server.GetAsync(url + "/pixeldata", "application/octet-stream");
        Assert.Equal($"application/octet-stream; transfer-syntax={Native}", alone.Content.Headers.ContentType!.ToString());
        byte[] bytes = await alone.Content.ReadAsByteArrayAsync(TestContext.Current.CancellationToken);
        Assert.True(expected.AsSpan(0, bytes.Length).SequenceEqual(bytes));
        using HttpResponseMessage again = await server.GetAsync(url + "/pixeldata", "application/octet-stream", ("If-None-Match", alone.Headers.ETag!.ToString()));
        Assert.Equal(HttpStatusCode.NotModified, again.StatusCode);
        // As stored for who takes it: another answer with another tag.
        using HttpResponseMessage stored = await server.GetAsync(url + "/pixeldata", "multipart/related; type=\"application/octet-stream\"; transfer-syntax=*");
        Assert.NotEqual(alone.Headers.ETag, stored.Headers.ETag);
    }

    [Fact]
    public async Task C_82_pixeldata_of_a_study_comes_compressed_a_part_for_each_frame_whatever_it_is_stored_in()
    {
        await using WebServer server = await WebServer.StartAsync();
        string study = Made.NewUid();
        Dictionary<string, byte[]> frames = [];
        foreach (string file in new[] { Ct, Heart, "pydicom-data/data_store/data/emri_small_RLE.dcm", "pydicom-data/data_store/data/MR2_J2KR.dcm" })
        {
            DataSet image = Part10.Read(await File.ReadAllBytesAsync(Corpus.File(file), TestContext.Current.CancellationToken)).DataSet;
            image.Set(Tags.StudyInstanceUID, study);
            await server.StoreAsync(Made.File(image, image.Encoding));
            for (int frame = 1; frame <= (image.GetInt32(Tags.NumberOfFrames) ?? 1); frame++)
                frames[$"{server.Root}/{Made.UrlOf(image)}/frames/{frame}"] = await server.GetBytesAsync($"{Made.UrlOf(image)}/frames/{frame}", "image/jls");
        }
        foreach (string resource in new[] { "pixeldata", "bulkdata" })
        {
            List<Part> parts = await server.GetPartsAsync($"studies/{study}/{resource}", "multipart/related; type=\"image/jls\"");
            List<Part> pixels = parts.FindAll(p => p.ContentType.StartsWith("image/", StringComparison.Ordinal));
            Assert.Equal(frames.Keys.Order(), pixels.Select(p => p.Location!).Order());
            foreach (Part part in pixels)
            {
                Assert.Equal("image/jls; transfer-syntax=1.2.840.10008.1.2.4.80", part.ContentType);
                Assert.Equal(frames[part.Location!], part.Bytes);
            }
        }
        string heart = frames.Keys.Single(f => f.EndsWith("/frames/13", StringComparison.Ordinal));
        Assert.NotEmpty(await server.GetPartsAsync(heart.Replace("frames/13", "pixeldata", StringComparison.Ordinal), $"multipart/related; type=\"image/jp2\"; transfer-syntax={Jpeg2000}"));
        // Thirteen codestreams are no single part, and lossy ones nobody named.
        Assert.Contains("application/octet-stream", await server.ProblemAsync(HttpStatusCode.NotAcceptable, heart.Replace("frames/13", "pixeldata", StringComparison.Ordinal), "image/jls"), StringComparison.Ordinal);
        await server.ProblemAsync(HttpStatusCode.NotAcceptable, $"studies/{study}/pixeldata", "multipart/related; type=\"image/jpeg\"");
        // What the encoding cannot hold is known before anything is sent.
        Assert.Contains("8 bits", await server.ProblemAsync(HttpStatusCode.NotAcceptable, heart.Replace("frames/13", "pixeldata", StringComparison.Ordinal), $"multipart/related; type=\"image/jpeg\"; transfer-syntax={Baseline}"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task C_81_C_82_deflated_frames_come_inflated_single_bits_run_on_in_pixeldata_and_begin_at_a_byte_as_frames()
    {
        await using WebServer server = await WebServer.StartAsync();
        const string deflated = "1.2.840.10008.1.2.8.1";
        DataSet words = Made.Image(Made.NewUid(), Made.NewUid(), rows: 16, columns: 16);
        byte[][] samples = [.. Enumerable.Range(0, 3).Select(_ => System.Security.Cryptography.RandomNumberGenerator.GetBytes(512))];
        words.Set(Tags.NumberOfFrames, 3);
        byte[][] stored = [.. samples.Select(Deflate)];
        await server.StoreAsync(Made.Encapsulated(words, deflated, stored));
        string url = Made.UrlOf(words);
        foreach (string? accept in new[] { Samples, null, "*/*" })
            Assert.Equal([samples[2], samples[0]], (await server.GetPartsAsync(url + "/frames/3,1", accept)).Select(p => p.Bytes));
        Assert.Equal(samples[1], await server.GetBytesAsync(url + "/frames/2", "application/octet-stream"));
        Assert.Equal(samples.SelectMany(s => s), await server.GetBytesAsync(url + "/pixeldata", "application/octet-stream"));
        Part asStored = Assert.Single(await server.GetPartsAsync(url + "/frames/2", "multipart/related; type=\"application/octet-stream\"; transfer-syntax=*"));
        Assert.Equal($"application/octet-stream; transfer-syntax={deflated}", asStored.ContentType);
        Assert.Equal(stored[1], asStored.Bytes[..stored[1].Length]);

        // 15 bits a frame: behind each other in pixeldata, each from bit 0 alone.
        DataSet bits = Made.Image(Made.NewUid(), Made.NewUid(), rows: 5, columns: 3);
        foreach ((Tag tag, int value) in new[] { (Tags.BitsAllocated, 1), (Tags.BitsStored, 1), (Tags.HighBit, 0), (Tags.NumberOfFrames, 3) }) bits.Set(tag, value);
        byte[][] cells = [[0xFF, 0x7F], [0x55, 0x2A], [0x01, 0x40]];
        await server.StoreAsync(Made.Encapsulated(bits, deflated, [.. cells.Select(Deflate)]));
        Assert.Equal(cells, (await server.GetPartsAsync(Made.UrlOf(bits) + "/frames/1,2,3", Samples)).Select(p => p.Bytes));
        ulong run = 0x7FFFUL | 0x2A55UL << 15 | 0x4001UL << 30;
        Assert.Equal(BitConverter.GetBytes(run)[..6], await server.GetBytesAsync(Made.UrlOf(bits) + "/pixeldata", "application/octet-stream"));

        static byte[] Deflate(byte[] bytes)
        {
            using var packed = new MemoryStream();
            using (var deflate = new System.IO.Compression.DeflateStream(packed, System.IO.Compression.CompressionLevel.Optimal)) deflate.Write(bytes);
            return packed.ToArray();
        }
    }

    [Fact]
    public async Task C_71_a_study_of_many_transfer_syntaxes_comes_uncompressed_and_what_is_lossy_as_it_is()
    {
        await using WebServer server = await WebServer.StartAsync();
        using var folder = new TempFolder();
        string study = Made.NewUid();
        Dictionary<string, string> stored = [];
        foreach (string file in new[] { Ct, "pydicom-data/data_store/data/emri_small_RLE.dcm", "pydicom-data/data_store/data/MR2_J2KR.dcm", LossyColor })
        {
            DataSet image = Part10.Read(await File.ReadAllBytesAsync(Corpus.File(file), TestContext.Current.CancellationToken)).DataSet;
            image.Set(Tags.StudyInstanceUID, study);
            await server.StoreAsync(Made.File(image, image.Encoding));
            stored[$"{server.Root}/{Made.UrlOf(image)}"] = image.Encoding.Uid;
        }
        List<Part> parts = await server.GetPartsAsync($"studies/{study}");
        Assert.Equal(stored.Keys.Order(), parts.Select(p => p.Location!).Order());
        foreach (Part part in parts)
        {
            string expected = stored[part.Location!] == Baseline ? Baseline : Native;
            Assert.Equal($"application/dicom; transfer-syntax={expected}", part.ContentType);
            await File.WriteAllBytesAsync(folder.At("one.dcm"), part.Bytes, TestContext.Current.CancellationToken);
            ToolResult dump = await Tool.RunAsync("dcmdump", [folder.At("one.dcm")]);
            Assert.True(dump.ExitCode == 0 && !dump.Output.Contains("W: ", StringComparison.Ordinal), dump.Output);
        }
        List<Part> asStored = await server.GetPartsAsync($"studies/{study}", "multipart/related; type=\"application/dicom\"; transfer-syntax=*");
        Assert.All(asStored, part => Assert.Equal($"application/dicom; transfer-syntax={stored[part.Location!]}", part.ContentType));
    }

    private static async Task<DataSet> StoreAsync(WebServer server, string file)
    {
        byte[] bytes = await File.ReadAllBytesAsync(Corpus.File(file), TestContext.Current.CancellationToken);
        await server.StoreAsync(bytes);
        return Part10.Read(bytes).DataSet;
    }

    /// <summary>The pixel data that a foreign program makes of a file.</summary>
    private static async Task<byte[]> DecodeAsync(string judge, string file, TempFolder folder)
    {
        string[] options = judge switch { "gdcmconv" => ["--raw"], "dcmdjpeg" => ["+px"], _ => [] };
        ToolResult done = await Tool.RunAsync(judge, [.. options, file, folder.At("decoded.dcm")], timeoutSeconds: 300);
        Assert.True(done.ExitCode == 0, done.Output);
        return PixelsOf(Part10.Read(await File.ReadAllBytesAsync(folder.At("decoded.dcm"), TestContext.Current.CancellationToken)).DataSet);
    }

    private static byte[] PixelsOf(DataSet image)
    {
        Assert.True(image.TryGet(Tags.PixelData, out DataElement pixels) && !pixels.HasUndefinedLength);
        return pixels.LittleEndianValue.ToArray();
    }
}
