namespace PacsCluster.Catalog.Sqlite;

/// <summary>The schema, as the steps that made it. A step that was released is never changed: what is wanted later is a new step. Each runs in a
/// transaction of its own together with its number. Types are the standard's (64-bit INTEGER, TEXT, BLOB), times are milliseconds since 1970 UTC.</summary>
internal static class Migrations
{
    private const string V1 = """
        CREATE TABLE schema_version (
        version INTEGER NOT NULL PRIMARY KEY, migrated_at INTEGER NOT NULL) STRICT;

        CREATE TABLE sequence (name TEXT NOT NULL PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
        INSERT INTO sequence (name, value) VALUES ('key', 0), ('outbox', 0);

        CREATE TABLE total (
        slot INTEGER NOT NULL PRIMARY KEY, patients INTEGER NOT NULL, studies INTEGER NOT NULL, series INTEGER NOT NULL, instances INTEGER NOT NULL,
        blobs INTEGER NOT NULL, blob_bytes INTEGER NOT NULL, quarantined INTEGER NOT NULL, conflicts INTEGER NOT NULL) STRICT;
        INSERT INTO total VALUES (0, 0, 0, 0, 0, 0, 0, 0, 0);

        CREATE TABLE patient (
        patient_key INTEGER NOT NULL PRIMARY KEY, version INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
        merged_into INTEGER REFERENCES patient, patient_id TEXT, issuer TEXT,
        patient_name TEXT, patient_name_folded TEXT, patient_birth_date TEXT, patient_birth_time TEXT, patient_sex TEXT,
        quality_control_subject TEXT, other_patient_ids TEXT, other_patient_names TEXT, other_patient_names_folded TEXT,
        other_id TEXT, other_id_issuer TEXT, other_id_type TEXT, ethnic_group TEXT, patient_species_description TEXT,
        patient_breed_description TEXT, responsible_person TEXT, responsible_person_folded TEXT, patient_comments TEXT,
        patient_name_ideographic TEXT, patient_name_phonetic TEXT) STRICT;
        CREATE INDEX patient_name ON patient (patient_name_folded);
        CREATE INDEX patient_birth_date ON patient (patient_birth_date);
        CREATE INDEX patient_merged ON patient (merged_into) WHERE merged_into IS NOT NULL;

        CREATE TABLE patient_identifier (
        patient_id TEXT NOT NULL, issuer TEXT NOT NULL, patient_key INTEGER NOT NULL REFERENCES patient, is_primary INTEGER NOT NULL,
        PRIMARY KEY (patient_id, issuer, is_primary, patient_key)) STRICT, WITHOUT ROWID;
        CREATE UNIQUE INDEX patient_identifier_primary ON patient_identifier (patient_id, issuer) WHERE is_primary = 1;
        CREATE INDEX patient_identifier_patient ON patient_identifier (patient_key);

        CREATE TABLE study (
        study_key INTEGER NOT NULL PRIMARY KEY, version INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
        patient_key INTEGER NOT NULL REFERENCES patient, study_instance_uid TEXT NOT NULL, status INTEGER NOT NULL,
        series_count INTEGER NOT NULL, instance_count INTEGER NOT NULL, modalities_in_study TEXT NOT NULL, sop_classes_in_study TEXT NOT NULL,
        study_date TEXT, study_time TEXT, accession_number TEXT, accession_issuer_local TEXT, accession_issuer_universal TEXT,
        accession_issuer_type TEXT, referring_physician_name TEXT, referring_physician_name_folded TEXT,
        consulting_physician_name TEXT, consulting_physician_name_folded TEXT, timezone_offset_from_utc TEXT,
        study_description TEXT, procedure_code_value TEXT, procedure_code_scheme TEXT, procedure_code_meaning TEXT,
        physicians_of_record TEXT, physicians_of_record_folded TEXT, name_of_physicians_reading_study TEXT,
        name_of_physicians_reading_study_folded TEXT, admitting_diagnoses_description TEXT, patient_age TEXT, patient_size TEXT,
        patient_weight TEXT, occupation TEXT, additional_patient_history TEXT, study_id TEXT, other_study_numbers INTEGER,
        requesting_physician TEXT, requesting_physician_folded TEXT, requesting_service TEXT,
        study_requested_procedure_description TEXT, admission_id TEXT) STRICT;
        CREATE UNIQUE INDEX study_uid ON study (study_instance_uid);
        CREATE INDEX study_patient ON study (patient_key);
        CREATE INDEX study_date ON study (study_date, study_time);
        CREATE INDEX study_accession_number ON study (accession_number);
        CREATE INDEX study_id ON study (study_id);
        CREATE INDEX study_referring_physician ON study (referring_physician_name_folded);

        CREATE TABLE series (
        series_key INTEGER NOT NULL PRIMARY KEY, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
        study_key INTEGER NOT NULL REFERENCES study, series_instance_uid TEXT NOT NULL, instance_count INTEGER NOT NULL,
        modality TEXT, series_date TEXT, series_time TEXT, presentation_intent_type TEXT, manufacturer TEXT, institution_name TEXT,
        station_name TEXT, series_description TEXT, series_code_value TEXT, series_code_scheme TEXT, series_code_meaning TEXT,
        institutional_department_name TEXT, performing_physician_name TEXT, performing_physician_name_folded TEXT,
        operators_name TEXT, operators_name_folded TEXT, manufacturer_model_name TEXT, performed_step_sop_class TEXT,
        performed_step_sop_instance TEXT, body_part_examined TEXT, device_serial_number TEXT, software_versions TEXT,
        protocol_name TEXT, patient_position TEXT, series_number INTEGER, frame_of_reference_uid TEXT, laterality TEXT,
        performed_step_start_date TEXT, performed_step_start_time TEXT, performed_step_end_date TEXT, performed_step_end_time TEXT,
        performed_step_id TEXT, performed_step_description TEXT, request_accession_number TEXT, request_study_instance_uid TEXT,
        request_procedure_description TEXT, request_step_description TEXT, request_step_id TEXT, request_procedure_id TEXT) STRICT;
        CREATE UNIQUE INDEX series_uid ON series (series_instance_uid, study_key);
        CREATE INDEX series_study ON series (study_key);

        CREATE TABLE blob (
        blob_key INTEGER NOT NULL PRIMARY KEY, length INTEGER NOT NULL, sha256 BLOB NOT NULL, created_at INTEGER NOT NULL) STRICT;
        CREATE TABLE blob_copy (
        blob_key INTEGER NOT NULL REFERENCES blob, store TEXT NOT NULL, store_key TEXT NOT NULL, tier TEXT NOT NULL, verified_at INTEGER,
        PRIMARY KEY (blob_key, store)) STRICT, WITHOUT ROWID;
        CREATE UNIQUE INDEX blob_copy_key ON blob_copy (store, store_key);

        CREATE TABLE instance (
        instance_key INTEGER NOT NULL PRIMARY KEY, series_key INTEGER NOT NULL REFERENCES series, study_key INTEGER NOT NULL,
        sop_instance_uid TEXT NOT NULL, sop_class_uid TEXT NOT NULL, transfer_syntax_uid TEXT NOT NULL,
        blob_key INTEGER NOT NULL REFERENCES blob, blob_offset INTEGER NOT NULL, length INTEGER NOT NULL,
        data_set_offset INTEGER NOT NULL, pixel_data_offset INTEGER NOT NULL, received_at INTEGER NOT NULL, source TEXT NOT NULL,
        image_type TEXT, instance_creation_date TEXT, instance_creation_time TEXT, acquisition_date TEXT, content_date TEXT,
        acquisition_date_time TEXT, acquisition_time TEXT, content_time TEXT, acquisition_number INTEGER, instance_number INTEGER,
        image_laterality TEXT, image_comments TEXT, samples_per_pixel INTEGER, photometric_interpretation TEXT,
        number_of_frames INTEGER, rows INTEGER, columns INTEGER, bits_allocated INTEGER, observation_date_time TEXT,
        concept_code_value TEXT, concept_code_scheme TEXT, concept_code_meaning TEXT, verification_date_time TEXT,
        verifying_observer_name TEXT, verifying_observer_name_folded TEXT, verifying_organization TEXT, completion_flag TEXT,
        verification_flag TEXT, template_identifier TEXT, document_title TEXT, mime_type_of_encapsulated_document TEXT,
        content_label TEXT, content_description TEXT, presentation_creation_date TEXT, presentation_creation_time TEXT,
        content_creator_name TEXT, content_creator_name_folded TEXT) STRICT;
        CREATE UNIQUE INDEX instance_uid ON instance (sop_instance_uid, study_key);
        CREATE INDEX instance_series ON instance (series_key, instance_number);
        CREATE INDEX instance_blob ON instance (blob_key);

        CREATE TABLE header (
        instance_key INTEGER NOT NULL PRIMARY KEY REFERENCES instance, encoding INTEGER NOT NULL, bytes BLOB NOT NULL, frames BLOB) STRICT;

        CREATE TABLE conflict (
        conflict_key INTEGER NOT NULL PRIMARY KEY, kind TEXT NOT NULL, study_instance_uid TEXT NOT NULL, sop_instance_uid TEXT NOT NULL,
        detail TEXT NOT NULL, source TEXT NOT NULL, created_at INTEGER NOT NULL, resolved_at INTEGER) STRICT;
        CREATE INDEX conflict_open ON conflict (conflict_key) WHERE resolved_at IS NULL;

        CREATE TABLE quarantine (
        quarantine_key INTEGER NOT NULL PRIMARY KEY, reason TEXT NOT NULL, study_instance_uid TEXT NOT NULL, series_instance_uid TEXT NOT NULL,
        sop_instance_uid TEXT NOT NULL, sop_class_uid TEXT NOT NULL, transfer_syntax_uid TEXT NOT NULL, blob_key INTEGER NOT NULL REFERENCES blob,
        detail TEXT NOT NULL, source TEXT NOT NULL, received_at INTEGER NOT NULL) STRICT;
        CREATE INDEX quarantine_blob ON quarantine (blob_key);

        CREATE TABLE outbox (
        sequence INTEGER NOT NULL PRIMARY KEY, kind TEXT NOT NULL, study_instance_uid TEXT NOT NULL, series_instance_uid TEXT NOT NULL,
        sop_instance_uid TEXT NOT NULL, payload TEXT NOT NULL, created_at INTEGER NOT NULL) STRICT;

        CREATE TABLE reminder (
        kind TEXT NOT NULL, grain_key TEXT NOT NULL, name TEXT NOT NULL, due_at INTEGER NOT NULL, leased_until INTEGER, leased_by TEXT,
        attempts INTEGER NOT NULL, payload TEXT NOT NULL, PRIMARY KEY (kind, grain_key, name)) STRICT, WITHOUT ROWID;
        CREATE INDEX reminder_due ON reminder (due_at);

        CREATE TABLE node (
        name TEXT NOT NULL PRIMARY KEY, site TEXT NOT NULL, roles TEXT NOT NULL, addresses TEXT NOT NULL, software_version TEXT NOT NULL,
        started_at INTEGER NOT NULL, leased_until INTEGER NOT NULL) STRICT, WITHOUT ROWID;
        """;

