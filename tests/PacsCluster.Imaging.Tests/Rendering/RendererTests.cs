using System.Globalization;
using PacsCluster.Dicom;
using PacsCluster.Imaging.Rendering;
using PacsCluster.Testing;

namespace PacsCluster.Imaging.Tests.Rendering;

/// <summary>The rules of PS3.3 and PS3.18 that no tool judges.</summary>
public sealed class RendererTests
{
    [Theory]
    // PS3.3 C.11.2.1.2.1: of C 2048 W 4096, 0 is black, 4095 is white, and the middle lies between 2047 and 2048.
    [InlineData(VoiFunction.Linear, 2048, 4096, 0, 0.0)]
    [InlineData(VoiFunction.Linear, 2048, 4096, 4095, 1.0)]
    [InlineData(VoiFunction.Linear, 2048, 1, 2047, 0.0)]
    [InlineData(VoiFunction.Linear, 2048, 1, 2048, 1.0)]
    [InlineData(VoiFunction.Linear, 0, 100, -50, 0.0)]
    [InlineData(VoiFunction.Linear, 0, 100, 49, 1.0)]
    // C.11.2.1.3.2
    [InlineData(VoiFunction.LinearExact, 0, 100, -50, 0.0)]
    [InlineData(VoiFunction.LinearExact, 0, 100, 0, 0.5)]
    [InlineData(VoiFunction.LinearExact, 0, 100, 50, 1.0)]
    // C.11.2.1.3.1
    [InlineData(VoiFunction.Sigmoid, 100, 50, 100, 0.5)]
    [InlineData(VoiFunction.Sigmoid, 100, 50, 125, 0.8807970779778823)]
    public void A_window_is_that_of_the_standard(VoiFunction function, double center, double width, double value, double grey)
    {
        Span<double> values = [value];
        new VoiTransform(new VoiWindow(center, width, function), null).Apply(values);
        Assert.Equal(grey, values[0], 12);
    }

    [Fact]
    public void Padding_is_black_and_counts_for_no_window()
    {
        (DataSet image, DecodedFrame frame) = Pictures.Gray(4, [-2000, 100, 200, 300]);
        image.Set(Tags.PixelPaddingValue, -2000);
        Assert.Equal([0, 0, 128, 255], Render(image, frame));
        image.Set(Tags.PresentationLUTShape, "INVERSE");
        Assert.Equal([0, 255, 128, 0], Render(image, frame));
        image.Set(Tags.PixelPaddingRangeLimit, 100);
        Assert.Equal([0, 0, 255, 0], Render(image, frame));
    }

    [Theory]
    // PS3.3-2001 C.7.6.3.1.2: the retired interpretations, by colours whose values the definitions give.
    [InlineData("YBR_PARTIAL_422", new byte[] { 16, 128, 128 }, new byte[] { 0, 0, 0 })]
    [InlineData("YBR_PARTIAL_422", new byte[] { 235, 128, 128 }, new byte[] { 255, 255, 255 })]
    [InlineData("YBR_PARTIAL_420", new byte[] { 81, 90, 240 }, new byte[] { 254, 0, 0 })]
    [InlineData("HSV", new byte[] { 0, 255, 255 }, new byte[] { 255, 0, 0 })]
    [InlineData("HSV", new byte[] { 128, 255, 200 }, new byte[] { 0, 200, 200 })]
    [InlineData("HSV", new byte[] { 77, 0, 90 }, new byte[] { 90, 90, 90 })]
    [InlineData("CMYK", new byte[] { 255, 0, 0, 0 }, new byte[] { 0, 255, 255 })]
    [InlineData("CMYK", new byte[] { 0, 0, 0, 155 }, new byte[] { 100, 100, 100 })]
    [InlineData("ARGB", new byte[] { 0, 10, 20, 30 }, new byte[] { 10, 20, 30 })]
    [InlineData("ARGB", new byte[] { 2, 10, 20, 30 }, new byte[] { 0, 0, 255 })]
    public void Retired_colours_are_shown_too(string photometric, byte[] pixel, byte[] colour)
    {
        var image = new DataSet();
        image.Set(Tags.Rows, 1);
        image.Set(Tags.Columns, 1);
        image.Set(Tags.BitsAllocated, 8);
        image.Set(Tags.SamplesPerPixel, pixel.Length);
        image.Set(Tags.PhotometricInterpretation, photometric);
        foreach ((uint channel, byte third) in new[] { (1u, (byte)0), (2u, (byte)0), (3u, (byte)255) })
        {
            // Three entries of 16 bits: black, black, and blue.
            image.Set(new Tag(0x0028_1100 + channel), "3\\0\\16", VR.US);
            image.SetRaw(new Tag(0x0028_1200 + channel), VR.OW, new byte[] { 0, 0, 0, 0, third, third });
        }
        var frame = new DecodedFrame(FrameFormat.Read(image) with { Photometric = PhotometricTerms.Parse(photometric) }, pixel);
        Assert.Equal(colour, Renderer.Render(image, 0, frame, new RenderRequest()).Pixels.ToArray());
    }

