using System.Buffers.Binary;
using System.Text;

namespace PacsCluster.Dicom.Network;

/// <summary>Command Field (0000,0100) of PS3.7 annex E. A response has bit 15 set.</summary>
public enum CommandField : ushort
{
#pragma warning disable CS1591 // the standard's names
    CStoreRequest = 0x0001, CStoreResponse = 0x8001,
    CGetRequest = 0x0010, CGetResponse = 0x8010,
    CFindRequest = 0x0020, CFindResponse = 0x8020,
    CMoveRequest = 0x0021, CMoveResponse = 0x8021,
    CEchoRequest = 0x0030, CEchoResponse = 0x8030,
    NEventReportRequest = 0x0100, NEventReportResponse = 0x8100,
    NGetRequest = 0x0110, NGetResponse = 0x8110,
    NSetRequest = 0x0120, NSetResponse = 0x8120,
    NActionRequest = 0x0130, NActionResponse = 0x8130,
    NCreateRequest = 0x0140, NCreateResponse = 0x8140,
    NDeleteRequest = 0x0150, NDeleteResponse = 0x8150,
    CCancelRequest = 0x0FFF,
#pragma warning restore CS1591
}

/// <summary>Priority (0000,0700).</summary>
public enum Priority : ushort
{
    /// <summary>Medium.</summary>
    Medium = 0,
    /// <summary>High.</summary>
    High = 1,
    /// <summary>Low.</summary>
    Low = 2,
}

/// <summary>A DIMSE command set (PS3.7 section 6.3 and annex E): always Implicit VR Little Endian (C-21). Elements that are null are absent.</summary>
public sealed record CommandSet
{
    /// <summary>Command Data Set Type (0000,0101) that says: no data set follows.</summary>
    public const ushort NoDataSet = 0x0101;

    /// <summary>Command Field (0000,0100); may be a number without a name.</summary>
    public required CommandField Field { get; init; }
    /// <summary>Message ID (0000,0110), of requests.</summary>
    public ushort? MessageId { get; init; }
    /// <summary>Message ID Being Responded To (0000,0120), of responses and C-CANCEL.</summary>
    public ushort? MessageIdBeingRespondedTo { get; init; }
    /// <summary>A data set follows (0000,0800).</summary>
    public bool HasDataSet { get; init; }
    /// <summary>Status (0000,0900), of responses.</summary>
    public ushort? Status { get; init; }
    /// <summary>Affected SOP Class UID (0000,0002).</summary>
    public string? AffectedSopClassUid { get; init; }
    /// <summary>Affected SOP Instance UID (0000,1000).</summary>
    public string? AffectedSopInstanceUid { get; init; }
    /// <summary>Requested SOP Class UID (0000,0003).</summary>
    public string? RequestedSopClassUid { get; init; }
    /// <summary>Requested SOP Instance UID (0000,1001).</summary>
    public string? RequestedSopInstanceUid { get; init; }
    /// <summary>Priority (0000,0700).</summary>
    public Priority? Priority { get; init; }
    /// <summary>Move Destination (0000,0600).</summary>
    public string? MoveDestination { get; init; }
    /// <summary>Move Originator Application Entity Title (0000,1030).</summary>
    public string? MoveOriginatorAETitle { get; init; }
    /// <summary>Move Originator Message ID (0000,1031).</summary>
    public ushort? MoveOriginatorMessageId { get; init; }
    /// <summary>Number of Remaining Sub-operations (0000,1020).</summary>
    public ushort? Remaining { get; init; }
    /// <summary>Number of Completed Sub-operations (0000,1021).</summary>
    public ushort? Completed { get; init; }
    /// <summary>Number of Failed Sub-operations (0000,1022).</summary>
    public ushort? Failed { get; init; }
    /// <summary>Number of Warning Sub-operations (0000,1023).</summary>
    public ushort? Warning { get; init; }
    /// <summary>Offending Element (0000,0901).</summary>
    public IReadOnlyList<Tag>? OffendingElements { get; init; }
    /// <summary>Error Comment (0000,0902); cut to 64 characters when written (C-31).</summary>
    public string? ErrorComment { get; init; }
    /// <summary>Error ID (0000,0903).</summary>
    public ushort? ErrorId { get; init; }
    /// <summary>Event Type ID (0000,1002).</summary>
    public ushort? EventTypeId { get; init; }
    /// <summary>Action Type ID (0000,1008).</summary>
    public ushort? ActionTypeId { get; init; }
    /// <summary>Attribute Identifier List (0000,1005).</summary>
    public IReadOnlyList<Tag>? AttributeIdentifiers { get; init; }

    /// <summary>Bit 15 of the command field.</summary>
    public bool IsResponse => ((ushort)Field & 0x8000) != 0;

