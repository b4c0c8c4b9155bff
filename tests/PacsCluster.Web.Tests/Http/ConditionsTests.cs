using Microsoft.AspNetCore.Http;

namespace PacsCluster.Web.Tests;

public sealed class ConditionsTests
{
    [Theory]
    [InlineData("bytes=0-9", 206, 0, 10, "bytes 0-9/100")]
    [InlineData("bytes=90-", 206, 90, 10, "bytes 90-99/100")]
    [InlineData("bytes=-5", 206, 95, 5, "bytes 95-99/100")]
    [InlineData("bytes=-500", 206, 0, 100, "bytes 0-99/100")]
    [InlineData("bytes=50-1000", 206, 50, 50, "bytes 50-99/100")]
    [InlineData("bytes=0-9,20-29", 200, 0, 100, null)]
    [InlineData("lines=1-2", 200, 0, 100, null)]
    [InlineData("nonsense", 200, 0, 100, null)]
    public void C_82_ranges(string range, int status, long offset, long length, string? contentRange)
    {
        DefaultHttpContext http = Request();
        http.Request.Headers.Range = range;
        Assert.Equal((offset, length), Conditions.TakeRange(http, 100));
        Assert.Equal(status, http.Response.StatusCode);
        Assert.Equal(length, http.Response.ContentLength);
        Assert.Equal(contentRange, http.Response.Headers.ContentRange.Count == 0 ? null : http.Response.Headers.ContentRange.ToString());
        Assert.Equal("bytes", http.Response.Headers.AcceptRanges.ToString());
    }

    [Theory, InlineData("bytes=100-"), InlineData("bytes=-0"), InlineData("bytes=200-300")]
    public void C_82_a_range_behind_the_end_is_416(string range)
    {
        DefaultHttpContext http = Request();
        http.Request.Headers.Range = range;
        Assert.Null(Conditions.TakeRange(http, 100));
        Assert.Equal(416, http.Response.StatusCode);
        Assert.Equal("bytes */100", http.Response.Headers.ContentRange.ToString());
    }

    [Theory, InlineData("\"one\"", 206), InlineData("\"other\"", 200), InlineData("W/\"one\"", 200)]
    public void A_range_of_something_else_is_answered_with_the_whole(string ifRange, int status)
    {
        DefaultHttpContext http = Request();
        http.Request.Headers.Range = "bytes=0-9";
        http.Request.Headers.IfRange = ifRange;
        Conditions.TakeRange(http, 100);
        Assert.Equal(status, http.Response.StatusCode);
    }

    [Theory]
    [InlineData("\"one\"", true), InlineData("W/\"one\"", true), InlineData("\"zero\", \"one\"", true), InlineData("*", true), InlineData("\"two\"", false)]
    public void C_80_if_none_match(string tags, bool notModified)
    {
        DefaultHttpContext http = Request();
        http.Request.Headers.IfNoneMatch = tags;
        Assert.Equal(notModified, Conditions.IsNotModified(http, "one"));
        Assert.Equal(notModified ? 304 : 200, http.Response.StatusCode);
    }

    [Theory, InlineData(0, true), InlineData(10, true), InlineData(-10, false)]
    public void C_80_if_modified_since(int secondsLater, bool notModified)
    {
        var changed = new DateTimeOffset(2026, 1, 2, 3, 4, 5, 678, TimeSpan.Zero);
        DefaultHttpContext http = Request();
        http.Request.Headers.IfModifiedSince = changed.AddSeconds(secondsLater).ToString("R");
        Assert.Equal(notModified, Conditions.IsNotModified(http, "one", changed));
    }

    private static DefaultHttpContext Request()
    {
        var http = new DefaultHttpContext();
        Conditions.SetValidators(http.Response, "one");
        return http;
    }
}
