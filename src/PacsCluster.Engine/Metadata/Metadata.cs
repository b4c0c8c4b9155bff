using System.Globalization;
using System.IO.Compression;
using System.Runtime.CompilerServices;
using System.Text.Json;
using PacsCluster.Catalog;

namespace PacsCluster.Engine;

/// <summary>Whose metadata. UIDs as they stand in the data sets.</summary>
public sealed record MetadataRequest
{
    /// <summary>(0020,000D).</summary>
    public required string StudyInstanceUid { get; init; }

    /// <summary>(0020,000E); null for the whole study.</summary>
    public string? SeriesInstanceUid { get; init; }

    /// <summary>(0008,0018), with the series; null for all of it.</summary>
    public string? SopInstanceUid { get; init; }

    /// <summary>What the BulkDataURIs begin with, in front of <c>/studies/…</c>, without a slash at its end; null for <see cref="Archive.BulkDataBase"/>, the only one that costs nothing:
    /// see <see cref="MetadataAnswer.IsPacked"/>.</summary>
    public string? BulkDataBase { get; init; }
}

/// <summary>
/// Gives out metadata: all attributes of instances but the bulk ones, in the DICOM JSON Model (PS3.18 10.4.1.1.2 and annex F) or in XML. It comes from the catalog alone. A complete study has a
/// block packed per series, which goes out as it lies; what has none is made from the header rows. Thread-safe.
/// </summary>
/// <remarks>
/// <para>BulkDataURI: <c>{base}/studies/{study}/series/{series}/instances/{instance}/bulkdata/{path}</c>, the path as of <c>JsonBulkValue.Path</c> (<c>7FE00010</c>, or
/// <c>00081115/0/00081199</c> inside a sequence; items count from 0). Binary values up to 1,024 bytes are inline. The base is one for all who ask, because a block is packed once; so it is an absolute path
/// (<c>/dicom-web</c>) or, where a public URL is configured, that. PS3.18 F.2.6 allows any URI reference, and one that begins with a path is resolved alike from the study's, the series' and the
/// instance's metadata resource (RFC 3986 5.2), which a reference relative to one of them is not.</para>
/// <para>Available Transfer Syntax UID (0008,3002) says how each instance is stored. Instances of a series come by Instance Number.</para>
/// </remarks>
public sealed class Metadata
{
    // Behind the base of a block: no URI has it there, and a node that does not know it takes the block for one of another base.
    private const string ReplacementsMark = "#U+FFFD";

    private readonly ICatalog _catalog;
    private readonly Func<string> _bulkDataBase;

    internal Metadata(ICatalog catalog, Func<string> bulkDataBase) => (_catalog, _bulkDataBase) = (catalog, bulkDataBase);

    /// <summary>Looks up what there is; nothing of it is read yet.</summary>
    /// <returns>Null when there is no such study, series or instance.</returns>
    /// <exception cref="CatalogUnavailableException">The catalog cannot answer now.</exception>
    public async ValueTask<MetadataAnswer?> OpenAsync(MetadataRequest request, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(request);
        if (await _catalog.GetContentAsync(request.StudyInstanceUid, request.SeriesInstanceUid, cancellationToken) is not { } content) return null;
        string bulkDataBase = request.BulkDataBase ?? _bulkDataBase();
        if (request.SopInstanceUid is null) return new MetadataAnswer(_catalog, content, bulkDataBase, null);
        await foreach (InstanceLocation location in _catalog.LocateAsync(Locate(request), cancellationToken)) return new MetadataAnswer(_catalog, content, bulkDataBase, Locate(request));
        return null;
    }

    /// <summary>Writes one instance's metadata as an object of the DICOM JSON Model, for answers that hold more than metadata.</summary>
    public void Write(Utf8JsonWriter writer, InstanceLocation location, HeaderRow header) => MetadataJson.Write(writer, location, header, _bulkDataBase());

    /// <summary>Writes one instance's metadata as a document of the Native DICOM Model (PS3.19 A.1), UTF-8.</summary>
    public void WriteXml(Stream to, InstanceLocation location, HeaderRow header) => MetadataJson.WriteXml(to, location, header, _bulkDataBase());

