namespace PacsCluster.Dicom.Network;

/// <summary>Lays messages out as P-DATA-TF PDUs of one PDV each in a buffer that its owner sends when it likes (PS3.8 annex E). One command or
/// data set is written to its end before the next one starts, so fragments never interleave (C-19). The buffer may hold several PDUs: a peer
/// that takes 16 KB PDUs then costs one system call per buffer and not one per PDU.</summary>
public sealed class PdvWriter
{
    /// <summary>Bytes in front of each fragment: PDU header and PDV header.</summary>
    public const int Overhead = PduHeader.Size + PdvHeader.Size;

    private readonly int _fragmentBytes;
    private int _start;

    /// <summary>Writes into <paramref name="buffer"/>, which the caller owns.</summary>
    /// <param name="buffer">At least 1 KiB.</param>
    /// <param name="maxPduBytes">Largest P-DATA-TF length in bytes, counted as PS3.8 annex D.1 does: without the six bytes of the PDU header.</param>
    public PdvWriter(byte[] buffer, int maxPduBytes)
    {
        Buffer = buffer;
        // An even number, because a fragment has even length but for a mistake of the data set itself; never below what a command needs to progress.
        _fragmentBytes = Math.Max(2, (Math.Min(maxPduBytes, buffer.Length - PduHeader.Size) - PdvHeader.Size) & ~1);
    }

    /// <summary>The caller's buffer; bytes up to <see cref="Length"/> are ready to send.</summary>
    public byte[] Buffer { get; }

    /// <summary>Bytes ready to send.</summary>
    public int Length { get; private set; }

    /// <summary>Largest fragment in bytes.</summary>
    public int FragmentMax => _fragmentBytes;

    /// <summary>Opens a fragment and gives the room there is for it: empty when the buffer must be sent first.</summary>
    /// <param name="minimum">Bytes below which a fragment is not worth its header.</param>
    public Memory<byte> Begin(int minimum = 1)
    {
        _start = Length + Overhead;
        int room = Math.Min(Buffer.Length - _start, _fragmentBytes) & ~1;
        return room < Math.Min(minimum, _fragmentBytes) ? Memory<byte>.Empty : Buffer.AsMemory(_start, room);
    }

    /// <summary>Closes the fragment that <see cref="Begin"/> opened, of which <paramref name="count"/> bytes were filled.</summary>
    public void End(byte contextId, bool isCommand, bool isLast, int count)
    {
        Span<byte> head = Buffer.AsSpan(_start - Overhead);
        new PduHeader(PduType.Data, (uint)(count + PdvHeader.Size)).Write(head);
        new PdvHeader(count, contextId, (byte)((isCommand ? 1 : 0) | (isLast ? 2 : 0))).Write(head[PduHeader.Size..]);
        Length = _start + count;
    }

    /// <summary>After sending: the buffer is empty again.</summary>
    public void Reset() => Length = 0;
}
