using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;
using PacsCluster.Imaging.Codecs;
using PacsCluster.Imaging.Native;

namespace PacsCluster.Imaging.Workers;

/// <summary>This assembly as a program: decodes codestreams that come through standard input with libraries in C, and dies alone when one of them does.
/// It opens no files and no sockets. Its memory is limited, and it ends when its input does.</summary>
internal static unsafe partial class WorkerProgram
{
    private const int AddressSpace = 9, CoreFile = 4, SetPipeSize = 1031, WriteOnly = 1;
    // Room before the codestream for a colour marker.
    private const int Headroom = 16;
    private const int KeptBytes = 64 * 1024 * 1024;

    private static byte* s_input, s_output, s_planes;
    private static long s_inputBytes, s_outputBytes, s_planesBytes;

    /// <summary>Arguments: bytes of memory that decoding may take, and optionally the folder of the libraries.</summary>
    public static int Main(string[] arguments)
    {
        if (arguments.Length is < 1 or > 2 || !long.TryParse(arguments[0], CultureInfo.InvariantCulture, out long memory))
        {
            Console.Error.WriteLine("PacsCluster.Imaging decodes frames for a node of PacsCluster, which starts it itself.");
            return 2;
        }
        if (arguments.Length == 2) CodecLibrary.LoadFrom(arguments[1]);
        using var input = new FileStream(new SafeFileHandle(0, ownsHandle: false), FileAccess.Read, bufferSize: 0);
        using var output = new FileStream(new SafeFileHandle(1, ownsHandle: false), FileAccess.Write, bufferSize: 0);
        if (OperatingSystem.IsLinux()) Confine(memory);
        using var watchdog = new Timer(static _ => Environment.Exit(3));
        while (true)
        {
            WorkerRequest request = default;
            try
            {
                input.ReadExactly(Bytes(ref request));
            }
            catch (EndOfStreamException)
            {
                return 0;
            }
            watchdog.Change(request.TimeLimitMilliseconds, Timeout.Infinite);
            Grow(ref s_input, ref s_inputBytes, Headroom + request.InputLength);
            input.ReadExactly(new Span<byte>(s_input + Headroom, request.InputLength));
            Answer(output, request);
            watchdog.Change(Timeout.Infinite, Timeout.Infinite);
        }
    }

    private static void Answer(FileStream output, in WorkerRequest request)
    {
        WorkerReply reply = default;
        byte[]? message = null;
        try
        {
            Grow(ref s_output, ref s_outputBytes, request.OutputLength);
            if (Decode(request) is { } failure)
            {
                reply.Status = WorkerStatus.Corrupt;
                message = Encoding.UTF8.GetBytes(failure);
            }
        }
        catch (ImagingException e)
        {
            reply.Status = e.Error == ImagingError.LibraryMissing ? WorkerStatus.LibraryMissing : WorkerStatus.Corrupt;
            message = Encoding.UTF8.GetBytes(e.Message);
        }
        reply.Length = message?.Length ?? (int)request.OutputLength;
        output.Write(Bytes(ref reply));
        output.Write(message is not null ? message : new ReadOnlySpan<byte>(s_output, reply.Length));
        Trim(ref s_input, ref s_inputBytes);
        Trim(ref s_output, ref s_outputBytes);
        Trim(ref s_planes, ref s_planesBytes);
    }

    private static string? Decode(in WorkerRequest request)
    {
        byte* codestream = s_input + Headroom;
        long samples = (long)request.Rows * request.Columns * request.Components;
        switch (request.Codec)
        {
            case WorkerCodec.Jpeg2000:
                return OpenJpeg.Decode(codestream, request.InputLength, request.Columns, request.Rows, request.Components, request.SampleBytes, s_output);
            case WorkerCodec.Jpeg:
                int length = request.InputLength;
                if (request.Components == 3 && JpegColour.Mark(s_input, Headroom, length, request.ToRgb != 0))
                {
                    codestream = s_input;
                    length += Headroom;
                }
                byte* pixels = request.SampleBytes == 1 ? s_output : Planes(samples);
                if (TurboJpeg.Decode(codestream, length, request.Columns, request.Rows, request.Components, pixels) is { } broken) return broken;
                if (request.SampleBytes != 1) Spread(pixels, samples, 1, request.SampleBytes, byPlane: false, request.Components);
                return null;
            case WorkerCodec.JpegLs:
                byte* coded = request.SampleBytes == request.CodedBytes && request.Components == 1 ? s_output : Planes(samples * request.CodedBytes);
                if (CharLs.Decode(codestream, request.InputLength, coded, samples * request.CodedBytes, out bool byPlane) is { } wrong) return wrong;
                if (coded != s_output) Spread(coded, samples, request.CodedBytes, request.SampleBytes, byPlane, request.Components);
                return null;
            default:
                return "no such codec";
        }
    }

