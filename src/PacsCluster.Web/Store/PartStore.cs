using System.Buffers;
using PacsCluster.Dicom;
using PacsCluster.Engine;

namespace PacsCluster.Web;

/// <summary>Where instances go: <see cref="Ingest.StoreAsync"/>, or a test's stand-in.</summary>
internal delegate Task<StoreOutcome> StoreFunction(Stream dataSet, StoreOrigin origin, CancellationToken ct);

/// <summary>Stores the parts of one request. Bounded: at most <see cref="StoreOptions.PartsInFlight"/> instances are on their way, and each was read to its end
/// before the next begins.</summary>
internal sealed class PartStore(StoreOptions options, StoreFunction store, StoreResults results, string? study, string remote, CancellationToken ct) : IAsyncDisposable
{
    /// <summary>File Meta Information lies within these.</summary>
    private const int FirstBytes = 64 * 1024;

    private readonly SemaphoreSlim _free = new(options.PartsInFlight);
    private readonly List<Task> _running = [];
    private readonly MetadataStore _metadata = new(options, ct);
    private int _parts;

    /// <summary>Takes one part; returns when it was read.</summary>
    /// <param name="part">The part.</param>
    /// <param name="rootType">What the request is made of: application/dicom, or metadata with bulk data.</param>
    public async Task TakeAsync(BodyPart part, MediaType? rootType)
    {
        int index = _parts++;
        if (index >= options.PartsMax)
        {
            await EndAsync();
            throw new ProblemException(new Problem(413, "Content too large", $"The request has more than {options.PartsMax} parts; those before were dealt with.", "Send fewer instances a request; sending one again that is stored does no harm."));
        }
        string? type = part.ContentType?.Essence;
        // A part without Content-Type is what the request says it is.
        if (type is null or "application/octet-stream" && rootType?.Essence is null or "application/dicom") type = "application/dicom";
        type ??= index == 0 ? rootType?.Essence : null;
        switch (type)
        {
            case "application/dicom":
                await TakeInstanceAsync(part, index);
                return;
            case "application/dicom+json" or "application/dicom+xml" or "application/json" when rootType?.Essence is "application/dicom+json" or "application/dicom+xml":
                await _metadata.TakeMetadataAsync(part);
                return;
            default:
                if (rootType?.Essence is "application/dicom+json" or "application/dicom+xml") await _metadata.TakeBulkAsync(part);
                else results.AddUnreadable(index, "a part is not of type application/dicom");
                return;
        }
    }

    /// <summary>The body broke off in the midst of a part.</summary>
    public async Task BreakOffAsync(string why)
    {
        await EndAsync();
        // The part that broke off has an outcome of its own unless it was never begun.
        if (results.Count < _parts || _parts == 0) results.AddUnreadable(_parts, why);
        _metadata.BreakOff();
    }

    /// <summary>Stores what came as metadata with bulk data, and waits for everything.</summary>
    public async Task FinishAsync()
    {
        foreach (MetadataInstance instance in _metadata.Compose(results, _parts))
        {
            await _free.WaitAsync(ct);
            _running.Add(StoreAsync(instance.DataSet, instance.Index, Origin(instance.TransferSyntax, null), instance.DataSet));
        }
        await EndAsync();
    }

    public async ValueTask DisposeAsync()
    {
        // Nothing of the request may be read or written behind its end.
        await Task.WhenAll(_running).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _metadata.Dispose();
        _free.Dispose();
    }

    private async Task TakeInstanceAsync(BodyPart part, int index)
    {
        byte[] first = ArrayPool<byte>.Shared.Rent(FirstBytes);
        int length = 0;
        PartStream dataSet;
        StoreOrigin origin;
        try
        {
            int read;
            while (length < FirstBytes && (read = await part.Body.ReadAsync(first.AsMemory(length, FirstBytes - length), ct)) > 0) length += read;
            FileStart start = Part10.ReadStart(first.AsMemory(0, length));
            dataSet = new PartStream(first.AsMemory(start.DataSetOffset, length - start.DataSetOffset), part.Body);
            origin = Origin(start.TransferSyntax, start.FileMeta);
        }
        catch (DicomFormatException e)
        {
            ArrayPool<byte>.Shared.Return(first);
            results.AddUnreadable(index, e.Message);
            return;
        }
        await _free.WaitAsync(ct);
        Task stored = StoreAsync(dataSet, index, origin, new Rented(first));
        _running.Add(stored);
        // Whichever is first: all read, so the next part may begin; or given up before, and the rest of the part is passed over.
        await Task.WhenAny(stored, dataSet.Ended);
        if (_running.Count > 2 * options.PartsInFlight) await SweepAsync();
    }

    private async Task StoreAsync(Stream dataSet, int index, StoreOrigin origin, IDisposable held)
    {
        try
        {
            results.Add(index, await store(dataSet, origin, ct));
        }
        catch (MultipartException e)
        {
            results.AddUnreadable(index, e.Message);
        }
        catch (EndOfStreamException e)
        {
            results.AddUnreadable(index, e.Message);
        }
        finally
        {
            held.Dispose();
            _free.Release();
        }
    }

    private StoreOrigin Origin(TransferSyntax transferSyntax, DataSet? fileMeta) => new()
    {
        TransferSyntax = transferSyntax, SourceFileMeta = fileMeta, RemoteAddress = remote, Door = StoreDoor.Web, StudyInstanceUid = study,
    };

    private async Task SweepAsync()
    {
        foreach (Task ended in _running.Where(t => t.IsCompleted).ToArray())
        {
            _running.Remove(ended);
            await ended;
        }
    }

    private async Task EndAsync()
    {
        await Task.WhenAll(_running);
        _running.Clear();
    }

    private sealed class Rented(byte[] bytes) : IDisposable
    {
        public void Dispose() => ArrayPool<byte>.Shared.Return(bytes);
    }
}
