using System.Security.Cryptography;
using PacsCluster.Catalog;
using PacsCluster.Dicom;

namespace PacsCluster.Engine.Tests;

/// <summary>The rules of C-32 to C-35 by themselves: scripts through BatchPlan, with what it decided carried from batch to batch.</summary>
public sealed class RulesTests
{
    public static TheoryData<string> Scripts => [.. Directory.GetFiles(Path.Combine(AppContext.BaseDirectory, "testdata"), "C-*.txt").Select(f => Path.GetFileName(f)).Order()];

    [Theory, MemberData(nameof(Scripts))]
    public async Task Script(string file)
    {
        await using var world = new World();
        var options = new EngineOptions();
        foreach (ScriptLine line in ScriptLine.Read(file))
        {
            string where = $"{file} line {line.Number}: {line.Text}";
            switch (line.Verb)
            {
                case "policy":
                    options = line.Apply(options);
                    break;
                case "commit":
                    world.Commit();
                    break;
                case "store":
                    (string outcome, string reason, List<string> conflicts) = world.Store(line, options);
                    Assert.True((outcome, reason) == (line.Outcome, line.Reason), $"{where}\ncame out as {outcome} {reason}");
                    Assert.True(conflicts.SequenceEqual(line.Conflicts), $"{where}\nlisted {string.Join(", ", conflicts)}");
                    break;
                case "expect":
                    world.Commit();
                    world.Expect(line, where);
                    break;
                default:
                    Assert.Fail(where);
                    break;
            }
        }
    }

    /// <summary>What a catalog would have after each batch, kept in dictionaries.</summary>
    private sealed class World : IAsyncDisposable
    {
        private static readonly DateTimeOffset s_now = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

        private readonly Dictionary<string, StudyGrain> _grains = [];
        private readonly Dictionary<PatientIdentifier, PatientRow> _patients = [];
        private readonly Dictionary<long, PatientRow> _patientsByKey = [];
        private readonly Dictionary<string, string> _content = [];
        private readonly List<StoredInstance> _instances = [];
        private BatchPlan? _plan;
        private LoadedState? _loaded;
        private long _nextKey = 1;
        private int _quarantine, _conflicts;

        public (string Outcome, string Reason, List<string> Conflicts) Store(ScriptLine line, EngineOptions options)
        {
            byte[] dataSet = line.DataSet(TransferSyntax.ExplicitVRLittleEndian);
            using var reader = new PushReader(TransferSyntax.ExplicitVRLittleEndian);
            reader.Feed(dataSet);
            reader.Complete();
            var origin = new StoreOrigin { TransferSyntax = TransferSyntax.ExplicitVRLittleEndian, Door = StoreDoor.Dimse, CallingAETitle = line.From };
            StorePolicy policy = options.PolicyFor(line.From);
            Judgement judged = CandidateReader.Judge(reader.Header, origin, policy);
            if (judged.Refusal is { } refusal) return (refusal.Kind.ToString(), "", []);
            string storeKey = $"blob{_content.Count}";
            _content.Add(storeKey, Convert.ToHexString(SHA256.HashData(dataSet)));
            Candidate candidate = CandidateReader.Read(judged, reader, new WrittenBlob(new BlobPlace("files", storeKey), [], [], dataSet.Length, 0, new byte[32]), origin, policy, s_now);

            BatchPlan plan = Plan();
            int conflicts = plan.Changes.NewConflicts.Count, quarantine = plan.Changes.NewQuarantine.Count;
            Decision decision = plan.Decide(candidate);
            string reason = decision.Outcome.Kind == StoreOutcomeKind.Quarantined ? plan.Changes.NewQuarantine[^1].Reason : "";
            Assert.Equal(decision.Outcome.IsSuccess && decision.Outcome.Kind != StoreOutcomeKind.Duplicate, decision.Fate == BlobFate.Keep);
            Assert.True(decision.Outcome.Comment is null or { Length: <= 64 }, decision.Outcome.Comment);
            Assert.Equal(decision.Outcome.Kind is StoreOutcomeKind.Quarantined or StoreOutcomeKind.Replaced ? 1 : 0, plan.Changes.NewQuarantine.Count - quarantine);
            return (decision.Outcome.Kind.ToString(), reason, [.. plan.Changes.NewConflicts.Skip(conflicts).Select(c => c.Kind)]);
        }

