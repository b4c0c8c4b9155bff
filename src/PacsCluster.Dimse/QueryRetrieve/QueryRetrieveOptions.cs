namespace PacsCluster.Dimse;

/// <summary>Options of the Query/Retrieve service. Bound and validated once at start, passed down as a value.</summary>
public sealed record QueryRetrieveOptions
{
    /// <summary>Matches of one C-FIND at most; the response after the last one is A700 with a comment that says so. Default 100,000, 1 to 10,000,000.</summary>
    public int FindMatchesMax { get; init; } = 100_000;

    /// <summary>Instances of one C-MOVE or C-GET at most; more are answered A701 and none is sent. They are held in memory, about 1 KiB
    /// each. Default 250,000, 1 to 5,000,000.</summary>
    public int RetrieveInstancesMax { get; init; } = 250_000;

    /// <summary>A pending response of C-MOVE and C-GET comes at least after this many instances. Default 10, 1 to 10,000.</summary>
    public int PendingEveryInstances { get; init; } = 10;

    /// <summary>A pending response of C-MOVE comes after this time even if no instance was done; one of C-GET with the first instance that is done
    /// after it. Default 1 s, 10 ms to 1 min.</summary>
    public TimeSpan PendingInterval { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Instances opened ahead of the one being sent. Default 2, 0 to 16. Each costs an open file and a buffer.</summary>
    public int ReadAheadInstances { get; init; } = 2;

    /// <summary>Times that a C-MOVE asks its destination for a new association after one was lost or could not be opened; what is then not
    /// sent has failed. Default 1, 0 to 100.</summary>
    public int MoveReconnects { get; init; } = 1;

    /// <summary>Wait before asking again. Default 1 s, 0 to 10 min.</summary>
    public TimeSpan MoveReconnectDelay { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Every error, each one line that names the option, its value and what is allowed; empty when all is well.</summary>
    /// <param name="path">Where these options stand, e.g. <c>Dimse:QueryRetrieve</c>.</param>
    public IReadOnlyList<string> Validate(string path)
    {
        var errors = new List<string>();
        void Range<T>(string name, T value, T min, T max) where T : IComparable<T>
        {
            if (value.CompareTo(min) < 0 || value.CompareTo(max) > 0) errors.Add($"{path}:{name}: {value} is not between {min} and {max}");
        }
        Range(nameof(FindMatchesMax), FindMatchesMax, 1, 10_000_000);
        Range(nameof(RetrieveInstancesMax), RetrieveInstancesMax, 1, 5_000_000);
        Range(nameof(PendingEveryInstances), PendingEveryInstances, 1, 10_000);
        Range(nameof(PendingInterval), PendingInterval, TimeSpan.FromMilliseconds(10), TimeSpan.FromMinutes(1));
        Range(nameof(ReadAheadInstances), ReadAheadInstances, 0, 16);
        Range(nameof(MoveReconnects), MoveReconnects, 0, 100);
        Range(nameof(MoveReconnectDelay), MoveReconnectDelay, TimeSpan.Zero, TimeSpan.FromMinutes(10));
        return errors;
    }
}
