using PacsCluster.Dicom;

namespace PacsCluster.Imaging.Transcoding;

/// <summary>A stream of which the beginning was read already. Does not own it.</summary>
internal sealed class ForwardReader(Stream source, ReadOnlyMemory<byte> begun)
{
    private const int ReadBytes = 64 * 1024;

    private ReadOnlyMemory<byte> _begun = begun;

    /// <summary>Everything up to the pixel data of an instance in Explicit VR Little Endian, and a reader that stands there.</summary>
    /// <exception cref="DicomFormatException">The data set is broken.</exception>
    public static async ValueTask<(DataSet Header, ForwardReader Reader, bool HasPixels)> ReadHeaderAsync(Stream dataSet, CancellationToken ct)
    {
        using var push = new PushReader(TransferSyntax.ExplicitVRLittleEndian);
        byte[] bytes = new byte[ReadBytes];
        int read = 0;
        while (push.PixelDataOffset < 0)
        {
            if (read == bytes.Length) Array.Resize(ref bytes, checked(bytes.Length * 2));
            int count = await dataSet.ReadAsync(bytes.AsMemory(read), ct);
            if (count == 0) break;
            push.Feed(bytes.AsSpan(read, count));
            read += count;
        }
        bool hasPixels = push.PixelDataOffset >= 0;
        if (!hasPixels) push.Complete();
        int end = hasPixels ? (int)push.PixelDataOffset : read;
        return (DataSet.Read(bytes.AsMemory(0, end), TransferSyntax.ExplicitVRLittleEndian), new ForwardReader(dataSet, bytes.AsMemory(end, read - end)), hasPixels);
    }

    /// <summary>Up to a memory full; 0 at the end.</summary>
    public async ValueTask<int> ReadAsync(Memory<byte> to, CancellationToken cancellationToken)
    {
        if (_begun.IsEmpty) return await source.ReadAsync(to, cancellationToken);
        int count = Math.Min(to.Length, _begun.Length);
        _begun[..count].CopyTo(to);
        _begun = _begun[count..];
        return count;
    }

    /// <summary>A memory full.</summary>
    /// <exception cref="DicomFormatException">The data set ends before.</exception>
    public async ValueTask ReadExactlyAsync(Memory<byte> to, CancellationToken cancellationToken)
    {
        while (!to.IsEmpty)
        {
            int count = await ReadAsync(to, cancellationToken);
            if (count == 0) throw new DicomFormatException("the pixel data is cut off", -1, Tags.PixelData);
            to = to[count..];
        }
    }
}
