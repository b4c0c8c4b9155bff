using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Headers;
using Microsoft.Net.Http.Headers;

namespace PacsCluster.Web;

/// <summary>The content coding of an answer, by Accept-Encoding (RFC 9110 12.5.3; C-80).</summary>
internal static class ContentCoding
{
    public const string Gzip = "gzip", Brotli = "br", Identity = "identity";

    /// <summary>The one of the greatest weight. Among equals gzip, because metadata lies in it, then Brotli; plain where the client names no coding that there is.</summary>
    /// <exception cref="ProblemException">406: the client excludes all of them.</exception>
    public static string Choose(HttpRequest request)
    {
        double? gzip = null, brotli = null, identity = null, any = null;
        foreach (StringWithQualityHeaderValue coding in new RequestHeaders(request.Headers).AcceptEncoding)
        {
            double weight = coding.Quality ?? 1;
            switch (coding.Value.ToString().ToLowerInvariant())
            {
                case Gzip or "x-gzip":
                    gzip = weight;
                    break;
                case Brotli:
                    brotli = weight;
                    break;
                case Identity:
                    identity = weight;
                    break;
                case "*":
                    any = weight;
                    break;
            }
        }
        // What nobody excludes is taken plain, but less gladly than anything that is named.
        (string Name, double Weight)[] all = [(Gzip, gzip ?? any ?? 0), (Brotli, brotli ?? any ?? 0), (Identity, identity ?? (any == 0 ? 0 : double.Epsilon))];
        (string name, double best) = all.MaxBy(c => c.Weight);
        return best > 0 ? name : throw new ProblemException(new Problem(StatusCodes.Status406NotAcceptable, "Not acceptable", "Accept-Encoding excludes every coding that there is.", "Accept one of: gzip, br, identity."));
    }
}
