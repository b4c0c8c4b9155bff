using PacsCluster.Imaging.Rendering;
using PacsCluster.Testing;

namespace PacsCluster.Imaging.Tests.Rendering;

/// <summary>What we encode, read by Pillow.</summary>
public sealed class EncoderTests
{
    private const string Gray = "pydicom/src/pydicom/data/test_files/CT_small.dcm";
    private const string Color = "dcm4che/dcm4che-test-data/src/main/resources/US-RGB-8-esopecho";

    // Frames one behind the other; 16-bit greys little endian.
    private const string Script = """
        import sys, numpy as np
        from PIL import Image, ImageSequence
        image = Image.open(sys.argv[1])
        image.load()
        print(image.format, image.mode, image.size[0], image.size[1], getattr(image, 'n_frames', 1), image.info.get('duration', 0), len(image.info.get('icc_profile') or b''))
        with open(sys.argv[2], 'wb') as out:
            for frame in ImageSequence.Iterator(image):
                if sys.argv[3]: frame = frame.convert(sys.argv[3])
                out.write(np.asarray(frame).astype('<u2' if frame.mode.startswith('I') else 'u1').tobytes())
        """;

    [Theory]
    [InlineData(Gray, 8, "L")]
    [InlineData(Gray, 16, "I")]
    [InlineData(Color, 8, "RGB")]
    public async Task A_png_holds_every_pixel(string path, int bits, string mode)
    {
        using RenderedImage image = await Pictures.RenderAsync(path, new RenderRequest { Bits = bits });
        (string said, byte[] pixels) = await ReadAsync(PictureWriter.Png(image), "");
        Assert.StartsWith($"PNG {mode}", said, StringComparison.Ordinal);
        Assert.Equal(image.Pixels.ToArray(), pixels);
    }

    [Theory]
    [InlineData(Gray, "L", 95, 12)]
    [InlineData(Color, "RGB", 95, 40)]
    [InlineData(Color, "RGB", 50, 160)]
    public async Task A_jpeg_is_near_every_pixel(string path, string mode, int quality, int levels)
    {
        using RenderedImage image = await Pictures.RenderAsync(path);
        (string said, byte[] pixels) = await ReadAsync(PictureWriter.Jpeg(image, quality), "");
        Assert.StartsWith($"JPEG {mode} {image.Width} {image.Height}", said, StringComparison.Ordinal);
        Assert.InRange(Pictures.Difference(image, (image.Width, image.Height, image.Samples, pixels)), 0, levels);
    }

    /// <summary>Pillow reads the picture, OpenJPEG's own programs the boxes and the picture once more.</summary>
    [Theory]
    [InlineData(Gray, "L", "17", 100, 0)]
    [InlineData(Gray, "L", "17", 90, 8)]
    [InlineData(Color, "RGB", "16", 100, 0)]
    [InlineData(Color, "RGB", "16", 90, 12)]
    public async Task A_jp2_file_holds_every_pixel_at_quality_100_and_is_near_below(string path, string mode, string space, int quality, int levels)
    {
        using RenderedImage image = await Pictures.RenderAsync(path);
        byte[] file = PictureWriter.Jpeg2000(image, quality);
        (string said, byte[] pixels) = await ReadAsync(file, "");
        Assert.StartsWith($"JPEG2000 {mode} {image.Width} {image.Height}", said, StringComparison.Ordinal);
        Assert.InRange(Pictures.Difference(image, (image.Width, image.Height, image.Samples, pixels)), 0, levels);

        using var folder = new TempFolder();
        await File.WriteAllBytesAsync(folder.At("picture.jp2"), file, TestContext.Current.CancellationToken);
        ToolResult raw = await Tool.RunAsync("opj_decompress", ["-i", folder.At("picture.jp2"), "-o", folder.At("picture.raw")]);
        Assert.True(raw.ExitCode == 0 && !raw.Output.Contains("WARNING", StringComparison.Ordinal), raw.Output);
        byte[] planes = await File.ReadAllBytesAsync(folder.At("picture.raw"), TestContext.Current.CancellationToken);
        Assert.Equal([.. Enumerable.Range(0, image.Samples).SelectMany(s => Enumerable.Range(0, pixels.Length / image.Samples).Select(i => pixels[(i * image.Samples) + s]))], planes);
        ToolResult boxes = await Tool.RunAsync("opj_dump", ["-i", folder.At("picture.jp2")]);
        Assert.Contains($"numcomps={image.Samples}", boxes.Output, StringComparison.Ordinal);
        Assert.Contains(quality == 100 ? "qmfbid=1" : "qmfbid=0", boxes.Output, StringComparison.Ordinal);
        // The colour space by its number (T.800 table I.10), of the method that names one.
        int colour = file.AsSpan().IndexOf("colr"u8);
        Assert.Equal([1, 0, 0, 0, 0, 0, byte.Parse(space, System.Globalization.CultureInfo.InvariantCulture)], file[(colour + 4)..(colour + 11)]);
    }

