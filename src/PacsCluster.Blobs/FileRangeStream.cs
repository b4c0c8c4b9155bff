using Microsoft.Win32.SafeHandles;

namespace PacsCluster.Blobs;

/// <summary>A range of a file, forward only. No buffer of its own: callers read in large pieces.</summary>
internal class FileRangeStream : BlobRangeStream
{
    private readonly long _start;

    /// <summary>Takes the file over; a range that passes <paramref name="available"/> bytes behind <paramref name="origin"/> is cut there.</summary>
    public FileRangeStream(SafeFileHandle file, long origin, long available, long offset, long length)
    {
        File = file;
        long left = Math.Max(0, available - offset);
        _start = origin + offset;
        Length = length < 0 ? left : Math.Min(left, length);
    }

    public sealed override long Length { get; }

    /// <summary>Read from.</summary>
    protected SafeFileHandle File { get; }

    /// <summary>Opens a file to read. Shared with everything: a blob is never written after it can be opened, and deleting it meanwhile does not hurt a reader.</summary>
    public static SafeFileHandle Open(string path) =>
        System.IO.File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, FileOptions.SequentialScan);

    public sealed override int Read(Span<byte> buffer)
    {
        int wanted = Wanted(buffer.Length);
        return wanted == 0 ? 0 : Took(RandomAccess.Read(File, buffer[..wanted], _start + Given));
    }

    public sealed override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public sealed override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        int wanted = Wanted(buffer.Length);
        return wanted == 0 ? 0 : Took(await RandomAccess.ReadAsync(File, buffer[..wanted], _start + Given, cancellationToken));
    }

    /// <summary>Whether what was just read can be given out; throws when it cannot.</summary>
    protected virtual void Check()
    {
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing) File.Dispose();
        base.Dispose(disposing);
    }

    private int Took(int read)
    {
        Check();
        Given += read;
        return read;
    }
}
