using System.Text.Json;
using PacsCluster.Dicom;
using PacsCluster.Engine;

namespace PacsCluster.Web;

/// <summary>An instance put together from metadata and bulk data.</summary>
/// <param name="Index">Position among the outcomes.</param>
/// <param name="DataSet">Its encoded data set; to be disposed.</param>
/// <param name="TransferSyntax">Its encoding.</param>
internal sealed record MetadataInstance(int Index, Stream DataSet, TransferSyntax TransferSyntax);

/// <summary>The metadata and bulk data parts of one request (PS3.18 10.5.2.2). Metadata comes first and refers to parts behind it, so it is held, bounded by an
/// option, and the bulk data is set aside until the last part has come: small in memory, large in files.</summary>
internal sealed class MetadataStore(StoreOptions options, CancellationToken ct) : IDisposable
{
    private static readonly Tag s_pixelData = new(0x7FE0_0010), s_sopClass = new(0x0008_0016), s_sopInstance = new(0x0008_0018), s_study = new(0x0020_000D);

    private readonly List<(byte[] Bytes, bool IsXml)> _documents = [];
    private readonly List<AsidePart> _bulk = [];
    private int _metadataBytes;
    private bool _isBroken;

    /// <summary>A data set with the references that are left to be resolved from streams.</summary>
    private sealed record Parsed(DataSet DataSet, List<(Tag Tag, VR VR, List<AsidePart> Parts)> Streamed, List<Tag> Missing);

    /// <summary>Reads a part of metadata to its end.</summary>
    public async Task TakeMetadataAsync(BodyPart part)
    {
        using var bytes = new MemoryStream();
        byte[] buffer = new byte[64 * 1024];
        int read;
        while ((read = await part.Body.ReadAsync(buffer, ct)) > 0)
        {
            _metadataBytes += read;
            if (_metadataBytes > options.MetadataMaxBytes)
                throw new ProblemException(new Problem(413, "Content too large", $"The request has more than {options.MetadataMaxBytes} bytes of metadata; nothing of it was stored.", "Send fewer instances a request, and values that are large as bulk data parts."));
            bytes.Write(buffer, 0, read);
        }
        _documents.Add((bytes.ToArray(), part.ContentType?.Essence == "application/dicom+xml"));
    }

    /// <summary>Sets a part of bulk data aside.</summary>
    public async Task TakeBulkAsync(BodyPart part) => _bulk.Add(await AsidePart.ReadAsync(part, options, ct));

    /// <summary>The request is not whole: nothing of it is to be put together.</summary>
    public void BreakOff() => _isBroken = true;

    /// <summary>Puts the instances together; what cannot be is noted among the results.</summary>
    public IEnumerable<MetadataInstance> Compose(StoreResults results, int firstIndex)
    {
        int index = firstIndex;
        foreach ((byte[] bytes, bool isXml) in _isBroken ? [] : _documents)
        {
            List<Parsed> all;
            try
            {
                all = isXml ? [ReadXml(bytes)] : ReadJson(bytes);
            }
            catch (DicomFormatException e)
            {
                results.AddUnreadable(index++, e.Message);
                continue;
            }
            foreach (Parsed one in all)
            {
                if (one.Missing.Count == 0) yield return Compose(one, index++);
                else results.Add(index++, Refused(one));
            }
        }
    }

    public void Dispose()
    {
        foreach (AsidePart part in _bulk) part.Dispose();
    }

    private static StoreOutcome Refused(Parsed one) => new()
    {
        Kind = StoreOutcomeKind.CannotUnderstand,
        Comment = "no part of the request has the Content-Location of its BulkDataURI",
        Offending = one.Missing[0],
        SopClassUid = one.DataSet.GetString(s_sopClass),
        SopInstanceUid = one.DataSet.GetString(s_sopInstance),
        StudyInstanceUid = one.DataSet.GetString(s_study),
    };

    private static MetadataInstance Compose(Parsed one, int index)
    {
        DataSet dataSet = one.DataSet;
        // File Meta Information is made by the engine; what metadata says of it may be of another encoding.
        foreach (Tag tag in dataSet.Select(e => e.Tag).Where(t => t.Group <= 2).ToArray()) dataSet.Remove(tag);
        TransferSyntax encoding = TransferSyntax.ExplicitVRLittleEndian;
        var values = new List<StreamedValue>();
        foreach ((Tag tag, VR vr, List<AsidePart> parts) in one.Streamed)
        {
            PixelMedia? media = tag == s_pixelData ? PixelMedia.Of(parts[0]) : null;
            if (media is not null)
            {
                encoding = media.TransferSyntax;
                media.FillIn(dataSet);
            }
            values.Add(new StreamedValue(tag, vr, [.. parts.Select(p => ((Func<Stream>)p.Open, p.Length))], media is not null));
        }
        return new MetadataInstance(index, ComposedDataSet.Open(dataSet, values), encoding);
    }

    private Parsed ReadXml(byte[] bytes)
    {
        (JsonReadOptions reading, List<(Tag, VR, List<AsidePart>)> streamed, List<Tag> missing) = Reading();
        return new Parsed(NativeModel.Read(new MemoryStream(bytes, writable: false), reading), streamed, missing);
    }

    private List<Parsed> ReadJson(byte[] bytes)
    {
        var all = new List<Parsed>();
        var reader = new Utf8JsonReader(bytes, new JsonReaderOptions { MaxDepth = 3 * new JsonReadOptions().DepthMax + 8 });
        try
        {
            reader.Read();
            bool isArray = reader.TokenType == JsonTokenType.StartArray;
            if (isArray) reader.Read();
            while (reader.TokenType != JsonTokenType.EndArray)
            {
                (JsonReadOptions reading, List<(Tag, VR, List<AsidePart>)> streamed, List<Tag> missing) = Reading();
                all.Add(new Parsed(JsonModel.Read(ref reader, reading), streamed, missing));
                if (!isArray) break;
                reader.Read();
            }
        }
        catch (JsonException e)
        {
            throw new DicomFormatException($"malformed JSON in line {e.LineNumber}", e.BytePositionInLine ?? -1);
        }
        return all;
    }

    /// <summary>Values inside sequences are read into memory, since items are encoded whole; those at the top level stay where they are.</summary>
    private (JsonReadOptions, List<(Tag, VR, List<AsidePart>)>, List<Tag>) Reading()
    {
        var streamed = new List<(Tag, VR, List<AsidePart>)>();
        var missing = new List<Tag>();
        return (new JsonReadOptions
        {
            ReadBulk = reference =>
            {
                List<AsidePart> parts = _bulk.FindAll(part => part.IsAt(reference.Uri));
                bool isNested = reference.Path.Contains('/', StringComparison.Ordinal);
                if (parts.Count == 0 || (isNested && parts[0].Length > options.MetadataMaxBytes)) missing.Add(reference.Tag);
                else if (isNested) return parts[0].ReadAll();
                else streamed.Add((reference.Tag, reference.VR, parts));
                return null;
            },
        }, streamed, missing);
    }
}
