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

    /// <param name="bulkDataBase">What BulkDataURIs begin with, in front of <c>/studies</c>.</param>
    public MetadataJson(string bulkDataBase)
    {
        _base = bulkDataBase;
        _writer = new Utf8JsonWriter(_buffer, JsonModel.WriterOptions);
    }

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
    }

    private void Append(InstanceLocation location, HeaderRow header)
    {
        DataSet dataSet = header.ToDataSet(location.TransferSyntaxUid);
        dataSet.Set(Tags.AvailableTransferSyntaxUID, location.TransferSyntaxUid);
        // UIDs of strange senders are kept as they came.
        string prefix = $"{_base}/studies/{Uri.EscapeDataString(location.StudyInstanceUid)}/series/{Uri.EscapeDataString(location.SeriesInstanceUid)}"
            + $"/instances/{Uri.EscapeDataString(location.SopInstanceUid)}/bulkdata/";
        _writer.Reset();
        JsonModel.Write(_writer, dataSet, new JsonWriteOptions
        {
            BulkDataUri = value => value.Source is null && value.VR.IsBulk() && value.Length is >= 0 and <= InlineMaxBytes ? null : prefix + value.Path,
            LeftOut = InstanceLayout.Unpack(header.Frames.Span).Bulk,
        });
        _writer.Flush();
    }

    public void Dispose() => _writer.Dispose();
}
