using Microsoft.Extensions.Logging.Abstractions;
using PacsCluster.Blobs;
using PacsCluster.Catalog;
using PacsCluster.Dicom;
using PacsCluster.Testing;

namespace PacsCluster.Engine.Tests;

/// <summary>An archive on SQLite and files in a folder of its own, with places to put faults.</summary>
internal sealed class TestArchive : IAsyncDisposable
{
    private readonly TempFolder? _ownFolder;

    private TestArchive(TempFolder? ownFolder, string folder, SqliteCatalog catalog, FileBlobStore files, FileBlobStore? far, EngineOptions options, TimeProvider time)
    {
        (_ownFolder, Folder) = (ownFolder, folder);
        Sqlite = catalog;
        Files = files;
        Catalog = new FaultyCatalog(catalog);
        Blobs = new FaultyBlobStore(files);
        Far = far is null ? null : new FaultyBlobStore(far);
        Options = options;
        Time = time;
        Archive = new Archive(options, Catalog, Catalog, Stores, time, NullLoggerFactory.Instance);
    }

    public string Folder { get; }
    public SqliteCatalog Sqlite { get; }
    public FileBlobStore Files { get; }
    public FaultyCatalog Catalog { get; }
    public FaultyBlobStore Blobs { get; }
    /// <summary>A second store, <c>far</c>; null where the test has none.</summary>
    public FaultyBlobStore? Far { get; }
    public IReadOnlyList<FaultyBlobStore> Stores => Far is null ? [Blobs] : [Blobs, Far];
    public EngineOptions Options { get; }
    public TimeProvider Time { get; }
    public Archive Archive { get; private set; }

    /// <summary>A new archive, or another one over the folder of a first.</summary>
    /// <param name="options">Of the engine.</param>
    /// <param name="over">The first.</param>
    /// <param name="time">The clock.</param>
    /// <param name="far">With a second store.</param>
    /// <param name="inFiles">Each blob has a file of its own, for tests that look at files.</param>
    public static async Task<TestArchive> StartAsync(EngineOptions? options = null, TestArchive? over = null, TimeProvider? time = null, bool far = false, bool inFiles = false)
    {
        TempFolder? own = over is null ? new TempFolder() : null;
        string folder = over?.Folder ?? own!.Path;
        time ??= TimeProvider.System;
        var files = new FileBlobStore(new FileBlobStoreOptions { Folder = Path.Combine(folder, "blobs") }, time);
        SqliteCatalog catalog = await SqliteCatalog.OpenAsync(
            new SqliteCatalogOptions { Path = Path.Combine(folder, "catalog.db"), MakeDurableAsync = blobs => LastCommit.MakeDurableAsync([files], blobs) }, time);
        FileBlobStore? second = far ? new FileBlobStore(new FileBlobStoreOptions { Folder = Path.Combine(folder, "far"), Name = "far" }, time) : null;
        options ??= new EngineOptions { CatalogRetryDelay = TimeSpan.FromMilliseconds(1), ReminderConcurrency = 0 };
        var archive = new TestArchive(own, folder, catalog, files, second, options, time);
        foreach (FaultyBlobStore store in archive.Stores) store.IsPacked = !inFiles;
        await archive.Archive.StartAsync(CancellationToken.None);
        return archive;
    }

    /// <summary>Stops the archive and starts one with other options over the same catalog and blobs.</summary>
    public async Task ChangeAsync(EngineOptions options)
    {
        await Archive.DisposeAsync();
        Archive = new Archive(options, Catalog, Catalog, Stores, Time, NullLoggerFactory.Instance);
        await Archive.StartAsync(CancellationToken.None);
    }

    public Task<StoreOutcome> StoreAsync(byte[] dataSet, TransferSyntax? transferSyntax = null, string from = "CT1") => StoreAsync(new MemoryStream(dataSet), transferSyntax, from);

    public Task<StoreOutcome> StoreAsync(Stream dataSet, TransferSyntax? transferSyntax = null, string from = "CT1") =>
        Archive.Ingest.StoreAsync(dataSet, Origin with { TransferSyntax = transferSyntax ?? TransferSyntax.ExplicitVRLittleEndian, CallingAETitle = from }, TestContext.Current.CancellationToken);

    /// <summary>Where instances come from.</summary>
    public static StoreOrigin Origin { get; } = new()
    {
        TransferSyntax = TransferSyntax.ExplicitVRLittleEndian,
        CallingAETitle = "CT1",
        CalledAETitle = "PACSCLUSTER",
        RemoteAddress = "127.0.0.1",
        Door = StoreDoor.Dimse,
    };

    public async Task<List<InstanceLocation>> LocateAsync(params string[] sopInstanceUids)
    {
        var found = new List<InstanceLocation>();
        await foreach (InstanceLocation location in Sqlite.LocateAsync(new LocateRequest { SopInstanceUids = sopInstanceUids })) found.Add(location);
        return found;
    }

    public async Task<byte[]> ReadAsync(InstanceLocation location, TransferSyntax? target = null)
    {
        await using RetrievedInstance instance = await Archive.Retrieve.OpenAsync(location, target ?? TransferSyntax.FromUid(location.TransferSyntaxUid), CancellationToken.None);
        using var bytes = new MemoryStream();
        await instance.DataSet.CopyToAsync(bytes);
        if (instance.Length is { } length) Assert.Equal(length, bytes.Length);
        return bytes.ToArray();
    }

    public static async Task<List<T>> ListAsync<T>(IAsyncEnumerable<T> sequence)
    {
        var list = new List<T>();
        await foreach (T one in sequence) list.Add(one);
        return list;
    }

    /// <summary>Blobs that lie in the store, garbage too.</summary>
    public async Task<List<string>> BlobsAsync() => [.. (await ListAsync(Files.ListAsync())).Select(b => b.Key)];

    /// <summary>Every blob has a row and every row a blob, and all bytes are right.</summary>
    public async Task AssertCleanAsync()
    {
        var findings = new List<VerifyFinding>();
        VerifyReport report = await Archive.Verify.RunAsync(new VerifyOptions { OrphanAge = TimeSpan.Zero }, findings.Add, null, CancellationToken.None);
        Assert.True(findings.Count == 0, string.Join("\n", findings));
        Assert.True(report.IsClean);
    }

    public async ValueTask DisposeAsync()
    {
        Catalog.Heal();
        await Archive.DisposeAsync();
        await Files.DisposeAsync();
        if (Far is not null) await Far.DisposeAsync();
        await Sqlite.DisposeAsync();
        _ownFolder?.Dispose();
    }
}

/// <summary>A stream that gives a few bytes at a time, and fails or waits where a test says so.</summary>
internal sealed class SlowStream(byte[] bytes, int chunk, Func<int, Task>? before = null) : Stream
{
    private int _at;

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (before is not null) await before(_at).WaitAsync(cancellationToken);
        int count = Math.Min(Math.Min(chunk, buffer.Length), bytes.Length - _at);
        bytes.AsMemory(_at, count).CopyTo(buffer);
        _at += count;
        return count;
    }

    public override bool CanRead => true;
    public override bool CanSeek => false;
    public override bool CanWrite => false;
    public override long Length => throw new NotSupportedException();
    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }
    public override void Flush() { }
    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException("read asynchronously");
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
    public override void SetLength(long value) => throw new NotSupportedException();
    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}