    [Fact]
    public async Task A_jp2_file_is_smaller_at_lower_quality_and_carries_a_profile_of_primaries_and_no_other()
    {
        using RenderedImage image = await Pictures.RenderAsync(Color, new RenderRequest { Icc = IccChoice.AdobeRgb });
        int[] lengths = [.. new[] { 1, 30, 60, 90, 100 }.Select(q => PictureWriter.Jpeg2000(image, q).Length)];
        Assert.Equal(lengths.Order(), lengths);
        Assert.Equal(5, lengths.Distinct().Count());
        // OpenJPEG's program takes colours to sRGB by the profile that it finds.
        byte[] file = PictureWriter.Jpeg2000(image, 100);
        Assert.True(file.AsSpan().IndexOf((byte[])[.. "colr"u8, 2, 0, 0, .. image.IccProfile!]) > 0);
        using var folder = new TempFolder();
        await File.WriteAllBytesAsync(folder.At("picture.jp2"), file, TestContext.Current.CancellationToken);
        ToolResult raw = await Tool.RunAsync("opj_decompress", ["-i", folder.At("picture.jp2"), "-o", folder.At("picture.raw")]);
        Assert.True(raw.ExitCode == 0 && !raw.Output.Contains("WARNING", StringComparison.Ordinal), raw.Output);
        byte[] planes = await File.ReadAllBytesAsync(folder.At("picture.raw"), TestContext.Current.CancellationToken);
        (_, byte[] pixels) = await ReadAsync(file, "");
        Assert.Equal(image.Pixels.ToArray(), pixels);
        Assert.NotEqual([.. Enumerable.Range(0, 3).SelectMany(s => Enumerable.Range(0, pixels.Length / 3).Select(i => pixels[(i * 3) + s]))], planes);
        Assert.Throws<ArgumentOutOfRangeException>(() => PictureWriter.Jpeg2000(image, 101));

        byte[] tables = [.. image.IccProfile];
        // Without its red primary it is none of primaries and curves.
        "xXYZ"u8.CopyTo(tables.AsSpan(tables.AsSpan().IndexOf("rXYZ"u8)));
        Dicom.DataSet header = Dicom.Part10.Read(await File.ReadAllBytesAsync(Corpus.File(Color), TestContext.Current.CancellationToken)).DataSet;
        header.SetRaw(Dicom.Tags.ICCProfile, Dicom.VR.OB, tables);
        using RenderedImage odd = await Pictures.RenderAsync(header, header.Encoding.Uid);
        Assert.Equal(ImagingError.Unsupported, Assert.Throws<ImagingException>(() => PictureWriter.Jpeg2000(odd)).Error);
    }

    [Fact]
    public async Task A_lower_quality_is_a_smaller_jpeg()
    {
        using RenderedImage image = await Pictures.RenderAsync(Gray);
        int[] lengths = [.. new[] { 1, 30, 60, 90, 100 }.Select(q => PictureWriter.Jpeg(image, q).Length)];
        Assert.Equal(lengths.Order(), lengths);
        Assert.Throws<ArgumentOutOfRangeException>(() => PictureWriter.Jpeg(image, 101));
    }

    [Fact]
    public async Task A_gif_of_greys_holds_every_frame_exactly()
    {
        var frames = new List<byte[]>();
        using var file = new MemoryStream();
        var writer = new GifWriter(file);
        // More colours in a row than codes, so that the code table fills and is cleared.
        var random = new Random(1);
        for (int f = 0; f < 3; f++)
        {
            short[] values = new short[300 * 200];
            for (int i = 0; i < values.Length; i++) values[i] = (short)(f == 0 ? 0 : f == 1 ? random.Next(256) : i % 300 % 256);
            (Dicom.DataSet image, DecodedFrame frame) = Pictures.Gray(300, values);
            using RenderedImage picture = Renderer.Render(image, 0, frame, new RenderRequest { Window = new VoiWindow(128, 256) });
            frames.Add(picture.Pixels.ToArray());
            writer.Add(picture, TimeSpan.FromMilliseconds(120));
        }
        writer.Complete();
        (string said, byte[] pixels) = await ReadAsync(file.ToArray(), "L");
        Assert.StartsWith("GIF", said, StringComparison.Ordinal);
        Assert.Contains(" 300 200 3 120 ", said, StringComparison.Ordinal);
        Assert.Equal([.. frames.SelectMany(f => f)], pixels);
    }

    [Fact]
    public async Task A_gif_of_colours_is_near_every_pixel()
    {
        using RenderedImage image = await Pictures.RenderAsync("pydicom/src/pydicom/data/test_files/examples_palette.dcm");
        using var file = new MemoryStream();
        var writer = new GifWriter(file);
        writer.Add(image, TimeSpan.FromSeconds(1));
        writer.Complete();
        (_, byte[] pixels) = await ReadAsync(file.ToArray(), "RGB");
        Assert.InRange(Pictures.Difference(image, (image.Width, image.Height, 3, pixels)), 0, 24);
    }

    private static async Task<(string Said, byte[] Pixels)> ReadAsync(byte[] file, string mode)
    {
        using var folder = new TempFolder();
        await File.WriteAllBytesAsync(folder.At("in"), file, TestContext.Current.CancellationToken);
        string said = await Pictures.PythonAsync(Script, folder.At("in"), folder.At("out"), mode);
        return (said, await File.ReadAllBytesAsync(folder.At("out"), TestContext.Current.CancellationToken));
    }
}
