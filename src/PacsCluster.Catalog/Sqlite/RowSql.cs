using System.Globalization;

namespace PacsCluster.Catalog.Sqlite;

/// <summary>The statements that write and read whole rows, made once from the column table, and their binding and reading in the same order.</summary>
internal static class RowSql
{
    public const string Separator = "\\";

    public static readonly string PatientColumns = "p.patient_key, p.version, p.created_at, p.updated_at, p.merged_into, p.patient_id, p.issuer" + Attributes("p.", QueryLevel.Patient);
    public static readonly string StudyColumns = "s.study_key, s.version, s.created_at, s.updated_at, s.patient_key, s.study_instance_uid, s.status, "
        + "s.series_count, s.instance_count, s.modalities_in_study, s.sop_classes_in_study" + Attributes("s.", QueryLevel.Study);
    public static readonly string SeriesColumns = "r.series_key, r.created_at, r.updated_at, r.study_key, r.series_instance_uid, r.instance_count" + Attributes("r.", QueryLevel.Series);
    public static readonly string InstanceColumns = "i.instance_key, i.series_key, i.study_key, i.sop_instance_uid, i.sop_class_uid, i.transfer_syntax_uid, i.blob_key, i.blob_offset, "
        + "i.length, i.data_set_offset, i.pixel_data_offset, i.received_at, i.source" + Attributes("i.", QueryLevel.Image);

    public static readonly string InsertPatient = Insert("patient", "patient_key, version, created_at, updated_at, merged_into, patient_id, issuer", QueryLevel.Patient,
        ", patient_name_ideographic, patient_name_phonetic");
    public static readonly string InsertStudy = Insert("study", "study_key, version, created_at, updated_at, patient_key, study_instance_uid, status, series_count, "
        + "instance_count, modalities_in_study, sop_classes_in_study", QueryLevel.Study);
    public static readonly string InsertSeries = Insert("series", "series_key, created_at, updated_at, study_key, series_instance_uid, instance_count", QueryLevel.Series);
    public static readonly string InsertInstance = Insert("instance", "instance_key, series_key, study_key, sop_instance_uid, sop_class_uid, transfer_syntax_uid, blob_key, "
        + "blob_offset, length, data_set_offset, pixel_data_offset, received_at, source", QueryLevel.Image);

    public const string UpdatePatientState = "UPDATE patient SET version = version + 1, updated_at = ?, merged_into = ?, patient_id = ?, issuer = ?";
    public const string UpdateStudyState = "UPDATE study SET version = version + 1, updated_at = ?, patient_key = ?, status = ?, series_count = ?, instance_count = ?, "
        + "modalities_in_study = ?, sop_classes_in_study = ?";
    public const string UpdateSeriesState = "UPDATE series SET updated_at = ?, instance_count = ?";

    public static readonly string UpdatePatientAttributes = Assignments(QueryLevel.Patient) + ", patient_name_ideographic = ?, patient_name_phonetic = ?";
    public static readonly string UpdateStudyAttributes = Assignments(QueryLevel.Study);
    public static readonly string UpdateSeriesAttributes = Assignments(QueryLevel.Series);

    private static readonly Dicom.Tag s_patientName = new(0x0010_0010);

    public static Statement BindPatient(Statement statement, PatientRow row)
    {
        statement.Bind(row.Key).Bind(row.Version + 1).Bind(row.CreatedAt).Bind(row.UpdatedAt).Bind(row.MergedInto).Bind(row.Identifier?.Id).Bind(row.Identifier?.Issuer);
        return BindPatientAttributes(statement, row.Attributes);
    }

    public static Statement BindPatientAttributes(Statement statement, AttributeValues attributes)
    {
        BindAttributes(statement, attributes);
        var name = Dicom.PersonName.Parse(attributes[s_patientName]);
        return statement.Bind(name.Ideographic.IsEmpty ? null : name.Ideographic.Fold()).Bind(name.Phonetic.IsEmpty ? null : name.Phonetic.Fold());
    }

    public static Statement BindStudy(Statement statement, StudyRow row)
    {
        statement.Bind(row.Key).Bind(row.Version + 1).Bind(row.CreatedAt).Bind(row.UpdatedAt).Bind(row.PatientKey).Bind(row.StudyInstanceUid).Bind((long)row.Status)
            .Bind(row.SeriesCount).Bind(row.InstanceCount).Bind(string.Join(Separator, row.ModalitiesInStudy)).Bind(string.Join(Separator, row.SopClassesInStudy));
        return BindAttributes(statement, row.Attributes);
    }

    public static Statement BindSeries(Statement statement, SeriesRow row)
    {
        statement.Bind(row.Key).Bind(row.CreatedAt).Bind(row.UpdatedAt).Bind(row.StudyKey).Bind(row.SeriesInstanceUid).Bind(row.InstanceCount);
        return BindAttributes(statement, row.Attributes);
    }