    /// <summary>The response to this request with its message ID and affected SOP class and instance filled in.</summary>
    public CommandSet Respond(ushort status, bool hasDataSet = false) => new()
    {
        Field = (CommandField)((ushort)Field | 0x8000),
        MessageIdBeingRespondedTo = MessageId,
        AffectedSopClassUid = AffectedSopClassUid ?? RequestedSopClassUid,
        AffectedSopInstanceUid = AffectedSopInstanceUid ?? RequestedSopInstanceUid,
        Status = status,
        HasDataSet = hasDataSet,
    };

    /// <summary>Reads a whole command set. The group length is not believed, unknown elements are skipped, a value too short counts as absent.</summary>
    /// <exception cref="DicomFormatException">An element's length passes the end, or there is no Command Field.</exception>
    public static CommandSet Read(ReadOnlySpan<byte> bytes)
    {
        ushort? field = null, messageId = null, respondedTo = null, status = null, priority = null, moveMessageId = null;
        ushort? remaining = null, completed = null, failed = null, warning = null, errorId = null, eventType = null, actionType = null;
        ushort dataSetType = NoDataSet;
        string? affectedClass = null, affectedInstance = null, requestedClass = null, requestedInstance = null;
        string? moveDestination = null, moveOriginator = null, comment = null;
        Tag[]? offending = null, identifiers = null;
        for (int at = 0; at < bytes.Length;)
        {
            if (bytes.Length - at < 8) throw new DicomFormatException("a command element shorter than its header", at);
            ushort group = BinaryPrimitives.ReadUInt16LittleEndian(bytes[at..]);
            ushort element = BinaryPrimitives.ReadUInt16LittleEndian(bytes[(at + 2)..]);
            uint length = BinaryPrimitives.ReadUInt32LittleEndian(bytes[(at + 4)..]);
            if (length > bytes.Length - at - 8) throw new DicomFormatException("the length of a command element passes the end", at, new Tag(group, element));
            ReadOnlySpan<byte> value = bytes.Slice(at + 8, (int)length);
            at += 8 + (int)length;
            if (group != 0) continue;
            switch (element)
            {
                case 0x0002: affectedClass = Text(value); break;
                case 0x0003: requestedClass = Text(value); break;
                case 0x0100: field = Number(value); break;
                case 0x0110: messageId = Number(value); break;
                case 0x0120: respondedTo = Number(value); break;
                case 0x0600: moveDestination = Text(value); break;
                case 0x0700: priority = Number(value); break;
                case 0x0800: dataSetType = Number(value) ?? NoDataSet; break;
                case 0x0900: status = Number(value); break;
                case 0x0901: offending = Tags(value); break;
                case 0x0902: comment = Text(value); break;
                case 0x0903: errorId = Number(value); break;
                case 0x1000: affectedInstance = Text(value); break;
                case 0x1001: requestedInstance = Text(value); break;
                case 0x1002: eventType = Number(value); break;
                case 0x1005: identifiers = Tags(value); break;
                case 0x1008: actionType = Number(value); break;
                case 0x1020: remaining = Number(value); break;
                case 0x1021: completed = Number(value); break;
                case 0x1022: failed = Number(value); break;
                case 0x1023: warning = Number(value); break;
                case 0x1030: moveOriginator = Text(value); break;
                case 0x1031: moveMessageId = Number(value); break;
            }
        }
        return new CommandSet
        {
            Field = (CommandField)(field ?? throw new DicomFormatException("a command set without Command Field", 0, new Tag(0x00000100))),
            MessageId = messageId,
            MessageIdBeingRespondedTo = respondedTo,
            HasDataSet = dataSetType != NoDataSet,
            Status = status,
            AffectedSopClassUid = affectedClass,
            AffectedSopInstanceUid = affectedInstance,
            RequestedSopClassUid = requestedClass,
            RequestedSopInstanceUid = requestedInstance,
            Priority = (Priority?)priority,
            MoveDestination = moveDestination,
            MoveOriginatorAETitle = moveOriginator,
            MoveOriginatorMessageId = moveMessageId,
            Remaining = remaining,
            Completed = completed,
            Failed = failed,
            Warning = warning,
            OffendingElements = offending,
            ErrorComment = comment,
            ErrorId = errorId,
            EventTypeId = eventType,
            ActionTypeId = actionType,
            AttributeIdentifiers = identifiers,
        };
    }

    /// <summary>Bytes that <see cref="Write"/> needs at most.</summary>
    public int MaxEncodedBytes => 320 + Length(AffectedSopClassUid) + Length(AffectedSopInstanceUid) + Length(RequestedSopClassUid) + Length(RequestedSopInstanceUid)
        + Length(MoveDestination) + Length(MoveOriginatorAETitle) + 64 + 4 * ((OffendingElements?.Count ?? 0) + (AttributeIdentifiers?.Count ?? 0));

