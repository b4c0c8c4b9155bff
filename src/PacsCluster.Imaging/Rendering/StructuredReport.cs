using System.Globalization;
using System.Net;
using System.Text;
using PacsCluster.Dicom;

namespace PacsCluster.Imaging.Rendering;

/// <summary>Structured reports, key object selections and other SR documents (PS3.3 A.35) as one HTML page without scripts, styles from elsewhere or links:
/// the content tree with headings for containers, codes, measurements and references. Every value is escaped.</summary>
public static class StructuredReport
{
    // A report of more items is no reading matter; the page says that it ends early.
    private const int ItemsMax = 50_000;

    private const string Style = "body{font:1rem/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#111;background:#fff}"
        + "dl{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1rem}dt{font-weight:600}dd{margin:0}section{border-left:3px solid #bbb;padding-left:1rem}"
        + ".code,.ref{color:#555;font-size:.85em}.text{white-space:pre-wrap}";

    /// <summary>Whether an instance is an SR document.</summary>
    public static bool IsReport(DataSet header)
    {
        ArgumentNullException.ThrowIfNull(header);
        return header.GetString(Tags.ValueType) == "CONTAINER" && (header.Contains(Tags.ContentSequence) || header.Contains(Tags.ConceptNameCodeSequence));
    }

    /// <summary>The page, in UTF-8 when it is encoded.</summary>
    /// <exception cref="ImagingException">NotAnImage: the instance is no SR document.</exception>
    /// <exception cref="DicomFormatException">Nested deeper than data sets may be.</exception>
    public static string ToHtml(DataSet report)
    {
        if (!IsReport(report)) throw new ImagingException(ImagingError.NotAnImage, "not a structured report");
        var page = new Page();
        string title = Meaning(First(report, Tags.ConceptNameCodeSequence)) ?? "Structured report";
        page.Raw("<!DOCTYPE html>\n<html lang=\"").Text(Language(report)).Raw("\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><title>")
            .Text(title).Raw("</title><style>").Raw(Style).Raw("</style></head>\n<body><main><header><h1>").Text(title).Raw("</h1>\n<dl>");
        page.Pair("Patient", Name(report.GetString(Tags.PatientName))).Pair("Patient ID", report.GetString(Tags.PatientID)).Pair("Born", Date(report.GetString(Tags.PatientBirthDate)))
            .Pair("Sex", report.GetString(Tags.PatientSex)).Pair("Study", report.GetString(Tags.StudyDescription)).Pair("Study date", Date(report.GetString(Tags.StudyDate)))
            .Pair("Accession number", report.GetString(Tags.AccessionNumber)).Pair("Written", Join(Date(report.GetString(Tags.ContentDate)), Time(report.GetString(Tags.ContentTime))))
            .Pair("Completion", report.GetString(Tags.CompletionFlag)).Pair("Verification", report.GetString(Tags.VerificationFlag));
        foreach (DataSet observer in report.GetItems(Tags.VerifyingObserverSequence))
            page.Pair("Verified by", Join(Name(observer.GetString(Tags.VerifyingObserverName)), observer.GetString(Tags.VerifyingOrganization), DateTime(observer.GetString(Tags.VerificationDateTime))));
        page.Raw("</dl></header>\n");
        Children(page, report, level: 2);
        if (page.Items >= ItemsMax) page.Raw("<p role=\"alert\">This page ends here: the report has more than ").Text(ItemsMax.ToString(CultureInfo.InvariantCulture)).Raw(" items.</p>");
        return page.Raw("</main></body></html>\n").ToString();
    }

