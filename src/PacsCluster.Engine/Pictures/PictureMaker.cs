using PacsCluster.Catalog;
using PacsCluster.Imaging;
using PacsCluster.Imaging.Rendering;

namespace PacsCluster.Engine;

/// <summary>Renders instances, and keeps thumbnails. Thread-safe; one object a process.</summary>
public sealed class PictureMaker : IDisposable
{
    private readonly Retrieve _retrieve;
    private readonly ICatalog _catalog;
    private readonly FrameCodecs _codecs;
    private readonly SemaphoreSlim _turns = new(Environment.ProcessorCount);
    private readonly PictureCache _thumbnails;

    /// <summary>Composes.</summary>
    /// <param name="retrieve">Reads instances.</param>
    /// <param name="catalog">Finds them.</param>
    /// <param name="codecs">Decodes frames.</param>
    /// <param name="thumbnailBytes">Bytes of thumbnails that are kept in memory at most; 0 keeps none.</param>
    public PictureMaker(Retrieve retrieve, ICatalog catalog, FrameCodecs codecs, long thumbnailBytes)
    {
        _retrieve = retrieve;
        _catalog = catalog;
        _codecs = codecs;
        _thumbnails = new PictureCache(thumbnailBytes);
    }

    /// <summary>Opens an instance for rendering its frames.</summary>
    /// <exception cref="ImagingException">NotAnImage: it has no frames that could be told apart. Unsupported: a kind of pixels that the standard does not have, or video.</exception>
    /// <exception cref="InstanceUnavailableException">Its blob is missing or cannot be read now.</exception>
    public async ValueTask<PictureSource> OpenAsync(InstanceLocation instance, HeaderRow header, CancellationToken cancellationToken)
    {
        InstanceContent content = await _retrieve.OpenContentAsync(instance, header, cancellationToken);
        if (content.PixelData is null) throw new ImagingException(ImagingError.NotAnImage, "the instance has no pixel data");
        if (!CodecSyntaxes.CanDecode(instance.TransferSyntaxUid)) throw new ImagingException(ImagingError.Unsupported, $"frames of transfer syntax {instance.TransferSyntaxUid} are not decoded here");
        if (content.FrameCount == 0) throw new ImagingException(ImagingError.Corrupt, "the frames cannot be told apart: the attributes do not fit the pixel data");
        FrameFormat format = FrameFormat.Read(content.Header);
        await PictureSource.CompleteAsync(content, cancellationToken);
        return new PictureSource(content, format, _codecs, _turns);
    }

    /// <summary>A presentation state by its UIDs.</summary>
    /// <param name="studyInstanceUid">Its study, or null for any.</param>
    /// <param name="sopInstanceUid">The state.</param>
    /// <param name="cancellationToken">Cancels.</param>
    /// <returns>Null when it is not here.</returns>
    /// <exception cref="ImagingException">NotAnImage: the instance is no presentation state that can be applied.</exception>
    public async ValueTask<PresentationState?> FindPresentationStateAsync(string? studyInstanceUid, string sopInstanceUid, CancellationToken cancellationToken)
    {
        var request = new LocateRequest { StudyInstanceUids = studyInstanceUid is null ? [] : [studyInstanceUid], SopInstanceUids = [sopInstanceUid] };
        await foreach ((InstanceLocation location, HeaderRow header) in _catalog.LocateHeadersAsync(request, cancellationToken))
        {
            InstanceContent content = await _retrieve.OpenContentAsync(location, header, cancellationToken);
            await PictureSource.CompleteAsync(content, cancellationToken);
            return PresentationState.Read(content.Header);
        }
        return null;
    }

    /// <summary>A thumbnail, made once and kept: what it is of never changes under its key.</summary>
    /// <param name="key">Names the instance's bytes, the frame and everything that was asked for.</param>
    /// <param name="make">Makes it when it is not kept; not canceled with the first request that wants it, because others may wait for it.</param>
    /// <param name="cancellationToken">Cancels waiting.</param>
    public Task<byte[]> ThumbnailAsync(string key, Func<Task<byte[]>> make, CancellationToken cancellationToken) => _thumbnails.GetAsync(key, make).WaitAsync(cancellationToken);

    /// <inheritdoc/>
    public void Dispose() => _turns.Dispose();
}
