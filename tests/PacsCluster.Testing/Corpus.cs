namespace PacsCluster.Testing;

/// <summary>The folder of DICOM files that others made: <c>PACS_CORPUS</c>, else <c>../shared/corpus</c> beside the project's root.</summary>
public static class Corpus
{
    private static readonly Lazy<string?> s_root = new(Find);

    /// <summary>The folder; skips the calling test (or fails it in CI) when it is absent.</summary>
    public static string Root => s_root.Value ?? throw Missing.Because("the corpus is absent: set PACS_CORPUS to its folder");

    /// <summary>Every file under a sub-folder ("" for all), sorted; not the inventory and not texts.</summary>
    public static IReadOnlyList<string> Files(string folder = "") =>
        [.. Directory.EnumerateFiles(Path.Combine(Root, folder), "*", SearchOption.AllDirectories)
            .Where(f => Path.GetDirectoryName(f) != Root).Order(StringComparer.Ordinal)];

    /// <summary>A file by its path under the corpus.</summary>
    public static string File(string path) => Path.Combine(Root, path);

    private static string? Find()
    {
        string? named = Environment.GetEnvironmentVariable("PACS_CORPUS");
        if (!string.IsNullOrEmpty(named)) return Directory.Exists(named) ? named : null;
        for (DirectoryInfo? at = new(AppContext.BaseDirectory); at is not null; at = at.Parent)
        {
            if (!System.IO.File.Exists(Path.Combine(at.FullName, "PacsCluster.sln"))) continue;
            string beside = Path.GetFullPath(Path.Combine(at.FullName, "..", "shared", "corpus"));
            return Directory.Exists(beside) ? beside : null;
        }
        return null;
    }
}
