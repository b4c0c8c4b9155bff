using System.Buffers;
using PacsCluster.Blobs;
using PacsCluster.Catalog;
using PacsCluster.Dicom;

namespace PacsCluster.Engine;

/// <summary>What a walk over the archive can find.</summary>
public enum VerifyProblem
{
    /// <summary>A row refers to a blob that the store does not have. An alarm.</summary>
    BlobMissing,
    /// <summary>A blob row names no copy in this store. An alarm.</summary>
    CopyMissing,
    /// <summary>The blob is longer or shorter than its row says. An alarm.</summary>
    WrongLength,
    /// <summary>The blob's bytes are not those that were stored. An alarm.</summary>
    WrongDigest,
    /// <summary>The blob cannot be read now. An alarm.</summary>
    Unreadable,
    /// <summary>The blob is not the PS3.10 file that the instance's row describes, or its header is not the one in the catalog. An alarm.</summary>
    HeaderMismatch,
    /// <summary>A count kept on a study or series is not the number of its rows. An alarm.</summary>
    WrongCount,
    /// <summary>A blob row that no instance and no quarantine entry needs.</summary>
    UnusedBlobRow,
    /// <summary>A blob that no row refers to and that is old enough for the sweep. Garbage, not a loss.</summary>
    Orphan,
}

/// <summary>One finding. Its text names UIDs and blob keys, nothing of a patient.</summary>
/// <param name="Problem">What.</param>
/// <param name="StoreKey">Blob, or empty.</param>
/// <param name="StudyInstanceUid">Study, or empty.</param>
/// <param name="SopInstanceUid">Instance, or empty.</param>
/// <param name="Detail">More.</param>
public sealed record VerifyFinding(VerifyProblem Problem, string StoreKey, string StudyInstanceUid, string SopInstanceUid, string Detail)
{
    /// <summary>Something is lost or damaged, and a person must act.</summary>
    public bool IsAlarm => Problem is not (VerifyProblem.UnusedBlobRow or VerifyProblem.Orphan);

    /// <summary>One line for a report.</summary>
    public override string ToString()
    {
        string line = $"{(IsAlarm ? "ALARM" : "note")} {Problem}";
        if (StoreKey.Length > 0) line += $" blob {StoreKey}";
        if (StudyInstanceUid.Length > 0) line += $" study {StudyInstanceUid}";
        if (SopInstanceUid.Length > 0) line += $" instance {SopInstanceUid}";
        return Detail.Length > 0 ? $"{line}: {Detail}" : line;
    }
}

/// <summary>How thoroughly to verify.</summary>
public sealed record VerifyOptions
{
    /// <summary>Read every blob and recompute its digest. Default true; false looks at lengths only.</summary>
    public bool Digests { get; init; } = true;

    /// <summary>With <see cref="Digests"/>: parse every blob and compare with the header in the catalog. Default true.</summary>
    public bool Headers { get; init; } = true;

    /// <summary>Blobs read at once. Default 2, 1 to 64.</summary>
    public int Parallel { get; init; } = 2;

    /// <summary>Age from which a blob without a row is reported. Default 24 h, zero or more; younger ones may belong to a store in flight.</summary>
    public TimeSpan OrphanAge { get; init; } = TimeSpan.FromHours(24);
}

/// <summary>How far a walk is.</summary>
/// <param name="Blobs">Blobs looked at.</param>
/// <param name="BlobsTotal">Blobs that the catalog knew when it began.</param>
/// <param name="Bytes">Bytes read.</param>
/// <param name="BytesTotal">Bytes of all of them.</param>
public readonly record struct VerifyProgress(long Blobs, long BlobsTotal, long Bytes, long BytesTotal);

/// <summary>The end of a walk.</summary>
/// <param name="Blobs">Blobs of the catalog that were looked at.</param>
/// <param name="Instances">Instances in them.</param>
/// <param name="Quarantined">Blobs that the quarantine needs.</param>
/// <param name="Bytes">Bytes read.</param>
/// <param name="Counts">Findings by problem.</param>
public sealed record VerifyReport(long Blobs, long Instances, long Quarantined, long Bytes, IReadOnlyDictionary<VerifyProblem, long> Counts)
{
    /// <summary>No alarm: everything that was acknowledged is there as it was stored.</summary>
    public bool IsClean => !Counts.Keys.Any(problem => problem is not (VerifyProblem.UnusedBlobRow or VerifyProblem.Orphan));
}

