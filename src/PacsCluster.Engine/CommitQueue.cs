using System.Diagnostics;
using System.Runtime.ExceptionServices;
using Microsoft.Extensions.Logging;
using PacsCluster.Blobs;
using PacsCluster.Catalog;

namespace PacsCluster.Engine;

/// <summary>Group commit: the first who comes commits at once, those who come meanwhile gather, and then the first of them commits for all of these.
/// There is no timer and no thread, so a lone store waits for nobody. Bounded in instances and bytes: at the limit <see cref="CommitAsync"/>
/// waits, and with it the sender.</summary>
internal sealed class CommitQueue : IAsyncDisposable
{
    /// <summary>How long a conflict makes a study's commits exclusive, and a known instance has the next ones looked up. After it, optimism costs one conflict to learn better.</summary>
    private static readonly TimeSpan s_memory = TimeSpan.FromSeconds(10);

    private readonly EngineOptions _options;
    private readonly ICatalog _catalog;
    private readonly ICatalogWriter _writer;
    private readonly BlobStores _stores;
    private readonly TimeProvider _time;
    private readonly Metrics _metrics;
    private readonly ILogger _logger;
    private readonly Lock _gate = new();
    private readonly Queue<Item> _waiting = new();
    private readonly SemaphoreSlim _places;
    private readonly ByteBudget _budget;
    private readonly StudyGrains _grains;

    /// <summary>Studies that other nodes write too: they are loaded exclusively, because optimism would lose to each of the others in turn.
    /// Only the one who leads a commit looks at it.</summary>
    private readonly RecentStudies _contended = new(s_memory);

    /// <summary>Studies that are sent once more: their instances are not expected to be new. Only the one who leads a commit looks at it.</summary>
    private readonly RecentStudies _resent = new(s_memory);
    private readonly TaskCompletionSource _stopped = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private bool _isLed;
    private bool _isStopping;

    public CommitQueue(EngineOptions options, ICatalog catalog, ICatalogWriter writer, BlobStores stores, TimeProvider time, Metrics metrics, ILogger logger)
    {
        (_options, _catalog, _writer, _stores, _time, _metrics, _logger) = (options, catalog, writer, stores, time, metrics, logger);
        _places = new SemaphoreSlim(options.QueueMaxItems);
        _budget = new ByteBudget(options.QueueMaxBytes);
        _grains = new StudyGrains(options.CachedStudies);
        metrics.Observe(() => Waiting);
    }

    /// <summary>Candidates that wait for the next batch.</summary>
    public int Waiting
    {
        get
        {
            lock (_gate) return _waiting.Count;
        }
    }

    /// <summary>Waits for the candidate's turn, its decision and its commit. Returns only after the commit.</summary>
    /// <param name="candidate">The candidate.</param>
    /// <param name="blob">Its blob, when all that is left to do for it is to wait for the disk (<see cref="BlobWriter.IsFlushLeft"/>): the batch waits once for those of all, while the
    /// catalog takes the rows. It stays uncommitted when it is not needed. Null when it is durable.</param>
    /// <param name="cancellationToken">Gives up waiting for a place.</param>
    /// <exception cref="ObjectDisposedException">The queue was stopped before the candidate got in.</exception>
    /// <exception cref="BlobStoreFullException">Of the blob; nothing is kept.</exception>
    /// <exception cref="BlobStoreUnavailableException">Of the blob; nothing is kept.</exception>
    public async Task<Decision> CommitAsync(Candidate candidate, BlobWriter? blob, CancellationToken cancellationToken)
    {
        int bytes = candidate.HeldBytes;
        await _places.WaitAsync(cancellationToken);
        try
        {
            await _budget.TakeAsync(bytes, cancellationToken);
            try
            {
                // From here on there is no leaving: it would leave a blob whose fate nobody knows.
                var item = new Item(candidate, blob);
                if (Enter(item) || await item.Turn.Task == Turn.Lead) await LeadAsync();
                item.BlobFault?.Throw();
                return item.Answer!;
            }
            finally
            {
                _budget.Give(bytes);
            }
        }
        finally
        {
            _places.Release();
        }
    }

