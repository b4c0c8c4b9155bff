using PacsCluster.Dicom;

namespace PacsCluster.Catalog;

/// <summary>The column table: every attribute of PS3.4 C.6 and PS3.18 table 10.6.3 that the catalog can match and return, by level. It drives the
/// schema, reading headers, matching keys and return values. The unique keys, counts and lists of a study stand in the special keys of the search.
/// A new line needs a migration that adds its column.</summary>
internal static class Columns
{
    private static readonly Column[][] s_all = [Patient(), Study(), Series(), Image()];
    private static readonly Dictionary<Tag, Column>[] s_byTag = [.. s_all.Select(level => level.Where(c => !c.IsInSequence).ToDictionary(c => c.Tag))];
    private static readonly Dictionary<(Tag, Tag), Column>[] s_byPath =
        [.. s_all.Select(level => level.Where(c => c.IsInSequence).ToDictionary(c => (c.Sequence, c.Tag)))];

    public static IReadOnlyList<Column> Of(QueryLevel level) => s_all[(int)level];

    /// <summary>A column of an attribute at the top of the data set.</summary>
    public static Column? Find(QueryLevel level, Tag tag) => s_byTag[(int)level].GetValueOrDefault(tag);

    /// <summary>A column of an attribute in a sequence's item.</summary>
    public static Column? Find(QueryLevel level, Tag sequence, Tag tag) => s_byPath[(int)level].GetValueOrDefault((sequence, tag));

    /// <summary>The columns that stand in this sequence.</summary>
    public static IEnumerable<Column> InSequence(QueryLevel level, Tag sequence) => s_all[(int)level].Where(c => c.Sequence == sequence && c.IsInSequence);

    private static Column[] Patient() => new Table(QueryLevel.Patient)
        .Add("patient_name", VR.PN, 0x0010_0010)
        .Add("patient_birth_date", VR.DA, 0x0010_0030)
        .Add("patient_birth_time", VR.TM, 0x0010_0032)
        .Add("patient_sex", VR.CS, 0x0010_0040)
        .Add("quality_control_subject", VR.CS, 0x0010_0200)
        .Multi("other_patient_ids", VR.LO, 0x0010_1000)
        .Multi("other_patient_names", VR.PN, 0x0010_1001)
        .In(0x0010_1002, "other_id", VR.LO, 0x0010_0020)
        .In(0x0010_1002, "other_id_issuer", VR.LO, 0x0010_0021)
        .In(0x0010_1002, "other_id_type", VR.CS, 0x0010_0022)
        .Add("ethnic_group", VR.SH, 0x0010_2160)
        .Add("patient_species_description", VR.LO, 0x0010_2201)
        .Add("patient_breed_description", VR.LO, 0x0010_2292)
        .Add("responsible_person", VR.PN, 0x0010_2297)
        .Add("patient_comments", VR.LT, 0x0010_4000)
        .Columns;

    private static Column[] Study() => new Table(QueryLevel.Study)
        .Add("study_date", VR.DA, 0x0008_0020)
        .Add("study_time", VR.TM, 0x0008_0030)
        .Add("accession_number", VR.SH, 0x0008_0050)
        .In(0x0008_0051, "accession_issuer_local", VR.UT, 0x0040_0031)
        .In(0x0008_0051, "accession_issuer_universal", VR.UT, 0x0040_0032)
        .In(0x0008_0051, "accession_issuer_type", VR.CS, 0x0040_0033)
        .Add("referring_physician_name", VR.PN, 0x0008_0090)
        .Multi("consulting_physician_name", VR.PN, 0x0008_009C)
        .Add("timezone_offset_from_utc", VR.SH, 0x0008_0201)
        .Add("study_description", VR.LO, 0x0008_1030)
        .In(0x0008_1032, "procedure_code_value", VR.SH, 0x0008_0100)
        .In(0x0008_1032, "procedure_code_scheme", VR.SH, 0x0008_0102)
        .In(0x0008_1032, "procedure_code_meaning", VR.LO, 0x0008_0104)
        .Multi("physicians_of_record", VR.PN, 0x0008_1048)
        .Multi("name_of_physicians_reading_study", VR.PN, 0x0008_1060)
        .Multi("admitting_diagnoses_description", VR.LO, 0x0008_1080)
        .Add("patient_age", VR.AS, 0x0010_1010)
        .Add("patient_size", VR.DS, 0x0010_1020)
        .Add("patient_weight", VR.DS, 0x0010_1030)
        .Add("occupation", VR.SH, 0x0010_2180)
        .Add("additional_patient_history", VR.LT, 0x0010_21B0)
        .Add("study_id", VR.SH, 0x0020_0010)
        .Add("other_study_numbers", VR.IS, 0x0020_1070)
        .Add("requesting_physician", VR.PN, 0x0032_1032)
        .Add("requesting_service", VR.LO, 0x0032_1033)
        .Add("study_requested_procedure_description", VR.LO, 0x0032_1060)
        .Add("admission_id", VR.LO, 0x0038_0010)
        .Columns;

