using System.Globalization;
using System.Net;
using System.Text;
using PacsCluster.Catalog;
using PacsCluster.Server.Options;

namespace PacsCluster.Server.Health;

/// <summary>The page at <c>/</c>: what somebody wants to know who asks whether the archive is there. Plain HTML, no patient data.</summary>
internal static class HealthPage
{
    private const string Style = """
        :root { color-scheme: light dark }
        body { font: 16px/1.5 system-ui, sans-serif; max-width: 44rem; margin: 3rem auto; padding: 0 1rem }
        h1 { margin: 0; font-weight: 600 } .sub { opacity: .7; margin: 0 0 1.5rem }
        .state { padding: .6rem 1rem; border-radius: .4rem; font-weight: 600; border: 1px solid }
        .ok { background: #1b7f3b1a; border-color: #1b7f3b } .bad { background: #b3261e1a; border-color: #b3261e }
        .state ul { font-weight: 400; margin: .3rem 0 0 }
        table { border-collapse: collapse; width: 100%; margin: 1.5rem 0 } caption { text-align: left; font-weight: 600 }
        th, td { text-align: left; padding: .35rem .5rem; border-bottom: 1px solid #8884; font-weight: 400 }
        td { text-align: right; font-variant-numeric: tabular-nums } code { font-size: .95em }
        """;

    /// <summary>The whole page.</summary>
    /// <param name="options">The node's options.</param>
    /// <param name="counts">What the catalog holds; null when it does not answer.</param>
    /// <param name="faults">What keeps the node from being ready.</param>
    /// <param name="limits">What it cannot do though it is ready.</param>
    /// <param name="started">When the process started.</param>
    /// <param name="now">Now.</param>
    public static string Write(ServerOptions options, CatalogCounts? counts, IReadOnlyList<string> faults, IReadOnlyList<string> limits, DateTimeOffset started, DateTimeOffset now)
    {
        var html = new StringBuilder();
        html.Append("<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">")
            .Append("<meta http-equiv=\"refresh\" content=\"30\"><title>PacsCluster</title><style>").Append(Style).Append("</style></head><body>")
            .Append(CultureInfo.InvariantCulture, $"<h1>PacsCluster</h1><p class=\"sub\">version {Encode(ServerVersion.Text)}</p>");
        if (faults.Count == 0 && limits.Count == 0) html.Append("<div class=\"state ok\" role=\"status\">Ready: images can be sent, searched and retrieved.</div>");
        else
        {
            html.Append("<div class=\"state bad\" role=\"status\">").Append(faults.Count > 0 ? "Not ready" : "Ready, but instances cannot be stored").Append("<ul>");
            foreach (string fault in faults.Concat(limits)) html.Append("<li>").Append(Encode(fault)).Append("</li>");
            html.Append("</ul></div>");
        }
        Table(html, "Send images to",
            ("AE title", options.Dimse.AETitle), ("Host", options.Dimse.BindAddress), ("Port", options.Dimse.Port.ToString(CultureInfo.InvariantCulture)));
        if (counts is not null)
        {
            Table(html, "Holds", ("Patients", Number(counts.Patients)), ("Studies", Number(counts.Studies)), ("Series", Number(counts.Series)),
                ("Instances", Number(counts.Instances)), ("Size", Size(counts.BlobBytes)), ("In quarantine", Number(counts.Quarantined)),
                ("To reconcile", Number(counts.OpenConflicts)));
        }
        Table(html, "Machine", ("Disk free", Disk(options.Data)), ("Running for", Duration(now - started)), ("Page made", now.ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture) + " UTC"));
        html.Append("<p><a href=\"/health/ready\">ready</a> · <a href=\"/health/live\">live</a> · <a href=\"/metrics\">metrics</a> · <a href=\"/conformance\">conformance statement</a></p></body></html>");
        return html.ToString();
    }

    private static void Table(StringBuilder html, string caption, params (string Name, string Value)[] rows)
    {
        html.Append("<table><caption>").Append(caption).Append("</caption>");
        foreach ((string name, string value) in rows)
            html.Append("<tr><th scope=\"row\">").Append(name).Append("</th><td>").Append(Encode(value)).Append("</td></tr>");
        html.Append("</table>");
    }

    private static string Encode(string text) => WebUtility.HtmlEncode(text);

    private static string Number(long value) => value.ToString("#,0", CultureInfo.InvariantCulture);

    private static string Disk(string folder)
    {
        try
        {
            var drive = new DriveInfo(Path.GetFullPath(folder));
            return $"{Size(drive.AvailableFreeSpace)} of {Size(drive.TotalSize)}";
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return "unknown";
        }
    }

    /// <summary>Bytes in the unit that people read.</summary>
    internal static string Size(long bytes)
    {
        string[] units = ["bytes", "KB", "MB", "GB", "TB", "PB"];
        double value = bytes;
        int unit = 0;
        while (value >= 1000 && unit < units.Length - 1) (value, unit) = (value / 1000, unit + 1);
        return unit == 0 ? $"{bytes} bytes" : string.Create(CultureInfo.InvariantCulture, $"{value:0.0} {units[unit]}");
    }

    private static string Duration(TimeSpan time) => time.TotalDays >= 1
        ? string.Create(CultureInfo.InvariantCulture, $"{(int)time.TotalDays} d {time.Hours} h")
        : string.Create(CultureInfo.InvariantCulture, $"{time.Hours} h {time.Minutes} min");
}
