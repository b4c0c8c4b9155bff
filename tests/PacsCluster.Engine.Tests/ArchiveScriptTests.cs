using PacsCluster.Catalog;
using PacsCluster.Dicom;

namespace PacsCluster.Engine.Tests;

/// <summary>The scripts of the rules again, through a whole archive.</summary>
public sealed class ArchiveScriptTests
{
    [Theory, MemberData(nameof(RulesTests.Scripts), MemberType = typeof(RulesTests))]
    public async Task Script(string file)
    {
        await using TestArchive archive = await TestArchive.StartAsync();
        EngineOptions options = archive.Options;
        long lastConflict = 0, lastQuarantine = 0;
        foreach (ScriptLine line in ScriptLine.Read(file))
        {
            string where = $"{file} line {line.Number}: {line.Text}";
            switch (line.Verb)
            {
                case "policy":
                    await archive.ChangeAsync(options = line.Apply(options));
                    break;
                case "store":
                    StoreOutcome outcome = await archive.StoreAsync(line.DataSet(TransferSyntax.ExplicitVRLittleEndian), from: line.From);
                    List<QuarantineEntry> quarantined = await TestArchive.ListAsync(archive.Sqlite.ListQuarantineAsync(lastQuarantine));
                    List<ConflictRow> conflicts = await TestArchive.ListAsync(archive.Sqlite.ListConflictsAsync(lastConflict));
                    string reason = outcome.Kind == StoreOutcomeKind.Quarantined ? quarantined[^1].Row.Reason : "";
                    Assert.True((outcome.Kind.ToString(), reason) == (line.Outcome, line.Reason), $"{where}\ncame out as {outcome.Kind} {reason} {outcome.Comment}");
                    Assert.True(conflicts.Select(c => c.Kind).SequenceEqual(line.Conflicts), $"{where}\nlisted {string.Join(", ", conflicts.Select(c => c.Kind))}");
                    if (quarantined.Count > 0) lastQuarantine = quarantined[^1].Row.Key;
                    if (conflicts.Count > 0) lastConflict = conflicts[^1].Key;
                    break;
                case "expect":
                    await ExpectAsync(archive, line, where);
                    break;
            }
        }
        await archive.AssertCleanAsync();
    }

    private static async Task ExpectAsync(TestArchive archive, ScriptLine line, string where)
    {
        if (line["study"] is { } study)
        {
            string uid = ScriptLine.StudyUid(study);
            LoadedState loaded = await ((ICatalogWriter)archive.Sqlite).LoadAsync(new LoadRequest { StudyInstanceUids = [uid] }, CancellationToken.None);
            LoadedStudy row = loaded.Studies[uid];
            Assert.True((line["id"] ?? "P1") == (row.Patient.Identifier?.Id ?? "-"), $"{where}\npatient is {row.Patient.Identifier?.Id}");
            Assert.True(line["series"] == $"{row.Study.SeriesCount}" && row.Series.Count == row.Study.SeriesCount, $"{where}\nhas {row.Study.SeriesCount} series");
            Assert.True(line["instances"] == $"{row.Study.InstanceCount}", $"{where}\nhas {row.Study.InstanceCount} instances");
            return;
        }
        CatalogCounts counts = await archive.Sqlite.CountAsync();
        foreach ((string what, long count) in new[]
        {
            ("patients", counts.Patients), ("studies", counts.Studies), ("instances", counts.Instances), ("quarantine", counts.Quarantined), ("conflicts", counts.OpenConflicts),
        })
        {
            if (line[what] is { } expected) Assert.True(expected == $"{count}", $"{where}\nthere are {count} {what}");
        }
    }
}
