using Npgsql;
using static PacsCluster.Catalog.Postgres.Parameters;

namespace PacsCluster.Catalog.Postgres;

/// <summary>The statements of one commit: a fixed number whatever the size of the batch, sent together as one transaction and one round trip. A statement that
/// finds a row not as it was read raises <see cref="Fault.ConflictState"/>, and the rest does not run.</summary>
internal sealed class CommitBatch
{
    private static readonly Dicom.Tag s_patientName = new(0x0010_0010);

    private readonly List<(string Sql, List<NpgsqlParameter> Parameters)> _statements = [];

    private CommitBatch() { }

    /// <summary>Everything that the changes want written. Locks are taken in one order: patients by key, studies by UID, then what hangs on them,
    /// which the study's lock covers; the row of totals comes last.</summary>
    /// <param name="changes">The changes.</param>
    /// <param name="token">Of this commit and its repetitions alone: who finds it written knows that the commit happened.</param>
    /// <param name="forget">Marks older than this are of no use to anybody; null leaves them.</param>
    public static CommitBatch Of(CatalogChanges changes, Guid token, Guid? forget)
    {
        var batch = new CommitBatch();
        batch.Add(CommitSql.Mark, Uuid(token));
        if (forget is { } older) batch.Add(CommitSql.ForgetMarks, Uuid(older));
        batch.AddPatients(changes);
        batch.AddStudies(changes);
        batch.AddSeries(changes);
        batch.AddRejections(changes);
        batch.AddRemovals(changes);
        batch.AddBlobs(changes);
        batch.AddRewrites(changes);
        batch.AddLists(changes);
        batch.AddWork(changes);
        batch.AddTotals(changes);
        return batch;
    }

    /// <summary>Runs it. On return it is committed and durable.</summary>
    /// <param name="connection">Where.</param>
    /// <param name="isHeld">In the connection's open transaction, which it ends.</param>
    /// <param name="ct">Cancels.</param>
    public async Task<int> RunAsync(NpgsqlConnection connection, bool isHeld, CancellationToken ct)
    {
        await using var batch = new NpgsqlBatch(connection);
        foreach ((string sql, List<NpgsqlParameter> parameters) in _statements)
        {
            var command = new NpgsqlBatchCommand(sql);
            foreach (NpgsqlParameter parameter in parameters) command.Parameters.Add(parameter.Clone());
            batch.BatchCommands.Add(command);
        }
        if (isHeld) batch.BatchCommands.Add(new NpgsqlBatchCommand("COMMIT"));
        // Kept by the connection: prepared once, no round trip later.
        await batch.PrepareAsync(ct);
        return await batch.ExecuteNonQueryAsync(ct);
    }

