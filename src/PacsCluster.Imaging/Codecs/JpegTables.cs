using System.Buffers.Binary;

namespace PacsCluster.Imaging.Codecs;

/// <summary>A component's part in a scan.</summary>
/// <param name="Index">Of the component in the frame header.</param>
/// <param name="Dc">DC table; of lossless JPEG the only one.</param>
/// <param name="Ac">AC table; null where it was not defined.</param>
internal readonly record struct ScanComponent(int Index, HuffmanTable? Dc, HuffmanTable? Ac);

/// <summary>A scan header (ITU-T T.81 B.2.3).</summary>
/// <param name="Components">1 to 4.</param>
/// <param name="Start">Ss: first coefficient, or the predictor of lossless JPEG.</param>
/// <param name="End">Se: last coefficient.</param>
/// <param name="High">Ah: bits known before.</param>
/// <param name="Low">Al: the bit given now, or the point transform.</param>
internal sealed record JpegScan(ScanComponent[] Components, int Start, int End, int High, int Low);

/// <summary>What the segments between scans define.</summary>
internal sealed class JpegTables
{
    private readonly HuffmanTable?[] _dc = new HuffmanTable?[4];
    private readonly HuffmanTable?[] _ac = new HuffmanTable?[4];

    /// <summary>Quantization tables in zigzag order.</summary>
    public ushort[]?[] Quantization { get; } = new ushort[]?[4];
    /// <summary>MCUs between two restart markers, 0 for none.</summary>
    public int RestartInterval { get; private set; }

    /// <summary>Reads on to the next scan; <paramref name="at"/> then stands at its entropy-coded data. Null at the end of the image.</summary>
    public JpegScan? NextScan(ReadOnlySpan<byte> codestream, JpegHeader header, ref int at)
    {
        while (at < codestream.Length)
        {
            int marker;
            try
            {
                marker = JpegHeader.NextMarker(codestream, ref at);
            }
            catch (ImagingException)
            {
                // No further marker: many writers leave EOI out.
                return null;
            }
            if (marker == 0xD9) return null;
            if (marker is 0xD8 or 0x01 or (>= 0xD0 and <= 0xD7)) continue;
            ReadOnlySpan<byte> segment = JpegHeader.Segment(codestream, ref at);
            switch (marker)
            {
                case 0xC4:
                    ReadHuffman(segment);
                    break;
                case 0xDB:
                    ReadQuantization(segment);
                    break;
                case 0xDD:
                    if (segment.Length < 2) throw JpegHeader.Corrupt("has a short DRI");
                    RestartInterval = BinaryPrimitives.ReadUInt16BigEndian(segment);
                    break;
                case 0xDA:
                    return ReadScan(segment, header);
            }
        }
        return null;
    }

    private void ReadHuffman(ReadOnlySpan<byte> segment)
    {
        while (!segment.IsEmpty)
        {
            int kind = segment[0] >> 4, index = segment[0] & 15;
            if (kind > 1 || index > 3) throw JpegHeader.Corrupt("has a Huffman table of no known kind");
            segment = segment[1..];
            (kind == 0 ? _dc : _ac)[index] = HuffmanTable.Read(ref segment);
        }
    }

    private void ReadQuantization(ReadOnlySpan<byte> segment)
    {
        while (!segment.IsEmpty)
        {
            int wide = segment[0] >> 4, index = segment[0] & 15;
            if (wide > 1 || index > 3 || segment.Length < 1 + 64 * (wide + 1)) throw JpegHeader.Corrupt("has a broken quantization table");
            ushort[] table = new ushort[64];
            for (int i = 0; i < 64; i++) table[i] = wide == 0 ? segment[1 + i] : BinaryPrimitives.ReadUInt16BigEndian(segment[(1 + i * 2)..]);
            Quantization[index] = table;
            segment = segment[(1 + 64 * (wide + 1))..];
        }
    }

    private JpegScan ReadScan(ReadOnlySpan<byte> segment, JpegHeader header)
    {
        int count = segment.IsEmpty ? 0 : segment[0];
        if (count is < 1 or > 4 || segment.Length < 4 + 2 * count) throw JpegHeader.Corrupt("has a broken scan header");
        var components = new ScanComponent[count];
        for (int i = 0; i < count; i++)
        {
            byte id = segment[1 + 2 * i], tables = segment[2 + 2 * i];
            int index = Array.FindIndex(header.Components, component => component.Id == id);
            if (index < 0 || Array.Exists(components[..i], one => one.Index == index)) throw JpegHeader.Corrupt("has a scan of a component that it lacks");
            components[i] = new ScanComponent(index, _dc[tables >> 4 & 3], _ac[tables & 3]);
        }
        ReadOnlySpan<byte> rest = segment[(1 + 2 * count)..];
        return new JpegScan(components, rest[0], rest[1], rest[2] >> 4, rest[2] & 15);
    }
}
