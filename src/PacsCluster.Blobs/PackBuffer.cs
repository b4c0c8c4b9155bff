using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace PacsCluster.Blobs;

/// <summary>
/// One blob on its way into a pack: header and bytes as they will lie on its blocks, in memory from which a disk can take them. Blocks that are full go out while more are
/// coming in; the first one, which has the header, goes last. On Linux they go past the page cache without waiting (O_DIRECT, io_submit), which costs a third of the processor
/// time of a write and a flush; where a file or the system cannot, they are written as usual. Belongs to one caller at a time, and to the next one when it was started anew.
/// </summary>
internal sealed unsafe class PackBuffer : IDisposable
{
    /// <summary>So many bytes are worth a request of their own; less waits for the last one.</summary>
    private const int PieceMinBytes = 64 * 1024;

    private const int RequestsMax = 8;

    private readonly byte* _memory;
    private readonly int _capacity;
    private readonly nint _context;
    private int _filled;
    private int _begun;
    private int _inFlight;

    /// <summary>Room for a blob.</summary>
    /// <param name="length">Bytes of the blob at most.</param>
    public PackBuffer(int length)
    {
        _capacity = (int)Pack.Blocks(length) * Pack.BlockBytes;
        _memory = (byte*)NativeMemory.AlignedAlloc((nuint)_capacity, Pack.BlockBytes);
        _context = DirectIO.CreateContext(RequestsMax);
    }

    /// <summary>Forgets what was in it.</summary>
    public void Start() => (_filled, _begun) = (Pack.HeaderBytes, Pack.BlockBytes);

    /// <summary>Takes bytes.</summary>
    public void Append(ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(new Span<byte>(_memory + _filled, _capacity - _filled));
        _filled += bytes.Length;
    }

    /// <summary>Begins to write the blocks that are full, but the first, when there is enough of them.</summary>
    /// <param name="file">The pack.</param>
    /// <param name="isDirect">It was opened to be written past the page cache.</param>
    /// <param name="offset">Where the blob begins.</param>
    public void Begin(SafeFileHandle file, bool isDirect, long offset)
    {
        int full = _filled / Pack.BlockBytes * Pack.BlockBytes;
        if (full - _begun < PieceMinBytes) return;
        Write(file, isDirect, offset, _begun, full - _begun);
        _begun = full;
    }

    /// <summary>Writes all that is not yet written, with the header in front, and waits for it. It is not flushed then.</summary>
    /// <inheritdoc cref="Begin"/>
    public void End(SafeFileHandle file, bool isDirect, long offset, ReadOnlySpan<byte> header)
    {
        header.CopyTo(new Span<byte>(_memory, Pack.HeaderBytes));
        int end = (_filled + Pack.BlockBytes - 1) / Pack.BlockBytes * Pack.BlockBytes;
        // Another blob's bytes were here before.
        new Span<byte>(_memory + _filled, end - _filled).Clear();
        bool hasBegun = _begun > Pack.BlockBytes;
        if (hasBegun && end > _begun) Write(file, isDirect, offset, _begun, end - _begun);
        Write(file, isDirect, offset, 0, hasBegun ? Pack.BlockBytes : end);
        Wait();
    }

    /// <summary>Waits for what was begun. Before that the memory is not ours.</summary>
    /// <exception cref="IOException">The disk refuses; what else was begun has come to its end too.</exception>
    public void Wait()
    {
        IOException? fault = null;
        while (_inFlight > 0) fault = WaitForOne() ?? fault;
        if (fault is not null) throw fault;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        DirectIO.DestroyContext(_context);
        NativeMemory.AlignedFree(_memory);
    }

    private void Write(SafeFileHandle file, bool isDirect, long offset, int from, int length)
    {
        if (!isDirect || _context == 0)
        {
            RandomAccess.Write(file, new ReadOnlySpan<byte>(_memory + from, length), offset + from);
            Durable.StartWriteOut(file, offset + from, length);
            return;
        }
        if (_inFlight == RequestsMax && WaitForOne() is { } fault) throw fault;
        DirectIO.Submit(_context, file, _memory + from, length, offset + from);
        _inFlight++;
    }

    private IOException? WaitForOne()
    {
        IOException? fault = DirectIO.WaitForOne(_context);
        _inFlight--;
        return fault;
    }
}
