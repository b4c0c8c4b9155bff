using PacsCluster.Imaging;

namespace PacsCluster.Engine;

/// <summary>Options of the store and retrieve paths. Bound and validated once at start, passed down as a value.</summary>
public sealed record EngineOptions
{
    /// <summary>How instances are judged.</summary>
    public StorePolicy Policy { get; init; } = new();

    /// <summary>Differences from <see cref="Policy"/> by calling AE title (exact, trimmed).</summary>
    public IReadOnlyDictionary<string, StorePolicyOverride> CallingAETitles { get; init; } = new Dictionary<string, StorePolicyOverride>();

    /// <summary>Limits of decoding and encoding.</summary>
    public CodecOptions Codecs { get; init; } = new();

    /// <summary>Compression of complete studies.</summary>
    public CompressionOptions Compression { get; init; } = new();

    /// <summary>Bytes of the buffer that each store in flight reads through. Default 1,048,576 (1 MiB), 16,384 to 4,194,304. Larger ones cost
    /// memory per association, smaller ones calls per instance; an instance that fits is written at once, beside others in one file where the store can.</summary>
    public int ReadBufferBytes { get; init; } = 1024 * 1024;

    /// <summary>Remember each blob's SHA-256 in place of its CRC-32C. Default false: a checksum notices what disks do; SHA-256, which costs half a millisecond of a processor
    /// a megabyte, is for those who must show that nobody changed a file.</summary>
    public bool Sha256 { get; init; }

    /// <summary>Bytes of header (attributes without bulk values) kept per instance in memory and catalog. Sequences beyond are left to the blob.
    /// Default 67,108,864 (64 MiB), 1 MiB to 1 GiB.</summary>
    public int HeaderMaxBytes { get; init; } = 64 * 1024 * 1024;

    /// <summary>Values of OB, OD, OF, OL, OV, OW and UN from this many bytes on stay in the blob only. Default 65,536 (64 KiB), 64 to 16 MiB.</summary>
    public int BulkThresholdBytes { get; init; } = 64 * 1024;

    /// <summary>Instances in one commit at most. Default 256, 1 to 4,096.</summary>
    public int BatchMaxItems { get; init; } = 256;

    /// <summary>Header bytes in one commit at most; one larger instance makes a batch of its own. Default 33,554,432 (32 MiB), 1 MiB to 1 GiB.</summary>
    public int BatchMaxBytes { get; init; } = 32 * 1024 * 1024;

    /// <summary>Instances that wait for a commit at most; at the limit stores wait, and so do their senders. Default 1,024, 1 to 65,536.</summary>
    public int QueueMaxItems { get; init; } = 1024;

    /// <summary>Header bytes that wait for a commit at most; at the limit stores wait. Default 134,217,728 (128 MiB), 1 MiB to 4 GiB.</summary>
    public long QueueMaxBytes { get; init; } = 128L * 1024 * 1024;

    /// <summary>Commits tried again after another node was first (version conflict). Default 3, 0 to 10.</summary>
    public int ConflictRetries { get; init; } = 3;

    /// <summary>Commits tried again while the catalog is out of reach; then the senders hear A700. Default 3, 0 to 100.</summary>
    public int CatalogRetries { get; init; } = 3;

    /// <summary>Wait between two of those, doubled each time. Default 200 ms, 1 ms to 1 min.</summary>
    public TimeSpan CatalogRetryDelay { get; init; } = TimeSpan.FromMilliseconds(200);

    /// <summary>Studies whose state is remembered between commits, as an optimisation only. Default 256, 0 to 65,536.</summary>
    public int CachedStudies { get; init; } = 256;

    /// <summary>Time that a stop waits for stores in flight. Default 30 s, 0 to 10 min.</summary>
    public TimeSpan DrainTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Age from which a blob without a row is garbage. Default 24 h, 1 h to 365 d. It must be longer than the longest store.</summary>
    public TimeSpan OrphanAge { get; init; } = TimeSpan.FromHours(24);

    /// <summary>Time between two sweeps for such blobs; zero for none. Default 6 h, 1 min to 365 d.</summary>
    public TimeSpan OrphanSweepInterval { get; init; } = TimeSpan.FromHours(6);