/// <summary>Walks catalog and blobs and compares them. Reads only; runs beside a working archive.</summary>
public sealed class Verify
{
    private const int BufferBytes = 256 * 1024;
    private const int Page = 500;

    private readonly EngineOptions _options;
    private readonly ICatalog _catalog;
    private readonly IBlobStore _blobs;
    private readonly TimeProvider _time;

    internal Verify(EngineOptions options, ICatalog catalog, IBlobStore blobs, TimeProvider time) => (_options, _catalog, _blobs, _time) = (options, catalog, blobs, time);

    /// <summary>Walks once. Memory is bounded whatever the archive's size.</summary>
    /// <param name="options">How thoroughly.</param>
    /// <param name="found">Called for each finding, one at a time.</param>
    /// <param name="progress">Called after each blob, one at a time; null for nobody.</param>
    /// <param name="cancellationToken">Stops the walk.</param>
    /// <exception cref="CatalogUnavailableException">The catalog cannot answer now.</exception>
    /// <exception cref="BlobStoreUnavailableException">The store cannot be listed.</exception>
    public async Task<VerifyReport> RunAsync(VerifyOptions options, Action<VerifyFinding> found, Action<VerifyProgress>? progress, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(options.Parallel is >= 1 and <= 64, true, nameof(options));
        CatalogCounts totals = await _catalog.CountAsync(cancellationToken);
        var walk = new Walk(found, progress, totals.Blobs, totals.BlobBytes);
        await Parallel.ForEachAsync(_catalog.WalkBlobsAsync(0, cancellationToken),
            new ParallelOptions { MaxDegreeOfParallelism = options.Parallel, CancellationToken = cancellationToken },
            async (entry, token) => walk.Add(entry, await CheckAsync(entry, options, walk, token)));
        await foreach (WrongCount wrong in _catalog.FindWrongCountsAsync(cancellationToken))
        {
            string what = wrong.SeriesInstanceUid.Length > 0 ? $"series {wrong.SeriesInstanceUid}" : "study";
            walk.Find(new VerifyFinding(VerifyProblem.WrongCount, "", wrong.StudyInstanceUid, "", $"{what} says {wrong.Kept}, has {wrong.Actual}"));
        }
        await FindOrphansAsync(options.OrphanAge, walk, cancellationToken);
        return walk.Report();
    }

    private async Task<long> CheckAsync(BlobEntry entry, VerifyOptions options, Walk walk, CancellationToken cancellationToken)
    {
        if (entry.Instances.Count == 0 && !entry.IsQuarantined && !entry.IsRejected && entry.Blob.RetiredAt is null)
            walk.Find(Finding(VerifyProblem.UnusedBlobRow, entry, entry.Copies.Count > 0 ? entry.Copies[0].StoreKey : "", $"row {entry.Blob.Key}"));
        if (entry.Copies.FirstOrDefault(c => c.Store == _blobs.Name) is not { } copy)
        {
            walk.Find(Finding(VerifyProblem.CopyMissing, entry, "", $"row {entry.Blob.Key} has no copy in store {_blobs.Name}"));
            return 0;
        }
        try
        {
            if (options.Digests) return await ReadAsync(entry, copy.StoreKey, options, walk, cancellationToken);
            if (await _blobs.StatAsync(copy.StoreKey, cancellationToken) is not { } stat) throw new BlobNotFoundException(_blobs.Name, copy.StoreKey);
            if (stat.Length != entry.Blob.Length) walk.Find(Finding(VerifyProblem.WrongLength, entry, copy.StoreKey, $"has {stat.Length} bytes, not {entry.Blob.Length}"));
        }
        catch (BlobNotFoundException)
        {
            // A released or deleted quarantine entry takes its row first and its blob after: look whether the row is still there.
            if ((await _catalog.FindUnknownBlobsAsync(_blobs.Name, [copy.StoreKey], cancellationToken)).Count == 0)
                walk.Find(Finding(VerifyProblem.BlobMissing, entry, copy.StoreKey, ""));
        }
        catch (BlobStoreUnavailableException fault)
        {
            walk.Find(Finding(VerifyProblem.Unreadable, entry, copy.StoreKey, fault.Message));
        }
        return 0;
    }