    /// <summary>Makes the block of a series.</summary>
    internal static async Task<MetadataBlockRow> PackAsync(ICatalog catalog, string studyInstanceUid, SeriesRow series, string bulkDataBase, CompressionLevel level, CancellationToken ct)
    {
        int count = 0;
        bool hasReplacements = false;
        PackedText packed = await GzipJoiner.PackAsync(level, async stream =>
        {
            using var json = new MetadataJson(bulkDataBase);
            count = await json.WriteAsync(catalog.LocateHeadersAsync(OfSeries(studyInstanceUid, series.SeriesInstanceUid), ct), stream, ct);
            hasReplacements = json.HasReplacements;
        });
        return new MetadataBlockRow
        {
            SeriesKey = series.Key,
            InstanceCount = count,
            BulkDataBase = bulkDataBase + (hasReplacements ? ReplacementsMark : ""),
            Length = packed.Length,
            Crc32 = packed.Crc32,
            PackedLength = packed.Deflate.Length,
            Bytes = packed.Deflate,
        };
    }

    /// <summary>A block holds URIs of this base.</summary>
    internal static bool IsOf(MetadataBlockRow? block, string bulkDataBase) =>
        block is not null && block.BulkDataBase.StartsWith(bulkDataBase, StringComparison.Ordinal) && block.BulkDataBase.AsSpan(bulkDataBase.Length) is "" or ReplacementsMark;

    /// <summary>A block holds characters that stand for undecodable bytes.</summary>
    internal static bool HasReplacements(MetadataBlockRow block) => block.BulkDataBase.EndsWith(ReplacementsMark, StringComparison.Ordinal);

    internal static LocateRequest OfSeries(string study, string series) => new() { StudyInstanceUids = [study], SeriesInstanceUids = [series] };

    private static LocateRequest Locate(MetadataRequest request) => new()
    {
        StudyInstanceUids = [request.StudyInstanceUid],
        SeriesInstanceUids = request.SeriesInstanceUid is { } series ? [series] : [],
        SopInstanceUids = [request.SopInstanceUid!],
    };
}

/// <summary>The metadata of a study, a series or an instance, to be written once or more often. The series are read while they are written; one that changes meanwhile
/// comes as it is then, and the study's version is another the next time.</summary>
public sealed class MetadataAnswer
{
    private readonly ICatalog _catalog;
    private readonly StudyContent _content;
    private readonly string _bulkDataBase;
    private readonly LocateRequest? _instance;
    private readonly IReadOnlyList<SeriesContent> _series;
    private readonly List<MetadataJson> _written = [];

    internal MetadataAnswer(ICatalog catalog, StudyContent content, string bulkDataBase, LocateRequest? instance)
    {
        (_catalog, _content, _bulkDataBase, _instance) = (catalog, content, bulkDataBase, instance);
        // An instance asked for without its series is written once, not once a series.
        _series = instance is null ? content.Series : [content.Series[0]];
    }

    /// <summary>Among the text are characters (U+FFFD) that stand for bytes which mean nothing in their character set. Known of blocks from the start, of the rest as it is written.</summary>
    public bool HasReplacements => _written.Exists(json => json.HasReplacements) || (_instance is null && _series.Any(s => HasBlock(s) && Metadata.HasReplacements(s.Block!)));

    /// <summary>What a strong ETag needs: letters, digits and hyphens; another one whenever anything in the study changed or the URIs in the metadata begin otherwise. The door adds its
    /// content coding.</summary>
    public string Version => string.Create(CultureInfo.InvariantCulture, $"{_content.Study.Key:x}-{_content.Study.Version:x}-{Hash(_bulkDataBase):x8}");

    /// <summary>When anything in the study last changed.</summary>
    public DateTimeOffset LastModified => _content.Study.UpdatedAt;

    /// <summary>How many instances.</summary>
    public int InstanceCount => _instance is null ? _content.Series.Sum(s => s.Series.InstanceCount) : 1;

    /// <summary>Every series has its block with these URIs: <see cref="WriteGzipAsync"/> copies bytes.</summary>
    public bool IsPacked => _instance is null && _content.Series.All(HasBlock);

