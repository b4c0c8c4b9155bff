using System.Text.Json;
using PacsCluster.Catalog;
using PacsCluster.Dicom;

namespace PacsCluster.Engine;

/// <summary>Decides a deletion: the rows as they are without what goes. Pure.</summary>
internal static class DeletionPlan
{
    private static readonly Tag s_modality = new(0x00080060);

    /// <summary>Rows of a deletion.</summary>
    /// <param name="study">The study, loaded with its classes.</param>
    /// <param name="series">Only this series, or null.</param>
    /// <param name="instance">Only this instance, with its series; or null.</param>
    /// <param name="row">The deletion; its count is filled in here.</param>
    /// <param name="completeAt">When what is left of the study is packed anew.</param>
    /// <returns>The rows, and the deletion as written.</returns>
    public static (CatalogChanges Changes, RejectionRow Row) Decide(LoadedStudy study, SeriesRow? series, InstanceRow? instance, RejectionRow row, DateTimeOffset completeAt)
    {
        var changes = new CatalogChanges();
        int count = instance is not null ? 1 : series?.InstanceCount ?? study.Study.InstanceCount;
        bool isWholeSeries = series is not null && series.InstanceCount == count;
        row = row with { InstanceCount = count };
        changes.NewRejections.Add(new NewRejection(row, study.Study.Key, series?.Key, instance?.Key));
        if (count == study.Study.InstanceCount)
        {
            changes.RemovedStudies.Add(study.Study);
            changes.RemovedSeries.AddRange(study.Series);
            changes.EmptiedPatients.Add(study.Patient);
            changes.CancelledReminders.Add(StudyCompletion.ReminderOf(study.Study.StudyInstanceUid, default).Id);
        }
        else
        {
            if (isWholeSeries) changes.RemovedSeries.Add(series!);
            else changes.ChangedSeries.Add(series! with { InstanceCount = series.InstanceCount - count, UpdatedAt = row.RejectedAt });
            changes.ChangedStudies.Add(Without(study, series!, instance, isWholeSeries, row));
            // The series' block went with the instance.
            changes.Reminders.Add(StudyCompletion.ReminderOf(study.Study.StudyInstanceUid, completeAt));
        }
        changes.Outbox.Add(Event(row));
        changes.Reminders.Add(new ReminderRow { Id = Deletion.PurgeOf(row.Key), DueAt = row.PurgeAt });
        return (changes, row);
    }

    private static StudyRow Without(LoadedStudy study, SeriesRow series, InstanceRow? instance, bool isWholeSeries, RejectionRow row) => study.Study with
    {
        SeriesCount = study.Study.SeriesCount - (isWholeSeries ? 1 : 0),
        InstanceCount = study.Study.InstanceCount - row.InstanceCount,
        // Series come in the order of their keys, classes in that of their first instances: in both, of first arrival.
        ModalitiesInStudy = [.. study.Series.Where(s => !isWholeSeries || s.Key != series.Key).Select(s => s.Attributes[s_modality]).OfType<string>().Where(m => m.Length > 0).Distinct(StringComparer.Ordinal)],
        SopClassesInStudy = [.. study.Classes.Where(c => c.SeriesKey != series.Key || !isWholeSeries && (c.SopClassUid != instance!.SopClassUid || c.Count > 1)).Select(c => c.SopClassUid).Distinct(StringComparer.Ordinal)],
        UpdatedAt = row.RejectedAt,
    };

    private static OutboxRow Event(RejectionRow row) => new()
    {
        Kind = row.Level switch
        {
            QueryLevel.Study => Events.StudyRejected,
            QueryLevel.Series => Events.SeriesRejected,
            _ => Events.InstanceRejected,
        },
        StudyInstanceUid = row.StudyInstanceUid,
        SeriesInstanceUid = row.SeriesInstanceUid,
        SopInstanceUid = row.SopInstanceUid,
        Payload = JsonSerializer.Serialize(new { rejection = row.Key, instances = row.InstanceCount, by = row.By, reason = row.Reason }),
        CreatedAt = row.RejectedAt,
    };
}
