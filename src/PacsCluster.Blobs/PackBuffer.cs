using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace PacsCluster.Blobs;

/// <summary>
/// One blob on its way into a pack: header and bytes as they will lie on its blocks, in memory from which a disk can take them. Blocks that are full go out while more are
/// coming in, the first one without its header, and once more with it when all are out (were it left out, the file system would have to note a gap, and then that it is gone). On Linux they go past the page cache without waiting (O_DIRECT, io_submit), which costs a third of the processor
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
    private IOException? _fault;

    /// <summary>The first block is the disk's at the moment.</summary>
    private bool _isFirstInFlight;

    /// <summary>Room for a blob.</summary>
    /// <param name="length">Bytes of the blob at most.</param>
    public PackBuffer(int length)
    {
        _capacity = (int)Pack.Blocks(length) * Pack.BlockBytes;
        _memory = (byte*)NativeMemory.AlignedAlloc((nuint)_capacity, Pack.BlockBytes);
        _context = DirectIO.CreateContext(RequestsMax);
    }

    /// <summary>Forgets what was in it.</summary>
    public void Start()
    {
        (_filled, _begun) = (Pack.HeaderBytes, 0);
        new Span<byte>(_memory, Pack.HeaderBytes).Clear();
    }

    /// <summary>Takes bytes.</summary>
    public void Append(ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(new Span<byte>(_memory + _filled, _capacity - _filled));
        _filled += bytes.Length;
    }

    /// <summary>Begins to write the blocks that are full, when there is enough of them, and of what is to come.</summary>
    /// <param name="file">The pack.</param>
    /// <param name="isDirect">It was opened to be written past the page cache.</param>
    /// <param name="offset">Where the blob begins.</param>
    /// <param name="left">Bytes that are still to come.</param>
    /// <exception cref="IOException">Refused.</exception>
    public void Begin(SafeFileHandle file, bool isDirect, long offset, long left)
    {
        int end = left == 0 ? Pad() : _filled / Pack.BlockBytes * Pack.BlockBytes;
        if (end - _begun >= PieceMinBytes && (left == 0 || left >= PieceMinBytes)) Write(file, isDirect, offset, end);
    }

    /// <summary>Writes all that is not yet written, then the header, and waits for it. It is not flushed then.</summary>
    /// <param name="file">The pack.</param>
    /// <param name="isDirect">It was opened to be written past the page cache.</param>
    /// <param name="offset">Where the blob begins.</param>
    /// <param name="header">The header.</param>
    /// <exception cref="IOException">Refused.</exception>
    public void End(SafeFileHandle file, bool isDirect, long offset, ReadOnlySpan<byte> header)
    {
        int end = Pad();
        if (_begun > 0)
        {
            if (end > _begun) Write(file, isDirect, offset, end);
            while (_isFirstInFlight) WaitFor(1);
            (_begun, end) = (0, Pack.BlockBytes);
        }
        header.CopyTo(new Span<byte>(_memory, Pack.HeaderBytes));
        Write(file, isDirect, offset, end);
        Wait();
    }

    /// <summary>Waits for what was begun. Before that the memory is not ours.</summary>
    /// <exception cref="IOException">The disk refuses; what else was begun has come to its end too.</exception>
    public void Wait()
    {
        if (_inFlight > 0) WaitFor(_inFlight);
        if (_fault is not { } fault) return;
        _fault = null;
        throw fault;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        DirectIO.DestroyContext(_context);
        NativeMemory.AlignedFree(_memory);
    }

    /// <summary>Fills the last block up: another blob's bytes were here before.</summary>
    private int Pad()
    {
        int end = (_filled + Pack.BlockBytes - 1) / Pack.BlockBytes * Pack.BlockBytes;
        new Span<byte>(_memory + _filled, end - _filled).Clear();
        return end;
    }

    private void Write(SafeFileHandle file, bool isDirect, long offset, int end)
    {
        int from = _begun, length = end - from;
        _begun = end;
        if (!isDirect || _context == 0)
        {
            RandomAccess.Write(file, new ReadOnlySpan<byte>(_memory + from, length), offset + from);
            Durable.StartWriteOut(file, offset + from, length);
            return;
        }
        if (_inFlight == RequestsMax) WaitFor(1);
        DirectIO.Submit(_context, file, _memory + from, length, offset + from, from);
        _inFlight++;
        _isFirstInFlight |= from == 0;
    }

    private void WaitFor(int count)
    {
        Span<int> from = stackalloc int[count];
        _fault = DirectIO.Wait(_context, from) ?? _fault;
        _inFlight -= count;
        if (from.Contains(0)) _isFirstInFlight = false;
    }
}