    /// <summary>Containers become sections, what stands between them lists.</summary>
    private static void Children(Page page, DataSet parent, int level)
    {
        bool inList = false;
        foreach (DataSet item in parent.GetItems(Tags.ContentSequence))
        {
            if (!page.TakeItem()) break;
            if (item.GetString(Tags.ValueType) is "CONTAINER" or "TABLE")
            {
                if (inList) page.Raw("</ul>\n");
                inList = false;
                Section(page, item, level);
                continue;
            }
            if (!inList) page.Raw("<ul>\n");
            inList = true;
            page.Raw("<li>");
            Label(page, item);
            Value(page, item);
            if (item.GetItems(Tags.ContentSequence).Count > 0) Children(page, item, level);
            page.Raw("</li>\n");
        }
        if (inList) page.Raw("</ul>\n");
    }

    private static void Section(Page page, DataSet item, int level)
    {
        string heading = "h" + Math.Min(level, 6).ToString(CultureInfo.InvariantCulture);
        page.Raw("<section>");
        if (First(item, Tags.ConceptNameCodeSequence) is { } name)
        {
            page.Raw("<").Raw(heading).Raw(">");
            Code(page, name);
            page.Raw("</").Raw(heading).Raw(">\n");
        }
        Children(page, item, level + 1);
        page.Raw("</section>\n");
    }

    private static void Label(Page page, DataSet item)
    {
        if (First(item, Tags.ConceptNameCodeSequence) is not { } name) return;
        page.Raw("<strong>");
        Code(page, name);
        page.Raw("</strong>: ");
    }

    private static void Value(Page page, DataSet item)
    {
        switch (item.GetString(Tags.ValueType))
        {
            case "TEXT":
                page.Raw("<span class=\"text\">").Text(item.GetString(Tags.TextValue)).Raw("</span>");
                break;
            case "CODE":
                if (First(item, Tags.ConceptCodeSequence) is { } code) Code(page, code);
                break;
            case "NUM":
                Number(page, item);
                break;
            case "PNAME":
                page.Text(Name(item.GetString(Tags.PersonName)));
                break;
            case "DATE":
                page.Text(Date(item.GetString(Tags.Date)));
                break;
            case "TIME":
                page.Text(Time(item.GetString(Tags.Time)));
                break;
            case "DATETIME":
                page.Text(DateTime(item.GetString(Tags.DateTime)));
                break;
            case "UIDREF":
                page.Text(item.GetString(Tags.UID));
                break;
            case "SCOORD" or "SCOORD3D":
                page.Text(item.GetString(Tags.GraphicType)).Raw(" <span class=\"ref\">").Text(string.Join(", ", item.GetStrings(Tags.GraphicData).Take(16)))
                    .Raw(item.GetStrings(Tags.GraphicData).Length > 16 ? ", …</span>" : "</span>");
                break;
            case "TCOORD":
                page.Text(Join(item.GetString(Tags.TemporalRangeType), string.Join(", ", item.GetStrings(Tags.ReferencedTimeOffsets)), string.Join(", ", item.GetStrings(Tags.ReferencedDateTime))));
                break;
            case "IMAGE" or "COMPOSITE" or "WAVEFORM":
                References(page, item);
                break;
            case null:
                // A reference to another item of this tree, by its place in it (PS3.3 C.17.3.2.5).
                page.Raw("<span class=\"ref\">see item ").Text(string.Join('.', item.GetStrings(Tags.ReferencedContentItemIdentifier))).Raw("</span>");
                break;
            default:
                page.Raw("<span class=\"ref\">").Text(item.GetString(Tags.ValueType)).Raw("</span>");
                break;
        }
    }

    private static void Number(Page page, DataSet item)
    {
        IReadOnlyList<DataSet> values = item.GetItems(Tags.MeasuredValueSequence);
        if (values.Count == 0)
        {
            if (First(item, Tags.NumericValueQualifierCodeSequence) is { } qualifier) Code(page, qualifier);
            else page.Text("no value");
            return;
        }
        foreach (DataSet value in values)
        {
            page.Text(value.GetString(Tags.NumericValue));
            if (First(value, Tags.MeasurementUnitsCodeSequence) is not { } unit) continue;
            // "1" is UCUM's unit of plain numbers.
            if (unit.GetString(Tags.CodeValue) != "1") page.Text(" " + (unit.GetString(Tags.CodeValue) ?? Meaning(unit)));
        }
    }