    [Fact]
    public void Monochrome1_and_inverse_are_one_inversion()
    {
        (DataSet image, _) = Pictures.Gray(2, [0, 255]);
        image.Set(Tags.PhotometricInterpretation, "MONOCHROME1");
        var frame = new DecodedFrame(FrameFormat.Read(image), new byte[] { 0, 0, 255, 0 });
        Assert.Equal([255, 0], Render(image, frame));
        image.Set(Tags.PresentationLUTShape, "INVERSE");
        Assert.Equal([255, 0], Render(image, frame));
    }

    [Fact]
    public void A_frame_takes_its_own_window_and_rescale_before_the_shared_ones()
    {
        (DataSet image, DecodedFrame frame) = Pictures.Gray(3, [0, 50, 100]);
        DataSet Group(Tag sequence, params (Tag Tag, string Value)[] values)
        {
            DataSet group = image.NewItem(), item = image.NewItem();
            foreach ((Tag tag, string value) in values) item.Set(tag, value);
            group.SetItems(sequence, [item]);
            return group;
        }
        DataSet shared = Group(Tags.FrameVOILUTSequence, (Tags.WindowCenter, "50"), (Tags.WindowWidth, "100"), (Tags.VOILUTFunction, "LINEAR_EXACT"));
        DataSet first = image.NewItem(), second = Group(Tags.FrameVOILUTSequence, (Tags.WindowCenter, "25"), (Tags.WindowWidth, "50"), (Tags.VOILUTFunction, "LINEAR_EXACT"));
        DataSet rescale = image.NewItem();
        rescale.Set(Tags.RescaleSlope, "0.5");
        rescale.Set(Tags.RescaleIntercept, "0");
        second.SetItems(Tags.PixelValueTransformationSequence, [rescale]);
        image.SetItems(Tags.SharedFunctionalGroupsSequence, [shared]);
        image.SetItems(Tags.PerFrameFunctionalGroupsSequence, [first, second]);
        Assert.Equal([0, 128, 255], Render(image, frame));
        Assert.Equal([0, 128, 255], Render(image, frame, null, 1));
        Assert.Equal([0, 26, 51], Render(image, frame, new RenderRequest { Window = new VoiWindow(125, 250, VoiFunction.LinearExact) }, 1));
    }

