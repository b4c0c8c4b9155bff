using Microsoft.AspNetCore.Http;

namespace PacsCluster.Web.Tests;

public sealed class ContentCodingTests
{
    [Theory]
    [InlineData(null, "identity")]
    [InlineData("", "identity")]
    [InlineData("gzip, deflate, br, zstd", "gzip")]
    [InlineData("br, gzip", "gzip")]
    [InlineData("br", "br")]
    [InlineData("BR", "br")]
    [InlineData("x-gzip", "gzip")]
    [InlineData("*", "gzip")]
    [InlineData("*;q=0.1", "gzip")]
    [InlineData("gzip;q=0, *", "br")]
    [InlineData("gzip;q=0.5, br;q=0.8", "br")]
    [InlineData("gzip;q=0.5, br;q=0.5", "gzip")]
    [InlineData("br;q=0", "identity")]
    [InlineData("deflate, zstd", "identity")]
    [InlineData("identity, gzip;q=0.5", "identity")]
    [InlineData("identity;q=0.5, gzip", "gzip")]
    [InlineData("*;q=0, identity", "identity")]
    public void C_80_the_greatest_weight_wins_and_gzip_among_equals(string? accept, string coding) => Assert.Equal(coding, ContentCoding.Choose(Request(accept)));

    [Theory]
    [InlineData("identity;q=0")]
    [InlineData("*;q=0")]
    [InlineData("deflate, *;q=0")]
    public void C_80_who_excludes_all_is_refused(string accept) => Assert.Equal(406, Assert.Throws<ProblemException>(() => ContentCoding.Choose(Request(accept))).Problem.Status);

    private static HttpRequest Request(string? accept)
    {
        var http = new DefaultHttpContext();
        if (accept is not null) http.Request.Headers.AcceptEncoding = accept;
        return http.Request;
    }
}
