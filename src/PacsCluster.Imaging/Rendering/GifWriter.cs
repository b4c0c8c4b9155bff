namespace PacsCluster.Imaging.Rendering;

/// <summary>Writes an animated GIF (GIF89a) frame by frame, so that memory is one frame's. Grey pictures keep their 256 levels; colour ones get the 256
/// colours that suit each frame. Not safe for several threads at once.</summary>
public sealed class GifWriter
{
    private readonly Stream _to;
    private int _width;
    private int _height;
    private bool _isDone;

    /// <summary>Writes to a stream, which stays open.</summary>
    public GifWriter(Stream to) => _to = to;

    /// <summary>Writes one picture; all must have the size of the first.</summary>
    /// <param name="image">Of 8 bits, at most 65,535 pixels in a row or column.</param>
    /// <param name="shown">How long it is shown, in steps of 10 ms.</param>
    /// <exception cref="ArgumentException">16 bits, or another size than before.</exception>
    public void Add(RenderedImage image, TimeSpan shown)
    {
        ArgumentNullException.ThrowIfNull(image);
        if (image.Bits != 8) throw new ArgumentException("a GIF has 8 bits", nameof(image));
        if (image.Width > ushort.MaxValue || image.Height > ushort.MaxValue) throw new ImagingException(ImagingError.TooLarge, "a GIF has at most 65535 pixels in a row or column");
        if (_width == 0) Begin(image);
        else if (image.Width != _width || image.Height != _height) throw new ArgumentException("the frames of a GIF have one size", nameof(image));
        int hundredths = (int)Math.Clamp(Math.Round(shown.TotalMilliseconds / 10), 2, ushort.MaxValue);
        _to.Write([0x21, 0xF9, 4, 0, (byte)hundredths, (byte)(hundredths >> 8), 0, 0]);
        _to.Write([0x2C, 0, 0, 0, 0, (byte)_width, (byte)(_width >> 8), (byte)_height, (byte)(_height >> 8)]);
        ReadOnlySpan<byte> pixels = image.Pixels.Span;
        if (image.Samples == 1)
        {
            _to.WriteByte(0);
            GifCompression.Write(_to, pixels);
            return;
        }
        ColorQuantizer quantizer = ColorQuantizer.For(pixels);
        _to.WriteByte(0x87);
        _to.Write(quantizer.Table);
        byte[] indices = new byte[image.Width * image.Height];
        quantizer.Map(pixels, indices);
        GifCompression.Write(_to, indices);
    }

    /// <summary>Writes the end. There must have been a picture.</summary>
    public void Complete()
    {
        if (_width == 0 || _isDone) throw new InvalidOperationException(_isDone ? "complete already" : "a GIF needs a picture");
        _isDone = true;
        _to.WriteByte(0x3B);
    }

    private void Begin(RenderedImage image)
    {
        _width = image.Width;
        _height = image.Height;
        _to.Write("GIF89a"u8);
        _to.Write([(byte)_width, (byte)(_width >> 8), (byte)_height, (byte)(_height >> 8), 0xF7, 0, 0]);
        Span<byte> greys = stackalloc byte[768];
        for (int i = 0; i < greys.Length; i++) greys[i] = (byte)(i / 3);
        _to.Write(greys);
        // For ever, as every viewer of cine loops does.
        _to.Write([0x21, 0xFF, 11, .. "NETSCAPE2.0"u8, 3, 1, 0, 0, 0]);
    }
}

/// <summary>LZW with codes of 9 to 12 bits, in blocks of 255 bytes.</summary>
internal static class GifCompression
{
    private const int Clear = 256, End = 257, FirstFree = 258, CodesMax = 4096;
    private const int HashSize = 8192;

    public static void Write(Stream to, ReadOnlySpan<byte> indices)
    {
        to.WriteByte(8);
        var bits = new BitSink(to);
        int[] keys = new int[HashSize];
        short[] codes = new short[HashSize];
        int width = 9, next = FirstFree;
        bits.Write(Clear, width);
        Array.Fill(keys, -1);
        int prefix = indices[0];
        for (int i = 1; i < indices.Length; i++)
        {
            int key = prefix << 8 | indices[i];
            int slot = (int)((uint)key * 2654435761u >> 19);
            while (keys[slot] >= 0 && keys[slot] != key) slot = slot + 1 & HashSize - 1;
            if (keys[slot] == key)
            {
                prefix = codes[slot];
                continue;
            }
            bits.Write(prefix, width);
            prefix = indices[i];
            if (next == CodesMax)
            {
                bits.Write(Clear, width);
                Array.Fill(keys, -1);
                width = 9;
                next = FirstFree;
                continue;
            }
            keys[slot] = key;
            codes[slot] = (short)next;
            if (next++ == 1 << width) width++;
        }
        bits.Write(prefix, width);
        // The reader has learnt one code more than was written, which may widen its codes by now.
        if (next == 1 << width && width < 12) width++;
        bits.Write(End, width);
        bits.Complete();
    }

    private sealed class BitSink(Stream to)
    {
        private readonly byte[] _block = new byte[256];
        private int _length;
        private uint _window;
        private int _held;

        public void Write(int code, int width)
        {
            _window |= (uint)code << _held;
            _held += width;
            for (; _held >= 8; _held -= 8, _window >>= 8) Put((byte)_window);
        }

        public void Complete()
        {
            if (_held > 0) Put((byte)_window);
            Flush();
            to.WriteByte(0);
        }

        private void Put(byte value)
        {
            _block[++_length] = value;
            if (_length == 255) Flush();
        }

        private void Flush()
        {
            if (_length == 0) return;
            _block[0] = (byte)_length;
            to.Write(_block, 0, _length + 1);
            _length = 0;
        }
    }
}
