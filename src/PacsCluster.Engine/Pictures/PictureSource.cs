using System.Buffers;
using System.Buffers.Binary;
using System.Runtime.InteropServices;
using PacsCluster.Catalog;
using PacsCluster.Dicom;
using PacsCluster.Imaging;
using PacsCluster.Imaging.Rendering;

namespace PacsCluster.Engine;

/// <summary>An instance whose frames can be rendered, made by <see cref="PictureMaker.OpenAsync"/>: its attributes with everything that rendering needs, and its
/// frames, each read when it is asked for. Not safe for several threads at once.</summary>
public sealed class PictureSource
{
    private readonly InstanceContent _content;
    private readonly FrameCodecs _codecs;
    private readonly SemaphoreSlim _turns;

    internal PictureSource(InstanceContent content, FrameFormat format, FrameCodecs codecs, SemaphoreSlim turns)
    {
        _content = content;
        Format = format;
        _codecs = codecs;
        _turns = turns;
    }

    /// <summary>Where it lies.</summary>
    public InstanceLocation Location => _content.Location;

    /// <summary>Attributes, with overlays, palettes and profile, without pixel data.</summary>
    public DataSet Header => _content.Header;

    /// <summary>What every frame is, as stored.</summary>
    public FrameFormat Format { get; }

    /// <summary>Frames that can be rendered, from 1.</summary>
    public int FrameCount => _content.FrameCount;

    /// <summary>Renders a frame and encodes it. Takes its turn: as many at once as the machine has cores, so that pictures are bounded in memory.</summary>
    /// <param name="frame">From 0.</param>
    /// <param name="request">What is wanted.</param>
    /// <param name="encode">Makes of the picture what is sent.</param>
    /// <param name="cancellationToken">Cancels waiting, reading and decoding.</param>
    /// <exception cref="ImagingException">It cannot be decoded or rendered.</exception>
    /// <exception cref="InstanceUnavailableException">The blob is missing or cannot be read now.</exception>
    public async Task<T> RenderAsync<T>(int frame, RenderRequest request, Func<RenderedImage, T> encode, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(encode);
        if (Format.DecodedLength > _codecs.Options.FrameMaxBytes) throw new ImagingException(ImagingError.TooLarge, $"a frame of {Format.DecodedLength} bytes; {_codecs.Options.FrameMaxBytes} are allowed");
        BulkContent content = _content.Frame(frame);
        if (content.Length > _codecs.Options.FrameMaxBytes) throw new ImagingException(ImagingError.TooLarge, $"a frame of {content.Length} bytes as stored; {_codecs.Options.FrameMaxBytes} are allowed");
        await _turns.WaitAsync(cancellationToken);
        byte[] rented = ArrayPool<byte>.Shared.Rent((int)content.Length);
        try
        {
            Memory<byte> bytes = rented.AsMemory(0, (int)content.Length);
            await content.ReadAllAsync(bytes, cancellationToken);
            using DecodedFrame decoded = await _codecs.DecodeAsync(Location.TransferSyntaxUid, Format, bytes, cancellationToken);
            using RenderedImage image = Renderer.Render(Header, frame, decoded, request);
            return encode(image);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(rented);
            _turns.Release();
        }
    }

    /// <summary>Puts what rendering needs of the values that the header lacks into it: overlays, palettes, the colour profile. Sequences, and so all other
    /// lookup tables, are in headers whole.</summary>
    internal static async ValueTask CompleteAsync(InstanceContent content, CancellationToken cancellationToken)
    {
        foreach (BulkValue value in content.Bulk)
        {
            if (!IsNeeded(value.Tag) || content.Value(value.Tag.ToHex(), out VR vr) is not { } bytes) continue;
            ReadOnlyMemory<byte> littleEndian = await bytes.ReadAllAsync(cancellationToken);
            content.Header.SetRaw(value.Tag, vr, content.Header.Encoding.IsBigEndian && vr.WordLength() == 2 ? Swapped(littleEndian.Span) : littleEndian);
        }
    }

    private static bool IsNeeded(Tag tag) => tag == Tags.ICCProfile || (tag.Group & 0xFF01) == 0x6000 && tag.Element == Tags.OverlayData.Element
        || tag.Group == 0x0028 && tag.Element is (>= 0x1201 and <= 0x1203) or (>= 0x1221 and <= 0x1223);

    private static byte[] Swapped(ReadOnlySpan<byte> bytes)
    {
        byte[] swapped = bytes.ToArray();
        Span<ushort> words = MemoryMarshal.Cast<byte, ushort>(swapped.AsSpan());
        BinaryPrimitives.ReverseEndianness(words, words);
        return swapped;
    }
}