    private static Column[] Series() => new Table(QueryLevel.Series)
        .Add("modality", VR.CS, 0x0008_0060)
        .Add("series_date", VR.DA, 0x0008_0021)
        .Add("series_time", VR.TM, 0x0008_0031)
        .Add("presentation_intent_type", VR.CS, 0x0008_0068)
        .Add("manufacturer", VR.LO, 0x0008_0070)
        .Add("institution_name", VR.LO, 0x0008_0080)
        .Add("station_name", VR.SH, 0x0008_1010)
        .Add("series_description", VR.LO, 0x0008_103E)
        .In(0x0008_103F, "series_code_value", VR.SH, 0x0008_0100)
        .In(0x0008_103F, "series_code_scheme", VR.SH, 0x0008_0102)
        .In(0x0008_103F, "series_code_meaning", VR.LO, 0x0008_0104)
        .Add("institutional_department_name", VR.LO, 0x0008_1040)
        .Multi("performing_physician_name", VR.PN, 0x0008_1050)
        .Multi("operators_name", VR.PN, 0x0008_1070)
        .Add("manufacturer_model_name", VR.LO, 0x0008_1090)
        .In(0x0008_1111, "performed_step_sop_class", VR.UI, 0x0008_1150)
        .In(0x0008_1111, "performed_step_sop_instance", VR.UI, 0x0008_1155)
        .Add("body_part_examined", VR.CS, 0x0018_0015)
        .Add("device_serial_number", VR.LO, 0x0018_1000)
        .Multi("software_versions", VR.LO, 0x0018_1020)
        .Add("protocol_name", VR.LO, 0x0018_1030)
        .Add("patient_position", VR.CS, 0x0018_5100)
        .Add("series_number", VR.IS, 0x0020_0011)
        .Add("frame_of_reference_uid", VR.UI, 0x0020_0052)
        .Add("laterality", VR.CS, 0x0020_0060)
        .Add("performed_step_start_date", VR.DA, 0x0040_0244)
        .Add("performed_step_start_time", VR.TM, 0x0040_0245)
        .Add("performed_step_end_date", VR.DA, 0x0040_0250)
        .Add("performed_step_end_time", VR.TM, 0x0040_0251)
        .Add("performed_step_id", VR.SH, 0x0040_0253)
        .Add("performed_step_description", VR.LO, 0x0040_0254)
        .In(0x0040_0275, "request_accession_number", VR.SH, 0x0008_0050)
        .In(0x0040_0275, "request_study_instance_uid", VR.UI, 0x0020_000D)
        .In(0x0040_0275, "request_procedure_description", VR.LO, 0x0032_1060)
        .In(0x0040_0275, "request_step_description", VR.LO, 0x0040_0007)
        .In(0x0040_0275, "request_step_id", VR.SH, 0x0040_0009)
        .In(0x0040_0275, "request_procedure_id", VR.SH, 0x0040_1001)
        .Columns;

    private static Column[] Image() => new Table(QueryLevel.Image)
        .Multi("image_type", VR.CS, 0x0008_0008)
        .Add("instance_creation_date", VR.DA, 0x0008_0012)
        .Add("instance_creation_time", VR.TM, 0x0008_0013)
        .Add("acquisition_date", VR.DA, 0x0008_0022)
        .Add("content_date", VR.DA, 0x0008_0023)
        .Add("acquisition_date_time", VR.DT, 0x0008_002A)
        .Add("acquisition_time", VR.TM, 0x0008_0032)
        .Add("content_time", VR.TM, 0x0008_0033)
        .Add("acquisition_number", VR.IS, 0x0020_0012)
        .Add("instance_number", VR.IS, 0x0020_0013)
        .Add("image_laterality", VR.CS, 0x0020_0062)
        .Add("image_comments", VR.LT, 0x0020_4000)
        .Add("samples_per_pixel", VR.US, 0x0028_0002)
        .Add("photometric_interpretation", VR.CS, 0x0028_0004)
        .Add("number_of_frames", VR.IS, 0x0028_0008)
        .Add("rows", VR.US, 0x0028_0010)
        .Add("columns", VR.US, 0x0028_0011)
        .Add("bits_allocated", VR.US, 0x0028_0100)
        .Add("observation_date_time", VR.DT, 0x0040_A032)
        .In(0x0040_A043, "concept_code_value", VR.SH, 0x0008_0100)
        .In(0x0040_A043, "concept_code_scheme", VR.SH, 0x0008_0102)
        .In(0x0040_A043, "concept_code_meaning", VR.LO, 0x0008_0104)
        .In(0x0040_A073, "verification_date_time", VR.DT, 0x0040_A030)
        .In(0x0040_A073, "verifying_observer_name", VR.PN, 0x0040_A075)
        .In(0x0040_A073, "verifying_organization", VR.LO, 0x0040_A027)
        .Add("completion_flag", VR.CS, 0x0040_A491)
        .Add("verification_flag", VR.CS, 0x0040_A493)
        .In(0x0040_A504, "template_identifier", VR.CS, 0x0040_DB00)
        .Add("document_title", VR.ST, 0x0042_0010)
        .Add("mime_type_of_encapsulated_document", VR.LO, 0x0042_0012)
        .Add("content_label", VR.CS, 0x0070_0080)
        .Add("content_description", VR.LO, 0x0070_0081)
        .Add("presentation_creation_date", VR.DA, 0x0070_0082)
        .Add("presentation_creation_time", VR.TM, 0x0070_0083)
        .Add("content_creator_name", VR.PN, 0x0070_0084)
        .Columns;

    private sealed class Table(QueryLevel level)
    {
        private readonly List<Column> _columns = [];

        public Column[] Columns => [.. _columns];

        public Table Add(string name, VR vr, uint tag) => Put(name, vr, 0, tag, multi: false);

        public Table Multi(string name, VR vr, uint tag) => Put(name, vr, 0, tag, multi: true);

        public Table In(uint sequence, string name, VR vr, uint tag) => Put(name, vr, sequence, tag, multi: true);

        private Table Put(string name, VR vr, uint sequence, uint tag, bool multi)
        {
            _columns.Add(new Column
            {
                Level = level, Ordinal = _columns.Count, Name = name, VR = vr, Tag = new Tag(tag), Sequence = new Tag(sequence), IsMulti = multi,
            });
            return this;
        }
    }
}
