namespace PacsCluster.Imaging.Rendering;

/// <summary>The 256 colours that suit a picture, by median cut over colours of 5 bits a component.</summary>
internal sealed class ColorQuantizer
{
    private const int Colors = 256, Cells = 1 << 15;
    private readonly byte[] _indexOfCell;

    private ColorQuantizer(byte[] table, byte[] indexOfCell)
    {
        Table = table;
        _indexOfCell = indexOfCell;
    }

    /// <summary>256 times red, green, blue.</summary>
    public byte[] Table { get; }

    /// <summary>Chooses colours.</summary>
    /// <param name="pixels">Red, green, blue of 8 bits.</param>
    public static ColorQuantizer For(ReadOnlySpan<byte> pixels)
    {
        int[] counts = new int[Cells];
        long[] sums = new long[3 * Cells];
        for (int i = 0; i + 2 < pixels.Length; i += 3)
        {
            int cell = Cell(pixels[i], pixels[i + 1], pixels[i + 2]);
            counts[cell]++;
            for (int c = 0; c < 3; c++) sums[3 * cell + c] += pixels[i + c];
        }
        int[] used = [.. Enumerable.Range(0, Cells).Where(cell => counts[cell] > 0)];
        var boxes = new List<ArraySegment<int>> { used };
        while (boxes.Count < Colors)
        {
            // The box whose split gains most: many pixels spread wide.
            int best = -1;
            long most = 0;
            for (int b = 0; b < boxes.Count; b++)
            {
                (int axis, int spread) = Widest(boxes[b]);
                long weight = spread * Weight(boxes[b], counts);
                if (axis < 0 || weight <= most) continue;
                most = weight;
                best = b;
            }
            if (best < 0) break;
            (ArraySegment<int> low, ArraySegment<int> high) = Split(boxes[best], counts);
            boxes[best] = low;
            boxes.Add(high);
        }
        byte[] table = new byte[3 * Colors], indices = new byte[Cells];
        for (int b = 0; b < boxes.Count; b++)
        {
            long weight = Weight(boxes[b], counts);
            for (int c = 0; c < 3; c++)
            {
                long sum = 0;
                foreach (int cell in boxes[b]) sum += sums[3 * cell + c];
                table[3 * b + c] = (byte)(sum / weight);
            }
            foreach (int cell in boxes[b]) indices[cell] = (byte)b;
        }
        return new ColorQuantizer(table, indices);
    }

    /// <summary>Each pixel's place in the table. The pixels must be those that the colours were chosen for.</summary>
    public void Map(ReadOnlySpan<byte> pixels, Span<byte> indices)
    {
        for (int i = 0, p = 0; i < indices.Length; i++, p += 3) indices[i] = _indexOfCell[Cell(pixels[p], pixels[p + 1], pixels[p + 2])];
    }

    private static int Cell(byte red, byte green, byte blue) => red >> 3 << 10 | green >> 3 << 5 | blue >> 3;

    private static int Component(int cell, int axis) => cell >> (10 - 5 * axis) & 31;

    private static long Weight(ArraySegment<int> box, int[] counts)
    {
        long weight = 0;
        foreach (int cell in box) weight += counts[cell];
        return weight;
    }

    private static (int Axis, int Spread) Widest(ArraySegment<int> box)
    {
        int axis = -1, spread = 0;
        for (int a = 0; a < 3; a++)
        {
            int low = 31, high = 0;
            foreach (int cell in box)
            {
                low = Math.Min(low, Component(cell, a));
                high = Math.Max(high, Component(cell, a));
            }
            if (high - low <= spread) continue;
            spread = high - low;
            axis = a;
        }
        return (axis, spread);
    }

    private static (ArraySegment<int> Low, ArraySegment<int> High) Split(ArraySegment<int> box, int[] counts)
    {
        int axis = Widest(box).Axis;
        box.AsSpan().Sort((a, b) => Component(a, axis).CompareTo(Component(b, axis)));
        long half = Weight(box, counts) / 2, seen = 0;
        int at = 0;
        while (at < box.Count - 1 && seen + counts[box[at]] <= half) seen += counts[box[at++]];
        at = Math.Max(at, 1);
        return (box[..at], box[at..]);
    }
}
