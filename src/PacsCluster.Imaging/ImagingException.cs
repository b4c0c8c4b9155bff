namespace PacsCluster.Imaging;

/// <summary>Why pixels could not be had. Doors turn these into their protocol's answers.</summary>
public enum ImagingError
{
    /// <summary>The instance has no image: no Pixel Data, or no Rows or Columns.</summary>
    NotAnImage,
    /// <summary>A kind of pixel data, or a transfer syntax, that nothing here decodes or encodes.</summary>
    Unsupported,
    /// <summary>The bytes are not what the attributes or the codestream's own header say.</summary>
    Corrupt,
    /// <summary>A limit of <see cref="CodecOptions"/> would be passed.</summary>
    TooLarge,
    /// <summary>A codec library is not installed on this machine; the message names the Debian package.</summary>
    LibraryMissing,
    /// <summary>Took longer than <see cref="CodecOptions.TimeLimit"/>.</summary>
    TimedOut,
}

/// <summary>Pixels could not be decoded, encoded, rendered or transcoded. The message holds no patient data.</summary>
public sealed class ImagingException : Exception
{
    /// <summary>Says why.</summary>
    public ImagingException(ImagingError error, string message, Exception? inner = null) : base(message, inner) => Error = error;

    /// <summary>Which decision the caller can take.</summary>
    public ImagingError Error { get; }
}
