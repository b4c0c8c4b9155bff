namespace PacsCluster.Web;

/// <summary>Options of the Store Transaction (STOW-RS).</summary>
public sealed record StoreOptions
{
    /// <summary>Bytes of one request at most; more is answered 413. Default 0: no limit, since parts are stored as they come in and nothing is held. 0 or
    /// 1 MiB to 1 PiB.</summary>
    public long RequestMaxBytes { get; init; }

    /// <summary>Parts of one request at most; more is answered 413. Default 100,000, 1 to 10,000,000.</summary>
    public int PartsMax { get; init; } = 100_000;

    /// <summary>Instances of one request stored at once: while one waits for the disk and the commit, the next comes in. Default 16, 1 to 256. Each holds a
    /// read buffer of the engine (1 MiB).</summary>
    public int PartsInFlight { get; init; } = 16;

    /// <summary>Bytes of metadata (application/dicom+json or +xml) of one request at most; more is answered 413. Default 67,108,864 (64 MiB), 64 KiB to 1 GiB. They
    /// are held in memory until their bulk data has come.</summary>
    public int MetadataMaxBytes { get; init; } = 64 * 1024 * 1024;

    /// <summary>Bulk data that came for metadata is held in memory up to this many bytes a part, and in temporary files beyond. Default 262,144 (256 KiB), 0 to 64 MiB.</summary>
    public int BulkInMemoryBytes { get; init; } = 256 * 1024;

    /// <summary>Folder of those temporary files. Default empty: the system's.</summary>
    public string TempFolder { get; init; } = "";

    internal void Validate(List<string> errors)
    {
        const long MiB = 1024 * 1024;
        Range(nameof(PartsMax), PartsMax, 1, 10_000_000);
        Range(nameof(PartsInFlight), PartsInFlight, 1, 256);
        Range(nameof(MetadataMaxBytes), MetadataMaxBytes, 64 * 1024, 1024 * MiB);
        Range(nameof(BulkInMemoryBytes), BulkInMemoryBytes, 0, 64 * MiB);
        if (RequestMaxBytes != 0) Range(nameof(RequestMaxBytes), RequestMaxBytes, MiB, 1024 * 1024 * 1024 * MiB);
        if (TempFolder.Length > 0 && !Directory.Exists(TempFolder)) errors.Add($"Web:Store:TempFolder: there is no folder {TempFolder}");

        void Range(string name, long value, long min, long max)
        {
            if (value < min || value > max) errors.Add($"Web:Store:{name}: {value} is not between {min} and {max}");
        }
    }
}
