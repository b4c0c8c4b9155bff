using System.Runtime.Serialization;

namespace PacsCluster.Blobs;

/// <summary>What the stores behind HTTP have in common.</summary>
public abstract record CloudBlobStoreOptions
{
    /// <summary>Name under which the catalog knows this store. Never changes once blobs are stored.</summary>
    [IgnoreDataMember]
    public string Name { get; init; } = "";

    /// <summary>Put in front of every blob's name, for example <c>pacs/</c>, so that a container can hold other things too. Default none.</summary>
    public string Prefix { get; init; } = "";

    /// <summary>Bytes: a blob up to this size is one request; a longer one goes in parts of this size. Default 8 MiB; 5 MiB to 100 MiB. Each blob
    /// being written holds up to (<see cref="ParallelParts"/> + 1) × this.</summary>
    public int PartBytes { get; init; } = 8 * 1024 * 1024;

    /// <summary>Parts of one blob on their way at once. Default 3; 1 to 16.</summary>
    public int ParallelParts { get; init; } = 3;

    /// <summary>Parts of all blobs on their way at once; writers wait beyond. Default 32; 1 to 1,024.</summary>
    public int ParallelUploads { get; init; } = 32;

    /// <summary>Tries of a request after the first that fails for a passing reason (503, 429, 5xx, connection lost, no answer). Every request that the stores make
    /// can be repeated without harm: keys are random and blobs never change. Default 3; 0 to 10.</summary>
    public int Retries { get; init; } = 3;

    /// <summary>Time without an answer after which a try is given up. Default 30 s; 1 s to 5 min.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>What is wrong with the options, a line each; empty when nothing is.</summary>
    public virtual IReadOnlyList<string> Validate()
    {
        List<string> errors = [];
        if (string.IsNullOrWhiteSpace(Name)) errors.Add($"{nameof(Name)}: must not be empty");
        if (Prefix.StartsWith('/') || Prefix.Contains("..", StringComparison.Ordinal) || Prefix.Length > 200) errors.Add($"{nameof(Prefix)}: at most 200 characters, without a leading / and without ..");
        if (PartBytes is < 5 * 1024 * 1024 or > 100 * 1024 * 1024) errors.Add($"{nameof(PartBytes)}: 5242880 to 104857600");
        if (ParallelParts is < 1 or > 16) errors.Add($"{nameof(ParallelParts)}: 1 to 16");
        if (ParallelUploads is < 1 or > 1024) errors.Add($"{nameof(ParallelUploads)}: 1 to 1024");
        if (Retries is < 0 or > 10) errors.Add($"{nameof(Retries)}: 0 to 10");
        if (Timeout < TimeSpan.FromSeconds(1) || Timeout > TimeSpan.FromMinutes(5)) errors.Add($"{nameof(Timeout)}: 1 s to 5 min");
        return errors;
    }
}
