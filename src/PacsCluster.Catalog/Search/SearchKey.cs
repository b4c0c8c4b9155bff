using PacsCluster.Dicom;

namespace PacsCluster.Catalog;

/// <summary>Keys that are more than a column of their level: unique keys, lists and counts.</summary>
internal enum SpecialKey
{
    /// <summary>An attribute column.</summary>
    None,
    /// <summary>Patient ID: by the identifiers' table, so that a merged patient's finds the survivor.</summary>
    PatientId,
    /// <summary>Issuer of Patient ID: together with the Patient ID one condition.</summary>
    Issuer,
    /// <summary>Other Patient IDs, in a sequence or not: by the identifiers' table.</summary>
    OtherPatientId,
    /// <summary>Modalities in Study: by the series.</summary>
    ModalitiesInStudy,
    /// <summary>A unique key, SOP class or transfer syntax: a column that is not null.</summary>
    Uid,
    /// <summary>A list kept in the study row.</summary>
    StudyList,
    /// <summary>Returned, never matched: counts, availability.</summary>
    ReturnOnly,
}

/// <summary>One attribute that a search can match or return: an attribute column, or a special key.</summary>
internal sealed class SearchKey
{
    private static readonly Dictionary<(QueryLevel, Tag Sequence, Tag), SearchKey> s_all = All().ToDictionary(k => (k.Level, k.Sequence, k.Tag));

    private static readonly (Tag, VR)[][] s_returnable = [.. Enum.GetValues<QueryLevel>().Select(level =>
        s_all.Values.Where(k => k.Level <= level).Select(k => k.IsInSequence ? (k.Sequence, VR.SQ) : (k.Tag, k.VR)).Distinct().OrderBy(k => k.Item1).ToArray())];

    public required QueryLevel Level { get; init; }

    public Tag Sequence { get; init; }

    public required Tag Tag { get; init; }

    public required VR VR { get; init; }

    /// <summary>The SQL expression of its value, with the level's alias.</summary>
    public required string Sql { get; init; }

    /// <summary>The SQL expression that is matched; for person names the folded column.</summary>
    public string MatchSql { get; init; } = "";

    public bool IsMulti { get; init; }

    public bool IsInteger { get; init; }

    public SpecialKey Special { get; init; }

    /// <summary>An index begins with the matched expression, so a search may be driven by it.</summary>
    public bool IsIndexed { get; init; }

    public bool IsInSequence => Sequence != default;

    /// <summary>The key of an attribute, looked for at a level, then at the levels above, then at those below.</summary>
    public static SearchKey? Find(QueryLevel level, Tag sequence, Tag tag)
    {
        for (int l = (int)level; l >= 0; l--)
        {
            if (s_all.GetValueOrDefault(((QueryLevel)l, sequence, tag)) is { } key) return key;
        }
        for (int l = (int)level + 1; l <= (int)QueryLevel.Image; l++)
        {
            if (s_all.GetValueOrDefault(((QueryLevel)l, sequence, tag)) is { } key) return key;
        }
        return null;
    }

    /// <summary>The keys that stand in a sequence, looked for at a level and above.</summary>
    public static IReadOnlyList<SearchKey> InSequence(QueryLevel level, Tag sequence)
    {
        for (int l = (int)level; l >= 0; l--)
        {
            List<SearchKey> keys = [.. Columns.InSequence((QueryLevel)l, sequence).Select(c => s_all[((QueryLevel)l, sequence, c.Tag)])];
            if (keys.Count > 0) return keys;
        }
        return [];
    }

    /// <summary>What answers of a level can have: of the level and those above.</summary>
    public static IReadOnlyList<(Tag Tag, VR VR)> Returnable(QueryLevel level) => s_returnable[(int)level];

    public static string Alias(QueryLevel level) => level switch
    {
        QueryLevel.Patient => "p",
        QueryLevel.Study => "s",
        QueryLevel.Series => "r",
        _ => "i",
    };

