using System.Globalization;
using PacsCluster.Catalog;
using PacsCluster.Dicom;
using PacsCluster.Dimse;
using PacsCluster.Server.Options;
using PacsCluster.Web;

namespace PacsCluster.Server.Conformance;

/// <summary>The DICOM conformance statement (PS3.2), made from the options and from the tables that the code itself works by, so that it says what this
/// very node does.</summary>
internal static class ConformanceStatement
{
    /// <summary>The whole document, as HTML.</summary>
    public static string Write(ServerOptions options)
    {
        var html = new HtmlText($"DICOM Conformance Statement: PacsCluster {ServerVersion.Text}");
        html.Heading(1, "DICOM Conformance Statement").Text($"PacsCluster, version {ServerVersion.Text}. Generated from the running configuration, after PS3.2 and PS3.18.");
        Overview(html, options);
        Model(html, options);
        DimseSection.Write(html, options.Dimse, options.Engine);
        WebSection.Write(html, options.Web, options.Http);
        Configuration(html, options);
        CharacterSets(html);
        Security(html, options);
        Keys(html);
        return html.ToString();
    }

    /// <summary>Name of a UID in PS3.6, or that it is private.</summary>
    public static string NameOf(string uid) => UidDictionary.TryGet(uid, out string name, out _) ? name : "(private)";

    /// <summary>A number as text.</summary>
    public static string Number(long value) => value.ToString(CultureInfo.InvariantCulture);

    private static void Overview(HtmlText html, ServerOptions options)
    {
        html.Heading(2, "1 Conformance statement overview")
            .Text("An archive: it stores composite instances, finds them and gives them back as they came, over DIMSE and DICOMweb. Success is answered only after an instance is durable and committed.");
        List<string[]> rows = [["Verification", "Yes", "Yes"], ["Storage", "Yes (C-MOVE, C-GET and the send command)", "Yes"]];
        foreach (IGrouping<string, ServedSopClass> service in DimseCapabilities.Of(options.Dimse).Where(s => s.Service.StartsWith("C-", StringComparison.Ordinal)).GroupBy(s => s.Service))
        {
            rows.AddRange(service.Select(one => (string[])[NameOf(one.Uid), service.Key == "C-FIND" ? "Yes (find command)" : "No", "Yes"]));
        }
        html.Table(["DIMSE network service", "User (SCU)", "Provider (SCP)"], rows);
        html.Table(["DICOMweb service", "User agent", "Origin server"],
            WebResources.All.Select(r => r.Transaction).Distinct().Order(StringComparer.Ordinal).Select(name => (string[])[name, "No", "Yes"]));
    }

    private static void Model(HtmlText html, ServerOptions options) => html.Heading(2, "2 Implementation model")
        .Text("One application entity and one DICOMweb origin server stand before one engine. Store: the data set's bytes are written as received behind File Meta Information of our own; instances of several senders share a commit. "
            + "Search: answered from the catalog. Retrieve: stored bytes, converted among the uncompressed transfer syntaxes where the receiver needs it.")
        .Table(["Implementation identification", "Value"],
        [
            ["Implementation Class UID", Part10.ImplementationClassUid], ["Implementation Version Name", Part10.ImplementationVersionName],
            ["Application entity title", options.Dimse.AETitle], ["Aliases", options.Dimse.AETitleAliases.Count == 0 ? "none" : string.Join(", ", options.Dimse.AETitleAliases)],
        ]);

    private static void Configuration(HtmlText html, ServerOptions options) => html.Heading(2, "5 Configuration")
        .Table(["Parameter", "Value"],
        [
            ["DICOM listens on", $"{options.Dimse.BindAddress}:{options.Dimse.Port}"], ["HTTP listens on", $"{options.Http.BindAddress}:{options.Http.Port}"],
            ["Calling AE titles", options.Dimse.AcceptUnknownCallingAEs ? "any" : "known ones only"], ["Called AE titles", options.Dimse.AcceptAnyCalledAETitle ? "any" : "own title and aliases"],
            ["Maximum PDU length", Number(options.Dimse.MaxPduBytes)], ["Associations at once", Number(options.Dimse.MaxAssociations)], ["Associations at once of one AE", Number(options.Dimse.MaxAssociationsPerAE)],
            ["ARTIM", options.Dimse.Timeouts.Artim.ToString()], ["Inactivity", options.Dimse.Timeouts.Inactivity.ToString()],
        ])
        .Table(["Known application entity (move destination)", "Host", "Port"], options.Dimse.KnownAEs.Select(ae => (string[])[ae.AETitle, ae.Host ?? "", Number(ae.Port)]));

    private static void CharacterSets(HtmlText html) => html.Heading(2, "6 Character sets")
        .Text("Stored bytes are never re-encoded. For matching and for answers all defined terms of PS3.3 C.12.1.1.2 are understood, with and without code extensions: ISO_IR 6, 100, 101, 109, 110, 144, 127, 126, 138, 148, 166, 203, 13, "
            + "their ISO 2022 forms, ISO 2022 IR 87, 159, 149, 58, ISO_IR 192, GB18030 and GBK. C-FIND answers in the requester's character set where it can say everything, else in ISO_IR 192. DICOMweb speaks UTF-8 (ISO_IR 192) only.");

    private static void Security(HtmlText html, ServerOptions options) => html.Heading(2, "7 Security")
        .Text("No secure transport connection profile and no user identity negotiation are supported yet. "
            + (options.Web.Access.Callers.Count > 0
                ? $"DICOMweb asks its callers who they are: Bearer or Basic authentication (RFC 6750, RFC 7617) with a secret of each; {Number(options.Web.Access.Callers.Count)} are known. Without one: 401; without the right: {(options.Web.Access.HideForbidden ? "404" : "403")}. "
                : "DICOMweb does not ask its callers who they are. ")
            + (options.BeyondLoopback.Length > 0 ? "The operator has allowed listening beyond loopback without authentication." : "What asks nobody who they are listens on loopback only."));

    private static void Keys(HtmlText html)
    {
        html.Heading(2, "8 Matching and return keys").Text("Of C-FIND and of Search alike. Attributes of a level are returned at that level and below; they are matched at every level. At instance level any other attribute of the header is returned too when it is asked for. "
            + "Matching: single value, list (UI and other VRs), wildcard on text, range on DA, TM and DT, sequence (one item). Person names match without regard to case and accents, by component group.");
        var above = new HashSet<Tag>();
        foreach (QueryLevel level in Enum.GetValues<QueryLevel>())
        {
            (Tag Tag, VR VR)[] own = [.. MatchingKeys.Returnable(level).Where(key => above.Add(key.Tag))];
            html.Heading(3, $"Level {level.ToString().ToUpperInvariant()}").Table(["Attribute", "Tag", "VR"],
                own.Select(key => (string[])[DataDictionary.TryGet(key.Tag, out DictionaryEntry entry) ? entry.Keyword : "", key.Tag.ToString(), key.VR.ToString()]));
        }
    }
}
