using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using PacsCluster.Catalog;
using PacsCluster.Engine;
using PacsCluster.Server.Conformance;
using PacsCluster.Server.Options;

namespace PacsCluster.Server.Commands;

/// <summary>The command line: what may be written, and which command's method it calls.</summary>
internal static class CommandTree
{
    private static readonly Option<string> s_data = new("--data") { Description = "Folder of catalog and blobs (default: data in the working folder)", HelpName = "DIR" };
    private static readonly Option<string> s_config = new("--config") { Description = "Options file (default: pacscluster.json in the data folder)", HelpName = "FILE" };
    private static readonly Option<string[]> s_set = new("--set") { Description = "Any option by its full name, e.g. --set Dimse:MaxAssociations=50; 'options' lists them all", HelpName = "NAME=VALUE" };

    /// <summary>The whole tree.</summary>
    public static RootCommand Build()
    {
        var root = new RootCommand("PacsCluster, a DICOM archive. Without a command it serves: C-STORE, C-FIND, C-MOVE, C-GET, C-ECHO.");
        Serve(root);
        var serve = new Command("serve", "Run the archive until SIGTERM or Ctrl-C (this is the default command)");
        Serve(serve);
        Examples.AddTo(serve, """
            PacsCluster.Server serve --data /srv/pacs --aet HOSPITAL
            PacsCluster.Server serve --bind 0.0.0.0 --beyond-loopback "nobody is asked who they are"
            PACSCLUSTER__DIMSE__PORT=104 PacsCluster.Server
            """);
        root.Subcommands.Add(serve);
        root.Subcommands.Add(Import());
        root.Subcommands.Add(Find());
        root.Subcommands.Add(Send());
        root.Subcommands.Add(Echo());
        root.Subcommands.Add(Verify());
        root.Subcommands.Add(Quarantine());
        root.Subcommands.Add(Delete());
        root.Subcommands.Add(Undelete());
        root.Subcommands.Add(Nodes());
        root.Subcommands.Add(Options());
        root.Subcommands.Add(Conformance());
        Examples.AddTo(root, """
            PacsCluster.Server                                       serve ./data on 127.0.0.1:11112 (DICOM) and :8080 (HTTP)
            PacsCluster.Server serve --data /srv/pacs --aet HOSPITAL --dicom-port 104
            PacsCluster.Server import /media/cd /mnt/old-archive     take in folders of files
            PacsCluster.Server find -k PatientName='SM*' -k StudyDate=20240101-
            PacsCluster.Server send 10.0.0.7:4242:WORKSTATION --study 1.2.3.4   
            PacsCluster.Server verify --data /srv/pacs               recompute every digest and count
            """);
        return root;
    }

    private static void Serve(Command command)
    {
        Option<int?> dicomPort = new("--dicom-port") { Description = "TCP port for DICOM (default 11112)", HelpName = "N" };
        Option<int?> httpPort = new("--http-port") { Description = "TCP port for DICOMweb, the health page and /metrics (default 8080)", HelpName = "N" };
        Option<string> title = new("--aet") { Description = "Our AE title (default PACSCLUSTER)", HelpName = "NAME" };
        Option<string> bind = new("--bind") { Description = "IP address to listen on (default 127.0.0.1)", HelpName = "ADDRESS" };
        Option<string> beyond = new("--beyond-loopback") { Description = $"Needed to listen beyond loopback: the words \"{ServerOptions.BeyondLoopbackWords}\"", HelpName = "WORDS" };
        Option<string> format = new("--log-format") { Description = "Simple or Json (default Simple)", HelpName = "FORMAT" };
        Option<string> level = new("--log-level") { Description = "Trace, Debug, Information, Warning, Error or None (default Information)", HelpName = "LEVEL" };
        foreach (Option option in new Option[] { s_data, s_config, s_set, dicomPort, httpPort, title, bind, beyond, format, level }) command.Options.Add(option);
        command.SetAction((parsed, ct) => ServeCommand.RunAsync(Read(parsed,
            ("Dimse:Port", parsed.GetValue(dicomPort)), ("Http:Port", parsed.GetValue(httpPort)), ("Dimse:AETitle", parsed.GetValue(title)),
            ("Dimse:BindAddress", parsed.GetValue(bind)), ("Http:BindAddress", parsed.GetValue(bind)), ("BeyondLoopback", parsed.GetValue(beyond)),
            ("Log:Format", parsed.GetValue(format)), ("Log:Level", parsed.GetValue(level))), ct));
    }