    public static Statement BindInstance(Statement statement, InstanceRow row)
    {
        statement.Bind(row.Key).Bind(row.SeriesKey).Bind(row.StudyKey).Bind(row.SopInstanceUid).Bind(row.SopClassUid).Bind(row.TransferSyntaxUid).Bind(row.BlobKey)
            .Bind(row.Offset).Bind(row.Length).Bind(row.DataSetOffset).Bind(row.PixelDataOffset).Bind(row.ReceivedAt).Bind(row.Source);
        return BindAttributes(statement, row.Attributes);
    }

    public static Statement BindAttributes(Statement statement, AttributeValues attributes)
    {
        IReadOnlyList<Column> columns = Columns.Of(attributes.Level);
        ReadOnlySpan<string?> values = attributes.Values;
        for (int i = 0; i < values.Length; i++)
        {
            Column column = columns[i];
            string? value = values[i];
            if (!column.IsInteger) statement.Bind(value);
            else if (value is not null && Column.TryParseInteger(value, out long number)) statement.Bind(number);
            else statement.BindNull();
            if (column.IsFolded) statement.Bind(Column.FoldNames(value));
        }
        return statement;
    }

    public static PatientRow ReadPatient(Statement row, int at, IReadOnlyList<PatientIdentifier> others) => new()
    {
        Key = row.Int64(at), Version = row.Int64(at + 1), CreatedAt = row.Time(at + 2), UpdatedAt = row.Time(at + 3),
        MergedInto = row.IsNull(at + 4) ? null : row.Int64(at + 4),
        Identifier = row.IsNull(at + 5) ? null : new PatientIdentifier(row.Text(at + 5), row.Text(at + 6)),
        OtherIdentifiers = others,
        Attributes = ReadAttributes(row, at + 7, QueryLevel.Patient),
    };

    public static StudyRow ReadStudy(Statement row, int at) => new()
    {
        Key = row.Int64(at), Version = row.Int64(at + 1), CreatedAt = row.Time(at + 2), UpdatedAt = row.Time(at + 3), PatientKey = row.Int64(at + 4),
        StudyInstanceUid = row.Text(at + 5), Status = (StudyStatus)row.Int32(at + 6), SeriesCount = row.Int32(at + 7), InstanceCount = row.Int32(at + 8),
        ModalitiesInStudy = Split(row.Text(at + 9)), SopClassesInStudy = Split(row.Text(at + 10)),
        Attributes = ReadAttributes(row, at + 11, QueryLevel.Study),
    };

    public static SeriesRow ReadSeries(Statement row, int at) => new()
    {
        Key = row.Int64(at), CreatedAt = row.Time(at + 1), UpdatedAt = row.Time(at + 2), StudyKey = row.Int64(at + 3), SeriesInstanceUid = row.Text(at + 4),
        InstanceCount = row.Int32(at + 5),
        Attributes = ReadAttributes(row, at + 6, QueryLevel.Series),
    };

    public static InstanceRow ReadInstance(Statement row, int at) => new()
    {
        Key = row.Int64(at), SeriesKey = row.Int64(at + 1), StudyKey = row.Int64(at + 2), SopInstanceUid = row.Text(at + 3), SopClassUid = row.Text(at + 4),
        TransferSyntaxUid = row.Text(at + 5), BlobKey = row.Int64(at + 6), Offset = row.Int64(at + 7), Length = row.Int64(at + 8),
        DataSetOffset = row.Int32(at + 9), PixelDataOffset = row.Int64(at + 10), ReceivedAt = row.Time(at + 11), Source = row.Text(at + 12),
        Attributes = ReadAttributes(row, at + 13, QueryLevel.Image),
    };

    /// <summary>Number of columns of a list made here.</summary>
    public static int Count(string columns) => columns.AsSpan().Count(',') + 1;

    /// <summary>A list kept in one text.</summary>
    public static string[] Split(string text) => text.Length == 0 ? [] : text.Split(Separator);

    private static AttributeValues ReadAttributes(Statement row, int at, QueryLevel level)
    {
        var values = new string?[Columns.Of(level).Count];
        // Numbers come as text by SQLite's own conversion, which is the same as ours.
        for (int i = 0; i < values.Length; i++) values[i] = row.TextOrNull(at + i);
        return new AttributeValues(level, values) { IsStored = true };
    }

    private static string Attributes(string prefix, QueryLevel level) => string.Concat(Columns.Of(level).Select(c => $", {prefix}{c.Name}"));

    private static string Assignments(QueryLevel level) =>
        string.Concat(Columns.Of(level).Select(c => c.IsFolded ? $", {c.Name} = ?, {c.FoldedName} = ?" : $", {c.Name} = ?"));

    private static string Insert(string table, string columns, QueryLevel level, string more = "")
    {
        string all = columns + string.Concat(Columns.Of(level).Select(c => c.IsFolded ? $", {c.Name}, {c.FoldedName}" : $", {c.Name}")) + more;
        return string.Create(CultureInfo.InvariantCulture, $"INSERT INTO {table} ({all}) VALUES ({string.Join(", ", Enumerable.Repeat("?", Count(all)))})");
    }
}
