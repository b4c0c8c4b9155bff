using System.Text.RegularExpressions;
using PacsCluster.Dicom;
using PacsCluster.Imaging.Rendering;
using PacsCluster.Testing;

namespace PacsCluster.Imaging.Tests.Rendering;

/// <summary>Structured reports as pages.</summary>
public sealed partial class StructuredReportTests
{
    [Fact]
    public void A_report_shows_containers_codes_measurements_and_references()
    {
        string html = StructuredReport.ToHtml(Read("highdicom/data/test_files/sr_document.dcm"));
        Assert.Contains("<html lang=\"en-US\">", html, StringComparison.Ordinal);
        Assert.Contains("<h1>Imaging Measurement Report</h1>", html, StringComparison.Ordinal);
        Assert.Contains("<h2>Imaging Measurements <span class=\"code\">(126010 DCM)</span></h2>", html, StringComparison.Ordinal);
        Assert.Contains("1.7 cm2", html, StringComparison.Ordinal);
        Assert.Contains("CT Image Storage", html, StringComparison.Ordinal);
        Assert.Contains("CIRCLE", html, StringComparison.Ordinal);
    }

    [Fact]
    public void Values_are_text_and_never_markup()
    {
        const string attack = "<script>alert(1)</script>\"'&";
        DataSet report = Read("highdicom/data/test_files/sr_document.dcm");
        report.Set(Tags.PatientName, attack);
        report.Set(Tags.PatientID, attack);
        DataSet item = report.NewItem(), name = report.NewItem();
        name.Set(Tags.CodeMeaning, attack);
        name.Set(Tags.CodeValue, attack);
        item.Set(Tags.ValueType, "TEXT");
        item.Set(Tags.TextValue, attack);
        item.SetItems(Tags.ConceptNameCodeSequence, [name]);
        report.SetItems(Tags.ContentSequence, [item]);
        string html = StructuredReport.ToHtml(report);
        Assert.DoesNotContain("<script", html, StringComparison.Ordinal);
        Assert.Contains("&lt;script&gt;alert(1)&lt;/script&gt;", html, StringComparison.Ordinal);
    }

    [Fact]
    public void Every_report_of_the_corpus_becomes_a_page_with_balanced_tags()
    {
        int pages = 0;
        foreach (string file in Corpus.Files())
        {
            DataSet dataSet;
            try
            {
                dataSet = Part10.Read(File.ReadAllBytes(file)).DataSet;
            }
            catch (DicomFormatException)
            {
                continue;
            }
            if (!StructuredReport.IsReport(dataSet)) continue;
            string html = StructuredReport.ToHtml(dataSet);
            foreach (string tag in new[] { "ul", "li", "section", "span", "strong", "dl", "main" })
                Assert.Equal(html.Split($"<{tag}>").Length + html.Split($"<{tag} ").Length, html.Split($"</{tag}>").Length + 1);
            string text = StructuredReport.ToText(dataSet);
            Assert.All(text, c => Assert.True(c == '\n' || !char.IsControl(c)));
            // What the page says, the text says too.
            Assert.Equal(Words(System.Net.WebUtility.HtmlDecode(Markup().Replace(html[html.IndexOf("<body>", StringComparison.Ordinal)..], " "))), Words(text));
            pages++;
        }
        Assert.True(pages > 8, $"{pages} reports");
    }

    [Fact]
    public void A_report_as_text_has_headings_and_items_further_in_a_level()
    {
        DataSet report = Read("highdicom/data/test_files/sr_document.dcm");
        DataSet note = report.NewItem(), section = report.NewItem(), within = report.NewItem();
        note.Set(Tags.ValueType, "TEXT");
        note.Set(Tags.TextValue, "First line\r\nsecond\u0007 line <b>");
        note.SetItems(Tags.ConceptNameCodeSequence, [Code("Finding", "121071")]);
        within.Set(Tags.ValueType, "CODE");
        within.SetItems(Tags.ConceptNameCodeSequence, [Code("Side", "272741003")]);
        within.SetItems(Tags.ConceptCodeSequence, [Code("Left", "7771000")]);
        section.Set(Tags.ValueType, "CONTAINER");
        section.SetItems(Tags.ConceptNameCodeSequence, [Code("Findings", "121070")]);
        section.SetItems(Tags.ContentSequence, [note, within]);
        report.SetItems(Tags.ContentSequence, [section, within]);
        string text = StructuredReport.ToText(report);
        Assert.StartsWith("Imaging Measurement Report\n==========================\nPatient: ", text, StringComparison.Ordinal);
        Assert.Equal("""

            Findings (121070 DCM)
              - Finding (121071 DCM): First line
                second line <b>
              - Side (272741003 DCM): Left (7771000 DCM)
            - Side (272741003 DCM): Left (7771000 DCM)

            """.ReplaceLineEndings("\n"), text[text.IndexOf("\nFindings", StringComparison.Ordinal)..]);

        DataSet Code(string meaning, string value)
        {
            DataSet code = report.NewItem();
            code.Set(Tags.CodeMeaning, meaning);
            code.Set(Tags.CodeValue, value);
            code.Set(Tags.CodingSchemeDesignator, "DCM");
            return code;
        }
    }

    private static string Words(string text) => string.Concat(text.Where(char.IsLetterOrDigit));

    [GeneratedRegex("<[^>]*>")]
    private static partial Regex Markup();

    private static DataSet Read(string path) => Part10.Read(File.ReadAllBytes(Corpus.File(path))).DataSet;
}
