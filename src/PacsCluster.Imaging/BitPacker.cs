namespace PacsCluster.Imaging;

/// <summary>Cells of one byte → single bits from bit 0 on, frames without a gap between them (PS3.5 section 8.1.1). Not for several threads at once.</summary>
public sealed class BitPacker
{
    private int _held;
    private int _count;

    /// <summary>The whole bytes that are ready with these cells; what is left over begins the next ones.</summary>
    public byte[] Pack(ReadOnlySpan<byte> cells)
    {
        byte[] packed = new byte[(_count + cells.Length) / 8];
        int written = 0;
        foreach (byte cell in cells)
        {
            _held |= (cell & 1) << _count;
            if (++_count < 8) continue;
            packed[written++] = (byte)_held;
            (_held, _count) = (0, 0);
        }
        return packed;
    }

    /// <summary>The last byte where it is not whole; else nothing.</summary>
    public byte[] Rest() => _count > 0 ? [(byte)_held] : [];
}
