using System.Runtime.CompilerServices;
using System.Runtime.Serialization;
using System.Security.Cryptography;
using Microsoft.Win32.SafeHandles;

namespace PacsCluster.Blobs;

/// <summary>Where and how blobs lie in files.</summary>
public sealed record FileBlobStoreOptions
{
    /// <summary>Folder; made when missing (its parent must exist). One file system: temporary files lie in it too. Relative to the data folder, where there is one.</summary>
    public required string Folder { get; init; }

    /// <summary>Name under which the catalog knows this store. Default <c>files</c>.</summary>
    [IgnoreDataMember]
    public string Name { get; init; } = "files";

    /// <summary>Commits that wait for the disk at once, each on a thread of its own. More wait in line. Default 16; 1 to 256. The disk's journal
    /// takes waiting ones in one go, so fewer threads than associations cost throughput.</summary>
    public int CommitThreads { get; init; } = 16;

    /// <summary>Blobs put into one sub-folder before the next is begun. Default 2,000; 1 to 100,000.</summary>
    public int BlobsPerFolder { get; init; } = 2000;

    /// <summary>Blobs of up to so many bytes, whose length is known when they begin, lie many in a file. Default 1,048,576 (1 MiB); 0 (each has its own file) to 64 MiB.</summary>
    public int PackedMaxBytes { get; init; } = 1024 * 1024;

    /// <summary>Bytes after which the next such file is begun. Default 125,829,120 (120 MiB, which most file systems give in one piece); 1 MiB to 64 GiB.</summary>
    public long PackMaxBytes { get; init; } = 120L * 1024 * 1024;

    /// <summary>Such files written at once. Default 1, which is one flush for all that come together; more where a file system lets one writer at a time into a file. 1 to 64.</summary>
    public int PacksAtOnce { get; init; } = 1;

    /// <summary>What is wrong with the options, a line each; empty when nothing is.</summary>
    public IReadOnlyList<string> Validate()
    {
        List<string> errors = [];
        if (string.IsNullOrWhiteSpace(Folder)) errors.Add($"{nameof(Folder)}: must name a folder");
        if (string.IsNullOrWhiteSpace(Name)) errors.Add($"{nameof(Name)}: must not be empty");
        if (CommitThreads is < 1 or > 256) errors.Add($"{nameof(CommitThreads)}: 1 to 256");
        if (BlobsPerFolder is < 1 or > 100_000) errors.Add($"{nameof(BlobsPerFolder)}: 1 to 100000");
        if (PackedMaxBytes is < 0 or > 64 * 1024 * 1024) errors.Add($"{nameof(PackedMaxBytes)}: 0 to 67108864");
        if (PackMaxBytes is < 1024 * 1024 or > 64L * 1024 * 1024 * 1024) errors.Add($"{nameof(PackMaxBytes)}: 1048576 to 68719476736");
        if (PacksAtOnce is < 1 or > 64) errors.Add($"{nameof(PacksAtOnce)}: 1 to 64");
        return errors;
    }
}

/// <summary>
/// Small blobs lie many in a file (<see cref="Pack"/>, <c>packs/ab/pab…</c>); others in files <c>ab/cd/abcd…</c>, written as <c>tmp/abcd…</c> first. Files written one
/// after the other share a sub-folder (their keys start alike), because a new folder costs more than a new file and neighbours on disk are read together.
/// </summary>
public sealed partial class FileBlobStore : IBlobStore
{
    /// <summary>A temporary file that nobody has locked is left alone for so long: between making and locking it there is a moment.</summary>
    private static readonly TimeSpan s_temporaryMinAge = TimeSpan.FromMinutes(1);

    /// <summary>Memory of so many blobs that have gone is kept for the next ones: of those in packs, and of large ones.</summary>
    private const int BuffersKept = 16, DoublesKept = 8;

