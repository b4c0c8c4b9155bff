using Microsoft.Win32.SafeHandles;

namespace PacsCluster.Blobs;

/// <summary>A range of a file, forward only. No buffer of its own: callers read in large pieces.</summary>
internal sealed class FileRangeStream : BlobRangeStream
{
    private readonly SafeFileHandle _file;
    private readonly long _start;

    /// <summary>Opens; a range that passes the end is cut there.</summary>
    public FileRangeStream(string path, long offset, long length)
    {
        // Shared with everything: a blob is never written after it can be opened, and deleting it meanwhile does not hurt a reader.
        _file = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, FileOptions.SequentialScan);
        long left = Math.Max(0, RandomAccess.GetLength(_file) - offset);
        _start = offset;
        Length = length < 0 ? left : Math.Min(left, length);
    }

    public override long Length { get; }

    public override int Read(Span<byte> buffer)
    {
        int wanted = Wanted(buffer.Length);
        if (wanted == 0) return 0;
        int read = RandomAccess.Read(_file, buffer[..wanted], _start + Given);
        Given += read;
        return read;
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        int wanted = Wanted(buffer.Length);
        if (wanted == 0) return 0;
        int read = await RandomAccess.ReadAsync(_file, buffer[..wanted], _start + Given, cancellationToken);
        Given += read;
        return read;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing) _file.Dispose();
        base.Dispose(disposing);
    }
}
