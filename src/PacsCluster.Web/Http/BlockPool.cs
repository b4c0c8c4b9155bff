using System.Buffers;
using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using Microsoft.AspNetCore.Connections;

namespace PacsCluster.Web;

/// <summary>The buffers that Kestrel reads requests into and writes answers from: 64 KiB instead of its own 4 KiB, since it asks the kernel for one buffer at a time and an
/// instance of 0.5 MB was 128 calls and as many turns of its pipe. Idle connections hold none.</summary>
internal sealed class BlockPoolFactory : IMemoryPoolFactory<byte>
{
    public MemoryPool<byte> Create(MemoryPoolOptions? options = null) => new BlockPool();
}

internal sealed class BlockPool : MemoryPool<byte>
{
    private const int BlockBytes = 64 * 1024;

    /// <summary>Blocks kept for the next one who asks (64 MiB); more are left to the garbage collector.</summary>
    private const int KeptMax = 1024;

    private readonly ConcurrentQueue<Block> _kept = new();
    private int _count;

    public override int MaxBufferSize => BlockBytes;

    public override IMemoryOwner<byte> Rent(int minBufferSize = -1)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(minBufferSize, BlockBytes);
        if (!_kept.TryDequeue(out Block? block)) return new Block(this);
        Interlocked.Decrement(ref _count);
        return block;
    }

    protected override void Dispose(bool disposing) => _kept.Clear();

    private void Return(Block block)
    {
        if (Interlocked.Increment(ref _count) <= KeptMax) _kept.Enqueue(block);
        else Interlocked.Decrement(ref _count);
    }

    // Pinned for good: sockets read into it, and pinning for each call costs more.
    private sealed class Block(BlockPool pool) : IMemoryOwner<byte>
    {
        public Memory<byte> Memory { get; } = MemoryMarshal.CreateFromPinnedArray(GC.AllocateUninitializedArray<byte>(BlockBytes, pinned: true), 0, BlockBytes);

        public void Dispose() => pool.Return(this);
    }
}
