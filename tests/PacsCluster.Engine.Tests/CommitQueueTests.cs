using PacsCluster.Catalog;
using PacsCluster.Dicom;

namespace PacsCluster.Engine.Tests;

/// <summary>Group commit: what it waits for, what it does when the catalog fails, and that nobody's fate hangs on another's.</summary>
public sealed class CommitQueueTests
{
    private static byte[] Instance(int study, int sop, string content = "a", string id = "P1") =>
        new ScriptLine(0, "", "store", new Dictionary<string, string> { ["study"] = $"{study}", ["sop"] = $"{sop}", ["content"] = content, ["id"] = id }, "", "", [])
            .DataSet(TransferSyntax.ExplicitVRLittleEndian);

    [Fact]
    public async Task C_28_SuccessComesOnlyAfterTheCommit()
    {
        await using TestArchive archive = await TestArchive.StartAsync();
        var gate = new TaskCompletionSource();
        var reached = new TaskCompletionSource();
        archive.Catalog.BeforeCommit = async _ =>
        {
            reached.TrySetResult();
            await gate.Task;
        };
        Task<StoreOutcome> store = archive.StoreAsync(Instance(1, 1));
        await reached.Task;
        Assert.Single(await archive.BlobsAsync());
        Assert.False(await Task.WhenAny(store, Task.Delay(50, TestContext.Current.CancellationToken)) == store);
        gate.SetResult();
        Assert.Equal(StoreOutcomeKind.Stored, (await store).Kind);
    }

    [Fact]
    public async Task WhatGathersWhileABatchIsCommittedIsOneBatch()
    {
        await using TestArchive archive = await TestArchive.StartAsync();
        var gate = new TaskCompletionSource();
        var sizes = new List<int>();
        archive.Catalog.BeforeCommit = async changes =>
        {
            sizes.Add(changes.NewInstances.Count);
            if (sizes.Count == 1) await gate.Task;
        };
        List<Task<StoreOutcome>> stores = [archive.StoreAsync(Instance(1, 0))];
        while (sizes.Count == 0) await Task.Yield();
        for (int i = 1; i <= 20; i++) stores.Add(archive.StoreAsync(Instance(i % 3, i)));
        while (archive.Archive.Waiting < 20) await Task.Delay(1, TestContext.Current.CancellationToken);
        gate.SetResult();
        StoreOutcome[] outcomes = await Task.WhenAll(stores);
        Assert.All(outcomes, o => Assert.Equal(StoreOutcomeKind.Stored, o.Kind));
        Assert.Equal([1, 20], sizes);
        await archive.AssertCleanAsync();
    }

    [Fact]
    public async Task ABlobThatTheDiskRefusesFailsAloneAndIsTriedByNobodyElse()
    {
        await using TestArchive archive = await TestArchive.StartAsync();
        var gate = new TaskCompletionSource();
        bool isFirst = true;
        archive.Catalog.BeforeCommit = async changes =>
        {
            if (!isFirst) return;
            isFirst = false;
            await gate.Task;
        };
        int commits = 0;
        archive.Blobs.NextCommitFault = () => Interlocked.Increment(ref commits) is 3 or 4 ? new Blobs.BlobStoreUnavailableException("files", "I/O error") : null;
        List<Task<StoreOutcome>> stores = [.. Enumerable.Range(0, 10).Select(i => archive.StoreAsync(Instance(1, i)))];
        while (isFirst || archive.Archive.Waiting < 9) await Task.Delay(1, TestContext.Current.CancellationToken);
        gate.SetResult();
        StoreOutcome[] outcomes = await Task.WhenAll(stores);
        Assert.Equal(8, outcomes.Count(o => o.Kind == StoreOutcomeKind.Stored));
        Assert.Equal(2, outcomes.Count(o => o.Kind == StoreOutcomeKind.OutOfResources));
        Assert.Equal(10, commits);
        Assert.Equal(8, (await archive.BlobsAsync()).Count);
        await archive.AssertCleanAsync();
        // The study counts what was kept, and takes up what was refused when it comes again.
        for (int i = 0; i < 10; i++) await archive.StoreAsync(Instance(1, i));
        Assert.Equal(10, (await archive.LocateAsync([.. Enumerable.Range(0, 10).Select(i => $"1.2.3.200.{i}")])).Count);
        await archive.AssertCleanAsync();
    }

