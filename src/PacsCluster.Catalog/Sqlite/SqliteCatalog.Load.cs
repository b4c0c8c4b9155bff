using PacsCluster.Catalog.Sqlite;

namespace PacsCluster.Catalog;

public sealed partial class SqliteCatalog
{
    private static readonly string s_studyByUid = $"SELECT {RowFields.StudyColumns}, {RowFields.PatientColumns} "
        + "FROM study s CROSS JOIN patient p ON p.patient_key = s.patient_key WHERE s.study_instance_uid = ?";

    private static readonly string s_seriesOfStudy = $"SELECT {RowFields.SeriesColumns} FROM series r WHERE r.study_key = ? ORDER BY r.series_key";

    private static readonly string s_patientByIdentifier = $"SELECT {RowFields.PatientColumns} FROM patient_identifier n "
        + "CROSS JOIN patient m ON m.patient_key = n.patient_key CROSS JOIN patient p ON p.patient_key = coalesce(m.merged_into, m.patient_key) "
        + "WHERE n.patient_id = ? AND n.issuer = ? AND n.is_primary = 1";

    private static readonly string s_otherIdentifiers = "SELECT n.patient_id, n.issuer FROM patient_identifier n WHERE n.patient_key = ? AND n.is_primary = 0";

    private static readonly string s_instanceByUid = $"SELECT {RowFields.InstanceColumns}, {LocationColumns}, {ListFields.BlobColumns} "
        + $"FROM instance i {LocationJoins} CROSS JOIN blob b ON b.blob_key = i.blob_key WHERE i.sop_instance_uid = ? ORDER BY i.instance_key";

    async ValueTask<LoadedState> ICatalogWriter.LoadAsync(LoadRequest request, CancellationToken ct)
    {
        ct.ThrowIfCancellationRequested();
        long firstKey = request.NewKeys > 0 ? await AllocateKeysAsync(request.NewKeys) : 0;
        // Where the commit will be: there nothing has to be published first.
        return await _writer.ReadAsync(
            database =>
            {
                var state = new LoadedState(firstKey, request.NewKeys);
                foreach (string uid in request.StudyInstanceUids) LoadStudy(database, uid, request.WithClasses, state);
                foreach (PatientIdentifier identifier in request.Patients) LoadPatient(database, identifier, state);
                foreach (string uid in request.SopInstanceUids) LoadInstance(database, uid, state);
                return state;
            });
    }

    private static void LoadStudy(Database database, string uid, bool withClasses, LoadedState state)
    {
        StudyRow study;
        PatientRow patient;
        using (Statement row = database.Prepare(s_studyByUid).Bind(uid))
        {
            if (!row.Step()) return;
            study = RowFields.ReadStudy(row, 0);
            patient = RowFields.ReadPatient(row, RowFields.Count(RowFields.StudyColumns), LoadOtherIdentifiers(database, study.PatientKey));
        }
        List<SeriesRow> series = [];
        using (Statement row = database.Prepare(s_seriesOfStudy).Bind(study.Key))
        {
            while (row.Step()) series.Add(RowFields.ReadSeries(row, 0));
        }
        state.Studies[uid] = new LoadedStudy(study, patient, series) { Classes = withClasses ? LoadClasses(database, study.Key) : [] };
    }

    private static List<ClassCount> LoadClasses(Database database, long studyKey) => ReadRows(
        database.Prepare("SELECT i.series_key, i.sop_class_uid, count(*) FROM series r CROSS JOIN instance i ON i.series_key = r.series_key WHERE r.study_key = ? "
            + "GROUP BY i.series_key, i.sop_class_uid ORDER BY min(i.instance_key)").Bind(studyKey),
        row => new ClassCount(row.Int64(0), row.Text(1), row.Int32(2)));

    private static void LoadPatient(Database database, PatientIdentifier identifier, LoadedState state)
    {
        using Statement row = database.Prepare(s_patientByIdentifier).Bind(identifier.Id).Bind(identifier.Issuer);
        if (row.Step()) state.Patients[identifier] = RowFields.ReadPatient(row, 0, LoadOtherIdentifiers(database, row.Int64(0)));
    }

    private static List<PatientIdentifier> LoadOtherIdentifiers(Database database, long patientKey)
    {
        List<PatientIdentifier> others = [];
        using Statement row = database.Prepare(s_otherIdentifiers).Bind(patientKey);
        while (row.Step()) others.Add(new PatientIdentifier(row.Text(0), row.Text(1)));
        return others;
    }

    private static void LoadInstance(Database database, string uid, LoadedState state)
    {
        using Statement row = database.Prepare(s_instanceByUid).Bind(uid);
        while (row.Step())
        {
            InstanceRow instance = RowFields.ReadInstance(row, 0);
            if (!state.Instances.TryGetValue(uid, out List<StoredInstance>? known)) state.Instances[uid] = known = [];
            int at = RowFields.Count(RowFields.InstanceColumns);
            InstanceLocation location = ListFields.ReadLocation(row, at);
            at += RowFields.Count(ListFields.LocationColumns);
            known.Add(new StoredInstance(instance, location, ListFields.ReadBlob(row, instance.BlobKey, at)));
        }
    }
}
