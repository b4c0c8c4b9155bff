using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace PacsCluster.Imaging.Codecs;

/// <summary>The entropy-coded data of one scan without stuffed zeros and restart markers (ITU-T T.81 B.1.1.5): one run of bytes for each restart
/// interval, zeros behind each so that a reader may look ahead.</summary>
internal sealed class JpegEntropy
{
    private const int Ahead = 16;

    private readonly byte[] _bytes;
    private readonly List<(int Start, int Length)> _intervals;

    private JpegEntropy(byte[] bytes, List<(int Start, int Length)> intervals)
    {
        _bytes = bytes;
        _intervals = intervals;
    }

    /// <summary>Number of restart intervals, at least 1.</summary>
    public int Intervals => _intervals.Count;

    /// <summary>Starts reading an interval.</summary>
    public BitReader Read(int interval) => new(_bytes, _intervals[interval].Start, _intervals[interval].Length);

    /// <summary>Takes a scan's data; <paramref name="at"/> then stands at the marker behind it, or at the end.</summary>
    public static JpegEntropy Take(ReadOnlySpan<byte> codestream, ref int at)
    {
        int restarts = 0;
        int end = at;
        while (true)
        {
            int found = codestream[end..].IndexOf((byte)0xFF);
            if (found < 0 || end + found + 1 >= codestream.Length)
            {
                end = codestream.Length;
                break;
            }
            end += found;
            byte next = codestream[end + 1];
            if (next is >= 0xD0 and <= 0xD7) restarts++;
            else if (next == 0xFF)
            {
                end++;
                continue;
            }
            else if (next != 0) break;
            end += 2;
        }
        byte[] bytes = new byte[end - at + (restarts + 1) * Ahead];
        var intervals = new List<(int, int)>(restarts + 1);
        int start = 0, written = 0;
        for (ReadOnlySpan<byte> rest = codestream[at..end]; ;)
        {
            int found = rest.IndexOf((byte)0xFF);
            int plain = found < 0 ? rest.Length : found;
            rest[..plain].CopyTo(bytes.AsSpan(written));
            written += plain;
            if (found < 0 || found + 1 >= rest.Length) break;
            byte next = rest[found + 1];
            if (next == 0) bytes[written++] = 0xFF;
            else if (next is >= 0xD0 and <= 0xD7)
            {
                intervals.Add((start, written - start));
                written += Ahead;
                start = written;
            }
            rest = rest[(next == 0xFF ? found + 1 : found + 2)..];
        }
        intervals.Add((start, written - start));
        at = end;
        return new JpegEntropy(bytes, intervals);
    }
}

