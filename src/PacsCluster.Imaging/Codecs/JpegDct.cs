using System.Buffers.Binary;
using System.Runtime.CompilerServices;

namespace PacsCluster.Imaging.Codecs;

/// <summary>Sequential and progressive DCT with Huffman codes, 8 and 12 bits (ITU-T T.81 annexes F and G), for what libturbojpeg does not decode: 12
/// bits, and sampling factors it does not know. Coefficients of the whole image are held, so that one way serves both kinds. The arithmetic of the
/// transform and of colour is that of the Independent JPEG Group's "slow integer" code, which the foreign judges use: results are the same bit for bit.</summary>
internal sealed class JpegDct
{
    private static ReadOnlySpan<byte> ZigZag =>
    [
        0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21, 28,
        35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
    ];

    private sealed class Plane
    {
        public required JpegComponent Component { get; init; }
        /// <summary>Blocks that hold samples of the image.</summary>
        public required int Wide { get; init; }
        public required int High { get; init; }
        /// <summary>Blocks in memory: whole MCUs.</summary>
        public required int Stride { get; init; }
        public required short[] Coefficients { get; init; }
        public int Predicted { get; set; }
        public ushort[]? Quantization { get; set; }
    }

    private readonly JpegHeader _header;
    private readonly Plane[] _planes;
    private readonly int _mcusWide;
    private readonly int _mcusHigh;
    private readonly CancellationToken _cancellationToken;
    private int _endOfBandRun;

    private JpegDct(JpegHeader header, CancellationToken cancellationToken)
    {
        _header = header;
        _cancellationToken = cancellationToken;
        int maxH = header.Components.Max(component => component.Horizontal), maxV = header.Components.Max(component => component.Vertical);
        _mcusWide = Ceiling(header.Columns, 8 * maxH);
        _mcusHigh = Ceiling(header.Rows, 8 * maxV);
        _planes = [.. header.Components.Select(component => new Plane
        {
            Component = component,
            Wide = Ceiling(Ceiling(header.Columns * component.Horizontal, maxH), 8),
            High = Ceiling(Ceiling(header.Rows * component.Vertical, maxV), 8),
            Stride = _mcusWide * component.Horizontal,
            Coefficients = new short[(long)_mcusWide * component.Horizontal * _mcusHigh * component.Vertical * 64],
        })];
    }

    /// <summary>Decodes an image.</summary>
    /// <param name="codestream">SOI to EOI.</param>
    /// <param name="header">Of it.</param>
    /// <param name="toRgb">Three components are YCbCr, to be converted.</param>
    /// <param name="samples">Rows × Columns × components samples, colour by pixel.</param>
    /// <param name="sampleBytes">1 or 2; 1 needs a precision of at most 8.</param>
    /// <param name="cancellationToken">Looked at once a row of blocks.</param>
    /// <exception cref="ImagingException">Corrupt.</exception>
    public static void Decode(ReadOnlySpan<byte> codestream, JpegHeader header, bool toRgb, Span<byte> samples, int sampleBytes, CancellationToken cancellationToken)
    {
        if (header.Precision is not (8 or 12)) throw JpegHeader.Corrupt($"has {header.Precision} bits a sample");
        var decoder = new JpegDct(header, cancellationToken);
        decoder.DecodeScans(codestream);
        decoder.Output(toRgb, samples, sampleBytes);
    }

    private void DecodeScans(ReadOnlySpan<byte> codestream)
    {
        var tables = new JpegTables();
        int at = 2, seen = 0;
        while (tables.NextScan(codestream, _header, ref at) is { } stated)
        {
            // A sequential scan has all coefficients whatever its header says: some encoders leave zeros there.
            JpegScan scan = _header.Sof == 0xC2 ? stated : stated with { Start = 0, End = 63, High = 0, Low = 0 };
            if (scan.End > 63 || scan.Start > scan.End || scan.Low > 13) throw JpegHeader.Corrupt("has a broken scan header");
            foreach (ScanComponent one in scan.Components)
            {
                _planes[one.Index].Quantization ??= tables.Quantization[_header.Components[one.Index].Table & 3];
                seen |= 1 << one.Index;
            }
            DecodeScan(JpegEntropy.Take(codestream, ref at), scan, tables.RestartInterval);
        }
        if (seen != (1 << _planes.Length) - 1) throw JpegHeader.Corrupt("lacks a component");
    }

