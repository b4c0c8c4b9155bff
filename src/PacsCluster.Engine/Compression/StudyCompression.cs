using System.Globalization;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using PacsCluster.Blobs;
using PacsCluster.Catalog;
using PacsCluster.Dicom;
using PacsCluster.Imaging;

namespace PacsCluster.Engine;

/// <summary>
/// Compresses the instances of complete studies by rule, without loss: a reminder that completion sets. One instance after the other gets a new blob, which is read back and compared, and then one commit
/// puts it in the place of the old one. What cannot be compressed, was changed meanwhile or does not come out the same stays as it is. The old blobs go later, by a reminder of their own.
/// </summary>
internal sealed class StudyCompression
{
    internal const string Kind = "compression", StudyName = "study", RetiredName = "retired", RetiredKey = "blobs";

    private const int ConflictRetries = 10, Page = 200;

    /// <summary>It goes on in another claim after so long, well within a lease.</summary>
    private static readonly TimeSpan s_longestTurn = TimeSpan.FromSeconds(30);

    private static readonly TimeSpan s_retiredInterval = TimeSpan.FromHours(1);

    private readonly EngineOptions _options;
    private readonly ICatalog _catalog;
    private readonly ICatalogWriter _writer;
    private readonly BlobStores _stores;
    private readonly CommitQueue _queue;
    private readonly StudyCompletion _completion;
    private readonly InstanceCompressor _compressor;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;

    public StudyCompression(EngineOptions options, ICatalog catalog, ICatalogWriter writer, BlobStores stores, CommitQueue queue, StudyCompletion completion, FrameCodecs codecs, TimeProvider time, ILogger logger)
    {
        (_options, _catalog, _writer, _stores, _queue, _completion, _time, _logger) = (options, catalog, writer, stores, queue, completion, time, logger);
        _compressor = new InstanceCompressor(options, stores, codecs, time);
    }

    /// <summary>The reminder that compresses a study. Nodes of an older version do not claim its kind.</summary>
    public static ReminderRow ReminderOf(string studyInstanceUid, DateTimeOffset due) => new() { Id = new ReminderId(Kind, studyInstanceUid, StudyName), DueAt = due };

    /// <summary>The reminder that deletes what others took the place of: stands always, so that no swap needs to set one.</summary>
    public static ReminderRow RetiredReminder(DateTimeOffset due) => new() { Id = new ReminderId(Kind, RetiredKey, RetiredName), DueAt = due };

    /// <summary>Goes through a study. The reminder's payload says how far it is, so that what failed is not tried again in each turn.</summary>
    public async Task<ReminderResult> HandleAsync(ReminderRow reminder, CancellationToken ct)
    {
        string study = reminder.Id.Key;
        // One that receives again is completed again, and that sets the reminder anew.
        if (_options.Compression.Rules.Count == 0 || await _catalog.GetContentAsync(study, null, ct) is not { Study.Status: StudyStatus.Complete } content) return ReminderResult.Done;
        long started = _time.GetTimestamp();
        TimeSpan most = _options.ReminderLease / 4 < s_longestTurn ? _options.ReminderLease / 4 : s_longestTurn;
        (long fromSeries, long after) = ReadPlace(reminder.Payload);
        int compressed = 0;
        foreach (SeriesRow series in content.Series.Select(s => s.Series).Where(s => s.Key >= fromSeries))
        {
            if (series.Key != fromSeries) after = 0;
            string modality = series.Attributes[Tags.Modality] ?? "";
            if (!_options.Compression.MayCompress(modality)) continue;
            for (IList<InstanceLocation> page; (page = await FindAsync(study, series, after, ct)).Count > 0;)
            {
                foreach (InstanceLocation location in page)
                {
                    if (await CompressAsync(location, modality, ct)) compressed++;
                    after = location.InstanceKey;
                    if (_time.GetElapsedTime(started) <= most) continue;
                    Log.StudyCompressed(_logger, study, compressed);
                    await PostponeAsync(reminder with { Payload = string.Create(CultureInfo.InvariantCulture, $"{series.Key}/{after}") }, ct);
                    return ReminderResult.Settled;
                }
            }
        }
        if (compressed > 0) Log.StudyCompressed(_logger, study, compressed);
        try
        {
            // Metadata names transfer syntaxes, so the commits have taken the blocks out.
            return await _completion.RepackAsync(study, changes => Reminders.Settle(changes, reminder, ReminderResult.Done), ct) ? ReminderResult.Settled : ReminderResult.Done;
        }
        catch (VersionConflictException)
        {
            return ReminderResult.At(_time.GetUtcNow());
        }
    }

