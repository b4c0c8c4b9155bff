namespace PacsCluster.Web.Tests;

public sealed class MediaTypeTests
{
    [Theory]
    [InlineData("multipart/related; type=\"application/dicom\"; boundary=\"a b\"", "application/dicom", "a b")]
    // As dcmjs, older dicomweb-client and curl users write it: a slash in a value needs quotes by RFC 9110, and has none.
    [InlineData("multipart/related; type=application/dicom; boundary=a=b/c", "application/dicom", "a=b/c")]
    [InlineData("Multipart/Related;TYPE=\"application/dicom\";Boundary=x", "application/dicom", "x")]
    [InlineData("multipart/related ; type = application/dicom ;; boundary = x ; charset", "application/dicom", "x")]
    [InlineData("multipart/related; type=\"application/dicom; boundary=x", "application/dicom; boundary=x", null)]
    [InlineData("multipart/related; start=\"<a;b>\"; type=\"application/\\dicom\"; boundary=x", "application/dicom", "x")]
    public void C_72_lenient_in(string text, string type, string? boundary)
    {
        Assert.True(MediaType.TryParse(text, out MediaType? parsed));
        Assert.True(parsed!.IsMultipartRelated);
        Assert.Equal(type, parsed["type"]);
        Assert.Equal(boundary, parsed["boundary"]);
    }

    [Theory, InlineData(""), InlineData("multipart"), InlineData("/"), InlineData("a/"), InlineData("a b/c"), InlineData(";type=x"), InlineData(null)]
    public void What_is_no_media_type_is_none(string? text) => Assert.False(MediaType.TryParse(text, out _));

    [Fact]
    public void C_72_strict_out()
    {
        Assert.True(MediaType.TryParse("multipart/related; type=image/jp2; boundary=\"a b\\\"\"; x=y", out MediaType? parsed));
        Assert.Equal("multipart/related; type=\"image/jp2\"; boundary=\"a b\\\"\"; x=y", parsed!.ToString());
    }

    [Fact]
    public void A_list_is_split_at_commas_outside_quotes()
    {
        List<MediaType> all = MediaType.ParseList("multipart/related; type=\"image/jp2, image/jls\", , nonsense, text/html;q=0.5,*/*");
        Assert.Equal(["multipart/related", "text/html", "*/*"], all.Select(m => m.Essence));
        Assert.Equal("image/jp2, image/jls", all[0]["type"]);
    }
}
