using System.Runtime.ExceptionServices;
using PacsCluster.Catalog.Sqlite;

namespace PacsCluster.Catalog;

public sealed partial class SqliteCatalog
{
    async ValueTask ICatalogWriter.CommitAsync(CatalogChanges changes, CancellationToken ct)
    {
        ct.ThrowIfCancellationRequested();
        if (changes.IsEmpty) return;
        ExceptionDispatchInfo? refused = null;
        try
        {
            await _writer.WriteAsync(
                database =>
                {
                    Write(database, changes);
                    return 0;
                },
                changes.Unflushed is { } blobs ? blobs with { FlushAsync = () => FlushAsync(blobs) } : null);
        }
        catch when (refused is not null)
        {
            refused.Throw();
        }
        changes.MarkStored();

        // What the blobs' store says is not a fault of the catalog.
        async Task FlushAsync(UnflushedBlobs blobs)
        {
            try
            {
                await blobs.FlushAsync();
            }
            catch (Exception fault)
            {
                refused = ExceptionDispatchInfo.Capture(fault);
                throw;
            }
        }
    }

    private void Write(Database database, CatalogChanges changes)
    {
        // In this order everywhere: patients by key, studies by UID, then what hangs on them.
        WritePatients(database, changes);
        WriteStudies(database, changes);
        WriteSeries(database, changes);
        int rejected = Reject(database, changes);
        Remove(database, changes);
        int emptied = RemoveEmptied(database, changes);
        WriteBlobs(database, changes);
        WriteInstances(database, changes);
        WriteMetadataBlocks(database, changes);
        WriteLists(database, changes);
        WriteWork(database, changes);
        WriteTotals(database, changes, rejected, emptied, _time.GetUtcNow());
    }

    private static void WritePatients(Database database, CatalogChanges changes)
    {
        foreach (PatientRow row in changes.NewPatients.OrderBy(p => p.Key))
        {
            RowFields.BindPatient(database.Prepare(RowSql.InsertPatient), row).Run();
            Migrations.WriteNameWords(database, row.Key, row.Attributes[s_patientName]);
            WriteIdentifiers(database, row);
        }
        foreach (PatientRow row in changes.ChangedPatients.OrderBy(p => p.Key))
        {
            Statement update = database.Prepare(row.Attributes.IsStored ? s_updatePatientState : s_updatePatient);
            update.Bind(row.UpdatedAt).Bind(row.MergedInto).Bind(row.Identifier?.Id).Bind(row.Identifier?.Issuer);
            if (!row.Attributes.IsStored) RowFields.BindPatientAttributes(update, row.Attributes);
            if (update.Bind(row.Key).Bind(row.Version).Run() == 0) throw new VersionConflictException("patient", row.Key);
            if (!row.Attributes.IsStored)
            {
                database.Prepare("DELETE FROM patient_name_word WHERE patient_key = ?").Bind(row.Key).Run();
                Migrations.WriteNameWords(database, row.Key, row.Attributes[s_patientName]);
            }
            database.Prepare("DELETE FROM patient_identifier WHERE patient_key = ?").Bind(row.Key).Run();
            WriteIdentifiers(database, row);
        }
        foreach (PatientRow row in changes.UnchangedPatients)
        {
            using Statement same = database.Prepare("SELECT 1 FROM patient WHERE patient_key = ? AND version = ?").Bind(row.Key).Bind(row.Version);
            if (!same.Step()) throw new VersionConflictException("patient", row.Key);
        }
        foreach (PatientMerge merge in changes.Merges) Merge(database, merge);
    }

    private static readonly Dicom.Tag s_patientName = new(0x0010_0010);
    private static readonly string s_updatePatientState = RowSql.UpdatePatientState + " WHERE patient_key = ? AND version = ?";
    private static readonly string s_updatePatient = RowSql.UpdatePatientState + RowSql.UpdatePatientAttributes + " WHERE patient_key = ? AND version = ?";

    private static void WriteIdentifiers(Database database, PatientRow row)
    {
        const string insert = "INSERT INTO patient_identifier (patient_id, issuer, patient_key, is_primary) VALUES (?, ?, ?, ?)";
        if (row.Identifier is { } own) database.Prepare(insert).Bind(own.Id).Bind(own.Issuer).Bind(row.Key).Bind(1).Run();
        foreach (PatientIdentifier other in row.OtherIdentifiers.Distinct()) database.Prepare(insert).Bind(other.Id).Bind(other.Issuer).Bind(row.Key).Bind(0).Run();
    }

