using PacsCluster.Dicom;
using PacsCluster.Dicom.Network;

namespace PacsCluster.Dimse;

/// <summary>Counts the C-STORE sub-operations of one C-MOVE or C-GET and says what to answer (PS3.4 C.4.2.1, C.4.3.1; C-53, C-56). No I/O, no clock;
/// one caller counts, and any asks for pending responses.</summary>
internal sealed class SubOperations
{
    /// <summary>Failed SOP Instance UID List (0008,0058).</summary>
    public static readonly Tag FailedSopInstanceUidList = new(0x0008_0058);

    // A UI element of explicit VR counts its bytes in 16 bits: more UIDs than that are counted as failed, but not listed.
    private const int ListMaxBytes = 65534;

    private readonly Lock _gate = new();
    private readonly CommandSet _request;
    private readonly List<string> _failedUids = [];
    private readonly int _pendingEvery;
    private readonly TimeSpan _pendingInterval;
    private int _doneAtPending;
    private TimeSpan _pendingAt;

    /// <summary>Starts with everything remaining.</summary>
    /// <param name="request">C-MOVE-RQ or C-GET-RQ.</param>
    /// <param name="total">Instances to send.</param>
    /// <param name="options">How often to report.</param>
    /// <param name="now">Time on the caller's stopwatch.</param>
    public SubOperations(CommandSet request, int total, QueryRetrieveOptions options, TimeSpan now)
    {
        _request = request;
        Remaining = total;
        _pendingEvery = options.PendingEveryInstances;
        _pendingInterval = options.PendingInterval;
        _pendingAt = now;
    }

    /// <summary>Not yet tried.</summary>
    public int Remaining { get; private set; }

    /// <summary>Answered with success.</summary>
    public int Completed { get; private set; }

    /// <summary>Answered with failure, or not sent.</summary>
    public int Failed { get; private set; }

    /// <summary>Answered with a warning: the receiver has them.</summary>
    public int Warning { get; private set; }

    /// <summary>UIDs of the failed ones.</summary>
    public IReadOnlyList<string> FailedUids => _failedUids;

    private int Done => Completed + Failed + Warning;

    /// <summary>Counts one by the status that its receiver gave.</summary>
    public void Count(string sopInstanceUid, ushort status)
    {
        lock (_gate)
        {
            Remaining--;
            switch (DimseStatus.Categorize(status))
            {
                case StatusCategory.Success:
                    Completed++;
                    break;
                case StatusCategory.Warning:
                    Warning++;
                    break;
                default:
                    Failed++;
                    _failedUids.Add(sopInstanceUid);
                    break;
            }
        }
    }

    /// <summary>Counts one that could not be sent.</summary>
    public void Fail(string sopInstanceUid) => Count(sopInstanceUid, DimseStatus.ProcessingFailure);

    /// <summary>A pending response when one is due, and more is to come.</summary>
    public CommandSet? Pending(TimeSpan now)
    {
        lock (_gate)
        {
            if (Remaining == 0 || (Done - _doneAtPending < _pendingEvery && now - _pendingAt < _pendingInterval)) return null;
            _doneAtPending = Done;
            _pendingAt = now;
            return WithCounters(_request.Respond(DimseStatus.Pending), withRemaining: true);
        }
    }

    /// <summary>The last response, after all: success, a warning when some failed or were stored with a warning, a failure when none was stored.</summary>
    public CommandSet Final() => WithCounters(_request.Respond(FinalStatus(), _failedUids.Count > 0), withRemaining: false);

    /// <summary>The last response after a C-CANCEL: what remains is told.</summary>
    public CommandSet Cancelled() => WithCounters(_request.Respond(DimseStatus.Cancel, _failedUids.Count > 0), withRemaining: true);

    /// <summary>The identifier that goes with a last response that has one: the Failed SOP Instance UID List.</summary>
    public byte[] EncodeFailed(TransferSyntax encoding)
    {
        int bytes = 0, count = 0;
        while (count < _failedUids.Count && bytes + _failedUids[count].Length <= ListMaxBytes) bytes += _failedUids[count++].Length + 1;
        var identifier = new DataSet(encoding);
        identifier.Set(FailedSopInstanceUidList, string.Join('\\', _failedUids.Take(count)), VR.UI);
        return identifier.ToArray(encoding);
    }

    private ushort FinalStatus()
    {
        if (Failed + Warning == 0) return DimseStatus.Success;
        return Completed + Warning == 0 ? DimseStatus.UnableToPerformSuboperations : DimseStatus.SuboperationsCompleteWithFailures;
    }

    // PS3.4 C.4.2.1.6: the number of remaining sub-operations stands only in pending and cancelled responses.
    private CommandSet WithCounters(CommandSet response, bool withRemaining) => response with
    {
        Remaining = withRemaining ? Counter(Remaining) : null,
        Completed = Counter(Completed),
        Failed = Counter(Failed),
        Warning = Counter(Warning),
    };

    private static ushort Counter(int value) => (ushort)Math.Min(value, ushort.MaxValue);
}
