namespace PacsCluster.Web;

/// <summary>Which web pages of other origins may use DICOMweb from a browser.</summary>
public sealed record CorsOptions
{
    /// <summary>Origins, e.g. <c>https://viewer.example.org</c>, or <c>*</c> for any. Default none: only pages of this server itself.</summary>
    public IReadOnlyList<string> Origins { get; init; } = [];

    /// <summary>Let pages of these origins send cookies and credentials. Default false; not with <c>*</c>.</summary>
    public bool Credentials { get; init; }

    /// <summary>How long browsers may keep the answer to a preflight. Default 10 min, 0 to 24 h.</summary>
    public TimeSpan PreflightMaxAge { get; init; } = TimeSpan.FromMinutes(10);

    internal void Validate(List<string> errors)
    {
        foreach (string origin in Origins)
        {
            bool isOrigin = Uri.TryCreate(origin, UriKind.Absolute, out Uri? url) && url.Scheme is "http" or "https" && url.GetLeftPart(UriPartial.Authority) == origin;
            if (origin != "*" && !isOrigin) errors.Add($"Web:Cors:Origins: '{origin}' is not an origin such as https://viewer.example.org, and not *");
        }
        if (Credentials && Origins.Contains("*")) errors.Add("Web:Cors:Credentials: not with the origin *: name the origins");
        if (PreflightMaxAge < TimeSpan.Zero || PreflightMaxAge > TimeSpan.FromDays(1)) errors.Add($"Web:Cors:PreflightMaxAge: {PreflightMaxAge} is not between 0 and 24 h");
    }
}