    /// <summary>Deletes originals whose time is over: rows first, then blobs, so that what a crash leaves between the two is the sweep's.</summary>
    public async Task<ReminderResult> HandleRetiredAsync(CancellationToken ct)
    {
        while (true)
        {
            DateTimeOffset now = _time.GetUtcNow(), before = now - _options.Compression.OriginalRetention;
            IReadOnlyList<RetiredBlob> page = await _catalog.ListRetiredBlobsAsync(Page, ct);
            List<RetiredBlob> due = [.. page.Where(b => b.Blob.RetiredAt <= before)];
            if (due.Count == 0)
            {
                DateTimeOffset look = now + s_retiredInterval;
                return ReminderResult.At(page.Count > 0 && page[0].Blob.RetiredAt + _options.Compression.OriginalRetention is { } next && next < look ? next : look);
            }
            var changes = new CatalogChanges();
            changes.RemovedBlobs.AddRange(due.Select(b => b.Blob));
            await _writer.CommitAsync(changes, ct);
            foreach (BlobCopyRow copy in due.SelectMany(b => b.Copies)) await _stores.DeleteAsync(copy.Place);
        }
    }

    private static (long Series, long Instance) ReadPlace(string payload) =>
        payload.Split('/') is [var series, var instance] && long.TryParse(series, NumberStyles.None, CultureInfo.InvariantCulture, out long seriesKey)
        && long.TryParse(instance, NumberStyles.None, CultureInfo.InvariantCulture, out long instanceKey) ? (seriesKey, instanceKey) : (0, 0);

    private async ValueTask PostponeAsync(ReminderRow reminder, CancellationToken ct)
    {
        var changes = new CatalogChanges();
        Reminders.Settle(changes, reminder, ReminderResult.At(_time.GetUtcNow()));
        await _writer.CommitAsync(changes, ct);
    }

    /// <summary>The next instances of a series that lie there uncompressed, by key: they come by their numbers, which is no order to go on in.</summary>
    private async Task<IList<InstanceLocation>> FindAsync(string study, SeriesRow series, long after, CancellationToken ct)
    {
        var page = new SortedList<long, InstanceLocation>(Page + 1);
        await foreach (InstanceLocation location in _catalog.LocateAsync(new LocateRequest { StudyInstanceUids = [study], SeriesInstanceUids = [series.SeriesInstanceUid] }, ct))
        {
            if (location.InstanceKey <= after || location.PixelDataOffset < 0 || TransferSyntax.FromUid(location.TransferSyntaxUid).IsEncapsulated) continue;
            page.Add(location.InstanceKey, location);
            if (page.Count > Page) page.RemoveAt(Page);
        }
        return page.Values;
    }

    private async Task<bool> CompressAsync(InstanceLocation location, string modality, CancellationToken ct)
    {
        // One that receives again is left alone until it is complete.
        if (await LoadAsync(location.StudyInstanceUid, location.SopInstanceUid, location.InstanceKey, 0, ct) is not (_, { Study.Status: StudyStatus.Complete }, { } stored)) return false;
        InstanceRow instance = stored.Instance;
        if (_options.Compression.TargetFor(modality, instance.SopClassUid, instance.Source) is not { } target || TransferSyntax.FromUid(instance.TransferSyntaxUid).IsEncapsulated) return false;
        // A blob that holds others too cannot go when this one leaves it.
        if (!InstanceCompressor.CanHold(instance) || instance.Offset != 0 || instance.Length != stored.Blob.Length) return false;
        try
        {
            CompressedInstance made = await _compressor.CompressAsync(stored, target, ct);
            if (made.Candidate is { } candidate) return await SwapAsync(stored, candidate, made.Original!, ct);
            Log.NotCompressed(_logger, instance.SopInstanceUid, target.Uid, made.Refusal);
        }
        catch (Exception fault) when (fault is DicomFormatException or BlobNotFoundException or BlobTamperedException or InvalidDataException || Imaging(fault) is { Error: not ImagingError.LibraryMissing })
        {
            Log.CompressionFailed(_logger, fault, instance.SopInstanceUid, target.Uid);
        }
        return false;
    }

