using Npgsql;
using PacsCluster.Catalog.Postgres;
using static PacsCluster.Catalog.Postgres.Parameters;

namespace PacsCluster.Catalog;

public sealed partial class PostgresCatalog
{
    private static readonly string s_studiesByUid = $"SELECT {RowFields.StudyColumns}, {RowFields.PatientColumns} "
        + "FROM study s JOIN patient p ON p.patient_key = s.patient_key WHERE s.study_instance_uid = ANY($1)";

    private static readonly string s_seriesOfStudies = $"SELECT {RowFields.SeriesColumns} FROM study s JOIN series r ON r.study_key = s.study_key "
        + "WHERE s.study_instance_uid = ANY($1) ORDER BY r.series_key";

    private const string OthersOfStudies = "SELECT n.patient_key, n.patient_id, n.issuer FROM study s JOIN patient_identifier n ON n.patient_key = s.patient_key AND n.is_primary = 0 "
        + "WHERE s.study_instance_uid = ANY($1) GROUP BY n.patient_key, n.patient_id, n.issuer ORDER BY n.patient_id, n.issuer";

    private const string FromIdentifiers = "FROM unnest($1, $2) AS w(id, issuer) JOIN patient_identifier n ON n.patient_id = w.id AND n.issuer = w.issuer AND n.is_primary = 1 "
        + "JOIN patient m ON m.patient_key = n.patient_key ";

    private static readonly string s_patientsByIdentifier = $"SELECT w.id, w.issuer, {RowFields.PatientColumns} {FromIdentifiers}JOIN patient p ON p.patient_key = coalesce(m.merged_into, m.patient_key)";

    private const string OthersOfIdentifiers = $"SELECT o.patient_key, o.patient_id, o.issuer {FromIdentifiers}"
        + "JOIN patient_identifier o ON o.patient_key = coalesce(m.merged_into, m.patient_key) AND o.is_primary = 0 GROUP BY o.patient_key, o.patient_id, o.issuer ORDER BY o.patient_id, o.issuer";

    private const string ClassesOfStudies = "SELECT r.study_key, i.series_key, i.sop_class_uid, count(*) FROM study s JOIN series r ON r.study_key = s.study_key "
        + "JOIN instance i ON i.series_key = r.series_key WHERE s.study_instance_uid = ANY($1) GROUP BY r.study_key, i.series_key, i.sop_class_uid ORDER BY min(i.instance_key)";

    private static readonly string s_instancesByUid = $"SELECT {RowFields.InstanceColumns}, {ListFields.LocationColumns}, {ListFields.BlobColumns} "
        + $"FROM instance i {LocationJoins} JOIN blob b ON b.blob_key = i.blob_key WHERE i.sop_instance_uid = ANY($1) ORDER BY i.instance_key";

    // The order of every commit: patients by key, then studies by UID.
    private const string HoldPatients = "SELECT p.patient_key FROM patient p WHERE p.patient_key = ANY(ARRAY(SELECT s.patient_key FROM study s WHERE s.study_instance_uid = ANY($1) "
        + "UNION SELECT coalesce(m.merged_into, m.patient_key) FROM unnest($2, $3) AS w(id, issuer) JOIN patient_identifier n ON n.patient_id = w.id AND n.issuer = w.issuer AND n.is_primary = 1 "
        + "JOIN patient m ON m.patient_key = n.patient_key)) ORDER BY p.patient_key FOR NO KEY UPDATE";

    private const string HoldStudies = "SELECT s.study_key FROM study s WHERE s.study_instance_uid = ANY($1) ORDER BY s.study_instance_uid FOR NO KEY UPDATE";

    async ValueTask<LoadedState> ICatalogWriter.LoadAsync(LoadRequest request, CancellationToken ct)
    {
        long firstKey = request.NewKeys > 0 ? await AllocateKeysAsync(request.NewKeys, ct) : 0;
        if (request.StudyInstanceUids.Count + request.Patients.Count == 0 && (request.ExpectsNew || request.SopInstanceUids.Count == 0))
            return new LoadedState(firstKey, request.NewKeys) { AssumedNew = request.SopInstanceUids };
        return await _server.RetryAsync(
            _server.Writers,
            async token =>
            {
                NpgsqlConnection connection = await _server.Writers.OpenConnectionAsync(token);
                var state = new LoadedState(firstKey, request.NewKeys) { Hold = request.Exclusive ? new Hold(connection) : null };
                bool isLoaded = false;
                try
                {
                    await LoadAsync(connection, request, state, token);
                    isLoaded = true;
                    return state;
                }
                finally
                {
                    if (!request.Exclusive || !isLoaded) await connection.DisposeAsync();
                }
            },
            ct);
    }

