using PacsCluster.Dicom;

namespace PacsCluster.Imaging;

/// <summary>What a sample is.</summary>
public enum SampleKind
{
    /// <summary>Pixel Data (7FE0,0010).</summary>
    Integer,
    /// <summary>Float Pixel Data (7FE0,0008), 32 bits.</summary>
    Float,
    /// <summary>Double Float Pixel Data (7FE0,0009), 64 bits.</summary>
    Double,
}

/// <summary>What the samples of one frame are (PS3.3 C.7.6.3, PS3.5 section 8).</summary>
public sealed record FrameFormat
{
    /// <summary>(0028,0010), 1 to 65,535.</summary>
    public required int Rows { get; init; }
    /// <summary>(0028,0011), 1 to 65,535.</summary>
    public required int Columns { get; init; }
    /// <summary>(0028,0002), 1 to 4.</summary>
    public int SamplesPerPixel { get; init; } = 1;
    /// <summary>(0028,0100): 1 to 32 of integers, 32 of floats, 64 of doubles.</summary>
    public required int BitsAllocated { get; init; }
    /// <summary>(0028,0101), 1 to <see cref="BitsAllocated"/>.</summary>
    public required int BitsStored { get; init; }
    /// <summary>(0028,0102), <see cref="BitsStored"/> - 1 to <see cref="BitsAllocated"/> - 1.</summary>
    public required int HighBit { get; init; }
    /// <summary>(0028,0103): the <see cref="BitsStored"/> bits are a two's complement number.</summary>
    public bool IsSigned { get; init; }
    /// <summary>(0028,0004).</summary>
    public PhotometricInterpretation Photometric { get; init; }
    /// <summary>(0028,0006): 0 colour by pixel, 1 colour by plane.</summary>
    public int PlanarConfiguration { get; init; }
    /// <summary>Integers or floating point.</summary>
    public SampleKind Kind { get; init; }

    /// <summary>Pixels of a frame.</summary>
    public long Pixels => (long)Rows * Columns;

    /// <summary>Samples of a pixel of native pixel data: 2 in the 4:2:2 kinds, where two pixels share their chrominances.</summary>
    public int NativeSamplesPerPixel => Photometric is PhotometricInterpretation.YbrFull422 or PhotometricInterpretation.YbrPartial422 && SamplesPerPixel == 3 ? 2 : SamplesPerPixel;

    /// <summary>Bytes of one frame of native pixel data, rounded up to whole bytes.</summary>
    public long NativeLength => (Pixels * NativeSamplesPerPixel * BitsAllocated + 7) / 8;

    /// <summary>Bytes of a sample in a <see cref="DecodedFrame"/>: 1, 2, 4 or 8.</summary>
    public int SampleBytes => BitsAllocated switch { <= 8 => 1, <= 16 => 2, <= 32 => 4, _ => 8 };

    /// <summary>Bytes of a <see cref="DecodedFrame"/>: all samples of every pixel, each of <see cref="SampleBytes"/>.</summary>
    public long DecodedLength => Pixels * SamplesPerPixel * SampleBytes;

    /// <summary>Reads the attributes of the Image Pixel Module. Bits Stored and High Bit that are absent or impossible follow from Bits Allocated.</summary>
    /// <param name="header">Data set of the instance; its pixel data may be absent.</param>
    /// <exception cref="ImagingException">NotAnImage without Rows or Columns; Unsupported for samples or bits that the standard does not have.</exception>
    public static FrameFormat Read(DataSet header)
    {
        ArgumentNullException.ThrowIfNull(header);
        int rows = header.GetInt32(Tags.Rows) ?? 0, columns = header.GetInt32(Tags.Columns) ?? 0;
        if (rows <= 0 || columns <= 0) throw new ImagingException(ImagingError.NotAnImage, "no Rows or Columns");
        int samples = header.GetInt32(Tags.SamplesPerPixel) ?? 1;
        if (samples is < 1 or > 4) throw new ImagingException(ImagingError.Unsupported, $"Samples per Pixel {samples}");
        SampleKind kind = KindOf(header);
        int allocated = kind switch
        {
            SampleKind.Float => 32,
            SampleKind.Double => 64,
            _ => header.GetInt32(Tags.BitsAllocated) ?? header.GetInt32(Tags.BitsStored) ?? 0,
        };
        if (kind == SampleKind.Integer && allocated is < 1 or > 32) throw new ImagingException(ImagingError.Unsupported, $"Bits Allocated {allocated}");
        int stored = kind == SampleKind.Integer ? header.GetInt32(Tags.BitsStored) ?? allocated : allocated;
        if (stored < 1 || stored > allocated) stored = allocated;
        int high = kind == SampleKind.Integer ? header.GetInt32(Tags.HighBit) ?? stored - 1 : allocated - 1;
        if (high < stored - 1 || high >= allocated) high = stored - 1;
        return new FrameFormat
        {
            Rows = rows,
            Columns = columns,
            SamplesPerPixel = samples,
            BitsAllocated = allocated,
            BitsStored = stored,
            HighBit = high,
            IsSigned = kind == SampleKind.Integer && header.GetInt32(Tags.PixelRepresentation) == 1,
            Photometric = PhotometricTerms.Parse(header.GetString(Tags.PhotometricInterpretation)),
            PlanarConfiguration = samples > 1 && header.GetInt32(Tags.PlanarConfiguration) == 1 ? 1 : 0,
            Kind = kind,
        };
    }

    private static SampleKind KindOf(DataSet header)
    {
        if (header.Contains(Tags.PixelData)) return SampleKind.Integer;
        if (header.Contains(Tags.FloatPixelData)) return SampleKind.Float;
        if (header.Contains(Tags.DoubleFloatPixelData)) return SampleKind.Double;
        // A header of the catalog has no bulk values: Bits Stored is required of integers and absent from floats (PS3.3 C.7.6.3 and C.7.6.24).
        if (header.Contains(Tags.BitsStored) || header.Contains(Tags.PixelRepresentation)) return SampleKind.Integer;
        return header.GetInt32(Tags.BitsAllocated) switch { 32 => SampleKind.Float, 64 => SampleKind.Double, _ => SampleKind.Integer };
    }
}
