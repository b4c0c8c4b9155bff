namespace System.IO.Hashing;

/// <summary>
/// The one type of the package System.IO.Hashing that Azure.Storage.Blobs takes its CRC-64 from, with the members that it uses, and nothing else.
/// Goes, with its project and the reference in PacsCluster.Blobs, as soon as the registry serves the package.
/// </summary>
public abstract class NonCryptographicHashAlgorithm
{
    /// <summary>For algorithms with a digest of <paramref name="hashLengthInBytes"/> bytes.</summary>
    protected NonCryptographicHashAlgorithm(int hashLengthInBytes)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(hashLengthInBytes, 1);
        HashLengthInBytes = hashLengthInBytes;
    }

    /// <summary>Bytes of a digest.</summary>
    public int HashLengthInBytes { get; }

    /// <summary>Takes more data.</summary>
    public abstract void Append(ReadOnlySpan<byte> source);

    /// <summary>Forgets the data.</summary>
    public abstract void Reset();

    /// <summary>Writes the digest of the data so far.</summary>
    protected abstract void GetCurrentHashCore(Span<byte> destination);

    /// <summary>Takes more data.</summary>
    public void Append(byte[] source)
    {
        ArgumentNullException.ThrowIfNull(source);
        Append(source.AsSpan());
    }

    /// <summary>Takes a stream to its end.</summary>
    public void Append(Stream stream)
    {
        ArgumentNullException.ThrowIfNull(stream);
        var buffer = new byte[4096];
        for (int read; (read = stream.Read(buffer)) > 0;) Append(buffer.AsSpan(0, read));
    }

    /// <summary>The digest of the data so far.</summary>
    public byte[] GetCurrentHash()
    {
        var digest = new byte[HashLengthInBytes];
        GetCurrentHashCore(digest);
        return digest;
    }

    /// <summary>Writes the digest of the data so far and says its length.</summary>
    public int GetCurrentHash(Span<byte> destination)
    {
        GetCurrentHashCore(destination[..HashLengthInBytes]);
        return HashLengthInBytes;
    }

    /// <summary>The digest of the data so far, which is then forgotten.</summary>
    public byte[] GetHashAndReset()
    {
        byte[] digest = GetCurrentHash();
        Reset();
        return digest;
    }

    /// <summary>Writes the digest of the data so far, says its length and forgets the data.</summary>
    public int GetHashAndReset(Span<byte> destination)
    {
        GetHashAndResetCore(destination[..HashLengthInBytes]);
        return HashLengthInBytes;
    }

    /// <summary>Writes the digest and forgets the data.</summary>
    protected virtual void GetHashAndResetCore(Span<byte> destination)
    {
        GetCurrentHashCore(destination);
        Reset();
    }
}
