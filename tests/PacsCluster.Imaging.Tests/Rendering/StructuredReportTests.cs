using PacsCluster.Dicom;
using PacsCluster.Imaging.Rendering;
using PacsCluster.Testing;

namespace PacsCluster.Imaging.Tests.Rendering;

/// <summary>Structured reports as pages.</summary>
public sealed class StructuredReportTests
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
            pages++;
        }
        Assert.True(pages > 8, $"{pages} reports");
    }

    private static DataSet Read(string path) => Part10.Read(File.ReadAllBytes(Corpus.File(path))).DataSet;
}
