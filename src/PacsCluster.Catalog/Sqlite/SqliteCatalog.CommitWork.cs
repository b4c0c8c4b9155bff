using PacsCluster.Catalog.Sqlite;

namespace PacsCluster.Catalog;

// The part of a commit that is not storing: deletions, metadata blocks, reminders, readers of the feed, nodes.
public sealed partial class SqliteCatalog
{
    private const string DeleteMetadataBlock = "DELETE FROM metadata_block WHERE series_key = ?";

    private const string ClaimHolds = " WHERE kind = ? AND grain_key = ? AND name = ? AND leased_by = ? AND due_at = ?";

    /// <summary>Moves what was deleted to the list of rejected instances; how many.</summary>
    private static int Reject(Database database, CatalogChanges changes)
    {
        int all = 0;
        foreach ((RejectionRow row, long studyKey, long? seriesKey, long? instanceKey) in changes.NewRejections)
        {
            database.Prepare("INSERT INTO rejection (rejection_key, level, study_instance_uid, series_instance_uid, sop_instance_uid, rejected_by, reason, instance_count, rejected_at, "
                + "purge_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)").Bind(row.Key).Bind((long)row.Level).Bind(row.StudyInstanceUid).Bind(row.SeriesInstanceUid).Bind(row.SopInstanceUid)
                .Bind(row.By).Bind(row.Reason).Bind(row.InstanceCount).Bind(row.RejectedAt).Bind(row.PurgeAt).Run();
            (string scope, long key) = instanceKey is { } instance ? ("i.instance_key = ?", instance) : seriesKey is { } series ? ("i.series_key = ?", series)
                : ("i.series_key IN (SELECT s.series_key FROM series s WHERE s.study_key = ?)", studyKey);
            int moved = database.Prepare("INSERT INTO rejected (rejected_key, rejection_key, study_instance_uid, series_instance_uid, sop_instance_uid, sop_class_uid, transfer_syntax_uid, "
                + "blob_key, blob_offset, length, received_at, source) SELECT i.instance_key, ?, ?, r.series_instance_uid, i.sop_instance_uid, i.sop_class_uid, i.transfer_syntax_uid, "
                + $"i.blob_key, i.blob_offset, i.length, i.received_at, i.source FROM instance i CROSS JOIN series r ON r.series_key = i.series_key WHERE {scope}")
                .Bind(row.Key).Bind(row.StudyInstanceUid).Bind(key).Run();
            if (moved != row.InstanceCount) throw new VersionConflictException("study", studyKey);
            database.Prepare($"DELETE FROM header WHERE instance_key IN (SELECT i.instance_key FROM instance i WHERE {scope})").Bind(key).Run();
            database.Prepare($"DELETE FROM instance AS i WHERE {scope}").Bind(key).Run();
            all += moved;
        }
        return all;
    }

    /// <summary>Takes studies out, then patients that have none left; how many patients.</summary>
    private static int RemoveEmptied(Database database, CatalogChanges changes)
    {
        foreach (StudyRow row in changes.RemovedStudies)
        {
            if (database.Prepare("DELETE FROM study WHERE study_key = ? AND version = ?").Bind(row.Key).Bind(row.Version).Run() == 0) throw new VersionConflictException("study", row.Key);
        }
        int emptied = 0;
        foreach (PatientRow row in changes.EmptiedPatients)
        {
            using (Statement needed = database.Prepare("SELECT p.version, EXISTS (SELECT 1 FROM study WHERE patient_key = p.patient_key) "
                + "OR EXISTS (SELECT 1 FROM patient m WHERE m.merged_into = p.patient_key) FROM patient p WHERE p.patient_key = ?").Bind(row.Key))
            {
                if (!needed.Step() || needed.Int64(0) != row.Version) throw new VersionConflictException("patient", row.Key);
                if (needed.Int64(1) != 0) continue;
            }
            database.Prepare("DELETE FROM patient_identifier WHERE patient_key = ?").Bind(row.Key).Run();
            database.Prepare("DELETE FROM patient_name_word WHERE patient_key = ?").Bind(row.Key).Run();
            emptied += database.Prepare("DELETE FROM patient WHERE patient_key = ?").Bind(row.Key).Run();
        }
        return emptied;
    }

    private static void RemoveRejected(Database database, CatalogChanges changes)
    {
        foreach (RejectedRow row in changes.RemovedRejected)
        {
            if (database.Prepare("DELETE FROM rejected WHERE rejected_key = ? AND rejection_key = ?").Bind(row.Key).Bind(row.RejectionKey).Run() == 0)
                throw new VersionConflictException("rejection", row.RejectionKey);
        }
        foreach (RejectionRow row in changes.RemovedRejections)
        {
            if (database.Prepare("DELETE FROM rejection WHERE rejection_key = ?").Bind(row.Key).Run() == 0) throw new VersionConflictException("rejection", row.Key);
        }
    }

