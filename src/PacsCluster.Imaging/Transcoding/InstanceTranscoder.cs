using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using PacsCluster.Dicom;

namespace PacsCluster.Imaging.Transcoding;

/// <summary>Converts a whole instance to another transfer syntax while it streams by: its pixel data is decoded, and encoded anew when the target is a
/// compressed one. Frames are worked on while earlier ones are read, as many as <see cref="CodecOptions.Parallel"/>; memory is that many frames and
/// the attributes before the pixel data.</summary>
public static class InstanceTranscoder
{
    private const int ReadBytes = 64 * 1024;
    private const long NativeMaxBytes = 0xFFFF_FFFE;

    /// <summary>Whether instances of one transfer syntax can become another: pixels can be decoded and encoded, and nothing lossy is made from what
    /// is lossy already.</summary>
    public static bool CanTranscode(TransferSyntax stored, TransferSyntax target)
    {
        ArgumentNullException.ThrowIfNull(stored);
        ArgumentNullException.ThrowIfNull(target);
        return stored.Uid != target.Uid && (stored.IsEncapsulated || target.IsEncapsulated) && CodecSyntaxes.CanDecode(stored.Uid) && CodecSyntaxes.CanEncode(target.Uid)
            && !(CodecSyntaxes.IsLossy(stored.Uid) && CodecSyntaxes.IsLossy(target.Uid));
    }

    /// <summary>Opens the converted data set, forward only. The first frame is done on return, so that what cannot be decoded or encoded is known
    /// before anything is sent. A later frame that fails is an IOException of the stream, with the <see cref="ImagingException"/> inside.</summary>
    /// <param name="dataSet">The instance's data set; disposed with the stream, or when this throws.</param>
    /// <param name="stored">How it is encoded.</param>
    /// <param name="target">One that <see cref="CanTranscode"/> allows.</param>
    /// <param name="codecs">Decodes and encodes.</param>
    /// <param name="options">For a lossy target; null for the defaults.</param>
    /// <param name="cancellationToken">Cancels, also while the stream is read.</param>
    /// <exception cref="ImagingException">The pixels cannot be converted.</exception>
    /// <exception cref="DicomFormatException">The data set is broken.</exception>
    /// <exception cref="ArgumentException"><see cref="CanTranscode"/> says no.</exception>
    public static async ValueTask<Stream> OpenAsync(Stream dataSet, TransferSyntax stored, TransferSyntax target, FrameCodecs codecs, EncodeOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(dataSet);
        ArgumentNullException.ThrowIfNull(codecs);
        if (!CanTranscode(stored, target)) throw new ArgumentException($"no conversion from {stored} to {target}", nameof(target));
        // Everything here is in Explicit VR Little Endian, as around encapsulated pixel data; what else is asked for is converted behind it, or before it.
        TransferSyntax explicitLittle = TransferSyntax.ExplicitVRLittleEndian;
        if (!stored.IsEncapsulated && stored.Uid != explicitLittle.Uid) dataSet = DataSetTranscoder.Convert(dataSet, stored, explicitLittle);
        Transcoding? work = null;
        try
        {
            work = await Transcoding.BeginAsync(dataSet, stored, target, codecs, options ?? EncodeOptions.Default, cancellationToken);
            var converted = new ChunkStream(work.RunAsync(cancellationToken).GetAsyncEnumerator(cancellationToken), dataSet);
            return target.IsEncapsulated || target.Uid == explicitLittle.Uid ? converted : DataSetTranscoder.Convert(converted, explicitLittle, target);
        }
        catch
        {
            await dataSet.DisposeAsync();
            throw;
        }
    }

    /// <summary>A frame on its way out.</summary>
    private sealed record Converted(FrameFormat Format, ReadOnlyMemory<byte> Bytes, DecodedFrame? Decoded) : IDisposable
    {
        public void Dispose() => Decoded?.Dispose();
    }

    private sealed class Transcoding
    {
        private readonly ForwardReader _reader;
        private readonly DataSet _header;
        private readonly StoredFrames? _frames;
        private readonly TransferSyntax _stored;
        private readonly TransferSyntax _target;
        private readonly FrameCodecs _codecs;
        private readonly EncodeOptions _options;
        private Converted? _first;

        private Transcoding(ForwardReader reader, DataSet header, StoredFrames? frames, TransferSyntax stored, TransferSyntax target, FrameCodecs codecs, EncodeOptions options)
        {
            _reader = reader;
            _header = header;
            _frames = frames;
            _stored = stored;
            _target = target;
            _codecs = codecs;
            _options = options;
        }

        // Cells of single bits are packed again when they come out native; compressed, they have no standard form but RLE's, which few read.
        private bool PacksBits => _frames!.Format.BitsAllocated == 1;

        public static async ValueTask<Transcoding> BeginAsync(Stream dataSet, TransferSyntax stored, TransferSyntax target, FrameCodecs codecs, EncodeOptions options, CancellationToken ct)
        {
            (DataSet header, ForwardReader reader, bool hasPixels) = await ForwardReader.ReadHeaderAsync(dataSet, ct);
            StoredFrames? frames = hasPixels ? await StoredFrames.OpenAsync(reader, header, stored.Uid, codecs.Options.FrameMaxBytes, ct) : null;
            var work = new Transcoding(reader, header, frames, stored, target, codecs, options);
            if (frames is not null) await work.StartAsync(ct);
            return work;
        }

