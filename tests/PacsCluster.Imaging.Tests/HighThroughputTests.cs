using System.Buffers.Binary;
using PacsCluster.Dicom;
using PacsCluster.Imaging.Native;
using PacsCluster.Testing;

namespace PacsCluster.Imaging.Tests;

/// <summary>HTJ2K as OpenJPH writes it: OpenJPEG's program, which is another implementation, gives back every sample.</summary>
public sealed class HighThroughputTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <summary>A gradient with noise over all of its range, or noise alone.</summary>
    private static DecodedFrame Frame(int rows, int columns, int samples, int bits, bool signed, bool isNoise, PhotometricInterpretation photometric)
    {
        var format = new FrameFormat
        {
            Rows = rows, Columns = columns, SamplesPerPixel = samples, BitsAllocated = bits <= 8 ? 8 : 16, BitsStored = bits, HighBit = bits - 1, IsSigned = signed, Photometric = photometric,
        };
        var random = new Random(bits * 1000 + rows);
        int least = signed ? -(1 << (bits - 1)) : 0, count = 1 << bits;
        byte[] cells = new byte[format.DecodedLength];
        for (int i = 0; i < rows * columns * samples; i++)
        {
            int value = least + (isNoise ? random.Next(count) : Math.Clamp((int)((long)i * count / (rows * columns * samples)) + random.Next(-2, 3), 0, count - 1));
            if (format.SampleBytes == 1) cells[i] = (byte)value;
            else BinaryPrimitives.WriteUInt16LittleEndian(cells.AsSpan(i * 2), (ushort)value);
        }
        return new DecodedFrame(format, cells);
    }

    [Fact]
    public async Task OpenJPEG_gives_back_what_was_encoded_signed_and_unsigned_gray_and_colour()
    {
        await using var codecs = new FrameCodecs(new CodecOptions());
        using var folder = new TempFolder();
        foreach (int bits in new[] { 1, 8, 10, 12, 16 })
        {
            foreach ((int samples, PhotometricInterpretation photometric) in new[]
                { (1, PhotometricInterpretation.Monochrome2), (3, PhotometricInterpretation.Rgb), (3, PhotometricInterpretation.YbrFull) })
            {
                foreach (bool signed in bits == 1 ? [false] : new[] { false, true })
                {
                    foreach ((int rows, int columns, bool isNoise) in new[] { (120, 200, false), (65, 33, true), (1, 1, true) })
                    {
                        using DecodedFrame frame = Frame(rows, columns, samples, bits, signed, isNoise, photometric);
                        EncodedFrame encoded = await codecs.EncodeAsync(Uids.HTJ2KLossless, frame, new EncodeOptions(), Cancel);
                        string what = $"{bits} bits, {samples} of {photometric}, signed {signed}, {rows} × {columns}";
                        byte[]? judged = await Judges.OpenJpegAsync(encoded.Bytes, frame.Format, folder.At("judged"));
                        Assert.True(judged is not null && judged.AsSpan().SequenceEqual(frame.Samples.Span), what);
                        using DecodedFrame ours = await codecs.DecodeAsync(Uids.HTJ2KLossless, encoded.Format, encoded.Bytes, Cancel);
                        Assert.True(ours.Samples.Span.SequenceEqual(frame.Samples.Span), what);
                        Assert.Equal(photometric == PhotometricInterpretation.Rgb ? PhotometricInterpretation.YbrRct : photometric, encoded.Format.Photometric);
                    }
                }
            }
        }
    }

    [Fact]
    public void The_codestream_is_one_of_T_814_with_the_precision_and_sign_of_the_samples()
    {
        using DecodedFrame frame = Frame(64, 64, 1, 12, signed: true, isNoise: false, PhotometricInterpretation.Monochrome2);
        byte[] bytes = OpenJph.Encode(frame.Samples, frame.Format, 12, transforms: false, programFolder: null, Cancel);
        Assert.Equal([0xFF, 0x4F, 0xFF, 0x51], bytes[..4]);
        Assert.Equal(0x40, bytes[6] & 0x40); // Rsiz: capabilities in CAP, where HT is named
        Assert.Equal(0x80 | 11, bytes[42]);
        Assert.Equal([0xFF, 0xD9], bytes[^2..]);
    }

    [Fact]
    public void A_missing_program_is_a_sentence_that_names_the_package()
    {
        using var empty = new TempFolder();
        using DecodedFrame frame = Frame(8, 8, 1, 8, signed: false, isNoise: true, PhotometricInterpretation.Monochrome2);
        var failure = Assert.Throws<ImagingException>(() => OpenJph.Encode(frame.Samples, frame.Format, 8, transforms: false, empty.Path, Cancel));
        Assert.Equal(ImagingError.LibraryMissing, failure.Error);
        Assert.Contains("apt-get install openjph-tools", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_program_that_fails_or_hangs_gives_no_frame_and_is_ended()
    {
        using var folder = new TempFolder();
        using DecodedFrame frame = Frame(512, 512, 1, 16, signed: false, isNoise: true, PhotometricInterpretation.Monochrome2);
        string program = folder.At("ojph_compress");
        if (!OperatingSystem.IsLinux()) throw Missing.Because("a script of sh");
        File.WriteAllText(program, "#!/bin/sh\necho out of luck >&2\nexit 3\n");
        File.SetUnixFileMode(program, UnixFileMode.UserRead | UnixFileMode.UserExecute | UnixFileMode.UserWrite);
        var failure = Assert.Throws<ImagingException>(() => OpenJph.Encode(frame.Samples, frame.Format, 16, transforms: false, folder.Path, Cancel));
        Assert.Contains("out of luck", failure.Message, StringComparison.Ordinal);
        // Takes nothing and says nothing: only the limit ends it.
        File.WriteAllText(program, "#!/bin/sh\nexec sleep 600\n");
        using var limit = new CancellationTokenSource(TimeSpan.FromMilliseconds(200));
        Assert.Throws<OperationCanceledException>(() => OpenJph.Encode(frame.Samples, frame.Format, 16, transforms: false, folder.Path, limit.Token));
    }
}