    [Theory]
    [InlineData("100,100", 100, 50)]
    [InlineData("10,100", 10, 5)]
    [InlineData("100,100,2,1,2,2", 100, 100)]
    [InlineData("8,8,,,-4,2", 8, 4)]
    public void The_picture_fits_the_viewport_and_keeps_its_shape(string viewport, int width, int height)
    {
        (DataSet image, DecodedFrame frame) = Pictures.Gray(4, [0, 1, 2, 3, 4, 5, 6, 7]);
        double?[] v = [.. viewport.Split(',').Select(p => p.Length == 0 ? (double?)null : double.Parse(p, CultureInfo.InvariantCulture))];
        var request = new RenderRequest { Viewport = new Viewport((int)v[0]!, (int)v[1]!) { SourceX = v.ElementAtOrDefault(2), SourceY = v.ElementAtOrDefault(3), SourceWidth = v.ElementAtOrDefault(4), SourceHeight = v.ElementAtOrDefault(5) } };
        if (viewport.Contains("2,1,2,2", StringComparison.Ordinal)) (image, frame) = Pictures.Gray(4, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
        using RenderedImage picture = Renderer.Render(image, 0, frame, request);
        Assert.Equal((width, height), (picture.Width, picture.Height));
        if (viewport.Contains("-4", StringComparison.Ordinal)) Assert.True(picture.Pixels.Span[0] > picture.Pixels.Span[7]);
    }

    [Fact]
    public void Pixels_that_are_not_square_are_shown_square_in_a_viewport()
    {
        (DataSet image, DecodedFrame frame) = Pictures.Gray(4, new short[16]);
        image.Set(Tags.PixelAspectRatio, "1\\2");
        using RenderedImage picture = Renderer.Render(image, 0, frame, new RenderRequest { Viewport = new Viewport(100, 100) });
        Assert.Equal((100, 50), (picture.Width, picture.Height));
    }

    [Fact]
    public void A_smaller_picture_is_the_mean_of_what_it_covers()
    {
        (DataSet image, DecodedFrame frame) = Pictures.Gray(4, [0, 100, 200, 255, 100, 200, 55, 90]);
        byte[] pixels = Render(image, frame, new RenderRequest { Window = new VoiWindow(127.5, 255, VoiFunction.LinearExact), Viewport = new Viewport(2, 1) });
        Assert.Equal([100, 150], pixels);
    }

    [Fact]
    public void More_pixels_than_allowed_are_refused_before_they_are_made()
    {
        (DataSet image, DecodedFrame frame) = Pictures.Gray(4, new short[16]);
        var refused = Assert.Throws<ImagingException>(() => Renderer.Render(image, 0, frame, new RenderRequest { Viewport = new Viewport(60000, 60000) }));
        Assert.Equal(ImagingError.TooLarge, refused.Error);
        Assert.Contains("smaller viewport", refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Müller^Łukasz")]
    [InlineData("Yamada^Tarou=山田^太郎=やまだ^たろう")]
    [InlineData("山田^太郎")]
    [InlineData("Иванов^Пётр")]
    [InlineData("\u200B\uD83D\uDE00^")]
    public void Names_are_burned_in_or_seen_to_be_missing(string name)
    {
        (DataSet image, DecodedFrame frame) = Pictures.Gray(400, new short[400 * 100]);
        image.Set(Tags.SpecificCharacterSet, "ISO_IR 192");
        image.Set(Tags.PatientName, name);
        image.Set(Tags.PatientID, "4711");
        byte[] plain = Render(image, frame), burned = Render(image, frame, new RenderRequest { Annotations = Annotations.Patient | Annotations.Technique });
        Assert.DoesNotContain((byte)255, plain);
        Assert.True(burned.Count(v => v == 255) > 100);
    }

    [Fact]
    public void A_letter_without_a_glyph_is_a_box_and_no_other_letter()
    {
        Assert.False(StrokeFont.CanDraw("Иванов"));
        Assert.True(StrokeFont.CanDraw("Ångström Çelik Nuñez Łódź"));
        StrokeFont.Glyph[] glyphs = [.. StrokeFont.Glyphs("aИéЖe")];
        Assert.Equal(glyphs[1], glyphs[3]);
        Assert.NotEqual(glyphs[2].Strokes.Length, glyphs[4].Strokes.Length);
    }

    [Fact]
    public async Task Headers_that_were_tampered_with_never_cost_more_than_an_imaging_error()
    {
        string[] files =
        [
            "pydicom/src/pydicom/data/test_files/examples_overlay.dcm", "pydicom/src/pydicom/data/test_files/examples_palette.dcm",
            "pydicom-data/data_store/data/mlut_18.dcm", "dcm4che/dcm4che-test-data/src/main/resources/ovly_p01.dcm", "dcm_qa_enh/In/Siemens/XA10/6_1.dcm",
        ];
        var random = new Random(3);
        foreach (string file in files)
        {
            (DataSet whole, string uid) = Pictures.Open(Corpus.File(file))!.Value;
            var reader = new FrameReader(whole, uid);
            ReadOnlyMemory<byte> native = reader.Read(0);
            whole.Remove(Tags.PixelData);
            byte[] header = whole.ToArray();
            for (int round = 0; round < 150; round++)
            {
                byte[] broken = [.. header];
                for (int i = 0; i < 20; i++) broken[random.Next(broken.Length)] = (byte)random.Next(256);
                try
                {
                    DataSet dataSet = DataSet.Read(broken, whole.Encoding);
                    using var codecs = new FrameCodecsOwner();
                    using DecodedFrame frame = await codecs.Codecs.DecodeAsync(uid, FrameFormat.Read(dataSet), native, TestContext.Current.CancellationToken);
                    Renderer.Render(dataSet, 0, frame, new RenderRequest { PixelsMax = 1 << 22, Annotations = Annotations.Patient }).Dispose();
                }
                catch (Exception e) when (e is ImagingException or DicomFormatException)
                {
                }
            }
        }
    }

    private static byte[] Render(DataSet image, DecodedFrame frame, RenderRequest? request = null, int index = 0)
    {
        using RenderedImage picture = Renderer.Render(image, index, frame, request ?? new RenderRequest());
        return picture.Pixels.ToArray();
    }

    private sealed class FrameCodecsOwner : IDisposable
    {
        public FrameCodecs Codecs { get; } = new(new CodecOptions { FrameMaxBytes = 1 << 24 });

        public void Dispose() => Codecs.DisposeAsync().AsTask().GetAwaiter().GetResult();
    }
}
