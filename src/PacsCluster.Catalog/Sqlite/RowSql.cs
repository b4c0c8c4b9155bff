using System.Globalization;

namespace PacsCluster.Catalog.Sqlite;

/// <summary>SQLite's statements that write whole rows, made once from the column table; <see cref="RowFields"/> binds and reads them.</summary>
internal static class RowSql
{
    public static readonly string InsertPatient = Insert("patient", QueryLevel.Patient);
    public static readonly string InsertStudy = Insert("study", QueryLevel.Study);
    public static readonly string InsertSeries = Insert("series", QueryLevel.Series);
    public static readonly string InsertInstance = Insert("instance", QueryLevel.Image);

    public const string UpdatePatientState = "UPDATE patient SET version = version + 1, updated_at = ?, merged_into = ?, patient_id = ?, issuer = ?";
    public const string UpdateStudyState = "UPDATE study SET version = version + 1, updated_at = ?, patient_key = ?, status = ?, series_count = ?, instance_count = ?, "
        + "modalities_in_study = ?, sop_classes_in_study = ?";
    public const string UpdateSeriesState = "UPDATE series SET updated_at = ?, instance_count = ?";

    public static readonly string UpdatePatientAttributes = Assignments(QueryLevel.Patient);
    public static readonly string UpdateStudyAttributes = Assignments(QueryLevel.Study);
    public static readonly string UpdateSeriesAttributes = Assignments(QueryLevel.Series);

    private static string Assignments(QueryLevel level) => string.Concat(RowFields.AttributeNames(level).Select(name => $", {name} = ?"));

    private static string Insert(string table, QueryLevel level)
    {
        string[] names = [.. RowFields.Names(level)];
        return string.Create(CultureInfo.InvariantCulture, $"INSERT INTO {table} ({string.Join(", ", names)}) VALUES ({string.Join(", ", names.Select(_ => "?"))})");
    }
}
