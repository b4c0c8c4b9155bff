namespace PacsCluster.Catalog;

/// <summary>Another writer was first: a row that the changes were decided on is no longer as it was read, or a new row exists already.
/// Nothing was written. Forget, load, decide again.</summary>
public sealed class VersionConflictException : Exception
{
    /// <summary>Made by catalogs.</summary>
    /// <param name="kind">patient, study, series, instance, blob, quarantine, rejection or node.</param>
    /// <param name="key">Surrogate key of the row; 0 when the database did not say which.</param>
    /// <param name="inner">What the database said.</param>
    public VersionConflictException(string kind, long key, Exception? inner = null)
        : base($"the {kind} row {key} was changed by another writer", inner) => (Kind, Key) = (kind, key);

    /// <summary>patient, study, series, instance, blob, quarantine, rejection or node.</summary>
    public string Kind { get; }

    /// <summary>Surrogate key of the row; 0 when the database did not say which.</summary>
    public long Key { get; }
}

/// <summary>The database cannot do it now: gone, locked for too long, disk full, damaged. Nothing was written.</summary>
public sealed class CatalogUnavailableException : Exception
{
    /// <summary>Made by catalogs.</summary>
    public CatalogUnavailableException(string what, bool isFull = false, Exception? inner = null) : base(what, inner) => IsFull = isFull;

    /// <summary>There is no room for more: refuse to store (out of resources), reading works on.</summary>
    public bool IsFull { get; }
}