    [Fact]
    public async Task ABlobThatNoRowWillReferToIsNotMadeDurable()
    {
        await using TestArchive archive = await TestArchive.StartAsync(new EngineOptions { Sha256 = true, ReminderConcurrency = 0 });
        int commits = 0;
        archive.Blobs.NextCommitFault = () =>
        {
            commits++;
            return null;
        };
        Assert.Equal(StoreOutcomeKind.Stored, (await archive.StoreAsync(Instance(1, 1))).Kind);
        archive.Catalog.BeforeCommit = _ => throw new InvalidDataException("a rule of the schema");
        Assert.Equal(StoreOutcomeKind.Failed, (await archive.StoreAsync(Instance(1, 2))).Kind);
        Assert.Equal(1, commits);
        Assert.Single(await archive.BlobsAsync());
        archive.Catalog.Heal();
        await archive.AssertCleanAsync();
    }

    [Fact]
    public async Task APoisonedItemFailsAlone()
    {
        await using TestArchive archive = await TestArchive.StartAsync();
        var gate = new TaskCompletionSource();
        bool isFirst = true;
        archive.Catalog.BeforeCommit = async changes =>
        {
            if (isFirst)
            {
                isFirst = false;
                await gate.Task;
            }
            if (changes.NewInstances.Any(i => i.SopInstanceUid == "1.2.3.200.5")) throw new InvalidDataException("a rule of the schema");
        };
        List<Task<StoreOutcome>> stores = [.. Enumerable.Range(0, 10).Select(i => archive.StoreAsync(Instance(1, i)))];
        while (isFirst || archive.Archive.Waiting == 0) await Task.Delay(1, TestContext.Current.CancellationToken);
        gate.SetResult();
        StoreOutcome[] outcomes = await Task.WhenAll(stores);
        for (int i = 0; i < 10; i++) Assert.Equal(i == 5 ? StoreOutcomeKind.Failed : StoreOutcomeKind.Stored, outcomes[i].Kind);
        Assert.Equal(9, (await archive.BlobsAsync()).Count);
        await archive.AssertCleanAsync();
    }

    [Fact]
    public async Task TwoArchivesOnOneCatalogConflictAndBothSucceed()
    {
        await using TestArchive one = await TestArchive.StartAsync();
        await using TestArchive two = await TestArchive.StartAsync(over: one);
        // Both know the study in their memories; then they take turns, so that each finds the other's version.
        await one.StoreAsync(Instance(1, 1));
        await two.StoreAsync(Instance(1, 2));
        for (int i = 0; i < 10; i++)
        {
            Assert.Equal(StoreOutcomeKind.Stored, (await one.StoreAsync(Instance(1, 100 + i))).Kind);
            Assert.Equal(StoreOutcomeKind.Stored, (await two.StoreAsync(Instance(1, 200 + i))).Kind);
        }
        StoreOutcome[] outcomes = await Task.WhenAll(Enumerable.Range(0, 40).Select(i => (i % 2 == 0 ? one : two).StoreAsync(Instance(1, 300 + i))));
        // A busy other writer may win four times in a row; then the answer is to try again, and nothing is left behind.
        Assert.All(outcomes, o => Assert.True(o.Kind is StoreOutcomeKind.Stored or StoreOutcomeKind.OutOfResources));
        LoadedState loaded = await ((ICatalogWriter)one.Sqlite).LoadAsync(new LoadRequest { StudyInstanceUids = ["1.2.3.1"] }, CancellationToken.None);
        Assert.Equal(22 + outcomes.Count(o => o.IsSuccess), loaded.Studies["1.2.3.1"].Study.InstanceCount);
        await one.AssertCleanAsync();
    }

