namespace PacsCluster.Dimse;

/// <summary>Counts open connections and associations, all and by calling AE title (C-25). Safe for concurrent calls.</summary>
internal sealed class AssociationLimits(DimseOptions options)
{
    private readonly Dictionary<string, int> _byAE = new(StringComparer.Ordinal);
    private readonly Lock _gate = new();
    private int _associations;
    private int _connections;
    private int _ahead;

    /// <summary>Connections that have not said who they are may be this many beyond the associations, then they are closed at once.</summary>
    public int MaxConnections => options.MaxAssociations + 100;

    /// <summary>False: too many.</summary>
    public bool TryEnterConnection()
    {
        if (Interlocked.Increment(ref _connections) <= MaxConnections) return true;
        Interlocked.Decrement(ref _connections);
        return false;
    }

    public void LeaveConnection() => Interlocked.Decrement(ref _connections);

    /// <summary>An operation of an association that has one under way already. Of all associations together there may be as many as there may be associations, so that
    /// windows at most double what a node holds in memory. False: too many; the operation waits for the earlier ones of its association.</summary>
    public bool TryEnterAhead()
    {
        if (Interlocked.Increment(ref _ahead) <= options.MaxAssociations) return true;
        Interlocked.Decrement(ref _ahead);
        return false;
    }

    public void LeaveAhead() => Interlocked.Decrement(ref _ahead);

    /// <summary>False: one of the two limits is reached.</summary>
    public bool TryEnter(string callingAETitle)
    {
        int most = options.FindAE(callingAETitle)?.MaxAssociations ?? options.MaxAssociationsPerAE;
        lock (_gate)
        {
            int open = _byAE.GetValueOrDefault(callingAETitle);
            if (_associations >= options.MaxAssociations || open >= most) return false;
            _associations++;
            _byAE[callingAETitle] = open + 1;
            return true;
        }
    }

    public void Leave(string callingAETitle)
    {
        lock (_gate)
        {
            _associations--;
            if (--_byAE[callingAETitle] == 0) _byAE.Remove(callingAETitle);
        }
    }
}
