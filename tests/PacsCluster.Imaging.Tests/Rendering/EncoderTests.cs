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
