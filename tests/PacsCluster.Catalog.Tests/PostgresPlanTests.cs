using Npgsql;
using PacsCluster.CatalogFill;

namespace PacsCluster.Catalog.Tests;

/// <summary>On PostgreSQL every search by an indexed key can be served by an index, wildcards in front and in the middle included.</summary>
public sealed class PostgresPlanTests(PostgresFixture postgres)
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    private static readonly (QueryLevel Level, string Keys, string Index)[] s_plans =
    [
        (QueryLevel.Study, "00100020=SYN1-0000300", "patient_identifier_p"),
        (QueryLevel.Study, "00100020=SYN1-00003*", "patient_identifier_"),
        (QueryLevel.Study, "00100020=*0000300", "patient_identifier_trigram"),
        (QueryLevel.Study, "00100010=Smithqz*", "patient_name"),
        (QueryLevel.Study, "00100010=Smithqz^John", "patient_name"),
        (QueryLevel.Study, "00100010=SMIT*^J*", "patient_name"),
        (QueryLevel.Study, "00100010=*ithqz*", "patient_name_trigram"),
        (QueryLevel.Study, "00100010=山田*", "patient_name_ideographic"),
        (QueryLevel.Study, "00080020=20240101-20240131", "study_date"),
        (QueryLevel.Study, "00080020=20240101", "study_date"),
        (QueryLevel.Study, "00080020=20240101|00080061=CT", "study_date"),
        (QueryLevel.Study, "00080020=20200101-20240131|00100010=SMITHQ*", "patient_name"),
        (QueryLevel.Study, "00080050=ACC1.77", "study_accession_"),
        (QueryLevel.Study, "00080050=*1.77", "study_accession_trigram"),
        (QueryLevel.Study, "00080090=Okafor^Z*", "study_referring_"),
        (QueryLevel.Study, "00080090=*kafor*", "study_referring_trigram"),
        (QueryLevel.Study, "00100030=19700101", "patient_birth_date"),
        (QueryLevel.Study, "0020000D=2.25.1.2\\2.25.1.3", "study_uid"),
        (QueryLevel.Study, "0020000E=2.25.1.2.1", "series_uid"),
        (QueryLevel.Study, "00080018=1.2", "instance_uid"),
        (QueryLevel.Study, "00080061=XX", "series_modality"),
        (QueryLevel.Patient, "00100010=Smithqz*", "patient_name"),
        (QueryLevel.Series, "0020000D=2.25.1.2", "study_uid"),
        (QueryLevel.Series, "00100020=SYN1-0000300|00080060=CT", "patient_identifier_p"),
        (QueryLevel.Image, "0020000D=2.25.1.2|0020000E=2.25.1.2.1", "series_uid"),
        (QueryLevel.Image, "00080018=1.2", "instance_uid"),
    ];

    [Fact]
    public async Task Searches_by_an_indexed_key_are_served_by_an_index()
    {
        string connectionString = await postgres.NewCatalogAsync();
        // A test's tables are so small that reading them whole is cheap; without that way out the plan is that of large ones.
        await using PostgresCatalog catalog = await PostgresFixture.OpenAsync(connectionString + ";Options=-c enable_seqscan=off");
        await CommitFill.RunAsync(catalog, 2000, ct: Ct);
        await using (var connection = new NpgsqlConnection(connectionString + ";Pooling=false"))
        {
            await connection.OpenAsync(Ct);
            await using var analyze = new NpgsqlCommand("VACUUM ANALYZE", connection);
            await analyze.ExecuteNonQueryAsync(Ct);
        }
        List<string> wrong = [];
        foreach ((QueryLevel level, string keys, string index) in s_plans)
        {
            SearchRequest request = CatalogConformance.Request(level, CatalogConformance.Identifier(keys, 0x0020_000D, 0x0010_0010, 0x0008_0061));
            List<string> plan = await catalog.ExplainAsync(request, analyze: false, Ct);
            if (plan.Any(step => step.Contains("Seq Scan", StringComparison.Ordinal)) || !plan.Any(step => step.Contains(index, StringComparison.Ordinal))) wrong.Add($"{level} {keys} not by {index}:\n  " + string.Join("\n  ", plan));
        }
        SearchRequest newest = CatalogConformance.Request(QueryLevel.Study, CatalogConformance.Identifier("", 0x0010_0010)) with { Order = SearchOrder.NewestStudyFirst, Limit = 25 };
        List<string> ordered = await catalog.ExplainAsync(newest, analyze: false, Ct);
        if (ordered.Any(step => step.Contains("Sort", StringComparison.Ordinal)) || !ordered.Any(step => step.Contains("study_date", StringComparison.Ordinal))) wrong.Add("newest first:\n  " + string.Join("\n  ", ordered));
        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
    }
}
