namespace PacsCluster.Imaging;

/// <summary>The samples of one frame. Dispose when done: the memory may go back to a pool.</summary>
public sealed class DecodedFrame : IDisposable
{
    private readonly IDisposable? _owner;

    /// <summary>Samples in memory.</summary>
    /// <param name="format">What <paramref name="samples"/> are.</param>
    /// <param name="samples"><see cref="FrameFormat.DecodedLength"/> bytes.</param>
    /// <param name="owner">Disposed with the frame.</param>
    /// <exception cref="ArgumentException">The length is another.</exception>
    public DecodedFrame(FrameFormat format, ReadOnlyMemory<byte> samples, IDisposable? owner = null)
    {
        ArgumentNullException.ThrowIfNull(format);
        if (samples.Length != format.DecodedLength) throw new ArgumentException($"{samples.Length} bytes of samples instead of {format.DecodedLength}", nameof(samples));
        Format = format;
        Samples = samples;
        _owner = owner;
    }

    /// <summary>What the samples are now: for example RGB after a YBR_FULL_422 JPEG, 8 bits allocated after 1. Never 4:2:2, Planar Configuration always 0.</summary>
    public FrameFormat Format { get; }

    /// <summary>Rows × Columns × SamplesPerPixel samples, colour by pixel, each <see cref="FrameFormat.SampleBytes"/> bytes, little endian. An integer
    /// sample is the pixel cell as it was stored: the value is the <see cref="FrameFormat.BitsStored"/> bits up to <see cref="FrameFormat.HighBit"/>, what
    /// stands in the other bits (overlays, in old images) is kept.</summary>
    public ReadOnlyMemory<byte> Samples { get; }

    /// <inheritdoc/>
    public void Dispose() => _owner?.Dispose();
}
