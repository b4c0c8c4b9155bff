namespace PacsCluster.Engine;

/// <summary>Takes in instances: every door's stores meet here.</summary>
public sealed class Ingest
{
    internal Ingest()
    {
    }

    /// <summary>Stores one instance: reads <paramref name="dataSet"/> to its end in one pass and with bounded memory, and returns once the
    /// instance is durable and committed, or is not kept at all. Safe for concurrent calls.</summary>
    /// <param name="dataSet">The data set's bytes as received, without File Meta Information; read forward only, not disposed.</param>
    /// <param name="origin">Where it comes from and how it is encoded.</param>
    /// <param name="cancellationToken">Gives up while bytes are still coming in. Once all are there the outcome is awaited regardless, so that a
    /// sender who hears nothing can safely send again.</param>
    /// <returns>The outcome; protocol outcomes are never exceptions. When it comes before the end of <paramref name="dataSet"/> (out of space,
    /// not a data set) the rest is unread: the door must drain or abort.</returns>
    /// <exception cref="OperationCanceledException">Cancelled; nothing is kept.</exception>
    /// <exception cref="IOException">Thrown by <paramref name="dataSet"/> itself (the sender went away); nothing is kept.</exception>
    public Task<StoreOutcome> StoreAsync(Stream dataSet, StoreOrigin origin, CancellationToken cancellationToken) => throw new NotImplementedException();
}
