using System.Buffers.Binary;
using PacsCluster.Imaging.Native;

namespace PacsCluster.Imaging.Rendering;

/// <summary>Encodes pictures: JPEG, PNG and JPEG 2000 here, animated GIF by <see cref="GifWriter"/>.</summary>
public static class PictureWriter
{
    private const int JpegSideMax = 65500;

    // Bytes of an ICC profile in one APP2 segment: 65,535 less length, signature and numbers (ICC.1 annex B.4).
    private const int ProfilePartMax = 65519;

    /// <summary>Quality of a JPEG or JPEG 2000 when none is asked for, of 1 to 100.</summary>
    public const int DefaultQuality = 90;

    /// <summary>Baseline JPEG (JFIF) of 8 bits: grey, or colour with full chrominance from quality 90 on and 4:2:2 below.</summary>
    /// <param name="image">Of 8 bits.</param>
    /// <param name="quality">1 to 100.</param>
    /// <exception cref="ImagingException">LibraryMissing: libturbojpeg is not installed. TooLarge: more than 65,500 pixels in a row or column.</exception>
    public static byte[] Jpeg(RenderedImage image, int quality = DefaultQuality)
    {
        ArgumentNullException.ThrowIfNull(image);
        if (image.Bits != 8) throw new ArgumentException("a JPEG has 8 bits", nameof(image));
        ArgumentOutOfRangeException.ThrowIfLessThan(quality, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(quality, 100);
        if (image.Width > JpegSideMax || image.Height > JpegSideMax) throw new ImagingException(ImagingError.TooLarge, $"a JPEG has at most {JpegSideMax} pixels in a row or column");
        byte[] jpeg = TurboJpeg.Encode(image.Pixels.Span, image.Width, image.Height, image.Samples, quality, halfChroma: quality < DefaultQuality);
        return image.IccProfile is { Length: > 0 } profile ? WithProfile(jpeg, profile) : jpeg;
    }

    /// <summary>PNG of 8 or 16 bits, grey or colour.</summary>
    public static byte[] Png(RenderedImage image)
    {
        ArgumentNullException.ThrowIfNull(image);
        return PngEncoder.Encode(image);
    }

    /// <summary>A JP2 file (ITU-T T.800 annex I) of 8 bits, grey or colour: lossless at quality 100, else as like to the picture as 25 dB and a quarter more for each step.</summary>
    /// <param name="image">Of 8 bits.</param>
    /// <param name="quality">1 to 100.</param>
    /// <exception cref="ImagingException">LibraryMissing: OpenJPEG is not installed. Unsupported: the picture's ICC profile is one that JP2 cannot hold.</exception>
    public static byte[] Jpeg2000(RenderedImage image, int quality = DefaultQuality)
    {
        ArgumentNullException.ThrowIfNull(image);
        if (image.Bits != 8) throw new ArgumentException("a rendered JPEG 2000 has 8 bits", nameof(image));
        ArgumentOutOfRangeException.ThrowIfLessThan(quality, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(quality, 100);
        // JP2 has restricted profiles only (I.5.3.3): of primaries and curves.
        if (image.IccProfile is { } profile && RgbSpace.Read(profile) is null)
            throw new ImagingException(ImagingError.Unsupported, "the image's ICC profile is of tables, which JP2 cannot hold: iccprofile=no leaves it out");
        ReadOnlySpan<byte> pixels = image.Pixels.Span;
        int[] samples = new int[pixels.Length];
        for (int i = 0; i < samples.Length; i++) samples[i] = pixels[i];
        byte[] codestream = OpenJpeg.Encode(samples, image.Width, image.Height, image.Samples, 8, isSigned: false, isRgb: image.Samples == 3, ratio: 0, decibels: quality == 100 ? 0 : 25 + (quality / 4f));
        return Jp2File.Wrap(codestream, image.Width, image.Height, image.Samples, image.IccProfile);
    }

    /// <summary>The profile in APP2 segments behind the JFIF header.</summary>
    private static byte[] WithProfile(ReadOnlySpan<byte> jpeg, byte[] profile)
    {
        int at = jpeg[2] == 0xFF && jpeg[3] == 0xE0 ? 4 + BinaryPrimitives.ReadUInt16BigEndian(jpeg[4..]) : 2;
        int parts = (profile.Length + ProfilePartMax - 1) / ProfilePartMax;
        byte[] file = new byte[jpeg.Length + profile.Length + 18 * parts];
        jpeg[..at].CopyTo(file);
        Span<byte> to = file.AsSpan(at);
        for (int part = 0; part < parts; part++)
        {
            ReadOnlySpan<byte> bytes = profile.AsSpan(part * ProfilePartMax, Math.Min(ProfilePartMax, profile.Length - part * ProfilePartMax));
            BinaryPrimitives.WriteUInt16BigEndian(to, 0xFFE2);
            BinaryPrimitives.WriteUInt16BigEndian(to[2..], (ushort)(bytes.Length + 16));
            "ICC_PROFILE\0"u8.CopyTo(to[4..]);
            to[16] = (byte)(part + 1);
            to[17] = (byte)parts;
            bytes.CopyTo(to[18..]);
            to = to[(18 + bytes.Length)..];
        }
        jpeg[at..].CopyTo(to);
        return file;
    }
}
