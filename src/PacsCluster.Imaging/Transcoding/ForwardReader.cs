using PacsCluster.Dicom;

namespace PacsCluster.Imaging.Transcoding;

/// <summary>A stream of which the beginning was read already. Does not own it.</summary>
internal sealed class ForwardReader(Stream source, ReadOnlyMemory<byte> begun)
{
    private ReadOnlyMemory<byte> _begun = begun;

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
