using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace PacsCluster.Blobs;

/// <summary>
/// How an encrypted blob lies on the medium: a header of 100 bytes, then chunks. Each blob has a random data key, which the header holds wrapped by a
/// key of the ring; each chunk is AES-256-GCM of up to 64 KiB with its tag of 16 bytes behind it. All chunks but the last are full; a blob has at least one.
/// <code>
/// header  0 "PCB1"   4 version 1   5 length of the key id   6 zero, zero   8 key id, 32 bytes   40 nonce, 12   52 wrapped data key, 32   84 tag, 16
/// chunk   nonce: 1 for the last chunk, else 0; three zeros; chunk number, 8 bytes big-endian
/// </code>
/// The wrapping authenticates the header and the blob's key, so a blob cannot stand in for another; the chunk's nonce its place, so chunks cannot be moved,
/// and whether it is the last, so a blob cannot be cut between two. A data key encrypts one blob, so the counted nonces never repeat.
/// </summary>
internal static class Envelope
{
    public const int HeaderBytes = 100;
    public const int ChunkBytes = 64 * 1024;
    public const int TagBytes = 16;
    public const int SealedChunkBytes = ChunkBytes + TagBytes;
    private const int DataKeyBytes = 32;
    private const int NonceBytes = 12;
    private const int PrefixBytes = 40;
    private const int WrappedAt = PrefixBytes + NonceBytes;

    private static ReadOnlySpan<byte> Magic => "PCB1"u8;

    /// <summary>A new data key and the header that holds it.</summary>
    public static (byte[] Header, AesGcm Cipher) Create(string blobKey, KeyRing ring)
    {
        var header = new byte[HeaderBytes];
        Magic.CopyTo(header);
        header[4] = 1;
        header[5] = (byte)Encoding.ASCII.GetBytes(ring.CurrentId, header.AsSpan(8, 32));
        RandomNumberGenerator.Fill(header.AsSpan(PrefixBytes, NonceBytes));
        Span<byte> dataKey = stackalloc byte[DataKeyBytes];
        RandomNumberGenerator.Fill(dataKey);
        using var wrap = new AesGcm(ring.Current, TagBytes);
        wrap.Encrypt(header.AsSpan(PrefixBytes, NonceBytes), dataKey, header.AsSpan(WrappedAt, DataKeyBytes), header.AsSpan(WrappedAt + DataKeyBytes), Authenticated(header, blobKey));
        var cipher = new AesGcm(dataKey, TagBytes);
        CryptographicOperations.ZeroMemory(dataKey);
        return (header, cipher);
    }

    /// <summary>The cipher of a header's data key.</summary>
    /// <exception cref="BlobKeyException">The ring lacks the key, or has another one under its id.</exception>
    /// <exception cref="BlobTamperedException">It is no header.</exception>
    public static AesGcm Open(ReadOnlySpan<byte> header, string storeName, string blobKey, KeyRing ring)
    {
        if (header.Length < HeaderBytes || !header.StartsWith(Magic)) throw new BlobTamperedException(storeName, blobKey, "it is not an encrypted blob");
        if (header[4] != 1 || header[5] is 0 or > 32) throw new BlobTamperedException(storeName, blobKey, $"its envelope is of a version that is not known ({header[4]})");
        string id = Encoding.ASCII.GetString(header.Slice(8, header[5]));
        byte[] key = ring.Find(id) ?? throw new BlobKeyException(storeName, $"blob {blobKey} is encrypted with key '{id}', which the key ring does not hold");
        Span<byte> dataKey = stackalloc byte[DataKeyBytes];
        try
        {
            using var wrap = new AesGcm(key, TagBytes);
            wrap.Decrypt(header.Slice(PrefixBytes, NonceBytes), header.Slice(WrappedAt, DataKeyBytes), header.Slice(WrappedAt + DataKeyBytes, TagBytes), dataKey, Authenticated(header, blobKey));
            return new AesGcm(dataKey, TagBytes);
        }
        catch (AuthenticationTagMismatchException e)
        {
            throw new BlobKeyException(storeName, $"key '{id}' of the key ring does not open blob {blobKey}: it is another key than the blob was encrypted with, or the blob's header was changed", e);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(dataKey);
        }
    }

    /// <summary>Encrypts a chunk; <paramref name="destination"/> is longer than it by the tag.</summary>
    public static void Seal(AesGcm cipher, long number, bool isLast, ReadOnlySpan<byte> chunk, Span<byte> destination)
    {
        Span<byte> nonce = stackalloc byte[NonceBytes];
        WriteNonce(nonce, number, isLast);
        cipher.Encrypt(nonce, chunk, destination[..chunk.Length], destination.Slice(chunk.Length, TagBytes));
    }

    /// <summary>Decrypts a chunk in place; its bytes then are the first of <paramref name="chunk"/>.</summary>
    /// <exception cref="AuthenticationTagMismatchException">It is not this chunk.</exception>
    public static void Unseal(AesGcm cipher, long number, bool isLast, Span<byte> chunk)
    {
        Span<byte> nonce = stackalloc byte[NonceBytes];
        WriteNonce(nonce, number, isLast);
        Span<byte> bytes = chunk[..^TagBytes];
        cipher.Decrypt(nonce, bytes, chunk[^TagBytes..], bytes);
    }

    /// <summary>Bytes on the medium to bytes of the blob; -1 when no blob is so long.</summary>
    public static long PlainLength(long sealedLength)
    {
        long body = sealedLength - HeaderBytes;
        if (body < TagBytes) return -1;
        (long full, long rest) = Math.DivRem(body, SealedChunkBytes);
        // Only an only chunk may be empty.
        if (rest != 0 && (rest < TagBytes || (rest == TagBytes && full > 0))) return -1;
        return (full * ChunkBytes) + Math.Max(0, rest - TagBytes);
    }

    private static void WriteNonce(Span<byte> nonce, long number, bool isLast)
    {
        nonce.Clear();
        nonce[0] = isLast ? (byte)1 : (byte)0;
        BinaryPrimitives.WriteInt64BigEndian(nonce[4..], number);
    }

    private static byte[] Authenticated(ReadOnlySpan<byte> header, string blobKey) => [.. header[..PrefixBytes], .. Encoding.ASCII.GetBytes(blobKey)];
}
