using System.Buffers.Binary;

namespace PacsCluster.Dicom.Network;

/// <summary>The seven PDU types of PS3.8 section 9.3.</summary>
public enum PduType : byte
{
    /// <summary>None.</summary>
    None = 0,
    /// <summary>A-ASSOCIATE-RQ.</summary>
    AssociateRequest = 0x01,
    /// <summary>A-ASSOCIATE-AC.</summary>
    AssociateAccept = 0x02,
    /// <summary>A-ASSOCIATE-RJ.</summary>
    AssociateReject = 0x03,
    /// <summary>P-DATA-TF.</summary>
    Data = 0x04,
    /// <summary>A-RELEASE-RQ.</summary>
    ReleaseRequest = 0x05,
    /// <summary>A-RELEASE-RP.</summary>
    ReleaseResponse = 0x06,
    /// <summary>A-ABORT.</summary>
    Abort = 0x07,
}

/// <summary>Type and length of a PDU: its first six bytes (PS3.8 section 9.3.1).</summary>
/// <param name="Type">The byte as it came; maybe none of <see cref="PduType"/>.</param>
/// <param name="Length">Bytes that follow the header, as the peer claims. Check before allocating.</param>
public readonly record struct PduHeader(PduType Type, uint Length)
{
    /// <summary>Bytes of a PDU header.</summary>
    public const int Size = 6;

    /// <summary>Reads the first <see cref="Size"/> bytes.</summary>
    public static PduHeader Read(ReadOnlySpan<byte> bytes) => new((PduType)bytes[0], BinaryPrimitives.ReadUInt32BigEndian(bytes[2..]));

    /// <summary>Writes <see cref="Size"/> bytes.</summary>
    public void Write(Span<byte> bytes)
    {
        bytes[0] = (byte)Type;
        bytes[1] = 0;
        BinaryPrimitives.WriteUInt32BigEndian(bytes[2..], Length);
    }
}

/// <summary>Header of a Presentation Data Value inside P-DATA-TF (PS3.8 section 9.3.5.1 and annex E.2).</summary>
/// <param name="Length">Bytes of the fragment itself (the item's length less the two bytes of context and control).</param>
/// <param name="ContextId">Presentation context.</param>
/// <param name="Control">Bit 0: command fragment; bit 1: last fragment.</param>
public readonly record struct PdvHeader(int Length, byte ContextId, byte Control)
{
    /// <summary>Bytes of length, context id and message control header.</summary>
    public const int Size = 6;

    /// <summary>The fragment is of the command set.</summary>
    public bool IsCommand => (Control & 1) != 0;

    /// <summary>No fragment of this command set or data set follows.</summary>
    public bool IsLast => (Control & 2) != 0;

    /// <summary>Reads the first <see cref="Size"/> bytes of an item.</summary>
    /// <param name="bytes">At least <see cref="Size"/> bytes.</param>
    /// <param name="remaining">Bytes left in the PDU, this header included.</param>
    /// <exception cref="DicomFormatException">The item is shorter than its header or passes the end of its PDU.</exception>
    public static PdvHeader Read(ReadOnlySpan<byte> bytes, uint remaining)
    {
        uint item = BinaryPrimitives.ReadUInt32BigEndian(bytes);
        if (item < 2) throw new DicomFormatException("a presentation data value shorter than its header");
        if (item > remaining - 4) throw new DicomFormatException("a presentation data value passes the end of its PDU");
        return new PdvHeader((int)(item - 2), bytes[4], bytes[5]);
    }

    /// <summary>Writes <see cref="Size"/> bytes.</summary>
    public void Write(Span<byte> bytes)
    {
        BinaryPrimitives.WriteUInt32BigEndian(bytes, (uint)Length + 2);
        bytes[4] = ContextId;
        bytes[5] = Control;
    }
}

/// <summary>Result field of A-ASSOCIATE-RJ (PS3.8 table 9-21).</summary>
public enum RejectResult : byte
{
    /// <summary>Trying again later is of no use.</summary>
    Permanent = 1,
    /// <summary>The same request may be accepted later.</summary>
    Transient = 2,
}

/// <summary>Source and reason of A-ASSOCIATE-RJ (PS3.8 table 9-21); source in the high byte.</summary>
public enum RejectReason : ushort
{
    /// <summary>Service user: no reason given.</summary>
    NoReason = 0x0101,
    /// <summary>Service user: application context name not supported.</summary>
    ApplicationContextNotSupported = 0x0102,
    /// <summary>Service user: calling AE title not recognized.</summary>
    CallingAETitleNotRecognized = 0x0103,
    /// <summary>Service user: called AE title not recognized.</summary>
    CalledAETitleNotRecognized = 0x0107,
    /// <summary>Service provider (ACSE): no reason given.</summary>
    AcseNoReason = 0x0201,
    /// <summary>Service provider (ACSE): protocol version not supported.</summary>
    ProtocolVersionNotSupported = 0x0202,
    /// <summary>Service provider (presentation): temporary congestion.</summary>
    TemporaryCongestion = 0x0301,
    /// <summary>Service provider (presentation): local limit exceeded.</summary>
    LocalLimitExceeded = 0x0302,
}

/// <summary>A-ASSOCIATE-RJ.</summary>
/// <param name="Result">Permanent or transient.</param>
/// <param name="Reason">Source and reason.</param>
public readonly record struct AssociateReject(RejectResult Result, RejectReason Reason);

/// <summary>Source of A-ABORT (PS3.8 table 9-26).</summary>
public enum AbortSource : byte
{
    /// <summary>The DICOM UL service user: the application.</summary>
    ServiceUser = 0,
    /// <summary>The DICOM UL service provider: the protocol machine.</summary>
    ServiceProvider = 2,
}

/// <summary>Reason of an A-ABORT whose source is the service provider (PS3.8 table 9-26).</summary>
public enum AbortReason : byte
{
    /// <summary>Reason not specified.</summary>
    NotSpecified = 0,
    /// <summary>Unrecognized PDU.</summary>
    UnrecognizedPdu = 1,
    /// <summary>Unexpected PDU.</summary>
    UnexpectedPdu = 2,
    /// <summary>Unrecognized PDU parameter.</summary>
    UnrecognizedPduParameter = 4,
    /// <summary>Unexpected PDU parameter.</summary>
    UnexpectedPduParameter = 5,
    /// <summary>Invalid PDU parameter value.</summary>
    InvalidPduParameterValue = 6,
}

/// <summary>A-ABORT.</summary>
/// <param name="Source">Who aborts.</param>
/// <param name="Reason">Meaningful only from the service provider.</param>
public readonly record struct Abort(AbortSource Source, AbortReason Reason);
