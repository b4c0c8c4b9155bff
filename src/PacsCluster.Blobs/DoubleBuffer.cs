using Microsoft.Win32.SafeHandles;

namespace PacsCluster.Blobs;

/// <summary>
/// Two halves of memory that a blob goes through on its way into a file of its own: one is filled while the disk takes the other, past the page cache (O_DIRECT, io_submit) where
/// file and system can. Belongs to one caller at a time, and to the next one when nothing is under way.
/// </summary>
internal sealed unsafe class DoubleBuffer : IDisposable
{
    /// <summary>Of one half, and of each write but the last.</summary>
    public const int HalfBytes = 1024 * 1024;

    private readonly byte* _memory = DirectIO.Allocate(2 * HalfBytes);
    private readonly nint[] _contexts = [DirectIO.CreateContext(1), DirectIO.CreateContext(1)];
    private readonly bool[] _isUnderWay = new bool[2];
    private int _half;
    private int _filled;

    /// <summary>Bytes that are to be written next.</summary>
    public ReadOnlySpan<byte> Filled => new(Half, _filled);

    /// <summary>No more fits before they are.</summary>
    public bool IsFull => _filled == HalfBytes;

    private byte* Half => _memory + (_half * HalfBytes);

    /// <summary>Takes what fits; gives what does not.</summary>
    /// <exception cref="IOException">What lay there before could not be written.</exception>
    public ReadOnlySpan<byte> Fill(ReadOnlySpan<byte> bytes)
    {
        WaitFor(_half);
        int taken = Math.Min(bytes.Length, HalfBytes - _filled);
        bytes[..taken].CopyTo(new Span<byte>(Half + _filled, taken));
        _filled += taken;
        return bytes[taken..];
    }

    /// <summary>Begins to write what is filled (past the page cache with zeros up to a whole block), and goes on to the other half.</summary>
    /// <param name="file">The file.</param>
    /// <param name="isDirect">It was opened to be written past the page cache.</param>
    /// <param name="offset">Where.</param>
    /// <exception cref="IOException">Refused.</exception>
    public void Write(SafeFileHandle file, bool isDirect, long offset)
    {
        int length = isDirect ? (_filled + Pack.BlockBytes - 1) / Pack.BlockBytes * Pack.BlockBytes : _filled;
        new Span<byte>(Half + _filled, length - _filled).Clear();
        if (isDirect && _contexts[_half] != 0)
        {
            DirectIO.Submit(_contexts[_half], file, Half, length, offset);
            _isUnderWay[_half] = true;
        }
        else
        {
            RandomAccess.Write(file, new ReadOnlySpan<byte>(Half, length), offset);
        }
        (_half, _filled) = (1 - _half, 0);
    }

    /// <summary>Waits for what was begun, and forgets what was not.</summary>
    /// <exception cref="IOException">The disk refuses; nothing is under way any more.</exception>
    public void Wait()
    {
        _filled = 0;
        try
        {
            WaitFor(0);
        }
        finally
        {
            WaitFor(1);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (nint context in _contexts) DirectIO.DestroyContext(context);
        DirectIO.Free(_memory);
    }

    private void WaitFor(int half)
    {
        if (!_isUnderWay[half]) return;
        IOException? fault = DirectIO.Wait(_contexts[half], 1);
        _isUnderWay[half] = false;
        if (fault is not null) throw fault;
    }
}
