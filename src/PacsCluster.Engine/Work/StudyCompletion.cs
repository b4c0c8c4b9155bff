using System.IO.Compression;
using Microsoft.Extensions.Logging;
using PacsCluster.Catalog;

namespace PacsCluster.Engine;

/// <summary>
/// Completes studies: packs the metadata of each series into a block and says so in the change feed. A study that begins to receive sets its reminder once, in the commit that
/// stores; a reminder that finds the study stored into since then comes again, so that the store path writes nothing for the second instance on. Thread-safe.
/// </summary>
public sealed class StudyCompletion
{
    internal const string Kind = "study", Name = "completion";

    /// <summary>Packed bytes in one commit; a study's blocks beyond go in several.</summary>
    private const long CommitBytes = 8 << 20;

    private const int Attempts = 4;

    private readonly ICatalog _catalog;
    private readonly ICatalogWriter _writer;
    private readonly EngineOptions _options;
    private readonly Func<string> _bulkDataBase;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;

    internal StudyCompletion(EngineOptions options, ICatalog catalog, ICatalogWriter writer, Func<string> bulkDataBase, TimeProvider time, ILogger logger) =>
        (_options, _catalog, _writer, _bulkDataBase, _time, _logger) = (options, catalog, writer, bulkDataBase, time, logger);

    /// <summary>The reminder that completes a study.</summary>
    internal static ReminderRow ReminderOf(string studyInstanceUid, DateTimeOffset due) => new() { Id = new ReminderId(Kind, studyInstanceUid, Name), DueAt = due };

    /// <summary>Completes a study now, however lately something was stored into it.</summary>
    /// <returns>False when there is no such study.</returns>
    /// <exception cref="VersionConflictException">It is being stored into without a pause.</exception>
    /// <exception cref="CatalogUnavailableException">The catalog cannot be read or written now.</exception>
    public async Task<bool> CompleteAsync(string studyInstanceUid, CancellationToken cancellationToken)
    {
        for (int attempt = 1; ; attempt++)
        {
            if (await _catalog.GetContentAsync(studyInstanceUid, null, cancellationToken) is not { } content) return false;
            try
            {
                await CompleteAsync(content, changes => changes.CancelledReminders.Add(ReminderOf(studyInstanceUid, default).Id), thenCompress: true, cancellationToken);
                return true;
            }
            catch (VersionConflictException) when (attempt < Attempts)
            {
                // Something was stored meanwhile: with that, again.
            }
        }
    }

    internal async Task<ReminderResult> HandleAsync(ReminderRow reminder, CancellationToken ct)
    {
        if (await _catalog.GetContentAsync(reminder.Id.Key, null, ct) is not { } content) return ReminderResult.Done;
        DateTimeOffset quietAt = content.Study.UpdatedAt + _options.CompletionQuietPeriod;
        if (quietAt > _time.GetUtcNow()) return ReminderResult.At(quietAt);
        try
        {
            await CompleteAsync(content, changes => Reminders.Settle(changes, reminder, ReminderResult.Done), thenCompress: true, ct);
            return ReminderResult.Settled;
        }
        catch (VersionConflictException)
        {
            // It was stored into while it was packed: it is receiving.
            return ReminderResult.At(_time.GetUtcNow() + _options.CompletionQuietPeriod);
        }
    }

    /// <summary>Packs what the compression of a complete study has taken out, and ends its reminder with it; false when the study is not there or receives again.</summary>
    /// <exception cref="VersionConflictException">It was written to meanwhile.</exception>
    internal async Task<bool> RepackAsync(string studyInstanceUid, Action<CatalogChanges> end, CancellationToken ct)
    {
        if (await _catalog.GetContentAsync(studyInstanceUid, null, ct) is not { Study.Status: StudyStatus.Complete } content) return false;
        await CompleteAsync(content, end, thenCompress: false, ct);
        return true;
    }

    private async Task CompleteAsync(StudyContent content, Action<CatalogChanges> end, bool thenCompress, CancellationToken ct)
    {
        StudyRow study = content.Study;
        string bulkDataBase = _bulkDataBase();
        var changes = new CatalogChanges();
        long bytes = 0;
        foreach ((SeriesRow series, MetadataBlockRow? known) in content.Series)
        {
            if (Metadata.IsOf(known, bulkDataBase)) continue;
            if (bytes > CommitBytes)
            {
                // Each commit is fenced by the study's version and moves it.
                changes.ChangedStudies.Add(study);
                await _writer.CommitAsync(changes, ct);
                study = study with { Version = study.Version + 1 };
                (changes, bytes) = (new CatalogChanges(), 0);
            }
            MetadataBlockRow block = await Metadata.PackAsync(_catalog, study.StudyInstanceUid, series, bulkDataBase, CompressionLevel.Optimal, ct);
            changes.MetadataBlocks.Add(block);
            bytes += block.PackedLength;
        }
        bool isNews = study.Status != StudyStatus.Complete;
        if (isNews || changes.MetadataBlocks.Count > 0) changes.ChangedStudies.Add(study with { Status = StudyStatus.Complete });
        if (isNews) changes.Outbox.Add(new OutboxRow { Kind = Events.StudyCompleted, StudyInstanceUid = study.StudyInstanceUid, CreatedAt = _time.GetUtcNow() });
        if (thenCompress && _options.Compression.Rules.Count > 0) changes.Reminders.Add(StudyCompression.ReminderOf(study.StudyInstanceUid, _time.GetUtcNow()));
        end(changes);
        await _writer.CommitAsync(changes, ct);
        if (isNews) Log.StudyCompleted(_logger, study.StudyInstanceUid, study.SeriesCount, study.InstanceCount);
    }
}
