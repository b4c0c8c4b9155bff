using System.Text;
using PacsCluster.Imaging.Rendering;
using PacsCluster.Testing;

namespace PacsCluster.Imaging.Tests.Rendering;

/// <summary>Colour profiles, judged by Little CMS (through Pillow).</summary>
public sealed class IccTests
{
    private const string Slide = "highdicom/data/test_files/sm_image.dcm";

    private const string Script = """
        import sys
        from PIL import Image, ImageCms
        pixels = open(sys.argv[1], 'rb').read()
        image = Image.frombytes('RGB', (len(pixels) // 3, 1), pixels)
        source = ImageCms.getOpenProfile(sys.argv[2])
        target = ImageCms.getOpenProfile(sys.argv[3])
        print(ImageCms.getProfileDescription(target))
        out = ImageCms.profileToProfile(image, source, target, renderingIntent=1, flags=0)
        open(sys.argv[4], 'wb').write(out.tobytes())
        """;

    [Theory]
    [InlineData(IccChoice.Srgb, "sRGB")]
    [InlineData(IccChoice.AdobeRgb, "Adobe RGB")]
    [InlineData(IccChoice.RommRgb, "ROMM RGB")]
    [InlineData(IccChoice.DisplayP3, "Display P3")]
    public async Task Converted_colours_are_those_of_Little_CMS(IccChoice choice, string name)
    {
        byte[] stored = IccProfile.Of(Pictures.Open(Corpus.File(Slide))!.Value.DataSet)!;
        // Colours that every space can hold, so that clipping rules do not count.
        byte[] pixels = [.. from r in Enumerable.Range(0, 9) from g in Enumerable.Range(0, 9) from b in Enumerable.Range(0, 9) from v in new[] { 88 + 10 * r, 88 + 10 * g, 88 + 10 * b } select (byte)v];
        byte[] ours = [.. pixels];
        byte[] target = IccProfile.Choose(ours, stored, choice)!;
        using var folder = new TempFolder();
        foreach ((string file, byte[] bytes) in new[] { ("pixels", pixels), ("source", stored), ("target", target) }) await File.WriteAllBytesAsync(folder.At(file), bytes, TestContext.Current.CancellationToken);
        string said = await Pictures.PythonAsync(Script, folder.At("pixels"), folder.At("source"), folder.At("target"), folder.At("out"));
        Assert.StartsWith(name, said, StringComparison.Ordinal);
        byte[] theirs = await File.ReadAllBytesAsync(folder.At("out"), TestContext.Current.CancellationToken);
        for (int i = 0; i < ours.Length; i++) Assert.InRange(ours[i], theirs[i] - 2, theirs[i] + 2);
    }

    [Fact]
    public async Task The_images_profile_is_embedded_unless_none_is_wanted()
    {
        (Dicom.DataSet dataSet, string uid) = Pictures.Open(Corpus.File(Slide))!.Value;
        byte[] stored = IccProfile.Of(dataSet)!;
        using RenderedImage asStored = await Pictures.RenderAsync(dataSet, uid), without = await Pictures.RenderAsync(dataSet, uid, new RenderRequest { Icc = IccChoice.No });
        Assert.Equal(stored, asStored.IccProfile);
        Assert.Null(without.IccProfile);
        Assert.True(PictureWriter.Jpeg(asStored).AsSpan().IndexOf(stored) > 0);
        Assert.True(PictureWriter.Jpeg(without).AsSpan().IndexOf("ICC_PROFILE"u8) < 0);
        Assert.True(PictureWriter.Png(asStored).AsSpan().IndexOf("iCCP"u8) > 0);
    }

    [Fact]
    public void Bytes_that_are_no_profile_are_none_and_never_an_error()
    {
        var random = new Random(2);
        byte[] profile = RgbSpace.Srgb.ToProfile();
        for (int round = 0; round < 5000; round++)
        {
            byte[] broken = [.. profile];
            for (int i = 0; i < 8; i++) broken[random.Next(broken.Length)] = (byte)random.Next(256);
            RgbSpace.Read(broken.AsSpan(0, random.Next(132, broken.Length)))?.Convert(new byte[30], RgbSpace.AdobeRgb);
        }
        var dataSet = new Dicom.DataSet();
        dataSet.SetRaw(Dicom.Tags.ICCProfile, Dicom.VR.OB, Encoding.ASCII.GetBytes(new string('x', 500)));
        Assert.Null(IccProfile.Of(dataSet));
    }
}
