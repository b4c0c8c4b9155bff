namespace PacsCluster.Engine;

/// <summary>Studies of which something was noticed lately. Not for two threads at once.</summary>
/// <param name="memory">How long it is remembered after it was noticed last.</param>
internal sealed class RecentStudies(TimeSpan memory)
{
    private readonly Dictionary<string, DateTimeOffset> _until = new(StringComparer.Ordinal);
    private readonly Queue<(string StudyInstanceUid, DateTimeOffset Until)> _order = new();

    public void Add(string studyInstanceUid, DateTimeOffset now)
    {
        Forget(now);
        DateTimeOffset until = now + memory;
        if (_until.TryGetValue(studyInstanceUid, out DateTimeOffset known) && known == until) return;
        _until[studyInstanceUid] = until;
        _order.Enqueue((studyInstanceUid, until));
    }

    public bool Contains(string studyInstanceUid, DateTimeOffset now)
    {
        Forget(now);
        return _until.ContainsKey(studyInstanceUid);
    }

    private void Forget(DateTimeOffset now)
    {
        while (_order.TryPeek(out (string StudyInstanceUid, DateTimeOffset Until) first) && first.Until <= now)
        {
            _order.Dequeue();
            // Noticed again meanwhile: a later entry stands for it.
            if (_until.GetValueOrDefault(first.StudyInstanceUid) == first.Until) _until.Remove(first.StudyInstanceUid);
        }
    }
}
