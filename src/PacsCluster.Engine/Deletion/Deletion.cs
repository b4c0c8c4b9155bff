using System.Globalization;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using PacsCluster.Blobs;
using PacsCluster.Catalog;

namespace PacsCluster.Engine;

/// <summary>What to delete.</summary>
public sealed record DeletionRequest
{
    /// <summary>(0020,000D).</summary>
    public required string StudyInstanceUid { get; init; }
    /// <summary>(0020,000E); null for the whole study.</summary>
    public string? SeriesInstanceUid { get; init; }
    /// <summary>(0008,0018); null for all of the series or study.</summary>
    public string? SopInstanceUid { get; init; }
    /// <summary>Who asks for it; for the audit, at most 256 characters.</summary>
    public required string By { get; init; }
    /// <summary>Why, for the audit, at most 1,024 characters.</summary>
    public string Reason { get; init; } = "";
}

/// <summary>What came back of a deletion.</summary>
/// <param name="Restored">Instances that are in their study again.</param>
/// <param name="Dropped">Instances that were stored again meanwhile with the same data set: the newer one stays, the deleted one is gone.</param>
/// <param name="Left">Instances that stay deleted, because another with their UID was stored meanwhile, or because their blob cannot be read now.</param>
public sealed record RestoreReport(int Restored, int Dropped, int Left);

/// <summary>
/// Deletes in two steps: rejecting hides at once from every search and retrieve and can be taken back; purging, by a reminder when <see cref="EngineOptions.DeletionRetention"/> is over,
/// takes rows and then blobs. Both are in the change feed. Thread-safe.
/// </summary>
/// <remarks>An instance that is sent again after its deletion is stored as any new one: who sends it after somebody deleted it wants it here, and the archive cannot tell a mistake from a
/// correction. The deleted one stays in its deletion beside it. Taking the deletion back then keeps what was sent later; see <see cref="RestoreReport"/>.</remarks>
public sealed class Deletion : IDisposable
{
    internal const string Kind = "rejection", PurgeName = "purge";

    private const int ConflictRetries = 10, Page = 200, RestoredAtOnce = 16;

    /// <summary>Longer than any restore, so that a purge that falls due meanwhile waits.</summary>
    private static readonly TimeSpan s_restoreTime = TimeSpan.FromHours(24);

    /// <summary>A purge goes on in another claim after so long, well within a lease.</summary>
    private static readonly TimeSpan s_purgeTime = TimeSpan.FromSeconds(30);

    private readonly EngineOptions _options;
    private readonly ICatalog _catalog;
    private readonly ICatalogWriter _writer;
    private readonly BlobStores _stores;
    private readonly CommitQueue _queue;
    private readonly HeldReader _reader;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly SemaphoreSlim _oneRestore = new(1, 1);

    internal Deletion(EngineOptions options, ICatalog catalog, ICatalogWriter writer, BlobStores stores, CommitQueue queue, TimeProvider time, ILogger logger)
    {
        (_options, _catalog, _writer, _stores, _queue, _time, _logger) = (options, catalog, writer, stores, queue, time, logger);
        _reader = new HeldReader(options, stores);
    }

    /// <summary>Stored wherever that is possible, as a person has said so; but never in the place of what was stored later.</summary>
    private static StorePolicy RestorePolicy { get; } = Quarantine.ReleasePolicy with { DifferentContent = DifferentContentPolicy.KeepFirst };

    internal static ReminderId PurgeOf(long rejectionKey) => new(Kind, rejectionKey.ToString(CultureInfo.InvariantCulture), PurgeName);

    /// <summary>Deletes a study, a series or an instance: when this returns, nothing finds it any more.</summary>
    /// <returns>The deletion, with the key by which it is taken back; null when there is nothing of the kind.</returns>
    /// <exception cref="VersionConflictException">It is being stored into without a pause.</exception>
    /// <exception cref="CatalogUnavailableException">The catalog cannot be read or written now; nothing is deleted.</exception>
    public async Task<RejectionRow?> RejectAsync(DeletionRequest request, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(request);
        if (request.By.Length > 256) throw new ArgumentException("By: at most 256 characters", nameof(request));
        if (request.Reason.Length > 1024) throw new ArgumentException("Reason: at most 1024 characters", nameof(request));
        for (int attempt = 0; ; attempt++)
        {
            try
            {
                return await _queue.AloneAsync(() => TryRejectAsync(request, cancellationToken));
            }
            catch (VersionConflictException) when (attempt < ConflictRetries)
            {
                // Another node stores into the study: decide again on what there is now.
            }
        }
    }