    private static IEnumerable<SearchKey> All()
    {
        foreach (QueryLevel level in Enum.GetValues<QueryLevel>())
        {
            foreach (Column column in Columns.Of(level))
            {
                string sql = $"{Alias(level)}.{column.Name}";
                yield return new SearchKey
                {
                    Level = level, Sequence = column.Sequence, Tag = column.Tag, VR = column.VR, Sql = sql, IsMulti = column.IsMulti, IsInteger = column.IsInteger,
                    MatchSql = column.IsFolded ? $"{Alias(level)}.{column.FoldedName}" : sql,
                    IsIndexed = column.Name is "patient_name" or "patient_birth_date" or "study_date" or "accession_number" or "study_id" or "referring_physician_name"
                        or "other_id" or "other_patient_ids",
                    Special = level == QueryLevel.Patient && column.Name is "other_id" or "other_patient_ids" ? SpecialKey.OtherPatientId : SpecialKey.None,
                };
            }
            // Everything that is here is on line.
            yield return ReturnOnly(level, 0x0008_0056, VR.CS, "'ONLINE'");
        }
        yield return new SearchKey
        {
            Level = QueryLevel.Patient, Tag = new Tag(0x0010_0020), VR = VR.LO, Sql = "p.patient_id", MatchSql = "p.patient_id", Special = SpecialKey.PatientId, IsIndexed = true,
        };
        yield return new SearchKey { Level = QueryLevel.Patient, Tag = new Tag(0x0010_0021), VR = VR.LO, Sql = "nullif(p.issuer, '')", MatchSql = "p.issuer", Special = SpecialKey.Issuer };
        yield return ReturnOnly(QueryLevel.Patient, 0x0020_1200, VR.IS, "(SELECT count(*) FROM study x WHERE x.patient_key = p.patient_key)");
        yield return ReturnOnly(QueryLevel.Patient, 0x0020_1202, VR.IS, "(SELECT CAST(sum(x.series_count) AS BIGINT) FROM study x WHERE x.patient_key = p.patient_key)");
        yield return ReturnOnly(QueryLevel.Patient, 0x0020_1204, VR.IS, "(SELECT CAST(sum(x.instance_count) AS BIGINT) FROM study x WHERE x.patient_key = p.patient_key)");

        yield return Uid(QueryLevel.Study, 0x0020_000D, "s.study_instance_uid", isIndexed: true);
        yield return new SearchKey
        {
            Level = QueryLevel.Study, Tag = new Tag(0x0008_0061), VR = VR.CS, Sql = "s.modalities_in_study", MatchSql = "s.modalities_in_study", IsMulti = true, Special = SpecialKey.ModalitiesInStudy,
        };
        yield return new SearchKey
        {
            Level = QueryLevel.Study, Tag = new Tag(0x0008_0062), VR = VR.UI, Sql = "s.sop_classes_in_study", MatchSql = "s.sop_classes_in_study", IsMulti = true, Special = SpecialKey.StudyList,
        };
        yield return ReturnOnly(QueryLevel.Study, 0x0020_1206, VR.IS, "s.series_count");
        yield return ReturnOnly(QueryLevel.Study, 0x0020_1208, VR.IS, "s.instance_count");
        yield return Uid(QueryLevel.Series, 0x0020_000E, "r.series_instance_uid", isIndexed: true);
        yield return ReturnOnly(QueryLevel.Series, 0x0020_1209, VR.IS, "r.instance_count");
        yield return Uid(QueryLevel.Image, 0x0008_0018, "i.sop_instance_uid", isIndexed: true);
        yield return Uid(QueryLevel.Image, 0x0008_0016, "i.sop_class_uid");
        yield return Uid(QueryLevel.Image, 0x0008_3002, "i.transfer_syntax_uid");
    }

    private static SearchKey ReturnOnly(QueryLevel level, uint tag, VR vr, string sql) => new() { Level = level, Tag = new Tag(tag), VR = vr, Sql = sql, Special = SpecialKey.ReturnOnly };

    private static SearchKey Uid(QueryLevel level, uint tag, string sql, bool isIndexed = false) =>
        new() { Level = level, Tag = new Tag(tag), VR = VR.UI, Sql = sql, MatchSql = sql, Special = SpecialKey.Uid, IsIndexed = isIndexed };
}
