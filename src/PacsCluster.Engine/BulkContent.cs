using System.Buffers;
using System.Buffers.Binary;

namespace PacsCluster.Engine;

/// <summary>Bytes of an instance that can be read whole or in ranges: a frame, a codestream, a bulk value. Little endian, without the items of encapsulation.</summary>
public abstract class BulkContent
{
    private protected BulkContent(long length) => Length = length;

    /// <summary>Bytes of it.</summary>
    public long Length { get; }

    /// <summary>Opens a range of it for one forward read; nothing is read before the caller reads.</summary>
    /// <param name="offset">First byte, 0 to <see cref="Length"/>.</param>
    /// <param name="length">Bytes; offset and length lie within <see cref="Length"/>.</param>
    /// <param name="cancellationToken">Cancels the opening.</param>
    /// <exception cref="InstanceUnavailableException">The blob is missing or cannot be read now.</exception>
    public abstract ValueTask<Stream> OpenAsync(long offset, long length, CancellationToken cancellationToken);

    /// <summary>Its first bytes only.</summary>
    public BulkContent Take(long length)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, Length);
        return new TakenContent(this, length);
    }

    /// <summary>Reads all of it into memory.</summary>
    /// <exception cref="InstanceUnavailableException">The blob is missing, cut off or cannot be read now.</exception>
    public async ValueTask<ReadOnlyMemory<byte>> ReadAllAsync(CancellationToken cancellationToken)
    {
        byte[] bytes = new byte[Length];
        await ReadAllAsync(bytes, cancellationToken);
        return bytes;
    }

    /// <summary>Reads all of it.</summary>
    /// <param name="to"><see cref="Length"/> bytes.</param>
    /// <param name="cancellationToken">Cancels.</param>
    /// <exception cref="InstanceUnavailableException">The blob is missing, cut off or cannot be read now.</exception>
    public async ValueTask ReadAllAsync(Memory<byte> to, CancellationToken cancellationToken)
    {
        await using Stream stream = await OpenAsync(0, Length, cancellationToken);
        try
        {
            await stream.ReadExactlyAsync(to, cancellationToken);
        }
        catch (EndOfStreamException e)
        {
            throw new InstanceUnavailableException("its blob is shorter than the catalog says: run verify", isMissing: true, e);
        }
    }
}

/// <summary>Bytes in memory: a value that the header has.</summary>
internal sealed class HeldContent(ReadOnlyMemory<byte> bytes) : BulkContent(bytes.Length)
{
    public override ValueTask<Stream> OpenAsync(long offset, long length, CancellationToken cancellationToken) =>
        ValueTask.FromResult<Stream>(new MemoryStream(bytes.Slice((int)offset, (int)length).ToArray(), writable: false));
}

/// <summary>The first bytes of something.</summary>
internal sealed class TakenContent(BulkContent whole, long length) : BulkContent(length)
{
    public override ValueTask<Stream> OpenAsync(long offset, long length, CancellationToken cancellationToken) => whole.OpenAsync(offset, length, cancellationToken);
}

/// <summary>One run of bytes of the data set.</summary>
internal sealed class RunContent(DataSetBytes bytes, long start, long length) : BulkContent(length)
{
    public override ValueTask<Stream> OpenAsync(long offset, long length, CancellationToken cancellationToken) => bytes.OpenAsync(start + offset, length, cancellationToken);
}

/// <summary>Cells of less than a byte: a frame that begins within a byte is shifted to begin with one (PS3.5 8.1.1 packs frames without filling).</summary>
internal sealed class ShiftedContent(DataSetBytes bytes, long start, long stored, int shift, long length) : BulkContent(length)
{
    public override async ValueTask<Stream> OpenAsync(long offset, long length, CancellationToken cancellationToken)
    {
        ReadOnlyMemory<byte> all = await new RunContent(bytes, start, stored).ReadAllAsync(cancellationToken);
        byte[] aligned = Align(all.Span, shift, (int)Length);
        return new MemoryStream(aligned, (int)offset, (int)length, writable: false);
    }

    private static byte[] Align(ReadOnlySpan<byte> from, int shift, int length)
    {
        byte[] aligned = new byte[length];
        for (int i = 0; i < aligned.Length; i++)
        {
            int next = i + 1 < from.Length ? from[i + 1] : 0;
            aligned[i] = (byte)((from[i] >> shift) | (next << (8 - shift)));
        }
        return aligned;
    }
}

/// <summary>The values of several fragments behind each other; their item headers are read and left out on the way.</summary>
internal sealed class FragmentsContent(DataSetBytes bytes, long start, long stored, int fragments) : BulkContent(stored - (8L * fragments))
{
    public override async ValueTask<Stream> OpenAsync(long offset, long length, CancellationToken cancellationToken)
    {
        var values = new PartStream(await bytes.OpenAsync(start, stored, cancellationToken), offset + length, areItems: true);
        await values.SkipAsync(offset, cancellationToken);
        return values;
    }
}

/// <summary>Reads so many bytes of a stream, or of the values of the items in it. Owns the stream.</summary>
internal sealed class PartStream(Stream source, long left, bool areItems) : Stream
{
    private readonly byte[] _item = new byte[8];
    private long _valueLeft = areItems ? 0 : left;
    private long _left = left;

    /// <summary>Reads and drops.</summary>
    /// <exception cref="EndOfStreamException">There are not so many.</exception>
    public async ValueTask SkipAsync(long count, CancellationToken cancellationToken)
    {
        if (count == 0) return;
        byte[] buffer = ArrayPool<byte>.Shared.Rent((int)Math.Min(count, 64 * 1024));
        try
        {
            while (count > 0)
            {
                int wanted = (int)Math.Min(count, buffer.Length);
                await this.ReadExactlyAsync(buffer.AsMemory(0, wanted), cancellationToken);
                count -= wanted;
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        while (_valueLeft == 0 && _left > 0)
        {
            await source.ReadExactlyAsync(_item, cancellationToken);
            if (BinaryPrimitives.ReadUInt32LittleEndian(_item) != 0xE000_FFFE) throw new InvalidDataException("no fragment where the catalog says one is: run verify");
            _valueLeft = BinaryPrimitives.ReadUInt32LittleEndian(_item.AsSpan(4));
        }
        int read = await source.ReadAsync(buffer[..(int)Math.Min(buffer.Length, Math.Min(_valueLeft, _left))], cancellationToken);
        _valueLeft -= read;
        _left -= read;
        return read;
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException("read asynchronously");

    protected override void Dispose(bool disposing)
    {
        if (disposing) source.Dispose();
        base.Dispose(disposing);
    }

    public override bool CanRead => true;
    public override bool CanSeek => false;
    public override bool CanWrite => false;
    public override long Length => throw new NotSupportedException();
    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }
    public override void Flush() { }
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
    public override void SetLength(long value) => throw new NotSupportedException();
    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}
