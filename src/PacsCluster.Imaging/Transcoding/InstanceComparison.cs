using PacsCluster.Dicom;

namespace PacsCluster.Imaging.Transcoding;

/// <summary>Compares an instance with what was made of it: every attribute, every sample, every byte behind the pixel data. Holds one frame of each.</summary>
public static class InstanceComparison
{
    // What a transfer syntax has a say in: the order of the samples, the colour transformation of JPEG 2000, where frames lie.
    private static readonly Tag[] s_ofTransferSyntax = [Tags.PlanarConfiguration, Tags.PhotometricInterpretation, Tags.ExtendedOffsetTable, Tags.ExtendedOffsetTableLengths];

    /// <summary>Reads both to their ends.</summary>
    /// <param name="original">Data set with native pixel data; not disposed.</param>
    /// <param name="originalSyntax">Its encoding.</param>
    /// <param name="made">Data set with the same image; not disposed.</param>
    /// <param name="madeSyntax">Its encoding.</param>
    /// <param name="codecs">Decodes.</param>
    /// <param name="cancellationToken">Cancels.</param>
    /// <returns>The first difference, in words that hold no patient data; null when the original can be made again from the other in all that it says.</returns>
    /// <exception cref="ImagingException">Frames cannot be decoded.</exception>
    /// <exception cref="DicomFormatException">A data set is broken.</exception>
    public static async ValueTask<string?> FindDifferenceAsync(Stream original, TransferSyntax originalSyntax, Stream made, TransferSyntax madeSyntax, FrameCodecs codecs, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(original);
        ArgumentNullException.ThrowIfNull(originalSyntax);
        ArgumentNullException.ThrowIfNull(made);
        ArgumentNullException.ThrowIfNull(madeSyntax);
        ArgumentNullException.ThrowIfNull(codecs);
        (DataSet header, ForwardReader reader, bool hasPixels) = await ForwardReader.ReadHeaderAsync(Explicit(original, originalSyntax), cancellationToken);
        (DataSet madeHeader, ForwardReader madeReader, bool madeHasPixels) = await ForwardReader.ReadHeaderAsync(Explicit(made, madeSyntax), cancellationToken);
        if (!hasPixels || !madeHasPixels) return "one of them has no pixel data";
        StoredFrames frames = await StoredFrames.OpenAsync(reader, header, originalSyntax.Uid, codecs.Options.FrameMaxBytes, cancellationToken);
        StoredFrames madeFrames = await StoredFrames.OpenAsync(madeReader, madeHeader, madeSyntax.Uid, codecs.Options.FrameMaxBytes, cancellationToken);
        if (FindDifference(header, madeHeader) is { } difference) return difference;
        if (frames.Tag != madeFrames.Tag || frames.Count != madeFrames.Count) return $"{frames.Count} frames in {frames.Tag} have become {madeFrames.Count} in {madeFrames.Tag}";
        for (int i = 0; i < frames.Count; i++)
        {
            ReadOnlyMemory<byte>? stored = await frames.NextAsync(cancellationToken), madeStored = await madeFrames.NextAsync(cancellationToken);
            if (stored is null || madeStored is null) return $"frame {i + 1} of {frames.Count} is missing";
            if (!originalSyntax.IsEncapsulated && stored.Value.Length != frames.Format.NativeLength) return $"frame {i + 1} is cut off in the original";
            using DecodedFrame samples = await codecs.DecodeAsync(originalSyntax.Uid, frames.Format, stored.Value, cancellationToken);
            using DecodedFrame madeSamples = await codecs.DecodeAsync(madeSyntax.Uid, madeFrames.Format, madeStored.Value, cancellationToken);
            if (samples.Format != madeSamples.Format) return $"frame {i + 1} has become another kind of image";
            if (!samples.Samples.Span.SequenceEqual(madeSamples.Samples.Span)) return $"frame {i + 1} has other samples";
        }
        // A pad byte makes the length even (PS3.5 section 8.1.1); more than that would be lost.
        if (!originalSyntax.IsEncapsulated && frames.NativeLeft > 1) return $"{frames.NativeLeft} bytes stand behind the last frame of the original";
        await frames.SkipRestAsync(cancellationToken);
        await madeFrames.SkipRestAsync(cancellationToken);
        return await IsRestSameAsync(reader, madeReader, cancellationToken) ? null : "what stands behind the pixel data is not the same";
    }

    private static Stream Explicit(Stream dataSet, TransferSyntax encoding) => encoding.IsEncapsulated || encoding.Uid == TransferSyntax.ExplicitVRLittleEndian.Uid
        ? dataSet : DataSetTranscoder.Convert(dataSet, encoding, TransferSyntax.ExplicitVRLittleEndian);

    private static string? FindDifference(DataSet header, DataSet made)
    {
        foreach (Tag tag in s_ofTransferSyntax)
        {
            header.Remove(tag);
            made.Remove(tag);
        }
        if (header.ToArray(TransferSyntax.ExplicitVRLittleEndian).AsSpan().SequenceEqual(made.ToArray(TransferSyntax.ExplicitVRLittleEndian))) return null;
        foreach (DataElement element in header)
        {
            if (!made.TryGet(element.Tag, out DataElement other) || other.VR != element.VR || !other.RawValue.Span.SequenceEqual(element.RawValue.Span)) return $"attribute {element.Tag} is not the same";
        }
        return "attributes are not the same";
    }

    private static async ValueTask<bool> IsRestSameAsync(ForwardReader left, ForwardReader right, CancellationToken ct)
    {
        byte[] leftBytes = new byte[16 * 1024], rightBytes = new byte[16 * 1024];
        while (true)
        {
            int leftCount = await FillAsync(left, leftBytes), rightCount = await FillAsync(right, rightBytes);
            if (!leftBytes.AsSpan(0, leftCount).SequenceEqual(rightBytes.AsSpan(0, rightCount))) return false;
            if (leftCount < leftBytes.Length) return true;
        }

        async ValueTask<int> FillAsync(ForwardReader reader, byte[] bytes)
        {
            int filled = 0;
            while (filled < bytes.Length && await reader.ReadAsync(bytes.AsMemory(filled), ct) is > 0 and int count) filled += count;
            return filled;
        }
    }
}
