namespace PacsCluster.Web;

/// <summary>Options of DICOMweb. Bound and validated once at start, passed down as a value.</summary>
public sealed record WebOptions
{
    /// <summary>Path under which the DICOMweb resources lie. Default <c>/dicom-web</c>; letters, digits and .-_, begins with a slash, does not end with one.</summary>
    public string Path { get; init; } = "/dicom-web";

    /// <summary>URL of that path as clients see it, for the URLs in answers, e.g. <c>https://pacs.example.org/dicom-web</c>. Default empty: made from each
    /// request's scheme and Host.</summary>
    public string PublicUrl { get; init; } = "";

    /// <summary>Search (QIDO-RS).</summary>
    public SearchOptions Search { get; init; } = new();

    /// <summary>Store (STOW-RS).</summary>
    public StoreOptions Store { get; init; } = new();

    /// <summary>Browsers' pages from elsewhere.</summary>
    public CorsOptions Cors { get; init; } = new();

    /// <summary>Who may use DICOMweb.</summary>
    public AccessOptions Access { get; init; } = new();

    /// <summary>WADO-URI finds an instance by objectUID alone. Default false: studyUID and seriesUID are required, as PS3.18 9.1 wants.</summary>
    public bool WadoUriByObjectAlone { get; init; }

    /// <summary>Pixels of a rendered picture at most; more are refused (413). Default 67,108,864 (8,192 × 8,192), 65,536 to 1,073,741,824.</summary>
    public int RenderedPixelsMax { get; init; } = 1 << 26;

    /// <summary>Frames of an animated GIF at most; more are refused (413). Default 500, 1 to 65,536.</summary>
    public int RenderedFramesMax { get; init; } = 500;

    /// <summary>Bytes of thumbnails kept in memory; what was used longest ago goes first. Default 67,108,864 (64 MiB), 0 to 4 GiB.</summary>
    public long ThumbnailCacheBytes { get; init; } = 64 * 1024 * 1024;

    /// <summary>Everything that is wrong, a line each; empty when all is well.</summary>
    public IReadOnlyList<string> Validate()
    {
        var errors = new List<string>();
        if (!Path.StartsWith('/') || Path.EndsWith('/') || Path.Any(c => c is not ('/' or '-' or '_' or '.' or (>= 'a' and <= 'z') or (>= 'A' and <= 'Z') or (>= '0' and <= '9')))) errors.Add($"Web:Path: '{Path}' is not a path of letters, digits and .-_ that begins with a slash and does not end with one");
        if (PublicUrl.Length > 0 && !(Uri.TryCreate(PublicUrl, UriKind.Absolute, out Uri? url) && url.Scheme is "http" or "https" && !PublicUrl.EndsWith('/')))
            errors.Add($"Web:PublicUrl: '{PublicUrl}' is not an http or https URL without a slash at its end");
        Search.Validate(errors);
        Store.Validate(errors);
        Cors.Validate(errors);
        Access.Validate(errors);
        void Range(string name, long value, long min, long max)
        {
            if (value < min || value > max) errors.Add($"Web:{name}: {value} is not between {min} and {max}");
        }
        Range(nameof(RenderedPixelsMax), RenderedPixelsMax, 65_536, 1 << 30);
        Range(nameof(RenderedFramesMax), RenderedFramesMax, 1, 65_536);
        Range(nameof(ThumbnailCacheBytes), ThumbnailCacheBytes, 0, 4L << 30);
        return errors;
    }
}