    private static byte* Planes(long bytes)
    {
        Grow(ref s_planes, ref s_planesBytes, bytes);
        return s_planes;
    }

    /// <summary>Widens samples and brings planes together.</summary>
    [System.Runtime.CompilerServices.MethodImpl(System.Runtime.CompilerServices.MethodImplOptions.AggressiveOptimization)]
    private static void Spread(byte* from, long samples, int fromBytes, int toBytes, bool byPlane, int components)
    {
        byte* to = s_output;
        if (!byPlane && fromBytes == toBytes)
        {
            Buffer.MemoryCopy(from, to, s_outputBytes, samples * fromBytes);
            return;
        }
        long pixels = samples / components;
        for (int component = 0; component < components; component++)
        {
            byte* source = from + (byPlane ? component * pixels : component) * fromBytes;
            int step = (byPlane ? 1 : components) * fromBytes;
            byte* target = to + component * toBytes;
            for (long i = 0; i < pixels; i++, source += step, target += components * toBytes)
            {
                int sample = fromBytes == 1 ? *source : *(ushort*)source;
                if (toBytes == 1) *target = (byte)sample;
                else if (toBytes == 2) *(ushort*)target = (ushort)sample;
                else *(int*)target = sample;
            }
        }
    }

    private static void Grow(ref byte* buffer, ref long bytes, long needed)
    {
        if (needed <= bytes) return;
        NativeMemory.Free(buffer);
        buffer = null;
        bytes = 0;
        try
        {
            buffer = (byte*)NativeMemory.Alloc((nuint)needed);
        }
        catch (OutOfMemoryException e)
        {
            throw new ImagingException(ImagingError.TooLarge, "no memory for the frame", e);
        }
        bytes = needed;
    }

    private static void Trim(ref byte* buffer, ref long bytes)
    {
        if (bytes <= KeptBytes) return;
        NativeMemory.Free(buffer);
        buffer = null;
        bytes = 0;
    }

    /// <summary>Limits the memory, makes the pipes hold a frame, and keeps the libraries' own words (and the runtime's, when one of them crashes) out of
    /// the node's log. Where the system refuses one of these, decoding still works.</summary>
    private static void Confine(long memory)
    {
        _ = fcntl(0, SetPipeSize, 1 << 20);
        _ = fcntl(1, SetPipeSize, 1 << 20);
        int nothing = open("/dev/null", WriteOnly);
        if (nothing >= 0) _ = dup2(nothing, 2);
        var none = new ResourceLimit();
        _ = setrlimit(CoreFile, &none);
        string[] pages = File.ReadAllText("/proc/self/statm").Split(' ');
        ulong used = ulong.Parse(pages[0], CultureInfo.InvariantCulture) * (ulong)Environment.SystemPageSize;
        var limit = new ResourceLimit { Soft = used + (ulong)memory, Hard = used + (ulong)memory };
        _ = setrlimit(AddressSpace, &limit);
    }

    private static Span<byte> Bytes<T>(ref T value) where T : unmanaged => MemoryMarshal.AsBytes(new Span<T>(ref value));

    [StructLayout(LayoutKind.Sequential)]
    private struct ResourceLimit
    {
        public ulong Soft;
        public ulong Hard;
    }

    [LibraryImport("libc")]
    private static partial int fcntl(int file, int command, nint value);

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int open(string path, int flags);

    [LibraryImport("libc")]
    private static partial int dup2(int from, int to);

    [LibraryImport("libc")]
    private static partial int setrlimit(int resource, ResourceLimit* limit);
}
