using PacsCluster.CatalogFill;
using PacsCluster.Testing;

namespace PacsCluster.Catalog.Tests;

/// <summary>Searches by an indexed key never walk a whole table, and go by the index that leaves the fewest rows.</summary>
public sealed class PlanTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public static TheoryData<QueryLevel, string, string> Plans => new()
    {
        { QueryLevel.Study, "00100020=P1", "n USING PRIMARY KEY (patient_id" },
        { QueryLevel.Study, "00100020=P1|00100021=HOSP", "n USING PRIMARY KEY (patient_id" },
        { QueryLevel.Study, "00100020=P*", "n USING PRIMARY KEY (patient_id" },
        { QueryLevel.Study, "00101002/00100020=X1", "n USING PRIMARY KEY (patient_id" },
        { QueryLevel.Study, "00100010=SM*", "patient_name " },
        { QueryLevel.Study, "00100010=Smith^John", "patient_name " },
        { QueryLevel.Study, "00100010=SM*^J*", "patient_name " },
        { QueryLevel.Study, "00100010=山田*", "patient_name_ideographic" },
        { QueryLevel.Study, "00080020=20240101-20240131", "study_date" },
        { QueryLevel.Study, "00080020=20240101", "study_date" },
        { QueryLevel.Study, "00080020=20240101-20240131|00080061=CT", "study_date" },
        { QueryLevel.Study, "00080020=20240101-20240131|00100020=P1", "n USING PRIMARY KEY (patient_id" },
        { QueryLevel.Study, "00080020=20240101|00100010=S*", "study_date" },
        { QueryLevel.Study, "00080020=20200101-20240131|00100010=SMITH*", "patient_name " },
        { QueryLevel.Study, "00080050=A1", "study_accession_number" },
        { QueryLevel.Study, "00080050=A1*|00080020=20200101-", "study_accession_number" },
        { QueryLevel.Study, "00200010=S1", "study_id" },
        { QueryLevel.Study, "00080090=House*", "study_referring_physician" },
        { QueryLevel.Study, "00100030=19700101", "patient_birth_date" },
        { QueryLevel.Study, "0020000D=1.2\\1.3", "study_uid" },
        { QueryLevel.Study, "0020000E=1.2", "series_uid" },
        { QueryLevel.Study, "00080018=1.2", "instance_uid" },
        { QueryLevel.Patient, "00100010=SM*", "patient_name " },
        { QueryLevel.Series, "0020000D=1.2", "study_uid" },
        { QueryLevel.Series, "0020000E=1.2", "series_uid" },
        { QueryLevel.Series, "00100020=P1|00080060=CT", "n USING PRIMARY KEY (patient_id" },
        { QueryLevel.Image, "0020000D=1.2|0020000E=1.2.3", "series_uid" },
        { QueryLevel.Image, "00080018=1.2", "instance_uid" },
        { QueryLevel.Image, "00100010=SM*|00080020=20240101", "study_date" },
    };

    [Fact]
    public async Task Searches_by_an_indexed_key_are_driven_by_its_index()
    {
        using var folder = new TempFolder();
        await using SqliteCatalog catalog = await SqliteCatalog.OpenAsync(new SqliteCatalogOptions { Path = folder.At("catalog.db") }, TimeProvider.System, Ct);
        await CommitFill.RunAsync(catalog, 100, ct: Ct);
        List<string> wrong = [];
        foreach (ITheoryDataRow row in Plans)
        {
            object?[] data = row.GetData();
            (QueryLevel level, string keys, string index) = ((QueryLevel)data[0]!, (string)data[1]!, (string)data[2]!);
            IReadOnlyList<string> plan = await catalog.ExplainAsync(CatalogConformance.Request(level, CatalogConformance.Identifier(keys, 0x0020_000D, 0x0010_0010, 0x0008_0061)), Ct);
            bool scans = plan.Any(step => step.StartsWith("SCAN", StringComparison.Ordinal) && !step.Contains("subquery", StringComparison.Ordinal));
            if (scans || !plan.Any(step => (step + " ").Contains(index, StringComparison.Ordinal))) wrong.Add($"{level} {keys}:\n  " + string.Join("\n  ", plan));
        }
        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
    }

    [Fact]
    public async Task The_newest_studies_come_from_the_index_without_sorting()
    {
        using var folder = new TempFolder();
        await using SqliteCatalog catalog = await SqliteCatalog.OpenAsync(new SqliteCatalogOptions { Path = folder.At("catalog.db") }, TimeProvider.System, Ct);
        IReadOnlyList<string> plan = await catalog.ExplainAsync(CatalogConformance.Request(QueryLevel.Study, CatalogConformance.Identifier("", 0x0010_0010)) with { Order = SearchOrder.NewestStudyFirst, Limit = 25 }, Ct);
        Assert.Contains(plan, step => step.Contains("study_date", StringComparison.Ordinal));
        Assert.DoesNotContain(plan, step => step.Contains("TEMP B-TREE", StringComparison.Ordinal));
    }
}
