using System.Buffers.Binary;
using System.Security.Cryptography;
using PacsCluster.Blobs;

namespace PacsCluster.Engine;

/// <summary>What is remembered of a blob's bytes, so that <see cref="Verify"/> notices when they change: CRC-32C, or SHA-256 where the options ask for it.</summary>
internal sealed class BlobDigest : IDisposable
{
    private readonly IncrementalHash? _sha256;
    private uint _crc = Crc32C.Start;

    public BlobDigest(bool sha256) => _sha256 = sha256 ? IncrementalHash.CreateHash(HashAlgorithmName.SHA256) : null;

    /// <summary>One of the kind that a digest is of.</summary>
    public static BlobDigest Like(ReadOnlySpan<byte> digest) => new(digest.Length == SHA256.HashSizeInBytes);

    public void Append(ReadOnlySpan<byte> bytes)
    {
        if (_sha256 is null) _crc = Crc32C.Append(_crc, bytes);
        else _sha256.AppendData(bytes);
    }

    /// <summary>4 bytes, big endian, or 32. Once only.</summary>
    public byte[] End()
    {
        if (_sha256 is not null) return _sha256.GetHashAndReset();
        byte[] digest = new byte[sizeof(uint)];
        BinaryPrimitives.WriteUInt32BigEndian(digest, Crc32C.End(_crc));
        return digest;
    }

    public void Dispose() => _sha256?.Dispose();
}