    private static void WriteMetadataBlocks(Database database, CatalogChanges changes)
    {
        foreach (MetadataBlockRow row in changes.MetadataBlocks)
        {
            database.Prepare("INSERT OR REPLACE INTO metadata_block (series_key, instance_count, bulk_data_base, length, crc32, packed_length, bytes) VALUES (?, ?, ?, ?, ?, ?, ?)")
                .Bind(row.SeriesKey).Bind(row.InstanceCount).Bind(row.BulkDataBase).Bind(row.Length).Bind(row.Crc32).Bind(row.PackedLength).Bind(row.Bytes).Run();
        }
    }

    private static void WriteWork(Database database, CatalogChanges changes)
    {
        const string insert = "INSERT INTO reminder (kind, grain_key, name, due_at, leased_until, leased_by, attempts, payload) VALUES (?, ?, ?, ?, NULL, NULL, 0, ?) ON CONFLICT (kind, grain_key, name) ";
        foreach (ReminderRow row in changes.FinishedReminders) BindClaim(BindId(database.Prepare("DELETE FROM reminder" + ClaimHolds), row.Id), row).Run();
        foreach ((ReminderRow row, DateTimeOffset until) in changes.PostponedReminders)
        {
            Statement postpone = database.Prepare("UPDATE reminder SET due_at = ?, leased_until = NULL, leased_by = NULL, attempts = ?, payload = ?" + ClaimHolds);
            BindClaim(BindId(postpone.Bind(until).Bind(row.Attempts).Bind(row.Payload), row.Id), row).Run();
        }
        foreach (ReminderRow row in changes.NewReminders) BindId(database.Prepare(insert + "DO NOTHING"), row.Id).Bind(row.DueAt).Bind(row.Payload).Run();
        foreach (ReminderRow row in changes.Reminders)
        {
            BindId(database.Prepare(insert + "DO UPDATE SET due_at = excluded.due_at, leased_until = NULL, leased_by = NULL, attempts = 0, payload = excluded.payload"), row.Id)
                .Bind(row.DueAt).Bind(row.Payload).Run();
        }
        foreach (ReminderId id in changes.CancelledReminders) BindId(database.Prepare("DELETE FROM reminder WHERE kind = ? AND grain_key = ? AND name = ?"), id).Run();

        foreach (ConsumerRow row in changes.Consumers)
        {
            database.Prepare("INSERT INTO consumer (name, sequence, updated_at) VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE SET sequence = max(consumer.sequence, excluded.sequence), "
                + "updated_at = excluded.updated_at").Bind(row.Name).Bind(row.Sequence).Bind(row.UpdatedAt).Run();
        }
        foreach (string name in changes.RemovedConsumers) database.Prepare("DELETE FROM consumer WHERE name = ?").Bind(name).Run();
        if (changes.TrimOutboxTo > 0) database.Prepare("DELETE FROM outbox WHERE sequence <= ?").Bind(changes.TrimOutboxTo).Run();

        foreach ((NodeRow row, DateTimeOffset now) in changes.Nodes)
        {
            int written = database.Prepare("INSERT INTO node (name, site, roles, addresses, software_version, started_at, leased_until, session) VALUES (?, ?, ?, ?, ?, ?, ?, ?) "
                + "ON CONFLICT (name) DO UPDATE SET site = excluded.site, roles = excluded.roles, addresses = excluded.addresses, software_version = excluded.software_version, "
                + "started_at = excluded.started_at, leased_until = excluded.leased_until, session = excluded.session WHERE node.session = excluded.session OR node.leased_until <= ?")
                .Bind(row.Name).Bind(row.Site).Bind(string.Join(RowFields.Separator, row.Roles)).Bind(string.Join(RowFields.Separator, row.Addresses)).Bind(row.SoftwareVersion)
                .Bind(row.StartedAt).Bind(row.LeasedUntil).Bind(row.Session).Bind(now).Run();
            if (written == 0) throw new VersionConflictException("node", 0);
        }
        foreach (NodeRow row in changes.RemovedNodes) database.Prepare("DELETE FROM node WHERE name = ? AND session = ?").Bind(row.Name).Bind(row.Session).Run();
    }

    private static Statement BindId(Statement statement, ReminderId id) => statement.Bind(id.Kind).Bind(id.Key).Bind(id.Name);

    private static Statement BindClaim(Statement statement, ReminderRow row) => statement.Bind(row.LeasedBy).Bind(row.DueAt);
}