    private async Task<RejectionRow?> TryRejectAsync(DeletionRequest request, CancellationToken ct)
    {
        LoadedState loaded = await _writer.LoadAsync(
            new LoadRequest { StudyInstanceUids = [request.StudyInstanceUid], SopInstanceUids = request.SopInstanceUid is { } uid ? [uid] : [], WithClasses = true, NewKeys = 1 }, ct);
        if (!loaded.Studies.TryGetValue(request.StudyInstanceUid, out LoadedStudy? study)) return null;
        InstanceRow? instance = null;
        SeriesRow? series = request.SeriesInstanceUid is null ? null : study.Series.FirstOrDefault(s => s.SeriesInstanceUid == request.SeriesInstanceUid);
        if (request.SeriesInstanceUid is not null && series is null) return null;
        if (request.SopInstanceUid is not null)
        {
            instance = loaded.Instances.GetValueOrDefault(request.SopInstanceUid)?.Select(i => i.Instance)
                .FirstOrDefault(i => i.StudyKey == study.Study.Key && (series is null || i.SeriesKey == series.Key));
            if (instance is null) return null;
            series = study.Series.First(s => s.Key == instance.SeriesKey);
        }
        DateTimeOffset now = _time.GetUtcNow();
        (CatalogChanges changes, RejectionRow row) = DeletionPlan.Decide(study, series, instance, new RejectionRow
        {
            Key = loaded.NextKey(),
            Level = instance is not null ? QueryLevel.Image : series is not null ? QueryLevel.Series : QueryLevel.Study,
            StudyInstanceUid = request.StudyInstanceUid,
            SeriesInstanceUid = series?.SeriesInstanceUid ?? "",
            SopInstanceUid = instance?.SopInstanceUid ?? "",
            By = request.By,
            Reason = request.Reason,
            InstanceCount = 0,
            RejectedAt = now,
            PurgeAt = now + _options.DeletionRetention,
        }, now + _options.CompletionQuietPeriod);
        await _writer.CommitAsync(changes, ct);
        Log.Rejected(_logger, row.Key, row.Level.ToString(), row.StudyInstanceUid, row.InstanceCount, row.By, row.PurgeAt);
        return row;
    }

    /// <summary>Takes a deletion back, as far as its instances are not purged. When it breaks off (the node dies), what came back is back, and calling it again goes on.</summary>
    /// <returns>What came back; null when there is no such deletion any more.</returns>
    /// <exception cref="CatalogUnavailableException">The catalog cannot be read or written now.</exception>
    public async Task<RestoreReport?> RestoreAsync(long key, string by, CancellationToken cancellationToken)
    {
        await _oneRestore.WaitAsync(cancellationToken);
        try
        {
            if (await _catalog.GetRejectionAsync(key, cancellationToken) is not { } rejection) return null;
            await SetPurgeAsync(key, _time.GetUtcNow() + s_restoreTime, cancellationToken);
            int restored = 0, dropped = 0, left = 0;
            long after = 0;
            for (IReadOnlyList<RejectedEntry> page = await NextAsync(); page.Count > 0; page = await NextAsync())
            {
                // The first alone, which makes the study's row; then several share commits.
                await CountAsync(page[0], cancellationToken);
                await Parallel.ForEachAsync(page.Skip(1), new ParallelOptions { MaxDegreeOfParallelism = RestoredAtOnce, CancellationToken = cancellationToken }, async (entry, ct) => await CountAsync(entry, ct));
                after = page[^1].Row.Key;
            }
            if (left > 0) await SetPurgeAsync(key, rejection.PurgeAt, cancellationToken);
            else await EndAsync(rejection, new OutboxRow
            {
                Kind = Events.RejectionRestored,
                StudyInstanceUid = rejection.StudyInstanceUid,
                SeriesInstanceUid = rejection.SeriesInstanceUid,
                SopInstanceUid = rejection.SopInstanceUid,
                Payload = JsonSerializer.Serialize(new { rejection = key, restored, dropped, left, by }),
                CreatedAt = _time.GetUtcNow(),
            }, null, cancellationToken);
            Log.Restored(_logger, key, by, restored, dropped, left);
            return new RestoreReport(restored, dropped, left);

            async ValueTask<IReadOnlyList<RejectedEntry>> NextAsync() => await _catalog.ListRejectedAsync(key, after, Page, cancellationToken);

            async ValueTask CountAsync(RejectedEntry entry, CancellationToken ct)
            {
                switch (await RestoreAsync(entry, ct))
                {
                    case StoreOutcomeKind.Stored:
                        Interlocked.Increment(ref restored);
                        break;
                    case StoreOutcomeKind.Duplicate:
                        Interlocked.Increment(ref dropped);
                        break;
                    default:
                        Interlocked.Increment(ref left);
                        break;
                }
            }
        }
        finally
        {
            _oneRestore.Release();
        }
    }

