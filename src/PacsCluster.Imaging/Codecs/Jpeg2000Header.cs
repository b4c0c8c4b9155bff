using System.Buffers.Binary;

namespace PacsCluster.Imaging.Codecs;

/// <summary>What a JPEG 2000 or HTJ2K codestream says of itself in SIZ and COD (ITU-T T.800 annex A.5, A.6; T.814). Read by ourselves, so that
/// dimensions, components and tiles are known and checked before the library sees a byte.</summary>
internal sealed class Jpeg2000Header
{
    /// <summary>Tiles that one frame may have: a whole-slide frame has some hundreds, a hostile one claims 65,535 and costs memory for each.</summary>
    private const long TilesMax = 65535;

    private Jpeg2000Header()
    {
    }

    public int Rows { get; private set; }
    public int Columns { get; private set; }
    public int Components { get; private set; }
    /// <summary>Bits of a sample: the most of all components, 1 to 31.</summary>
    public int Precision { get; private set; }
    public bool IsSigned { get; private set; }
    /// <summary>A component is sampled at every second pixel or fewer.</summary>
    public bool IsSubsampled { get; private set; }
    /// <summary>The colour transformation of the standard's part 1 is in use: decoding gives RGB.</summary>
    public bool UsesColourTransform { get; private set; }
    /// <summary>The 5-3 wavelet.</summary>
    public bool IsReversible { get; private set; }
    /// <summary>First byte of the codestream in what was given: behind the boxes of a JP2 file.</summary>
    public int Start { get; private set; }

    /// <summary>Reads the main header.</summary>
    /// <exception cref="ImagingException">Corrupt, or Unsupported for more components, bits or tiles than are decoded here.</exception>
    public static Jpeg2000Header Read(ReadOnlySpan<byte> bytes)
    {
        int start = FindCodestream(bytes);
        ReadOnlySpan<byte> codestream = bytes[start..];
        var header = new Jpeg2000Header { Start = start };
        bool seenSize = false, seenCoding = false;
        for (int at = 2; ;)
        {
            if (codestream.Length - at < 4) throw Corrupt("ends inside its main header");
            int marker = BinaryPrimitives.ReadUInt16BigEndian(codestream[at..]);
            if (marker == 0xFF90) break;
            int length = BinaryPrimitives.ReadUInt16BigEndian(codestream[(at + 2)..]);
            if (marker < 0xFF00 || length < 2 || length > codestream.Length - at - 2) throw Corrupt("has a broken main header");
            ReadOnlySpan<byte> segment = codestream.Slice(at + 4, length - 2);
            if (marker == 0xFF51)
            {
                header.ReadSize(segment);
                seenSize = true;
            }
            else if (marker == 0xFF52)
            {
                if (segment.Length < 10) throw Corrupt("has a short COD");
                header.UsesColourTransform = segment[4] == 1;
                header.IsReversible = segment[9] == 1;
                seenCoding = true;
            }
            at += 2 + length;
        }
        if (!seenSize || !seenCoding) throw Corrupt("lacks SIZ or COD");
        return header;
    }

    private static int FindCodestream(ReadOnlySpan<byte> bytes)
    {
        if (bytes.StartsWith<byte>([0xFF, 0x4F, 0xFF, 0x51])) return 0;
        if (!bytes.StartsWith<byte>([0, 0, 0, 12, 0x6A, 0x50, 0x20, 0x20])) throw Corrupt("does not start with SOC and SIZ");
        // A JP2 file around the codestream: not DICOM, but some writers put it there.
        for (int at = 0; bytes.Length - at >= 8;)
        {
            uint length = BinaryPrimitives.ReadUInt32BigEndian(bytes[at..]);
            if (bytes.Slice(at + 4, 4).SequenceEqual("jp2c"u8))
            {
                int start = at + (length == 1 ? 16 : 8);
                if (bytes.Length - start >= 4 && bytes[start..].StartsWith<byte>([0xFF, 0x4F, 0xFF, 0x51])) return start;
                break;
            }
            if (length < 8 || length > bytes.Length - at) break;
            at += (int)length;
        }
        throw Corrupt("has no codestream in its JP2 boxes");
    }

    private void ReadSize(ReadOnlySpan<byte> segment)
    {
        if (segment.Length < 36) throw Corrupt("has a short SIZ");
        long x1 = BinaryPrimitives.ReadUInt32BigEndian(segment[2..]), y1 = BinaryPrimitives.ReadUInt32BigEndian(segment[6..]);
        long x0 = BinaryPrimitives.ReadUInt32BigEndian(segment[10..]), y0 = BinaryPrimitives.ReadUInt32BigEndian(segment[14..]);
        long tileWidth = BinaryPrimitives.ReadUInt32BigEndian(segment[18..]), tileHeight = BinaryPrimitives.ReadUInt32BigEndian(segment[22..]);
        long tileX = BinaryPrimitives.ReadUInt32BigEndian(segment[26..]), tileY = BinaryPrimitives.ReadUInt32BigEndian(segment[30..]);
        Components = BinaryPrimitives.ReadUInt16BigEndian(segment[34..]);
        if (x1 <= x0 || y1 <= y0 || x1 > int.MaxValue || y1 > int.MaxValue || x1 - x0 > 65535 || y1 - y0 > 65535) throw Corrupt("has impossible dimensions");
        if (tileWidth == 0 || tileHeight == 0 || tileX > x0 || tileY > y0 || tileX + tileWidth <= x0 || tileY + tileHeight <= y0) throw Corrupt("has impossible tiles");
        long tiles = ((x1 - tileX + tileWidth - 1) / tileWidth) * ((y1 - tileY + tileHeight - 1) / tileHeight);
        if (tiles > TilesMax) throw new ImagingException(ImagingError.TooLarge, $"JPEG 2000 with {tiles} tiles");
        if (Components is < 1 or > 4) throw new ImagingException(ImagingError.Unsupported, $"JPEG 2000 with {Components} components");
        if (segment.Length < 36 + 3 * Components) throw Corrupt("has a short SIZ");
        Columns = (int)(x1 - x0);
        Rows = (int)(y1 - y0);
        for (int i = 0; i < Components; i++)
        {
            ReadOnlySpan<byte> component = segment.Slice(36 + 3 * i, 3);
            Precision = Math.Max(Precision, (component[0] & 0x7F) + 1);
            IsSigned |= (component[0] & 0x80) != 0;
            if (component[1] == 0 || component[2] == 0) throw Corrupt("has impossible sampling factors");
            IsSubsampled |= component[1] != 1 || component[2] != 1;
        }
        if (Precision > 31) throw new ImagingException(ImagingError.Unsupported, $"JPEG 2000 with {Precision} bits a sample");
    }

    private static ImagingException Corrupt(string what) => new(ImagingError.Corrupt, "a JPEG 2000 codestream " + what);
}
