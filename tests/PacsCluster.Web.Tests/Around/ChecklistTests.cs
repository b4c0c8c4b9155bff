using System.Globalization;
using System.Text.RegularExpressions;
using PacsCluster.Testing;

namespace PacsCluster.Web.Tests.Around;

/// <summary>The design page says where each item of the checklist is tested. This keeps it true.</summary>
public sealed partial class ChecklistTests
{
    // UPS-RS, storage commitment and non-patient instances: services of their own.
    private static readonly int[] s_elsewhere = [89, 90, 91];

    [Fact]
    public async Task Every_item_of_DICOMweb_names_tests_that_exist()
    {
        string root = Root;
        string[] tests = [.. await Task.WhenAll(Directory.EnumerateFiles(Path.Combine(root, "tests"), "*Tests.cs", SearchOption.AllDirectories).Select(f => File.ReadAllTextAsync(f, TestContext.Current.CancellationToken)))];
        HashSet<int> covered = [];
        foreach (string line in await File.ReadAllLinesAsync(Path.Combine(root, "src", "PacsCluster.Web", "DESIGN.md"), TestContext.Current.CancellationToken))
        {
            if (Row().Match(line) is not { Success: true } row) continue;
            int[] items = [.. Number().Matches(row.Groups[1].Value).Select(m => int.Parse(m.Groups[1].Value, CultureInfo.InvariantCulture))];
            covered.UnionWith(row.Groups[1].Value.Contains(" to ", StringComparison.Ordinal) ? Enumerable.Range(items[0], items[^1] - items[0] + 1) : items);
            MatchCollection named = Named().Matches(row.Groups[2].Value);
            Assert.True(named.Count > 0, $"no test is named: {line}");
            foreach (Match one in named)
            {
                string type = one.Groups[1].Value, method = one.Groups[2].Value.TrimEnd('*');
                Assert.True(tests.Any(t => t.Contains($"class {type}", StringComparison.Ordinal) && t.Contains($" {method}", StringComparison.Ordinal)), $"there is no {one.Value}");
            }
        }
        Assert.Equal(Enumerable.Range(70, 36).Except(s_elsewhere), covered.Where(item => item is >= 70 and <= 105).Order());
    }

    private static string Root
    {
        get
        {
            for (DirectoryInfo? at = new(AppContext.BaseDirectory); at is not null; at = at.Parent)
            {
                if (File.Exists(Path.Combine(at.FullName, "PacsCluster.sln"))) return at.FullName;
            }
            throw Missing.Because("the sources are not here");
        }
    }

    [GeneratedRegex(@"^\| (C-[0-9].*?) \| (.*) \|$")]
    private static partial Regex Row();

    [GeneratedRegex("C-([0-9]+)")]
    private static partial Regex Number();

    [GeneratedRegex(@"`([A-Za-z0-9]+Tests)\.([A-Za-z0-9_*]+)`")]
    private static partial Regex Named();
}
