using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace PacsCluster.Blobs;

/// <summary>The calls that .NET does not have: flushing a folder, starting write-out, giving blocks back. On Windows they do nothing (NTFS journals names itself).</summary>
internal static partial class Durable
{
    private const int O_RDONLY = 0;
    private const int O_CLOEXEC = 0x80000;
    private const int POSIX_FADV_WILLNEED = 3;
    private const int SYNC_FILE_RANGE_WRITE = 2;
    private const int FALLOC_FL_KEEP_SIZE = 1;
    private const int FALLOC_FL_PUNCH_HOLE = 2;
    private const int ENOSPC = 28;
    private const int EDQUOT = 122;
    private const int EFBIG = 27;

    /// <summary>Of the space that is left on a disk, one in so many parts may be asked for ahead.</summary>
    private const int PartsOfFreeSpace = 64;

    /// <summary>No space, or over quota.</summary>
    public static bool IsFull(Exception e) => e is IOException && (e.HResult is ENOSPC or EDQUOT || e.HResult == unchecked((int)0x80070070));

    /// <summary>Makes the names in a folder durable.</summary>
    /// <exception cref="IOException">The system's error, its number in HResult.</exception>
    public static void FlushFolder(string folder)
    {
        if (OperatingSystem.IsWindows()) return;
        int fd = Open(folder, O_RDONLY | (OperatingSystem.IsLinux() ? O_CLOEXEC : 0));
        if (fd < 0) throw LastError();
        try
        {
            if (Flush(fd) != 0) throw LastError();
        }
        finally
        {
            _ = Close(fd);
        }
    }

    /// <summary>Makes a file's bytes, and the length needed to read them, durable.</summary>
    /// <exception cref="IOException">The system's error, its number in HResult.</exception>
    public static void FlushData(SafeFileHandle file)
    {
        if (!OperatingSystem.IsLinux()) RandomAccess.FlushToDisk(file);
        else if (DataSync(file) != 0) throw LastError();
    }

    /// <summary>Has the file system set room aside, so that writing there needs no more of its journal than a mark. The file is as long then; what was not written reads as zeros.</summary>
    /// <param name="file">Open for writing.</param>
    /// <param name="from">Up to here it has room.</param>
    /// <param name="to">Up to here it needs some.</param>
    /// <param name="atOnce">Bytes that are asked for: less when little is left on the disk, and only what is needed when there is no more.</param>
    /// <param name="folder">Where the file lies.</param>
    /// <returns>Up to where it has room now; <see cref="long.MaxValue"/> where the file system does not know of such things.</returns>
    /// <exception cref="IOException">No room for what is needed.</exception>
    public static long Allocate(SafeFileHandle file, long from, long to, long atOnce, string folder)
    {
        if (!OperatingSystem.IsLinux()) return long.MaxValue;
        long wanted = Math.Max(to - from, Math.Min(atOnce, new DriveInfo(folder).AvailableFreeSpace / PartsOfFreeSpace));
        if (Allocate(file, 0, from, wanted) == 0) return from + wanted;
        if (wanted > to - from && Allocate(file, 0, from, to - from) == 0) return to;
        return Marshal.GetLastPInvokeError() is ENOSPC or EDQUOT or EFBIG ? throw LastError() : long.MaxValue;
    }

    /// <summary>Gives whole blocks of a file back to the file system; they read as zeros then. A file system that cannot keeps them.</summary>
    public static void PunchHole(SafeFileHandle file, long offset, long length)
    {
        if (OperatingSystem.IsLinux() && length > 0) _ = Allocate(file, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, offset, length);
    }

    /// <summary>Asks the kernel to begin writing a range to disk, without waiting. A hint: errors show at the flush.</summary>
    public static void StartWriteOut(SafeFileHandle file, long offset, long length)
    {
        if (OperatingSystem.IsLinux()) _ = SyncFileRange(file, offset, length, SYNC_FILE_RANGE_WRITE);
    }

    /// <summary>Asks the kernel to have a range of a file at hand soon, without waiting. A hint.</summary>
    public static void StartReading(SafeFileHandle file, long offset, long length)
    {
        if (OperatingSystem.IsLinux()) _ = Advise(file, offset, length, POSIX_FADV_WILLNEED);
    }

    private static IOException LastError()
    {
        int error = Marshal.GetLastPInvokeError();
        return new IOException(Marshal.GetPInvokeErrorMessage(error), error);
    }

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int Flush(int fd);

    [LibraryImport("libc", EntryPoint = "close")]
    private static partial int Close(int fd);

    [LibraryImport("libc", EntryPoint = "fdatasync", SetLastError = true)]
    private static partial int DataSync(SafeFileHandle file);

    [LibraryImport("libc", EntryPoint = "fallocate", SetLastError = true)]
    private static partial int Allocate(SafeFileHandle file, int mode, long offset, long length);

    [LibraryImport("libc", EntryPoint = "posix_fadvise")]
    private static partial int Advise(SafeFileHandle file, long offset, long length, int advice);

    [LibraryImport("libc", EntryPoint = "sync_file_range")]
    private static partial int SyncFileRange(SafeFileHandle file, long offset, long length, int flags);
}
