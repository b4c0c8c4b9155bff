using System.Buffers;
using System.IO.Compression;
using PacsCluster.Imaging.Codecs;
using PacsCluster.Imaging.Workers;

namespace PacsCluster.Imaging;

/// <summary>Decodes and encodes single frames, a limited number at once and each in a limited time. Codestreams that libraries in C decode go to worker
/// processes, so that none of them can take the node down. Thread-safe; one object a process.</summary>
public sealed class FrameCodecs : IAsyncDisposable
{
    private readonly CodecOptions _options;
    private readonly CodecWorkers _workers;
    private readonly SemaphoreSlim _turns;

    /// <summary>Composes; nothing starts before the first frame needs it.</summary>
    /// <exception cref="ArgumentException">The options are wrong; every error is named.</exception>
    public FrameCodecs(CodecOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (options.Validate() is { Count: > 0 } errors) throw new ArgumentException(string.Join("; ", errors), nameof(options));
        _options = options;
        _workers = new CodecWorkers(options);
        _turns = new SemaphoreSlim(options.FramesAtOnce);
        if (options.LibraryFolder is not null) Native.CodecLibrary.LoadFrom(options.LibraryFolder);
    }

    /// <summary>The limits.</summary>
    public CodecOptions Options => _options;

    /// <summary>Decodes one frame.</summary>
    /// <param name="transferSyntaxUid">How it is stored.</param>
    /// <param name="stored">What the instance's attributes say.</param>
    /// <param name="frame">A codestream whole, or native samples in little endian, as <see cref="FrameReader.Read"/> gives them. Not to be changed until then.</param>
    /// <param name="cancellationToken">Stops waiting for its turn, and ends the codec.</param>
    /// <exception cref="ImagingException">Unsupported, Corrupt, TooLarge, LibraryMissing or TimedOut.</exception>
    public async ValueTask<DecodedFrame> DecodeAsync(string transferSyntaxUid, FrameFormat stored, ReadOnlyMemory<byte> frame, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(stored);
        cancellationToken.ThrowIfCancellationRequested();
        CheckSize(stored);
        if (CodecSyntaxes.IsNative(transferSyntaxUid)) return NativeFrame.Decode(stored, frame);
        if (!CodecSyntaxes.CanDecode(transferSyntaxUid)) throw new ImagingException(ImagingError.Unsupported, $"frames of transfer syntax {transferSyntaxUid} cannot be decoded");
        return await InTurnAsync(limit => Decode(transferSyntaxUid, stored, frame, limit), cancellationToken);
    }

    /// <summary>Encodes one frame.</summary>
    /// <param name="transferSyntaxUid">One that <see cref="CodecSyntaxes.CanEncode"/> allows.</param>
    /// <param name="frame">The samples.</param>
    /// <param name="options">Quality of what loses something.</param>
    /// <param name="cancellationToken">Stops waiting for its turn.</param>
    /// <returns>The frame's bytes, and what its attributes have to say now.</returns>
    /// <exception cref="ImagingException">Unsupported when the encoding cannot hold such samples; LibraryMissing.</exception>
    public async ValueTask<EncodedFrame> EncodeAsync(string transferSyntaxUid, DecodedFrame frame, EncodeOptions options, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(frame);
        ArgumentNullException.ThrowIfNull(options);
        if (options.Validate() is { Count: > 0 } errors) throw new ArgumentException(string.Join("; ", errors), nameof(options));
        return await InTurnAsync(limit => FrameEncoder.Encode(transferSyntaxUid, frame, options, limit), cancellationToken);
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        _workers.Dispose();
        _turns.Dispose();
        return ValueTask.CompletedTask;
    }

    private async Task<T> InTurnAsync<T>(Func<CancellationToken, T> work, CancellationToken cancellationToken)
    {
        await _turns.WaitAsync(cancellationToken);
        try
        {
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            limit.CancelAfter(_options.TimeLimit);
            try
            {
                return await Task.Run(() => work(limit.Token), CancellationToken.None);
            }
            catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
            {
                throw new ImagingException(ImagingError.TimedOut, $"the frame took longer than {_options.TimeLimit.TotalSeconds} s", e);
            }
        }
        finally
        {
            _turns.Release();
        }
    }

    private DecodedFrame Decode(string transferSyntaxUid, FrameFormat stored, ReadOnlyMemory<byte> frame, CancellationToken limit)
    {
        if (CodecSyntaxes.IsRle(transferSyntaxUid)) return RleCodec.Decode(stored, frame.Span);
        if (CodecSyntaxes.IsDeflatedFrames(transferSyntaxUid)) return NativeFrame.Decode(stored, Inflate(stored, frame));
        Codestream codestream = Codestream.Read(frame.Span);
        FrameFormat format = codestream.Describe(stored);
        CheckSize(format);
        byte[] rented = ArrayPool<byte>.Shared.Rent((int)format.DecodedLength);
        Memory<byte> samples = rented.AsMemory(0, (int)format.DecodedLength);
        try
        {
            if (codestream.WorkerCodec is { } library) _workers.Decode(codestream.Request(library, frame.Length, stored, format, _options.TimeLimit), codestream.Bytes(frame.Span), samples.Span, limit);
            else if (codestream.Jpeg!.IsLossless) JpegLossless.Decode(frame.Span, codestream.Jpeg, samples.Span, format.SampleBytes, limit);
            else JpegDct.Decode(frame.Span, codestream.Jpeg, codestream.IsYCbCr(stored), samples.Span, format.SampleBytes, limit);
            return new DecodedFrame(format, samples, new Rented(rented));
        }
        catch
        {
            ArrayPool<byte>.Shared.Return(rented);
            throw;
        }
    }

    private void CheckSize(FrameFormat format)
    {
        if (format.DecodedLength > _options.FrameMaxBytes || format.NativeLength > _options.FrameMaxBytes)
            throw new ImagingException(ImagingError.TooLarge, $"a frame of {format.DecodedLength} bytes; {_options.FrameMaxBytes} are allowed");
    }

    /// <summary>Deflated Image Frame Compression (PS3.5 A.4.13): a raw deflate stream around native cells; a pad byte may follow.</summary>
    private static byte[] Inflate(FrameFormat stored, ReadOnlyMemory<byte> frame)
    {
        byte[] cells = new byte[stored.NativeLength];
        using var deflate = new DeflateStream(new MemoryStream(frame.ToArray(), writable: false), CompressionMode.Decompress);
        try
        {
            deflate.ReadExactly(cells);
        }
        catch (Exception e) when (e is InvalidDataException or EndOfStreamException)
        {
            throw new ImagingException(ImagingError.Corrupt, "a deflated frame is broken or too short", e);
        }
        return cells;
    }

    private sealed class Rented(byte[] bytes) : IDisposable
    {
        private byte[]? _bytes = bytes;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _bytes, null) is { } bytes) ArrayPool<byte>.Shared.Return(bytes);
        }
    }
}