    private static void Merge(Database database, PatientMerge merge)
    {
        (PatientRow loser, PatientRow survivor) = merge;
        const string mark = "UPDATE patient SET merged_into = ?, version = version + 1 WHERE patient_key = ? AND version = ? AND merged_into IS NULL";
        if (database.Prepare(mark).Bind(survivor.Key).Bind(loser.Key).Bind(loser.Version).Run() == 0) throw new VersionConflictException("patient", loser.Key);
        const string fence = "UPDATE patient SET version = version + 1 WHERE patient_key = ? AND version = ? AND merged_into IS NULL";
        if (database.Prepare(fence).Bind(survivor.Key).Bind(survivor.Version).Run() == 0) throw new VersionConflictException("patient", survivor.Key);
        database.Prepare("UPDATE patient SET merged_into = ?, version = version + 1 WHERE merged_into = ?").Bind(survivor.Key).Bind(loser.Key).Run();
        database.Prepare("UPDATE study SET patient_key = ?, version = version + 1 WHERE patient_key = ?").Bind(survivor.Key).Bind(loser.Key).Run();
    }

    private static readonly string s_updateStudyState = RowSql.UpdateStudyState + " WHERE study_key = ? AND version = ?";
    private static readonly string s_updateStudy = RowSql.UpdateStudyState + RowSql.UpdateStudyAttributes + " WHERE study_key = ? AND version = ?";

    private static void WriteStudies(Database database, CatalogChanges changes)
    {
        foreach (StudyRow row in changes.NewStudies.OrderBy(s => s.StudyInstanceUid, StringComparer.Ordinal)) RowFields.BindStudy(database.Prepare(RowSql.InsertStudy), row).Run();
        foreach (StudyRow row in changes.ChangedStudies.OrderBy(s => s.StudyInstanceUid, StringComparer.Ordinal))
        {
            Statement update = database.Prepare(row.Attributes.IsStored ? s_updateStudyState : s_updateStudy);
            update.Bind(row.UpdatedAt).Bind(row.PatientKey).Bind((long)row.Status).Bind(row.SeriesCount).Bind(row.InstanceCount)
                .Bind(string.Join(RowFields.Separator, row.ModalitiesInStudy)).Bind(string.Join(RowFields.Separator, row.SopClassesInStudy));
            if (!row.Attributes.IsStored) RowFields.BindAttributes(update, row.Attributes);
            if (update.Bind(row.Key).Bind(row.Version).Run() == 0) throw new VersionConflictException("study", row.Key);
        }
    }

    private static readonly string s_updateSeriesState = RowSql.UpdateSeriesState + " WHERE series_key = ?";
    private static readonly string s_updateSeries = RowSql.UpdateSeriesState + RowSql.UpdateSeriesAttributes + " WHERE series_key = ?";

    private static void WriteSeries(Database database, CatalogChanges changes)
    {
        foreach (SeriesRow row in changes.NewSeries) RowFields.BindSeries(database.Prepare(RowSql.InsertSeries), row).Run();
        foreach (SeriesRow row in changes.ChangedSeries)
        {
            Statement update = database.Prepare(row.Attributes.IsStored ? s_updateSeriesState : s_updateSeries);
            update.Bind(row.UpdatedAt).Bind(row.InstanceCount);
            if (!row.Attributes.IsStored) RowFields.BindAttributes(update, row.Attributes);
            if (update.Bind(row.Key).Run() == 0) throw new VersionConflictException("series", row.Key);
            database.Prepare(DeleteMetadataBlock).Bind(row.Key).Run();
        }
    }