    private void DecodeScan(JpegEntropy entropy, JpegScan scan, int restartInterval)
    {
        bool single = scan.Components.Length == 1;
        Plane only = _planes[scan.Components[0].Index];
        int wide = single ? only.Wide : _mcusWide, high = single ? only.High : _mcusHigh;
        BitReader reader = entropy.Read(0);
        Restart();
        int interval = 0, left = restartInterval;
        for (int y = 0; y < high; y++)
        {
            _cancellationToken.ThrowIfCancellationRequested();
            for (int x = 0; x < wide; x++)
            {
                if (restartInterval > 0 && left-- == 0)
                {
                    if (++interval >= entropy.Intervals) throw JpegHeader.Corrupt("lacks a restart interval");
                    reader = entropy.Read(interval);
                    Restart();
                    left = restartInterval - 1;
                }
                if (single)
                {
                    DecodeBlock(ref reader, scan, scan.Components[0], only, Block(only, x, y));
                    continue;
                }
                foreach (ScanComponent one in scan.Components)
                {
                    Plane plane = _planes[one.Index];
                    int h = plane.Component.Horizontal, v = plane.Component.Vertical;
                    for (int j = 0; j < v; j++)
                    {
                        for (int i = 0; i < h; i++) DecodeBlock(ref reader, scan, one, plane, Block(plane, x * h + i, y * v + j));
                    }
                }
            }
        }
    }

    private void Restart()
    {
        _endOfBandRun = 0;
        foreach (Plane plane in _planes) plane.Predicted = 0;
    }

    private static Span<short> Block(Plane plane, int x, int y) => plane.Coefficients.AsSpan((y * plane.Stride + x) * 64, 64);

    private void DecodeBlock(ref BitReader reader, JpegScan scan, in ScanComponent component, Plane plane, Span<short> block)
    {
        int from = scan.Start;
        if (from == 0)
        {
            if (scan.High == 0)
            {
                plane.Predicted += Table(component.Dc).DecodeDifference(ref reader);
                block[0] = (short)(plane.Predicted << scan.Low);
            }
            else if (reader.Take(1) != 0) block[0] |= (short)(1 << scan.Low);
            from = 1;
        }
        if (scan.End < from) return;
        if (scan.High == 0) DecodeBand(ref reader, Table(component.Ac), from, scan.End, scan.Low, block);
        else RefineBand(ref reader, Table(component.Ac), from, scan.End, scan.Low, block);
    }

    private static HuffmanTable Table(HuffmanTable? table) => table ?? throw JpegHeader.Corrupt("lacks a Huffman table");

    /// <summary>Annex F.2.2.2 and G.1.2.2. In a sequential scan every run without a coefficient ends the block, also those that only progressive ones
    /// give a meaning to: some encoders write them.</summary>
    private void DecodeBand(ref BitReader reader, HuffmanTable table, int from, int to, int low, Span<short> block)
    {
        if (_endOfBandRun > 0)
        {
            _endOfBandRun--;
            return;
        }
        for (int k = from; k <= to; k++)
        {
            int symbol = table.Decode(ref reader), run = symbol >> 4, category = symbol & 15;
            if (category != 0)
            {
                k += run;
                if (k > to) throw JpegHeader.Corrupt("has a coefficient outside of its block");
                block[ZigZag[k]] = (short)(HuffmanTable.Extend(reader.Take(category), category) << low);
            }
            else if (run == 15) k += 15;
            else
            {
                if (_header.Sof == 0xC2) _endOfBandRun = (1 << run) - 1 + reader.Take(run);
                return;
            }
        }
    }