    private readonly FileBlobStoreOptions _options;
    private readonly TimeProvider _time;
    private readonly string _temporaryFolder;
    private readonly Lock _folderLock = new();
    private readonly Queue<LocalWriter> _commits = new();
    private readonly Pool<PackBuffer> _buffers;
    private readonly Pool<DoubleBuffer> _doubles = new(() => new DoubleBuffer(), DoublesKept);
    private int _committers;
    private int _idleCommitters;
    private bool _commitsEnding;
    private string _folderDigits = "";
    private int _folderBlobs;

    /// <summary>Opens the store: makes its folder durably and sweeps temporary files that a crash left.</summary>
    /// <exception cref="BlobStoreUnavailableException">The folder cannot be made or written.</exception>
    /// <exception cref="BlobStoreFullException">No room for a folder.</exception>
    public FileBlobStore(FileBlobStoreOptions options, TimeProvider time)
    {
        if (options.Validate() is { Count: > 0 } errors) throw new ArgumentException(string.Join("; ", errors), nameof(options));
        _options = options with { Folder = Path.GetFullPath(options.Folder) };
        _time = time;
        _packs = new Pack?[options.PacksAtOnce];
        _buffers = new Pool<PackBuffer>(() => new PackBuffer(options.PackedMaxBytes), BuffersKept);
        _temporaryFolder = Path.Combine(_options.Folder, "tmp");
        try
        {
            Directory.CreateDirectory(_temporaryFolder);
            if (Path.GetDirectoryName(_options.Folder) is { } parent) Durable.FlushFolder(parent);
            Durable.FlushFolder(_options.Folder);
            SweepTemporaryFiles();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Fault("the folder cannot be used", e);
        }
    }

    /// <inheritdoc/>
    public string Name => _options.Name;

    /// <inheritdoc/>
    public ValueTask<BlobWriter> CreateAsync(CancellationToken ct = default)
    {
        ct.ThrowIfCancellationRequested();
        try
        {
            string key = NextFolderDigits() + RandomNumberGenerator.GetHexString(28, lowercase: true);
            string temporary = Path.Combine(_temporaryFolder, key);
            return ValueTask.FromResult<BlobWriter>(new FileBlobWriter(this, key, temporary, PathOf(key)));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Fault("a file cannot be made", e);
        }
    }