        public void Commit()
        {
            if (_plan is null) return;
            CatalogChanges changes = _plan.Finish();
            HashSet<long> removed = [.. changes.RemovedInstances.Select(i => i.Key)];
            _instances.RemoveAll(i => removed.Contains(i.Instance.Key));
            foreach (InstanceRow row in changes.NewInstances) _instances.Add(_loaded!.Instances[row.SopInstanceUid].Single(s => s.Instance.Key == row.Key));
            foreach (PatientRow row in changes.NewPatients.Concat(changes.ChangedPatients))
            {
                _patientsByKey[row.Key] = row;
                if (row.Identifier is { } identifier) _patients[identifier] = row;
            }
            foreach (StudyGrain grain in _plan.GrainsAfterCommit()) _grains[grain.Study.StudyInstanceUid] = grain;
            Check(changes);
            _quarantine += changes.NewQuarantine.Count - changes.RemovedQuarantine.Count;
            _conflicts += changes.NewConflicts.Count;
            _nextKey += 1_000_000;
            _plan = null;
        }

        // What the catalog demands of every batch.
        private static void Check(CatalogChanges changes)
        {
            foreach (InstanceRow instance in changes.NewInstances)
            {
                Assert.Single(changes.NewStudies.Concat(changes.ChangedStudies), s => s.Key == instance.StudyKey);
                Assert.Single(changes.NewHeaders, h => h.InstanceKey == instance.Key);
                Assert.Single(changes.NewBlobs, b => b.Key == instance.BlobKey);
            }
            foreach (StudyRow study in changes.NewStudies)
                Assert.Single(changes.NewPatients.Concat(changes.ChangedPatients).Concat(changes.UnchangedPatients), p => p.Key == study.PatientKey);
            Assert.Equal(changes.NewBlobs.Select(b => b.Key), changes.NewCopies.Select(c => c.BlobKey));
        }

        public void Expect(ScriptLine line, string where)
        {
            if (line["study"] is { } study)
            {
                StudyGrain grain = _grains[ScriptLine.StudyUid(study)];
                Assert.True((line["id"] ?? "P1") == (grain.Patient.Identifier?.Id ?? "-"), $"{where}\npatient is {grain.Patient.Identifier?.Id}");
                Assert.True(line["series"] == $"{grain.Study.SeriesCount}" && grain.Series.Count == grain.Study.SeriesCount, $"{where}\nhas {grain.Study.SeriesCount} series");
                Assert.True(line["instances"] == $"{grain.Study.InstanceCount}", $"{where}\nhas {grain.Study.InstanceCount} instances");
                Assert.Equal(grain.Study.InstanceCount, grain.Series.Sum(s => s.InstanceCount));
                return;
            }
            foreach ((string what, int count) in new[]
            {
                ("patients", _patientsByKey.Count), ("studies", _grains.Count), ("instances", _instances.Count), ("quarantine", _quarantine), ("conflicts", _conflicts),
            })
            {
                if (line[what] is { } expected) Assert.True(expected == $"{count}", $"{where}\nthere are {count} {what}");
            }
        }

        public ValueTask DisposeAsync() => _loaded?.DisposeAsync() ?? ValueTask.CompletedTask;

        private BatchPlan Plan()
        {
            if (_plan is not null) return _plan;
            _loaded = new LoadedState(_nextKey, 1_000_000);
            foreach (StoredInstance instance in _instances)
            {
                if (!_loaded.Instances.TryGetValue(instance.Instance.SopInstanceUid, out List<StoredInstance>? known)) _loaded.Instances[instance.Instance.SopInstanceUid] = known = [];
                known.Add(instance);
            }
            foreach ((PatientIdentifier identifier, PatientRow row) in _patients) _loaded.Patients[identifier] = row;
            return _plan = new BatchPlan(_loaded, new Dictionary<string, StudyGrain>(_grains), (known, candidate) => _content[known.Location.StoreKey] == _content[candidate.Place.Key], s_now, TimeSpan.FromSeconds(60));
        }
    }
}
