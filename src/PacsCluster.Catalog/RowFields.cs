using PacsCluster.Dicom;

namespace PacsCluster.Catalog;

/// <summary>The columns of whole rows, the same in every database, and their writing and reading in that order. Each engine makes its own statements of them.</summary>
internal static class RowFields
{
    public const string Separator = "\\";

    public static readonly string PatientColumns = Select("p.", State(QueryLevel.Patient), QueryLevel.Patient);
    public static readonly string StudyColumns = Select("s.", State(QueryLevel.Study), QueryLevel.Study);
    public static readonly string SeriesColumns = Select("r.", State(QueryLevel.Series), QueryLevel.Series);
    public static readonly string InstanceColumns = Select("i.", State(QueryLevel.Image), QueryLevel.Image);

    private static readonly Tag s_patientName = new(0x0010_0010);

    public static T BindPatient<T>(T statement, PatientRow row)
        where T : IRowBinder<T>
    {
        statement.Bind(row.Key).Bind(row.Version + 1).Bind(row.CreatedAt).Bind(row.UpdatedAt).Bind(row.MergedInto).Bind(row.Identifier?.Id).Bind(row.Identifier?.Issuer);
        return BindPatientAttributes(statement, row.Attributes);
    }

    public static T BindPatientAttributes<T>(T statement, AttributeValues attributes)
        where T : IRowBinder<T>
    {
        BindAttributes(statement, attributes);
        var name = PersonName.Parse(attributes[s_patientName]);
        return statement.Bind(name.Ideographic.IsEmpty ? null : name.Ideographic.Fold()).Bind(name.Phonetic.IsEmpty ? null : name.Phonetic.Fold());
    }

    public static T BindStudy<T>(T statement, StudyRow row)
        where T : IRowBinder<T>
    {
        statement.Bind(row.Key).Bind(row.Version + 1).Bind(row.CreatedAt).Bind(row.UpdatedAt).Bind(row.PatientKey).Bind(row.StudyInstanceUid).Bind((long)row.Status)
            .Bind(row.SeriesCount).Bind(row.InstanceCount).Bind(string.Join(Separator, row.ModalitiesInStudy)).Bind(string.Join(Separator, row.SopClassesInStudy));
        return BindAttributes(statement, row.Attributes);
    }

    public static T BindSeries<T>(T statement, SeriesRow row)
        where T : IRowBinder<T>
    {
        statement.Bind(row.Key).Bind(row.CreatedAt).Bind(row.UpdatedAt).Bind(row.StudyKey).Bind(row.SeriesInstanceUid).Bind(row.InstanceCount);
        return BindAttributes(statement, row.Attributes);
    }

    public static T BindInstance<T>(T statement, InstanceRow row)
        where T : IRowBinder<T>
    {
        statement.Bind(row.Key).Bind(row.SeriesKey).Bind(row.StudyKey).Bind(row.SopInstanceUid).Bind(row.SopClassUid).Bind(row.TransferSyntaxUid).Bind(row.BlobKey)
            .Bind(row.Offset).Bind(row.Length).Bind(row.DataSetOffset).Bind(row.PixelDataOffset).Bind(row.ReceivedAt).Bind(row.Source);
        return BindAttributes(statement, row.Attributes);
    }

    public static T BindAttributes<T>(T statement, AttributeValues attributes)
        where T : IRowBinder<T>
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

    public static PatientRow ReadPatient(IRow row, int at, IReadOnlyList<PatientIdentifier> others) => new()
    {
        Key = row.Int64(at), Version = row.Int64(at + 1), CreatedAt = row.Time(at + 2), UpdatedAt = row.Time(at + 3),
        MergedInto = row.IsNull(at + 4) ? null : row.Int64(at + 4),
        Identifier = row.IsNull(at + 5) ? null : new PatientIdentifier(row.Text(at + 5), row.Text(at + 6)),
        OtherIdentifiers = others,
        Attributes = ReadAttributes(row, at + 7, QueryLevel.Patient),
    };

    public static StudyRow ReadStudy(IRow row, int at) => new()
    {
        Key = row.Int64(at), Version = row.Int64(at + 1), CreatedAt = row.Time(at + 2), UpdatedAt = row.Time(at + 3), PatientKey = row.Int64(at + 4),
        StudyInstanceUid = row.Text(at + 5), Status = (StudyStatus)row.Int32(at + 6), SeriesCount = row.Int32(at + 7), InstanceCount = row.Int32(at + 8),
        ModalitiesInStudy = Split(row.Text(at + 9)), SopClassesInStudy = Split(row.Text(at + 10)),
        Attributes = ReadAttributes(row, at + 11, QueryLevel.Study),
    };

    public static SeriesRow ReadSeries(IRow row, int at) => new()
    {
        Key = row.Int64(at), CreatedAt = row.Time(at + 1), UpdatedAt = row.Time(at + 2), StudyKey = row.Int64(at + 3), SeriesInstanceUid = row.Text(at + 4),
        InstanceCount = row.Int32(at + 5),
        Attributes = ReadAttributes(row, at + 6, QueryLevel.Series),
    };