    private static Command Import()
    {
        Argument<string[]> folders = new("folders") { Description = "Folders, read with all below, or single files", Arity = ArgumentArity.OneOrMore };
        Option<int> parallel = new("--parallel") { Description = "Files at once", DefaultValueFactory = _ => Math.Max(4, Environment.ProcessorCount * 2), HelpName = "N" };
        Option<bool> again = new("--again") { Description = "Read files again that an earlier import of the same folder dealt with" };
        var command = new Command("import", "Take in folders of DICOM files; run again, it goes on where it stopped") { folders, s_data, s_config, s_set, parallel, again };
        command.SetAction((parsed, ct) => ImportCommand.RunAsync(Read(parsed), parsed.GetValue(folders)!, Math.Clamp(parsed.GetValue(parallel), 1, 256), parsed.GetValue(again), ct));
        Examples.AddTo(command, """
            PacsCluster.Server import /media/cd
            PacsCluster.Server import --data /srv/pacs --parallel 8 /mnt/old-archive
            While a server runs on the data folder, the files go to it by C-STORE.
            """);
        return command;
    }

    private static Command Verify()
    {
        Option<bool> quick = new("--quick") { Description = "Compare lengths only, read no blob" };
        Option<int> parallel = new("--parallel") { Description = "Blobs at once", DefaultValueFactory = _ => 2, HelpName = "N" };
        Option<bool> repair = new("--repair") { Description = "Make a copy anew that is missing, cut or has other bytes, from another copy of the blob whose digest is right" };
        var command = new Command("verify", "Read every copy of every blob, recompute digests and counts; exit code 0 when all is well (or was repaired), 1 when not") { s_data, s_config, s_set, quick, parallel, repair };
        command.SetAction((parsed, ct) =>
        {
            ServerOptions options = Read(parsed);
            var how = new VerifyOptions { Digests = !parsed.GetValue(quick), Parallel = Math.Clamp(parsed.GetValue(parallel), 1, 64), OrphanAge = options.Engine.OrphanAge, Repair = parsed.GetValue(repair) };
            return VerifyCommand.RunAsync(options, how, ct);
        });
        Examples.AddTo(command, """
            PacsCluster.Server verify --data /srv/pacs      (beside a running server too; writes nothing)
            PacsCluster.Server verify --data /srv/pacs --repair
            """);
        return command;
    }

    private static Command Find()
    {
        Option<string[]> keys = new("--key", "-k") { Description = "Keyword or tag to match and show, e.g. -k PatientID=4711, -k StudyDate=20240101-20241231, -k 0008,0050", HelpName = "KEY[=VALUE]" };
        Option<QueryLevel> level = new("--level", "-L") { Description = "Patient, Study, Series or Image", DefaultValueFactory = _ => QueryLevel.Study, HelpName = "LEVEL" };
        Option<bool> json = new("--json") { Description = "One JSON object a line" };
        Option<int> limit = new("--limit") { Description = "Answers at most", DefaultValueFactory = _ => 1000, HelpName = "N" };
        Option<string> peer = new("--peer") { Description = "Ask this application entity by C-FIND in place of the data folder: AE of Dimse:KnownAEs, or HOST:PORT:AE", HelpName = "AE" };
        var command = new Command("find", "Search the archive (or a peer) with keys as findscu takes them") { keys, level, json, limit, peer, s_data, s_config, s_set };
        command.SetAction((parsed, ct) => FindCommand.RunAsync(Read(parsed), new FindCommand.Question(
            parsed.GetValue(level), parsed.GetValue(keys) ?? [], parsed.GetValue(peer), Math.Max(1, parsed.GetValue(limit)), parsed.GetValue(json)), ct));
        Examples.AddTo(command, """
            PacsCluster.Server find                                       every study
            PacsCluster.Server find -k PatientName='SM*' -k StudyDate=20240101-
            PacsCluster.Server find -L Series -k StudyInstanceUID=1.2.3 --json
            PacsCluster.Server find --peer 10.0.0.7:104:OLDPACS -k PatientID=4711
            """);
        return command;
    }