    /// <summary>Writes one JSON array, UTF-8.</summary>
    /// <exception cref="CatalogUnavailableException">The catalog cannot answer now; part may be written.</exception>
    public async Task WriteJsonAsync(Stream output, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(output);
        await output.WriteAsync("["u8.ToArray(), cancellationToken);
        bool isFirst = true;
        foreach (SeriesContent series in _series)
        {
            if (!isFirst) await output.WriteAsync(","u8.ToArray(), cancellationToken);
            isFirst = false;
            if (await ReadBlockAsync(series, cancellationToken) is { } block)
            {
                await using Stream text = GzipJoiner.Unpack(block.Bytes);
                await text.CopyToAsync(output, 128 * 1024, cancellationToken);
                continue;
            }
            await WriteAsync(series, output, cancellationToken);
        }
        await output.WriteAsync("]"u8.ToArray(), cancellationToken);
    }

    /// <summary>Writes the same in gzip, one member (Content-Encoding: gzip). Blocks go out as they lie; what has none is packed first, series by series, in memory.</summary>
    /// <exception cref="CatalogUnavailableException">The catalog cannot answer now; part may be written.</exception>
    public async Task WriteGzipAsync(Stream output, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(output);
        var gzip = new GzipJoiner.Writer(output);
        await gzip.StartAsync(cancellationToken);
        char separator = '[';
        foreach (SeriesContent series in _series)
        {
            await gzip.WriteAsync(separator, cancellationToken);
            separator = ',';
            if (await ReadBlockAsync(series, cancellationToken) is { } block)
            {
                await gzip.WriteAsync(new PackedText(block.Bytes, block.Length, block.Crc32), cancellationToken);
                continue;
            }
            await gzip.WriteAsync(await GzipJoiner.PackAsync(CompressionLevel.Fastest, stream => WriteAsync(series, stream, cancellationToken)), cancellationToken);
        }
        await gzip.WriteAsync(']', cancellationToken);
        await gzip.EndAsync(cancellationToken);
    }

    /// <summary>Writes the same in Brotli at its fastest (Content-Encoding: br). Blocks are unpacked for it: for clients that take no gzip.</summary>
    /// <exception cref="CatalogUnavailableException">The catalog cannot answer now; part may be written.</exception>
    public async Task WriteBrotliAsync(Stream output, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(output);
        var brotli = new BrotliStream(output, CompressionLevel.Fastest, leaveOpen: true);
        await WriteJsonAsync(brotli, cancellationToken);
        // Not where writing failed: its end would go out, and make what is cut off look whole.
        await brotli.DisposeAsync();
    }

    /// <summary>Gives each instance as a document of the Native DICOM Model (PS3.19 A.1), UTF-8, with the same values by the same URIs. Made from the header rows, one at a time: a document is good until
    /// the next is asked for.</summary>
    /// <exception cref="CatalogUnavailableException">The catalog cannot answer now.</exception>
    public async IAsyncEnumerable<(InstanceLocation Location, ReadOnlyMemory<byte> Xml)> ReadXmlAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var document = new MemoryStream();
        foreach (SeriesContent series in _series)
        {
            await foreach ((InstanceLocation location, HeaderRow header) in _catalog.LocateHeadersAsync(Locate(series), cancellationToken))
            {
                document.SetLength(0);
                MetadataJson.WriteXml(document, location, header, _bulkDataBase);
                yield return (location, document.GetBuffer().AsMemory(0, (int)document.Length));
            }
        }
    }

    private async Task WriteAsync(SeriesContent series, Stream output, CancellationToken ct)
    {
        using var json = new MetadataJson(_bulkDataBase);
        _written.Add(json);
        await json.WriteAsync(_catalog.LocateHeadersAsync(Locate(series), ct), output, ct);
    }

    private LocateRequest Locate(SeriesContent series) => _instance ?? Metadata.OfSeries(_content.Study.StudyInstanceUid, series.Series.SeriesInstanceUid);

    private async ValueTask<MetadataBlockRow?> ReadBlockAsync(SeriesContent series, CancellationToken ct) =>
        _instance is null && HasBlock(series) && await _catalog.ReadMetadataBlockAsync(series.Series.Key, ct) is { } block && Metadata.IsOf(block, _bulkDataBase) ? block : null;

    private bool HasBlock(SeriesContent series) => Metadata.IsOf(series.Block, _bulkDataBase);

    private static uint Hash(string text)
    {
        // FNV-1a: the same in every process, which string.GetHashCode is not.
        uint hash = 2_166_136_261;
        foreach (char c in text) hash = (hash ^ c) * 16_777_619;
        return hash;
    }
}
