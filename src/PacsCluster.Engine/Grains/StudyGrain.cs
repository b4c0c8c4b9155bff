using PacsCluster.Catalog;

namespace PacsCluster.Engine;

/// <summary>A study as the last commit left it. Only an optimisation: what makes writing safe is the version in the catalog, and a grain that is
/// out of date shows itself as a version conflict, is forgotten and read again.</summary>
/// <param name="Study">Its row with the version that it has now.</param>
/// <param name="Patient">Its patient's row with the version that it has now.</param>
/// <param name="Series">Its series.</param>
/// <param name="Flagged">Findings that were listed already.</param>
internal sealed record StudyGrain(StudyRow Study, PatientRow Patient, IReadOnlyList<SeriesRow> Series, IReadOnlyCollection<string> Flagged);

/// <summary>The studies that were written last, up to a number. Used by the commit loop alone: not thread-safe.</summary>
internal sealed class StudyGrains(int capacity)
{
    private readonly Dictionary<string, LinkedListNode<StudyGrain>> _byUid = new(StringComparer.Ordinal);
    private readonly LinkedList<StudyGrain> _recent = new();

    /// <summary>The grain, and makes it the most recent.</summary>
    public StudyGrain? Find(string studyInstanceUid)
    {
        if (!_byUid.TryGetValue(studyInstanceUid, out LinkedListNode<StudyGrain>? node)) return null;
        _recent.Remove(node);
        _recent.AddFirst(node);
        return node.Value;
    }

    /// <summary>Remembers; forgets the one that was not used for longest when there are too many.</summary>
    public void Put(StudyGrain grain)
    {
        if (capacity == 0) return;
        Forget(grain.Study.StudyInstanceUid);
        _byUid[grain.Study.StudyInstanceUid] = _recent.AddFirst(grain);
        if (_byUid.Count > capacity) Forget(_recent.Last!.Value.Study.StudyInstanceUid);
    }

    /// <summary>Forgets one.</summary>
    public void Forget(string studyInstanceUid)
    {
        if (!_byUid.Remove(studyInstanceUid, out LinkedListNode<StudyGrain>? node)) return;
        _recent.Remove(node);
    }

    /// <summary>Forgets all studies of a patient whose row has changed.</summary>
    public void ForgetOlder(PatientRow patient)
    {
        for (LinkedListNode<StudyGrain>? node = _recent.First; node is not null;)
        {
            LinkedListNode<StudyGrain>? next = node.Next;
            if (node.Value.Patient.Key == patient.Key && node.Value.Patient.Version < patient.Version) Forget(node.Value.Study.StudyInstanceUid);
            node = next;
        }
    }

    /// <summary>Forgets all.</summary>
    public void Clear()
    {
        _byUid.Clear();
        _recent.Clear();
    }

    /// <summary>How many are remembered.</summary>
    public int Count => _byUid.Count;
}
