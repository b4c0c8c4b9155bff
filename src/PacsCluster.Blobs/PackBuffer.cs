using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace PacsCluster.Blobs;

/// <summary>
/// One blob on its way into a pack: header and bytes as they will lie on its blocks, in memory from which a disk can take them. Blocks that are full go out while more are
/// coming in. On Linux they go past the page cache without waiting (O_DIRECT, io_submit), which costs a third of the processor
/// time of a write and a flush; where a file or the system cannot, they are written as usual. Belongs to one caller at a time, and to the next one when it was started anew.
/// </summary>
internal sealed unsafe class PackBuffer : IDisposable
{
    /// <summary>So many bytes are worth a request of their own; less waits for more.</summary>
    private const int PieceMinBytes = 64 * 1024;

    private const int RequestsMax = 8;

    private readonly byte* _memory;
    private readonly int _capacity;
    private readonly nint _context;
    private int _filled;
    private int _begun;
    private int _inFlight;
    private IOException? _fault;

    /// <summary>Room for a blob.</summary>
    /// <param name="length">Bytes of the blob at most.</param>
    public PackBuffer(int length)
    {
        _capacity = (int)Pack.Blocks(length) * Pack.BlockBytes;
        _memory = DirectIO.Allocate(_capacity);
        _context = DirectIO.CreateContext(RequestsMax);
    }

    /// <summary>Forgets what was in it.</summary>
    /// <param name="header">The next blob's.</param>
    public void Start(ReadOnlySpan<byte> header)
    {
        (_filled, _begun) = (Pack.HeaderBytes, 0);
        header.CopyTo(new Span<byte>(_memory, Pack.HeaderBytes));
    }

    /// <summary>Where the blob's bytes lie.</summary>
    public Span<byte> Content => new(_memory + Pack.HeaderBytes, _capacity - Pack.HeaderBytes);

    /// <summary>Takes bytes; those that lie in their place already stay there.</summary>
    public void Append(ReadOnlySpan<byte> bytes)
    {
        if (!Unsafe.AreSame(in MemoryMarshal.GetReference(bytes), in *(_memory + _filled))) bytes.CopyTo(new Span<byte>(_memory + _filled, _capacity - _filled));
        _filled += bytes.Length;
    }

    /// <summary>Begins to write the blocks that are full, when there is enough of them, and of what is to come; all of them when nothing is.</summary>
    /// <param name="file">The pack.</param>
    /// <param name="isDirect">It was opened to be written past the page cache.</param>
    /// <param name="offset">Where the blob begins.</param>
    /// <param name="left">Bytes that are still to come.</param>
    /// <exception cref="IOException">Refused.</exception>
    public void Begin(SafeFileHandle file, bool isDirect, long offset, long left)
    {
        int end = left == 0 ? Pad() : _filled / Pack.BlockBytes * Pack.BlockBytes;
        if (left == 0 ? end > _begun : end - _begun >= PieceMinBytes && left >= PieceMinBytes) Write(file, isDirect, offset, end);
    }

    /// <summary>Writes the first block once more, with another header. Nothing may be under way.</summary>
    /// <param name="file">The pack.</param>
    /// <param name="isDirect">It was opened to be written past the page cache.</param>
    /// <param name="offset">Where the blob begins.</param>
    /// <param name="header">The header.</param>
    /// <exception cref="IOException">Refused.</exception>
    public void Rewrite(SafeFileHandle file, bool isDirect, long offset, ReadOnlySpan<byte> header)
    {
        header.CopyTo(new Span<byte>(_memory, Pack.HeaderBytes));
        _begun = 0;
        Write(file, isDirect, offset, Pack.BlockBytes);
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
        DirectIO.Free(_memory);
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
        DirectIO.Submit(_context, file, _memory + from, length, offset + from);
        _inFlight++;
    }

    private void WaitFor(int count)
    {
        _fault = DirectIO.Wait(_context, count) ?? _fault;
        _inFlight -= count;
    }
}