        private async ValueTask StartAsync(CancellationToken ct)
        {
            StoredFrames frames = _frames!;
            if (_target.IsEncapsulated && PacksBits) throw new ImagingException(ImagingError.Unsupported, "images of single bits are not compressed");
            ReadOnlyMemory<byte> stored = await frames.NextAsync(ct) ?? throw new ImagingException(ImagingError.Corrupt, "the pixel data has no frame");
            _first = await ConvertAsync(stored, ct);
            if (!_target.IsEncapsulated && NativeLength > NativeMaxBytes) throw new ImagingException(ImagingError.TooLarge, $"uncompressed pixel data of {NativeLength} bytes");
            FrameFormat format = _first.Format;
            PixelAttributes.Apply(_header, PacksBits ? frames.Format : format);
            if (CodecSyntaxes.IsLossy(_target.Uid)) PixelAttributes.AddLossyStep(_header, _target.Uid, (double)frames.Format.NativeLength / Math.Max(1, _first.Bytes.Length));
            else if (CodecSyntaxes.IsLossy(_stored.Uid) && _stored.Uid is not (Uids.JPEG2000 or Uids.HTJ2K)) PixelAttributes.MarkLossy(_header);
        }

        private long NativeLength => PacksBits ? (_frames!.Format.Pixels * _frames.Count + 7) / 8 : _first!.Format.DecodedLength * _frames!.Count;

        public async IAsyncEnumerable<ReadOnlyMemory<byte>> RunAsync([EnumeratorCancellation] CancellationToken ct)
        {
            yield return _header.ToArray(TransferSyntax.ExplicitVRLittleEndian);
            if (_frames is not null)
            {
                yield return ElementHeader();
                // An empty Basic Offset Table: lengths are not known before the frames are.
                if (_target.IsEncapsulated) yield return Item(0);
                var packer = PacksBits ? new BitPacker() : null;
                await foreach (Converted frame in FramesAsync(ct))
                {
                    if (frame.Format != _first!.Format) throw new ImagingException(ImagingError.Corrupt, "frames of one instance differ in kind");
                    if (_target.IsEncapsulated) yield return Item(frame.Bytes.Length + (frame.Bytes.Length & 1));
                    yield return packer is null ? frame.Bytes : packer.Pack(frame.Bytes.Span);
                    if (_target.IsEncapsulated && (frame.Bytes.Length & 1) != 0) yield return new byte[1];
                }
                if (packer is not null) yield return packer.Rest();
                if (_target.IsEncapsulated) yield return new byte[] { 0xFE, 0xFF, 0xDD, 0xE0, 0, 0, 0, 0 };
                else if ((NativeLength & 1) != 0) yield return new byte[1];
                await _frames.SkipRestAsync(ct);
            }
            byte[] rest = new byte[ReadBytes];
            while (await _reader.ReadAsync(rest, ct) is > 0 and int count) yield return rest.AsMemory(0, count);
        }

        /// <summary>All frames in order, the next ones at work while one is taken. Each is good until the next one is asked for.</summary>
        private async IAsyncEnumerable<Converted> FramesAsync([EnumeratorCancellation] CancellationToken ct)
        {
            var ahead = new Queue<Task<Converted>>();
            int started = 1;
            try
            {
                Converted first = _first!;
                ahead.Enqueue(Task.FromResult(first));
                for (int given = 0; given < _frames!.Count; given++)
                {
                    while (started < _frames.Count && ahead.Count <= _codecs.Options.FramesAtOnce)
                    {
                        if (await _frames.NextAsync(ct) is not { } stored) throw new ImagingException(ImagingError.Corrupt, $"{started} of {_frames.Count} frames are there");
                        ahead.Enqueue(ConvertAsync(stored, ct).AsTask());
                        started++;
                    }
                    using Converted frame = await ahead.Dequeue();
                    yield return frame;
                }
            }
            finally
            {
                foreach (Task<Converted> one in ahead)
                {
                    await ((Task)one).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                    if (one.IsCompletedSuccessfully) (await one).Dispose();
                }
            }
        }

        private async ValueTask<Converted> ConvertAsync(ReadOnlyMemory<byte> stored, CancellationToken ct)
        {
            DecodedFrame decoded = await _codecs.DecodeAsync(_stored.Uid, _frames!.Format, stored, ct);
            if (!_target.IsEncapsulated) return new Converted(decoded.Format, decoded.Samples, decoded);
            using (decoded)
            {
                EncodedFrame encoded = await _codecs.EncodeAsync(_target.Uid, decoded, _options, ct);
                return new Converted(encoded.Format, encoded.Bytes, null);
            }
        }

        private byte[] ElementHeader()
        {
            byte[] header = new byte[12];
            Tag tag = _frames!.Tag;
            BinaryPrimitives.WriteUInt16LittleEndian(header, tag.Group);
            BinaryPrimitives.WriteUInt16LittleEndian(header.AsSpan(2), tag.Element);
            // PS3.5 A.4: OB around fragments; A.2: OW from 9 bits on.
            (tag == Tags.FloatPixelData ? "OF"u8 : tag == Tags.DoubleFloatPixelData ? "OD"u8 : _target.IsEncapsulated || _first!.Format.BitsAllocated <= 8 ? "OB"u8 : "OW"u8).CopyTo(header.AsSpan(4));
            BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(8), _target.IsEncapsulated ? 0xFFFF_FFFF : (uint)(NativeLength + (NativeLength & 1)));
            return header;
        }

        private static byte[] Item(int length)
        {
            byte[] item = [0xFE, 0xFF, 0, 0xE0, 0, 0, 0, 0];
            BinaryPrimitives.WriteInt32LittleEndian(item.AsSpan(4), length);
            return item;
        }
    }
}
