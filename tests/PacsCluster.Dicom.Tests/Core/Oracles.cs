using System.Globalization;
using System.Text.RegularExpressions;
using PacsCluster.Testing;

namespace PacsCluster.Dicom.Tests.Core;

/// <summary>One element as another reader sees it. Length -1: undefined; -2: not told.</summary>
internal sealed record Listed(string Path, string VR, long Length, int? Items, string? Digest);

/// <summary>What pydicom and DCMTK make of the corpus: each runs once, over all files.</summary>
internal static partial class Oracles
{
    private static readonly Lazy<Task<Dictionary<string, List<Listed>>>> s_pydicom = new(RunPydicom);
    private static readonly Lazy<Task<Dictionary<string, List<Listed>>>> s_dcmdump = new(() => RunDcmdump(Corpus.Files()));

    /// <summary>Elements by file; a file that pydicom does not read is missing.</summary>
    public static Task<Dictionary<string, List<Listed>>> Pydicom => s_pydicom.Value;

    /// <summary>Elements by file; a file that dcmdump does not read is missing.</summary>
    public static Task<Dictionary<string, List<Listed>>> Dcmdump => s_dcmdump.Value;

    private static async Task<Dictionary<string, List<Listed>>> RunPydicom()
    {
        if (!File.Exists("/usr/bin/python3")) throw Missing.Because("python3 with pydicom is not installed");
        using var folder = new TempFolder();
        string list = folder.At("files.txt");
        await File.WriteAllLinesAsync(list, Corpus.Files());
        ToolResult result = await Tool.RunAsync("/usr/bin/python3", [Path.Combine(AppContext.BaseDirectory, "Core", "list_elements.py"), list], 300);
        if (result.ExitCode != 0) throw Missing.Because($"python3 with pydicom failed: {result.Output[^Math.Min(500, result.Output.Length)..]}");
        var files = new Dictionary<string, List<Listed>>();
        List<Listed> current = [];
        foreach (string line in result.Output.Split('\n'))
        {
            string[] parts = line.TrimEnd('\r').Split('\t');
            if (parts is ["F", var path]) files[path] = current = [];
            else if (parts is [var tags, var vr, var length, var digest]) current.Add(Parse(tags, vr, length, digest));
        }
        return files;
    }

    private static Listed Parse(string path, string vr, string length, string digest) => length switch
    {
        "*" => new Listed(path, vr, -2, null, null),
        _ when length.StartsWith("items=", StringComparison.Ordinal) => new Listed(path, vr, -2, int.Parse(length[6..], CultureInfo.InvariantCulture), null),
        _ => new Listed(path, vr, long.Parse(length, CultureInfo.InvariantCulture), null, digest),
    };

    [GeneratedRegex(@"^( *)\(([0-9a-f]{4}),([0-9a-f]{4})\) (\S\S) .*# +(\d+|u/l), *\d+ ", RegexOptions.CultureInvariant)]
    private static partial Regex Line();

    /// <summary>Runs dcmdump over all files at once.</summary>
    public static async Task<Dictionary<string, List<Listed>>> RunDcmdump(IEnumerable<string> paths)
    {
        ToolResult result = await Tool.RunAsync("dcmdump", ["-q", "+F", "+Qo", .. paths], 300);
        var files = new Dictionary<string, List<Listed>>();
        List<Listed> current = [];
        string file = "";
        // The path of the data set at each depth, and how many items the sequence there has had.
        var prefixes = new string[600];
        var items = new int[600];
        var last = new string[600];
        prefixes[0] = "";
        foreach (string line in result.Output.Split('\n'))
        {
            if (line.StartsWith("# dcmdump (", StringComparison.Ordinal))
            {
                file = line[(line.IndexOf("): ", StringComparison.Ordinal) + 3)..].TrimEnd('\r');
                current = [];
                continue;
            }
            Match match = Line().Match(line);
            if (!match.Success) continue;
            files.TryAdd(file, current);
            int depth = match.Groups[1].Length / 4;
            bool between = match.Groups[1].Length % 4 != 0;
            string tag = (match.Groups[2].Value + match.Groups[3].Value).ToUpperInvariant();
            if (tag.StartsWith("FFFE", StringComparison.Ordinal))
            {
                // Items stand half a step deeper than their sequence; fragments of pixel data are "pi".
                if (between && tag == "FFFEE000" && match.Groups[4].Value == "na") prefixes[depth + 1] = $"{last[depth]}[{items[depth]++}].";
                continue;
            }
            if (tag.StartsWith("0002", StringComparison.Ordinal) && depth == 0) continue;
            string path = prefixes[depth] + tag;
            last[depth] = path;
            items[depth] = 0;
            string length = match.Groups[5].Value;
            current.Add(new Listed(path, match.Groups[4].Value, length == "u/l" ? -1 : long.Parse(length, CultureInfo.InvariantCulture), null, null));
        }
        return files;
    }
}
