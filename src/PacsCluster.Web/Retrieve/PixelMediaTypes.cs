namespace PacsCluster.Web;

/// <summary>Media types of frames by transfer syntax (PS3.18 tables 8.7.3-2, 8.7.3-4 and 8.7.3-5).</summary>
internal static class PixelMediaTypes
{
    /// <summary>Samples, and bytes of any kind.</summary>
    public const string OctetStream = "application/octet-stream";

    /// <summary>The transfer syntax that native samples are sent in.</summary>
    public const string Native = "1.2.840.10008.1.2.1";

    private const string Jpeg = "1.2.840.10008.1.2.4.";

    private static readonly string[] s_mpeg2 = ["video/mpeg2", "video/mpeg"], s_mpeg4 = ["video/mp4"], s_hevc = ["video/mp4", "video/H265"];

    /// <summary>The media type of a codestream; octet-stream for what has none.</summary>
    public static string Of(string transferSyntaxUid) => transferSyntaxUid switch
    {
        "1.2.840.10008.1.2.5" => "image/dicom-rle",
        Jpeg + "80" or Jpeg + "81" => "image/jls",
        Jpeg + "90" or Jpeg + "91" => "image/jp2",
        Jpeg + "92" or Jpeg + "93" => "image/jpx",
        Jpeg + "110" or Jpeg + "111" or Jpeg + "112" => "image/jxl",
        Jpeg + "201" or Jpeg + "202" or Jpeg + "203" => "image/jphc",
        _ when IsVideo(transferSyntaxUid) => OfVideo(transferSyntaxUid)[0],
        _ when transferSyntaxUid.StartsWith(Jpeg, StringComparison.Ordinal) && transferSyntaxUid.Length == Jpeg.Length + 2 && transferSyntaxUid[Jpeg.Length] is '5' or '6' or '7' => "image/jpeg",
        _ => OctetStream,
    };

    /// <summary>All media types that a video goes by: that of table 8.7.3-5 and that of rendered video (table 8.7.4-1); for HEVC the container's too, the one that browsers know, first.</summary>
    public static IReadOnlyList<string> OfVideo(string transferSyntaxUid) => transferSyntaxUid switch
    {
        _ when transferSyntaxUid.StartsWith(Jpeg + "100", StringComparison.Ordinal) || transferSyntaxUid.StartsWith(Jpeg + "101", StringComparison.Ordinal) => s_mpeg2,
        Jpeg + "107" or Jpeg + "108" => s_hevc,
        _ => s_mpeg4,
    };

    /// <summary>The stored transfer syntax is one of the lossy ones: what a client gets that says nothing of transfer syntaxes (C-71).</summary>
    public static bool IsLossy(string transferSyntaxUid) => IsVideo(transferSyntaxUid) || transferSyntaxUid is Jpeg + "50" or Jpeg + "51" or Jpeg + "52" or Jpeg + "53" or Jpeg + "54"
        or Jpeg + "55" or Jpeg + "56" or Jpeg + "59" or Jpeg + "60" or Jpeg + "61" or Jpeg + "62" or Jpeg + "63" or Jpeg + "64" or Jpeg + "81" or Jpeg + "91" or Jpeg + "93" or Jpeg + "112" or Jpeg + "203";

    /// <summary>MPEG-2, MPEG-4 and HEVC: one stream of all frames.</summary>
    public static bool IsVideo(string transferSyntaxUid)
    {
        if (!transferSyntaxUid.StartsWith(Jpeg, StringComparison.Ordinal)) return false;
        ReadOnlySpan<char> number = transferSyntaxUid.AsSpan(Jpeg.Length);
        // Fragmentable variants end in .1.
        int dot = number.IndexOf('.');
        return int.TryParse(dot < 0 ? number : number[..dot], out int n) && n is >= 100 and <= 108;
    }

    /// <summary>What a range with this media type and no transfer syntax means (PS3.18 table 8.7.3-5).</summary>
    public static bool IsDefault(string transferSyntaxUid) => transferSyntaxUid is "1.2.840.10008.1.2.5" or Jpeg + "70" or Jpeg + "80" or Jpeg + "90" or Jpeg + "92" or Jpeg + "110" or Jpeg + "201"
        || IsLossy(transferSyntaxUid);
}
