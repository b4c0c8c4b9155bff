using System.Diagnostics;
using Microsoft.Extensions.Logging;
using PacsCluster.Blobs;
using PacsCluster.Dicom;

namespace PacsCluster.Engine;

/// <summary>Takes in instances: every door's stores meet here. The order is the safety of the archive: the blob is durable first, the catalog's
/// commit comes after it, and the outcome after that.</summary>
public sealed class Ingest
{
    private readonly EngineOptions _options;
    private readonly BlobStores _stores;
    private readonly CommitQueue _queue;
    private readonly TimeProvider _time;
    private readonly Metrics _metrics;
    private readonly ILogger _logger;
    private int _inFlight;

    internal Ingest(EngineOptions options, BlobStores stores, CommitQueue queue, TimeProvider time, Metrics metrics, ILogger logger) =>
        (_options, _stores, _queue, _time, _metrics, _logger) = (options, stores, queue, time, metrics, logger);

    /// <summary>Stores that have begun and not ended.</summary>
    public int InFlight => Volatile.Read(ref _inFlight);

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
    public async Task<StoreOutcome> StoreAsync(Stream dataSet, StoreOrigin origin, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(dataSet);
        ArgumentNullException.ThrowIfNull(origin);
        long started = Stopwatch.GetTimestamp();
        Interlocked.Increment(ref _inFlight);
        try
        {
            using var reader = new PushReader(origin.TransferSyntax, new PushReaderOptions
            {
                BulkThresholdBytes = _options.BulkThresholdBytes,
                HeaderMaxBytes = _options.HeaderMaxBytes,
            });
            long length = 0;
            StoreOutcome outcome;
            try
            {
                await using var receiver = new Receiver(_stores.PlanFor(origin.CallingAETitle), reader, origin, _options);
                await receiver.ReceiveAsync(dataSet, cancellationToken);
                length = receiver.Length;
                outcome = await CommitAsync(receiver, reader, origin);
            }
            catch (DicomFormatException fault)
            {
                outcome = Refused(origin, StoreOutcomeKind.CannotUnderstand, fault.Message, fault.Tag);
            }
            catch (BlobStoreFullException fault)
            {
                Log.BlobStoreFull(_logger, origin.CallingAETitle, fault.Message);
                outcome = Refused(origin, StoreOutcomeKind.OutOfResources, "out of space for instances", null);
            }
            catch (BlobStoreUnavailableException fault)
            {
                Log.BlobStoreUnavailable(_logger, fault, origin.CallingAETitle);
                outcome = Refused(origin, StoreOutcomeKind.OutOfResources, "storage out of reach, try again", null);
            }
            if (outcome.Kind == StoreOutcomeKind.Quarantined) Log.Quarantined(_logger, outcome.SopInstanceUid, origin.CallingAETitle, outcome.Comment ?? "");
            else if (!outcome.IsSuccess) Log.StoreRefused(_logger, origin.Door, origin.CallingAETitle, outcome.Comment ?? "");
            _metrics.Stored(outcome.Kind, origin.Door, length, Stopwatch.GetElapsedTime(started));
            return outcome;
        }
        finally
        {
            Interlocked.Decrement(ref _inFlight);
        }
    }

    // Takes no token: from the blob's commit on, the instance's fate is ours to settle.
    private async Task<StoreOutcome> CommitAsync(Receiver receiver, PushReader reader, StoreOrigin origin)
    {
        StorePolicy policy = _options.PolicyFor(origin.CallingAETitle);
        Judgement judged = CandidateReader.Judge(reader.Header, origin, policy);
        if (judged.Refusal is { } refusal) return refusal;
        // What only the disk is to be waited for the batch does, once for all its blobs; what takes longer must not hold others up.
        Task? durable = receiver.Blob.IsFlushLeft ? null : receiver.CommitAsync();
        WrittenBlob blob = receiver.Written();
        Candidate candidate = CandidateReader.Read(judged, reader, blob, origin, policy, _time.GetUtcNow());
        if (durable is not null) await durable;
        Decision decision;
        try
        {
            decision = await _queue.CommitAsync(candidate, durable is null ? receiver.Blob : null, CancellationToken.None);
        }
        catch (ObjectDisposedException)
        {
            decision = new Decision(Refused(origin, StoreOutcomeKind.OutOfResources, "the archive is stopping", null), BlobFate.Delete);
        }
        // One that is not committed goes with its receiver.
        if (decision.Fate == BlobFate.Delete && !receiver.Blob.IsFlushLeft) await _stores.DeleteAsync(candidate.Place, candidate.MoreCopies);
        return policy.AnswerWarnings || decision.Outcome.Warning == StoreWarning.None ? decision.Outcome : decision.Outcome with { Warning = StoreWarning.None };
    }

    private static StoreOutcome Refused(StoreOrigin origin, StoreOutcomeKind kind, string reason, Tag? offending) => new()
    {
        Kind = kind,
        Comment = Comments.Bounded(reason),
        Offending = offending,
        SopClassUid = origin.AffectedSopClassUid,
        SopInstanceUid = origin.AffectedSopInstanceUid,
    };
}

/// <summary>Error Comment (0000,0902) is LO.</summary>
internal static class Comments
{
    /// <summary>At most 64 printable characters of ASCII (C-31).</summary>
    public static string Bounded(string text)
    {
        if (text.Length <= 64 && !text.AsSpan().ContainsAnyExceptInRange(' ', '~') && !text.Contains('\\')) return text;
        return string.Concat(text.Take(64).Select(c => c is >= ' ' and <= '~' and not '\\' ? c : '?'));
    }
}