    private async Task<StoreOutcomeKind> RestoreAsync(RejectedEntry entry, CancellationToken ct)
    {
        try
        {
            (Candidate? candidate, StoreOutcome? refusal) = await _reader.ReadCandidateAsync(new RejectedInstance(entry), RestorePolicy, ct);
            return (refusal ?? (await _queue.CommitAsync(candidate!, null, ct)).Outcome).Kind;
        }
        catch (Exception fault) when (fault is BlobNotFoundException or BlobStoreUnavailableException)
        {
            Log.RestoreFailed(_logger, fault, entry.Row.SopInstanceUid);
            return StoreOutcomeKind.Failed;
        }
    }

    /// <summary>Purges a deletion now, in place of waiting.</summary>
    /// <returns>False when there is no such deletion any more.</returns>
    /// <exception cref="CatalogUnavailableException">The catalog cannot be read or written now; part may be purged, and the rest will be.</exception>
    public async Task<bool> PurgeAsync(long key, CancellationToken cancellationToken)
    {
        if (await _catalog.GetRejectionAsync(key, cancellationToken) is not { } rejection) return false;
        await PurgeAsync(rejection, TimeSpan.MaxValue, null, cancellationToken);
        return true;
    }

    internal async Task<ReminderResult> HandlePurgeAsync(ReminderRow reminder, CancellationToken ct)
    {
        if (!long.TryParse(reminder.Id.Key, NumberStyles.None, CultureInfo.InvariantCulture, out long key) || await _catalog.GetRejectionAsync(key, ct) is not { } rejection) return ReminderResult.Done;
        return await PurgeAsync(rejection, s_purgeTime, reminder, ct) ? ReminderResult.Settled : ReminderResult.At(_time.GetUtcNow());
    }

    /// <summary>Rows first, then blobs: what a crash leaves between the two is the sweep's. True when all is gone.</summary>
    private async Task<bool> PurgeAsync(RejectionRow rejection, TimeSpan most, ReminderRow? reminder, CancellationToken ct)
    {
        long started = _time.GetTimestamp();
        while (true)
        {
            IReadOnlyList<RejectedEntry> page = await _catalog.ListRejectedAsync(rejection.Key, 0, Page, ct);
            if (page.Count == 0) break;
            var changes = new CatalogChanges();
            changes.RemovedRejected.AddRange(page.Select(e => e.Row));
            changes.RemovedBlobs.AddRange(page.Where(e => !e.IsBlobShared).Select(e => e.Blob));
            await _writer.CommitAsync(changes, ct);
            foreach (BlobCopyRow copy in page.Where(e => !e.IsBlobShared).SelectMany(e => e.Copies)) await _stores.DeleteAsync(copy.Place);
            if (_time.GetElapsedTime(started) > most) return false;
        }
        await EndAsync(rejection, new OutboxRow
        {
            Kind = Events.RejectionPurged,
            StudyInstanceUid = rejection.StudyInstanceUid,
            SeriesInstanceUid = rejection.SeriesInstanceUid,
            SopInstanceUid = rejection.SopInstanceUid,
            Payload = JsonSerializer.Serialize(new { rejection = rejection.Key, by = rejection.By, reason = rejection.Reason }),
            CreatedAt = _time.GetUtcNow(),
        }, reminder, ct);
        Log.Purged(_logger, rejection.Key, rejection.InstanceCount);
        return true;
    }

    private async Task EndAsync(RejectionRow rejection, OutboxRow news, ReminderRow? reminder, CancellationToken ct)
    {
        var changes = new CatalogChanges { RemovedRejections = { rejection }, Outbox = { news } };
        if (reminder is null) changes.CancelledReminders.Add(PurgeOf(rejection.Key));
        else Reminders.Settle(changes, reminder, ReminderResult.Done);
        await _writer.CommitAsync(changes, ct);
    }

    private ValueTask SetPurgeAsync(long key, DateTimeOffset due, CancellationToken ct) =>
        _writer.CommitAsync(new CatalogChanges { Reminders = { new ReminderRow { Id = PurgeOf(key), DueAt = due } } }, ct);

    /// <inheritdoc/>
    public void Dispose() => _oneRestore.Dispose();
}
