using System.Buffers;
using System.Security.Cryptography;
using PacsCluster.Blobs;
using PacsCluster.Catalog;
using PacsCluster.Dicom;
using PacsCluster.Imaging;
using PacsCluster.Imaging.Transcoding;

namespace PacsCluster.Engine;

/// <summary>A compressed instance in a blob that no row knows yet, or why there is none.</summary>
/// <param name="Candidate">It, as the store path would have read it; null when it is not to be compressed.</param>
/// <param name="Original">The data set that it was made of.</param>
/// <param name="Refusal">Why not.</param>
internal sealed record CompressedInstance(Candidate? Candidate, OriginalContent? Original, string Refusal = "");

/// <summary>Makes a compressed blob of an instance, reads it back from the store and compares it with the original, attribute by attribute and sample by sample.
/// Both ways frames stream by: memory is a few frames, whatever the instance.</summary>
internal sealed class InstanceCompressor(EngineOptions options, BlobStores stores, FrameCodecs codecs, TimeProvider time)
{
    // The first element behind the File Meta Information shows that it ends there.
    private const int FirstElementBytes = 64;

    private static readonly string[] s_photometric = ["MONOCHROME1", "MONOCHROME2", "PALETTE COLOR", "RGB", "YBR_FULL"];

    /// <summary>Whether an image is of a kind that comes out of the codecs as it went in: cells of whole bytes, every pixel with all its samples.</summary>
    public static bool CanHold(InstanceRow instance) => instance.PixelDataOffset >= 0 && instance.Attributes[Tags.BitsAllocated] is "8" or "16"
        && instance.Attributes[Tags.SamplesPerPixel] is null or "1" or "3" && s_photometric.Contains(instance.Attributes[Tags.PhotometricInterpretation]);

    /// <summary>Writes, reads back, compares. On return the blob is durable, or there is none.</summary>
    /// <exception cref="ImagingException">The pixels cannot be encoded. Also inside of an IOException, from the second frame on.</exception>
    /// <exception cref="DicomFormatException">The data set is broken.</exception>
    /// <exception cref="BlobNotFoundException">The original is gone.</exception>
    /// <exception cref="BlobStoreUnavailableException">The store cannot be read or written now.</exception>
    public async Task<CompressedInstance> CompressAsync(StoredInstance stored, TransferSyntax target, CancellationToken ct)
    {
        var syntax = TransferSyntax.FromUid(stored.Instance.TransferSyntaxUid);
        var origin = new StoreOrigin { TransferSyntax = target, SourceFileMeta = await ReadFileMetaAsync(stored, ct), Door = StoreDoor.Import };
        using var reader = new PushReader(target, new PushReaderOptions { BulkThresholdBytes = options.BulkThresholdBytes, HeaderMaxBytes = options.HeaderMaxBytes });
        await using var receiver = new Receiver(stores.PlanFor(stored.Instance.Source), reader, origin, options);
        await using (Stream converted = await InstanceTranscoder.OpenAsync(await OpenDataSetAsync(stored, ct), syntax, target, codecs, cancellationToken: ct)) await receiver.ReceiveAsync(converted, ct);
        if (receiver.Length >= stored.Instance.Length) return new CompressedInstance(null, null, "it does not become smaller");
        await receiver.CommitAsync();
        WrittenBlob blob = receiver.Written();
        bool isGood = false;
        try
        {
            await using var original = new DigestingStream(await OpenDataSetAsync(stored, ct));
            await using Stream made = await stores.OpenReadAsync(blob.Place, blob.MoreCopies, blob.DataSetOffset, blob.Length - blob.DataSetOffset, ct);
            if (await InstanceComparison.FindDifferenceAsync(original, syntax, made, target, codecs, ct) is { } difference) return new CompressedInstance(null, null, difference);
            OriginalContent content = await original.FinishAsync(ct);
            var judged = new Judgement
            {
                SopClassUid = stored.Instance.SopClassUid,
                SopInstanceUid = stored.Instance.SopInstanceUid,
                StudyInstanceUid = stored.Location.StudyInstanceUid,
                SeriesInstanceUid = stored.Location.SeriesInstanceUid,
            };
            Candidate candidate = CandidateReader.Read(judged, reader, blob, origin, options.Policy, time.GetUtcNow());
            isGood = true;
            return new CompressedInstance(candidate, stored.Blob.Original ?? content);
        }
        finally
        {
            if (!isGood)
            {
                await stores.DeleteAsync(blob.Place, blob.MoreCopies);
            }
        }
    }

    private ValueTask<Stream> OpenDataSetAsync(StoredInstance stored, CancellationToken ct) => stores.OpenReadAsync(
        stored.Location.Place, stored.Location.MoreCopies, stored.Instance.Offset + stored.Instance.DataSetOffset, stored.Instance.Length - stored.Instance.DataSetOffset, ct);

    /// <summary>Source AE and private information go into the new File Meta Information (C-69).</summary>
    private async Task<DataSet?> ReadFileMetaAsync(StoredInstance stored, CancellationToken ct)
    {
        long length = Math.Min(stored.Instance.DataSetOffset + FirstElementBytes, stored.Instance.Length);
        byte[] start = new byte[length];
        await using Stream stream = await stores.OpenReadAsync(stored.Location.Place, stored.Location.MoreCopies, stored.Instance.Offset, length, ct);
        await stream.ReadExactlyAsync(start, ct);
        return Part10.ReadStart(start).FileMeta;
    }

    /// <summary>Digests what is read through it. Owns the stream.</summary>
    private sealed class DigestingStream(Stream source) : Stream
    {
        private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        private long _length;

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            int count = await source.ReadAsync(buffer, cancellationToken);
            _hash.AppendData(buffer.Span[..count]);
            _length += count;
            return count;
        }

        /// <summary>Reads what nobody asked for, to the end.</summary>
        public async ValueTask<OriginalContent> FinishAsync(CancellationToken ct)
        {
            byte[] rest = ArrayPool<byte>.Shared.Rent(64 * 1024);
            try
            {
                while (await ReadAsync(rest, ct) > 0)
                {
                }
            }
            finally
            {
                ArrayPool<byte>.Shared.Return(rest);
            }
            return new OriginalContent(_length, _hash.GetHashAndReset());
        }

        public override async ValueTask DisposeAsync()
        {
            _hash.Dispose();
            await source.DisposeAsync();
            await base.DisposeAsync();
        }

        public override bool CanRead => true;
        public override bool CanSeek => false;
        public override bool CanWrite => false;
        public override long Length => throw new NotSupportedException();
        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }
        public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();
        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException("read asynchronously");
        public override void Flush() { }
        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
        public override void SetLength(long value) => throw new NotSupportedException();
        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
