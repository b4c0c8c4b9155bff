using System.Diagnostics;
using System.Globalization;
using PacsCluster.Blobs;
using PacsCluster.Catalog;
using PacsCluster.Dicom;
using PacsCluster.Dicom.Network;
using PacsCluster.Dimse;
using PacsCluster.Engine;
using PacsCluster.Server.Options;

namespace PacsCluster.Server.Commands;

/// <summary><c>send</c>: studies, series or instances of the archive to a peer by C-STORE.</summary>
internal static class SendCommand
{
    /// <summary>Sends; 0 when every instance arrived.</summary>
    public static async Task<int> RunAsync(ServerOptions options, string peerText, LocateRequest what, CancellationToken ct)
    {
        DimsePeer peer = Peers.Parse(peerText, options.Dimse);
        if (what.StudyInstanceUids.Count + what.SeriesInstanceUids.Count + what.SopInstanceUids.Count + what.Patients.Count == 0)
            throw new CommandException("say what to send: --study, --series, --instance or --patient") { ExitCode = 2 };
        Node.RequireArchive(options);
        await using Node node = await Node.OpenAsync(options, Loggers.Quiet, start: false, ct);
        var instances = new List<InstanceLocation>();
        await foreach (InstanceLocation instance in node.Catalog.LocateAsync(what, ct)) instances.Add(instance);
        if (instances.Count == 0) throw new CommandException("the archive holds nothing of that");

        var watch = Stopwatch.StartNew();
        int sent = 0;
        long bytes = 0;
        var failures = new List<string>();
        IReadOnlyList<IReadOnlyList<ProposedContext>> plans = ContextPlan.ForStore(instances.Select(i => (i.SopClassUid, i.TransferSyntaxUid)));
        foreach (IReadOnlyList<ProposedContext> plan in plans)
        {
            HashSet<string> classes = [.. plan.Select(c => c.AbstractSyntax)];
            await using DimseClient client = await Peers.ConnectAsync(peer, plan, options.Dimse, ct);
            foreach (InstanceLocation instance in instances.Where(i => classes.Contains(i.SopClassUid)))
            {
                string? failure = await OneAsync(node.Archive.Retrieve, client, instance, ct);
                if (failure is null) (sent, bytes) = (sent + 1, bytes + instance.Length);
                else failures.Add($"{instance.SopInstanceUid}: {failure}");
            }
        }
        foreach (string failure in failures) await Console.Error.WriteLineAsync(failure);
        double seconds = watch.Elapsed.TotalSeconds;
        Console.Out.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"sent {sent} of {instances.Count} instances to {peer.AETitle} in {seconds:0.0} s ({sent / Math.Max(0.001, seconds):0}/s, {Health.HealthPage.Size(bytes)})"));
        return failures.Count == 0 ? 0 : 1;
    }

    private static async Task<string?> OneAsync(Retrieve retrieve, DimseClient client, InstanceLocation instance, CancellationToken ct)
    {
        TransferSyntax[] accepted = [.. client.Association.Contexts.Where(c => c.AbstractSyntax == instance.SopClassUid).Select(c => c.TransferSyntax)];
        if (retrieve.Choose(instance, accepted) is not { } target) return $"the peer takes neither its transfer syntax {instance.TransferSyntaxUid} nor one it can be converted to";
        PresentationContext context = client.Association.Contexts.First(c => c.AbstractSyntax == instance.SopClassUid && c.TransferSyntax.Uid == target.Uid);
        try
        {
            await using RetrievedInstance retrieved = await retrieve.OpenAsync(instance, target, ct);
            var message = new StoreMessage { Context = context, SopInstanceUid = instance.SopInstanceUid, DataSet = retrieved.DataSet, LengthBytes = retrieved.Length ?? -1 };
            DimseResponse response = await client.StoreAsync(message, ct);
            // Warnings (Bxxx) mean that the peer has it (PS3.4 table B.2-1).
            return response.Status == DimseStatus.Success || response.Status >> 12 == 0xB ? null : Peers.Describe(response);
        }
        catch (Exception e) when (e is BlobNotFoundException or BlobStoreUnavailableException or DicomFormatException)
        {
            return e.Message;
        }
        catch (AssociationEndedException e)
        {
            throw new CommandException($"the association ended: {e.Message}");
        }
    }
}
