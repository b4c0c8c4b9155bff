using System.Collections.Concurrent;

namespace PacsCluster.Server.Commands;

/// <summary>What became of one file.</summary>
internal enum ImportResult
{
    /// <summary>Stored.</summary>
    Stored,
    /// <summary>Was there already.</summary>
    Duplicate,
    /// <summary>Kept aside for a person to decide.</summary>
    Quarantined,
    /// <summary>Not taken, though it is DICOM.</summary>
    Refused,
    /// <summary>No DICOM, or broken.</summary>
    Unreadable,
    /// <summary>Passed over: a DICOMDIR.</summary>
    Skipped,
}

/// <summary>Numbers of an import, counted from many threads.</summary>
internal sealed class ImportCounts
{
    private readonly long[] _counts = new long[Enum.GetValues<ImportResult>().Length];
    private readonly ConcurrentDictionary<(ImportResult Result, string Reason), (long Count, string Example)> _reasons = new();
    private long _bytes;
    private long _found;
    private long _earlier;

    /// <summary>Files found so far, whether dealt with or not.</summary>
    public long Found => Interlocked.Read(ref _found);

    /// <summary>Files that an earlier run dealt with.</summary>
    public long Earlier => Interlocked.Read(ref _earlier);

    /// <summary>All files have been found.</summary>
    public bool FoundAll { get; set; }

    /// <summary>Number of a kind.</summary>
    public long this[ImportResult result] => Interlocked.Read(ref _counts[(int)result]);

    /// <summary>Files dealt with in this run.</summary>
    public long Done => _counts.Sum();

    /// <summary>Bytes of them.</summary>
    public long Bytes => Interlocked.Read(ref _bytes);

    /// <summary>Why files are not simply stored, with how many and one of them.</summary>
    public IEnumerable<(string Reason, long Count, string Example)> Reasons(ImportResult result) =>
        _reasons.Where(r => r.Key.Result == result).Select(r => (r.Key.Reason, r.Value.Count, r.Value.Example)).OrderByDescending(r => r.Count);

    /// <summary>One more file was found.</summary>
    public void AddFound() => Interlocked.Increment(ref _found);

    /// <summary>One was dealt with earlier.</summary>
    public void AddEarlier() => Interlocked.Increment(ref _earlier);

    /// <summary>Counts one file.</summary>
    public void Add(ImportResult result, long bytes, string? reason, string file)
    {
        Interlocked.Increment(ref _counts[(int)result]);
        Interlocked.Add(ref _bytes, bytes);
        if (reason is not null) _reasons.AddOrUpdate((result, reason), _ => (1, file), (_, old) => (old.Count + 1, old.Example));
    }
}