    private void AddPatients(CatalogChanges changes)
    {
        List<PatientRow> merged = [.. changes.Merges.SelectMany(m => (PatientRow[])[m.Loser, m.Survivor])];
        List<PatientRow> written = [.. changes.ChangedPatients, .. changes.EmptiedPatients, .. merged];
        if (written.Count > 0)
        {
            // All in one strength, or the order would not be one.
            AddRows(CommitSql.LockPatients, [.. written, .. changes.UnchangedPatients], static (a, p) => a.Bind(p.Key).Bind(p.Version));
            // The earlier losers of a loser are written too.
            if (merged.Count > 0) Add(CommitSql.LockMerged, Numbers(changes.Merges.Select(m => m.Loser.Key)));
        }
        else AddRows(CommitSql.SharePatients, changes.UnchangedPatients, static (a, p) => a.Bind(p.Key).Bind(p.Version));

        AddRows(CommitSql.InsertPatients, changes.NewPatients, static (a, p) => RowFields.BindPatient(a, p));
        AddRows(CommitSql.UpdatePatientStates, [.. changes.ChangedPatients.Where(p => p.Attributes.IsStored)], static (a, p) => BindState(a, p));
        AddRows(CommitSql.UpdatePatients, [.. changes.ChangedPatients.Where(p => !p.Attributes.IsStored)], static (a, p) => RowFields.BindPatientAttributes(BindState(a, p), p.Attributes));
        List<PatientRow> renamed = [.. changes.ChangedPatients.Where(p => !p.Attributes.IsStored)];
        if (renamed.Count > 0) Add(CommitSql.DeleteNameWords, Numbers(renamed.Select(p => p.Key)));
        AddRows(
            CommitSql.InsertNameWords,
            [.. changes.NewPatients.Concat(renamed).SelectMany(p => NameWords.Of(p.Attributes[s_patientName]).Select(w => (p.Key, w.Word, w.Sound)))],
            static (a, w) => a.Bind(w.Key).Bind(w.Word).Bind(w.Sound));
        if (changes.ChangedPatients.Count > 0) Add(CommitSql.DeleteIdentifiers, Numbers(changes.ChangedPatients.Select(p => p.Key)));
        AddRows(
            CommitSql.InsertIdentifiers,
            [.. changes.NewPatients.Concat(changes.ChangedPatients).SelectMany(Identifiers)],
            static (a, i) => a.Bind(i.Identifier.Id).Bind(i.Identifier.Issuer).Bind(i.PatientKey).Bind(i.IsPrimary));

        static RowArrays BindState(RowArrays arrays, PatientRow row) =>
            arrays.Bind(row.Key).Bind(row.UpdatedAt).Bind(row.MergedInto).Bind(row.Identifier?.Id).Bind(row.Identifier?.Issuer);

        static IEnumerable<(PatientIdentifier Identifier, long PatientKey, long IsPrimary)> Identifiers(PatientRow row)
        {
            if (row.Identifier is { } own) yield return (own, row.Key, 1);
            foreach (PatientIdentifier other in row.OtherIdentifiers.Distinct()) yield return (other, row.Key, 0);
        }
    }

    private void AddStudies(CatalogChanges changes)
    {
        List<StudyRow> changed = [.. changes.ChangedStudies.OrderBy(s => s.StudyInstanceUid, StringComparer.Ordinal)];
        List<StudyRow> written = [.. changed, .. changes.RemovedStudies];
        if (changes.Merges.Count > 0)
            Add(CommitSql.LockStudiesAndLosers, Numbers(written.Select(s => s.Key)), Numbers(written.Select(s => s.Version)), Numbers(changes.Merges.Select(m => m.Loser.Key)));
        // One statement that writes them all locks them in order by itself.
        else if (changes.RemovedStudies.Count > 0 || changed.DistinctBy(s => s.Attributes.IsStored).Count() > 1)
            AddRows(CommitSql.LockStudies, written, static (a, s) => a.Bind(s.Key).Bind(s.Version));

        AddRows(CommitSql.UpdateStudyStates, [.. changed.Where(s => s.Attributes.IsStored)], static (a, s) => BindState(a, s));
        AddRows(CommitSql.UpdateStudies, [.. changed.Where(s => !s.Attributes.IsStored)], static (a, s) => RowFields.BindAttributes(BindState(a, s), s.Attributes));
        // Behind the versions looked at, which it moves; one by one: a survivor may be the next one's loser.
        foreach (PatientMerge merge in changes.Merges) AddRows(CommitSql.Merge, [merge], static (a, m) => a.Bind(m.Loser.Key).Bind(m.Survivor.Key));
        AddRows(CommitSql.InsertStudies, changes.NewStudies, static (a, s) => RowFields.BindStudy(a, s));
        if (changes.DecidedOn is { AssumedNew.Count: > 0 } state) Add(CommitSql.ExpectNewInstances, Texts(state.AssumedNew));

        static RowArrays BindState(RowArrays arrays, StudyRow row) => arrays.Bind(row.Key).Bind(row.Version).Bind(row.UpdatedAt).Bind(row.PatientKey).Bind((long)row.Status).Bind(row.SeriesCount)
            .Bind(row.InstanceCount).Bind(string.Join(RowFields.Separator, row.ModalitiesInStudy)).Bind(string.Join(RowFields.Separator, row.SopClassesInStudy));
    }

