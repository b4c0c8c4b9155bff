using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace PacsCluster.Blobs;

/// <summary>Linux: writes past the page cache that are waited for later (open(2) O_DIRECT, io_submit(2)). Elsewhere nothing is direct.</summary>
internal static unsafe partial class DirectIO
{
    private const int F_GETFL = 3;
    private const int F_SETFL = 4;
    private const ushort IOCB_CMD_PWRITE = 1;
    private const ushort IOCB_CMD_FDSYNC = 3;
    private const int EINTR = 4;
    private const int MADV_HUGEPAGE = 14;
    private const nuint LargePageBytes = 2 * 1024 * 1024;

    private static readonly bool s_isArm = RuntimeInformation.ProcessArchitecture == Architecture.Arm64;
    private static readonly bool s_isKnown = OperatingSystem.IsLinux() && RuntimeInformation.ProcessArchitecture is Architecture.X64 or Architecture.Arm64;
    private static readonly (nint Setup, nint Destroy, nint GetEvents, nint Submit) s_calls = s_isArm ? (0, 1, 4, 2) : (206, 207, 208, 209);

    /// <summary>Lets a file's writes go past the page cache: memory, places and lengths in whole blocks then. False where its file system cannot.</summary>
    public static bool TryEnable(SafeFileHandle file)
    {
        if (!s_isKnown) return false;
        int flags = Control(file, F_GETFL, 0);
        return flags >= 0 && Control(file, F_SETFL, flags | (s_isArm ? 0x10000 : 0x4000)) == 0;
    }

    /// <summary>Memory from which whole blocks can be written past the page cache. It lies in large pages where the system has such: each page of a request is work for
    /// the kernel and for the disk's driver.</summary>
    public static byte* Allocate(int length)
    {
        if (!s_isKnown) return (byte*)NativeMemory.AlignedAlloc((nuint)length, Pack.BlockBytes);
        nuint pages = ((nuint)length + LargePageBytes - 1) / LargePageBytes * LargePageBytes;
        void* memory = NativeMemory.AlignedAlloc(pages, LargePageBytes);
        _ = Advise(memory, pages, MADV_HUGEPAGE);
        return (byte*)memory;
    }

    /// <summary>Gives memory back.</summary>
    public static void Free(byte* memory) => NativeMemory.AlignedFree(memory);

    /// <summary>A place where ended writes are told of; 0 where the system has none or gives no more.</summary>
    public static nint CreateContext(int requestsMax)
    {
        nint context = 0;
        return s_isKnown && Call(s_calls.Setup, requestsMax, (nint)(&context), 0, 0, 0) == 0 ? context : 0;
    }

    /// <summary>Nothing may be under way.</summary>
    public static void DestroyContext(nint context)
    {
        if (context != 0) _ = Call(s_calls.Destroy, context, 0, 0, 0, 0);
    }

    /// <summary>Begins to write. The memory is the kernel's until <see cref="Wait"/> has told of it.</summary>
    /// <exception cref="IOException">Refused, with the system's error in HResult.</exception>
    public static void Submit(nint context, SafeFileHandle file, byte* memory, int length, long offset)
    {
        var request = new Request { Data = (ulong)length, Operation = IOCB_CMD_PWRITE, Memory = (ulong)memory, Length = (ulong)length, Offset = offset };
        if (!TrySubmit(context, file, request)) throw Error(Marshal.GetLastPInvokeError());
    }

    /// <summary>Begins to make a file's bytes durable, those whose writes have ended. False where the system does not do it in the background.</summary>
    public static bool TrySubmitFlush(nint context, SafeFileHandle file) => TrySubmit(context, file, new Request { Operation = IOCB_CMD_FDSYNC });

    private static bool TrySubmit(nint context, SafeFileHandle file, Request request)
    {
        bool isOurs = false;
        try
        {
            file.DangerousAddRef(ref isOurs);
            request.File = (uint)file.DangerousGetHandle();
            Request* list = &request;
            return Call(s_calls.Submit, context, 1, (nint)(&list), 0, 0) == 1;
        }
        finally
        {
            if (isOurs) file.DangerousRelease();
        }
    }

    /// <summary>Waits until some writes of a context have ended.</summary>
    /// <param name="context">The context.</param>
    /// <param name="count">How many; so many must be under way.</param>
    /// <returns>Why one was refused, or that it was not taken whole; null when all were.</returns>
    public static IOException? Wait(nint context, int count)
    {
        Span<Event> ended = stackalloc Event[count];
        int got = 0;
        fixed (Event* first = ended)
        {
            while (got < count)
            {
                int more = (int)Call(s_calls.GetEvents, context, count - got, count - got, (nint)(first + got), 0);
                if (more < 0 && Marshal.GetLastPInvokeError() is not EINTR and int error) throw new InvalidOperationException($"io_getevents: {Marshal.GetPInvokeErrorMessage(error)}");
                got += Math.Max(more, 0);
            }
        }
        IOException? fault = null;
        foreach (Event one in ended)
        {
            if (one.Result < 0) fault = Error((int)-one.Result);
            else if ((ulong)one.Result != one.Data) fault = new IOException($"{one.Result} of {one.Data} bytes were written");
        }
        return fault;
    }

    private static IOException Error(int number) => new(Marshal.GetPInvokeErrorMessage(number), number);

    [LibraryImport("libc", EntryPoint = "fcntl")]
    private static partial int Control(SafeFileHandle file, int command, int argument);

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Advise(void* memory, nuint length, int advice);

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    private static partial nint Call(nint number, nint first, nint second, nint third, nint fourth, nint fifth);

    /// <summary>struct iocb.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 64)]
    private struct Request
    {
        [FieldOffset(0)] public ulong Data;
        [FieldOffset(16)] public ushort Operation;
        [FieldOffset(20)] public uint File;
        [FieldOffset(24)] public ulong Memory;
        [FieldOffset(32)] public ulong Length;
        [FieldOffset(40)] public long Offset;
    }

    /// <summary>struct io_event.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Event
    {
        public ulong Data;
        public ulong Object;
        public long Result;
        public long Result2;
    }
}
