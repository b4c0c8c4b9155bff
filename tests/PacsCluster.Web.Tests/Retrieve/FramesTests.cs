using System.Net;
using System.Security.Cryptography;
using System.Text.Json;
using PacsCluster.Dicom;
using PacsCluster.Testing;

namespace PacsCluster.Web.Tests;

public sealed class FramesTests
{
    private const string Any = "multipart/related; type=application/octet-stream; transfer-syntax=*";

    [Fact]
    public async Task C_81_frames_come_in_the_order_of_the_request_with_duplicates()
    {
        await using WebServer server = await WebServer.StartAsync();
        (DataSet image, byte[][] frames) = MultiFrame(5);
        await server.StoreAsync(Made.File(image));
        string url = Made.UrlOf(image);
        List<Part> parts = await server.GetPartsAsync(url + "/frames/3,1,1,5");
        Assert.Equal([frames[2], frames[0], frames[0], frames[4]], parts.Select(p => p.Bytes));
        Assert.Equal($"{server.Root}/{url}/frames/3", parts[0].Location);
        Assert.Equal("application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1", parts[0].ContentType);
        Assert.Equal(frames[3], await server.GetBytesAsync(url + "/frames/4", "application/octet-stream"));
        using HttpResponseMessage range = await server.GetAsync(url + "/frames/4", "application/octet-stream", ("Range", "bytes=2-5"));
        Assert.Equal(frames[3][2..6], await range.Content.ReadAsByteArrayAsync(TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task C_81_frames_out_of_range_and_lists_that_are_none()
    {
        await using WebServer server = await WebServer.StartAsync();
        (DataSet image, _) = MultiFrame(5);
        await server.StoreAsync(Made.File(image));
        string url = Made.UrlOf(image) + "/frames/";
        foreach (string list in new[] { "0", "1,0", "-1", "a", "1,,2", "1.5", "99999999999" }) await server.ProblemAsync(HttpStatusCode.BadRequest, url + list);
        Assert.Contains("the instance has 5", await server.ProblemAsync(HttpStatusCode.NotFound, url + "5,6"), StringComparison.Ordinal);
        Assert.Contains("transfer-syntax=1.2.840.10008.1.2.1", await server.ProblemAsync(HttpStatusCode.NotAcceptable, url + "1", "image/jpeg"), StringComparison.Ordinal);
        DataSet report = Made.Image(Made.NewUid(), Made.NewUid());
        report.Remove(Tags.PixelData);
        await server.StoreAsync(Made.File(report));
        await server.ProblemAsync(HttpStatusCode.NotFound, Made.UrlOf(report) + "/frames/1");
    }

    [Fact]
    public async Task C_81_fragments_are_put_together_by_the_extended_and_by_the_basic_offset_table()
    {
        await using WebServer server = await WebServer.StartAsync();
        const string jpeg2000 = "1.2.840.10008.1.2.4.90";
        byte[][] frames = [.. new[] { 102, 64, 34 }.Select(length => (byte[])[0xFF, 0x4F, 0xFF, 0x51, .. RandomNumberGenerator.GetBytes(length - 4)])];
        // Extended: one fragment a frame.
        DataSet extended = Made.Image(Made.NewUid(), Made.NewUid());
        extended.Set(Tags.NumberOfFrames, 3);
        extended.SetRaw(new Tag(0x7FE00001), VR.OV, (byte[])[.. new ulong[] { 0, 110, 182 }.SelectMany(BitConverter.GetBytes)]);
        extended.SetRaw(new Tag(0x7FE00002), VR.OV, (byte[])[.. frames.SelectMany(f => BitConverter.GetBytes((ulong)f.Length))]);
        await server.StoreAsync(Made.Encapsulated(extended, jpeg2000, frames));
        Assert.Equal([frames[2], frames[0], frames[1]], (await server.GetPartsAsync(Made.UrlOf(extended) + "/frames/3,1,2", "multipart/related; type=\"image/jp2\"")).Select(p => p.Bytes));
        // Basic: the second frame in two fragments.
        DataSet basic = Made.Image(Made.NewUid(), Made.NewUid());
        basic.Set(Tags.NumberOfFrames, 3);
        await server.StoreAsync(Made.Encapsulated(basic, jpeg2000, [frames[0], frames[1][..20], frames[1][20..], frames[2]], 0, 110, 190));
        Assert.Equal([frames[1]], (await server.GetPartsAsync(Made.UrlOf(basic) + "/frames/2", "multipart/related; type=\"image/jp2\"")).Select(p => p.Bytes));
        Assert.Equal(frames[2], await server.GetBytesAsync(Made.UrlOf(basic) + "/frames/3", "image/jp2"));
    }

    [Fact]
    public async Task C_81_frames_of_single_bits_begin_at_a_byte()
    {
        await using WebServer server = await WebServer.StartAsync();
        // 5 x 3 pixels: 15 bits a frame, the second begins at bit 7 of the second byte.
        DataSet image = Made.Image(Made.NewUid(), Made.NewUid(), rows: 5, columns: 3);
        byte[] packed = RandomNumberGenerator.GetBytes(6);
        foreach ((Tag tag, int value) in new[] { (Tags.BitsAllocated, 1), (Tags.BitsStored, 1), (Tags.HighBit, 0), (Tags.NumberOfFrames, 3) }) image.Set(tag, value);
        image.SetRaw(Tags.PixelData, VR.OB, packed);
        await server.StoreAsync(Made.File(image));
        List<Part> parts = await server.GetPartsAsync(Made.UrlOf(image) + "/frames/1,2,3");
        for (int frame = 0; frame < 3; frame++)
        {
            Assert.Equal(2, parts[frame].Bytes.Length);
            for (int i = 0; i < 15; i++) Assert.Equal(Bit(packed, frame * 15 + i), Bit(parts[frame].Bytes, i));
        }

        static int Bit(byte[] bytes, int i) => bytes[i / 8] >> (i % 8) & 1;
    }

    [Fact]
    public async Task C_81_big_endian_and_deflated_samples_come_in_little_endian()
    {
        await using WebServer server = await WebServer.StartAsync();
        foreach (TransferSyntax target in new[] { TransferSyntax.ExplicitVRBigEndian, TransferSyntax.DeflatedExplicitVRLittleEndian })
        {
            (DataSet image, byte[][] frames) = MultiFrame(3);
            byte[] document = RandomNumberGenerator.GetBytes(100_000);
            image.SetRaw(new Tag(0x00420011), VR.OB, document);
            using var source = new MemoryStream(image.ToArray());
            using var converted = new MemoryStream();
            await DataSetTranscoder.Convert(source, TransferSyntax.ExplicitVRLittleEndian, target).CopyToAsync(converted, TestContext.Current.CancellationToken);
            byte[] fileMeta = Part10.BuildFileMeta(target, Made.CT, image.GetString(Tags.SOPInstanceUID)!);
            await server.StoreAsync([.. fileMeta, .. converted.ToArray()]);
            string url = Made.UrlOf(image);
            Assert.Equal([frames[2], frames[0]], (await server.GetPartsAsync(url + "/frames/3,1")).Select(p => p.Bytes));
            Assert.Equal(document, await server.GetBytesAsync(url + "/bulkdata/00420011"));
            Assert.Equal(frames.SelectMany(f => f), await server.GetBytesAsync(url + "/bulkdata/7FE00010"));
        }
    }

    /// <summary>pydicom is the judge: the corpus' frames, however many fragments and whatever offset tables, have its digests.</summary>
    [Fact]
    public async Task C_81_every_frame_of_the_corpus_is_what_pydicom_finds()
    {
        if (Tool.Find("/usr/bin/python3") is null) throw Missing.Because("python3 is not installed");
        IReadOnlyList<string> files = Corpus.Files();
        using var folder = new TempFolder();
        await File.WriteAllLinesAsync(folder.At("files.txt"), files, TestContext.Current.CancellationToken);
        ToolResult judged = await Tool.RunAsync("/usr/bin/python3", [Path.Combine(AppContext.BaseDirectory, "Retrieve", "frames_judge.py"), folder.At("files.txt"), folder.At("frames.json")], timeoutSeconds: 300);
        Assert.True(judged.ExitCode == 0, judged.Output);
        using JsonDocument expected = JsonDocument.Parse(await File.ReadAllBytesAsync(folder.At("frames.json"), TestContext.Current.CancellationToken));
        await using WebServer server = await WebServer.StartAsync();
        int compared = 0, frames = 0;
        List<string> wrong = [];
        foreach (JsonProperty one in expected.RootElement.EnumerateObject())
        {
            string[] digests = [.. one.Value.GetProperty("frames").EnumerateArray().Select(e => e.GetString()!)];
            // What breaks off within its pixels is refused; pydicom gives what there is of it.
            if (!(await server.TryStoreAsync(await File.ReadAllBytesAsync(one.Name, TestContext.Current.CancellationToken))).IsSuccess) continue;
            string list = string.Join(',', Enumerable.Range(1, digests.Length));
            string url = $"studies/{one.Value.GetProperty("study")}/series/{one.Value.GetProperty("series")}/instances/{one.Value.GetProperty("instance")}/frames/{list}";
            using HttpResponseMessage response = await server.GetAsync(url, Any);
            if (!response.IsSuccessStatusCode)
            {
                wrong.Add($"{one.Name}: {await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken)}");
                continue;
            }
            List<Part> parts = await server.GetPartsAsync(url, Any);
            for (int i = 0; i < digests.Length; i++)
            {
                // A codestream of odd length may have its padding byte or not.
                byte[] bytes = parts[i].Bytes;
                bool same = Digest(bytes) == digests[i] || (bytes.Length > 0 && bytes[^1] == 0 && Digest(bytes[..^1]) == digests[i]) || Digest([.. bytes, 0]) == digests[i];
                if (!same) wrong.Add($"{one.Name} frame {i + 1}: {bytes.Length} bytes");
            }
            compared++;
            frames += digests.Length;
        }
        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
        Assert.True(compared > 350 && frames > 800, $"only {compared} files with {frames} frames were compared");

        static string Digest(byte[] bytes) => Convert.ToHexStringLower(SHA256.HashData(bytes));
    }

    private static (DataSet Image, byte[][] Frames) MultiFrame(int count)
    {
        DataSet image = Made.Image(Made.NewUid(), Made.NewUid(), rows: 7, columns: 3);
        byte[][] frames = [.. Enumerable.Range(0, count).Select(_ => RandomNumberGenerator.GetBytes(42))];
        image.Set(Tags.NumberOfFrames, count);
        image.SetRaw(Tags.PixelData, VR.OW, frames.SelectMany(f => f).ToArray());
        return (image, frames);
    }
}