    private void AddSeries(CatalogChanges changes)
    {
        AddRows(CommitSql.InsertSeries, changes.NewSeries, static (a, r) => RowFields.BindSeries(a, r));
        AddRows(CommitSql.UpdateSeriesStates, [.. changes.ChangedSeries.Where(r => r.Attributes.IsStored)], static (a, r) => BindState(a, r));
        AddRows(CommitSql.UpdateSeries, [.. changes.ChangedSeries.Where(r => !r.Attributes.IsStored)], static (a, r) => RowFields.BindAttributes(BindState(a, r), r.Attributes));

        if (changes.RemovedSeries.Count > 0) Add(CommitSql.DeleteBlocks, Numbers(changes.RemovedSeries.Select(r => r.Key)));

        static RowArrays BindState(RowArrays arrays, SeriesRow row) => arrays.Bind(row.Key).Bind(row.UpdatedAt).Bind(row.InstanceCount);
    }

    private void AddRejections(CatalogChanges changes)
    {
        AddRows(
            CommitSql.InsertRejections,
            [.. changes.NewRejections.Select(r => r.Row)],
            static (a, r) => a.Bind(r.Key).Bind((long)r.Level).Bind(r.StudyInstanceUid).Bind(r.SeriesInstanceUid).Bind(r.SopInstanceUid).Bind(r.By).Bind(r.Reason).Bind(r.InstanceCount)
                .Bind(r.RejectedAt).Bind(r.PurgeAt));
        foreach (NewRejection rejection in changes.NewRejections)
        {
            string which = rejection.InstanceKey is not null ? CommitSql.ThisInstance : rejection.SeriesKey is not null ? CommitSql.InstancesOfSeries : CommitSql.InstancesOfStudy;
            NpgsqlParameter key = Number(rejection.InstanceKey ?? rejection.SeriesKey ?? rejection.StudyKey);
            Add(CommitSql.Reject(which), key, Number(rejection.Row.Key), Text(rejection.Row.StudyInstanceUid), Number(rejection.Row.InstanceCount));
            Add(CommitSql.DeleteHeadersOf(which), key);
            Add(CommitSql.DeleteInstancesOf(which), key);
        }
    }

    private void AddRemovals(CatalogChanges changes)
    {
        if (changes.RemovedInstances.Count > 0)
        {
            NpgsqlParameter keys = Numbers(changes.RemovedInstances.Select(i => i.Key));
            Add(CommitSql.DeleteHeaders, keys);
            Add(CommitSql.DeleteInstances, keys);
        }
        if (changes.RemovedSeries.Count > 0) Add(CommitSql.DeleteSeries, Numbers(changes.RemovedSeries.Select(r => r.Key)));
        if (changes.RemovedQuarantine.Count > 0) Add(CommitSql.DeleteQuarantine, Numbers(changes.RemovedQuarantine.Select(q => q.Key)));
        AddRows(CommitSql.DeleteRejected, changes.RemovedRejected, static (a, r) => a.Bind(r.Key));
        AddRows(CommitSql.DeleteRejections, changes.RemovedRejections, static (a, r) => a.Bind(r.Key));
        if (changes.RemovedBlobs.Count > 0)
        {
            NpgsqlParameter keys = Numbers(changes.RemovedBlobs.Select(b => b.Key));
            Add(CommitSql.DeleteCopies, keys);
            Add(CommitSql.DeleteBlobs, keys);
        }
        AddRows(CommitSql.DeleteStudies, changes.RemovedStudies, static (a, s) => a.Bind(s.Key));
        AddRows(CommitSql.DeleteEmptied, changes.EmptiedPatients, static (a, p) => a.Bind(p.Key));
    }

