using System.Runtime.CompilerServices;
using System.Text;
using PacsCluster.Catalog.Sqlite;

namespace PacsCluster.Catalog;

public sealed partial class SqliteCatalog
{
    /// <summary>UIDs asked for in one statement.</summary>
    private const int UidsPerStatement = 200;

    private const string LocationJoins = "CROSS JOIN series r ON r.series_key = i.series_key CROSS JOIN study s ON s.study_key = i.study_key";

    // In the order of the primary key, by store.
    private const string LocationColumns =
        ListFields.BeforeCopies + "(SELECT group_concat(c.store || ' ' || c.store_key) FROM blob_copy c WHERE c.blob_key = i.blob_key)" + ListFields.BehindCopies;

    /// <inheritdoc/>
    public IAsyncEnumerable<InstanceLocation> LocateAsync(LocateRequest request, CancellationToken ct = default) =>
        LocateAsync(request, "", static row => ListFields.ReadLocation(row, 0), ct);

    /// <inheritdoc/>
    public async IAsyncEnumerable<(InstanceLocation Location, HeaderRow Header)> LocateHeadersAsync(LocateRequest request, [EnumeratorCancellation] CancellationToken ct = default)
    {
        await foreach (Tuple<InstanceLocation, HeaderRow> found in LocateAsync(request, ", h.encoding, h.bytes, h.frames", static row => Tuple.Create(ListFields.ReadLocation(row, 0), ListFields.ReadHeader(row)), ct))
        {
            yield return (found.Item1, found.Item2);
        }
    }

    /// <summary>The lowest list drives, in pieces; the lists above narrow what it finds. They are sets in memory: a list may hold thousands.</summary>
    private async IAsyncEnumerable<T> LocateAsync<T>(LocateRequest request, string moreColumns, Func<Statement, T> read, [EnumeratorCancellation] CancellationToken ct)
        where T : class
    {
        HashSet<string>? studies = request.StudyInstanceUids.Count > 0 ? new(request.StudyInstanceUids, StringComparer.Ordinal) : null;
        HashSet<string>? series = request.SeriesInstanceUids.Count > 0 ? new(request.SeriesInstanceUids, StringComparer.Ordinal) : null;
        HashSet<long>? patients = request.Patients.Count > 0 ? await FindPatientsAsync(request.Patients, ct) : null;
        bool isByPatient = request.SopInstanceUids.Count == 0 && series is null && studies is null;
        List<object> driving = request.SopInstanceUids.Count > 0 ? [.. request.SopInstanceUids.Distinct(StringComparer.Ordinal)]
            : series is not null ? [.. series] : studies is not null ? [.. studies] : [.. (patients ?? []).Select(key => (object)key)];
        string joins = moreColumns.Length > 0 ? " CROSS JOIN header h ON h.instance_key = i.instance_key" : "";
        (string from, string order) = request.SopInstanceUids.Count > 0
            ? ("FROM instance i CROSS JOIN series r ON r.series_key = i.series_key CROSS JOIN study s ON s.study_key = i.study_key" + joins + " WHERE i.sop_instance_uid IN (", "")
            : series is not null
            ? ("FROM series r CROSS JOIN study s ON s.study_key = r.study_key CROSS JOIN instance i ON i.series_key = r.series_key" + joins + " WHERE r.series_instance_uid IN (",
                " ORDER BY r.series_key, i.instance_number, i.instance_key")
            : ("FROM study s CROSS JOIN series r ON r.study_key = s.study_key CROSS JOIN instance i ON i.series_key = r.series_key" + joins
                + (isByPatient ? " WHERE s.patient_key IN (" : " WHERE s.study_instance_uid IN ("), " ORDER BY s.study_key, r.series_key, i.instance_number, i.instance_key");

        foreach (object[] piece in driving.Chunk(UidsPerStatement))
        {
            string sql = $"SELECT {LocationColumns}{moreColumns}, s.patient_key {from}{Marks(piece.Length)}){order}";
            int patientColumn = RowFields.Count(LocationColumns) + (moreColumns.Length > 0 ? RowFields.Count(moreColumns) - 1 : 0);
            IAsyncEnumerable<T> rows = StreamAsync(sql, piece, row => Fits(row, patientColumn) ? read(row) : null, ct);
            await foreach (T row in rows) yield return row;
        }

        bool Fits(Statement row, int patientColumn) => (studies is null || studies.Contains(row.Text(3))) && (series is null || series.Contains(row.Text(4)))
            && (patients is null || patients.Contains(row.Int64(patientColumn)));
    }

    /// <summary>Question marks for a list, as many as a power of two that is enough; the rest repeats nothing (NULL equals nothing), so that few texts
    /// serve lists of all lengths.</summary>
    private static string Marks(int count)
    {
        int marks = (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)count);
        var text = new StringBuilder("?", marks * 2);
        for (int i = 1; i < marks; i++) text.Append(",?");
        return text.ToString();
    }

    /// <summary>Binds the values of <see cref="Marks"/>. What is over of the marks is NULL, so that what follows finds its place.</summary>
    private static Statement BindList(Statement statement, IReadOnlyCollection<string> values)
    {
        foreach (string value in values) statement.Bind(value);
        int marks = (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)Math.Max(1, values.Count));
        for (int i = values.Count; i < marks; i++) statement.BindNull();
        return statement;
    }

    private ValueTask<HashSet<long>> FindPatientsAsync(IReadOnlyCollection<(string Id, string? Issuer)> identifiers, CancellationToken ct) => ReadAsync(
        database =>
        {
            HashSet<long> keys = [];
            foreach ((string id, string? issuer) in identifiers)
            {
                using Statement row = database.Prepare("SELECT coalesce(m.merged_into, m.patient_key) FROM patient_identifier n CROSS JOIN patient m ON m.patient_key = n.patient_key "
                    + "WHERE n.patient_id = ? AND n.is_primary = 1 AND n.issuer = coalesce(?, n.issuer)").Bind(id).Bind(issuer);
                while (row.Step()) keys.Add(row.Int64(0));
            }
            return keys;
        },
        ct);
}