    /// <inheritdoc/>
    public ValueTask<Stream> OpenReadAsync(string key, long offset = 0, long length = -1, CancellationToken ct = default)
    {
        ct.ThrowIfCancellationRequested();
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        try
        {
            if (Pack.TryParse(key, out string id, out long at)) return ValueTask.FromResult<Stream>(OpenPacked(key, id, at, offset, length));
            if (!BlobKey.IsValid(key)) throw new BlobNotFoundException(Name, key);
            SafeFileHandle file = FileRangeStream.Open(PathOf(key));
            return ValueTask.FromResult<Stream>(new FileRangeStream(file, 0, RandomAccess.GetLength(file), offset, length));
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new BlobNotFoundException(Name, key, e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Fault("a blob cannot be read", e);
        }
    }

    /// <inheritdoc/>
    public ValueTask DeleteAsync(string key, CancellationToken ct = default)
    {
        ct.ThrowIfCancellationRequested();
        try
        {
            // Not flushed: a blob that a power cut brings back is an orphan, and the sweep deletes it again.
            if (Pack.TryParse(key, out string id, out long at)) Pack.Delete(Pack.PathOf(_options.Folder, id), id, at);
            else if (BlobKey.IsValid(key)) File.Delete(PathOf(key));
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Fault("a blob cannot be deleted", e);
        }
        return ValueTask.CompletedTask;
    }

    /// <inheritdoc/>
    public ValueTask<BlobStat?> StatAsync(string key, CancellationToken ct = default)
    {
        ct.ThrowIfCancellationRequested();
        try
        {
            if (Pack.TryParse(key, out string id, out long at)) return ValueTask.FromResult(StatPacked(id, at));
            return ValueTask.FromResult(BlobKey.IsValid(key) ? Stat(new FileInfo(PathOf(key))) : null);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Fault("a blob cannot be looked at", e);
        }
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<BlobStat> ListAsync(string? afterKey = null, [EnumeratorCancellation] CancellationToken ct = default)
    {
        SweepTemporaryFiles();
        foreach (string outer in SubFolders(_options.Folder))
        {
            if (afterKey is not null && string.CompareOrdinal(outer, 0, afterKey, 0, 2) < 0) continue;
            foreach (string inner in SubFolders(Path.Combine(_options.Folder, outer)))
            {
                if (afterKey is not null && string.CompareOrdinal(outer + inner, 0, afterKey, 0, 4) < 0) continue;
                // One folder's names are held at once. The yield lets others have the thread between folders.
                await Task.Yield();
                foreach (string key in Names(Path.Combine(_options.Folder, outer, inner), folders: false))
                {
                    ct.ThrowIfCancellationRequested();
                    if (!BlobKey.IsValid(key) || string.CompareOrdinal(key, afterKey) <= 0) continue;
                    if (Stat(new FileInfo(PathOf(key))) is { } stat) yield return stat;
                }
            }
        }
        await foreach (BlobStat stat in ListPackedAsync(afterKey, ct)) yield return stat;
    }

    /// <summary>Ends the commit threads after the commits that wait. Writers still open are left to their owners.</summary>
    public ValueTask DisposeAsync()
    {
        lock (_commits)
        {
            _commitsEnding = true;
            Monitor.PulseAll(_commits);
        }
        lock (_packLock)
        {
            foreach (Pack? pack in _packs) pack?.Release();
            Array.Clear(_packs);
        }
        _buffers.Dispose();
        _doubles.Dispose();
        return ValueTask.CompletedTask;
    }

    /// <summary>The fault for what the file system said.</summary>
    internal Exception Fault(string what, Exception inner) =>
        Durable.IsFull(inner) ? new BlobStoreFullException(Name, inner) : new BlobStoreUnavailableException(Name, what, inner);

    /// <summary>Deletes temporary files that no living writer, of this process or another, has locked.</summary>
    internal void SweepTemporaryFiles()
    {
        foreach (string path in Directory.EnumerateFiles(_temporaryFolder))
        {
            try
            {
                if (_time.GetUtcNow() - File.GetLastWriteTimeUtc(path) < s_temporaryMinAge) continue;
                using (File.OpenHandle(path, FileMode.Open, FileAccess.Write, FileShare.None)) File.Delete(path);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // Locked by its writer, or gone meanwhile: not ours to sweep.
            }
        }
    }

    private string PathOf(string key) => Path.Combine(_options.Folder, key[..2], key[2..4], key);

    private static BlobStat? Stat(FileInfo file) =>
        file.Exists ? new BlobStat(file.Name, file.Length, new DateTimeOffset(file.LastWriteTimeUtc, TimeSpan.Zero)) : null;

    private static IEnumerable<string> SubFolders(string folder) =>
        Names(folder, folders: true).Where(n => n.Length == 2 && BlobKey.AreDigits(n));

    private static string[] Names(string folder, bool folders)
    {
        try
        {
            string[] names = [.. (folders ? Directory.EnumerateDirectories(folder) : Directory.EnumerateFiles(folder)).Select(p => Path.GetFileName(p))];
            Array.Sort(names, StringComparer.Ordinal);
            return names;
        }
        catch (DirectoryNotFoundException)
        {
            return [];
        }
    }

    /// <summary>The first four digits of the next key: a sub-folder that durably exists.</summary>
    private string NextFolderDigits()
    {
        lock (_folderLock)
        {
            if (_folderDigits.Length > 0 && _folderBlobs++ < _options.BlobsPerFolder) return _folderDigits;
            string digits = RandomNumberGenerator.GetHexString(4, lowercase: true);
            string outer = Path.Combine(_options.Folder, digits[..2]);
            Directory.CreateDirectory(Path.Combine(outer, digits[2..]));
            // Also when they were there already: who made them may have died before flushing.
            Durable.FlushFolder(_options.Folder);
            Durable.FlushFolder(outer);
            _folderBlobs = 1;
            return _folderDigits = digits;
        }
    }
}
