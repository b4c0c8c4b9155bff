using System.Diagnostics;
using System.Text.Json;
using PacsCluster.Testing;

namespace PacsCluster.Dicom.Tests.Text;

/// <summary>pydicom (Debian's python3-pydicom) as the judge of our character sets.</summary>
public sealed class CharacterSetJudgeTests
{
    [Fact]
    public async Task Text_of_every_corpus_file_is_what_pydicom_reads()
    {
        var differences = new List<string>();
        int compared = 0;
        foreach (JsonElement line in await JudgeAsync(Corpus.Root))
        {
            compared++;
            string ours = Decode(line), theirs = line.GetProperty("text").GetString()!;
            if (ours == theirs) continue;
            byte[] bytes = Bytes(line);
            // pydicom guesses Latin-1 for the default repertoire; we replace what the standard gives no meaning.
            if (Terms(line) is [] or [""] && bytes.Any(b => b >= 0x80) && ours == Replace(bytes)) continue;
            differences.Add($"{line.GetProperty("where").GetString()} [{string.Join('\\', Terms(line))}] {Show(theirs)} != {Show(ours)}");
        }
        Assert.True(differences.Count == 0, string.Join('\n', differences.Take(50)));
        Assert.True(compared > 10_000, $"only {compared} values compared");
    }

    [Fact]
    public async Task Every_character_of_every_set_is_what_Python_knows()
    {
        var differences = new List<string>();
        int compared = 0;
        foreach (JsonElement line in await JudgeAsync("--tables"))
        {
            compared++;
            string ours = Decode(line), theirs = line.GetProperty("text").GetString()!;
            if (ours != theirs) differences.Add($"{line.GetProperty("where").GetString()} {Show(theirs)} != {Show(ours)}");
        }
        Assert.True(compared > 80_000, $"only {compared} characters compared");
        Assert.Equal(KnownDifferences, differences.ToArray());
    }

    [Fact]
    public async Task What_we_encode_pydicom_decodes()
    {
        string[][] terms = [["ISO_IR 100"], ["ISO_IR 192"], ["GB18030"], ["GBK"], ["ISO_IR 13"], ["", "ISO 2022 IR 87"], ["ISO 2022 IR 13", "ISO 2022 IR 87", "ISO 2022 IR 159"],
            ["", "ISO 2022 IR 149"], ["", "ISO 2022 IR 58"], ["ISO 2022 IR 100", "ISO 2022 IR 144", "ISO 2022 IR 126", "ISO 2022 IR 138"], ["ISO 2022 IR 6", "ISO 2022 IR 127", "ISO 2022 IR 87"]];
        string[] alphabets = ["abcXYZ 123", "äöüÄéßñ", "ﾔﾏﾀﾞﾀﾛｳ", "山田太郎日本語", "丂丄丅", "가나다김희중", "王小东", "Люкceмбypг", "Διονυσιος", "שרון", "قباني"];
        var random = new Random(20220801);
        using var folder = new TempFolder();
        var asked = new List<string>();
        using (StreamWriter file = File.CreateText(folder.At("encoded.jsonl")))
        {
            for (int i = 0; i < 4000; i++)
            {
                string[] set = terms[random.Next(terms.Length)];
                bool name = random.Next(2) == 0;
                var text = new System.Text.StringBuilder();
                for (int part = random.Next(1, 5); part > 0; part--)
                {
                    string alphabet = alphabets[random.Next(alphabets.Length)];
                    for (int n = random.Next(1, 5); n > 0; n--) text.Append(alphabet[random.Next(alphabet.Length)]);
                    if (name && part > 1) text.Append(random.Next(3) == 0 ? '=' : '^');
                }
                VR vr = name ? VR.PN : VR.LO;
                CharacterSet characterSet = CharacterSet.FromTerms(set);
                if (!characterSet.TryEncode(text.ToString(), vr, out byte[] bytes)) continue;
                Assert.Equal(text.ToString(), characterSet.Decode(bytes, vr));
                // pydicom takes a byte 5C inside a character for a separator.
                if (bytes.Contains((byte)'\\')) continue;
                asked.Add(text.ToString());
                file.WriteLine(JsonSerializer.Serialize(new { terms = set, vr = vr.ToString(), bytes = Convert.ToHexString(bytes) }));
            }
        }
        IReadOnlyList<JsonElement> answers = await JudgeAsync("--decode", folder.At("encoded.jsonl"));
        // pydicom 2.3 leaves the escape sequence of ISO-IR 58 in the text.
        Assert.Equal(asked, answers.Select(a => a.GetProperty("text").GetString()!.Replace("\e$)A", "", StringComparison.Ordinal)));
        Assert.True(asked.Count > 800, $"only {asked.Count} texts");
    }

    /// <summary>Where Python has another character than we: punctuation, for which we follow GB 18030 as newer Chinese text does.</summary>
    private static readonly string[] KnownDifferences =
    [
        @"ISO 2022 IR 58 2124 \u30FB != \u00B7",
        @"ISO 2022 IR 58 212A \u2015 != \u2014",
    ];

    internal static async Task<IReadOnlyList<JsonElement>> JudgeAsync(params string[] arguments)
    {
        const string Python = "/usr/bin/python3";
        if (!File.Exists(Python) || (await Tool.RunAsync(Python, ["-c", "import pydicom"])).ExitCode != 0) throw Missing.Because("python3-pydicom is not installed: tests/run installs it as root on Debian");
        string script = Path.Combine(AppContext.BaseDirectory, "Text", "charset_judge.py");
        using Process process = Tool.Start(Python, [script, .. arguments]);
        _ = process.StandardError.ReadToEndAsync();
        var lines = new List<JsonElement>();
        while (await process.StandardOutput.ReadLineAsync() is { } line) lines.Add(JsonDocument.Parse(line).RootElement);
        await process.WaitForExitAsync();
        Assert.Equal(0, process.ExitCode);
        return lines;
    }

    internal static string Decode(JsonElement line)
    {
        string vr = line.GetProperty("vr").GetString()!;
        return CharacterSet.FromTerms(Terms(line)).Decode(Bytes(line), VRs.FromBytes((byte)vr[0], (byte)vr[1]));
    }

    private static string[] Terms(JsonElement line) => [.. line.GetProperty("terms").EnumerateArray().Select(t => t.GetString()!)];

    private static byte[] Bytes(JsonElement line) => Convert.FromHexString(line.GetProperty("bytes").GetString()!);

    private static string Replace(byte[] bytes) => string.Concat(bytes.Select(b => b < 0x80 && b != 0x1B ? (char)b : '\uFFFD'));

    private static string Show(string text) => string.Concat(text.Select(c => c is >= ' ' and <= '~' ? c.ToString() : $"\\u{(int)c:X4}"));
}
