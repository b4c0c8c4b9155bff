using System.Buffers;
using PacsCluster.Blobs;
using PacsCluster.Catalog;
using PacsCluster.Dicom;

namespace PacsCluster.Engine;

/// <summary>What a walk over the archive can find.</summary>
public enum VerifyProblem
{
    /// <summary>A row refers to a copy that its store does not have. An alarm.</summary>
    BlobMissing,
    /// <summary>A blob row names no copy in any store. An alarm.</summary>
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
    /// <summary>Name of the blob's store, or empty.</summary>
    public string Store { get; init; } = "";

    /// <summary>It was so, and the copy was made anew from another one.</summary>
    public bool IsRepaired { get; init; }

    /// <summary>Something is lost or damaged, and a person must act.</summary>
    public bool IsAlarm => !IsRepaired && Problem is not (VerifyProblem.UnusedBlobRow or VerifyProblem.Orphan);

    /// <summary>One line for a report.</summary>
    public override string ToString()
    {
        string line = $"{(IsRepaired ? "repaired" : IsAlarm ? "ALARM" : "note")} {Problem}";
        if (StoreKey.Length > 0) line += $" blob {StoreKey}";
        if (Store.Length > 0) line += $" of store {Store}";
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

    /// <summary>Make a copy anew that is missing, cut or has other bytes, from another copy whose digest is right. Default false: nothing is written.</summary>
    public bool Repair { get; init; }

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
/// <param name="Counts">Findings by problem, without what was repaired.</param>
public sealed record VerifyReport(long Blobs, long Instances, long Quarantined, long Bytes, IReadOnlyDictionary<VerifyProblem, long> Counts)
{
    /// <summary>Copies that were made anew.</summary>
    public long Repaired { get; init; }

    /// <summary>Copies that were not looked at, by store: this node has no store of that name.</summary>
    public IReadOnlyDictionary<string, long> Elsewhere { get; init; } = new Dictionary<string, long>();

    /// <summary>Copies that are still to be made, by store.</summary>
    public IReadOnlyDictionary<string, long> Wanted { get; init; } = new Dictionary<string, long>();

    /// <summary>No alarm: everything that was acknowledged is there as it was stored.</summary>
    public bool IsClean => !Counts.Keys.Any(problem => problem is not (VerifyProblem.UnusedBlobRow or VerifyProblem.Orphan));
}

/// <summary>Walks the catalog and every copy of every blob and compares them. Reads only, unless it is to repair; runs beside a working archive.</summary>
public sealed class Verify
{
    private const int BufferBytes = 256 * 1024;
    private const int Page = 500;

    private readonly EngineOptions _options;
    private readonly ICatalog _catalog;
    private readonly ICatalogWriter _writer;
    private readonly BlobStores _stores;
    private readonly TimeProvider _time;

    internal Verify(EngineOptions options, ICatalog catalog, ICatalogWriter writer, BlobStores stores, TimeProvider time) =>
        (_options, _catalog, _writer, _stores, _time) = (options, catalog, writer, stores, time);

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
        foreach (IBlobStore store in _stores.All) await FindOrphansAsync(store, options.OrphanAge, walk, cancellationToken);
        return walk.Report() with { Wanted = await _catalog.CountWantedCopiesAsync(cancellationToken) };
    }

    private async Task<long> CheckAsync(BlobEntry entry, VerifyOptions options, Walk walk, CancellationToken cancellationToken)
    {
        if (entry.Instances.Count == 0 && !entry.IsQuarantined && !entry.IsRejected && entry.Blob.RetiredAt is null)
            walk.Find(Finding(VerifyProblem.UnusedBlobRow, entry, entry.Copies.Count > 0 ? entry.Copies[0] : null, $"row {entry.Blob.Key}"));
        if (entry.Copies.Count == 0) walk.Find(Finding(VerifyProblem.CopyMissing, entry, null, $"row {entry.Blob.Key} has no copy in any store"));
        long bytes = 0;
        foreach (BlobCopyRow copy in entry.Copies)
        {
            if (_stores.Find(copy.Store) is not { } store)
            {
                walk.NotHere(copy.Store);
                continue;
            }
            (VerifyFinding? finding, long read) = await CheckCopyAsync(entry, copy, store, options, cancellationToken);
            bytes += read;
            if (finding is null) continue;
            bool isDamage = finding.Problem is VerifyProblem.BlobMissing or VerifyProblem.WrongLength or VerifyProblem.WrongDigest;
            walk.Find(options.Repair && isDamage ? await RepairAsync(finding, entry, copy, store, cancellationToken) : finding);
        }
        return bytes;
    }

    /// <summary>What is wrong with a copy, or null; and how many bytes of it were read.</summary>
    private async Task<(VerifyFinding? Finding, long Bytes)> CheckCopyAsync(BlobEntry entry, BlobCopyRow copy, IBlobStore store, VerifyOptions options, CancellationToken cancellationToken)
    {
        try
        {
            if (options.Digests) return await ReadAsync(entry, copy, store, options, cancellationToken);
            if (await store.StatAsync(copy.StoreKey, cancellationToken) is not { } stat) throw new BlobNotFoundException(store.Name, copy.StoreKey);
            return (stat.Length == entry.Blob.Length ? null : Finding(VerifyProblem.WrongLength, entry, copy, $"has {stat.Length} bytes, not {entry.Blob.Length}"), 0);
        }
        catch (BlobNotFoundException)
        {
            // A released or deleted quarantine entry takes its row first and its blob after, and so does a repair: look whether the row is still there.
            bool isKnown = (await _catalog.FindUnknownBlobsAsync(store.Name, [copy.StoreKey], cancellationToken)).Count == 0;
            return (isKnown ? Finding(VerifyProblem.BlobMissing, entry, copy, "") : null, 0);
        }
        catch (BlobTamperedException fault)
        {
            return (Finding(VerifyProblem.WrongDigest, entry, copy, fault.Message), 0);
        }
        catch (Exception fault) when (fault is BlobStoreUnavailableException or IOException)
        {
            return (Finding(VerifyProblem.Unreadable, entry, copy, fault.Message), 0);
        }
    }

    /// <summary>Makes a copy anew from another: under a new key, then the row, then the old blob goes.</summary>
    private async Task<VerifyFinding> RepairAsync(VerifyFinding finding, BlobEntry entry, BlobCopyRow copy, IBlobStore store, CancellationToken cancellationToken)
    {
        string why = "there is no other copy";
        foreach (BlobCopy source in _stores.Nearest(entry.Copies.Where(c => c.Store != copy.Store).Select(c => c.Place)))
        {
            try
            {
                (string? key, Exception? fault) = await BlobTransfer.CopyAsync(source, store, entry.Blob, cancellationToken);
                if (key is null)
                {
                    why = fault!.Message;
                    continue;
                }
                try
                {
                    await _writer.CommitAsync(new CatalogChanges { ReplacedCopies = { (copy with { StoreKey = key, VerifiedAt = _time.GetUtcNow() }, copy.StoreKey) } }, CancellationToken.None);
                }
                catch (VersionConflictException)
                {
                    // Deleted meanwhile, or repaired by another.
                    await _stores.DeleteAsync(new BlobPlace(copy.Store, key));
                    return finding with { IsRepaired = true, Detail = "it has gone or was repaired by another meanwhile" };
                }
                await _stores.DeleteAsync(copy.Place);
                return finding with { IsRepaired = true, Detail = $"copied from store {source.Store.Name} as {key}" };
            }
            catch (Exception fault) when (fault is BlobStoreUnavailableException or BlobStoreFullException)
            {
                why = fault.Message;
            }
        }
        return finding with { Detail = $"{finding.Detail}{(finding.Detail.Length > 0 ? "; " : "")}cannot be repaired: {why}" };
    }

    private async Task<(VerifyFinding? Finding, long Bytes)> ReadAsync(BlobEntry entry, BlobCopyRow copy, IBlobStore store, VerifyOptions options, CancellationToken cancellationToken)
    {
        // Only a blob of one file can be parsed as it goes by.
        InstanceLocation? instance = entry.Instances.Count == 1 && entry.Instances[0].Offset == 0 && entry.Instances[0].Length == entry.Blob.Length ? entry.Instances[0] : null;
        using var parser = instance is not null && options.Headers ? new FileParser(instance, _options) : null;
        byte[] buffer = ArrayPool<byte>.Shared.Rent(BufferBytes);
        try
        {
            using BlobDigest digest = BlobDigest.Like(entry.Blob.Digest.Span);
            await using Stream stream = await store.OpenReadAsync(copy.StoreKey, 0, -1, cancellationToken);
            long length = 0;
            for (int read; (read = await stream.ReadAtLeastAsync(buffer, buffer.Length, throwOnEndOfStream: false, cancellationToken)) > 0; length += read)
            {
                digest.Append(buffer.AsSpan(0, read));
                parser?.Feed(buffer.AsMemory(0, read));
            }
            if (length != entry.Blob.Length) return (Finding(VerifyProblem.WrongLength, entry, copy, $"has {length} bytes, not {entry.Blob.Length}"), length);
            if (!digest.End().AsSpan().SequenceEqual(entry.Blob.Digest.Span)) return (Finding(VerifyProblem.WrongDigest, entry, copy, ""), length);
            if (parser is not null && parser.FindMismatch(await HeaderOfAsync(instance!, cancellationToken)) is { } mismatch) return (Finding(VerifyProblem.HeaderMismatch, entry, copy, mismatch), length);
            return (null, length);
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

    private async Task FindOrphansAsync(IBlobStore store, TimeSpan age, Walk walk, CancellationToken cancellationToken)
    {
        DateTimeOffset before = _time.GetUtcNow() - age;
        var page = new List<BlobStat>(Page);
        await foreach (BlobStat blob in store.ListAsync(null, cancellationToken))
        {
            if (blob.LastModified > before) continue;
            page.Add(blob);
            if (page.Count == Page) await FindPageAsync();
        }
        await FindPageAsync();

        async Task FindPageAsync()
        {
            if (page.Count == 0) return;
            foreach (string key in await _catalog.FindUnknownBlobsAsync(store.Name, [.. page.Select(b => b.Key)], cancellationToken))
                walk.Find(new VerifyFinding(VerifyProblem.Orphan, key, "", "", "no row refers to it") { Store = store.Name });
            page.Clear();
        }
    }

    private static VerifyFinding Finding(VerifyProblem problem, BlobEntry entry, BlobCopyRow? copy, string detail) =>
        new(problem, copy?.StoreKey ?? "", entry.Instances.Count > 0 ? entry.Instances[0].StudyInstanceUid : "", entry.Instances.Count > 0 ? entry.Instances[0].SopInstanceUid : "", detail)
        {
            Store = copy?.Store ?? "",
        };

    /// <summary>Counts of one walk, and the gate to its callbacks.</summary>
    private sealed class Walk(Action<VerifyFinding> found, Action<VerifyProgress>? progress, long blobsTotal, long bytesTotal)
    {
        private readonly Lock _lock = new();
        private readonly Dictionary<VerifyProblem, long> _counts = [];
        private readonly Dictionary<string, long> _elsewhere = new(StringComparer.Ordinal);
        private long _blobs, _instances, _quarantined, _bytes, _repaired;

        public void Find(VerifyFinding finding)
        {
            lock (_lock)
            {
                if (finding.IsRepaired) _repaired++;
                else _counts[finding.Problem] = _counts.GetValueOrDefault(finding.Problem) + 1;
                found(finding);
            }
        }

        public void NotHere(string store)
        {
            lock (_lock) _elsewhere[store] = _elsewhere.GetValueOrDefault(store) + 1;
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
            lock (_lock)
            {
                return new VerifyReport(_blobs, _instances, _quarantined, _bytes, new Dictionary<VerifyProblem, long>(_counts))
                {
                    Repaired = _repaired,
                    Elsewhere = new Dictionary<string, long>(_elsewhere),
                };
            }
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
