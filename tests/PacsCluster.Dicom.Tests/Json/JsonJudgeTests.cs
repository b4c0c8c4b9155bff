using System.Runtime.CompilerServices;
using System.Text.Json;
using PacsCluster.Testing;

namespace PacsCluster.Dicom.Tests.Json;

/// <summary>pydicom and dcmjs as judges of our DICOM JSON, over the corpus. A difference must have one of the named reasons.</summary>
public sealed class JsonJudgeTests
{
    /// <summary>One line of a judge: place (file, tags, items), what differs, theirs, ours.</summary>
    private sealed record Difference(string Place, string What, string Theirs, string Ours)
    {
        public bool IsPrivate => Convert.ToInt32(Place[^8..^4], 16) % 2 == 1;
        public bool In(params string[] files) => files.Any(f => Place.Contains(f + "/", StringComparison.Ordinal));
    }

    private static readonly (string Reason, Func<Difference, bool> Applies)[] s_both =
    [
        ("private elements: their private dictionary knows others than DCMTK's", d => d.What == "vr" && d.IsPrivate),
        ("delimiters alone are no name (C-97)", d => d.What == "value" && d.Ours == "[]" && d.Theirs.Contains("Alphabetic", StringComparison.Ordinal) && d.Theirs.All(c => !char.IsAsciiLetterLower(c) || "Alphabetic".Contains(c))),
        ("bytes beyond ASCII without Specific Character Set: they guess Latin-1, we replace (C-103)", d => d.What == "value" && (d.Ours.Contains('\uFFFD') || d.Ours.Contains("\\ufffd", StringComparison.Ordinal))),
        ("OW of big endian goes little endian (C-101); they leave it", d => d.What == "binary" && d.In("SC_rgb_small_odd_big_endian.dcm")),
        ("encapsulated pixel data in Implicit VR: no VR stands there", d => d.What == "vr" && d.In("SC_rgb_jpeg.dcm") && d.Place.EndsWith("7FE00010", StringComparison.Ordinal)),
    ];

    private static readonly (string Reason, Func<Difference, bool> Applies)[] s_pydicom =
    [
        .. s_both,
        ("UN in Explicit VR Big Endian is little endian (PS3.5 section 6.2.2); pydicom reads it big endian", d => d.What == "value" && d.IsPrivate && d.Place.Contains("BigEndianExplicit", StringComparison.Ordinal)),
        ("an IS that is no number", d => d.Place.EndsWith("badVR.dcm", StringComparison.Ordinal)),
    ];

    private static readonly (string Reason, Func<Difference, bool> Applies)[] s_dcmjs =
    [
        .. s_both,
        ("dcmjs has UN where its dictionary lacks the element or has a VR of DCMTK's own", d => d.What == "vr" && d.Theirs == "UN"),
        ("dcmjs reads files with preamble only", d => d.What == "unread"),
        ("dcmjs makes 0 of an empty number", d => d.What == "value" && (d.Theirs, d.Ours) is ("[0]", "[]")),
        ("dcmjs leaves out a number that NUL or a unit follows", d => d.What == "value" && d.Theirs == "[]" && d.In("IM-0001-0001.dcm", "OsirixFake16BitsStoredFakeSpacing.dcm", "badVR.dcm")),
        ("dcmjs does not look at Pixel Representation in Implicit VR", d => d.What == "vr" && d.Theirs is "US" or "xs" && d.Ours == "SS"),
        ("dcmjs takes letters out of UIDs", d => d.What == "value" && d.In("cleaned.dcm", "bad_sequence.dcm") && d.Ours.Any(char.IsAsciiLetterLower)),
        ("dcmjs splits ST at backslashes", d => d.In("dx_image.dcm") && d.Place.EndsWith("20100010", StringComparison.Ordinal)),
        ("dcmjs reads text of UN as Latin-1", d => d.What == "value" && d.In("examples_ybr_color.dcm") && d.IsPrivate),
        ("dcmjs loses its way in this file, DCMTK and pydicom do not", d => d.What is "only in" or "items" && d.Theirs != "theirs"
            && d.In("DICOMDIR", "DICOMDIR-nooffset", "Tag-0040-A170-VR-CS.dcm", "bad_sequence.dcm", "SC_rgb_jpeg.dcm", "UN_sequence.dcm", "nested_priv_SQ.dcm", "rtdose_rle.dcm",
                "rtdose_rle_1frame.dcm", "seg_image_cr_binary.dcm", "JPGLosslessP14SV1_1s_1f_8b.dcm")),
    ];

