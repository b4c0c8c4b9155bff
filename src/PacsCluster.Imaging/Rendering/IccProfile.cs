using System.Buffers.Binary;
using PacsCluster.Dicom;

namespace PacsCluster.Imaging.Rendering;

/// <summary>ICC profiles (ICC.1): which one a picture gets, and colours taken from one to another. Converts from profiles of primaries and curves, in
/// managed code, because profiles come from outside; those of tables (A2B0 without primaries) are embedded only.</summary>
internal static class IccProfile
{
    // A profile is a few kilobytes; a printer's a few megabytes.
    private const int BytesMax = 4 * 1024 * 1024;

    /// <summary>An image's profile: (0028,2000), or that of its first optical path; null when there is none, or what stands there is none for RGB.</summary>
    public static byte[]? Of(DataSet header)
    {
        ReadOnlyMemory<byte> bytes = header.Bytes(Tags.ICCProfile);
        if (bytes.IsEmpty && FrameAttributes.First(header, Tags.OpticalPathSequence) is { } path) bytes = path.Bytes(Tags.ICCProfile);
        ReadOnlySpan<byte> profile = bytes.Span;
        if (profile.Length is < 132 or > BytesMax || !profile.Slice(36, 4).SequenceEqual("acsp"u8) || !profile.Slice(16, 4).SequenceEqual("RGB "u8)) return null;
        // The value may have been padded; the profile knows its length.
        uint length = BinaryPrimitives.ReadUInt32BigEndian(profile);
        return length < 132 || length > profile.Length ? null : profile[..(int)length].ToArray();
    }

    /// <summary>The profile to embed; converts the colours when another one is asked for.</summary>
    /// <param name="pixels">Red, green, blue; changed when they are converted.</param>
    /// <param name="stored">The image's, or null; colours without one are taken for sRGB, as every screen does.</param>
    /// <param name="choice">What is asked for.</param>
    /// <exception cref="ImagingException">Unsupported: the image's profile cannot be converted from.</exception>
    public static byte[]? Choose(Span<byte> pixels, byte[]? stored, IccChoice choice)
    {
        if (choice == IccChoice.No) return null;
        if (choice == IccChoice.AsStored) return stored;
        if (choice == IccChoice.Yes) return stored ?? RgbSpace.Srgb.ToProfile();
        RgbSpace target = choice switch { IccChoice.AdobeRgb => RgbSpace.AdobeRgb, IccChoice.RommRgb => RgbSpace.RommRgb, IccChoice.DisplayP3 => RgbSpace.DisplayP3, _ => RgbSpace.Srgb };
        RgbSpace source = stored is null ? RgbSpace.Srgb
            : RgbSpace.Read(stored) ?? throw new ImagingException(ImagingError.Unsupported, "the image's ICC profile is of tables: it can be embedded (iccprofile=yes) but not converted");
        if (source != target) source.Convert(pixels, target);
        return target.ToProfile();
    }
}
