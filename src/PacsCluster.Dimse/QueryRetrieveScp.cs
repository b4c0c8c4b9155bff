using PacsCluster.Dicom.Network;

namespace PacsCluster.Dimse;

#pragma warning disable CA1822 // bodies come with the service

/// <summary>Query/Retrieve Service Class as SCP (PS3.4 annex C).</summary>
internal sealed class QueryRetrieveScp
{
    /// <summary>What we offer for a SOP class of Query/Retrieve; null when it is none of ours.</summary>
    public AbstractSyntaxRule? RuleFor(string abstractSyntax) => null;

    /// <summary>Serves a C-FIND-RQ to its final response; returns the status answered.</summary>
    public Task<ushort> FindAsync(DimseRequest request) => RefuseAsync(request);

    /// <summary>Serves a C-MOVE-RQ to its final response; returns the status answered.</summary>
    public Task<ushort> MoveAsync(DimseRequest request) => RefuseAsync(request);

    /// <summary>Serves a C-GET-RQ to its final response; returns the status answered.</summary>
    public Task<ushort> GetAsync(DimseRequest request) => RefuseAsync(request);

    private static async Task<ushort> RefuseAsync(DimseRequest request)
    {
        await request.RespondAsync(request.Command.Respond(DimseStatus.SopClassNotSupported));
        return DimseStatus.SopClassNotSupported;
    }
}