    /// <summary>What searches turned out to need: studies by a rare modality, and names by their ideographic and phonetic groups.</summary>
    private const string V2 = """
        CREATE INDEX series_modality ON series (modality, study_key);
        CREATE INDEX patient_name_ideographic ON patient (patient_name_ideographic) WHERE patient_name_ideographic IS NOT NULL;
        CREATE INDEX patient_name_phonetic ON patient (patient_name_phonetic) WHERE patient_name_phonetic IS NOT NULL;
        """;

    /// <summary>Metadata blocks, deletions that can be taken back, and readers of the change feed. Studies that were being
    /// received get the reminder that completes them.</summary>
    private const string V3 = """
        ALTER TABLE node ADD COLUMN session TEXT NOT NULL DEFAULT '';

        CREATE TABLE metadata_block (
        series_key INTEGER NOT NULL PRIMARY KEY REFERENCES series, instance_count INTEGER NOT NULL, bulk_data_base TEXT NOT NULL, length INTEGER NOT NULL,
        crc32 INTEGER NOT NULL, packed_length INTEGER NOT NULL, bytes BLOB NOT NULL) STRICT;

        CREATE TABLE rejection (
        rejection_key INTEGER NOT NULL PRIMARY KEY, level INTEGER NOT NULL, study_instance_uid TEXT NOT NULL, series_instance_uid TEXT NOT NULL,
        sop_instance_uid TEXT NOT NULL, rejected_by TEXT NOT NULL, reason TEXT NOT NULL, instance_count INTEGER NOT NULL, rejected_at INTEGER NOT NULL,
        purge_at INTEGER NOT NULL) STRICT;
        CREATE TABLE rejected (
        rejected_key INTEGER NOT NULL PRIMARY KEY, rejection_key INTEGER NOT NULL REFERENCES rejection, study_instance_uid TEXT NOT NULL,
        series_instance_uid TEXT NOT NULL, sop_instance_uid TEXT NOT NULL, sop_class_uid TEXT NOT NULL, transfer_syntax_uid TEXT NOT NULL,
        blob_key INTEGER NOT NULL REFERENCES blob, blob_offset INTEGER NOT NULL, length INTEGER NOT NULL, received_at INTEGER NOT NULL, source TEXT NOT NULL) STRICT;
        CREATE INDEX rejected_rejection ON rejected (rejection_key, rejected_key);
        CREATE INDEX rejected_blob ON rejected (blob_key);

        CREATE TABLE consumer (name TEXT NOT NULL PRIMARY KEY, sequence INTEGER NOT NULL, updated_at INTEGER NOT NULL) STRICT, WITHOUT ROWID;

        INSERT INTO reminder (kind, grain_key, name, due_at, leased_until, leased_by, attempts, payload)
        SELECT 'study', study_instance_uid, 'completion', updated_at + 60000, NULL, NULL, 0, '' FROM study WHERE status = 0;
        """;