    /// <summary>Time between two looks for copies that are to be made later, where a policy wants such. Default 10 s, 1 s to 1 h.</summary>
    public TimeSpan CopyInterval { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Time without a new instance after which a study is complete. Default 60 s, 1 s to 24 h.</summary>
    public TimeSpan CompletionQuietPeriod { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Time for which a deletion can be taken back; then it is purged. Default 7 d, 0 to 3650 d.</summary>
    public TimeSpan DeletionRetention { get; init; } = TimeSpan.FromDays(7);

    /// <summary>Time for which the change feed keeps its entries; longer for a named consumer that has not read them. Default 7 d, 1 min to 3650 d.</summary>
    public TimeSpan FeedRetention { get; init; } = TimeSpan.FromDays(7);

    /// <summary>Time after which a named consumer of the change feed that says nothing is forgotten, and no entry kept for it. Default 30 d, 1 min to 3650 d.</summary>
    public TimeSpan ConsumerRetention { get; init; } = TimeSpan.FromDays(30);

    /// <summary>Reminders (completing and compressing studies, copying, purging deletions, sweeping, trimming) that this node works on at once. Default 2, 0 to 64; 0 leaves them to other nodes.</summary>
    public int ReminderConcurrency { get; init; } = 2;

    /// <summary>Time after which another node takes over a reminder whose node died. Default 5 min, 1 s to 24 h.</summary>
    public TimeSpan ReminderLease { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>Time after which the catalog is asked for reminders though none is known to be due. Default 30 s, 100 ms to 1 h.</summary>
    public TimeSpan ReminderIdle { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Time for which a node is listed as living after it last said so; it says so three times as often. Default 30 s, 3 s to 1 h.</summary>
    public TimeSpan NodeLease { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>The policy for a calling AE title.</summary>
    public StorePolicy PolicyFor(string callingAETitle) =>
        CallingAETitles.TryGetValue(callingAETitle, out StorePolicyOverride? differences) ? differences.ApplyTo(Policy) : Policy;

    /// <summary>What is wrong with the blob stores that the policies name, a line each.</summary>
    /// <param name="known">The stores that there are.</param>
    public IEnumerable<string> ValidateStores(IReadOnlyCollection<string> known)
    {
        ArgumentNullException.ThrowIfNull(known);
        IEnumerable<(string Name, IReadOnlyList<string>? Stores)> lists =
        [
            ("Policy:Copies", Policy.Copies), ("Policy:LaterCopies", Policy.LaterCopies),
            .. CallingAETitles.SelectMany(c => new[] { ($"CallingAETitles:{c.Key}:Copies", c.Value.Copies), ($"CallingAETitles:{c.Key}:LaterCopies", c.Value.LaterCopies) }),
        ];
        return lists.SelectMany(list => (list.Stores ?? []).Where(store => !known.Contains(store))
            .Select(store => $"Engine:{list.Name}: there is no blob store '{store}' (there is {string.Join(", ", known.Order(StringComparer.Ordinal))})"));
    }

    /// <summary>Every error, each one line that names the option, its value and what is allowed; empty when all is well.</summary>
    public IReadOnlyList<string> Validate()
    {
        var errors = new List<string>();
        void Range<T>(string name, T value, T min, T max) where T : IComparable<T>
        {
            if (value.CompareTo(min) < 0 || value.CompareTo(max) > 0) errors.Add($"Engine:{name}: {value} is not between {min} and {max}");
        }
        const int MiB = 1024 * 1024;
        Range(nameof(ReadBufferBytes), ReadBufferBytes, 16 * 1024, 4 * MiB);
        Range(nameof(HeaderMaxBytes), HeaderMaxBytes, MiB, 1024 * MiB);
        Range(nameof(BulkThresholdBytes), BulkThresholdBytes, 64, 16 * MiB);
        Range(nameof(BatchMaxItems), BatchMaxItems, 1, 4096);
        Range(nameof(BatchMaxBytes), BatchMaxBytes, MiB, 1024 * MiB);
        Range(nameof(QueueMaxItems), QueueMaxItems, 1, 65536);
        Range(nameof(QueueMaxBytes), QueueMaxBytes, MiB, 4096L * MiB);
        Range(nameof(ConflictRetries), ConflictRetries, 0, 10);
        Range(nameof(CatalogRetries), CatalogRetries, 0, 100);
        Range(nameof(CatalogRetryDelay), CatalogRetryDelay, TimeSpan.FromMilliseconds(1), TimeSpan.FromMinutes(1));
        Range(nameof(CachedStudies), CachedStudies, 0, 65536);
        Range(nameof(DrainTimeout), DrainTimeout, TimeSpan.Zero, TimeSpan.FromMinutes(10));
        Range(nameof(OrphanAge), OrphanAge, TimeSpan.FromHours(1), TimeSpan.FromDays(365));
        if (OrphanSweepInterval != TimeSpan.Zero) Range(nameof(OrphanSweepInterval), OrphanSweepInterval, TimeSpan.FromMinutes(1), TimeSpan.FromDays(365));
        Range(nameof(CopyInterval), CopyInterval, TimeSpan.FromSeconds(1), TimeSpan.FromHours(1));
        Range(nameof(CompletionQuietPeriod), CompletionQuietPeriod, TimeSpan.FromSeconds(1), TimeSpan.FromHours(24));
        Range(nameof(DeletionRetention), DeletionRetention, TimeSpan.Zero, TimeSpan.FromDays(3650));
        Range(nameof(FeedRetention), FeedRetention, TimeSpan.FromMinutes(1), TimeSpan.FromDays(3650));
        Range(nameof(ConsumerRetention), ConsumerRetention, TimeSpan.FromMinutes(1), TimeSpan.FromDays(3650));
        Range(nameof(ReminderConcurrency), ReminderConcurrency, 0, 64);
        Range(nameof(ReminderLease), ReminderLease, TimeSpan.FromSeconds(1), TimeSpan.FromHours(24));
        Range(nameof(ReminderIdle), ReminderIdle, TimeSpan.FromMilliseconds(100), TimeSpan.FromHours(1));
        Range(nameof(NodeLease), NodeLease, TimeSpan.FromSeconds(3), TimeSpan.FromHours(1));
        errors.AddRange(Codecs.Validate().Select(error => "Engine:" + error));
        errors.AddRange(Compression.Validate());
        errors.AddRange(Policy.Validate("Engine:Policy"));
        foreach ((string title, StorePolicyOverride differences) in CallingAETitles)
        {
            if (title.Trim() != title || title.Length is 0 or > 16) errors.Add($"Engine:CallingAETitles: '{title}' is not an AE title of 1 to 16 characters");
            errors.AddRange(differences.ApplyTo(Policy).Validate($"Engine:CallingAETitles:{title}"));
        }
        return errors;
    }
}
