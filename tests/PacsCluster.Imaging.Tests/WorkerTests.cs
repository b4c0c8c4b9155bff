using PacsCluster.Dicom;
using PacsCluster.Testing;

namespace PacsCluster.Imaging.Tests;

public sealed class WorkerTests
{
    private const string Jpeg2000 = "pydicom/src/pydicom/data/test_files/MR_small_jp2klossless.dcm";

    // A frame of 64 × 64 samples of 16 bits.
    private static readonly Workers.WorkerRequest s_request = new()
    {
        Codec = Workers.WorkerCodec.Jpeg2000, Rows = 64, Columns = 64, Components = 1, SampleBytes = 2, CodedBytes = 2, TimeLimitMilliseconds = 60_000,
    };

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public void A_missing_library_is_a_sentence_that_names_the_package()
    {
        using var empty = new TempFolder();
        using var workers = new Workers.CodecWorkers(new CodecOptions { LibraryFolder = empty.Path });
        ReadOnlyMemory<byte> frame = Instance.Read(Corpus.File(Jpeg2000)).Frames().Read(0);
        var failure = Assert.Throws<ImagingException>(() => workers.Decode(s_request with { InputLength = frame.Length }, frame.Span, new byte[64 * 64 * 2], Cancel));
        Assert.Equal(ImagingError.LibraryMissing, failure.Error);
        Assert.Contains("apt-get install libopenjp2-7", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_codec_that_takes_too_long_is_ended_and_the_next_frame_is_decoded()
    {
        FrameReader frames = Instance.Read(Corpus.File(Jpeg2000)).Frames();
        await using (var hurried = new FrameCodecs(new CodecOptions { TimeLimit = TimeSpan.FromMilliseconds(100) }))
        {
            // 4096 × 4096 of noise takes seconds in any library.
            var format = new FrameFormat { Rows = 4096, Columns = 4096, BitsAllocated = 8, BitsStored = 8, HighBit = 7, Photometric = PhotometricInterpretation.Monochrome2 };
            byte[] noise = new byte[format.DecodedLength];
            new Random(1).NextBytes(noise);
            await using var patient = new FrameCodecs(new CodecOptions());
            EncodedFrame encoded = await patient.EncodeAsync(Uids.JPEG2000Lossless, new DecodedFrame(format, noise), new EncodeOptions(), Cancel);
            var failure = await Assert.ThrowsAsync<ImagingException>(async () => await hurried.DecodeAsync(Uids.JPEG2000Lossless, format, encoded.Bytes, Cancel));
            Assert.Equal(ImagingError.TimedOut, failure.Error);
        }
        await using var codecs = new FrameCodecs(new CodecOptions());
        using DecodedFrame decoded = await codecs.DecodeAsync(frames.TransferSyntaxUid, frames.Format, frames.Read(0), Cancel);
        Assert.Equal(64 * 64 * 2, decoded.Samples.Length);
    }

    [Fact]
    public async Task A_worker_that_dies_over_a_frame_is_replaced()
    {
        FrameReader frames = Instance.Read(Corpus.File(Jpeg2000)).Frames();
        ReadOnlyMemory<byte> frame = frames.Read(0);
        using var workers = new Workers.CodecWorkers(new CodecOptions());
        byte[] samples = new byte[64 * 64 * 2];
        // No number of bytes: the worker ends over this one.
        var failure = Assert.Throws<ImagingException>(() => workers.Decode(s_request with { InputLength = -1 }, frame.Span, samples, Cancel));
        Assert.Equal(ImagingError.Corrupt, failure.Error);
        workers.Decode(s_request with { InputLength = frame.Length }, frame.Span, samples, Cancel);
        await using var codecs = new FrameCodecs(new CodecOptions());
        using DecodedFrame decoded = await codecs.DecodeAsync(frames.TransferSyntaxUid, frames.Format, frame, Cancel);
        Assert.Equal(decoded.Samples.ToArray(), samples);
    }

    [Fact]
    public async Task A_frame_larger_than_the_limit_is_refused_before_memory_is_taken()
    {
        await using var codecs = new FrameCodecs(new CodecOptions { FrameMaxBytes = 1024 * 1024 });
        var format = new FrameFormat { Rows = 65535, Columns = 65535, BitsAllocated = 16, BitsStored = 16, HighBit = 15 };
        var failure = await Assert.ThrowsAsync<ImagingException>(async () => await codecs.DecodeAsync(Uids.RLELossless, format, new byte[64], Cancel));
        Assert.Equal(ImagingError.TooLarge, failure.Error);
    }
}
