using System.Runtime.CompilerServices;
using Npgsql;
using static PacsCluster.Catalog.Postgres.Parameters;

namespace PacsCluster.Catalog;

public sealed partial class PostgresCatalog
{
    private const string LocationJoins = "JOIN series r ON r.series_key = i.series_key JOIN study s ON s.study_key = i.study_key "
        + "CROSS JOIN LATERAL (SELECT string_agg(d.store || ' ' || d.store_key, ',' ORDER BY d.store) AS copies FROM blob_copy d WHERE d.blob_key = i.blob_key) c";

    /// <inheritdoc/>
    public IAsyncEnumerable<InstanceLocation> LocateAsync(LocateRequest request, CancellationToken ct = default) =>
        LocateAsync(request, "", "", static row => ListFields.ReadLocation(row, 0), ct);

    /// <inheritdoc/>
    public async IAsyncEnumerable<(InstanceLocation Location, HeaderRow Header)> LocateHeadersAsync(LocateRequest request, [EnumeratorCancellation] CancellationToken ct = default)
    {
        IAsyncEnumerable<Tuple<InstanceLocation, HeaderRow>> all = LocateAsync(
            request, ", h.encoding, h.bytes, h.frames", " JOIN header h ON h.instance_key = i.instance_key", static row => Tuple.Create(ListFields.ReadLocation(row, 0), ListFields.ReadHeader(row)), ct);
        await foreach (Tuple<InstanceLocation, HeaderRow> found in all) yield return (found.Item1, found.Item2);
    }

    private IAsyncEnumerable<T> LocateAsync<T>(LocateRequest request, string moreColumns, string moreJoins, Func<IRow, T> read, CancellationToken ct)
        where T : class
    {
        List<string> narrow = [];
        List<NpgsqlParameter> parameters = [];
        Narrow("s.study_instance_uid", request.StudyInstanceUids);
        Narrow("r.series_instance_uid", request.SeriesInstanceUids);
        Narrow("i.sop_instance_uid", request.SopInstanceUids);
        if (request.Patients.Count > 0)
        {
            parameters.Add(Texts(request.Patients.Select(p => p.Id)));
            parameters.Add(Texts(request.Patients.Select(p => p.Issuer)));
            narrow.Add("s.patient_key IN (SELECT coalesce(m.merged_into, m.patient_key) "
                + $"FROM unnest(${parameters.Count - 1}, ${parameters.Count}) AS w(id, issuer) JOIN patient_identifier n ON n.patient_id = w.id AND n.is_primary = 1 "
                + "AND n.issuer = coalesce(w.issuer, n.issuer) JOIN patient m ON m.patient_key = n.patient_key)");
        }
        if (narrow.Count == 0) return AsyncEnumerable.Empty<T>();
        string sql = $"SELECT {ListFields.LocationColumns}{moreColumns} FROM instance i {LocationJoins}{moreJoins} WHERE {string.Join(" AND ", narrow)} "
            + "ORDER BY s.study_key, r.series_key, i.instance_number NULLS FIRST, i.instance_key";
        return StreamAsync(sql, parameters, isPrepared: false, read, ct);

        void Narrow(string column, IReadOnlyCollection<string> uids)
        {
            if (uids.Count == 0) return;
            parameters.Add(Texts(uids));
            narrow.Add($"{column} = ANY(${parameters.Count})");
        }
    }
}