    private static Command Send()
    {
        Argument<string> peer = new("peer") { Description = "AE of Dimse:KnownAEs, or HOST:PORT:AE" };
        Option<string[]> studies = new("--study") { Description = "Study Instance UID", HelpName = "UID" };
        Option<string[]> series = new("--series") { Description = "Series Instance UID", HelpName = "UID" };
        Option<string[]> instances = new("--instance") { Description = "SOP Instance UID", HelpName = "UID" };
        Option<string[]> patients = new("--patient") { Description = "Patient ID", HelpName = "ID" };
        var command = new Command("send", "Send what the archive holds to an application entity by C-STORE") { peer, studies, series, instances, patients, s_data, s_config, s_set };
        command.SetAction((parsed, ct) => SendCommand.RunAsync(Read(parsed), parsed.GetValue(peer)!, new LocateRequest
        {
            StudyInstanceUids = parsed.GetValue(studies) ?? [],
            SeriesInstanceUids = parsed.GetValue(series) ?? [],
            SopInstanceUids = parsed.GetValue(instances) ?? [],
            Patients = [.. (parsed.GetValue(patients) ?? []).Select(id => (id, (string?)null))],
        }, ct));
        Examples.AddTo(command, """
            PacsCluster.Server send 10.0.0.7:4242:WORKSTATION --study 1.2.3.4
            PacsCluster.Server send WORKSTATION --patient 4711            when Dimse:KnownAEs has it
            """);
        return command;
    }

    private static Command Echo()
    {
        Argument<string> peer = new("peer") { Description = "AE of Dimse:KnownAEs, or HOST:PORT:AE" };
        var command = new Command("echo", "C-ECHO to an application entity") { peer, s_data, s_config, s_set };
        command.SetAction((parsed, ct) => EchoCommand.RunAsync(Read(parsed), parsed.GetValue(peer)!, ct));
        Examples.AddTo(command, "PacsCluster.Server echo 127.0.0.1:11112:PACSCLUSTER");
        return command;
    }

    private static Command Quarantine()
    {
        Argument<long> key = new("key") { Description = "Number of the entry" };
        Argument<long[]> keys = new("keys") { Description = "Numbers of entries", Arity = ArgumentArity.OneOrMore };
        var list = new Command("list", "List what was kept aside: number, time, reason, sender, size, SOP Instance UID") { s_data, s_config, s_set };
        list.SetAction((parsed, ct) => QuarantineCommand.ListAsync(Read(parsed), ct));
        var show = new Command("show", "Show one entry with its attributes (patient data)") { key, s_data, s_config, s_set };
        show.SetAction((parsed, ct) => QuarantineCommand.ShowAsync(Read(parsed), parsed.GetValue(key), ct));
        var release = new Command("release", "Store entries after all; one that was there with the same UID goes to quarantine in turn") { keys, s_data, s_config, s_set };
        release.SetAction((parsed, ct) => QuarantineCommand.ReleaseAsync(Read(parsed), parsed.GetValue(keys)!, ct));
        var delete = new Command("delete", "Delete entries for good") { keys, s_data, s_config, s_set };
        delete.SetAction((parsed, ct) => QuarantineCommand.DeleteAsync(Read(parsed), parsed.GetValue(keys)!, ct));
        var command = new Command("quarantine", "Look after instances that were kept aside") { list, show, release, delete };
        Examples.AddTo(command, """
            PacsCluster.Server quarantine list --data /srv/pacs
            PacsCluster.Server quarantine show 3
            PacsCluster.Server quarantine release 3 4
            """);
        return command;
    }

    private static Command Delete()
    {
        Option<string> study = new("--study") { Description = "Study Instance UID", HelpName = "UID", Required = true };
        Option<string> series = new("--series") { Description = "Series Instance UID: only this series of the study", HelpName = "UID" };
        Option<string> instance = new("--instance") { Description = "SOP Instance UID: only this instance of the study", HelpName = "UID" };
        Option<string> reason = new("--reason") { Description = "Why, for the audit", HelpName = "TEXT", DefaultValueFactory = _ => "" };
        var command = new Command("delete", "Delete a study, a series or an instance: hidden from every search and retrieve at once, purged after Engine:DeletionRetention (7 days). "
            + "Until then 'undelete' takes it back. Who sends an instance again after its deletion stores it as a new one.") { study, series, instance, reason, s_data, s_config, s_set };
        command.SetAction((parsed, ct) => DeletionCommand.DeleteAsync(Read(parsed), new DeletionRequest
        {
            StudyInstanceUid = parsed.GetValue(study)!,
            SeriesInstanceUid = parsed.GetValue(series),
            SopInstanceUid = parsed.GetValue(instance),
            By = Environment.UserName,
            Reason = parsed.GetValue(reason)!,
        }, ct));
        Examples.AddTo(command, """
            PacsCluster.Server delete --study 1.2.3 --reason "wrong patient, order 4711"
            PacsCluster.Server delete --study 1.2.3 --series 1.2.3.4
            PacsCluster.Server delete --study 1.2.3 --instance 1.2.3.4.5
            Each prints the number by which 'undelete' takes it back. It works beside a running server.
            """);
        return command;
    }

