using System.Runtime.InteropServices;

namespace PacsCluster.Imaging.Native;

/// <summary>CharLS 2: JPEG-LS, lossless and near-lossless.</summary>
internal static unsafe partial class CharLs
{
    [StructLayout(LayoutKind.Sequential)]
    private struct FrameInfo
    {
        public uint Width;
        public uint Height;
        public int BitsPerSample;
        public int ComponentCount;
    }

    private const int InterleaveNone = 0, InterleaveSample = 2;

    /// <summary>Decodes to samples of 1 or 2 bytes by the precision of the codestream.</summary>
    /// <param name="input">The codestream.</param>
    /// <param name="inputLength">Bytes.</param>
    /// <param name="output">Receives the samples.</param>
    /// <param name="outputLength">Bytes that the codestream's header needs: rows × columns × components × 1 or 2.</param>
    /// <param name="byPlane">Whether the samples came out colour by plane.</param>
    /// <returns>Null, or what the library says is wrong.</returns>
    public static string? Decode(byte* input, int inputLength, byte* output, long outputLength, out bool byPlane)
    {
        CodecLibrary.CharLs.Require();
        byPlane = false;
        nint decoder = charls_jpegls_decoder_create();
        if (decoder == 0) return "no memory";
        try
        {
            int code = charls_jpegls_decoder_set_source_buffer(decoder, input, (nuint)inputLength);
            if (code == 0) code = charls_jpegls_decoder_read_header(decoder);
            FrameInfo info = default;
            if (code == 0) code = charls_jpegls_decoder_get_frame_info(decoder, &info);
            int interleave = 0;
            if (code == 0) code = charls_jpegls_decoder_get_interleave_mode(decoder, &interleave);
            nuint needed = 0;
            if (code == 0) code = charls_jpegls_decoder_get_destination_size(decoder, 0, &needed);
            if (code == 0 && (long)needed != outputLength) return "its header is read in two ways";
            if (code == 0) code = charls_jpegls_decoder_decode_to_buffer(decoder, output, needed, 0);
            byPlane = interleave == InterleaveNone && info.ComponentCount > 1;
            return code == 0 ? null : Marshal.PtrToStringUTF8(charls_get_error_message(code));
        }
        finally
        {
            charls_jpegls_decoder_destroy(decoder);
        }
    }

    /// <summary>Encodes.</summary>
    /// <param name="samples">Colour by pixel, 1 byte a sample up to 8 bits, else 2.</param>
    /// <param name="columns">1 to 65,535.</param>
    /// <param name="rows">1 to 65,535.</param>
    /// <param name="components">1, 3 or 4.</param>
    /// <param name="bits">Of a sample, 2 to 16; higher ones must be 0.</param>
    /// <param name="near">Largest error of a sample; 0 is lossless.</param>
    /// <exception cref="ImagingException">LibraryMissing, or Unsupported with what the library says.</exception>
    public static byte[] Encode(ReadOnlySpan<byte> samples, int columns, int rows, int components, int bits, int near)
    {
        CodecLibrary.CharLs.Require();
        ArgumentOutOfRangeException.ThrowIfNotEqual(samples.Length, checked(columns * rows * components * (bits > 8 ? 2 : 1)), nameof(samples));
        nint encoder = charls_jpegls_encoder_create();
        if (encoder == 0) throw new ImagingException(ImagingError.Unsupported, "CharLS: no memory");
        try
        {
            var info = new FrameInfo { Width = (uint)columns, Height = (uint)rows, BitsPerSample = bits, ComponentCount = components };
            Check(charls_jpegls_encoder_set_frame_info(encoder, &info));
            if (near > 0) Check(charls_jpegls_encoder_set_near_lossless(encoder, near));
            if (components > 1) Check(charls_jpegls_encoder_set_interleave_mode(encoder, InterleaveSample));
            nuint size = 0;
            Check(charls_jpegls_encoder_get_estimated_destination_size(encoder, &size));
            // What does not compress grows: an escape for every sample at worst.
            size += (nuint)samples.Length / 2;
            byte[] codestream = new byte[(int)size];
            nuint written = 0;
            fixed (byte* from = samples)
            {
                fixed (byte* to = codestream)
                {
                    Check(charls_jpegls_encoder_set_destination_buffer(encoder, to, size));
                    Check(charls_jpegls_encoder_encode_from_buffer(encoder, from, (nuint)samples.Length, 0));
                    Check(charls_jpegls_encoder_get_bytes_written(encoder, &written));
                }
            }
            return codestream.AsSpan(0, (int)written).ToArray();
        }
        finally
        {
            charls_jpegls_encoder_destroy(encoder);
        }
    }

    private static void Check(int code)
    {
        if (code != 0) throw new ImagingException(ImagingError.Unsupported, "CharLS: " + Marshal.PtrToStringUTF8(charls_get_error_message(code)));
    }

    [LibraryImport(CodecLibrary.CharLsName)]
    private static partial nint charls_jpegls_decoder_create();

    [LibraryImport(CodecLibrary.CharLsName)]
    private static partial void charls_jpegls_decoder_destroy(nint decoder);

    [LibraryImport(CodecLibrary.CharLsName)]
    private static partial int charls_jpegls_decoder_set_source_buffer(nint decoder, byte* source, nuint size);

    [LibraryImport(CodecLibrary.CharLsName)]
    private static partial int charls_jpegls_decoder_read_header(nint decoder);

    [LibraryImport(CodecLibrary.CharLsName)]
    private static partial int charls_jpegls_decoder_get_frame_info(nint decoder, FrameInfo* info);

    [LibraryImport(CodecLibrary.CharLsName)]
    private static partial int charls_jpegls_decoder_get_interleave_mode(nint decoder, int* mode);

    [LibraryImport(CodecLibrary.CharLsName)]
    private static partial int charls_jpegls_decoder_get_destination_size(nint decoder, uint stride, nuint* size);

    [LibraryImport(CodecLibrary.CharLsName)]
    private static partial int charls_jpegls_decoder_decode_to_buffer(nint decoder, byte* destination, nuint size, uint stride);

    [LibraryImport(CodecLibrary.CharLsName)]
    private static partial nint charls_get_error_message(int code);

    [LibraryImport(CodecLibrary.CharLsName)]
    private static partial nint charls_jpegls_encoder_create();

    [LibraryImport(CodecLibrary.CharLsName)]
    private static partial void charls_jpegls_encoder_destroy(nint encoder);

    [LibraryImport(CodecLibrary.CharLsName)]
    private static partial int charls_jpegls_encoder_set_frame_info(nint encoder, FrameInfo* info);

    [LibraryImport(CodecLibrary.CharLsName)]
    private static partial int charls_jpegls_encoder_set_near_lossless(nint encoder, int near);

    [LibraryImport(CodecLibrary.CharLsName)]
    private static partial int charls_jpegls_encoder_set_interleave_mode(nint encoder, int mode);

    [LibraryImport(CodecLibrary.CharLsName)]
    private static partial int charls_jpegls_encoder_get_estimated_destination_size(nint encoder, nuint* size);

    [LibraryImport(CodecLibrary.CharLsName)]
    private static partial int charls_jpegls_encoder_set_destination_buffer(nint encoder, byte* destination, nuint size);

    [LibraryImport(CodecLibrary.CharLsName)]
    private static partial int charls_jpegls_encoder_encode_from_buffer(nint encoder, byte* source, nuint size, uint stride);

    [LibraryImport(CodecLibrary.CharLsName)]
    private static partial int charls_jpegls_encoder_get_bytes_written(nint encoder, nuint* written);
}