    private void AddBlobs(CatalogChanges changes)
    {
        // In front of the new copies: one that somebody else made meanwhile is a conflict.
        AddRows(CommitSql.SettleCopies, changes.SettledCopies, static (a, c) => a.Bind(c.BlobKey).Bind(c.Store));
        AddStored(changes);
        AddRows(CommitSql.RetireBlobs, changes.RetiredBlobs, static (a, b) => a.Bind(b.Key).Bind(b.RetiredAt));
        AddRows(CommitSql.InsertWanted, changes.WantedCopies, static (a, c) => a.Bind(c.BlobKey).Bind(c.Store).Bind(c.DueAt));
        AddRows(CommitSql.PostponeCopies, changes.PostponedCopies, static (a, c) => a.Bind(c.BlobKey).Bind(c.Store).Bind(c.DueAt));
        AddRows(
            CommitSql.ReplaceCopies,
            changes.ReplacedCopies,
            static (a, r) => a.Bind(r.Copy.BlobKey).Bind(r.Copy.Store).Bind(r.Copy.StoreKey).Bind(r.Copy.Tier).Bind(r.Copy.VerifiedAt).Bind(r.OldStoreKey));
        AddRows(CommitSql.UpdateVerified, changes.VerifiedCopies, static (a, c) => a.Bind(c.VerifiedAt).Bind(c.BlobKey).Bind(c.Store));
    }

    private void AddStored(CatalogChanges changes)
    {
        (List<BlobRow> blobs, List<BlobCopyRow> copies, List<InstanceRow> instances, List<HeaderRow> headers, List<OutboxRow> outbox) =
            (changes.NewBlobs, changes.NewCopies, changes.NewInstances, changes.NewHeaders, changes.Outbox);
        if (blobs.Count + copies.Count + instances.Count + headers.Count + outbox.Count == 0) return;
        Add(
            CommitSql.InsertStored(blobs.Count, copies.Count, instances.Count, headers.Count, outbox.Count),
            [
                .. RowArrays.Of(blobs, static (a, b) => a.Bind(b.Key).Bind(b.Length).Bind(b.Digest).Bind(b.CreatedAt).Bind(b.Original?.Length).BindSome(b.Original?.Sha256 ?? default)).Parameters,
                .. RowArrays.Of(copies, static (a, c) => a.Bind(c.BlobKey).Bind(c.Store).Bind(c.StoreKey).Bind(c.Tier).Bind(c.VerifiedAt)).Parameters,
                .. RowArrays.Of(instances, static (a, i) => RowFields.BindInstance(a, i)).Parameters,
                .. RowArrays.Of(headers, static (a, h) => a.Bind(h.InstanceKey).Bind((long)h.Encoding).Bind(h.Bytes).BindSome(h.Frames)).Parameters,
                .. RowArrays.Of(outbox, static (a, e) => a.Bind(e.Kind).Bind(e.StudyInstanceUid).Bind(e.SeriesInstanceUid).Bind(e.SopInstanceUid).Bind(e.Payload).Bind(e.CreatedAt)).Parameters,
            ]);
    }

    private void AddRewrites(CatalogChanges changes)
    {
        AddRows(CommitSql.RewriteInstances, changes.RewrittenInstances, static (a, i) => RowFields.BindRewritten(a.Bind(i.Row.Key).Bind(i.FromBlobKey), i.Row));
        AddRows(CommitSql.RewriteHeaders, changes.RewrittenInstances, static (a, i) => a.Bind(i.Row.Key).Bind((long)i.Header.Encoding).Bind(i.Header.Bytes).BindSome(i.Header.Frames));
        AddRows(
            CommitSql.InsertBlocks,
            changes.MetadataBlocks,
            static (a, m) => a.Bind(m.SeriesKey).Bind(m.InstanceCount).Bind(m.BulkDataBase).Bind(m.Length).Bind(m.Crc32).Bind(m.PackedLength).Bind(m.Bytes));
    }

    private void AddLists(CatalogChanges changes)
    {
        AddRows(
            CommitSql.InsertConflicts,
            changes.NewConflicts,
            static (a, c) => a.Bind(c.Key).Bind(c.Kind).Bind(c.StudyInstanceUid).Bind(c.SopInstanceUid).Bind(c.Detail).Bind(c.Source).Bind(c.CreatedAt).Bind(c.ResolvedAt));
        AddRows(
            CommitSql.InsertQuarantine,
            changes.NewQuarantine,
            static (a, q) => a.Bind(q.Key).Bind(q.Reason).Bind(q.StudyInstanceUid).Bind(q.SeriesInstanceUid).Bind(q.SopInstanceUid).Bind(q.SopClassUid).Bind(q.TransferSyntaxUid)
                .Bind(q.BlobKey).Bind(q.Detail).Bind(q.Source).Bind(q.ReceivedAt));
    }

