using PacsCluster.Imaging.Workers;

namespace PacsCluster.Imaging.Codecs;

/// <summary>A codestream of the JPEG family as its own header describes it, and what decodes it.</summary>
internal sealed class Codestream
{
    private Codestream()
    {
    }

    /// <summary>JPEG or JPEG-LS; null for JPEG 2000.</summary>
    public JpegHeader? Jpeg { get; private init; }
    /// <summary>JPEG 2000 or HTJ2K; null for JPEG.</summary>
    public Jpeg2000Header? Jpeg2000 { get; private init; }
    /// <summary>The library whose worker decodes it; null for our own code.</summary>
    public WorkerCodec? WorkerCodec { get; private init; }

    private int Rows => Jpeg?.Rows ?? Jpeg2000!.Rows;
    private int Columns => Jpeg?.Columns ?? Jpeg2000!.Columns;
    private int Components => Jpeg?.Components.Length ?? Jpeg2000!.Components;
    private int Precision => Jpeg?.Precision ?? Jpeg2000!.Precision;

    /// <summary>Reads the header.</summary>
    /// <exception cref="ImagingException">Corrupt, or Unsupported for a process that nobody decodes (hierarchical, arithmetic).</exception>
    public static Codestream Read(ReadOnlySpan<byte> bytes)
    {
        if (!bytes.StartsWith<byte>([0xFF, 0xD8]))
            return new Codestream { Jpeg2000 = Jpeg2000Header.Read(bytes), WorkerCodec = Workers.WorkerCodec.Jpeg2000 };
        JpegHeader jpeg = JpegHeader.Read(bytes);
        if (jpeg.IsJpegLs) return new Codestream { Jpeg = jpeg, WorkerCodec = Workers.WorkerCodec.JpegLs };
        if (!jpeg.IsDct && !jpeg.IsLossless) throw new ImagingException(ImagingError.Unsupported, $"JPEG of process SOF{jpeg.Sof - 0xC0}");
        return new Codestream { Jpeg = jpeg, WorkerCodec = jpeg.IsDct && IsForLibrary(jpeg) ? Workers.WorkerCodec.Jpeg : null };
    }

    /// <summary>What libturbojpeg decodes: 8 bits, one or three components, sampling factors that it has a name for.</summary>
    private static bool IsForLibrary(JpegHeader jpeg)
    {
        if (jpeg.Precision != 8) return false;
        JpegComponent[] components = jpeg.Components;
        if (components.Length == 1) return true;
        if (components.Length != 3 || components[1] is not { Horizontal: 1, Vertical: 1 } || components[2] is not { Horizontal: 1, Vertical: 1 }) return false;
        return (components[0].Horizontal, components[0].Vertical) is (1, 1) or (2, 1) or (2, 2) or (1, 2) or (4, 1);
    }

    /// <summary>Three DCT components are YCbCr and become RGB.</summary>
    public bool IsYCbCr(FrameFormat stored) => Jpeg is { IsDct: true } && JpegColour.IsYCbCr(Jpeg, stored.Photometric);

    /// <summary>What decoding will give.</summary>
    /// <exception cref="ImagingException">Corrupt when the codestream is of another size than the attributes say.</exception>
    public FrameFormat Describe(FrameFormat stored)
    {
        if (Rows != stored.Rows || Columns != stored.Columns)
            throw new ImagingException(ImagingError.Corrupt, $"the codestream has {Rows} rows of {Columns}; the attributes say {stored.Rows} of {stored.Columns}");
        int allocated = Math.Max(stored.SampleBytes * 8, Precision switch { <= 8 => 8, <= 16 => 16, _ => 32 });
        bool fits = Precision <= stored.BitsAllocated;
        PhotometricInterpretation photometric = PhotometricOf(stored);
        return stored with
        {
            SamplesPerPixel = Components,
            BitsAllocated = allocated,
            BitsStored = fits ? stored.BitsStored : Precision,
            HighBit = fits ? stored.HighBit : Precision - 1,
            PlanarConfiguration = 0,
            Photometric = photometric,
            Kind = SampleKind.Integer,
        };
    }

    private PhotometricInterpretation PhotometricOf(FrameFormat stored)
    {
        if (Components == 1 && stored.SamplesPerPixel > 1) return PhotometricInterpretation.Monochrome2;
        if (Components != 3) return stored.Photometric;
        if (IsYCbCr(stored) || Jpeg2000 is { UsesColourTransform: true }) return PhotometricInterpretation.Rgb;
        if (Jpeg is { IsDct: true }) return PhotometricInterpretation.Rgb;
        return stored.Photometric switch
        {
            PhotometricInterpretation.YbrFull422 => PhotometricInterpretation.YbrFull,
            // These two exist only in JPEG 2000, and only with the transformation that this codestream does not use.
            PhotometricInterpretation.YbrIct or PhotometricInterpretation.YbrRct => PhotometricInterpretation.Rgb,
            _ => stored.Photometric,
        };
    }

    /// <summary>What the worker is told.</summary>
    /// <param name="codec">The library.</param>
    /// <param name="length">Bytes of the frame.</param>
    /// <param name="stored">What the attributes say.</param>
    /// <param name="format">What decoding will give.</param>
    /// <param name="limit">Time that it may take.</param>
    public WorkerRequest Request(WorkerCodec codec, int length, FrameFormat stored, FrameFormat format, TimeSpan limit) => new()
    {
        Codec = codec,
        InputLength = length - (Jpeg2000?.Start ?? 0),
        Rows = format.Rows,
        Columns = format.Columns,
        Components = format.SamplesPerPixel,
        SampleBytes = format.SampleBytes,
        CodedBytes = Precision switch { <= 8 => 1, <= 16 => 2, _ => 4 },
        ToRgb = IsYCbCr(stored) ? 1 : 0,
        // The node ends it at the limit; this is for the case that the node is gone.
        TimeLimitMilliseconds = (int)Math.Min(int.MaxValue, limit.TotalMilliseconds + 5000),
    };

    /// <summary>What the worker is given: without the boxes of a JP2 file.</summary>
    public ReadOnlySpan<byte> Bytes(ReadOnlySpan<byte> frame) => frame[(Jpeg2000?.Start ?? 0)..];
}