    /// <summary>The words of patients' names, for fuzzy matching; those of the patients that are there are made by <see cref="FillNameWords"/>.</summary>
    private const string V4 = """
        CREATE TABLE patient_name_word (
        patient_key INTEGER NOT NULL REFERENCES patient, word TEXT NOT NULL, sound TEXT NOT NULL, PRIMARY KEY (patient_key, word)) STRICT, WITHOUT ROWID;
        CREATE INDEX patient_name_word_word ON patient_name_word (word);
        CREATE INDEX patient_name_word_sound ON patient_name_word (sound);
        """;

    /// <summary>Copies that follow later.</summary>
    private const string V5 = """
        CREATE TABLE wanted_copy (
        blob_key INTEGER NOT NULL REFERENCES blob ON DELETE CASCADE, store TEXT NOT NULL, due_at INTEGER NOT NULL, PRIMARY KEY (blob_key, store)) STRICT, WITHOUT ROWID;
        CREATE INDEX wanted_copy_due ON wanted_copy (store, due_at);
        """;

    /// <summary>Blobs that were made of what was received (compression), and those whose place they took.</summary>
    private const string V6 = """
        ALTER TABLE blob ADD COLUMN original_length INTEGER;
        ALTER TABLE blob ADD COLUMN original_sha256 BLOB;
        ALTER TABLE blob ADD COLUMN retired_at INTEGER;
        CREATE INDEX blob_retired ON blob (retired_at) WHERE retired_at IS NOT NULL;
        """;