    private void AddWork(CatalogChanges changes)
    {
        AddRows(CommitSql.FinishReminders, changes.FinishedReminders, static (a, r) => BindClaim(a, r));
        AddRows(CommitSql.PostponeReminders, changes.PostponedReminders, static (a, p) => BindClaim(a, p.Claimed).Bind(p.Until).Bind(p.Claimed.Attempts).Bind(p.Claimed.Payload));
        AddRows(CommitSql.AddReminders, changes.NewReminders, static (a, r) => BindId(a, r.Id).Bind(r.DueAt).Bind(r.Payload));
        // One statement sets a row once: of several the last counts.
        AddRows(CommitSql.SetReminders, [.. changes.Reminders.GroupBy(r => r.Id).Select(g => g.Last())], static (a, r) => BindId(a, r.Id).Bind(r.DueAt).Bind(r.Payload));
        AddRows(CommitSql.CancelReminders, changes.CancelledReminders, static (a, id) => BindId(a, id));
        AddRows(
            CommitSql.SetConsumers,
            [.. changes.Consumers.GroupBy(c => c.Name, StringComparer.Ordinal).Select(g => g.MaxBy(c => c.Sequence)!)],
            static (a, c) => a.Bind(c.Name).Bind(c.Sequence).Bind(c.UpdatedAt));
        if (changes.RemovedConsumers.Count > 0) Add(CommitSql.DeleteConsumers, Texts(changes.RemovedConsumers));
        if (changes.TrimOutboxTo > 0) Add(CommitSql.TrimOutbox, Number(changes.TrimOutboxTo));
        foreach ((NodeRow row, DateTimeOffset now) in changes.Nodes.OrderBy(n => n.Row.Name, StringComparer.Ordinal))
        {
            Add(
                CommitSql.LeaseNode,
                Text(row.Name), Text(row.Session), Text(row.Site), Text(string.Join(RowFields.Separator, row.Roles)), Text(string.Join(RowFields.Separator, row.Addresses)),
                Text(row.SoftwareVersion), Number(row.StartedAt.ToUnixTimeMilliseconds()), Number(row.LeasedUntil.ToUnixTimeMilliseconds()), Number(now.ToUnixTimeMilliseconds()));
        }
        AddRows(CommitSql.DeleteNodes, changes.RemovedNodes, static (a, n) => a.Bind(n.Name).Bind(n.Session));

        static RowArrays BindId(RowArrays arrays, ReminderId id) => arrays.Bind(id.Kind).Bind(id.Key).Bind(id.Name);

        static RowArrays BindClaim(RowArrays arrays, ReminderRow row) => BindId(arrays, row.Id).Bind(row.LeasedBy).Bind(row.DueAt);
    }

    private void AddTotals(CatalogChanges changes) => Add(
        CommitSql.UpdateTotals,
        Numbers(changes.ResolvedConflicts),
        Number(changes.NewPatients.Count),
        Number(changes.NewStudies.Count - changes.RemovedStudies.Count),
        Number(changes.NewSeries.Count - changes.RemovedSeries.Count),
        Number(changes.NewInstances.Count - changes.RemovedInstances.Count - changes.NewRejections.Sum(r => r.Row.InstanceCount)),
        Number(changes.NewBlobs.Count - changes.RemovedBlobs.Count),
        Number(changes.NewBlobs.Sum(b => b.Length) - changes.RemovedBlobs.Sum(b => b.Length)),
        Number(changes.NewQuarantine.Count - changes.RemovedQuarantine.Count),
        Number(changes.NewConflicts.Count));

    private void AddRows<T>(RowsSql sql, IReadOnlyCollection<T> rows, Action<RowArrays, T> bind) => AddRows(sql.For(rows.Count), rows, bind);

    private void AddRows<T>(string sql, IReadOnlyCollection<T> rows, Action<RowArrays, T> bind)
    {
        if (rows.Count > 0) Add(sql, [.. RowArrays.Of(rows, bind).Parameters]);
    }

    private void Add(string sql, params List<NpgsqlParameter> parameters) => _statements.Add((sql, parameters));
}
