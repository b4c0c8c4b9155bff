using System.Buffers;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace PacsCluster.Blobs;

/// <summary>Memory of a store in which a blob can be gathered: given back to <see cref="IBlobStore.TryCreateSized"/> it is the blob, and what lies at its place in it is not copied.
/// The first byte is the blob's first. Its owner disposes it, also when a blob was made of it, and then no longer uses it than the blob's writer.</summary>
public sealed unsafe class BlobBuffer : MemoryManager<byte>
{
    private readonly Pool<PackBuffer> _pool;
    private readonly PackBuffer _buffer;
    private bool _isOurs = true;

    internal BlobBuffer(Pool<PackBuffer> pool, PackBuffer buffer) => (_pool, _buffer) = (pool, buffer);

    /// <inheritdoc/>
    public override Span<byte> GetSpan() => _buffer.Content;

    /// <inheritdoc/>
    public override MemoryHandle Pin(int elementIndex = 0) => new((byte*)Unsafe.AsPointer(ref MemoryMarshal.GetReference(_buffer.Content)) + elementIndex, default, this);

    /// <inheritdoc/>
    public override void Unpin()
    {
    }

    /// <summary>The memory, for who gives it back then.</summary>
    internal PackBuffer Take()
    {
        ObjectDisposedException.ThrowIf(!_isOurs, this);
        _isOurs = false;
        return _buffer;
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (_isOurs) _pool.Return(_buffer);
        _isOurs = false;
    }
}
