using System.Globalization;
using System.Text;
using PacsCluster.Dicom;

namespace PacsCluster.Imaging.Rendering;

/// <summary>Structured reports, key object selections and other SR documents (PS3.3 A.35) as one HTML page without scripts, styles from elsewhere or links,
/// or as plain text: the content tree with headings for containers, codes, measurements and references. In HTML every value is escaped.</summary>
public static class StructuredReport
{
    // A report of more items is no reading matter; the page says that it ends early.
    private const int ItemsMax = 50_000;

    /// <summary>Whether an instance is an SR document.</summary>
    public static bool IsReport(DataSet header)
    {
        ArgumentNullException.ThrowIfNull(header);
        return header.GetString(Tags.ValueType) == "CONTAINER" && (header.Contains(Tags.ContentSequence) || header.Contains(Tags.ConceptNameCodeSequence));
    }

    /// <summary>The page, in UTF-8 when it is encoded.</summary>
    /// <exception cref="ImagingException">NotAnImage: the instance is no SR document.</exception>
    /// <exception cref="DicomFormatException">Nested deeper than data sets may be.</exception>
    public static string ToHtml(DataSet report) => Write(report, new HtmlReportPage());

    /// <summary>The same as text: headings, items behind hyphens, two spaces deeper a level. Lines end with LF.</summary>
    /// <exception cref="ImagingException">NotAnImage: the instance is no SR document.</exception>
    /// <exception cref="DicomFormatException">Nested deeper than data sets may be.</exception>
    public static string ToText(DataSet report) => Write(report, new TextReportPage());

    private static string Write(DataSet report, ReportPage page)
    {
        if (!IsReport(report)) throw new ImagingException(ImagingError.NotAnImage, "not a structured report");
        page.Begin(Meaning(First(report, Tags.ConceptNameCodeSequence)) ?? "Structured report", Language(report));
        Pair("Patient", Name(report.GetString(Tags.PatientName)));
        Pair("Patient ID", report.GetString(Tags.PatientID));
        Pair("Born", Date(report.GetString(Tags.PatientBirthDate)));
        Pair("Sex", report.GetString(Tags.PatientSex));
        Pair("Study", report.GetString(Tags.StudyDescription));
        Pair("Study date", Date(report.GetString(Tags.StudyDate)));
        Pair("Accession number", report.GetString(Tags.AccessionNumber));
        Pair("Written", Join(Date(report.GetString(Tags.ContentDate)), Time(report.GetString(Tags.ContentTime))));
        Pair("Completion", report.GetString(Tags.CompletionFlag));
        Pair("Verification", report.GetString(Tags.VerificationFlag));
        foreach (DataSet observer in report.GetItems(Tags.VerifyingObserverSequence))
            Pair("Verified by", Join(Name(observer.GetString(Tags.VerifyingObserverName)), observer.GetString(Tags.VerifyingOrganization), DateTime(observer.GetString(Tags.VerificationDateTime))));
        page.EndHeader();
        int items = 0;
        Children(page, report, level: 2, ref items);
        if (items >= ItemsMax) page.Alert($"This page ends here: the report has more than {ItemsMax.ToString(CultureInfo.InvariantCulture)} items.");
        return page.End();

        void Pair(string label, string? value)
        {
            if (!string.IsNullOrEmpty(value)) page.Pair(label, value);
        }
    }

    /// <summary>Containers become sections, what stands between them lists.</summary>
    private static void Children(ReportPage page, DataSet parent, int level, ref int items)
    {
        bool inList = false;
        foreach (DataSet item in parent.GetItems(Tags.ContentSequence))
        {
            if (items >= ItemsMax) break;
            items++;
            if (item.GetString(Tags.ValueType) is "CONTAINER" or "TABLE")
            {
                if (inList) page.EndList();
                inList = false;
                Section(page, item, level, ref items);
                continue;
            }
            if (!inList) page.BeginList();
            inList = true;
            page.BeginItem();
            if (First(item, Tags.ConceptNameCodeSequence) is { } name)
            {
                page.BeginLabel();
                Code(page, name);
                page.EndLabel();
            }
            Value(page, item);
            if (item.GetItems(Tags.ContentSequence).Count > 0) Children(page, item, level, ref items);
            page.EndItem();
        }
        if (inList) page.EndList();
    }

    private static void Section(ReportPage page, DataSet item, int level, ref int items)
    {
        page.BeginSection();
        if (First(item, Tags.ConceptNameCodeSequence) is { } name)
        {
            page.BeginHeading(level);
            Code(page, name);
            page.EndHeading(level);
        }
        Children(page, item, level + 1, ref items);
        page.EndSection();
    }

    private static void Value(ReportPage page, DataSet item)
    {
        switch (item.GetString(Tags.ValueType))
        {
            case "TEXT":
                page.Prose(item.GetString(Tags.TextValue));
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
                string[] points = item.GetStrings(Tags.GraphicData);
                page.Text(item.GetString(Tags.GraphicType) + " ");
                page.Aside(string.Join(", ", points.Take(16)) + (points.Length > 16 ? ", …" : ""));
                break;
            case "TCOORD":
                page.Text(Join(item.GetString(Tags.TemporalRangeType), string.Join(", ", item.GetStrings(Tags.ReferencedTimeOffsets)), string.Join(", ", item.GetStrings(Tags.ReferencedDateTime))));
                break;
            case "IMAGE" or "COMPOSITE" or "WAVEFORM":
                References(page, item);
                break;
            case null:
                // A reference to another item of this tree, by its place in it (PS3.3 C.17.3.2.5).
                page.Aside("see item " + string.Join('.', item.GetStrings(Tags.ReferencedContentItemIdentifier)));
                break;
            default:
                page.Aside(item.GetString(Tags.ValueType));
                break;
        }
    }

    private static void Number(ReportPage page, DataSet item)
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

    private static void References(ReportPage page, DataSet item)
    {
        foreach (DataSet reference in item.GetItems(Tags.ReferencedSOPSequence))
        {
            string? kind = reference.GetString(Tags.ReferencedSOPClassUID) is { } uid ? UidDictionary.TryGet(uid, out string name, out _) ? name : uid : null;
            string[] frames = reference.GetStrings(Tags.ReferencedFrameNumber);
            page.Text((kind ?? item.GetString(Tags.ValueType)) + " ");
            page.Aside(reference.GetString(Tags.ReferencedSOPInstanceUID) + (frames.Length > 0 ? " frame " + string.Join(", ", frames) : ""));
            page.Text(" ");
        }
    }

    private static void Code(ReportPage page, DataSet code)
    {
        string? value = code.GetString(Tags.CodeValue) ?? code.GetString(Tags.LongCodeValue) ?? code.GetString(Tags.URNCodeValue);
        page.Text(code.GetString(Tags.CodeMeaning) ?? value);
        if (value is not null) page.Code(Join(value, code.GetString(Tags.CodingSchemeDesignator)));
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
}