    [Fact]
    public async Task AVersionConflictIsDecidedAgainAndGivenUpAfterThree()
    {
        await using TestArchive archive = await TestArchive.StartAsync();
        int conflicts = 3;
        archive.Catalog.BeforeCommit = _ => conflicts-- > 0 ? throw new VersionConflictException("study", 1) : Task.CompletedTask;
        Assert.Equal(StoreOutcomeKind.Stored, (await archive.StoreAsync(Instance(1, 1))).Kind);
        conflicts = 4;
        Assert.Equal(StoreOutcomeKind.OutOfResources, (await archive.StoreAsync(Instance(1, 2))).Kind);
        Assert.Single(await archive.BlobsAsync());
        Assert.Equal(StoreOutcomeKind.Stored, (await archive.StoreAsync(Instance(1, 2))).Kind);
        await archive.AssertCleanAsync();
    }

    [Fact]
    public async Task AFullCatalogRefusesAndResumes()
    {
        await using TestArchive archive = await TestArchive.StartAsync();
        archive.Catalog.BeforeCommit = _ => throw new CatalogUnavailableException("disk full", isFull: true);
        StoreOutcome refused = await archive.StoreAsync(Instance(1, 1));
        Assert.Equal(StoreOutcomeKind.OutOfResources, refused.Kind);
        Assert.Equal("1.2.3.200.1", refused.SopInstanceUid);
        Assert.Empty(await archive.BlobsAsync());
        archive.Catalog.Heal();
        Assert.Equal(StoreOutcomeKind.Stored, (await archive.StoreAsync(Instance(1, 1))).Kind);
        await archive.AssertCleanAsync();
    }

    [Fact]
    public async Task ACatalogThatIsGoneForAMomentIsTriedAgain()
    {
        await using TestArchive archive = await TestArchive.StartAsync();
        int faults = 3;
        archive.Catalog.BeforeCommit = _ => faults-- > 0 ? throw new CatalogUnavailableException("gone") : Task.CompletedTask;
        Assert.Equal(StoreOutcomeKind.Stored, (await archive.StoreAsync(Instance(1, 1))).Kind);
        faults = 4;
        Assert.Equal(StoreOutcomeKind.OutOfResources, (await archive.StoreAsync(Instance(1, 2))).Kind);
        await archive.Archive.OrphanSweep.RunAsync(TimeSpan.Zero, CancellationToken.None);
        await archive.AssertCleanAsync();
    }

    [Fact]
    public async Task ACommitWhoseAnswerWasLostIsASuccess()
    {
        await using TestArchive archive = await TestArchive.StartAsync();
        bool isFirst = true;
        archive.Catalog.AfterCommit = _ =>
        {
            if (!isFirst) return Task.CompletedTask;
            isFirst = false;
            throw new CatalogUnavailableException("the connection broke during the commit");
        };
        Assert.Equal(StoreOutcomeKind.Stored, (await archive.StoreAsync(Instance(1, 1))).Kind);
        Assert.Equal(1, (await archive.Sqlite.CountAsync()).Instances);
        Assert.Equal(StoreOutcomeKind.Stored, (await archive.StoreAsync(Instance(1, 2))).Kind);
        await archive.AssertCleanAsync();
    }

    [Fact]
    public async Task ACommitThatHappensLateIsASuccessAndItsBlobStays()
    {
        await using TestArchive archive = await TestArchive.StartAsync();
        await archive.StoreAsync(Instance(1, 1));
        CatalogChanges? late = null;
        int tries = 0;
        archive.Catalog.BeforeCommit = async changes =>
        {
            tries++;
            if (tries == 1)
            {
                late = changes;
                throw new CatalogUnavailableException("the connection broke, the database works on");
            }
            // It comes through after it was looked for, and before the second try.
            if (tries == 2) await ((ICatalogWriter)archive.Sqlite).CommitAsync(late!, CancellationToken.None);
        };
        StoreOutcome[] outcomes = [await archive.StoreAsync(Instance(1, 2)), await archive.StoreAsync(Instance(1, 3))];
        Assert.All(outcomes, o => Assert.Equal(StoreOutcomeKind.Stored, o.Kind));
        Assert.Equal(3, (await archive.Sqlite.CountAsync()).Instances);
        await archive.AssertCleanAsync();
    }

