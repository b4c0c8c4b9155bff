namespace PacsCluster.Imaging.Rendering;

/// <summary>Encodes pictures: JPEG and PNG here, animated GIF by <see cref="GifWriter"/>.</summary>
public static class PictureWriter
{
    /// <summary>Quality of a JPEG when none is asked for, of 1 to 100.</summary>
    public const int DefaultQuality = 90;

    /// <summary>Baseline JPEG (JFIF) of 8 bits: grey, or colour with full chrominance from quality 90 on and 4:2:0 below.</summary>
    /// <param name="image">Of 8 bits.</param>
    /// <param name="quality">1 to 100.</param>
    /// <exception cref="ImagingException">LibraryMissing: libturbojpeg is not installed. TooLarge: more than 65,500 pixels in a row or column.</exception>
    public static byte[] Jpeg(RenderedImage image, int quality = DefaultQuality)
    {
        ArgumentNullException.ThrowIfNull(image);
        if (image.Bits != 8) throw new ArgumentException("a JPEG has 8 bits", nameof(image));
        ArgumentOutOfRangeException.ThrowIfLessThan(quality, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(quality, 100);
        return TurboJpeg.Compress(image, quality);
    }

    /// <summary>PNG of 8 or 16 bits, grey or colour.</summary>
    public static byte[] Png(RenderedImage image)
    {
        ArgumentNullException.ThrowIfNull(image);
        return PngEncoder.Encode(image);
    }
}