    /// <summary>Annex G.1.2.3: one bit more of what is known, and new coefficients of that bit.</summary>
    private void RefineBand(ref BitReader reader, HuffmanTable table, int from, int to, int low, Span<short> block)
    {
        int k = from, plus = 1 << low;
        if (_endOfBandRun == 0)
        {
            for (; k <= to; k++)
            {
                int symbol = table.Decode(ref reader), run = symbol >> 4, value = 0;
                if ((symbol & 15) != 0) value = reader.Take(1) != 0 ? plus : -plus;
                else if (run < 15)
                {
                    _endOfBandRun = (1 << run) + reader.Take(run);
                    break;
                }
                for (; k <= to; k++)
                {
                    ref short known = ref block[ZigZag[k]];
                    if (known != 0) Refine(ref reader, ref known, plus);
                    else if (run-- == 0) break;
                }
                if (value != 0 && k <= to) block[ZigZag[k]] = (short)value;
            }
        }
        if (_endOfBandRun == 0) return;
        for (; k <= to; k++)
        {
            ref short known = ref block[ZigZag[k]];
            if (known != 0) Refine(ref reader, ref known, plus);
        }
        _endOfBandRun--;
    }

    private static void Refine(ref BitReader reader, ref short known, int plus)
    {
        if (reader.Take(1) != 0 && (known & plus) == 0) known += (short)(known >= 0 ? plus : -plus);
    }

    private void Output(bool toRgb, Span<byte> samples, int sampleBytes)
    {
        int rows = _header.Rows, columns = _header.Columns, count = _planes.Length, max = (1 << _header.Precision) - 1;
        int maxH = _planes.Max(plane => plane.Component.Horizontal), maxV = _planes.Max(plane => plane.Component.Vertical);
        // The lines of one row of MCUs of each component, transformed.
        ushort[][] bands = [.. _planes.Select(plane => new ushort[plane.Stride * 8 * plane.Component.Vertical * 8])];
        Span<int> pixel = stackalloc int[4];
        for (int band = 0; band < _mcusHigh; band++)
        {
            _cancellationToken.ThrowIfCancellationRequested();
            for (int i = 0; i < count; i++) TransformBand(_planes[i], band, bands[i]);
            int lines = Math.Min(8 * maxV, rows - band * 8 * maxV);
            for (int y = 0; y < lines; y++)
            {
                int at = (band * 8 * maxV + y) * columns * count * sampleBytes;
                for (int x = 0; x < columns; x++)
                {
                    for (int i = 0; i < count; i++)
                    {
                        JpegComponent component = _planes[i].Component;
                        pixel[i] = bands[i][y * component.Vertical / maxV * _planes[i].Stride * 8 + x * component.Horizontal / maxH];
                    }
                    if (toRgb) ToRgb(pixel, max);
                    for (int i = 0; i < count; i++, at += sampleBytes)
                    {
                        if (sampleBytes == 1) samples[at] = (byte)pixel[i];
                        else BinaryPrimitives.WriteUInt16LittleEndian(samples[at..], (ushort)pixel[i]);
                    }
                }
            }
        }
    }

    /// <summary>ITU-R BT.601 full range, 16 bits of fraction.</summary>
    private static void ToRgb(Span<int> pixel, int max)
    {
        const int Half = 1 << 15;
        int y = pixel[0], cb = pixel[1] - ((max + 1) >> 1), cr = pixel[2] - ((max + 1) >> 1);
        pixel[0] = Math.Clamp(y + ((91881 * cr + Half) >> 16), 0, max);
        pixel[1] = Math.Clamp(y + ((-22554 * cb - 46802 * cr + Half) >> 16), 0, max);
        pixel[2] = Math.Clamp(y + ((116130 * cb + Half) >> 16), 0, max);
    }

