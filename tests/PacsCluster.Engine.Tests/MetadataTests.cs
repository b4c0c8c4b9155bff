using System.IO.Compression;
using System.Text;
using PacsCluster.Dicom;
using PacsCluster.Testing;

namespace PacsCluster.Engine.Tests;

/// <summary>What metadata says, and that it says the same whether it is packed or made on the way.</summary>
public sealed class MetadataTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    private static async Task<byte[]> JsonAsync(MetadataAnswer answer)
    {
        using var bytes = new MemoryStream();
        await answer.WriteJsonAsync(bytes, Ct);
        return bytes.ToArray();
    }

    private static async Task<byte[]> GzipAsync(MetadataAnswer answer)
    {
        using var bytes = new MemoryStream();
        await answer.WriteGzipAsync(bytes, Ct);
        return bytes.ToArray();
    }

    private static byte[] Unzip(byte[] gzip)
    {
        using var text = new MemoryStream();
        using var unzip = new GZipStream(new MemoryStream(gzip), CompressionMode.Decompress);
        unzip.CopyTo(text);
        return text.ToArray();
    }

    private static async Task<MetadataAnswer> OpenAsync(TestArchive archive, int study = 1, string? series = null, string? instance = null, string? bulkDataBase = null)
    {
        MetadataAnswer? answer = await archive.Archive.Metadata.OpenAsync(
            new MetadataRequest { StudyInstanceUid = Made.Study(study), SeriesInstanceUid = series, SopInstanceUid = instance, BulkDataBase = bulkDataBase }, Ct);
        Assert.NotNull(answer);
        return answer;
    }

    [Fact]
    public async Task AStudySaysTheSameMadeAndPackedAsOneGzipMember()
    {
        await using TestArchive archive = await TestArchive.StartAsync();
        for (int series = 1; series <= 3; series++)
        {
            for (int instance = 1; instance <= 40; instance++) await archive.StoreAsync(Made.Image(1, series, instance, new string('x', instance)));
        }
        MetadataAnswer made = await OpenAsync(archive);
        Assert.False(made.IsPacked);
        Assert.Equal(120, made.InstanceCount);
        byte[] json = await JsonAsync(made);
        Assert.Equal(json, Unzip(await GzipAsync(made)));

        Assert.True(await archive.Archive.Completion.CompleteAsync(Made.Study(1), Ct));
        MetadataAnswer packed = await OpenAsync(archive);
        Assert.True(packed.IsPacked);
        Assert.NotEqual(made.Version, packed.Version);
        Assert.Equal(json, await JsonAsync(packed));
        byte[] gzip = await GzipAsync(packed);
        Assert.Equal(json, Unzip(gzip));
        Assert.True(gzip.Length < json.Length / 10, $"{gzip.Length} of {json.Length} bytes");
        // Browsers read the first member only, and check its check value: so does zlib.
        string file = Path.Combine(archive.Folder, "study.gz");
        await File.WriteAllBytesAsync(file, gzip, Ct);
        ToolResult judge = await Tool.RunAsync("python3", ["-c", $"""
            import zlib, json
            z = zlib.decompressobj(31)
            text = z.decompress(open({$"'{file}'"}, 'rb').read())
            assert z.eof and not z.unused_data
            all = json.loads(text)
            print(len(all), all[0]['00200013']['Value'][0], all[-1]['7FE00010']['BulkDataURI'])
            """]);
        Assert.Equal((0, "120 960 /dicom-web/studies/1.2.3.1/series/1.2.3.1.3/instances/1.2.3.1.3.1/bulkdata/7FE00010"), (judge.ExitCode, judge.Output.Trim()));

        byte[] one = await JsonAsync(await OpenAsync(archive, series: Made.Series(1, 2)));
        Assert.Equal(40, JsonModel.ReadArray(one).Count);
        Assert.Contains(Encoding.UTF8.GetString(one)[1..^1], Encoding.UTF8.GetString(json), StringComparison.Ordinal);
        Assert.Equal(one, Unzip(await GzipAsync(await OpenAsync(archive, series: Made.Series(1, 2)))));
    }

    [Fact]
    public async Task C_80_LargeValuesGoByUriSmallOnesStandThereAndNothingIsDropped()
    {
        await using TestArchive archive = await TestArchive.StartAsync();
        var profile = new byte[2000];
        await archive.StoreAsync(Made.Image(1, 1, 1, more: image =>
        {
            image.SetRaw(Tags.ICCProfile, VR.OB, profile);
            image.SetRaw(new Tag(0x0009_1001), VR.OB, new byte[1024]);
            image.SetRaw(new Tag(0x0009_1002), VR.OB, new byte[200_000]);
            DataSet item = image.NewItem();
            item.SetRaw(new Tag(0x0042_0011), VR.OB, new byte[5000]);
            image.SetItems(Tags.ReferencedImageSequence, [item]);
        }));
        // No blob is needed for metadata, not even to make it.
        foreach (string blob in Directory.GetFiles(Path.Combine(archive.Folder, "blobs"), "*", SearchOption.AllDirectories)) File.Delete(blob);
        string prefix = "/dicom-web/studies/1.2.3.1/series/1.2.3.1.1/instances/1.2.3.1.1.1/bulkdata/";
        var uris = new List<string>();
        DataSet read = JsonModel.ReadArray(await JsonAsync(await OpenAsync(archive)), new JsonReadOptions
        {
            ReadBulk = value =>
            {
                uris.Add(value.Uri);
                return [];
            },
        })[0];
        Assert.Equal([prefix + "00081140/0/00420011", prefix + "00091002", prefix + "00282000", prefix + "7FE00010"], uris);
        Assert.True(read.TryGet(new Tag(0x0009_1001), out DataElement small));
        Assert.Equal(1024, small.RawValue.Length);
        Assert.Equal(TransferSyntax.ExplicitVRLittleEndian.Uid, read.GetString(Tags.AvailableTransferSyntaxUID));
        Assert.Equal("Müller^Jürgen", read.GetString(Tags.PatientName));
    }

    [Fact]
    public async Task AnInstanceIsFoundWithAndWithoutItsSeries()
    {
        await using TestArchive archive = await TestArchive.StartAsync();
        for (int i = 1; i <= 4; i++) await archive.StoreAsync(Made.Image(1, 1 + (i % 2), i));
        await archive.Archive.Completion.CompleteAsync(Made.Study(1), Ct);
        foreach (string? series in (string?[])[null, Made.Series(1, 2)])
        {
            MetadataAnswer answer = await OpenAsync(archive, series: series, instance: Made.Sop(1, 2, 3));
            Assert.Equal((1, false), (answer.InstanceCount, answer.IsPacked));
            byte[] json = await JsonAsync(answer);
            Assert.Equal(Made.Sop(1, 2, 3), Assert.Single(JsonModel.ReadArray(json)).GetString(Tags.SOPInstanceUID));
            Assert.Equal(json, Unzip(await GzipAsync(answer)));
        }
        foreach (MetadataRequest nothing in (MetadataRequest[])[new() { StudyInstanceUid = "9" }, new() { StudyInstanceUid = Made.Study(1), SeriesInstanceUid = "9" },
            new() { StudyInstanceUid = Made.Study(1), SeriesInstanceUid = Made.Series(1, 1), SopInstanceUid = Made.Sop(1, 2, 3) }])
            Assert.Null(await archive.Archive.Metadata.OpenAsync(nothing, Ct));
    }

    [Fact]
    public async Task AnotherBaseIsMadeOnTheWayAndTheVersionTellsThemApart()
    {
        await using TestArchive archive = await TestArchive.StartAsync();
        await archive.StoreAsync(Made.Image(1, 1, 1));
        await archive.Archive.Completion.CompleteAsync(Made.Study(1), Ct);
        MetadataAnswer own = await OpenAsync(archive), other = await OpenAsync(archive, bulkDataBase: "https://pacs.example.org/x");
        Assert.Equal((true, false), (own.IsPacked, other.IsPacked));
        Assert.NotEqual(own.Version, other.Version);
        Assert.Equal(own.Version, (await OpenAsync(archive)).Version);
        string json = Encoding.UTF8.GetString(await JsonAsync(other));
        Assert.Contains("\"https://pacs.example.org/x/studies/1.2.3.1/", json, StringComparison.Ordinal);
        Assert.Equal(Encoding.UTF8.GetString(await JsonAsync(own)), json.Replace("https://pacs.example.org/x", "/dicom-web", StringComparison.Ordinal));
        Assert.Equal(json, Encoding.UTF8.GetString(Unzip(await GzipAsync(other))));
    }

    [Fact]
    public async Task WhatIsStoredIntoACompleteStudyIsInItsMetadataAtOnce()
    {
        await using TestArchive archive = await TestArchive.StartAsync();
        for (int series = 1; series <= 2; series++) await archive.StoreAsync(Made.Image(1, series, 1));
        await archive.Archive.Completion.CompleteAsync(Made.Study(1), Ct);
        string version = (await OpenAsync(archive)).Version;
        await archive.StoreAsync(Made.Image(1, 2, 2));
        MetadataAnswer answer = await OpenAsync(archive);
        Assert.NotEqual(version, answer.Version);
        Assert.False(answer.IsPacked);
        // One series from its block, one from the headers.
        byte[] json = await JsonAsync(answer);
        Assert.Equal([Made.Sop(1, 1, 1), Made.Sop(1, 2, 2), Made.Sop(1, 2, 1)], JsonModel.ReadArray(json).Select(i => i.GetString(Tags.SOPInstanceUID)));
        Assert.Equal(json, Unzip(await GzipAsync(answer)));
    }

    [Fact]
    public async Task CheckValuesOfJoinedTextsAreThoseOfTheWhole()
    {
        var random = new Random(1);
        for (int run = 0; run < 50; run++)
        {
            byte[] a = new byte[random.Next(0, 5000)], b = new byte[random.Next(1, 70_000)];
            random.NextBytes(a);
            random.NextBytes(b);
            PackedText first = await Pack(a), second = await Pack(b), whole = await Pack([.. a, .. b]);
            Assert.Equal(whole.Crc32, GzipJoiner.Combine(first.Crc32, second.Crc32, second.Length));
            using var text = new MemoryStream();
            using (Stream unpacked = GzipJoiner.Unpack(second.Deflate)) unpacked.CopyTo(text);
            Assert.Equal(b, text.ToArray());
        }

        static Task<PackedText> Pack(byte[] bytes) => GzipJoiner.PackAsync(CompressionLevel.Fastest, stream => stream.WriteAsync(bytes).AsTask());
    }
}
