using PacsCluster.Dicom.Network;
using PacsCluster.Engine;

namespace PacsCluster.Dimse;

/// <summary>The one table from outcomes of the engine to statuses of C-STORE (PS3.4 table B.2-1, PS3.7 section 9.1.1.1.9).</summary>
internal static class StoreStatus
{
    /// <summary>The response to a request.</summary>
    public static CommandSet Respond(CommandSet request, StoreOutcome outcome)
    {
        ushort status = StatusOf(outcome);
        return request.Respond(status) with
        {
            ErrorComment = outcome.Comment,
            // Offending Element goes with the statuses that PS3.4 gives one: A9xx, Cxxx and the warnings; elsewhere it may confuse an SCU.
            OffendingElements = outcome.Offending is { } tag && (status & 0xF000) is 0xA000 or 0xB000 or 0xC000 && status != DimseStatus.OutOfResources ? [tag] : null,
        };
    }

    /// <summary>Status of an outcome. Whether a sender gets warnings at all (C-30) the engine's policy for it has decided before.</summary>
    public static ushort StatusOf(StoreOutcome outcome) => outcome.Kind switch
    {
        StoreOutcomeKind.Stored or StoreOutcomeKind.Replaced => outcome.Warning switch
        {
            StoreWarning.Coerced => DimseStatus.CoercionOfDataElements,
            StoreWarning.ElementsDiscarded => DimseStatus.ElementsDiscarded,
            StoreWarning.DoesNotMatchSopClass => DimseStatus.DataSetDoesNotMatchSopClassWarning,
            _ => DimseStatus.Success,
        },
        StoreOutcomeKind.Duplicate or StoreOutcomeKind.Quarantined => DimseStatus.Success,
        StoreOutcomeKind.OutOfResources => DimseStatus.OutOfResources,
        StoreOutcomeKind.DataSetMismatch => DimseStatus.DataSetDoesNotMatchSopClass,
        StoreOutcomeKind.CannotUnderstand => DimseStatus.CannotUnderstand,
        StoreOutcomeKind.RefusedDuplicate => DimseStatus.DuplicateSopInstance,
        StoreOutcomeKind.RefusedByPolicy => DimseStatus.NotAuthorized,
        _ => DimseStatus.ProcessingFailure,
    };
}