    private static Command Undelete()
    {
        Argument<long[]> keys = new("keys") { Description = "Numbers of deletions; none: list those that can be taken back", Arity = ArgumentArity.ZeroOrMore };
        var command = new Command("undelete", "Take deletions back, or list them. What was stored again meanwhile with the same content stays as it is; where another instance has taken the UID, "
            + "the deleted one stays deleted. Exit code 0 when everything came back, 1 when not.") { keys, s_data, s_config, s_set };
        command.SetAction((parsed, ct) => DeletionCommand.UndeleteAsync(Read(parsed), parsed.GetValue(keys)!, ct));
        Examples.AddTo(command, """
            PacsCluster.Server undelete                 what was deleted, when, by whom, why, and until when it can come back
            PacsCluster.Server undelete 40021
            """);
        return command;
    }

    private static Command Nodes()
    {
        var command = new Command("nodes", "List the nodes of the archive: name, whether it lives, site, roles, version, start, addresses. Exit code 0 when one lives.") { s_data, s_config, s_set };
        command.SetAction((parsed, ct) => NodesCommand.RunAsync(Read(parsed), ct));
        Examples.AddTo(command, "PacsCluster.Server nodes --data /srv/pacs");
        return command;
    }

    private static Command Conformance()
    {
        var command = new Command("conformance", "Print the DICOM conformance statement (PS3.2) of this configuration, as HTML") { s_data, s_config, s_set };
        command.SetAction(parsed =>
        {
            Console.Out.Write(ConformanceStatement.Write(Read(parsed)));
            return 0;
        });
        Examples.AddTo(command, "PacsCluster.Server conformance --config /etc/pacscluster.json > statement.html      (a running server has it at /conformance)");
        return command;
    }

    private static Command Options()
    {
        Option<bool> markdown = new("--markdown") { Description = "As the table in OPTIONS.md" };
        var command = new Command("options", "List every option with default, unit and range") { markdown };
        command.SetAction(parsed => OptionsCommand.Run(parsed.GetValue(markdown)));
        return command;
    }

    /// <summary>Reads the options with what the command line says.</summary>
    private static ServerOptions Read(ParseResult parsed, params (string Name, object? Value)[] more)
    {
        var values = new List<KeyValuePair<string, string?>>();
        var errors = new List<string>();
        foreach (string set in parsed.GetValue(s_set) ?? [])
        {
            int equals = set.IndexOf('=', StringComparison.Ordinal);
            if (equals < 1) errors.Add($"--set {set}: NAME=VALUE is expected");
            else values.Add(new(set[..equals], set[(equals + 1)..]));
        }
        if (errors.Count > 0) throw new OptionsException(errors);
        if (parsed.GetValue(s_data) is { } data) values.Add(new("Data", data));
        foreach ((string name, object? value) in more)
        {
            if (value?.ToString() is { } text) values.Add(new(name, text));
        }
        return OptionsReader.Read(parsed.GetValue(s_config), values);
    }
}

/// <summary>Examples below a command's help.</summary>
internal sealed class Examples(HelpAction inner, string text) : SynchronousCommandLineAction
{
    /// <summary>Adds examples to a command's own help.</summary>
    public static void AddTo(Command command, string text)
    {
        HelpOption help = command.Options.OfType<HelpOption>().FirstOrDefault() ?? new HelpOption();
        if (!command.Options.Contains(help)) command.Options.Add(help);
        help.Action = new Examples((HelpAction)help.Action!, text);
    }

    /// <inheritdoc/>
    public override bool ClearsParseErrors => true;

    /// <inheritdoc/>
    public override int Invoke(ParseResult parseResult)
    {
        int result = inner.Invoke(parseResult);
        Console.Out.WriteLine("Examples:");
        foreach (string line in text.Split('\n')) Console.Out.WriteLine("  " + line);
        return result;
    }
}