    /// <summary>Runs something between two batches, while nothing else is committed through the queue: what changes a study as a whole would else lose against a steady
    /// stream of stores each time it tries.</summary>
    /// <exception cref="ObjectDisposedException">The queue is stopped.</exception>
    public async Task<T> AloneAsync<T>(Func<Task<T>> work)
    {
        var item = new Item(null, null);
        if (!Enter(item)) await item.Turn.Task;
        try
        {
            lock (_gate) _waiting.Dequeue();
            return await work();
        }
        finally
        {
            HandOn();
        }
    }

    /// <summary>Takes no more, and waits for what is there.</summary>
    public async ValueTask DisposeAsync()
    {
        lock (_gate)
        {
            _isStopping = true;
            if (!_isLed) _stopped.TrySetResult();
        }
        await _stopped.Task;
    }

    /// <summary>Puts an item in line; true when nobody commits, and then its caller is to.</summary>
    private bool Enter(Item item)
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_isStopping, this);
            _waiting.Enqueue(item);
            if (_isLed) return false;
            return _isLed = true;
        }
    }

    /// <summary>Commits one batch, with the caller's item as its first, and hands the lead on.</summary>
    private async Task LeadAsync()
    {
        List<Item> batch = Gather();
        Item[] all = [.. batch];
        try
        {
            await CommitBatchAsync(batch);
        }
        catch (Exception fault)
        {
            // An edge: the queue must outlive every batch. What is not answered yet is in an unknown state, so its blobs stay for the sweep.
            Log.BatchFailed(_logger, fault, batch.Count);
            foreach (Item item in batch) item.Fail(StoreOutcomeKind.Failed, "processing failure", BlobFate.LeaveToSweep);
            _grains.Clear();
        }
        // First the lead, then the answers: each of those who get one takes the processor at once, for longer than the next batch should wait.
        HandOn();
        foreach (Item item in all) item.WakeWhereAnswered();
    }

    private void HandOn()
    {
        Item? next;
        lock (_gate)
        {
            if (!_waiting.TryPeek(out next))
            {
                _isLed = false;
                if (_isStopping) _stopped.TrySetResult();
            }
        }
        // The gate is open then: it is the first thing that the next leader goes through.
        next?.Turn.SetResult(Turn.Lead);
    }

    private List<Item> Gather()
    {
        var batch = new List<Item>();
        long bytes = 0;
        lock (_gate)
        {
            while (batch.Count < _options.BatchMaxItems && _waiting.TryPeek(out Item? item) && item.HasCandidate)
            {
                bytes += item.Candidate.HeldBytes;
                if (bytes > _options.BatchMaxBytes && batch.Count > 0) break;
                batch.Add(_waiting.Dequeue());
            }
        }
        return batch;
    }

    /// <summary>Commits a batch whatever happens: on return every item is answered.</summary>
    /// <param name="batch">The items; used up.</param>
    /// <param name="isUnsure">A commit of them broke off before, and it may have happened all the same.</param>
    private async Task CommitBatchAsync(List<Item> batch, bool isUnsure = false)
    {
        int conflicts = 0, outages = 0;
        // Once a commit broke off it may happen late: the database works on what it was sent, whether the connection lives or not. So it is looked for at every turn.
        bool brokeOff = isUnsure;
        while (batch.Count > 0)
        {
            long started = Stopwatch.GetTimestamp();
            BatchPlan? plan = null, committed = null;
            try
            {
                if (isUnsure) await AnswerCommittedAsync(batch);
                isUnsure = false;
                plan = await PlanAsync(batch);
                if (plan is null) continue;
                CatalogChanges changes = plan.Finish();
                if (changes.IsEmpty && plan.Loaded.AssumedNew.Count > 0)
                {
                    // Refused one and all, and no commit to check what that was decided on.
                    NoteResent(batch);
                    continue;
                }
                if (batch.FindAll(item => item.IsToFlush) is { Count: > 0 } unflushed)
                {
                    changes.Unflushed = new UnflushedBlobs(unflushed.ConvertAll(item => item.AsUnflushed), () => BeginFlush(unflushed), () => MakeDurableAsync(unflushed));
                }
                isUnsure = true;
                if (!changes.IsEmpty) await _writer.CommitAsync(changes, CancellationToken.None);
                await plan.Loaded.DisposeAsync();
                committed = plan;
            }
            catch (BlobLostException)
            {
                await LetGoAsync(plan);
                isUnsure = brokeOff;
                batch.RemoveAll(item => item.BlobFault is not null);
            }
            catch (VersionConflictException conflict) when (conflict.Kind == "instance" && plan is { Loaded.AssumedNew.Count: > 0 })
            {
                NoteResent(batch);
                isUnsure = brokeOff;
            }
            catch (VersionConflictException)
            {
                await LetGoAsync(plan);
                foreach (Item item in batch) _contended.Add(item.Candidate.StudyInstanceUid, _time.GetUtcNow());
                isUnsure = brokeOff;
                _metrics.Conflict();
                Forget(batch);
                if (conflicts++ < _options.ConflictRetries) continue;
                Log.ConflictsGivenUp(_logger, batch.Count, conflicts);
                FailAll(batch, "catalog too busy, try again", brokeOff ? BlobFate.LeaveToSweep : BlobFate.Delete);
                return;
            }
            catch (CatalogUnavailableException fault)
            {
                await LetGoAsync(plan);
                Forget(batch);
                isUnsure = brokeOff |= isUnsure && !fault.IsFull;
                if (fault.IsFull)
                {
                    Log.CatalogFull(_logger, batch.Count);
                    FailAll(batch, "out of space for the catalog", brokeOff ? BlobFate.LeaveToSweep : BlobFate.Delete);
                    return;
                }
                if (outages++ < _options.CatalogRetries)
                {
                    await Task.Delay(_options.CatalogRetryDelay * (1 << Math.Min(outages - 1, 10)), _time);
                    continue;
                }
                Log.CatalogUnavailable(_logger, fault, batch.Count, outages);
                FailAll(batch, "catalog out of reach, try again", BlobFate.LeaveToSweep);
                return;
            }
            catch (Exception fault)
            {
                // A poisoned item, or a fault of ours that one item brought out: alone, only the one at fault fails.
                await LetGoAsync(plan);
                Forget(batch);
                await SplitAsync(batch, fault, brokeOff || (isUnsure && fault is not InvalidDataException));
                return;
            }
            if (committed is null) continue;
            Complete(batch, committed, started);
            if (committed.DeadBlobs.Count == 0) return;
            // Nobody's answer waits for a store far away.
            foreach (Item item in batch) item.WakeWhereAnswered();
            foreach (BlobPlace place in committed.DeadBlobs) await _stores.DeleteAsync(place);
            return;
        }
    }

    private static void BeginFlush(List<Item> items)
    {
        // The last one's flush is that of all, where they lie in one file.
        for (int i = 0; i < items.Count - 1; i++) items[i].Blob!.EndWrites();
        items[^1].Blob!.BeginFlush();
    }

    /// <summary>Makes blobs durable that only the disk is to be waited for.</summary>
    /// <exception cref="BlobLostException">Some cannot be; their items are answered.</exception>
    private static async Task MakeDurableAsync(IEnumerable<Item> items)
    {
        Item[] waiting = [.. items];
        foreach (Item item in waiting) item.Blob!.EndWrites();
        await Task.WhenAll(Array.ConvertAll(waiting, item => item.CommitBlobAsync()));
        if (Array.Exists(waiting, item => item.BlobFault is not null)) throw new BlobLostException();
    }

    private static async Task LetGoAsync(BatchPlan? plan)
    {
        if (plan is not null) await plan.Loaded.DisposeAsync();
    }

    private void NoteResent(IEnumerable<Item> items)
    {
        DateTimeOffset now = _time.GetUtcNow();
        foreach (Item item in items) _resent.Add(item.Candidate.StudyInstanceUid, now);
    }

    private void Complete(List<Item> batch, BatchPlan plan, long started)
    {
        foreach (StudyGrain grain in plan.GrainsAfterCommit())
        {
            _grains.ForgetOlder(grain.Patient);
            _grains.Put(grain);
        }
        _metrics.Committed(batch.Count, Stopwatch.GetElapsedTime(started));
        foreach (Item item in batch) item.Settle(item.Decision!);
    }

    private static void FailAll(List<Item> batch, string comment, BlobFate fate)
    {
        foreach (Item item in batch) item.Fail(StoreOutcomeKind.OutOfResources, comment, fate);
    }

    /// <summary>Loads and decides; null when an item had to be cut out, and then the rest is planned again.</summary>
    private async Task<BatchPlan?> PlanAsync(List<Item> batch)
    {
        Dictionary<string, StudyGrain> grains = new(StringComparer.Ordinal);
        HashSet<string> studies = new(StringComparer.Ordinal), instances = new(StringComparer.Ordinal);
        HashSet<PatientIdentifier> patients = [];
        DateTimeOffset now = _time.GetUtcNow();
        bool isContended = batch.Exists(item => _contended.Contains(item.Candidate.StudyInstanceUid, now));
        bool isResent = batch.Exists(item => item.Candidate.ReleasedFrom is not null || _resent.Contains(item.Candidate.StudyInstanceUid, now));
        foreach (Item item in batch)
        {
            Candidate candidate = item.Candidate;
            if (candidate.SopInstanceUid.Length > 0) instances.Add(candidate.SopInstanceUid);
            string study = candidate.StudyInstanceUid;
            if (study.Length > 0 && !grains.ContainsKey(study) && !studies.Contains(study))
            {
                if (!isContended && _grains.Find(study) is { } grain) grains.Add(study, grain);
                else studies.Add(study);
            }
            if (candidate.Patient is { } identifier && (!grains.TryGetValue(study, out StudyGrain? known) || known.Patient.Identifier != identifier))
                patients.Add(identifier);
        }
        // Other nodes wait for these studies from the load on: not for our disk too.
        if (isContended) await MakeDurableAsync(batch.Where(item => !item.IsDurable));
        LoadedState loaded = await _writer.LoadAsync(new LoadRequest
        {
            StudyInstanceUids = studies,
            Patients = patients,
            SopInstanceUids = instances,
            NewKeys = 8 * batch.Count,
            Exclusive = isContended,
            ExpectsNew = !isResent,
        }, CancellationToken.None);
        if (loaded.Instances.Count > 0) NoteResent(batch.Where(i => loaded.Instances.ContainsKey(i.Candidate.SopInstanceUid)));
        ContentCompare compare;
        try
        {
            compare = await CompareAsync(batch, loaded);
        }
        catch
        {
            await loaded.DisposeAsync();
            throw;
        }
        var plan = new BatchPlan(loaded, grains, compare.IsSame, _time.GetUtcNow(), _options.CompletionQuietPeriod);
        foreach (Item item in batch)
        {
            try
            {
                item.Decision = plan.Decide(item.Candidate);
            }
            catch (Exception fault)
            {
                Log.PoisonedItem(_logger, fault, item.Candidate.SopInstanceUid);
                item.Fail(StoreOutcomeKind.Failed, "processing failure", BlobFate.Delete);
                batch.Remove(item);
                await loaded.DisposeAsync();
                return null;
            }
        }
        return plan;
    }

    private async Task<ContentCompare> CompareAsync(List<Item> batch, LoadedState loaded)
    {
        var compare = new ContentCompare(_stores);
        if (loaded.Instances.Count == 0 && batch.Count == 1) return compare;
        foreach (IGrouping<string, Item> same in batch.GroupBy(i => i.Candidate.SopInstanceUid, StringComparer.Ordinal))
        {
            if (same.Key.Length == 0) continue;
            bool isKnown = loaded.Instances.TryGetValue(same.Key, out List<StoredInstance>? known);
            if (!isKnown && same.Count() == 1) continue;
            // They are read.
            await MakeDurableAsync(same.Where(item => !item.IsDurable));
            await compare.PrepareAsync(isKnown ? known! : [], [.. same.Select(i => i.Candidate)], CancellationToken.None);
        }
        return compare;
    }

    /// <summary>After a commit that broke off: answers those items whose blobs a row refers to, because then the commit did happen.</summary>
    private async Task AnswerCommittedAsync(List<Item> batch)
    {
        HashSet<BlobPlace> unknown = [];
        foreach (IGrouping<string, string> store in batch.Select(i => i.Candidate.Place).GroupBy(p => p.Store, p => p.Key, StringComparer.Ordinal))
            unknown.UnionWith((await _catalog.FindUnknownBlobsAsync(store.Key, [.. store])).Select(key => new BlobPlace(store.Key, key)));
        for (int i = batch.Count - 1; i >= 0; i--)
        {
            Item item = batch[i];
            if (item.Candidate.ReleasedFrom is not null || unknown.Contains(item.Candidate.Place)) continue;
            item.Complete(item.Decision!);
            batch.RemoveAt(i);
        }
    }

    private async Task SplitAsync(List<Item> batch, Exception fault, bool isUnsure)
    {
        if (batch.Count == 1)
        {
            Log.PoisonedItem(_logger, fault, batch[0].Candidate.SopInstanceUid);
            batch[0].Fail(StoreOutcomeKind.Failed, "processing failure", isUnsure ? BlobFate.LeaveToSweep : BlobFate.Delete);
            return;
        }
        Log.BatchSplit(_logger, fault, batch.Count);
        foreach (Item item in batch.ToArray()) await CommitBatchAsync([item], isUnsure);
    }

    private void Forget(List<Item> batch)
    {
        foreach (Item item in batch) _grains.Forget(item.Candidate.StudyInstanceUid);
    }

    /// <summary>A blob of the batch could not be made durable.</summary>
    private sealed class BlobLostException : Exception;

    /// <param name="candidate">Null for what runs alone.</param>
    /// <param name="blob">Null when it is durable.</param>
    private sealed class Item(Candidate? candidate, BlobWriter? blob)
    {
        public Candidate Candidate => candidate!;

        public bool HasCandidate => candidate is not null;

        /// <summary>What its caller waits for. Continuations run elsewhere: a slow sender must not hold up who leads.</summary>
        public TaskCompletionSource<Turn> Turn { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        /// <summary>As decided, not yet committed.</summary>
        public Decision? Decision { get; set; }

        public BlobWriter? Blob => blob;

        /// <summary>A row will refer to a blob that is not durable yet.</summary>
        public bool IsToFlush => !IsDurable && Decision?.Fate == BlobFate.Keep;

        public bool IsDurable { get; private set; } = blob is null;

        public UnflushedBlob AsUnflushed => new(Candidate.Place, Candidate.Length, Candidate.Digest);

        /// <summary>Why the blob never will be durable; in place of an answer.</summary>
        public ExceptionDispatchInfo? BlobFault { get; private set; }

        public async Task CommitBlobAsync()
        {
            try
            {
                await blob!.CommitAsync(CancellationToken.None);
                IsDurable = true;
            }
            catch (Exception fault)
            {
                BlobFault = ExceptionDispatchInfo.Capture(fault);
                Turn.TrySetResult(CommitQueue.Turn.Answered);
            }
        }

        /// <summary>The outcome; the first one holds.</summary>
        public Decision? Answer { get; private set; }

        /// <summary>Gives the outcome to who comes to look, without waking its caller.</summary>
        public void Settle(Decision answer) => Answer ??= answer;

        public void Complete(Decision answer)
        {
            Settle(answer);
            WakeWhereAnswered();
        }

        public void WakeWhereAnswered()
        {
            // Who leads has been woken for that already, or never waited.
            if (Answer is not null) Turn.TrySetResult(CommitQueue.Turn.Answered);
        }

        public void Fail(StoreOutcomeKind kind, string comment, BlobFate fate) => Complete(new Decision(new StoreOutcome
        {
            Kind = kind,
            Comment = comment,
            SopClassUid = Candidate.SopClassUid,
            SopInstanceUid = Candidate.SopInstanceUid,
            StudyInstanceUid = Candidate.StudyInstanceUid,
            SeriesInstanceUid = Candidate.SeriesInstanceUid,
        }, Candidate.ReleasedFrom is null ? fate : BlobFate.Keep));
    }

    /// <summary>What a caller in line is woken for.</summary>
    private enum Turn
    {
        /// <summary>Its item has an answer.</summary>
        Answered,

        /// <summary>To commit the next batch.</summary>
        Lead,
    }
}