    private static void Remove(Database database, CatalogChanges changes)
    {
        foreach (InstanceRow row in changes.RemovedInstances)
        {
            database.Prepare("DELETE FROM header WHERE instance_key = ?").Bind(row.Key).Run();
            if (database.Prepare("DELETE FROM instance WHERE instance_key = ?").Bind(row.Key).Run() == 0) throw new VersionConflictException("instance", row.Key);
        }
        foreach (SeriesRow row in changes.RemovedSeries)
        {
            database.Prepare(DeleteMetadataBlock).Bind(row.Key).Run();
            if (database.Prepare("DELETE FROM series WHERE series_key = ?").Bind(row.Key).Run() == 0) throw new VersionConflictException("series", row.Key);
        }
        foreach (QuarantineRow row in changes.RemovedQuarantine)
        {
            if (database.Prepare("DELETE FROM quarantine WHERE quarantine_key = ?").Bind(row.Key).Run() == 0) throw new VersionConflictException("quarantine", row.Key);
        }
        RemoveRejected(database, changes);
        foreach (BlobRow row in changes.RemovedBlobs)
        {
            database.Prepare("DELETE FROM blob_copy WHERE blob_key = ?").Bind(row.Key).Run();
            if (database.Prepare("DELETE FROM blob WHERE blob_key = ?").Bind(row.Key).Run() == 0) throw new VersionConflictException("blob", row.Key);
        }
    }

    private static void WriteBlobs(Database database, CatalogChanges changes)
    {
        foreach (BlobRow row in changes.NewBlobs)
        {
            Statement insert = database.Prepare("INSERT INTO blob (blob_key, length, sha256, created_at, original_length, original_sha256) VALUES (?, ?, ?, ?, ?, ?)");
            insert.Bind(row.Key).Bind(row.Length).Bind(row.Digest).Bind(row.CreatedAt).Bind(row.Original?.Length);
            (row.Original is { } original ? insert.Bind(original.Sha256) : insert.BindNull()).Run();
        }
        // In front of the new copies: one that somebody else made meanwhile is a conflict.
        foreach (WantedCopyRow row in changes.SettledCopies)
        {
            if (database.Prepare("DELETE FROM wanted_copy WHERE blob_key = ? AND store = ?").Bind(row.BlobKey).Bind(row.Store).Run() == 0) throw new VersionConflictException("blob", row.BlobKey);
        }
        foreach (BlobCopyRow row in changes.NewCopies)
        {
            database.Prepare("INSERT INTO blob_copy (blob_key, store, store_key, tier, verified_at) VALUES (?, ?, ?, ?, ?)")
                .Bind(row.BlobKey).Bind(row.Store).Bind(row.StoreKey).Bind(row.Tier).Bind(row.VerifiedAt).Run();
        }
        foreach (WantedCopyRow row in changes.WantedCopies)
        {
            database.Prepare("INSERT INTO wanted_copy (blob_key, store, due_at) VALUES (?, ?, ?)").Bind(row.BlobKey).Bind(row.Store).Bind(row.DueAt).Run();
        }
        foreach (WantedCopyRow row in changes.PostponedCopies)
        {
            database.Prepare("UPDATE wanted_copy SET due_at = ? WHERE blob_key = ? AND store = ?").Bind(row.DueAt).Bind(row.BlobKey).Bind(row.Store).Run();
        }
        foreach ((BlobCopyRow row, string old) in changes.ReplacedCopies)
        {
            if (database.Prepare("UPDATE blob_copy SET store_key = ?, tier = ?, verified_at = ? WHERE blob_key = ? AND store = ? AND store_key = ?")
                .Bind(row.StoreKey).Bind(row.Tier).Bind(row.VerifiedAt).Bind(row.BlobKey).Bind(row.Store).Bind(old).Run() == 0) throw new VersionConflictException("blob", row.BlobKey);
        }
        foreach (BlobRow row in changes.RetiredBlobs) database.Prepare("UPDATE blob SET retired_at = ? WHERE blob_key = ?").Bind(row.RetiredAt).Bind(row.Key).Run();
        foreach (BlobCopyRow row in changes.VerifiedCopies)
        {
            database.Prepare("UPDATE blob_copy SET verified_at = ? WHERE blob_key = ? AND store = ?").Bind(row.VerifiedAt).Bind(row.BlobKey).Bind(row.Store).Run();
        }
    }

    private static void WriteInstances(Database database, CatalogChanges changes)
    {
        foreach (InstanceRow row in changes.NewInstances) RowFields.BindInstance(database.Prepare(RowSql.InsertInstance), row).Run();
        foreach (HeaderRow row in changes.NewHeaders)
        {
            Statement insert = database.Prepare("INSERT INTO header (instance_key, encoding, bytes, frames) VALUES (?, ?, ?, ?)").Bind(row.InstanceKey).Bind((long)row.Encoding).Bind(row.Bytes);
            (row.Frames.IsEmpty ? insert.BindNull() : insert.Bind(row.Frames)).Run();
        }
        foreach ((InstanceRow row, long fromBlobKey, HeaderRow header) in changes.RewrittenInstances)
        {
            if (RowFields.BindRewritten(database.Prepare(s_rewriteInstance), row).Bind(row.Key).Bind(fromBlobKey).Run() == 0) throw new VersionConflictException("instance", row.Key);
            Statement update = database.Prepare("UPDATE header SET encoding = ?, bytes = ?, frames = ? WHERE instance_key = ?").Bind((long)header.Encoding).Bind(header.Bytes);
            (header.Frames.IsEmpty ? update.BindNull() : update.Bind(header.Frames)).Bind(row.Key).Run();
        }
    }

