namespace PacsCluster.Catalog.Postgres;

/// <summary>The steps that make the schema. A released one is never changed: what is wanted later is a new step. In the texts TEXT stands for
/// <c>text COLLATE "C"</c>: texts are compared byte by byte, as UIDs and folded names want it, and any index on them serves a prefix. Numbers are 64-bit,
/// times are milliseconds since 1970 UTC.</summary>
internal static class Schema
{
    private const string V1 = """
        CREATE TABLE schema_version (
        version bigint NOT NULL PRIMARY KEY, migrated_at bigint NOT NULL, oldest_program bigint NOT NULL);

        CREATE SEQUENCE surrogate_key INCREMENT BY 1000000 MINVALUE 1;
        CREATE TABLE sequence (name TEXT NOT NULL PRIMARY KEY, value bigint NOT NULL) WITH (fillfactor = 10);
        INSERT INTO sequence (name, value) VALUES ('outbox', 0);
        CREATE TABLE commit_mark (token uuid NOT NULL PRIMARY KEY);

        CREATE FUNCTION catalog_expect(kind text, missing bigint[]) RETURNS void LANGUAGE plpgsql AS $$
        BEGIN
          IF cardinality(missing) > 0 THEN
            RAISE EXCEPTION USING ERRCODE = 'PCV01', MESSAGE = kind, DETAIL = missing[1]::text;
          END IF;
        END $$;

        CREATE TABLE total (
        slot bigint NOT NULL PRIMARY KEY, patients bigint NOT NULL, studies bigint NOT NULL, series bigint NOT NULL, instances bigint NOT NULL,
        blobs bigint NOT NULL, blob_bytes bigint NOT NULL, quarantined bigint NOT NULL, conflicts bigint NOT NULL) WITH (fillfactor = 10);
        INSERT INTO total SELECT n, 0, 0, 0, 0, 0, 0, 0, 0 FROM generate_series(0, 31) AS n;

        CREATE TABLE patient (
        patient_key bigint NOT NULL PRIMARY KEY, version bigint NOT NULL, created_at bigint NOT NULL, updated_at bigint NOT NULL,
        merged_into bigint REFERENCES patient, patient_id TEXT, issuer TEXT,
        patient_name TEXT, patient_name_folded TEXT, patient_birth_date TEXT, patient_birth_time TEXT, patient_sex TEXT,
        quality_control_subject TEXT, other_patient_ids TEXT, other_patient_names TEXT, other_patient_names_folded TEXT,
        other_id TEXT, other_id_issuer TEXT, other_id_type TEXT, ethnic_group TEXT, patient_species_description TEXT,
        patient_breed_description TEXT, responsible_person TEXT, responsible_person_folded TEXT, patient_comments TEXT,
        patient_name_ideographic TEXT, patient_name_phonetic TEXT) WITH (fillfactor = 90);
        CREATE INDEX patient_name ON patient (patient_name_folded NULLS FIRST);
        CREATE INDEX patient_name_ideographic ON patient (patient_name_ideographic) WHERE patient_name_ideographic IS NOT NULL;
        CREATE INDEX patient_name_phonetic ON patient (patient_name_phonetic) WHERE patient_name_phonetic IS NOT NULL;
        CREATE INDEX patient_birth_date ON patient (patient_birth_date NULLS FIRST);
        CREATE INDEX patient_merged ON patient (merged_into) WHERE merged_into IS NOT NULL;

        CREATE TABLE patient_identifier (
        patient_id TEXT NOT NULL, issuer TEXT NOT NULL, patient_key bigint NOT NULL REFERENCES patient, is_primary bigint NOT NULL,
        PRIMARY KEY (patient_id, issuer, is_primary, patient_key));
        CREATE UNIQUE INDEX patient_identifier_primary ON patient_identifier (patient_id, issuer) WHERE is_primary = 1;
        CREATE INDEX patient_identifier_patient ON patient_identifier (patient_key);

        CREATE TABLE patient_name_word (
        patient_key bigint NOT NULL REFERENCES patient, word TEXT NOT NULL, sound TEXT NOT NULL, PRIMARY KEY (patient_key, word));
        CREATE INDEX patient_name_word_word ON patient_name_word (word);
        CREATE INDEX patient_name_word_sound ON patient_name_word (sound);

        CREATE TABLE study (
        study_key bigint NOT NULL PRIMARY KEY, version bigint NOT NULL, created_at bigint NOT NULL, updated_at bigint NOT NULL,
        patient_key bigint NOT NULL REFERENCES patient, study_instance_uid TEXT NOT NULL, status bigint NOT NULL,
        series_count bigint NOT NULL, instance_count bigint NOT NULL, modalities_in_study TEXT NOT NULL, sop_classes_in_study TEXT NOT NULL,
        study_date TEXT, study_time TEXT, accession_number TEXT, accession_issuer_local TEXT, accession_issuer_universal TEXT,
        accession_issuer_type TEXT, referring_physician_name TEXT, referring_physician_name_folded TEXT,
        consulting_physician_name TEXT, consulting_physician_name_folded TEXT, timezone_offset_from_utc TEXT,
        study_description TEXT, procedure_code_value TEXT, procedure_code_scheme TEXT, procedure_code_meaning TEXT,
        physicians_of_record TEXT, physicians_of_record_folded TEXT, name_of_physicians_reading_study TEXT,
        name_of_physicians_reading_study_folded TEXT, admitting_diagnoses_description TEXT, patient_age TEXT, patient_size TEXT,
        patient_weight TEXT, occupation TEXT, additional_patient_history TEXT, study_id TEXT, other_study_numbers bigint,
        requesting_physician TEXT, requesting_physician_folded TEXT, requesting_service TEXT,
        study_requested_procedure_description TEXT, admission_id TEXT) WITH (fillfactor = 70);
        CREATE UNIQUE INDEX study_uid ON study (study_instance_uid);
        CREATE INDEX study_patient ON study (patient_key);
        CREATE INDEX study_date ON study (study_date DESC NULLS LAST, study_time DESC NULLS LAST, study_key DESC);
        CREATE INDEX study_accession_number ON study (accession_number NULLS FIRST);
        CREATE INDEX study_id ON study (study_id NULLS FIRST);
        CREATE INDEX study_referring_physician ON study (referring_physician_name_folded NULLS FIRST);

        CREATE TABLE series (
        series_key bigint NOT NULL PRIMARY KEY, created_at bigint NOT NULL, updated_at bigint NOT NULL,
        study_key bigint NOT NULL REFERENCES study, series_instance_uid TEXT NOT NULL, instance_count bigint NOT NULL,
        modality TEXT, series_date TEXT, series_time TEXT, presentation_intent_type TEXT, manufacturer TEXT, institution_name TEXT,
        station_name TEXT, series_description TEXT, series_code_value TEXT, series_code_scheme TEXT, series_code_meaning TEXT,
        institutional_department_name TEXT, performing_physician_name TEXT, performing_physician_name_folded TEXT,
        operators_name TEXT, operators_name_folded TEXT, manufacturer_model_name TEXT, performed_step_sop_class TEXT,
        performed_step_sop_instance TEXT, body_part_examined TEXT, device_serial_number TEXT, software_versions TEXT,
        protocol_name TEXT, patient_position TEXT, series_number bigint, frame_of_reference_uid TEXT, laterality TEXT,
        performed_step_start_date TEXT, performed_step_start_time TEXT, performed_step_end_date TEXT, performed_step_end_time TEXT,
        performed_step_id TEXT, performed_step_description TEXT, request_accession_number TEXT, request_study_instance_uid TEXT,
        request_procedure_description TEXT, request_step_description TEXT, request_step_id TEXT, request_procedure_id TEXT) WITH (fillfactor = 80);
        CREATE UNIQUE INDEX series_uid ON series (series_instance_uid, study_key);
        CREATE INDEX series_study ON series (study_key);
        CREATE INDEX series_modality ON series (modality, study_key);

        CREATE TABLE blob (
        blob_key bigint NOT NULL PRIMARY KEY, length bigint NOT NULL, sha256 bytea NOT NULL, created_at bigint NOT NULL);
        CREATE TABLE blob_copy (
        blob_key bigint NOT NULL REFERENCES blob, store TEXT NOT NULL, store_key TEXT NOT NULL, tier TEXT NOT NULL, verified_at bigint,
        PRIMARY KEY (blob_key, store));
        CREATE UNIQUE INDEX blob_copy_key ON blob_copy (store, store_key);

        CREATE TABLE instance (
        instance_key bigint NOT NULL PRIMARY KEY, series_key bigint NOT NULL REFERENCES series, study_key bigint NOT NULL,
        sop_instance_uid TEXT NOT NULL, sop_class_uid TEXT NOT NULL, transfer_syntax_uid TEXT NOT NULL,
        blob_key bigint NOT NULL REFERENCES blob, blob_offset bigint NOT NULL, length bigint NOT NULL,
        data_set_offset bigint NOT NULL, pixel_data_offset bigint NOT NULL, received_at bigint NOT NULL, source TEXT NOT NULL,
        image_type TEXT, instance_creation_date TEXT, instance_creation_time TEXT, acquisition_date TEXT, content_date TEXT,
        acquisition_date_time TEXT, acquisition_time TEXT, content_time TEXT, acquisition_number bigint, instance_number bigint,
        image_laterality TEXT, image_comments TEXT, samples_per_pixel bigint, photometric_interpretation TEXT,
        number_of_frames bigint, rows bigint, columns bigint, bits_allocated bigint, observation_date_time TEXT,
        concept_code_value TEXT, concept_code_scheme TEXT, concept_code_meaning TEXT, verification_date_time TEXT,
        verifying_observer_name TEXT, verifying_observer_name_folded TEXT, verifying_organization TEXT, completion_flag TEXT,
        verification_flag TEXT, template_identifier TEXT, document_title TEXT, mime_type_of_encapsulated_document TEXT,
        content_label TEXT, content_description TEXT, presentation_creation_date TEXT, presentation_creation_time TEXT,
        content_creator_name TEXT, content_creator_name_folded TEXT);
        CREATE UNIQUE INDEX instance_uid ON instance (sop_instance_uid, study_key);
        CREATE INDEX instance_series ON instance (series_key, instance_number NULLS FIRST, instance_key);
        CREATE INDEX instance_blob ON instance (blob_key);

        CREATE TABLE header (
        instance_key bigint NOT NULL PRIMARY KEY REFERENCES instance, encoding bigint NOT NULL, bytes bytea NOT NULL, frames bytea);
        DO $$
        BEGIN
          ALTER TABLE header ALTER COLUMN bytes SET COMPRESSION lz4;
        EXCEPTION WHEN feature_not_supported THEN
          NULL; -- This server was built without it; its own compression is slower but as good.
        END $$;

        CREATE TABLE conflict (
        conflict_key bigint NOT NULL PRIMARY KEY, kind TEXT NOT NULL, study_instance_uid TEXT NOT NULL, sop_instance_uid TEXT NOT NULL,
        detail TEXT NOT NULL, source TEXT NOT NULL, created_at bigint NOT NULL, resolved_at bigint);
        CREATE INDEX conflict_open ON conflict (conflict_key) WHERE resolved_at IS NULL;

        CREATE TABLE quarantine (
        quarantine_key bigint NOT NULL PRIMARY KEY, reason TEXT NOT NULL, study_instance_uid TEXT NOT NULL, series_instance_uid TEXT NOT NULL,
        sop_instance_uid TEXT NOT NULL, sop_class_uid TEXT NOT NULL, transfer_syntax_uid TEXT NOT NULL, blob_key bigint NOT NULL REFERENCES blob,
        detail TEXT NOT NULL, source TEXT NOT NULL, received_at bigint NOT NULL);
        CREATE INDEX quarantine_blob ON quarantine (blob_key);

        CREATE TABLE outbox (
        sequence bigint NOT NULL PRIMARY KEY, kind TEXT NOT NULL, study_instance_uid TEXT NOT NULL, series_instance_uid TEXT NOT NULL,
        sop_instance_uid TEXT NOT NULL, payload TEXT NOT NULL, created_at bigint NOT NULL);

        CREATE TABLE metadata_block (
        series_key bigint NOT NULL PRIMARY KEY REFERENCES series, instance_count bigint NOT NULL, bulk_data_base TEXT NOT NULL, length bigint NOT NULL,
        crc32 bigint NOT NULL, packed_length bigint NOT NULL, bytes bytea NOT NULL);
        ALTER TABLE metadata_block ALTER COLUMN bytes SET STORAGE EXTERNAL;

        CREATE TABLE rejection (
        rejection_key bigint NOT NULL PRIMARY KEY, level bigint NOT NULL, study_instance_uid TEXT NOT NULL, series_instance_uid TEXT NOT NULL,
        sop_instance_uid TEXT NOT NULL, rejected_by TEXT NOT NULL, reason TEXT NOT NULL, instance_count bigint NOT NULL, rejected_at bigint NOT NULL,
        purge_at bigint NOT NULL);
        CREATE TABLE rejected (
        rejected_key bigint NOT NULL PRIMARY KEY, rejection_key bigint NOT NULL REFERENCES rejection, study_instance_uid TEXT NOT NULL,
        series_instance_uid TEXT NOT NULL, sop_instance_uid TEXT NOT NULL, sop_class_uid TEXT NOT NULL, transfer_syntax_uid TEXT NOT NULL,
        blob_key bigint NOT NULL REFERENCES blob, blob_offset bigint NOT NULL, length bigint NOT NULL, received_at bigint NOT NULL, source TEXT NOT NULL);
        CREATE INDEX rejected_rejection ON rejected (rejection_key, rejected_key);
        CREATE INDEX rejected_blob ON rejected (blob_key);

        CREATE TABLE reminder (
        kind TEXT NOT NULL, grain_key TEXT NOT NULL, name TEXT NOT NULL, due_at bigint NOT NULL, leased_until bigint, leased_by TEXT,
        attempts bigint NOT NULL, payload TEXT NOT NULL, PRIMARY KEY (kind, grain_key, name)) WITH (fillfactor = 70);
        CREATE INDEX reminder_due ON reminder (due_at);

        CREATE TABLE consumer (name TEXT NOT NULL PRIMARY KEY, sequence bigint NOT NULL, updated_at bigint NOT NULL);

        CREATE TABLE node (
        name TEXT NOT NULL PRIMARY KEY, session TEXT NOT NULL, site TEXT NOT NULL, roles TEXT NOT NULL, addresses TEXT NOT NULL, software_version TEXT NOT NULL,
        started_at bigint NOT NULL, leased_until bigint NOT NULL);
        """;