    private static ImagingException? Imaging(Exception fault) => fault as ImagingException ?? (fault as IOException)?.InnerException as ImagingException;

    /// <summary>Puts the new blob in the place of the old one; deletes it when that is not possible for certain.</summary>
    private async Task<bool> SwapAsync(StoredInstance stored, Candidate candidate, OriginalContent original, CancellationToken ct)
    {
        bool isSwapped = false, isKnown = true;
        try
        {
            for (int attempt = 0; ; attempt++)
            {
                try
                {
                    return isSwapped = await _queue.AloneAsync(() => TrySwapAsync(stored, candidate, original, ct));
                }
                catch (VersionConflictException) when (attempt < ConflictRetries)
                {
                    // Another node wrote to the study: look again whether the instance is still what was compressed.
                }
            }
        }
        catch (VersionConflictException)
        {
            Log.NotCompressed(_logger, stored.Instance.SopInstanceUid, candidate.TransferSyntaxUid, "its study is written to without a pause");
            return false;
        }
        catch (Exception fault) when (fault is CatalogUnavailableException or ObjectDisposedException or OperationCanceledException)
        {
            // A row may refer to it: the sweep looks again, later.
            isKnown = false;
            throw;
        }
        finally
        {
            if (!isSwapped && isKnown)
            {
                await _stores.DeleteAsync(candidate.Place, candidate.MoreCopies);
            }
        }
    }

    private async Task<bool> TrySwapAsync(StoredInstance stored, Candidate candidate, OriginalContent original, CancellationToken ct)
    {
        InstanceRow old = stored.Instance;
        (LoadedState loaded, LoadedStudy? study, StoredInstance? now) = await LoadAsync(stored.Location.StudyInstanceUid, old.SopInstanceUid, old.Key, 1, ct);
        if (study is null || now is null || now.Instance.BlobKey != old.BlobKey) return false;
        DateTimeOffset at = _time.GetUtcNow();
        var blob = new BlobRow(loaded.NextKey(), candidate.Length, candidate.Digest, at) { Original = original };
        InstanceRow row = now.Instance with
        {
            TransferSyntaxUid = candidate.TransferSyntaxUid,
            BlobKey = blob.Key,
            Offset = 0,
            Length = candidate.Length,
            DataSetOffset = candidate.DataSetOffset,
            PixelDataOffset = candidate.PixelDataOffset,
            Attributes = candidate.InstanceAttributes,
        };
        var changes = new CatalogChanges
        {
            NewBlobs = { blob },
            RewrittenInstances = { new RewrittenInstance(row, old.BlobKey, new HeaderRow(row.Key, candidate.HeaderEncoding, candidate.Header, candidate.Frames)) },
            RetiredBlobs = { stored.Blob with { RetiredAt = at } },
            ChangedSeries = { study.Series.First(s => s.Key == row.SeriesKey) },
            ChangedStudies = { study.Study },
            Outbox =
            {
                new OutboxRow
                {
                    Kind = Events.InstanceCompressed,
                    StudyInstanceUid = stored.Location.StudyInstanceUid,
                    SeriesInstanceUid = stored.Location.SeriesInstanceUid,
                    SopInstanceUid = row.SopInstanceUid,
                    Payload = JsonSerializer.Serialize(new { from = old.TransferSyntaxUid, to = row.TransferSyntaxUid, bytesBefore = old.Length, bytesAfter = row.Length }),
                    CreatedAt = at,
                },
            },
        };
        changes.NewCopies.AddRange(candidate.MoreCopies.Prepend(candidate.Place).Select(copy => new BlobCopyRow(blob.Key, copy.Store, copy.Key)));
        changes.WantedCopies.AddRange(candidate.LaterCopies.Select(store => new WantedCopyRow(blob.Key, store, at)));
        await _writer.CommitAsync(changes, ct);
        return true;
    }

    private async Task<(LoadedState Loaded, LoadedStudy? Study, StoredInstance? Instance)> LoadAsync(string study, string sopInstanceUid, long instanceKey, int newKeys, CancellationToken ct)
    {
        LoadedState loaded = await _writer.LoadAsync(new LoadRequest { StudyInstanceUids = [study], SopInstanceUids = [sopInstanceUid], NewKeys = newKeys }, ct);
        return (loaded, loaded.Studies.GetValueOrDefault(study), loaded.Instances.GetValueOrDefault(sopInstanceUid)?.Find(i => i.Instance.Key == instanceKey));
    }
}
