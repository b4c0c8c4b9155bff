using System.Runtime.InteropServices;

namespace PacsCluster.Imaging.Native;

/// <summary>libturbojpeg (its interface of version 2): 8 bits, baseline and progressive.</summary>
internal static unsafe partial class TurboJpeg
{
    private const int FormatRgb = 0, FormatGray = 6;
    private const int Sampling444 = 0, Sampling422 = 1, SamplingGray = 3;
    private const int AccurateDct = 4096;

    /// <summary>Decodes to samples of 8 bits: one, or RGB.</summary>
    /// <param name="input">The codestream; its colour markers already say what the components are.</param>
    /// <param name="inputLength">Bytes.</param>
    /// <param name="columns">As its header says.</param>
    /// <param name="rows">As its header says.</param>
    /// <param name="components">1 or 3.</param>
    /// <param name="output">Rows × columns × components bytes.</param>
    /// <returns>Null, or what the library says is wrong.</returns>
    public static string? Decode(byte* input, int inputLength, int columns, int rows, int components, byte* output)
    {
        CodecLibrary.TurboJpeg.Require();
        nint handle = tjInitDecompress();
        if (handle == 0) return "no memory";
        try
        {
            int format = components == 1 ? FormatGray : FormatRgb;
            if (tjDecompress2(handle, input, new CULong((uint)inputLength), output, columns, columns * components, rows, format, AccurateDct) == 0) return null;
            // A warning (code 0) comes with a picture: bytes between segments, a missing EOI. The picture is what every reader shows.
            return tjGetErrorCode(handle) == 0 ? null : Marshal.PtrToStringUTF8(tjGetErrorStr2(handle));
        }
        finally
        {
            _ = tjDestroy(handle);
        }
    }

    /// <summary>Encodes baseline JPEG from samples of 8 bits: one a pixel, or RGB, which becomes YCbCr.</summary>
    /// <param name="samples">Rows × columns × components bytes, colour by pixel.</param>
    /// <param name="columns">1 to 65,535.</param>
    /// <param name="rows">1 to 65,535.</param>
    /// <param name="components">1 or 3.</param>
    /// <param name="quality">1 to 100.</param>
    /// <param name="halfChroma">4:2:2 instead of 4:4:4.</param>
    /// <exception cref="ImagingException">LibraryMissing, or Unsupported with what the library says.</exception>
    public static byte[] Encode(ReadOnlySpan<byte> samples, int columns, int rows, int components, int quality, bool halfChroma)
    {
        CodecLibrary.TurboJpeg.Require();
        ArgumentOutOfRangeException.ThrowIfNotEqual(samples.Length, checked(columns * rows * components), nameof(samples));
        nint handle = tjInitCompress();
        if (handle == 0) throw new ImagingException(ImagingError.Unsupported, "libturbojpeg: no memory");
        byte* jpeg = null;
        CULong size = default;
        try
        {
            int sampling = components == 1 ? SamplingGray : halfChroma ? Sampling422 : Sampling444, code;
            fixed (byte* pixels = samples)
            {
                code = tjCompress2(handle, pixels, columns, columns * components, rows, components == 1 ? FormatGray : FormatRgb, &jpeg, &size, sampling, quality, 0);
            }
            if (code != 0) throw new ImagingException(ImagingError.Unsupported, "libturbojpeg: " + Marshal.PtrToStringUTF8(tjGetErrorStr2(handle)));
            return new ReadOnlySpan<byte>(jpeg, checked((int)size.Value)).ToArray();
        }
        finally
        {
            tjFree(jpeg);
            _ = tjDestroy(handle);
        }
    }

    [LibraryImport(CodecLibrary.TurboJpegName)]
    private static partial nint tjInitDecompress();

    [LibraryImport(CodecLibrary.TurboJpegName)]
    private static partial nint tjInitCompress();

    [LibraryImport(CodecLibrary.TurboJpegName)]
    private static partial int tjDecompress2(nint handle, byte* input, CULong inputLength, byte* output, int width, int pitch, int height, int pixelFormat, int flags);

    [LibraryImport(CodecLibrary.TurboJpegName)]
    private static partial int tjCompress2(nint handle, byte* pixels, int width, int pitch, int height, int pixelFormat, byte** jpeg, CULong* size, int sampling, int quality, int flags);

    [LibraryImport(CodecLibrary.TurboJpegName)]
    private static partial int tjGetErrorCode(nint handle);

    [LibraryImport(CodecLibrary.TurboJpegName)]
    private static partial nint tjGetErrorStr2(nint handle);

    [LibraryImport(CodecLibrary.TurboJpegName)]
    private static partial void tjFree(byte* buffer);

    [LibraryImport(CodecLibrary.TurboJpegName)]
    private static partial int tjDestroy(nint handle);
}
