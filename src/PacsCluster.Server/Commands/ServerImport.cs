using System.Collections.Concurrent;
using PacsCluster.Dicom;
using PacsCluster.Dicom.Network;
using PacsCluster.Dimse;
using PacsCluster.Server.Options;

namespace PacsCluster.Server.Commands;

/// <summary>Import through the server that has the data folder, by C-STORE: one process writes, and its policies and log see everything.
/// Each file in flight has an association of its own; one that lacks a context for the next file is released and negotiated anew with all
/// kinds of instances seen so far.</summary>
internal sealed class ServerImport(DimsePeer peer, DimseOptions options) : IAsyncDisposable
{
    // Kinds proposed at once; a SOP class takes one context for its uncompressed instances and one for each encapsulated transfer syntax.
    private const int MaxKinds = 100;
    private readonly ConcurrentBag<DimseClient> _idle = [];
    private readonly ConcurrentQueue<(string SopClassUid, string TransferSyntaxUid)> _kinds = new();

    /// <summary>Imports to the server of a data folder.</summary>
    /// <exception cref="CommandException">The folder is in use by something else, an import for example.</exception>
    public static ServerImport To(ServerOptions options)
    {
        ServingNode node = DataFolder.Serving(options.Data)
            ?? throw new CommandException($"the data folder {options.Data} is in use by another command: wait for it to end");
        string host = node.DicomHost is "0.0.0.0" ? "127.0.0.1" : node.DicomHost is "::" ? "::1" : node.DicomHost;
        return new ServerImport(new DimsePeer(node.AETitle, host, node.DicomPort), options.Dimse);
    }

    /// <summary>Sends one file's instance.</summary>
    public async Task<(ImportResult Result, string? Reason)> StoreAsync(FileStart start, FileStream file, CancellationToken ct)
    {
        if (await UidsAsync(start, file, ct) is not var (sopClass, sopInstance)) return (ImportResult.Unreadable, "no SOP Class or Instance UID");
        DimseClient? client = null;
        try
        {
            client = await ClientAsync(sopClass, start.TransferSyntax.Uid, ct);
            if (client.FindContext(sopClass, start.TransferSyntax.Uid) is not { } context || context.TransferSyntax.Uid != start.TransferSyntax.Uid)
                return (ImportResult.Refused, $"the server does not take SOP class {sopClass} in {start.TransferSyntax.Uid}");
            file.Position = start.DataSetOffset;
            var message = new StoreMessage { Context = context, SopInstanceUid = sopInstance, DataSet = file, LengthBytes = file.Length - start.DataSetOffset };
            return Judge(await client.StoreAsync(message, ct));
        }
        catch (AssociationEndedException e)
        {
            return (ImportResult.Refused, $"the association ended: {e.End}");
        }
        finally
        {
            if (client is { IsOpen: true }) _idle.Add(client);
            else if (client is not null) await client.DisposeAsync();
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        while (_idle.TryTake(out DimseClient? client)) await client.DisposeAsync();
    }

    // C-STORE says 0000 for stored, duplicate and quarantined alike; the comment tells the last.
    private static (ImportResult, string?) Judge(DimseResponse response)
    {
        string? comment = response.Command.ErrorComment;
        if (response.Status == DimseStatus.Success)
            return comment is not null && comment.Contains("quarantine", StringComparison.OrdinalIgnoreCase) ? (ImportResult.Quarantined, comment) : (ImportResult.Stored, comment);
        if (response.Status >> 12 == 0xB) return (ImportResult.Stored, Peers.Describe(response));
        return (response.Status >> 12 == 0xC ? ImportResult.Unreadable : ImportResult.Refused, Peers.Describe(response));
    }

    private async Task<DimseClient> ClientAsync(string sopClass, string transferSyntax, CancellationToken ct)
    {
        if (_idle.TryTake(out DimseClient? client))
        {
            if (client.IsOpen && client.FindContext(sopClass, transferSyntax)?.TransferSyntax.Uid == transferSyntax) return client;
            await client.DisposeAsync();
        }
        (string, string) kind = (sopClass, transferSyntax);
        if (!_kinds.Contains(kind)) _kinds.Enqueue(kind);
        while (_kinds.Count > MaxKinds) _kinds.TryDequeue(out _);
        return await Peers.ConnectAsync(peer, ContextPlan.ForStore(_kinds.Append(kind))[0], options, ct);
    }

    private static async Task<(string SopClass, string SopInstance)?> UidsAsync(FileStart start, FileStream file, CancellationToken ct)
    {
        string? sopClass = start.FileMeta?.GetString(Tags.MediaStorageSOPClassUID), sopInstance = start.FileMeta?.GetString(Tags.MediaStorageSOPInstanceUID);
        if (string.IsNullOrEmpty(sopClass) || string.IsNullOrEmpty(sopInstance))
        {
            // Rare: files without File Meta Information. Group 0008 is at the front, but only a whole file can be read as a data set.
            byte[] all = new byte[file.Length - start.DataSetOffset];
            file.Position = start.DataSetOffset;
            await file.ReadExactlyAsync(all, ct);
            DataSet set = DataSet.Read(all, start.TransferSyntax);
            (sopClass, sopInstance) = (set.GetString(Tags.SOPClassUID), set.GetString(Tags.SOPInstanceUID));
        }
        return string.IsNullOrEmpty(sopClass) || string.IsNullOrEmpty(sopInstance) ? null : (sopClass, sopInstance);
    }
}
