using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace PacsCluster.Imaging.Native;

/// <summary>OpenJPEG 2: JPEG 2000 both ways, HTJ2K to be read.</summary>
internal static unsafe partial class OpenJpeg
{
    private const int CodestreamFormat = 0;
    private const int ColorGray = 2, ColorSrgb = 1;
    // opj_dparameters_t and opj_cparameters_t (openjpeg.h 2.5): filled by the library, only a few members are ours.
    private const int DecoderParametersBytes = 16 * 1024, EncoderParametersBytes = 32 * 1024;
    private const int LosslessAllocationAt = 20, FixedQualityAt = 28, LayersAt = 4796, RatesAt = 4800, DistortionsAt = 5200, ResolutionsAt = 5600, IrreversibleAt = 5616, ColourTransformAt = 18698;

    [StructLayout(LayoutKind.Sequential)]
    private struct Image
    {
        public uint X0, Y0, X1, Y1, ComponentCount;
        public int ColorSpace;
        public Component* Components;
        public byte* IccProfile;
        public uint IccLength;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Component
    {
        public uint Dx, Dy, Width, Height, X0, Y0, Precision, BitsPerPixel, Signed, ResolutionsDecoded, Factor;
        public int* Data;
        public ushort Alpha;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct ComponentParameters
    {
        public uint Dx, Dy, Width, Height, X0, Y0, Precision, BitsPerPixel, Signed;
    }

    /// <summary>What a stream's callbacks work on.</summary>
    private struct Memory
    {
        public byte* Bytes;
        public long Length;
        public long At;
        /// <summary>The library may let it grow: it is written to.</summary>
        public bool Grows;
    }

    [ThreadStatic]
    private static string? t_error;

    /// <summary>Decodes to samples, colour by pixel, little endian.</summary>
    /// <param name="input">A codestream, without JP2 boxes.</param>
    /// <param name="inputLength">Bytes.</param>
    /// <param name="columns">As its header says.</param>
    /// <param name="rows">As its header says.</param>
    /// <param name="components">As its header says.</param>
    /// <param name="sampleBytes">1, 2 or 4; what does not fit is cut off at the top.</param>
    /// <param name="output">Rows × columns × components × sampleBytes bytes.</param>
    /// <returns>Null, or what the library says is wrong.</returns>
    public static string? Decode(byte* input, int inputLength, int columns, int rows, int components, int sampleBytes, byte* output)
    {
        CodecLibrary.OpenJpeg.Require();
        t_error = null;
        var memory = new Memory { Bytes = input, Length = inputLength };
        nint codec = opj_create_decompress(CodestreamFormat), stream = opj_stream_create(1 << 20, 1);
        Image* image = null;
        try
        {
            if (codec == 0 || stream == 0) return "no memory";
            _ = opj_set_error_handler(codec, &OnError, 0);
            byte* parameters = stackalloc byte[DecoderParametersBytes];
            opj_set_default_decoder_parameters(parameters);
            if (opj_setup_decoder(codec, parameters) == 0) return Error();
            Attach(stream, &memory);
            if (opj_read_header(stream, codec, &image) == 0 || opj_decode(codec, stream, image) == 0) return Error();
            // The end of the last tile may be missing (and of the codestream): what was decoded is whole all the same.
            _ = opj_end_decompress(codec, stream);
            return Copy(image, columns, rows, components, sampleBytes, output);
        }
        finally
        {
            if (image is not null) opj_image_destroy(image);
            if (stream != 0) opj_stream_destroy(stream);
            if (codec != 0) opj_destroy_codec(codec);
        }
    }

    private static string? Copy(Image* image, int columns, int rows, int components, int sampleBytes, byte* output)
    {
        if (image->ComponentCount != components || image->X1 - image->X0 != columns || image->Y1 - image->Y0 != rows) return "its header is read in two ways";
        for (int i = 0; i < components; i++)
        {
            Component* one = image->Components + i;
            if (one->Data is null || one->Dx == 0 || one->Dy == 0) return "a component has no samples";
            if (one->Dx == 1 && one->Dy == 1 && one->Width == columns && one->Height == rows) CopyPlane(one->Data, (long)columns * rows, components, sampleBytes, output + i * sampleBytes);
            else CopySubsampled(image, one, columns, rows, components, sampleBytes, output + i * sampleBytes);
        }
        return null;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void CopyPlane(int* from, long count, int step, int sampleBytes, byte* to)
    {
        if (sampleBytes == 1)
        {
            for (long i = 0; i < count; i++) to[i * step] = (byte)from[i];
        }
        else if (sampleBytes == 2)
        {
            ushort* words = (ushort*)to;
            for (long i = 0; i < count; i++) words[i * step] = (ushort)from[i];
        }
        else
        {
            int* words = (int*)to;
            for (long i = 0; i < count; i++) words[i * step] = from[i];
        }
    }

    private static void CopySubsampled(Image* image, Component* one, int columns, int rows, int step, int sampleBytes, byte* to)
    {
        for (int y = 0; y < rows; y++)
        {
            long line = Math.Clamp((image->Y0 + y) / one->Dy - one->Y0, 0, one->Height - 1L) * one->Width;
            for (int x = 0; x < columns; x++, to += (long)step * sampleBytes)
            {
                int sample = one->Data[line + Math.Clamp((image->X0 + x) / one->Dx - one->X0, 0, one->Width - 1L)];
                if (sampleBytes == 1) *to = (byte)sample;
                else if (sampleBytes == 2) *(ushort*)to = (ushort)sample;
                else *(int*)to = sample;
            }
        }
    }

    /// <summary>Encodes to a codestream: lossless (5-3 wavelet), or to a ratio or a likeness (9-7 wavelet).</summary>
    /// <param name="samples">Colour by pixel: numbers, one for each sample.</param>
    /// <param name="columns">1 to 65,535.</param>
    /// <param name="rows">1 to 65,535.</param>
    /// <param name="components">1 to 4.</param>
    /// <param name="bits">Of a sample, 1 to 31.</param>
    /// <param name="isSigned">The numbers may be negative.</param>
    /// <param name="isRgb">Three components, to be transformed to luminance and chrominance.</param>
    /// <param name="ratio">How much smaller to become; 0 is lossless.</param>
    /// <param name="decibels">How like to the original to stay (peak signal to noise ratio), instead of a ratio; 0 is lossless.</param>
    /// <exception cref="ImagingException">LibraryMissing, or Unsupported with what the library says.</exception>
    public static byte[] Encode(ReadOnlySpan<int> samples, int columns, int rows, int components, int bits, bool isSigned, bool isRgb, float ratio, float decibels = 0)
    {
        CodecLibrary.OpenJpeg.Require();
        ArgumentOutOfRangeException.ThrowIfNotEqual(samples.Length, checked(columns * rows * components), nameof(samples));
        t_error = null;
        var memory = new Memory { Grows = true };
        nint codec = opj_create_compress(CodestreamFormat), stream = opj_stream_create(1 << 20, 0);
        Image* image = null;
        try
        {
            if (codec == 0 || stream == 0) throw Failed("no memory");
            _ = opj_set_error_handler(codec, &OnError, 0);
            image = NewImage(samples, columns, rows, components, bits, isSigned);
            byte* parameters = stackalloc byte[EncoderParametersBytes];
            opj_set_default_encoder_parameters(parameters);
            *(int*)(parameters + LayersAt) = 1;
            *(float*)(parameters + RatesAt) = ratio;
            *(float*)(parameters + DistortionsAt) = decibels;
            *(int*)(parameters + (decibels > 0 ? FixedQualityAt : LosslessAllocationAt)) = 1;
            *(int*)(parameters + ResolutionsAt) = Math.Clamp(System.Numerics.BitOperations.Log2((uint)Math.Min(columns, rows)) + 1, 1, 6);
            *(int*)(parameters + IrreversibleAt) = ratio > 0 || decibels > 0 ? 1 : 0;
            *(parameters + ColourTransformAt) = (byte)(isRgb ? 1 : 0);
            if (opj_setup_encoder(codec, parameters, image) == 0) throw Failed(Error());
            Attach(stream, &memory);
            if (opj_start_compress(codec, image, stream) == 0 || opj_encode(codec, stream) == 0 || opj_end_compress(codec, stream) == 0) throw Failed(Error());
            return new ReadOnlySpan<byte>(memory.Bytes, checked((int)memory.Length)).ToArray();
        }
        finally
        {
            if (image is not null) opj_image_destroy(image);
            if (stream != 0) opj_stream_destroy(stream);
            if (codec != 0) opj_destroy_codec(codec);
            NativeMemory.Free(memory.Bytes);
        }
    }

    private static Image* NewImage(ReadOnlySpan<int> samples, int columns, int rows, int components, int bits, bool isSigned)
    {
        var kinds = stackalloc ComponentParameters[components];
        for (int i = 0; i < components; i++)
        {
            kinds[i] = new ComponentParameters
            {
                Dx = 1, Dy = 1, Width = (uint)columns, Height = (uint)rows, Precision = (uint)bits, BitsPerPixel = (uint)bits, Signed = isSigned ? 1u : 0,
            };
        }
        Image* image = opj_image_create((uint)components, kinds, components == 3 ? ColorSrgb : ColorGray);
        if (image is null) throw Failed("no memory");
        image->X0 = image->Y0 = 0;
        image->X1 = (uint)columns;
        image->Y1 = (uint)rows;
        for (int i = 0; i < components; i++)
        {
            int* to = image->Components[i].Data;
            for (int at = i, n = 0; at < samples.Length; at += components, n++) to[n] = samples[at];
        }
        return image;
    }

    private static void Attach(nint stream, Memory* memory)
    {
        opj_stream_set_user_data(stream, memory, 0);
        opj_stream_set_user_data_length(stream, (ulong)memory->Length);
        opj_stream_set_read_function(stream, &OnRead);
        opj_stream_set_write_function(stream, &OnWrite);
        opj_stream_set_skip_function(stream, &OnSkip);
        opj_stream_set_seek_function(stream, &OnSeek);
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static nuint OnRead(void* buffer, nuint count, void* user)
    {
        var memory = (Memory*)user;
        long left = memory->Length - memory->At;
        if (left <= 0) return nuint.MaxValue;
        long taken = Math.Min(left, (long)count);
        Buffer.MemoryCopy(memory->Bytes + memory->At, buffer, taken, taken);
        memory->At += taken;
        return (nuint)taken;
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static nuint OnWrite(void* buffer, nuint count, void* user)
    {
        var memory = (Memory*)user;
        Reserve(memory, memory->At + (long)count);
        Buffer.MemoryCopy(buffer, memory->Bytes + memory->At, (long)count, (long)count);
        memory->At += (long)count;
        return count;
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static long OnSkip(long count, void* user)
    {
        var memory = (Memory*)user;
        if (memory->Grows) Reserve(memory, memory->At + count);
        long target = Math.Clamp(memory->At + count, 0, memory->Length);
        long skipped = target - memory->At;
        memory->At = target;
        return skipped == 0 && count != 0 ? -1 : skipped;
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int OnSeek(long to, void* user)
    {
        var memory = (Memory*)user;
        if (to < 0) return 0;
        if (memory->Grows) Reserve(memory, to);
        if (to > memory->Length) return 0;
        memory->At = to;
        return 1;
    }

    /// <summary>Makes the written part reach to a length; the allocation is the next power of two.</summary>
    private static void Reserve(Memory* memory, long length)
    {
        if (length <= memory->Length) return;
        ulong before = memory->Length == 0 ? 0 : System.Numerics.BitOperations.RoundUpToPowerOf2((ulong)memory->Length);
        ulong after = Math.Max(64 * 1024, System.Numerics.BitOperations.RoundUpToPowerOf2((ulong)length));
        if (Math.Max(before, 64 * 1024) < after || memory->Bytes is null) memory->Bytes = (byte*)NativeMemory.Realloc(memory->Bytes, (nuint)after);
        memory->Length = length;
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void OnError(byte* message, void* user) => t_error ??= Marshal.PtrToStringUTF8((nint)message)?.Trim();

    private static string Error() => t_error ?? "it does not say why";

    private static ImagingException Failed(string why) => new(ImagingError.Unsupported, "OpenJPEG: " + why);

    [LibraryImport(CodecLibrary.OpenJpegName)]
    private static partial nint opj_create_decompress(int format);

    [LibraryImport(CodecLibrary.OpenJpegName)]
    private static partial nint opj_create_compress(int format);

    [LibraryImport(CodecLibrary.OpenJpegName)]
    private static partial void opj_destroy_codec(nint codec);

    [LibraryImport(CodecLibrary.OpenJpegName)]
    private static partial int opj_set_error_handler(nint codec, delegate* unmanaged[Cdecl]<byte*, void*, void> handler, nint user);

    [LibraryImport(CodecLibrary.OpenJpegName)]
    private static partial void opj_set_default_decoder_parameters(byte* parameters);

    [LibraryImport(CodecLibrary.OpenJpegName)]
    private static partial void opj_set_default_encoder_parameters(byte* parameters);

    [LibraryImport(CodecLibrary.OpenJpegName)]
    private static partial int opj_setup_decoder(nint codec, byte* parameters);

    [LibraryImport(CodecLibrary.OpenJpegName)]
    private static partial int opj_setup_encoder(nint codec, byte* parameters, Image* image);

    [LibraryImport(CodecLibrary.OpenJpegName)]
    private static partial int opj_read_header(nint stream, nint codec, Image** image);

    [LibraryImport(CodecLibrary.OpenJpegName)]
    private static partial int opj_decode(nint codec, nint stream, Image* image);

    [LibraryImport(CodecLibrary.OpenJpegName)]
    private static partial int opj_end_decompress(nint codec, nint stream);

    [LibraryImport(CodecLibrary.OpenJpegName)]
    private static partial int opj_start_compress(nint codec, Image* image, nint stream);

    [LibraryImport(CodecLibrary.OpenJpegName)]
    private static partial int opj_encode(nint codec, nint stream);

    [LibraryImport(CodecLibrary.OpenJpegName)]
    private static partial int opj_end_compress(nint codec, nint stream);

    [LibraryImport(CodecLibrary.OpenJpegName)]
    private static partial Image* opj_image_create(uint count, ComponentParameters* kinds, int colorSpace);

    [LibraryImport(CodecLibrary.OpenJpegName)]
    private static partial void opj_image_destroy(Image* image);

    [LibraryImport(CodecLibrary.OpenJpegName)]
    private static partial nint opj_stream_create(nuint bufferSize, int isInput);

    [LibraryImport(CodecLibrary.OpenJpegName)]
    private static partial void opj_stream_destroy(nint stream);

    [LibraryImport(CodecLibrary.OpenJpegName)]
    private static partial void opj_stream_set_user_data(nint stream, Memory* data, nint free);

    [LibraryImport(CodecLibrary.OpenJpegName)]
    private static partial void opj_stream_set_user_data_length(nint stream, ulong length);

    [LibraryImport(CodecLibrary.OpenJpegName)]
    private static partial void opj_stream_set_read_function(nint stream, delegate* unmanaged[Cdecl]<void*, nuint, void*, nuint> function);

    [LibraryImport(CodecLibrary.OpenJpegName)]
    private static partial void opj_stream_set_write_function(nint stream, delegate* unmanaged[Cdecl]<void*, nuint, void*, nuint> function);

    [LibraryImport(CodecLibrary.OpenJpegName)]
    private static partial void opj_stream_set_skip_function(nint stream, delegate* unmanaged[Cdecl]<long, void*, long> function);

    [LibraryImport(CodecLibrary.OpenJpegName)]
    private static partial void opj_stream_set_seek_function(nint stream, delegate* unmanaged[Cdecl]<long, void*, int> function);
}