    private static readonly string s_rewriteInstance =
        $"UPDATE instance SET {string.Join(", ", RowFields.RewrittenColumns.Select(c => c + " = ?"))} WHERE instance_key = ? AND blob_key = ?";

    private static void WriteLists(Database database, CatalogChanges changes)
    {
        foreach (ConflictRow row in changes.NewConflicts)
        {
            database.Prepare("INSERT INTO conflict (conflict_key, kind, study_instance_uid, sop_instance_uid, detail, source, created_at, resolved_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)")
                .Bind(row.Key).Bind(row.Kind).Bind(row.StudyInstanceUid).Bind(row.SopInstanceUid).Bind(row.Detail).Bind(row.Source).Bind(row.CreatedAt).Bind(row.ResolvedAt).Run();
        }
        foreach (QuarantineRow row in changes.NewQuarantine)
        {
            database.Prepare("INSERT INTO quarantine (quarantine_key, reason, study_instance_uid, series_instance_uid, sop_instance_uid, sop_class_uid, transfer_syntax_uid, blob_key, "
                + "detail, source, received_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
                .Bind(row.Key).Bind(row.Reason).Bind(row.StudyInstanceUid).Bind(row.SeriesInstanceUid).Bind(row.SopInstanceUid).Bind(row.SopClassUid).Bind(row.TransferSyntaxUid)
                .Bind(row.BlobKey).Bind(row.Detail).Bind(row.Source).Bind(row.ReceivedAt).Run();
        }
        if (changes.Outbox.Count == 0) return;
        long last;
        using (Statement take = database.Prepare("UPDATE sequence SET value = value + ? WHERE name = 'outbox' RETURNING value").Bind(changes.Outbox.Count))
        {
            take.Step();
            last = take.Int64(0);
            while (take.Step()) { }
        }
        long sequence = last - changes.Outbox.Count;
        foreach (OutboxRow row in changes.Outbox)
        {
            database.Prepare("INSERT INTO outbox (sequence, kind, study_instance_uid, series_instance_uid, sop_instance_uid, payload, created_at) VALUES (?, ?, ?, ?, ?, ?, ?)")
                .Bind(++sequence).Bind(row.Kind).Bind(row.StudyInstanceUid).Bind(row.SeriesInstanceUid).Bind(row.SopInstanceUid).Bind(row.Payload).Bind(row.CreatedAt).Run();
        }
    }

    private static void WriteTotals(Database database, CatalogChanges changes, int rejected, int emptied, DateTimeOffset now)
    {
        int resolved = 0;
        foreach (long key in changes.ResolvedConflicts)
        {
            resolved += database.Prepare("UPDATE conflict SET resolved_at = ? WHERE conflict_key = ? AND resolved_at IS NULL").Bind(now).Bind(key).Run();
        }
        database.Prepare("UPDATE total SET patients = patients + ?, studies = studies + ?, series = series + ?, instances = instances + ?, blobs = blobs + ?, "
            + "blob_bytes = blob_bytes + ?, quarantined = quarantined + ?, conflicts = conflicts + ? WHERE slot = 0")
            .Bind(changes.NewPatients.Count - emptied).Bind(changes.NewStudies.Count - changes.RemovedStudies.Count).Bind(changes.NewSeries.Count - changes.RemovedSeries.Count)
            .Bind(changes.NewInstances.Count - changes.RemovedInstances.Count - rejected).Bind(changes.NewBlobs.Count - changes.RemovedBlobs.Count)
            .Bind(changes.NewBlobs.Sum(b => b.Length) - changes.RemovedBlobs.Sum(b => b.Length)).Bind(changes.NewQuarantine.Count - changes.RemovedQuarantine.Count)
            .Bind(changes.NewConflicts.Count - resolved).Run();
    }
}
