namespace PacsCluster.Imaging.Codecs;

/// <summary>What the three components of a JPEG are. DICOM says it in Photometric Interpretation, JPEG readers look for JFIF and Adobe segments.</summary>
internal static class JpegColour
{
    /// <summary>Whether three components are YCbCr. Markers are the encoder's own word; without them the attribute counts.</summary>
    public static bool IsYCbCr(JpegHeader header, PhotometricInterpretation photometric)
    {
        if (header.Components.Length != 3) return false;
        if (header.AdobeTransform >= 0) return header.AdobeTransform == 1;
        if (header.HasJfif) return true;
        return photometric != PhotometricInterpretation.Rgb;
    }

    /// <summary>Makes libturbojpeg see the components as they are: an Adobe segment of our own in front, JFIF and Adobe segments turned into ones that it
    /// does not know.</summary>
    /// <param name="buffer">Room of <paramref name="headroom"/> bytes, then the codestream.</param>
    /// <param name="headroom">16.</param>
    /// <param name="length">Bytes of the codestream.</param>
    /// <param name="isYCbCr">What to say.</param>
    /// <returns>False when the codestream says so already; then nothing was changed. True: it starts at the buffer's start now.</returns>
    public static unsafe bool Mark(byte* buffer, int headroom, int length, bool isYCbCr)
    {
        var codestream = new Span<byte>(buffer + headroom, length);
        JpegHeader header = JpegHeader.Read(codestream);
        if (Guess(header) == isYCbCr) return false;
        int at = 2;
        while (true)
        {
            int marker = JpegHeader.NextMarker(codestream, ref at);
            if (marker is 0xD8 or 0x01 or (>= 0xD0 and <= 0xD7)) continue;
            if (marker == 0xDA) break;
            if (marker is 0xE0 or 0xEE) codestream[at - 1] = 0xE1;
            JpegHeader.Segment(codestream, ref at);
        }
        ReadOnlySpan<byte> start = [0xFF, 0xD8, 0xFF, 0xEE, 0, 14, (byte)'A', (byte)'d', (byte)'o', (byte)'b', (byte)'e', 0, 100, 0, 0, 0];
        // SOI, then a segment of 16 bytes whose last three lie where SOI was.
        start.CopyTo(new Span<byte>(buffer, headroom));
        codestream[0] = 0;
        codestream[1] = (byte)(isYCbCr ? 1 : 0);
        return true;
    }

    /// <summary>As libjpeg guesses (jdapimin.c).</summary>
    private static bool Guess(JpegHeader header)
    {
        if (header.HasJfif) return true;
        if (header.AdobeTransform >= 0) return header.AdobeTransform != 0;
        return !(header.Components[0].Id == 'R' && header.Components[1].Id == 'G' && header.Components[2].Id == 'B');
    }
}