    /// <summary>By version, from 1.</summary>
    public static readonly SchemaStep[] Steps =
    [
        new(V1) { OldestProgram = 1 },
        // Wildcards in front and in the middle. pg_trgm is a trusted extension: who may create in the database may create it.
        new("CREATE EXTENSION IF NOT EXISTS pg_trgm")
        {
            OldestProgram = 1,
            Indexes =
            [
                ("patient_name_trigram", "patient USING gin (patient_name_folded gin_trgm_ops)"),
                ("patient_identifier_trigram", "patient_identifier USING gin (patient_id gin_trgm_ops)"),
                ("study_accession_trigram", "study USING gin (accession_number gin_trgm_ops)"),
                ("study_referring_trigram", "study USING gin (referring_physician_name_folded gin_trgm_ops)"),
            ],
        },
        // Copies that follow later. Older programs know nothing of them: they go with the blobs that those delete.
        new("""
            CREATE TABLE wanted_copy (
            blob_key bigint NOT NULL REFERENCES blob ON DELETE CASCADE, store TEXT NOT NULL, due_at bigint NOT NULL, PRIMARY KEY (blob_key, store));
            CREATE INDEX wanted_copy_due ON wanted_copy (store, due_at);
            """) { OldestProgram = 1 },
        // Blobs that were made of what was received (compression), and those whose place they took.
        new("""
            ALTER TABLE blob ADD COLUMN IF NOT EXISTS original_length bigint;
            ALTER TABLE blob ADD COLUMN IF NOT EXISTS original_sha256 bytea;
            ALTER TABLE blob ADD COLUMN IF NOT EXISTS retired_at bigint
            """)
        {
            OldestProgram = 1,
            Indexes = [("blob_retired", "blob (retired_at) WHERE retired_at IS NOT NULL")],
        },
        // Entries of the outbox until they are numbered. Older programs number their own in their commits. Rows come and go: its garbage is collected by their number.
        new("""
            CREATE TABLE outbox_waiting (
            arrival bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, kind TEXT NOT NULL, study_instance_uid TEXT NOT NULL, series_instance_uid TEXT NOT NULL,
            sop_instance_uid TEXT NOT NULL, payload TEXT NOT NULL, created_at bigint NOT NULL)
            WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000, autovacuum_analyze_threshold = 1000000000)
            """) { OldestProgram = 1 },
    ];
}

/// <summary>One step. First its statements in one short transaction, then its indexes one by one while the catalog is in use, then its number.
/// Expand and contract: a step adds what older programs need not know, and what they need goes only in a step of a later release.</summary>
/// <param name="Sql">Statements that hold their locks only for a moment.</param>
internal sealed record SchemaStep(string Sql)
{
    /// <summary>The version that a program must know at least to work with the schema after this step.</summary>
    public required int OldestProgram { get; init; }

    /// <summary>Indexes on tables that may be large: name, and what stands behind ON.</summary>
    public (string Name, string Definition)[] Indexes { get; init; } = [];
}
