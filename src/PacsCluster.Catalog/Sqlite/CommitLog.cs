using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Microsoft.Win32.SafeHandles;

namespace PacsCluster.Catalog.Sqlite;

/// <summary>
/// The file beside the database in which commits are made durable before the database itself has them: <c>catalog.db-commits</c>. Made once at its full size, it is written in
/// place from the front, one record of whole blocks after the other, so that a record costs one write and one flush and no change of the file's own data. Records of one run
/// share a random number and are numbered without gaps; the first place that does not hold the next one is the end. Who opens the database holds the file shared;
/// who can hold it alone knows that no other process has the database open. Written and read only under the database's write lock. Linux only.
/// </summary>
internal sealed partial class CommitLog : IDisposable
{
    /// <summary>Length of the file. A thousand commits of one instance; then the database is flushed once and the file is begun anew.</summary>
    public const int CapacityBytes = 4 << 20;

    /// <summary>Records begin on such, and are written in whole ones, from memory that does too.</summary>
    public const int BlockBytes = 4096;

    /// <summary>In front of a record.</summary>
    public const int HeaderBytes = 32;

    private const int O_RDONLY = 0;
    private const int O_RDWR = 2;
    private const int O_CREAT = 0x40;
    private const int O_DSYNC = 0x1000;
    private const int O_CLOEXEC = 0x80000;
    private const int Mode0644 = 0x1A4;
    private const int LOCK_SH = 1;
    private const int LOCK_EX = 2;
    private const int LOCK_NB = 4;
    private const int EINTR = 4;
    private const int ENOSPC = 28;
    private const int EDQUOT = 122;

    private static readonly int s_direct = RuntimeInformation.ProcessArchitecture is Architecture.Arm or Architecture.Arm64 ? 0x10000 : 0x4000;

    private readonly SafeFileHandle _file;

    /// <summary>The same file: what is written here is durable, and past the page cache where the file system can.</summary>
    private readonly SafeFileHandle _records;
    private readonly string _folder;
    private long _run;
    private int _position = CapacityBytes;

    /// <summary>Bytes of the last record, where that was appended whole.</summary>
    private int _last;

    /// <summary>Where the last reading came to its end, and the number that would have been next.</summary>
    private (long Run, int End, long Next) _seen;

    private CommitLog(SafeFileHandle file, SafeFileHandle records, string folder) => (_file, _records, _folder) = (file, records, folder);

    private static ReadOnlySpan<byte> Mark => "PACSCMT1"u8;

    /// <summary>Opens the file of a database, making it when it is missing; null where the system cannot do what it needs.</summary>
    /// <exception cref="IOException">It cannot be opened.</exception>
    public static CommitLog? Open(string databasePath)
    {
        if (!OperatingSystem.IsLinux()) return null;
        string path = databasePath + "-commits";
        SafeFileHandle file = OpenHandle(path, O_RDWR | O_CREAT);
        SafeFileHandle records;
        try
        {
            records = TryOpenHandle(path, O_RDWR | O_DSYNC | s_direct) ?? OpenHandle(path, O_RDWR | O_DSYNC);
        }
        catch
        {
            file.Dispose();
            throw;
        }
        var log = new CommitLog(file, records, Path.GetDirectoryName(Path.GetFullPath(databasePath))!);
        if (log.TryShare()) return log;
        log.Dispose();
        return null;
    }

    /// <summary>Whether no other has the database open at this moment.</summary>
    public bool IsAlone() =>
        // The lock that was held went with the attempt, and who opens the database now waits until this one is shared again.
        Lock(_file, LOCK_EX | LOCK_NB) == 0 & TryShare();

    /// <summary>The records of the last run, in order.</summary>
    /// <param name="applied">Number of the last one that the database has.</param>
    /// <exception cref="CatalogUnavailableException">The records and the database are not of one history.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    public List<(long Number, ReadOnlyMemory<byte> Record)> Read(long applied)
    {
        List<(long, ReadOnlyMemory<byte>)> records = [];
        if (_seen.Next > 0 && _seen.Next <= applied + 1 && Peek(0).Run == _seen.Run && Peek(_seen.End) != (_seen.Run, _seen.Next)) return records;
        byte[] file = new byte[RandomAccess.GetLength(_file)];
        int length = RandomAccess.Read(_file, file, 0), at = 0;
        long run = 0, next = 0;
        while (at + HeaderBytes <= length)
        {
            ReadOnlySpan<byte> header = file.AsSpan(at, HeaderBytes);
            int size = BinaryPrimitives.ReadInt32LittleEndian(header[24..]);
            if (!header.StartsWith(Mark) || size < 0 || size > length - at - HeaderBytes) break;
            (long itsRun, long number) = Name(header);
            if (at > 0 && (itsRun != run || number != next)) break;
            if (BinaryPrimitives.ReadUInt32LittleEndian(header[28..]) != Crc(header[8..28], file.AsSpan(at + HeaderBytes, size))) break;
            if (at == 0 && number > applied + 1)
            {
                throw new CatalogUnavailableException(
                    $"commits are missing between {applied} and {number}: if an older copy of the database was put back, remove the file beside it that ends in -commits");
            }
            (run, next) = (itsRun, number + 1);
            records.Add((number, file.AsMemory(at + HeaderBytes, size)));
            at += Blocks(size);
        }
        _seen = (run, at, next);
        return records;
    }

