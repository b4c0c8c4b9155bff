using Microsoft.Extensions.Logging;
using PacsCluster.Blobs;
using PacsCluster.Catalog;

namespace PacsCluster.Engine;

/// <summary>Everything of the engine over one catalog and one blob store. The caller owns those two and disposes them after this.</summary>
public sealed class Archive : IAsyncDisposable
{
    /// <summary>Composes; nothing runs before <see cref="StartAsync"/>.</summary>
    /// <param name="options">Validated options.</param>
    /// <param name="catalog">The catalog, one that can be written.</param>
    /// <param name="blobs">Where instances go.</param>
    /// <param name="time">The clock.</param>
    /// <param name="loggers">Loggers.</param>
    /// <exception cref="ArgumentException">The options are wrong (every error is named), or the catalog can only be read.</exception>
    public Archive(EngineOptions options, ICatalog catalog, IBlobStore blobs, TimeProvider time, ILoggerFactory loggers)
    {
        Catalog = catalog;
        Retrieve = new Retrieve(blobs);
        Ingest = new Ingest();
    }

    /// <summary>Stores.</summary>
    public Ingest Ingest { get; }

    /// <summary>Retrieves.</summary>
    public Retrieve Retrieve { get; }

    /// <summary>What is held and where.</summary>
    public ICatalog Catalog { get; }

    /// <summary>Starts the commit loop and the sweep.</summary>
    public Task StartAsync(CancellationToken cancellationToken) => throw new NotImplementedException();

    /// <summary>Takes no new stores, waits for those in flight up to <see cref="EngineOptions.DrainTimeout"/>, and stops.</summary>
    public ValueTask DisposeAsync() => throw new NotImplementedException();
}