    private void TransformBand(Plane plane, int band, ushort[] lines)
    {
        ushort[] quantization = plane.Quantization ?? throw JpegHeader.Corrupt("lacks a quantization table");
        Span<int> natural = stackalloc int[64];
        for (int i = 0; i < 64; i++) natural[ZigZag[i]] = quantization[i];
        int stride = plane.Stride * 8;
        for (int row = 0; row < plane.Component.Vertical; row++)
        {
            for (int x = 0; x < plane.Stride; x++)
            {
                Transform(Block(plane, x, band * plane.Component.Vertical + row), natural, _header.Precision, lines.AsSpan(row * 8 * stride + x * 8), stride);
            }
        }
    }

    /// <summary>Inverse DCT after Loeffler, Ligtenberg and Moschytz, in integers of 13 bits of fraction.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Transform(ReadOnlySpan<short> block, ReadOnlySpan<int> quantization, int precision, Span<ushort> to, int stride)
    {
        const int Fraction = 13;
        int passed = precision == 8 ? 2 : 1;
        Span<int> work = stackalloc int[64];
        for (int i = 0; i < 8; i++)
        {
            Butterfly(
                block[i] * quantization[i], block[8 + i] * quantization[8 + i], block[16 + i] * quantization[16 + i], block[24 + i] * quantization[24 + i],
                block[32 + i] * quantization[32 + i], block[40 + i] * quantization[40 + i], block[48 + i] * quantization[48 + i], block[56 + i] * quantization[56 + i],
                Fraction - passed, work[i..], 8);
        }
        Span<int> line = stackalloc int[8];
        int level = 1 << (precision - 1), max = (1 << precision) - 1;
        for (int y = 0; y < 8; y++)
        {
            ReadOnlySpan<int> w = work.Slice(y * 8, 8);
            Butterfly(w[0], w[1], w[2], w[3], w[4], w[5], w[6], w[7], Fraction + passed + 3, line, 1);
            for (int x = 0; x < 8; x++) to[y * stride + x] = (ushort)Math.Clamp(line[x] + level, 0, max);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Butterfly(int s0, int s1, int s2, int s3, int s4, int s5, int s6, int s7, int shift, Span<int> to, int step)
    {
        // 2^13 times the constants of the flow graph.
        const int C0298 = 2446, C0390 = 3196, C0541 = 4433, C0765 = 6270, C0899 = 7373, C1175 = 9633, C1501 = 12299, C1847 = 15137,
            C1961 = 16069, C2053 = 16819, C2562 = 20995, C3072 = 25172;
        int z = (s2 + s6) * C0541, even2 = z - s6 * C1847, even3 = z + s2 * C0765;
        int even0 = (s0 + s4) << 13, even1 = (s0 - s4) << 13;
        int e0 = even0 + even3, e3 = even0 - even3, e1 = even1 + even2, e2 = even1 - even2;
        int z1 = s7 + s1, z2 = s5 + s3, z3 = s7 + s3, z4 = s5 + s1, z5 = (z3 + z4) * C1175;
        z1 *= -C0899;
        z2 *= -C2562;
        z3 = z3 * -C1961 + z5;
        z4 = z4 * -C0390 + z5;
        int o0 = s7 * C0298 + z1 + z3, o1 = s5 * C2053 + z2 + z4, o2 = s3 * C3072 + z2 + z3, o3 = s1 * C1501 + z1 + z4;
        int half = 1 << (shift - 1);
        to[0] = (e0 + o3 + half) >> shift;
        to[step] = (e1 + o2 + half) >> shift;
        to[2 * step] = (e2 + o1 + half) >> shift;
        to[3 * step] = (e3 + o0 + half) >> shift;
        to[4 * step] = (e3 - o0 + half) >> shift;
        to[5 * step] = (e2 - o1 + half) >> shift;
        to[6 * step] = (e1 - o2 + half) >> shift;
        to[7 * step] = (e0 - o3 + half) >> shift;
    }

    private static int Ceiling(int value, int by) => (value + by - 1) / by;
}
