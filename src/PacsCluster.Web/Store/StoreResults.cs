using System.Buffers.Binary;
using Microsoft.AspNetCore.Http;
using PacsCluster.Dicom;
using PacsCluster.Engine;

namespace PacsCluster.Web;

/// <summary>What became of the parts of one store request, and the answer to it (PS3.18 10.5.3).</summary>
internal sealed class StoreResults
{
    /// <summary>(0008,1197) for parts that are no instance at all.</summary>
    private const ushort CannotUnderstand = 0xC000;

    private static readonly Tag s_retrieveUrl = new(0x0008_1190), s_warningReason = new(0x0008_1196), s_failureReason = new(0x0008_1197), s_failedSops = new(0x0008_1198),
        s_referencedSops = new(0x0008_1199), s_otherFailures = new(0x0008_119A), s_sopClass = new(0x0008_1150), s_sopInstance = new(0x0008_1155),
        s_failedAttributes = new(0x0074_1048), s_selectorAttribute = new(0x0072_0026), s_errorComment = new(0x0000_0902);

    private readonly Lock _lock = new();
    private readonly SortedDictionary<int, StoreOutcome> _outcomes = [];

    /// <summary>Parts that ended well or badly.</summary>
    public int Count
    {
        get
        {
            lock (_lock) return _outcomes.Count;
        }
    }

    /// <summary>Notes a part's outcome.</summary>
    /// <param name="index">Position in the request.</param>
    /// <param name="outcome">Outcome.</param>
    public void Add(int index, StoreOutcome outcome)
    {
        lock (_lock) _outcomes[index] = outcome;
    }

    /// <summary>Notes a part that no instance could be read from.</summary>
    public void AddUnreadable(int index, string why) => Add(index, new StoreOutcome { Kind = StoreOutcomeKind.CannotUnderstand, Comment = why });

    /// <summary>Table 10.5.3-1: 200 all stored, 202 some, or all but with warnings, else by why none was.</summary>
    public int Status
    {
        get
        {
            ICollection<StoreOutcome> all = _outcomes.Values;
            if (all.All(o => o.IsSuccess)) return all.All(o => WarningOf(o) == 0) ? StatusCodes.Status200OK : StatusCodes.Status202Accepted;
            if (all.Any(o => o.IsSuccess)) return StatusCodes.Status202Accepted;
            if (all.Any(o => o.Kind is StoreOutcomeKind.OutOfResources or StoreOutcomeKind.Failed)) return StatusCodes.Status503ServiceUnavailable;
            return all.All(o => o.Kind == StoreOutcomeKind.CannotUnderstand) ? StatusCodes.Status400BadRequest : StatusCodes.Status409Conflict;
        }
    }

    /// <summary>The Store Instances Response Module (table I.2-1).</summary>
    /// <param name="root">URL of the service.</param>
    /// <param name="study">Study of the request; null when it names none.</param>
    public DataSet ToDataSet(string root, string? study)
    {
        var answer = new DataSet(TransferSyntax.ExplicitVRLittleEndian);
        StoreOutcome[] all = [.. _outcomes.Values];
        string? one = study ?? (all.Where(o => o.IsSuccess).Select(o => o.StudyInstanceUid).Distinct().ToArray() is [{ } only] ? only : null);
        if (one is not null && all.Any(o => o.IsSuccess)) answer.Set(s_retrieveUrl, $"{root}/studies/{one}", VR.UR);
        DataSet[] failed = [.. all.Where(o => !o.IsSuccess && o.SopInstanceUid is not null).Select(o => Failed(answer, o))];
        DataSet[] stored = [.. all.Where(o => o.IsSuccess).Select(o => Stored(answer, o, root))];
        DataSet[] other = [.. all.Where(o => !o.IsSuccess && o.SopInstanceUid is null).Select(o => Failed(answer, o))];
        if (failed.Length > 0) answer.SetItems(s_failedSops, failed);
        if (stored.Length > 0) answer.SetItems(s_referencedSops, stored);
        if (other.Length > 0) answer.SetItems(s_otherFailures, other);
        return answer;
    }

    /// <summary>The one table from outcomes of the engine to Failure Reason (PS3.3 C.14, PS3.18 annex I).</summary>
    internal static ushort FailureOf(StoreOutcome outcome) => outcome.Kind switch
    {
        StoreOutcomeKind.OutOfResources => 0xA700,
        StoreOutcomeKind.DataSetMismatch => 0xA900,
        StoreOutcomeKind.CannotUnderstand => CannotUnderstand,
        StoreOutcomeKind.RefusedDuplicate => 0x0111,
        StoreOutcomeKind.RefusedByPolicy => 0x0124,
        _ => 0x0110,
    };

    /// <summary>Warning Reason; 0 for none. What is in quarantine is safe but not at its Retrieve URL, so it is never told as stored without a word.</summary>
    internal static ushort WarningOf(StoreOutcome outcome) => (ushort)(outcome.Kind == StoreOutcomeKind.Quarantined ? 0xB000 : outcome.Warning switch
    {
        StoreWarning.Coerced => 0xB000,
        StoreWarning.ElementsDiscarded => 0xB006,
        StoreWarning.DoesNotMatchSopClass => 0xB007,
        _ => 0,
    });

    private static DataSet Stored(DataSet answer, StoreOutcome outcome, string root)
    {
        DataSet item = Reference(answer, outcome);
        if (outcome.Kind != StoreOutcomeKind.Quarantined)
            item.Set(s_retrieveUrl, $"{root}/studies/{outcome.StudyInstanceUid}/series/{outcome.SeriesInstanceUid}/instances/{outcome.SopInstanceUid}", VR.UR);
        if (WarningOf(outcome) is not 0 and ushort warning) item.Set(s_warningReason, warning, VR.US);
        Explain(item, outcome);
        return item;
    }

    private static DataSet Failed(DataSet answer, StoreOutcome outcome)
    {
        DataSet item = Reference(answer, outcome);
        item.Set(s_failureReason, FailureOf(outcome), VR.US);
        Explain(item, outcome);
        return item;
    }

    private static DataSet Reference(DataSet answer, StoreOutcome outcome)
    {
        DataSet item = answer.NewItem();
        if (outcome.SopInstanceUid is null) return item;
        item.Set(s_sopClass, outcome.SopClassUid, VR.UI);
        item.Set(s_sopInstance, outcome.SopInstanceUid, VR.UI);
        return item;
    }

    /// <summary>Failed Attributes Sequence: which attribute, and in words why. Other servers also write Error Comment there, though it is of group 0000.</summary>
    private static void Explain(DataSet item, StoreOutcome outcome)
    {
        if (outcome.Comment is not { } comment || (outcome.IsSuccess && WarningOf(outcome) == 0)) return;
        DataSet failed = item.NewItem();
        failed.Set(s_errorComment, comment, VR.LO);
        if (outcome.Offending is { } tag)
        {
            byte[] value = new byte[4];
            BinaryPrimitives.WriteUInt16LittleEndian(value, tag.Group);
            BinaryPrimitives.WriteUInt16LittleEndian(value.AsSpan(2), tag.Element);
            failed.SetRaw(s_selectorAttribute, VR.AT, value);
        }
        item.SetItems(s_failedAttributes, [failed]);
    }
}
