using Microsoft.Extensions.Logging;
using PacsCluster.Catalog;
using PacsCluster.Dicom;
using PacsCluster.Dicom.Network;
using PacsCluster.Engine;

namespace PacsCluster.Dimse;

/// <summary>Query/Retrieve Service Class as SCP (PS3.4 annex C), Patient Root and Study Root: C-FIND from the catalog's cursor, C-MOVE and C-GET
/// from the engine's <see cref="Retrieve"/>. One object serves all associations; all it remembers is who is being sent to. A host without a catalog offers nothing of it.</summary>
internal sealed partial class QueryRetrieveScp(
    DimseOptions options, TimeProvider time, ILogger<QueryRetrieveScp> logger, ICatalog? catalog = null, Retrieve? retrieve = null)
{
    private static readonly Tag s_retrieveAETitle = new(0x0008_0054);

    private readonly ICatalog? _catalog = catalog;
    private readonly Retrieve? _retrieve = retrieve;

    private ICatalog Catalog => _catalog ?? throw new InvalidOperationException("Query/Retrieve was not offered");

    private Retrieve Retrieve => _retrieve ?? throw new InvalidOperationException("Query/Retrieve was not offered");

    /// <summary>What we offer for a SOP class of Query/Retrieve; null when it is none of ours.</summary>
    public AbstractSyntaxRule? RuleFor(string abstractSyntax)
    {
        if (_catalog is null || _retrieve is null || InformationModel.Find(abstractSyntax) is not { } model) return null;
        return new AbstractSyntaxRule { AcceptsTransferSyntax = AcceptorRulesBuilder.IsUncompressed, AnswerExtended = model.AnswerExtended };
    }

    /// <summary>The identifier and what was negotiated for its SOP class, or why it cannot be served. The model is the presentation context's: the
    /// Affected SOP Class UID of the command must say the same.</summary>
    private static (DataSet? Identifier, MatchingOptions Options, CommandSet? Refusal) ReadIdentifier(DimseRequest request, QueryRetrieveVerb verb)
    {
        var none = new MatchingOptions();
        InformationModel? model = InformationModel.Find(request.Context.AbstractSyntax);
        if (model is null || model.Verb != verb || (request.Command.AffectedSopClassUid is { } affected && affected != model.SopClassUid))
        {
            return (null, none, Refuse(request, DimseStatus.SopClassNotSupported, "the SOP class does not have this operation"));
        }
        if (!request.Command.HasDataSet) return (null, none, Refuse(request, DimseStatus.DataSetDoesNotMatchSopClass, "no identifier"));
        try
        {
            return (request.ReadIdentifier(), model.Options(request.Association.ExtendedFor(model.SopClassUid)), null);
        }
        catch (DicomFormatException)
        {
            return (null, none, Refuse(request, DimseStatus.DataSetDoesNotMatchSopClass, "the identifier is not a data set"));
        }
    }

    private static CommandSet Refuse(DimseRequest request, KeysFailure failure) =>
        Refuse(request, DimseStatus.DataSetDoesNotMatchSopClass, failure.Comment) with { OffendingElements = [failure.Offending] };

    private static CommandSet Refuse(DimseRequest request, ushort status, string comment) => request.Command.Respond(status) with { ErrorComment = comment };

    private static async Task<ushort> AnswerAsync(DimseRequest request, CommandSet response)
    {
        await request.RespondAsync(response);
        return response.Status!.Value;
    }
}