    public static InstanceRow ReadInstance(IRow row, int at) => new()
    {
        Key = row.Int64(at), SeriesKey = row.Int64(at + 1), StudyKey = row.Int64(at + 2), SopInstanceUid = row.Text(at + 3), SopClassUid = row.Text(at + 4),
        TransferSyntaxUid = row.Text(at + 5), BlobKey = row.Int64(at + 6), Offset = row.Int64(at + 7), Length = row.Int64(at + 8),
        DataSetOffset = row.Int32(at + 9), PixelDataOffset = row.Int64(at + 10), ReceivedAt = row.Time(at + 11), Source = row.Text(at + 12),
        Attributes = ReadAttributes(row, at + 13, QueryLevel.Image),
    };

    /// <summary>What changes of an instance that lies elsewhere: the columns of <see cref="BindRewritten"/> in order.</summary>
    public static readonly string[] RewrittenColumns =
        ["transfer_syntax_uid", "blob_key", "blob_offset", "length", "data_set_offset", "pixel_data_offset", .. AttributeNames(QueryLevel.Image)];

    public static T BindRewritten<T>(T statement, InstanceRow row)
        where T : IRowBinder<T>
    {
        statement.Bind(row.TransferSyntaxUid).Bind(row.BlobKey).Bind(row.Offset).Bind(row.Length).Bind(row.DataSetOffset).Bind(row.PixelDataOffset);
        return BindAttributes(statement, row.Attributes);
    }

    /// <summary>Number of columns of a list made here.</summary>
    public static int Count(string columns) => columns.AsSpan().Count(',') + 1;

    /// <summary>A list kept in one text.</summary>
    public static string[] Split(string text) => text.Length == 0 ? [] : text.Split(Separator);

    private static AttributeValues ReadAttributes(IRow row, int at, QueryLevel level)
    {
        var values = new string?[Columns.Of(level).Count];
        for (int i = 0; i < values.Length; i++) values[i] = row.TextOrNull(at + i);
        return new AttributeValues(level, values) { IsStored = true };
    }

    /// <summary>Every column that a row of this level is written to, in the order of BindPatient, BindStudy, BindSeries and BindInstance.</summary>
    public static IEnumerable<string> Names(QueryLevel level) => State(level).Concat(AttributeNames(level));

    /// <summary>The columns that come from attributes, in the order of BindPatientAttributes and BindAttributes.</summary>
    public static IEnumerable<string> AttributeNames(QueryLevel level) => Columns.Of(level).SelectMany(c => c.IsFolded ? (string[])[c.Name, c.FoldedName] : [c.Name])
        .Concat(level == QueryLevel.Patient ? ["patient_name_ideographic", "patient_name_phonetic"] : []);

    /// <summary>The columns that are the catalog's own.</summary>
    private static string[] State(QueryLevel level) => level switch
    {
        QueryLevel.Patient => ["patient_key", "version", "created_at", "updated_at", "merged_into", "patient_id", "issuer"],
        QueryLevel.Study => ["study_key", "version", "created_at", "updated_at", "patient_key", "study_instance_uid", "status", "series_count", "instance_count",
            "modalities_in_study", "sop_classes_in_study"],
        QueryLevel.Series => ["series_key", "created_at", "updated_at", "study_key", "series_instance_uid", "instance_count"],
        _ => ["instance_key", "series_key", "study_key", "sop_instance_uid", "sop_class_uid", "transfer_syntax_uid", "blob_key", "blob_offset", "length", "data_set_offset",
            "pixel_data_offset", "received_at", "source"],
    };

    private static string Select(string prefix, string[] state, QueryLevel level) => string.Join(", ", state.Concat(Columns.Of(level).Select(c => c.Name)).Select(name => prefix + name));
}

/// <summary>One row of an answer, by position of its columns.</summary>
internal interface IRow
{
    bool IsNull(int column);

    long Int64(int column);

    int Int32(int column);

    /// <summary>Empty for NULL.</summary>
    string Text(int column);

    /// <summary>Numbers in invariant form.</summary>
    string? TextOrNull(int column);

    byte[] Bytes(int column);

    /// <summary>Kept as milliseconds since 1970 UTC.</summary>
    DateTimeOffset Time(int column);

    DateTimeOffset? TimeOrNull(int column);
}

/// <summary>Takes the values of one row in the order of its columns.</summary>
internal interface IRowBinder<T>
    where T : IRowBinder<T>
{
    T Bind(long value);

    /// <summary>A number, or NULL.</summary>
    T Bind(long? value);

    /// <summary>Milliseconds since 1970 UTC.</summary>
    T Bind(DateTimeOffset value);

    T Bind(DateTimeOffset? value);

    T Bind(string? value);

    T Bind(ReadOnlyMemory<byte> value);

    /// <summary>NULL in a column of numbers.</summary>
    T BindNull();
}
