using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace PacsCluster.Server.Commands;

/// <summary>What an import of one folder has dealt with, so that the same command goes on where it was interrupted: a text file in the data
/// folder, one line per file with its length and time. A line is written after the file's instance is durable; losing the last lines costs
/// only that those files are read again and found to be duplicates.</summary>
internal sealed class ImportJournal : IDisposable
{
    private readonly HashSet<string> _done;
    private readonly StreamWriter _writer;

    /// <summary>Opens the journal of a folder.</summary>
    /// <param name="data">Data folder.</param>
    /// <param name="folder">Folder that is imported, full path.</param>
    /// <param name="again">Forget what was done.</param>
    public ImportJournal(string data, string folder, bool again)
    {
        string journals = Path.Combine(data, "imports");
        Directory.CreateDirectory(journals);
        string name = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(folder)).AsSpan(0, 8));
        string path = Path.Combine(journals, name + ".txt");
        if (again) File.Delete(path);
        _done = File.Exists(path) ? [.. File.ReadLines(path)] : [];
        _writer = new StreamWriter(path, append: true) { AutoFlush = false };
    }

    /// <summary>An earlier run dealt with this file, and it has not changed since.</summary>
    public bool Has(string root, FileInfo file) => _done.Contains(Line(root, file));

    /// <summary>Dealt with.</summary>
    public void Add(string root, FileInfo file)
    {
        lock (_writer) _writer.WriteLine(Line(root, file));
    }

    /// <summary>Hands the lines to the system.</summary>
    public void Flush()
    {
        lock (_writer) _writer.Flush();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_writer) _writer.Dispose();
    }

    private static string Line(string root, FileInfo file) => string.Create(CultureInfo.InvariantCulture,
        $"{file.Length}\t{file.LastWriteTimeUtc.Ticks}\t{Path.GetRelativePath(root, file.FullName).Replace('\n', ' ')}");
}
