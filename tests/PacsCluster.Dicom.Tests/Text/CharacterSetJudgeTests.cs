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

    /// <summary>Where Python has another character than we: none is a letter.</summary>
    private static readonly string[] KnownDifferences =
    [
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
