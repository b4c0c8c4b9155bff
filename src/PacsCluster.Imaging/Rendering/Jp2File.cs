using System.Buffers.Binary;

namespace PacsCluster.Imaging.Rendering;

/// <summary>The boxes of a JP2 file around a codestream (ITU-T T.800 annex I): signature, file type, header, codestream.</summary>
internal static class Jp2File
{
    private const int BoxHeader = 8, ImageHeaderBox = BoxHeader + 14, EnumeratedColourBox = BoxHeader + 7, ProfiledColourBox = BoxHeader + 3;
    private const byte Jpeg2000 = 7;
    private const uint Srgb = 16, Grey = 17;

    /// <summary>Makes the file.</summary>
    /// <param name="codestream">Of samples of 8 unsigned bits.</param>
    /// <param name="width">As the codestream's.</param>
    /// <param name="height">As the codestream's.</param>
    /// <param name="samples">1 grey, 3 red green blue.</param>
    /// <param name="iccProfile">A restricted profile, or null: sRGB, or grey of the same curve.</param>
    public static byte[] Wrap(ReadOnlySpan<byte> codestream, int width, int height, int samples, byte[]? iccProfile)
    {
        int colour = iccProfile is null ? EnumeratedColourBox : ProfiledColourBox + iccProfile.Length;
        byte[] file = new byte[12 + 20 + BoxHeader + ImageHeaderBox + colour + BoxHeader + codestream.Length];
        Span<byte> to = file;
        to = Box(to, 12, "jP  "u8);
        to = UInt32(to, 0x0D0A_870A);
        to = Box(to, 20, "ftyp"u8);
        to = Bytes(to, "jp2 "u8);
        to = UInt32(to, 0);
        to = Bytes(to, "jp2 "u8);
        to = Box(to, BoxHeader + ImageHeaderBox + colour, "jp2h"u8);
        to = Box(to, ImageHeaderBox, "ihdr"u8);
        to = UInt32(to, (uint)height);
        to = UInt32(to, (uint)width);
        // Components, 8 bits each; the colours are known, and nobody claims rights in the picture.
        to = Bytes(to, [0, (byte)samples, 8 - 1, Jpeg2000, 0, 0]);
        to = Box(to, colour, "colr"u8);
        to = Bytes(to, [(byte)(iccProfile is null ? 1 : 2), 0, 0]);
        to = iccProfile is null ? UInt32(to, samples == 1 ? Grey : Srgb) : Bytes(to, iccProfile);
        to = Box(to, BoxHeader + codestream.Length, "jp2c"u8);
        Bytes(to, codestream);
        return file;
    }

    private static Span<byte> Box(Span<byte> to, int length, scoped ReadOnlySpan<byte> type) => Bytes(UInt32(to, (uint)length), type);

    private static Span<byte> UInt32(Span<byte> to, uint value)
    {
        BinaryPrimitives.WriteUInt32BigEndian(to, value);
        return to[4..];
    }

    private static Span<byte> Bytes(Span<byte> to, scoped ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(to);
        return to[bytes.Length..];
    }
}
