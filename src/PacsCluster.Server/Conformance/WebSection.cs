using PacsCluster.Server.Options;
using PacsCluster.Web;

namespace PacsCluster.Server.Conformance;

/// <summary>What the origin server conforms to.</summary>
internal static class WebSection
{
    /// <summary>Adds the section.</summary>
    public static void Write(HtmlText html, WebOptions web, HttpOptions http)
    {
        string url = web.PublicUrl.Length > 0 ? web.PublicUrl : $"http://{http.BindAddress}:{http.Port}{web.Path}";
        html.Heading(2, "4 DICOMweb origin server").Text($"Base URL {url}. An OpenAPI document is at {url}/openapi.json, and OPTIONS of any resource answers WADL.")
            .Heading(3, "4.1 Resources")
            .Table(["Method", "Resource", "Transaction", "What", "Media types", "Query parameters"],
                WebResources.All.Select(r => (string[])[r.Method, r.Path, r.Transaction, r.Summary, string.Join("; ", r.Produces), string.Join(", ", r.Query)]))
            .Heading(3, "4.2 Search (QIDO-RS)")
            .Text($"At most {web.Search.ResultsMax} results an answer; a Warning header (299) says how many more there are, \"at least {web.Search.FurtherCountedMax}\" when there are so many. Results are ordered by study date and time (newest first), series number and instance number, or by orderby, an extension: "
                + "attributes separated by commas, '-' before one for descending. Keys that cannot be matched are "
                + (web.Search.Strict ? "refused with 400." : "named in a Warning header.")
                + (web.Search.FuzzyMatching ? $" fuzzymatching=true: {SearchOptions.FuzzyAlgorithm}" : " fuzzymatching is off: names are matched literally and a Warning header says so.")
                + " text/csv is an extension.")
            .Heading(3, "4.3 Retrieve (WADO-RS, WADO-URI)")
            .Text("Instances, frames and pixel data come in the transfer syntax that they are stored in or in another one: uncompressed, JPEG-LS, JPEG 2000 or RLE without loss; with loss (JPEG Baseline, JPEG-LS, JPEG 2000) only where it is named, and never from lossy. "
                + "application/octet-stream without a transfer syntax means uncompressed samples. Metadata is sent in gzip, br or plain, by Accept-Encoding.")
            .Table(["Rendered", "Media types (PS3.18 table 8.7.4-1), the default first"],
            [
                ["Images, presentation states", "image/jpeg, image/png, image/gif (of several frames: an animation), image/jp2"], ["Video", "as stored: video/mpeg2 or video/mpeg; video/mp4; of HEVC also video/H265"],
                ["Structured reports", "text/html, text/plain, text/xml (Native DICOM Model)"], ["Encapsulated PDF", "application/pdf"], ["Encapsulated CDA", "text/xml"],
            ])
            .Heading(3, "4.4 Store (STOW-RS)")
            .Text($"multipart/related of application/dicom, of application/dicom+json and of application/dicom+xml with bulk data parts (octet-stream, image/jpeg, image/jls, image/jp2, image/jphc, image/dicom-rle, video/mpeg, video/mp4, video/H265, application/pdf and any other by its Content-Location); "
                + $"single application/dicom. At most {web.Store.PartsMax} parts; request size {(web.Store.RequestMaxBytes == 0 ? "unlimited" : web.Store.RequestMaxBytes + " bytes")}.")
            .Table(["HTTP status", "Failure or Warning Reason", "Meaning"],
            [
                ["200", "", "All stored"], ["202", "B000, B006, B007", "Stored with warnings, or some failed"], ["400", "C000", "Nothing could be understood"], ["409", "A900, 0111, 0124", "None stored: another study, a duplicate, or policy"],
                ["413", "", "Over a limit"], ["415", "", "Media type not supported"], ["503", "A700, 0110", "Out of resources; Retry-After"],
            ])
            .Heading(3, "4.5 Errors").Text("Errors are problem documents (application/problem+json, RFC 9457) with a member 'next' that says what to do.")
            .Heading(3, "4.6 Cross-origin requests").Text(web.Cors.Origins.Count == 0 ? "Not allowed." : $"Allowed for {string.Join(", ", web.Cors.Origins)}.");
    }
}