    /// <summary>Begins at the front; what the file has must be durable in the database.</summary>
    public void Restart()
    {
        _run = BinaryPrimitives.ReadInt64LittleEndian(RandomNumberGenerator.GetBytes(sizeof(long)));
        _position = 0;
    }

    /// <summary>Appends a record, durable on return.</summary>
    /// <returns>False when there is no room, in the file or on the disk for it; nothing is written then.</returns>
    /// <exception cref="IOException">The disk refuses. Whether the record will be read is not known.</exception>
    /// <exception cref="UnauthorizedAccessException">The same, in .NET's word for EPERM.</exception>
    public bool TryAppend(long number, CommitRecord record)
    {
        int length = Blocks(record.Length);
        _last = 0;
        if (length > CapacityBytes - _position) return false;
        if (_position == 0 && RandomAccess.GetLength(_file) < CapacityBytes && !TryMakeRoom()) return false;
        Span<byte> bytes = record.WithHeader(length);
        Span<byte> header = bytes[..HeaderBytes];
        Mark.CopyTo(header);
        BinaryPrimitives.WriteInt64LittleEndian(header[8..], _run);
        BinaryPrimitives.WriteInt64LittleEndian(header[16..], number);
        BinaryPrimitives.WriteInt32LittleEndian(header[24..], record.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(header[28..], Crc(header[8..28], bytes.Slice(HeaderBytes, record.Length)));
        RandomAccess.Write(_records, bytes, _position);
        _position += length;
        _last = length;
        return true;
    }

    /// <summary>Makes what the last <see cref="TryAppend"/> wrote, or tried to, unreadable, and gives its place to the next record.</summary>
    /// <exception cref="IOException">The disk refuses.</exception>
    /// <exception cref="UnauthorizedAccessException">The same, in .NET's word for EPERM.</exception>
    public void TakeBack()
    {
        _position -= _last;
        _last = 0;
        Span<byte> nothing = new CommitRecord().WithHeader(BlockBytes);
        nothing[..HeaderBytes].Clear();
        RandomAccess.Write(_records, nothing, _position);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _records.Dispose();
        _file.Dispose();
    }

    /// <summary>The system's error is that of a full disk.</summary>
    public static bool IsFull(IOException fault) => fault.HResult is ENOSPC or EDQUOT;

    // Zeros that are written, not room set aside: a flush would else have to write which blocks are no longer zero.
    private bool TryMakeRoom()
    {
        try
        {
            RandomAccess.Write(_file, new byte[CapacityBytes], 0);
            if (SyncAll(_file) != 0) throw LastError();
            // Its name too: a log that a power cut takes away would take what was acknowledged with it.
            using SafeFileHandle folder = OpenHandle(_folder, O_RDONLY);
            if (SyncAll(folder) != 0) throw LastError();
            return true;
        }
        catch (IOException fault) when (IsFull(fault))
        {
            RandomAccess.SetLength(_file, 0);
            return false;
        }
    }

    private (long Run, long Number) Peek(int position)
    {
        Span<byte> header = stackalloc byte[HeaderBytes];
        return RandomAccess.Read(_file, header, position) == HeaderBytes && header.StartsWith(Mark) ? Name(header) : default;
    }

    private static (long Run, long Number) Name(ReadOnlySpan<byte> header) =>
        (BinaryPrimitives.ReadInt64LittleEndian(header[8..]), BinaryPrimitives.ReadInt64LittleEndian(header[16..]));

    private static SafeFileHandle OpenHandle(string path, int flags) => TryOpenHandle(path, flags) ?? throw LastError();

    private static SafeFileHandle? TryOpenHandle(string path, int flags)
    {
        int fd = OpenFile(path, flags | O_CLOEXEC, Mode0644);
        return fd < 0 ? null : new SafeFileHandle(fd, ownsHandle: true);
    }

    private bool TryShare()
    {
        while (Lock(_file, LOCK_SH) != 0)
        {
            if (Marshal.GetLastPInvokeError() != EINTR) return false;
        }
        return true;
    }

    private static int Blocks(int payload) => (HeaderBytes + payload + BlockBytes - 1) / BlockBytes * BlockBytes;

    private static uint Crc(ReadOnlySpan<byte> header, ReadOnlySpan<byte> payload) => ~Crc(Crc(uint.MaxValue, header), payload);

    private static uint Crc(uint crc, ReadOnlySpan<byte> bytes)
    {
        for (; bytes.Length >= sizeof(ulong); bytes = bytes[sizeof(ulong)..]) crc = BitOperations.Crc32C(crc, BinaryPrimitives.ReadUInt64LittleEndian(bytes));
        foreach (byte one in bytes) crc = BitOperations.Crc32C(crc, one);
        return crc;
    }

    private static IOException LastError()
    {
        int error = Marshal.GetLastPInvokeError();
        return new IOException(Marshal.GetPInvokeErrorMessage(error), error);
    }

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int OpenFile(string path, int flags, int mode);

    [LibraryImport("libc", EntryPoint = "flock", SetLastError = true)]
    private static partial int Lock(SafeFileHandle file, int operation);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int SyncAll(SafeFileHandle file);
}