    /// <summary>Writes the command set with a right group length, elements in order.</summary>
    /// <param name="destination">At least <see cref="MaxEncodedBytes"/> bytes.</param>
    /// <returns>Bytes written; always even.</returns>
    public int Write(Span<byte> destination)
    {
        int at = 12;
        WriteText(destination, ref at, 0x0002, AffectedSopClassUid, 0);
        WriteText(destination, ref at, 0x0003, RequestedSopClassUid, 0);
        WriteNumber(destination, ref at, 0x0100, (ushort)Field);
        WriteNumber(destination, ref at, 0x0110, MessageId);
        WriteNumber(destination, ref at, 0x0120, MessageIdBeingRespondedTo);
        WriteText(destination, ref at, 0x0600, MoveDestination, (byte)' ');
        WriteNumber(destination, ref at, 0x0700, (ushort?)Priority);
        WriteNumber(destination, ref at, 0x0800, HasDataSet ? (ushort)0x0001 : NoDataSet);
        WriteNumber(destination, ref at, 0x0900, Status);
        WriteTags(destination, ref at, 0x0901, OffendingElements);
        WriteText(destination, ref at, 0x0902, ErrorComment is { Length: > 64 } ? ErrorComment[..64] : ErrorComment, (byte)' ');
        WriteNumber(destination, ref at, 0x0903, ErrorId);
        WriteText(destination, ref at, 0x1000, AffectedSopInstanceUid, 0);
        WriteText(destination, ref at, 0x1001, RequestedSopInstanceUid, 0);
        WriteNumber(destination, ref at, 0x1002, EventTypeId);
        WriteTags(destination, ref at, 0x1005, AttributeIdentifiers);
        WriteNumber(destination, ref at, 0x1008, ActionTypeId);
        WriteNumber(destination, ref at, 0x1020, Remaining);
        WriteNumber(destination, ref at, 0x1021, Completed);
        WriteNumber(destination, ref at, 0x1022, Failed);
        WriteNumber(destination, ref at, 0x1023, Warning);
        WriteText(destination, ref at, 0x1030, MoveOriginatorAETitle, (byte)' ');
        WriteNumber(destination, ref at, 0x1031, MoveOriginatorMessageId);
        WriteHeader(destination, 0x0000, 4);
        BinaryPrimitives.WriteUInt32LittleEndian(destination[8..], (uint)(at - 12));
        return at;
    }

    /// <summary>As <see cref="Write"/>, into an array of its own.</summary>
    public byte[] ToArray()
    {
        byte[] bytes = new byte[MaxEncodedBytes];
        return bytes[..Write(bytes)];
    }

    private static int Length(string? text) => text?.Length + 9 ?? 0;

    private static ushort? Number(ReadOnlySpan<byte> value) => value.Length >= 2 ? BinaryPrimitives.ReadUInt16LittleEndian(value) : null;

    private static string? Text(ReadOnlySpan<byte> value)
    {
        value = value.Trim("\0 "u8);
        return value.IsEmpty ? null : Encoding.Latin1.GetString(value);
    }

    private static Tag[] Tags(ReadOnlySpan<byte> value)
    {
        var tags = new Tag[value.Length / 4];
        for (int i = 0; i < tags.Length; i++)
        {
            tags[i] = new Tag(BinaryPrimitives.ReadUInt16LittleEndian(value[(i * 4)..]), BinaryPrimitives.ReadUInt16LittleEndian(value[(i * 4 + 2)..]));
        }
        return tags;
    }

    private static void WriteHeader(Span<byte> destination, ushort element, int length)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(destination, 0);
        BinaryPrimitives.WriteUInt16LittleEndian(destination[2..], element);
        BinaryPrimitives.WriteUInt32LittleEndian(destination[4..], (uint)length);
    }

    private static void WriteNumber(Span<byte> destination, ref int at, ushort element, ushort? value)
    {
        if (value is not { } number) return;
        WriteHeader(destination[at..], element, 2);
        BinaryPrimitives.WriteUInt16LittleEndian(destination[(at + 8)..], number);
        at += 10;
    }

    private static void WriteText(Span<byte> destination, ref int at, ushort element, string? text, byte padding)
    {
        if (text is null) return;
        int padded = (text.Length + 1) & ~1;
        WriteHeader(destination[at..], element, padded);
        Encoding.Latin1.GetBytes(text, destination[(at + 8)..]);
        if (padded != text.Length) destination[at + 8 + text.Length] = padding;
        at += 8 + padded;
    }

    private static void WriteTags(Span<byte> destination, ref int at, ushort element, IReadOnlyList<Tag>? tags)
    {
        if (tags is null) return;
        WriteHeader(destination[at..], element, tags.Count * 4);
        at += 8;
        foreach (Tag tag in tags)
        {
            BinaryPrimitives.WriteUInt16LittleEndian(destination[at..], tag.Group);
            BinaryPrimitives.WriteUInt16LittleEndian(destination[(at + 2)..], tag.Element);
            at += 4;
        }
    }
}
