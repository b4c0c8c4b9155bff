namespace PacsCluster.Imaging;

/// <summary>What encodings that lose something may lose. Lossless ones ignore it.</summary>
public sealed record EncodeOptions
{
    internal static readonly EncodeOptions Default = new();

    /// <summary>Quality of JPEG baseline. Default 90, 1 to 100.</summary>
    public int JpegQuality { get; init; } = 90;

    /// <summary>Largest error of a sample of near-lossless JPEG-LS. Default 2, 1 to 255.</summary>
    public int Near { get; init; } = 2;

    /// <summary>How many times smaller JPEG 2000 (not the lossless one) becomes. Default 10, 1 to 1,000.</summary>
    public double Jpeg2000Ratio { get; init; } = 10;

    /// <summary>Every error, each one line that names the option, its value and what is allowed; empty when all is well.</summary>
    public IReadOnlyList<string> Validate()
    {
        var errors = new List<string>();
        if (JpegQuality is < 1 or > 100) errors.Add($"{nameof(JpegQuality)}: {JpegQuality} is not between 1 and 100");
        if (Near is < 1 or > 255) errors.Add($"{nameof(Near)}: {Near} is not between 1 and 255");
        if (Jpeg2000Ratio is not (>= 1 and <= 1000)) errors.Add($"{nameof(Jpeg2000Ratio)}: {Jpeg2000Ratio} is not between 1 and 1000");
        return errors;
    }
}

/// <summary>An encoded frame.</summary>
/// <param name="Format">What the attributes must say of it: YBR_FULL after JPEG baseline of RGB, YBR_RCT after JPEG 2000 of it.</param>
/// <param name="Bytes">The codestream.</param>
public sealed record EncodedFrame(FrameFormat Format, ReadOnlyMemory<byte> Bytes);
