using PacsCluster.Dimse;
using PacsCluster.Engine;

namespace PacsCluster.Server.Conformance;

/// <summary>What the application entity conforms to.</summary>
internal static class DimseSection
{
    /// <summary>Adds the section.</summary>
    public static void Write(HtmlText html, DimseOptions options, EngineOptions engine)
    {
        IReadOnlyList<ServedSopClass> served = DimseCapabilities.Of(options);
        html.Heading(2, "3 Application entity (DIMSE)").Heading(3, "3.1 Association policies")
            .Text("DICOM application context 1.2.840.10008.3.1.1.1. Asynchronous operations: " + (options.OperationsPerformedAtOnce == 1 ? "a window of 1" : $"as acceptor up to {options.OperationsPerformedAtOnce} invoked, 1 performed; as requestor a window of 1") + ". SCP/SCU role selection for Storage (C-GET); SOP class extended negotiation for Query/Retrieve (relational queries, combined date-time matching) "
                + "and Storage (level 2, full); common extended negotiation for storage SOP classes that are not listed here"
                + (options.AcceptDeclaredStorageSopClasses ? "." : ": refused by configuration.")
                + " Of several transfer syntaxes proposed the first that is accepted is taken.")
            .Heading(3, "3.2 SOP classes as SCP")
            .Table(["Service", "SOP class", "UID"], served.Where(s => s.Service != "Storage").Select(s => (string[])[s.Service, ConformanceStatement.NameOf(s.Uid), s.Uid]))
            .Table(["Storage SOP class", "UID"], served.Where(s => s.Service == "Storage").Select(s => (string[])[ConformanceStatement.NameOf(s.Uid), s.Uid]))
            .Heading(3, "3.3 Transfer syntaxes")
            .Text("For Storage all of these; for Verification and Query/Retrieve the ones marked.")
            .Table(["Transfer syntax", "UID", "Query/Retrieve"],
                served.First(s => s.Service == "Storage").TransferSyntaxUids.Select(uid => (string[])[ConformanceStatement.NameOf(uid), uid, served[0].TransferSyntaxUids.Contains(uid) ? "yes" : ""]))
            .Heading(3, "3.4 Storage")
            .Text($"Level 2 (full). Instances are kept bit by bit. The same SOP Instance again with the same content: success, nothing stored; with other content: {engine.Policy.DifferentContent}. SOP Instance UID known in another study: {engine.Policy.SopInstanceClash}. "
                + $"Another patient in a known study: {engine.Policy.OtherPatient}. No Patient ID: {engine.Policy.MissingPatientId}. A UID missing: {engine.Policy.MissingUid}.")
            .Table(["Status", "Meaning"],
            [
                ["0000", "Stored, durable and committed"], ["B000", "Stored with coercion"], ["B006", "Stored, elements discarded"], ["B007", "Stored, differs from the request's SOP class or instance"],
                ["0110", "Processing failure"], ["0111", "Refused: duplicate SOP instance"], ["0124", "Refused by policy"],
                ["A700", "Out of resources, try again"], ["A900", "Data set does not match the request"], ["C000", "Cannot understand"],
            ])
            .Heading(3, "3.5 Query/Retrieve")
            .Text($"At most {options.QueryRetrieve.FindMatchesMax} matches of one C-FIND, {options.QueryRetrieve.RetrieveInstancesMax} instances of one C-MOVE or C-GET. C-CANCEL is honoured. FF01 where a key is not matched or not supported.")
            .Table(["Operation", "Status", "Meaning"],
            [
                ["C-FIND", "FF00, FF01", "Match; FF01: some optional keys are not supported"], ["C-FIND", "0000", "Done"], ["C-FIND", "A700", "More matches than the limit, or the catalog is out of reach"], ["C-FIND", "A900", "Identifier does not match SOP class"],
                ["C-FIND", "FE00", "Cancelled"], ["C-MOVE, C-GET", "FF00", "Sub-operations continue"], ["C-MOVE, C-GET", "0000", "All sub-operations succeeded"], ["C-MOVE, C-GET", "B000", "Some failed; Failed SOP Instance UID List"],
                ["C-MOVE, C-GET", "A701, A702", "Out of resources: matches, sub-operations"], ["C-MOVE", "A801", "Move destination unknown"], ["C-MOVE, C-GET", "A900", "Identifier does not match SOP class"], ["C-MOVE, C-GET", "FE00", "Cancelled"],
            ]);
    }
}
