using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text.Json;
using PacsCluster.Catalog;
using PacsCluster.Dicom;
using PacsCluster.Dicom.Network;
using PacsCluster.Dimse;
using PacsCluster.Server.Options;
using Spectre.Console;

namespace PacsCluster.Server.Commands;

/// <summary><c>find</c>: searches the archive in the data folder, or a peer by C-FIND.</summary>
internal static class FindCommand
{
    private static readonly Dictionary<QueryLevel, Tag[]> s_shown = new()
    {
        [QueryLevel.Patient] = [Tags.PatientName, Tags.PatientID, Tags.PatientBirthDate, Tags.PatientSex],
        [QueryLevel.Study] = [Tags.PatientName, Tags.PatientID, Tags.StudyDate, Tags.ModalitiesInStudy, Tags.StudyDescription, Tags.NumberOfStudyRelatedInstances, Tags.StudyInstanceUID],
        [QueryLevel.Series] = [Tags.Modality, Tags.SeriesNumber, Tags.SeriesDescription, Tags.NumberOfSeriesRelatedInstances, Tags.SeriesInstanceUID],
        [QueryLevel.Image] = [Tags.InstanceNumber, Tags.SOPClassUID, Tags.SOPInstanceUID],
    };

    /// <summary>What is asked.</summary>
    /// <param name="Level">PATIENT, STUDY, SERIES or IMAGE.</param>
    /// <param name="Keys">KEY or KEY=VALUE each.</param>
    /// <param name="Peer">Whom to ask; null for the data folder.</param>
    /// <param name="Limit">Answers at most.</param>
    /// <param name="IsJson">A JSON object per line in place of the table.</param>
    internal sealed record Question(QueryLevel Level, IReadOnlyList<string> Keys, string? Peer, int Limit, bool IsJson);

    /// <summary>Searches and prints.</summary>
    public static async Task<int> RunAsync(ServerOptions options, Question question, CancellationToken ct)
    {
        var identifier = new DataSet(TransferSyntax.ExplicitVRLittleEndian);
        identifier.Set(Tags.SpecificCharacterSet, "ISO_IR 192");
        identifier.Set(Tags.QueryRetrieveLevel, question.Level.ToString().ToUpperInvariant());
        var shown = new List<Tag>(s_shown[question.Level]);
        foreach (string key in question.Keys)
        {
            int equals = key.IndexOf('=', StringComparison.Ordinal);
            Tag tag = ParseTag(equals < 0 ? key : key[..equals]);
            identifier.Set(tag, equals < 0 ? "" : key[(equals + 1)..]);
            if (!shown.Contains(tag)) shown.Insert(Math.Max(0, shown.Count - 1), tag);
        }
        foreach (Tag tag in shown)
        {
            if (!identifier.Contains(tag)) identifier.Set(tag, "");
        }
        IAsyncEnumerable<string[]> answers = question.Peer is { } peer
            ? AskPeerAsync(options, peer, question, identifier, shown, ct)
            : AskCatalogAsync(options, question, identifier, shown, ct);
        await PrintAsync(answers, shown, question, ct);
        return 0;
    }

    private static async IAsyncEnumerable<string[]> AskCatalogAsync(
        ServerOptions options, Question question, DataSet identifier, List<Tag> shown, [EnumeratorCancellation] CancellationToken ct)
    {
        Node.RequireArchive(options);
        await using Node node = await Node.OpenAsync(options, Loggers.Quiet, start: false, ct);
        ParsedKeys<SearchRequest> parsed = MatchingKeys.Parse(identifier, question.Level,
            new MatchingOptions { Relational = true, Root = question.Level == QueryLevel.Patient ? QueryRoot.Patient : QueryRoot.Study });
        if (parsed.Request is not { } request) throw new CommandException($"{parsed.Failure!.Offending}: {parsed.Failure.Comment}") { ExitCode = 2 };
        foreach (Tag tag in request.UnmatchedKeys) await Console.Error.WriteLineAsync($"{Name(tag)} is not searched here and narrows nothing");
        await foreach (SearchRow row in node.Catalog.SearchAsync(request with { Limit = question.Limit }, ct)) yield return [.. shown.Select(t => row[t] ?? "")];
    }

    private static async IAsyncEnumerable<string[]> AskPeerAsync(
        ServerOptions options, string peerText, Question question, DataSet identifier, List<Tag> shown, [EnumeratorCancellation] CancellationToken ct)
    {
        string model = question.Level == QueryLevel.Patient ? WellKnownUids.PatientRootFind : WellKnownUids.StudyRootFind;
        DimsePeer peer = Peers.Parse(peerText, options.Dimse);
        await using DimseClient client = await Peers.ConnectAsync(peer, ContextPlan.For(model), options.Dimse, ct);
        if (client.FindContext(model) is null) throw new CommandException($"{peer.AETitle} does not accept C-FIND");
        int count = 0;
        await foreach (DimseResponse response in client.FindAsync(model, identifier, ct))
        {
            if (response.Identifier is { } answer) yield return [.. shown.Select(t => string.Join('\\', answer.GetStrings(t)))];
            else if (response.Status != DimseStatus.Success) throw new CommandException($"{peer.AETitle} answered {Peers.Describe(response)}");
            if (++count >= question.Limit) yield break;
        }
    }

    private static async Task PrintAsync(IAsyncEnumerable<string[]> answers, List<Tag> shown, Question question, CancellationToken ct)
    {
        string[] names = [.. shown.Select(Name)];
        int count = 0;
        var table = new Table().Border(TableBorder.Simple);
        foreach (string name in names) table.AddColumn(new TableColumn(Markup.Escape(name)).NoWrap());
        var plain = new List<string[]>();
        await foreach (string[] row in answers.WithCancellation(ct))
        {
            count++;
            if (question.IsJson)
            {
                var values = names.Zip(row).Where(p => p.Second.Length > 0).ToDictionary(p => p.First, p => p.Second);
                Console.Out.WriteLine(JsonSerializer.Serialize(values, s_json));
            }
            else if (Console.IsOutputRedirected) Console.Out.WriteLine(string.Join('\t', row));
            else table.AddRow([.. row.Select(Markup.Escape)]);
        }
        if (!question.IsJson && !Console.IsOutputRedirected) AnsiConsole.Write(table);
        string what = count == question.Limit ? $"{count} shown, there may be more (--limit)" : count.ToString(CultureInfo.InvariantCulture);
        if (!question.IsJson) await Console.Error.WriteLineAsync($"{what} {question.Level.ToString().ToLowerInvariant()} answers");
    }

    private static readonly JsonSerializerOptions s_json = new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private static Tag ParseTag(string text)
    {
        if (DataDictionary.TryGetTag(text, out Tag tag) || Tag.TryParse(text.Replace(",", "", StringComparison.Ordinal), out tag)) return tag;
        throw new CommandException($"'{text}' is neither a keyword of PS3.6 nor a tag like 0010,0020") { ExitCode = 2 };
    }

    private static string Name(Tag tag) => DataDictionary.TryGet(tag, out DictionaryEntry entry) ? entry.Keyword : tag.ToString();
}
