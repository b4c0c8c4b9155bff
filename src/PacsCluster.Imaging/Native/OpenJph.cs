using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;

namespace PacsCluster.Imaging.Native;

/// <summary>OpenJPH: HTJ2K (ITU-T T.814) to be written, which OpenJPEG 2.5 only reads. The library has an interface of C++ alone, so it is its program that
/// Debian ships, one process for each frame. Samples go in and the codestream comes out by pipes: nothing of an image touches a disk.</summary>
internal static class OpenJph
{
    private const string Program = "ojph_compress", Package = "openjph-tools";

    // SOC, then SIZ (T.800 A.5.1): Ssiz of the first component, three bytes a component; its highest bit says that samples are signed.
    private const int FirstSsizAt = 42, SsizStep = 3;
    private const byte Signed = 0x80;

    private static ReadOnlySpan<byte> EndOfCodestream => [0xFF, 0xD9];

    /// <summary>Encodes reversibly.</summary>
    /// <param name="cells">Samples of one or two bytes, colour by pixel.</param>
    /// <param name="format">What they are; one or three a pixel.</param>
    /// <param name="bits">Bits of a sample, 1 to 16: nothing stands above them but the sign of a signed one.</param>
    /// <param name="transforms">With the reversible colour transformation, for RGB.</param>
    /// <param name="programFolder">Where the program lies; null for where the system has it.</param>
    /// <param name="limit">Ends the program.</param>
    /// <exception cref="ImagingException">LibraryMissing, with the package's name; Unsupported with the program's words when it gives no codestream.</exception>
    public static byte[] Encode(ReadOnlyMemory<byte> cells, FrameFormat format, int bits, bool transforms, string? programFolder, CancellationToken limit)
    {
        bool isColor = format.SamplesPerPixel == 3;
        // The program knows what a file is by the end of its name, and takes no other name for its standard streams.
        string folder = Directory.CreateTempSubdirectory("pacscluster-").FullName;
        try
        {
            string input = Path.Combine(folder, isColor ? "in.ppm" : "in.pgm"), output = Path.Combine(folder, "out.j2c");
            File.CreateSymbolicLink(input, "/dev/stdin");
            File.CreateSymbolicLink(output, "/dev/stdout");
            string[] arguments = ["-i", input, "-o", output, "-reversible", "true", .. isColor ? (string[])["-colour_trans", transforms ? "true" : "false"] : []];
            using Process process = Start(programFolder is null ? Program : Path.Combine(programFolder, Program), arguments);
            using CancellationTokenRegistration end = limit.Register(process.Kill);
            Task<byte[]> coded = Task.Run(() => ReadAll(process.StandardOutput.BaseStream), CancellationToken.None);
            Task<string> said = process.StandardError.ReadToEndAsync(CancellationToken.None);
            try
            {
                WriteSamples(process.StandardInput.BaseStream, cells.Span, format, bits);
                process.StandardInput.Close();
            }
            catch (IOException)
            {
                // It ended before it had all: what it says of that is told below.
            }
            byte[] bytes = coded.GetAwaiter().GetResult();
            string words = said.GetAwaiter().GetResult();
            process.WaitForExit();
            limit.ThrowIfCancellationRequested();
            // Behind the codestream it says in words how long it took.
            int length = bytes.AsSpan().LastIndexOf(EndOfCodestream) + 2;
            if (process.ExitCode != 0 || length < FirstSsizAt + SsizStep * format.SamplesPerPixel || bytes.AsSpan() is not [0xFF, 0x4F, 0xFF, 0x51, ..])
                throw new ImagingException(ImagingError.Unsupported, $"{Program} encodes no such frame: {words.Trim()}");
            if (format.IsSigned)
            {
                for (int i = 0; i < format.SamplesPerPixel; i++) bytes[FirstSsizAt + i * SsizStep] |= Signed;
            }
            return bytes[..length];
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static Process Start(string program, string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        try
        {
            return Process.Start(start)!;
        }
        catch (Win32Exception e)
        {
            throw new ImagingException(ImagingError.LibraryMissing, $"HTJ2K needs {Program}, which is not installed here: apt-get install {Package}", e);
        }
    }

    private static byte[] ReadAll(Stream stream)
    {
        using var bytes = new MemoryStream();
        stream.CopyTo(bytes);
        return bytes.ToArray();
    }

    /// <summary>A binary PGM or PPM. It knows no signed samples: half the range is added, which is what the encoder would take from unsigned ones (the DC level shift, T.800 G.1), so
    /// that the codestream is that of the signed samples but for the bit in SIZ that says so.</summary>
    private static void WriteSamples(Stream to, ReadOnlySpan<byte> cells, FrameFormat format, int bits)
    {
        int top = (1 << bits) - 1, shift = format.IsSigned ? 1 << (bits - 1) : 0;
        to.Write(Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"P{(format.SamplesPerPixel == 3 ? 6 : 5)}\n{format.Columns} {format.Rows}\n{top}\n")));
        byte[] piece = new byte[64 * 1024];
        int filled = 0;
        bool isWide = bits > 8;
        int count = cells.Length / format.SampleBytes;
        ReadOnlySpan<ushort> words = format.SampleBytes == 2 ? MemoryMarshal.Cast<byte, ushort>(cells) : default;
        for (int i = 0; i < count; i++)
        {
            int sample = ((words.IsEmpty ? cells[i] : words[i]) & top) ^ shift;
            // Most significant byte first.
            if (isWide) piece[filled++] = (byte)(sample >> 8);
            piece[filled++] = (byte)sample;
            if (filled < piece.Length) continue;
            to.Write(piece);
            filled = 0;
        }
        to.Write(piece.AsSpan(0, filled));
        to.Flush();
    }
}