    [Fact]
    public async Task Our_JSON_of_the_corpus_is_what_pydicom_writes_and_pydicom_reads_it()
    {
        const string Python = "/usr/bin/python3";
        if (!File.Exists(Python) || (await Tool.RunAsync(Python, ["-c", "import pydicom"])).ExitCode != 0) throw Missing.Because("python3-pydicom is not installed: tests/run installs it as root on Debian");
        using var folder = new TempFolder();
        string list = WriteAll(folder);
        ToolResult result = await Tool.RunAsync(Python, [Path.Combine(AppContext.BaseDirectory, "Json", "json_judge.py"), list], 300);
        Check(result.Output, s_pydicom, 70_000);
    }

    [Fact]
    public async Task Our_JSON_of_the_corpus_is_what_dcmjs_reads()
    {
        string node = Path.Combine(Path.GetDirectoryName(SourceFolder())!, "node");
        if (!Directory.Exists(Path.Combine(node, "node_modules", "dcmjs"))) throw Missing.Because("dcmjs is not installed: tests/run does npm ci in tests/PacsCluster.Dicom.Tests/node");
        using var folder = new TempFolder();
        string list = WriteAll(folder);
        ToolResult result = await Tool.RunAsync("node", ["judge.mjs", list], 300, workingDirectory: node);
        Check(result.Output, s_dcmjs, 70_000);
    }

    private static void Check(string output, (string Reason, Func<Difference, bool> Applies)[] reasons, int least)
    {
        var unexplained = new List<string>();
        var counts = new SortedDictionary<string, int>(StringComparer.Ordinal);
        int compared = 0;
        foreach (string[] f in output.Split('\n').Select(l => l.TrimEnd('\r').Split('\t')))
        {
            if (f is ["compared", var count]) compared = int.Parse(count);
            // dcmjs warns in lines of its own about private data and VRs that it had to guess.
            if (f.Length < 3) continue;
            var difference = new Difference(f[0], f[1], f[2], f.Length > 3 ? f[3] : "");
            string? reason = reasons.FirstOrDefault(r => r.Applies(difference)).Reason;
            if (reason is null) unexplained.Add(string.Join(" | ", f));
            else counts[reason] = counts.GetValueOrDefault(reason) + 1;
        }
        foreach ((string reason, int count) in counts) TestContext.Current.TestOutputHelper?.WriteLine($"{count,5} {reason}");
        Assert.True(unexplained.Count == 0, string.Join('\n', unexplained.Take(40)));
        Assert.True(compared >= least, $"only {compared} attributes compared: {output[..Math.Min(2000, output.Length)]}");
    }

    /// <summary>Our JSON of every file of the corpus that we read; larger binary by URI.</summary>
    private static string WriteAll(TempFolder folder)
    {
        var lines = new List<string>();
        foreach (string file in Corpus.Files().Where(f => !f.Contains("/malformed/", StringComparison.Ordinal)))
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
            string json = folder.At($"{lines.Count}.json");
            using (FileStream stream = File.Create(json))
            using (var writer = new Utf8JsonWriter(stream, JsonModel.WriterOptions))
            {
                JsonModel.Write(writer, dataSet, new JsonWriteOptions { BulkMinimumBytes = int.MaxValue, BulkDataUri = b => b.Length is < 0 or > 256 ? "bulk:" + b.Path : null });
            }
            lines.Add($"{file}\t{json}");
        }
        Assert.True(lines.Count > 400, $"only {lines.Count} files were read");
        string list = folder.At("list.txt");
        File.WriteAllLines(list, lines);
        return list;
    }

    private static string SourceFolder([CallerFilePath] string path = "") => Path.GetDirectoryName(path)!;
}
