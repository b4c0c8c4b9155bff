using System.Buffers;
using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Runtime.InteropServices;

namespace PacsCluster.Imaging.Rendering;

/// <summary>JPEG by libturbojpeg (TurboJPEG API 2). It only ever meets pixels that were rendered here, so it runs in this process.</summary>
internal static unsafe class TurboJpeg
{
    private const int PixelFormatRgb = 0, PixelFormatGray = 6;
    private const int Subsampling444 = 0, Subsampling420 = 2, SubsamplingGray = 3;
    private const int NoRealloc = 1024;
    private const int SideMax = 65500;

    // Bytes of an ICC profile in one APP2 segment: 65,535 less length, signature and numbers (ICC.1 annex B.4).
    private const int ProfilePartMax = 65519;

    private static readonly Lazy<Functions?> s_functions = new(Functions.Load);
    private static readonly ConcurrentBag<nint> s_idle = [];

    /// <summary>Encodes 8-bit pixels.</summary>
    public static byte[] Compress(RenderedImage image, int quality)
    {
        Functions functions = s_functions.Value
            ?? throw new ImagingException(ImagingError.LibraryMissing, "JPEG pictures need libturbojpeg, which is not installed: on Debian, apt-get install libturbojpeg0");
        if (image.Width > SideMax || image.Height > SideMax) throw new ImagingException(ImagingError.TooLarge, $"a JPEG has at most {SideMax} pixels in a row or column");
        int subsampling = image.Samples == 1 ? SubsamplingGray : quality >= PictureWriter.DefaultQuality ? Subsampling444 : Subsampling420;
        nuint needed = functions.BufferSize(image.Width, image.Height, subsampling);
        if (needed > (nuint)Array.MaxLength) throw new ImagingException(ImagingError.TooLarge, "the picture is too large for a JPEG in memory");
        byte[] buffer = ArrayPool<byte>.Shared.Rent((int)needed);
        if (!s_idle.TryTake(out nint handle)) handle = functions.Init();
        try
        {
            nuint length = (nuint)buffer.Length;
            fixed (byte* from = image.Pixels.Span)
            fixed (byte* to = buffer)
            {
                byte* written = to;
                int format = image.Samples == 1 ? PixelFormatGray : PixelFormatRgb;
                if (functions.Compress(handle, from, image.Width, 0, image.Height, format, &written, &length, subsampling, quality, NoRealloc) != 0)
                    throw new InvalidOperationException("libturbojpeg: " + Marshal.PtrToStringUTF8(functions.Error(handle)));
            }
            ReadOnlySpan<byte> jpeg = buffer.AsSpan(0, (int)length);
            return image.IccProfile is { Length: > 0 } profile ? WithProfile(jpeg, profile) : jpeg.ToArray();
        }
        finally
        {
            s_idle.Add(handle);
            ArrayPool<byte>.Shared.Return(buffer);
        }
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

    private sealed class Functions
    {
        public readonly delegate* unmanaged<nint> Init;
        public readonly delegate* unmanaged<nint, byte*, int, int, int, int, byte**, nuint*, int, int, int, int> Compress;
        public readonly delegate* unmanaged<int, int, int, nuint> BufferSize;
        public readonly delegate* unmanaged<nint, nint> Error;

        private Functions(nint library)
        {
            Init = (delegate* unmanaged<nint>)NativeLibrary.GetExport(library, "tjInitCompress");
            Compress = (delegate* unmanaged<nint, byte*, int, int, int, int, byte**, nuint*, int, int, int, int>)NativeLibrary.GetExport(library, "tjCompress2");
            BufferSize = (delegate* unmanaged<int, int, int, nuint>)NativeLibrary.GetExport(library, "tjBufSize");
            Error = (delegate* unmanaged<nint, nint>)NativeLibrary.GetExport(library, "tjGetErrorStr2");
        }

        public static Functions? Load()
        {
            foreach (string name in (ReadOnlySpan<string>)["libturbojpeg.so.0", "libturbojpeg.0.dylib", "turbojpeg.dll"])
            {
                if (NativeLibrary.TryLoad(name, out nint library)) return new Functions(library);
            }
            return null;
        }
    }
}
