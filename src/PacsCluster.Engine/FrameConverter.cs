using System.Buffers;
using System.Runtime.CompilerServices;
using PacsCluster.Dicom;
using PacsCluster.Imaging;
using PacsCluster.Imaging.Transcoding;

namespace PacsCluster.Engine;

/// <summary>Gives single frames in another transfer syntax than they are stored in. Thread-safe; one object a process.</summary>
public sealed class FrameConverter : IDisposable
{
    private readonly FrameCodecs _codecs;
    private readonly SemaphoreSlim _turns = new(Environment.ProcessorCount);

    /// <summary>Composes.</summary>
    public FrameConverter(FrameCodecs codecs) => _codecs = codecs;

    /// <summary>Whether frames of one transfer syntax can become those of another. Nothing lossy is made from what is lossy already.</summary>
    public static bool CanConvert(string storedUid, string targetUid) => InstanceTranscoder.CanTranscode(TransferSyntax.FromUid(storedUid), TransferSyntax.FromUid(targetUid));

    /// <summary>Reads, decodes and, for a compressed target, encodes one frame. Takes its turn: as many at once as the machine has cores, so that frames in the making are bounded in memory.</summary>
    /// <param name="content">The instance.</param>
    /// <param name="frame">From 0.</param>
    /// <param name="targetUid">One that <see cref="CanConvert"/> allows.</param>
    /// <param name="cancellationToken">Cancels waiting, reading and decoding.</param>
    /// <returns>A codestream; or samples in little endian, colour by pixel and, of a JPEG that was YCbCr, RGB; single bits packed from bit 0 of the first byte on.</returns>
    /// <exception cref="ImagingException">It cannot be decoded, or the target cannot hold such samples.</exception>
    /// <exception cref="InstanceUnavailableException">The blob is missing or cannot be read now.</exception>
    public Task<ReadOnlyMemory<byte>> ConvertAsync(InstanceContent content, int frame, string targetUid, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(content);
        return ConvertAsync(content, frame, targetUid, new BitPacker(), isLast: true, cancellationToken);
    }

    /// <summary>The samples of all frames in order, which behind each other are native pixel data: single bits run on from one frame to the next (PS3.5 8.1.1). The next frame is converted when it is asked for.</summary>
    /// <param name="content">The instance, of at least one frame.</param>
    /// <param name="cancellationToken">Cancels waiting, reading and decoding.</param>
    /// <exception cref="ImagingException">A frame cannot be decoded.</exception>
    /// <exception cref="InstanceUnavailableException">The blob is missing or cannot be read now.</exception>
    public async IAsyncEnumerable<ReadOnlyMemory<byte>> ReadSamplesAsync(InstanceContent content, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(content);
        var packer = new BitPacker();
        for (int frame = 0; frame < content.FrameCount; frame++)
            yield return await ConvertAsync(content, frame, Uids.ExplicitVRLittleEndian, packer, isLast: frame == content.FrameCount - 1, cancellationToken);
    }

    private async Task<ReadOnlyMemory<byte>> ConvertAsync(InstanceContent content, int frame, string targetUid, BitPacker packer, bool isLast, CancellationToken cancellationToken)
    {
        FrameFormat format = FrameFormat.Read(content.Header);
        bool isBits = format.BitsAllocated == 1, isNative = !TransferSyntax.FromUid(targetUid).IsEncapsulated;
        if (isBits && !isNative) throw new ImagingException(ImagingError.Unsupported, "images of single bits are not compressed");
        BulkContent stored = content.Frame(frame);
        if (stored.Length > _codecs.Options.FrameMaxBytes) throw new ImagingException(ImagingError.TooLarge, $"a frame of {stored.Length} bytes as stored; {_codecs.Options.FrameMaxBytes} are allowed");
        await _turns.WaitAsync(cancellationToken);
        byte[] rented = ArrayPool<byte>.Shared.Rent((int)stored.Length);
        try
        {
            Memory<byte> bytes = rented.AsMemory(0, (int)stored.Length);
            await stored.ReadAllAsync(bytes, cancellationToken);
            using DecodedFrame decoded = await _codecs.DecodeAsync(content.Location.TransferSyntaxUid, format, bytes, cancellationToken);
            if (!isNative) return (await _codecs.EncodeAsync(targetUid, decoded, new EncodeOptions(), cancellationToken)).Bytes;
            if (!isBits) return decoded.Samples.ToArray();
            byte[] packed = packer.Pack(decoded.Samples.Span);
            return isLast ? (byte[])[.. packed, .. packer.Rest()] : packed;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(rented);
            _turns.Release();
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _turns.Dispose();
}