    private static async Task LoadAsync(NpgsqlConnection connection, LoadRequest request, LoadedState state, CancellationToken ct)
    {
        // One round trip: the transaction's begin and end travel with it.
        await using var batch = new NpgsqlBatch(connection);
        if (request.Exclusive)
        {
            // What is locked stays as it is, and each statement behind sees it so.
            Add("BEGIN");
            Add(HoldPatients, Texts(request.StudyInstanceUids), Texts(request.Patients.Select(p => p.Id)), Texts(request.Patients.Select(p => p.Issuer)));
            Add(HoldStudies, Texts(request.StudyInstanceUids));
        }
        bool sharesSnapshot = !request.Exclusive && request.StudyInstanceUids.Count + request.Patients.Count > 0; // one statement has one anyway
        if (sharesSnapshot) Add("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
        if (request.StudyInstanceUids.Count > 0)
        {
            NpgsqlParameter uids = Texts(request.StudyInstanceUids);
            foreach (string sql in (string[])[OthersOfStudies, s_studiesByUid, s_seriesOfStudies]) Add(sql, uids);
            if (request.WithClasses) Add(ClassesOfStudies, uids);
        }
        if (request.Patients.Count > 0)
        {
            (NpgsqlParameter ids, NpgsqlParameter issuers) = (Texts(request.Patients.Select(p => p.Id)), Texts(request.Patients.Select(p => p.Issuer)));
            foreach (string sql in (string[])[OthersOfIdentifiers, s_patientsByIdentifier]) Add(sql, ids, issuers);
        }
        if (request.SopInstanceUids.Count > 0) Add(s_instancesByUid, Texts(request.SopInstanceUids));
        if (sharesSnapshot) Add("COMMIT");
        await batch.PrepareAsync(ct);
        await using NpgsqlDataReader reader = await batch.ExecuteReaderAsync(ct);
        var row = new ReaderRow(reader);
        if (request.Exclusive)
        {
            // The answers of the two locks.
            await reader.NextResultAsync(ct);
            await reader.NextResultAsync(ct);
        }
        if (request.StudyInstanceUids.Count > 0)
        {
            Dictionary<long, List<PatientIdentifier>> others = await ReadOthersAsync(reader, row, ct);
            await ReadStudiesAsync(reader, row, state, others, ct);
            if (request.WithClasses) await ReadClassesAsync(reader, row, state, ct);
        }
        if (request.Patients.Count > 0)
        {
            Dictionary<long, List<PatientIdentifier>> others = await ReadOthersAsync(reader, row, ct);
            while (await reader.ReadAsync(ct)) state.Patients[new PatientIdentifier(row.Text(0), row.Text(1))] = RowFields.ReadPatient(row, 2, others.GetValueOrDefault(row.Int64(2)) ?? []);
            await reader.NextResultAsync(ct);
        }
        if (request.SopInstanceUids.Count > 0) await ReadInstancesAsync(reader, row, state, ct);

        void Add(string sql, params NpgsqlParameter[] parameters)
        {
            var command = new NpgsqlBatchCommand(sql);
            foreach (NpgsqlParameter parameter in parameters) command.Parameters.Add(parameter.Clone());
            batch.BatchCommands.Add(command);
        }
    }

    private static async Task<Dictionary<long, List<PatientIdentifier>>> ReadOthersAsync(NpgsqlDataReader reader, ReaderRow row, CancellationToken ct)
    {
        Dictionary<long, List<PatientIdentifier>> others = [];
        while (await reader.ReadAsync(ct))
        {
            if (!others.TryGetValue(row.Int64(0), out List<PatientIdentifier>? own)) others[row.Int64(0)] = own = [];
            own.Add(new PatientIdentifier(row.Text(1), row.Text(2)));
        }
        await reader.NextResultAsync(ct);
        return others;
    }

    private static async Task ReadStudiesAsync(NpgsqlDataReader reader, ReaderRow row, LoadedState state, Dictionary<long, List<PatientIdentifier>> others, CancellationToken ct)
    {
        Dictionary<long, List<SeriesRow>> series = [];
        int patientAt = RowFields.Count(RowFields.StudyColumns);
        while (await reader.ReadAsync(ct))
        {
            StudyRow study = RowFields.ReadStudy(row, 0);
            PatientRow patient = RowFields.ReadPatient(row, patientAt, others.GetValueOrDefault(study.PatientKey) ?? []);
            state.Studies[study.StudyInstanceUid] = new LoadedStudy(study, patient, series[study.Key] = []);
        }
        await reader.NextResultAsync(ct);
        while (await reader.ReadAsync(ct))
        {
            SeriesRow one = RowFields.ReadSeries(row, 0);
            series[one.StudyKey].Add(one);
        }
        await reader.NextResultAsync(ct);
    }

    private static async Task ReadClassesAsync(NpgsqlDataReader reader, ReaderRow row, LoadedState state, CancellationToken ct)
    {
        Dictionary<long, List<ClassCount>> classes = [];
        while (await reader.ReadAsync(ct))
        {
            if (!classes.TryGetValue(row.Int64(0), out List<ClassCount>? own)) classes[row.Int64(0)] = own = [];
            own.Add(new ClassCount(row.Int64(1), row.Text(2), row.Int32(3)));
        }
        foreach ((string uid, LoadedStudy study) in state.Studies.ToArray()) state.Studies[uid] = study with { Classes = classes.GetValueOrDefault(study.Study.Key) ?? [] };
        await reader.NextResultAsync(ct);
    }

    private static async Task ReadInstancesAsync(NpgsqlDataReader reader, ReaderRow row, LoadedState state, CancellationToken ct)
    {
        int locationAt = RowFields.Count(RowFields.InstanceColumns);
        int blobAt = locationAt + RowFields.Count(ListFields.LocationColumns);
        while (await reader.ReadAsync(ct))
        {
            InstanceRow instance = RowFields.ReadInstance(row, 0);
            if (!state.Instances.TryGetValue(instance.SopInstanceUid, out List<StoredInstance>? known)) state.Instances[instance.SopInstanceUid] = known = [];
            known.Add(new StoredInstance(instance, ListFields.ReadLocation(row, locationAt), ListFields.ReadBlob(row, instance.BlobKey, blobAt)));
        }
        await reader.NextResultAsync(ct);
    }
}
