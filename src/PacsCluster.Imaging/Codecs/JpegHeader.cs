using System.Buffers.Binary;

namespace PacsCluster.Imaging.Codecs;

/// <summary>A component of a JPEG frame header.</summary>
/// <param name="Id">Its identifier.</param>
/// <param name="Horizontal">Horizontal sampling factor, 1 to 4.</param>
/// <param name="Vertical">Vertical sampling factor, 1 to 4.</param>
/// <param name="Table">Its quantization table.</param>
internal readonly record struct JpegComponent(byte Id, int Horizontal, int Vertical, int Table);

/// <summary>What a JPEG or JPEG-LS codestream says of itself before its first scan (ITU-T T.81 annex B, T.87 annex C). Read by ourselves, so that
/// dimensions are known and checked before any library sees a byte.</summary>
internal sealed class JpegHeader
{
    private JpegHeader()
    {
    }

    /// <summary>Second byte of the SOF marker: C0 to CF, or F7 for JPEG-LS.</summary>
    public byte Sof { get; private set; }
    /// <summary>Bits of a sample, 2 to 16.</summary>
    public int Precision { get; private set; }
    /// <summary>Lines; 1 to 65,535.</summary>
    public int Rows { get; private set; }
    /// <summary>Samples of a line; 1 to 65,535.</summary>
    public int Columns { get; private set; }
    /// <summary>1 to 4 of them.</summary>
    public JpegComponent[] Components { get; private set; } = [];
    /// <summary>A JFIF segment stands there, which means YCbCr.</summary>
    public bool HasJfif { get; private set; }
    /// <summary>The colour transform of an Adobe segment; -1 without.</summary>
    public int AdobeTransform { get; private set; } = -1;
    /// <summary>Where the frame header (its marker) lies.</summary>
    public int SofAt { get; private set; }
    /// <summary>NEAR of the first scan of JPEG-LS, 0 for lossless.</summary>
    public int Near { get; private set; }

    public bool IsJpegLs => Sof == 0xF7;
    public bool IsLossless => Sof == 0xC3;
    /// <summary>Baseline, extended or progressive DCT with Huffman codes.</summary>
    public bool IsDct => Sof is 0xC0 or 0xC1 or 0xC2;

    /// <summary>Reads up to the first scan.</summary>
    /// <exception cref="ImagingException">Corrupt when there is no frame header, or one that the standard does not have.</exception>
    public static JpegHeader Read(ReadOnlySpan<byte> codestream)
    {
        var header = new JpegHeader();
        if (!codestream.StartsWith<byte>([0xFF, 0xD8])) throw Corrupt("does not start with SOI");
        int at = 2;
        while (true)
        {
            int marker = NextMarker(codestream, ref at);
            if (marker is 0xD8 or 0x01 or (>= 0xD0 and <= 0xD7)) continue;
            if (marker == 0xD9) throw Corrupt("ends without an image");
            ReadOnlySpan<byte> segment = Segment(codestream, ref at);
            switch (marker)
            {
                case 0xE0:
                    header.HasJfif |= segment.StartsWith("JFIF\0"u8);
                    break;
                case 0xEE:
                    if (segment.Length >= 12 && segment.StartsWith("Adobe"u8)) header.AdobeTransform = segment[11];
                    break;
                case 0xC4 or 0xC8 or 0xCC:
                    break;
                case (>= 0xC0 and <= 0xCF) or 0xF7:
                    if (header.Sof != 0) throw Corrupt("has two frame headers");
                    header.SofAt = at - segment.Length - 4;
                    header.Sof = (byte)marker;
                    header.ReadFrame(segment);
                    break;
                case 0xDA:
                    if (header.Sof == 0) throw Corrupt("has a scan before its frame header");
                    if (header.IsJpegLs && segment.Length >= 3) header.Near = segment[^3];
                    return header;
            }
        }
    }

    /// <summary>The next marker's second byte; fill bytes and what stands between segments are stepped over.</summary>
    public static int NextMarker(ReadOnlySpan<byte> codestream, ref int at)
    {
        while (true)
        {
            int found = at < codestream.Length ? codestream[at..].IndexOf((byte)0xFF) : -1;
            if (found < 0) throw Corrupt("ends before its image");
            at += found;
            while (at < codestream.Length && codestream[at] == 0xFF) at++;
            if (at >= codestream.Length) throw Corrupt("ends before its image");
            if (codestream[at++] is not 0 and byte marker) return marker;
        }
    }

    /// <summary>The content of a marker segment, behind its length.</summary>
    public static ReadOnlySpan<byte> Segment(ReadOnlySpan<byte> codestream, ref int at)
    {
        if (codestream.Length - at < 2) throw Corrupt("ends inside a segment");
        int length = BinaryPrimitives.ReadUInt16BigEndian(codestream[at..]);
        if (length < 2 || length > codestream.Length - at) throw Corrupt("ends inside a segment");
        ReadOnlySpan<byte> segment = codestream.Slice(at + 2, length - 2);
        at += length;
        return segment;
    }

    private void ReadFrame(ReadOnlySpan<byte> segment)
    {
        if (segment.Length < 6) throw Corrupt("has a short frame header");
        Precision = segment[0];
        Rows = BinaryPrimitives.ReadUInt16BigEndian(segment[1..]);
        Columns = BinaryPrimitives.ReadUInt16BigEndian(segment[3..]);
        int count = segment[5];
        if (Precision is < 2 or > 16) throw Corrupt($"has {Precision} bits a sample");
        if (Rows == 0 || Columns == 0) throw Corrupt("has no rows or columns");
        if (count is < 1 or > 4) throw new ImagingException(ImagingError.Unsupported, $"JPEG with {count} components");
        if (segment.Length < 6 + 3 * count) throw Corrupt("has a short frame header");
        Components = new JpegComponent[count];
        for (int i = 0; i < count; i++)
        {
            ReadOnlySpan<byte> one = segment.Slice(6 + 3 * i, 3);
            Components[i] = new JpegComponent(one[0], one[1] >> 4, one[1] & 15, one[2]);
            if (Components[i].Horizontal is < 1 or > 4 || Components[i].Vertical is < 1 or > 4) throw Corrupt("has impossible sampling factors");
        }
    }

    internal static ImagingException Corrupt(string what) => new(ImagingError.Corrupt, "a JPEG codestream " + what);
}