    [Fact]
    public async Task AnUnknownFaultAfterTheCommitNeverCostsABlobThatARowNeeds()
    {
        await using TestArchive archive = await TestArchive.StartAsync();
        await archive.StoreAsync(Instance(1, 1));
        var gate = new TaskCompletionSource();
        int calls = 0;
        archive.Catalog.BeforeCommit = _ => ++calls == 1 ? gate.Task : Task.CompletedTask;
        archive.Catalog.AfterCommit = _ => calls == 2 ? throw new InvalidOperationException("a fault of ours") : Task.CompletedTask;
        // One that is stored and one that goes to quarantine, in one batch behind another.
        List<Task<StoreOutcome>> stores = [archive.StoreAsync(Instance(1, 2))];
        while (calls == 0) await Task.Yield();
        stores.Add(archive.StoreAsync(Instance(1, 1, "other")));
        stores.Add(archive.StoreAsync(Instance(1, 3)));
        while (archive.Archive.Waiting < 2) await Task.Delay(1, TestContext.Current.CancellationToken);
        gate.SetResult();
        StoreOutcome[] outcomes = await Task.WhenAll(stores);
        Assert.All(outcomes, o => Assert.True(o.IsSuccess || o.Kind == StoreOutcomeKind.Failed));
        archive.Catalog.Heal();
        var findings = new List<VerifyFinding>();
        await archive.Archive.Verify.RunAsync(new VerifyOptions { OrphanAge = TimeSpan.Zero }, findings.Add, null, CancellationToken.None);
        Assert.DoesNotContain(findings, f => f.IsAlarm);
    }

    [Fact]
    public async Task EightTimesTheSameInstanceAtOnceIsOneInstance()
    {
        await using TestArchive archive = await TestArchive.StartAsync();
        byte[] dataSet = Instance(1, 1);
        StoreOutcome[] outcomes = await Task.WhenAll(Enumerable.Range(0, 8).Select(i => Task.Run(() => archive.StoreAsync(dataSet, from: $"CT{i % 3}"))));
        Assert.Single(outcomes, o => o.Kind == StoreOutcomeKind.Stored);
        Assert.Equal(7, outcomes.Count(o => o.Kind == StoreOutcomeKind.Duplicate));
        Assert.Single(await archive.BlobsAsync());
        await archive.AssertCleanAsync();
    }

    [Fact]
    public async Task ManyStoresThroughASmallQueueAllEnd()
    {
        await using TestArchive archive = await TestArchive.StartAsync(new EngineOptions
        {
            QueueMaxItems = 2, BatchMaxItems = 3, CachedStudies = 2, OrphanSweepInterval = TimeSpan.Zero,
        });
        StoreOutcome[] outcomes = await Task.WhenAll(Enumerable.Range(0, 100).Select(i => Task.Run(() => archive.StoreAsync(Instance(i % 7, i, id: $"P{i % 3}")))));
        Assert.All(outcomes, o => Assert.Equal(StoreOutcomeKind.Stored, o.Kind));
        Assert.Equal(100, (await archive.Sqlite.CountAsync()).Instances);
        await archive.AssertCleanAsync();
    }

    [Fact]
    public async Task StoppingAnswersWhatIsInFlight()
    {
        await using TestArchive archive = await TestArchive.StartAsync();
        List<Task<StoreOutcome>> stores = [.. Enumerable.Range(0, 20).Select(i => Task.Run(() => archive.StoreAsync(Instance(1, i))))];
        await archive.Archive.DisposeAsync();
        StoreOutcome[] outcomes = await Task.WhenAll(stores);
        Assert.All(outcomes, o => Assert.True(o.Kind is StoreOutcomeKind.Stored or StoreOutcomeKind.OutOfResources));
        Assert.Equal(outcomes.Count(o => o.IsSuccess), (await archive.Sqlite.CountAsync()).Instances);
        Assert.Equal(outcomes.Count(o => o.IsSuccess), (await archive.BlobsAsync()).Count);
    }
}
