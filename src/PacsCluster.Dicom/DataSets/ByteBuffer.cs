using System.Buffers.Binary;

namespace PacsCluster.Dicom;

/// <summary>Bytes that grow at the end. Memory handed out earlier stays valid and unchanged unless <see cref="Patch"/> or <see cref="Truncate"/> is used:
/// growing copies, it never gives the old array away.</summary>
internal sealed class ByteBuffer
{
    private byte[] _bytes;
    private int _length;

    public ByteBuffer(int capacity) => _bytes = new byte[capacity];

    public int Length => _length;

    public ReadOnlyMemory<byte> Memory => _bytes.AsMemory(0, _length);

    public void Append(ReadOnlySpan<byte> bytes) => bytes.CopyTo(Take(bytes.Length));

    /// <summary>Space for so many more bytes, to be filled by the caller.</summary>
    public Span<byte> Take(int count)
    {
        int needed = checked(_length + count);
        if (needed > _bytes.Length)
        {
            // Twice as much, but never past what an array can hold.
            long wanted = Math.Max(needed, Math.Min(_bytes.Length * 2L, Array.MaxLength));
            Array.Resize(ref _bytes, (int)wanted);
        }
        Span<byte> space = _bytes.AsSpan(_length, count);
        _length = needed;
        return space;
    }

    public void Truncate(int length) => _length = length;

    /// <summary>Writes a 32-bit length over four bytes that were appended earlier.</summary>
    public void Patch(int at, uint value, bool bigEndian) =>
        BinaryPrimitives.WriteUInt32LittleEndian(_bytes.AsSpan(at), bigEndian ? BinaryPrimitives.ReverseEndianness(value) : value);

    public byte[] ToArray() => _length == _bytes.Length ? _bytes : _bytes.AsSpan(0, _length).ToArray();
}
