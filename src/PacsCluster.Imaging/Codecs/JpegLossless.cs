using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace PacsCluster.Imaging.Codecs;

/// <summary>Lossless JPEG, process 14 (ITU-T T.81 annex H): all seven predictors, 2 to 16 bits, any number of scans, restart intervals.</summary>
internal static class JpegLossless
{
    /// <summary>Decodes an image.</summary>
    /// <param name="codestream">SOI to EOI.</param>
    /// <param name="header">Of it.</param>
    /// <param name="samples">Rows × Columns × components samples, colour by pixel.</param>
    /// <param name="sampleBytes">1 or 2; 1 needs a precision of at most 8.</param>
    /// <param name="cancellationToken">Looked at once a line.</param>
    /// <exception cref="ImagingException">Corrupt, or Unsupported for subsampled components.</exception>
    public static void Decode(ReadOnlySpan<byte> codestream, JpegHeader header, Span<byte> samples, int sampleBytes, CancellationToken cancellationToken)
    {
        foreach (JpegComponent component in header.Components)
        {
            if (header.Components.Length > 1 && (component.Horizontal != 1 || component.Vertical != 1))
                throw new ImagingException(ImagingError.Unsupported, "lossless JPEG with subsampled components");
        }
        var tables = new JpegTables();
        int at = 2, decoded = 0;
        while (decoded < header.Components.Length && tables.NextScan(codestream, header, ref at) is { } scan)
        {
            DecodeScan(JpegEntropy.Take(codestream, ref at), scan, tables.RestartInterval, header, samples, sampleBytes, cancellationToken);
            decoded += scan.Components.Length;
        }
        if (decoded < header.Components.Length) throw JpegHeader.Corrupt("lacks a component");
    }

    private static void DecodeScan(JpegEntropy entropy, JpegScan scan, int restartInterval, JpegHeader header, Span<byte> samples, int sampleBytes, CancellationToken cancellationToken)
    {
        if (scan.Start is < 1 or > 7) throw JpegHeader.Corrupt($"has predictor {scan.Start}");
        if (scan.Low >= header.Precision) throw JpegHeader.Corrupt("has an impossible point transform");
        int count = scan.Components.Length, columns = header.Columns;
        var tables = new HuffmanTable[count];
        for (int i = 0; i < count; i++) tables[i] = scan.Components[i].Dc ?? throw JpegHeader.Corrupt("lacks a Huffman table");
        // A restart interval is a multiple of the lines (annex H.1.2.1, "restart interval"; IJG's reader asks the same).
        if (restartInterval % columns != 0) throw new ImagingException(ImagingError.Unsupported, "lossless JPEG that restarts inside a line");
        int restartLines = restartInterval / columns;
        ushort[] line = new ushort[columns * count], above = new ushort[columns * count];
        int initial = 1 << (header.Precision - scan.Low - 1);
        BitReader reader = entropy.Read(0);
        int interval = 0;
        for (int y = 0; y < header.Rows; y++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            bool first = y == 0;
            if (restartLines > 0 && y > 0 && y % restartLines == 0)
            {
                if (++interval >= entropy.Intervals) throw JpegHeader.Corrupt("lacks a restart interval");
                reader = entropy.Read(interval);
                first = true;
            }
            if (count == 1) DecodeLine(ref reader, tables[0], first ? 1 : scan.Start, first ? initial : above[0], line, above);
            else DecodeLine(ref reader, tables, first ? 1 : scan.Start, first, initial, line, above);
            if (reader.IsOverrun) throw JpegHeader.Corrupt("ends inside a scan");
            Store(line, scan, header, samples, sampleBytes, y);
            (line, above) = (above, line);
        }
    }

    /// <summary>One line of one component: the shape of nearly all lossless JPEG in hospitals.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void DecodeLine(ref BitReader reader, HuffmanTable table, int predictor, int initial, ushort[] line, ushort[] above)
    {
        BitReader bits = reader;
        int left = (initial + table.DecodeDifference(ref bits)) & 0xFFFF;
        line[0] = (ushort)left;
        if (predictor == 1)
        {
            for (int x = 1; x < line.Length; x++)
            {
                left = (left + table.DecodeDifference(ref bits)) & 0xFFFF;
                line[x] = (ushort)left;
            }
        }
        else
        {
            int corner = above[0];
            for (int x = 1; x < line.Length && x < above.Length; x++)
            {
                int up = above[x];
                left = (Predict(predictor, left, up, corner) + table.DecodeDifference(ref bits)) & 0xFFFF;
                line[x] = (ushort)left;
                corner = up;
            }
        }
        reader = bits;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void DecodeLine(ref BitReader reader, HuffmanTable[] tables, int predictor, bool first, int initial, ushort[] line, ushort[] above)
    {
        int count = tables.Length;
        BitReader bits = reader;
        for (int i = 0; i < count; i++) line[i] = (ushort)((first ? initial : above[i]) + tables[i].DecodeDifference(ref bits));
        for (int x = count; x < line.Length;)
        {
            for (int i = 0; i < count; i++, x++)
            {
                int predicted = predictor == 1 ? line[x - count] : Predict(predictor, line[x - count], above[x], above[x - count]);
                line[x] = (ushort)(predicted + tables[i].DecodeDifference(ref bits));
            }
        }
        reader = bits;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Predict(int predictor, int left, int up, int corner) => predictor switch
    {
        1 => left,
        2 => up,
        3 => corner,
        4 => left + up - corner,
        5 => left + ((up - corner) >> 1),
        6 => up + ((left - corner) >> 1),
        _ => (left + up) >> 1,
    };

    private static void Store(ushort[] line, JpegScan scan, JpegHeader header, Span<byte> samples, int sampleBytes, int y)
    {
        int all = header.Components.Length, count = scan.Components.Length, shift = scan.Low;
        Span<byte> to = samples.Slice(y * header.Columns * all * sampleBytes, header.Columns * all * sampleBytes);
        if (count == all && shift == 0 && sampleBytes == 2 && InOrder(scan) && BitConverter.IsLittleEndian)
        {
            MemoryMarshal.AsBytes(line.AsSpan()).CopyTo(to);
            return;
        }
        for (int i = 0; i < count; i++)
        {
            int at = scan.Components[i].Index * sampleBytes;
            for (int x = i; x < line.Length; x += count, at += all * sampleBytes)
            {
                int sample = line[x] << shift;
                if (sampleBytes == 1) to[at] = (byte)sample;
                else BinaryPrimitives.WriteUInt16LittleEndian(to[at..], (ushort)sample);
            }
        }
    }

    private static bool InOrder(JpegScan scan)
    {
        for (int i = 0; i < scan.Components.Length; i++)
        {
            if (scan.Components[i].Index != i) return false;
        }
        return true;
    }
}