    private static void References(Page page, DataSet item)
    {
        foreach (DataSet reference in item.GetItems(Tags.ReferencedSOPSequence))
        {
            string? kind = reference.GetString(Tags.ReferencedSOPClassUID) is { } uid ? UidDictionary.TryGet(uid, out string name, out _) ? name : uid : null;
            page.Text(kind ?? item.GetString(Tags.ValueType)).Raw(" <span class=\"ref\">").Text(reference.GetString(Tags.ReferencedSOPInstanceUID));
            if (reference.GetStrings(Tags.ReferencedFrameNumber) is { Length: > 0 } frames) page.Text(" frame " + string.Join(", ", frames));
            page.Raw("</span> ");
        }
    }

    private static void Code(Page page, DataSet code)
    {
        string? value = code.GetString(Tags.CodeValue) ?? code.GetString(Tags.LongCodeValue) ?? code.GetString(Tags.URNCodeValue);
        page.Text(code.GetString(Tags.CodeMeaning) ?? value);
        if (value is not null) page.Raw(" <span class=\"code\">(").Text(Join(value, code.GetString(Tags.CodingSchemeDesignator))).Raw(")</span>");
    }

    private static string? Meaning(DataSet? code) => code?.GetString(Tags.CodeMeaning);

    private static DataSet? First(DataSet dataSet, Tag sequence) => FrameAttributes.First(dataSet, sequence);

    /// <summary>Language of Content Item and Descendants (121049, DCM) of the root; English, that of the labels, else.</summary>
    private static string Language(DataSet report)
    {
        foreach (DataSet item in report.GetItems(Tags.ContentSequence))
        {
            if (First(item, Tags.ConceptNameCodeSequence)?.GetString(Tags.CodeValue) != "121049") continue;
            if (First(item, Tags.ConceptCodeSequence)?.GetString(Tags.CodeValue) is { Length: <= 35 } language && language.All(c => char.IsAsciiLetterOrDigit(c) || c == '-')) return language;
        }
        return "en";
    }

    private static string? Name(string? value) => value is null ? null
        : string.Join(" / ", value.Split('=').Where(g => g.Length > 0).Select(g => string.Join(' ', g.Split('^').Where(c => c.Length > 0))));

    private static string? Date(string? value) => value is { Length: 8 } ? $"{value[..4]}-{value[4..6]}-{value[6..]}" : value;

    private static string? Time(string? value) => value is { Length: >= 6 } ? $"{value[..2]}:{value[2..4]}:{value[4..6]}" : value;

    private static string? DateTime(string? value) => value is { Length: >= 14 } ? Join(Date(value[..8]), Time(value[8..14])) : value;

    private static string Join(params ReadOnlySpan<string?> parts)
    {
        var text = new StringBuilder();
        foreach (string? part in parts)
        {
            if (string.IsNullOrEmpty(part)) continue;
            if (text.Length > 0) text.Append(' ');
            text.Append(part);
        }
        return text.ToString();
    }

    private sealed class Page
    {
        private readonly StringBuilder _html = new();

        public int Items { get; private set; }

        public bool TakeItem() => Items < ItemsMax && ++Items <= ItemsMax;

        public Page Raw(string html)
        {
            _html.Append(html);
            return this;
        }

        public Page Text(string? text)
        {
            _html.Append(WebUtility.HtmlEncode(text));
            return this;
        }

        public Page Pair(string label, string? value)
        {
            if (!string.IsNullOrEmpty(value)) Raw("<dt>").Raw(label).Raw("</dt><dd>").Text(value).Raw("</dd>\n");
            return this;
        }

        public override string ToString() => _html.ToString();
    }
}