    /// <summary>The commit log: how far the database has it. Programs that do not know it may not open what it holds the last commits of.</summary>
    private const string V7 = "INSERT INTO sequence (name, value) VALUES ('commits', 0);";

    /// <summary>By version, from 1.</summary>
    private static readonly (string Sql, Action<Database>? Fill)[] s_steps = [(V1, null), (V2, null), (V3, null), (V4, FillNameWords), (V5, null), (V6, null), (V7, null)];

    public static int Newest => s_steps.Length;

    /// <summary>Writes the words of one patient's name.</summary>
    public static void WriteNameWords(Database database, long patientKey, string? name)
    {
        foreach ((string word, string sound) in NameWords.Of(name))
            database.Prepare("INSERT INTO patient_name_word (patient_key, word, sound) VALUES (?, ?, ?)").Bind(patientKey).Bind(word).Bind(sound).Run();
    }

    private static void FillNameWords(Database database)
    {
        using Statement patients = database.Prepare("SELECT patient_key, patient_name FROM patient WHERE patient_name IS NOT NULL");
        while (patients.Step()) WriteNameWords(database, patients.Int64(0), patients.Text(1));
    }

    /// <summary>Brings the schema to a version (the newest, except in tests of this very thing).</summary>
    /// <exception cref="CatalogUnavailableException">The schema is newer than this program, or the file is another program's.</exception>
    public static void Run(Database database, DateTimeOffset now, int? upTo = null)
    {
        while (true)
        {
            // Locked first, then looked: another process may be migrating.
            database.Execute("BEGIN IMMEDIATE");
            try
            {
                long version = Version(database);
                if (version > Newest) throw new CatalogUnavailableException($"the catalog has schema {version}, this program knows up to {Newest}: it was written by a newer program");
                if (version >= (upTo ?? Newest))
                {
                    database.Rollback();
                    return;
                }
                database.Execute(s_steps[version].Sql);
                s_steps[version].Fill?.Invoke(database);
                database.Execute($"INSERT INTO schema_version (version, migrated_at) VALUES ({version + 1}, {now.ToUnixTimeMilliseconds()})");
                database.Execute("COMMIT");
            }
            catch
            {
                database.Rollback();
                throw;
            }
        }
    }

    private static long Version(Database database)
    {
        if (database.QueryInt64("SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'schema_version'") == 1)
        {
            return database.QueryInt64("SELECT max(version) FROM schema_version");
        }
        if (database.QueryInt64("SELECT count(*) FROM sqlite_master") > 0) throw new CatalogUnavailableException("the file is a database, but no catalog");
        return 0;
    }
}