    private async Task<long> ReadAsync(BlobEntry entry, string storeKey, VerifyOptions options, Walk walk, CancellationToken cancellationToken)
    {
        // Only a blob of one file can be parsed as it goes by.
        InstanceLocation? instance = entry.Instances.Count == 1 && entry.Instances[0].Offset == 0 && entry.Instances[0].Length == entry.Blob.Length ? entry.Instances[0] : null;
        using var parser = instance is not null && options.Headers ? new FileParser(instance, _options) : null;
        byte[] buffer = ArrayPool<byte>.Shared.Rent(BufferBytes);
        try
        {
            using BlobDigest digest = BlobDigest.Like(entry.Blob.Digest.Span);
            await using Stream stream = await _blobs.OpenReadAsync(storeKey, 0, -1, cancellationToken);
            long length = 0;
            for (int read; (read = await stream.ReadAtLeastAsync(buffer, buffer.Length, throwOnEndOfStream: false, cancellationToken)) > 0; length += read)
            {
                digest.Append(buffer.AsSpan(0, read));
                parser?.Feed(buffer.AsMemory(0, read));
            }
            if (length != entry.Blob.Length) walk.Find(Finding(VerifyProblem.WrongLength, entry, storeKey, $"has {length} bytes, not {entry.Blob.Length}"));
            else if (!digest.End().AsSpan().SequenceEqual(entry.Blob.Digest.Span)) walk.Find(Finding(VerifyProblem.WrongDigest, entry, storeKey, ""));
            else if (parser is not null && parser.FindMismatch(await HeaderOfAsync(instance!, cancellationToken)) is { } mismatch)
                walk.Find(Finding(VerifyProblem.HeaderMismatch, entry, storeKey, mismatch));
            return length;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private async Task<HeaderRow?> HeaderOfAsync(InstanceLocation instance, CancellationToken cancellationToken)
    {
        var request = new LocateRequest { StudyInstanceUids = [instance.StudyInstanceUid], SopInstanceUids = [instance.SopInstanceUid] };
        await foreach ((InstanceLocation location, HeaderRow header) in _catalog.LocateHeadersAsync(request, cancellationToken))
        {
            if (location.InstanceKey == instance.InstanceKey) return header;
        }
        return null;
    }

    private async Task FindOrphansAsync(TimeSpan age, Walk walk, CancellationToken cancellationToken)
    {
        DateTimeOffset before = _time.GetUtcNow() - age;
        var page = new List<BlobStat>(Page);
        await foreach (BlobStat blob in _blobs.ListAsync(null, cancellationToken))
        {
            if (blob.LastModified > before) continue;
            page.Add(blob);
            if (page.Count == Page) await FindPageAsync();
        }
        await FindPageAsync();

        async Task FindPageAsync()
        {
            if (page.Count == 0) return;
            foreach (string key in await _catalog.FindUnknownBlobsAsync(_blobs.Name, [.. page.Select(b => b.Key)], cancellationToken))
                walk.Find(new VerifyFinding(VerifyProblem.Orphan, key, "", "", "no row refers to it"));
            page.Clear();
        }
    }

    private static VerifyFinding Finding(VerifyProblem problem, BlobEntry entry, string storeKey, string detail) => entry.Instances.Count > 0
        ? new VerifyFinding(problem, storeKey, entry.Instances[0].StudyInstanceUid, entry.Instances[0].SopInstanceUid, detail)
        : new VerifyFinding(problem, storeKey, "", "", detail);

    /// <summary>Counts of one walk, and the gate to its callbacks.</summary>
    private sealed class Walk(Action<VerifyFinding> found, Action<VerifyProgress>? progress, long blobsTotal, long bytesTotal)
    {
        private readonly Lock _lock = new();
        private readonly Dictionary<VerifyProblem, long> _counts = [];
        private long _blobs, _instances, _quarantined, _bytes;

        public void Find(VerifyFinding finding)
        {
            lock (_lock)
            {
                _counts[finding.Problem] = _counts.GetValueOrDefault(finding.Problem) + 1;
                found(finding);
            }
        }

        public void Add(BlobEntry entry, long bytes)
        {
            lock (_lock)
            {
                _blobs++;
                _instances += entry.Instances.Count;
                if (entry.IsQuarantined) _quarantined++;
                _bytes += bytes;
                progress?.Invoke(new VerifyProgress(_blobs, Math.Max(_blobs, blobsTotal), _bytes, Math.Max(_bytes, bytesTotal)));
            }
        }

        public VerifyReport Report()
        {
            lock (_lock) return new VerifyReport(_blobs, _instances, _quarantined, _bytes, new Dictionary<VerifyProblem, long>(_counts));
        }
    }

    /// <summary>Parses a PS3.10 file that goes by and compares it with its row.</summary>
    private sealed class FileParser(InstanceLocation instance, EngineOptions options) : IDisposable
    {
        private readonly PushReader _reader = new(TransferSyntax.FromUid(instance.TransferSyntaxUid), new PushReaderOptions
        {
            BulkThresholdBytes = options.BulkThresholdBytes,
            HeaderMaxBytes = options.HeaderMaxBytes,
        });

        private string? _mismatch;
        private bool _isStarted;

        public void Feed(ReadOnlyMemory<byte> bytes)
        {
            if (_mismatch is not null) return;
            try
            {
                if (!_isStarted)
                {
                    _isStarted = true;
                    FileStart start = Part10.ReadStart(bytes);
                    if (start.DataSetOffset != instance.DataSetOffset) _mismatch = $"data set begins at {start.DataSetOffset}, not {instance.DataSetOffset}";
                    else if (start.TransferSyntax.Uid != instance.TransferSyntaxUid) _mismatch = $"transfer syntax is {start.TransferSyntax.Uid}, not {instance.TransferSyntaxUid}";
                    else bytes = bytes[start.DataSetOffset..];
                }
                if (_mismatch is null) _reader.Feed(bytes.Span);
            }
            catch (DicomFormatException fault)
            {
                _mismatch = fault.Message;
            }
        }

        public string? FindMismatch(HeaderRow? header)
        {
            if (_mismatch is not null) return _mismatch;
            if (header is null) return "the catalog has no header of it";
            try
            {
                _reader.Complete();
                if (_reader.PixelDataOffset != instance.PixelDataOffset) return $"pixel data is at {_reader.PixelDataOffset}, not {instance.PixelDataOffset}";
                if (_reader.HeaderBytes.Span.SequenceEqual(header.Unpack().Span)) return null;
                return FindDifference(header.ToDataSet(instance.TransferSyntaxUid), _reader.Header) is { } tag ? $"{tag} is not as in the catalog" : null;
            }
            catch (DicomFormatException fault)
            {
                return fault.Message;
            }
            catch (InvalidDataException)
            {
                return "the header in the catalog cannot be unpacked";
            }
        }

        // The header was cut by the limits of its day: a long value or a sequence may be in one and not in the other.
        private static Tag? FindDifference(DataSet kept, DataSet read)
        {
            foreach (DataElement element in kept)
            {
                if (read.TryGet(element.Tag, out DataElement other) ? !element.RawValue.Span.SequenceEqual(other.RawValue.Span) : !MayBeLeftOut(element)) return element.Tag;
            }
            foreach (DataElement element in read)
            {
                if (!kept.Contains(element.Tag) && !MayBeLeftOut(element)) return element.Tag;
            }
            return null;
        }

        private static bool MayBeLeftOut(DataElement element) => element.VR.IsBulk() || element.VR == VR.SQ;

        public void Dispose() => _reader.Dispose();
    }
}
