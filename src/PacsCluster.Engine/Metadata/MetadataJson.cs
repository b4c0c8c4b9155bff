using System.Buffers;
using System.Text.Json;
using PacsCluster.Catalog;
using PacsCluster.Dicom;

namespace PacsCluster.Engine;

/// <summary>Writes instances in the DICOM JSON Model (PS3.18 annex F) from their header rows, separated by commas. No blob is opened. Not for several threads at once.</summary>
internal sealed class MetadataJson : IDisposable
{
    /// <summary>Binary values up to this many bytes stand in the JSON itself: their URI would be as long.</summary>
    public const int InlineMaxBytes = 1024;

    private const int WriteBytes = 64 * 1024;

    private readonly ArrayBufferWriter<byte> _buffer = new(2 * WriteBytes);
    private readonly Utf8JsonWriter _writer;
    private readonly string _base;
    private int _looked;

    /// <param name="bulkDataBase">What BulkDataURIs begin with, in front of <c>/studies</c>.</param>
    public MetadataJson(string bulkDataBase)
    {
        _base = bulkDataBase;
        _writer = new Utf8JsonWriter(_buffer, JsonModel.WriterOptions);
    }

    /// <summary>Among what was written are characters that stand for bytes which are no text in their character set.</summary>
    public bool HasReplacements { get; private set; }

    /// <summary>Writes all; how many.</summary>
    public async Task<int> WriteAsync(IAsyncEnumerable<(InstanceLocation Location, HeaderRow Header)> instances, Stream output, CancellationToken ct)
    {
        int count = 0;
        await foreach ((InstanceLocation location, HeaderRow header) in instances.WithCancellation(ct))
        {
            if (count++ > 0) _buffer.Write(","u8);
            Append(location, header);
            if (_buffer.WrittenCount >= WriteBytes) await WriteOutAsync(output, ct);
        }
        await WriteOutAsync(output, ct);
        return count;
    }

    private async ValueTask WriteOutAsync(Stream output, CancellationToken ct)
    {
        await output.WriteAsync(_buffer.WrittenMemory, ct);
        _buffer.ResetWrittenCount();
        _looked = 0;
    }

    private void Append(InstanceLocation location, HeaderRow header)
    {
        _writer.Reset();
        Write(_writer, location, header, _base);
        _writer.Flush();
        // Escaped or not: which, the encoder decides.
        ReadOnlySpan<byte> added = _buffer.WrittenSpan[_looked..];
        HasReplacements = HasReplacements || added.IndexOf("\uFFFD"u8) >= 0 || added.IndexOf("\\uFFFD"u8) >= 0;
        _looked = _buffer.WrittenCount;
    }

    /// <summary>Writes one instance as an object.</summary>
    public static void Write(Utf8JsonWriter writer, InstanceLocation location, HeaderRow header, string bulkDataBase)
    {
        (DataSet dataSet, JsonWriteOptions options) = Prepare(location, header, bulkDataBase);
        JsonModel.Write(writer, dataSet, options);
    }

    /// <summary>Writes one instance as a document of the Native DICOM Model, with the same values by the same URIs.</summary>
    public static void WriteXml(Stream to, InstanceLocation location, HeaderRow header, string bulkDataBase)
    {
        (DataSet dataSet, JsonWriteOptions options) = Prepare(location, header, bulkDataBase);
        NativeModel.Write(to, dataSet, options);
    }

    private static (DataSet DataSet, JsonWriteOptions Options) Prepare(InstanceLocation location, HeaderRow header, string bulkDataBase)
    {
        DataSet dataSet = header.ToDataSet(location.TransferSyntaxUid);
        dataSet.Set(Tags.AvailableTransferSyntaxUID, location.TransferSyntaxUid);
        // UIDs of strange senders are kept as they came.
        string prefix = $"{bulkDataBase}/studies/{Uri.EscapeDataString(location.StudyInstanceUid)}/series/{Uri.EscapeDataString(location.SeriesInstanceUid)}"
            + $"/instances/{Uri.EscapeDataString(location.SopInstanceUid)}/bulkdata/";
        return (dataSet, new JsonWriteOptions
        {
            BulkDataUri = value => IsInline(value) ? null : prefix + value.Path,
            LeftOut = InstanceLayout.Unpack(header.Frames.Span).Bulk,
        });
    }

    /// <summary>The paths of all values that go by URI.</summary>
    public static List<string> ListByUri(DataSet header, IReadOnlyList<BulkValue> leftOut)
    {
        List<string> paths = [];
        using var writer = new Utf8JsonWriter(Stream.Null, JsonModel.WriterOptions);
        JsonModel.Write(writer, header, new JsonWriteOptions
        {
            BulkDataUri = value =>
            {
                if (IsInline(value)) return null;
                paths.Add(value.Path);
                return "";
            },
            LeftOut = leftOut,
        });
        return paths;
    }

    private static bool IsInline(in JsonBulkValue value) => value.Source is null && value.VR.IsBulk() && value.Length is >= 0 and <= InlineMaxBytes;

    public void Dispose() => _writer.Dispose();
}
