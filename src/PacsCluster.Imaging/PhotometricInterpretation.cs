namespace PacsCluster.Imaging;

/// <summary>(0028,0004), PS3.3 C.7.6.3.1.2.</summary>
public enum PhotometricInterpretation
{
    /// <summary>Absent or a term that the standard does not have; shown as it is (one sample as MONOCHROME2, three as RGB).</summary>
    Unknown,
    /// <summary>The least value is white.</summary>
    Monochrome1,
    /// <summary>The least value is black.</summary>
    Monochrome2,
    /// <summary>Indices into the Palette Color Lookup Tables.</summary>
    PaletteColor,
    /// <summary>Red, green, blue.</summary>
    Rgb,
    /// <summary>Luminance and two chrominances, full range.</summary>
    YbrFull,
    /// <summary>As <see cref="YbrFull"/>, chrominances shared by two neighbours in a row.</summary>
    YbrFull422,
    /// <summary>Studio range, chrominances shared by two neighbours in a row (retired).</summary>
    YbrPartial422,
    /// <summary>Studio range, chrominances shared by four neighbours: MPEG video.</summary>
    YbrPartial420,
    /// <summary>Irreversible colour transformation of JPEG 2000.</summary>
    YbrIct,
    /// <summary>Reversible colour transformation of JPEG 2000.</summary>
    YbrRct,
    /// <summary>Hue, saturation, value (retired).</summary>
    Hsv,
    /// <summary>Palette index before red, green, blue (retired).</summary>
    Argb,
    /// <summary>Cyan, magenta, yellow, black (retired).</summary>
    Cmyk,
}

/// <summary>Terms of <see cref="PhotometricInterpretation"/>.</summary>
public static class PhotometricTerms
{
    private static readonly Dictionary<string, PhotometricInterpretation> s_byTerm = new(StringComparer.OrdinalIgnoreCase)
    {
        ["MONOCHROME1"] = PhotometricInterpretation.Monochrome1,
        ["MONOCHROME2"] = PhotometricInterpretation.Monochrome2,
        ["PALETTE COLOR"] = PhotometricInterpretation.PaletteColor,
        ["RGB"] = PhotometricInterpretation.Rgb,
        ["YBR_FULL"] = PhotometricInterpretation.YbrFull,
        ["YBR_FULL_422"] = PhotometricInterpretation.YbrFull422,
        ["YBR_PARTIAL_422"] = PhotometricInterpretation.YbrPartial422,
        ["YBR_PARTIAL_420"] = PhotometricInterpretation.YbrPartial420,
        ["YBR_ICT"] = PhotometricInterpretation.YbrIct,
        ["YBR_RCT"] = PhotometricInterpretation.YbrRct,
        ["HSV"] = PhotometricInterpretation.Hsv,
        ["ARGB"] = PhotometricInterpretation.Argb,
        ["CMYK"] = PhotometricInterpretation.Cmyk,
    };

    /// <summary>From a Code String; <see cref="PhotometricInterpretation.Unknown"/> for null and for what the standard does not have.</summary>
    public static PhotometricInterpretation Parse(string? term) => term is null ? PhotometricInterpretation.Unknown : s_byTerm.GetValueOrDefault(term.Trim());

    /// <summary>The Code String; null for <see cref="PhotometricInterpretation.Unknown"/>.</summary>
    public static string? Term(this PhotometricInterpretation photometric)
    {
        foreach ((string term, PhotometricInterpretation one) in s_byTerm)
        {
            if (one == photometric) return term;
        }
        return null;
    }
}