/// <summary>Bits from the most significant on. A position instead of a shift register: one unaligned load gives 57 bits.</summary>
internal ref struct BitReader
{
    private readonly ref byte _bytes;
    private readonly long _end;
    private long _bit;

    public BitReader(byte[] bytes, int start, int length)
    {
        _bytes = ref MemoryMarshal.GetArrayDataReference(bytes);
        _bit = (long)start * 8;
        _end = (long)(start + length) * 8;
    }

    /// <summary>The next 57 bits or more, the first in the highest bit.</summary>
    /// <exception cref="ImagingException">Corrupt: the data had ended before.</exception>
    public readonly ulong Window
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get
        {
            // 16 zeros follow the data, and one step takes at most 32 bits: checking what was passed is enough.
            if (_bit > _end) Ended();
            ulong raw = Unsafe.ReadUnaligned<ulong>(ref Unsafe.Add(ref _bytes, (nint)(_bit >> 3)));
            return BinaryPrimitives.ReverseEndianness(raw) << (int)(_bit & 7);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Skip(int bits) => _bit += bits;

    /// <summary>A number of 0 to 16 bits.</summary>
    public int Take(int bits)
    {
        if (bits == 0) return 0;
        int value = (int)(Window >> (64 - bits));
        _bit += bits;
        return value;
    }

    /// <summary>More bits were taken than there are.</summary>
    public readonly bool IsOverrun => _bit > _end;

    private static void Ended() => throw JpegHeader.Corrupt("ends inside a scan");
}

/// <summary>A Huffman table (ITU-T T.81 annex C and F.2.2.3).</summary>
internal sealed class HuffmanTable
{
    /// <summary>Bits that one look into the tables decides.</summary>
    public const int LookBits = 12;

    private readonly int[] _maxCode = new int[18];
    private readonly int[] _offset = new int[17];
    private readonly byte[] _values;

    private HuffmanTable(byte[] values) => _values = values;

    /// <summary>By the next 12 bits: length in the low byte (0: longer than 12), value in the next.</summary>
    public ushort[] Symbols { get; } = new ushort[1 << LookBits];

    /// <summary>By the next 12 bits, for differences (annex F.2.2.1): length with the additional bits in the low byte (0: more than 12), difference above.</summary>
    public int[] Differences { get; } = new int[1 << LookBits];

    /// <summary>Takes one table of a DHT segment.</summary>
    /// <param name="segment">16 counts, then the values; what was taken is cut off.</param>
    /// <exception cref="ImagingException">Corrupt when the counts make no code.</exception>
    public static HuffmanTable Read(ref ReadOnlySpan<byte> segment)
    {
        if (segment.Length < 16) throw JpegHeader.Corrupt("has a short Huffman table");
        ReadOnlySpan<byte> counts = segment[..16];
        int total = 0;
        foreach (byte count in counts) total += count;
        if (total > 256 || segment.Length < 16 + total) throw JpegHeader.Corrupt("has a broken Huffman table");
        var table = new HuffmanTable(segment.Slice(16, total).ToArray());
        int code = 0, index = 0;
        for (int length = 1; length <= 16; length++)
        {
            int count = counts[length - 1];
            if (code + count > 1 << length) throw JpegHeader.Corrupt("has a broken Huffman table");
            table._offset[length] = index - code;
            for (int i = 0; i < count; i++, code++, index++) table.Enter(code, length, table._values[index]);
            table._maxCode[length] = count > 0 ? code - 1 : -1;
            code <<= 1;
        }
        segment = segment[(16 + total)..];
        return table;
    }

    private void Enter(int code, int length, byte value)
    {
        if (length > LookBits) return;
        int first = code << (LookBits - length), count = 1 << (LookBits - length);
        Symbols.AsSpan(first, count).Fill((ushort)(value << 8 | length));
        // A category of 16 has no additional bits and means 32,768 (annex H.1.2.2).
        int extra = value == 16 ? 0 : value;
        if (value > 16 || length + extra > LookBits) return;
        for (int i = 0; i < count; i++)
        {
            int bits = (first + i) >> (LookBits - length - extra) & ((1 << extra) - 1);
            Differences[first + i] = (value == 16 ? 32768 : Extend(bits, extra)) << 8 | length + extra;
        }
    }

    /// <summary>The sign of a difference (annex F.2.2.1, EXTEND).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Extend(int bits, int count) => count != 0 && bits < 1 << (count - 1) ? bits - (1 << count) + 1 : bits;

    /// <summary>The next symbol.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int Decode(ref BitReader reader)
    {
        ulong window = reader.Window;
        int entry = Symbols[window >> (64 - LookBits)];
        if (entry == 0) return DecodeLong(ref reader, window);
        reader.Skip(entry & 0xFF);
        return entry >> 8;
    }

    private int DecodeLong(ref BitReader reader, ulong window)
    {
        for (int length = LookBits + 1; length <= 16; length++)
        {
            int code = (int)(window >> (64 - length));
            if (code > _maxCode[length]) continue;
            reader.Skip(length);
            return _values[code + _offset[length]];
        }
        throw JpegHeader.Corrupt("has a code that its Huffman table lacks");
    }

    /// <summary>The next difference of DC coefficients or of lossless samples.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int DecodeDifference(ref BitReader reader)
    {
        int entry = Differences[reader.Window >> (64 - LookBits)];
        if ((entry & 0xFF) == 0) return DecodeLongDifference(ref reader);
        reader.Skip(entry & 0xFF);
        return entry >> 8;
    }

    private int DecodeLongDifference(ref BitReader reader)
    {
        int category = Decode(ref reader);
        if (category == 16) return 32768;
        if (category > 16) throw JpegHeader.Corrupt("has a difference of more than 16 bits");
        return Extend(reader.Take(category), category);
    }
}
