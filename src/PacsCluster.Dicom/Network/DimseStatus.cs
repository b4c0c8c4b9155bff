using System.Collections.Frozen;

namespace PacsCluster.Dicom.Network;

/// <summary>What a status asks of the one who gets it (PS3.7 section 9.1 and annex C).</summary>
public enum StatusCategory
{
    /// <summary>Done.</summary>
    Success,
    /// <summary>More responses follow.</summary>
    Pending,
    /// <summary>Done, with something to tell.</summary>
    Warning,
    /// <summary>Ended because it was cancelled.</summary>
    Cancel,
    /// <summary>Not done.</summary>
    Failure,
}

/// <summary>Service whose status table applies.</summary>
public enum DimseService
{
    /// <summary>The codes of PS3.7 annex C only.</summary>
    General,
    /// <summary>Storage: PS3.4 annex B.2.3.</summary>
    Storage,
    /// <summary>Query/Retrieve C-FIND: PS3.4 annex C.4.1.1.4.</summary>
    Find,
    /// <summary>Query/Retrieve C-MOVE: PS3.4 annex C.4.2.1.5.</summary>
    Move,
    /// <summary>Query/Retrieve C-GET: PS3.4 annex C.4.3.1.4.</summary>
    Get,
}

/// <summary>A status code as a service class defines it.</summary>
/// <param name="Code">Status (0000,0900).</param>
/// <param name="Category">What it asks for.</param>
/// <param name="Meaning">In a few words of the standard.</param>
public readonly record struct StatusMeaning(ushort Code, StatusCategory Category, string Meaning);

/// <summary>Status codes (0000,0900) and their tables.</summary>
public static class DimseStatus
{
#pragma warning disable CS1591 // named by the standard's words; the tables below say where
    public const ushort Success = 0x0000;
    public const ushort Pending = 0xFF00;
    public const ushort PendingOptionalKeysUnsupported = 0xFF01;
    public const ushort Cancel = 0xFE00;
    public const ushort Warning = 0x0001;

    public const ushort SopClassNotSupported = 0x0122;
    public const ushort ClassInstanceConflict = 0x0119;
    public const ushort DuplicateSopInstance = 0x0111;
    public const ushort DuplicateInvocation = 0x0210;
    public const ushort InvalidArgumentValue = 0x0115;
    public const ushort InvalidAttributeValue = 0x0106;
    public const ushort InvalidObjectInstance = 0x0117;
    public const ushort MissingAttribute = 0x0120;
    public const ushort MissingAttributeValue = 0x0121;
    public const ushort MistypedArgument = 0x0212;
    public const ushort NoSuchSopInstance = 0x0112;
    public const ushort NoSuchSopClass = 0x0118;
    public const ushort NotAuthorized = 0x0124;
    public const ushort ProcessingFailure = 0x0110;
    public const ushort ResourceLimitation = 0x0213;
    public const ushort UnrecognizedOperation = 0x0211;

    public const ushort OutOfResources = 0xA700;
    public const ushort UnableToCalculateMatches = 0xA701;
    public const ushort UnableToPerformSuboperations = 0xA702;
    public const ushort MoveDestinationUnknown = 0xA801;
    public const ushort DataSetDoesNotMatchSopClass = 0xA900;
    public const ushort CannotUnderstand = 0xC000;
    public const ushort CoercionOfDataElements = 0xB000;
    public const ushort ElementsDiscarded = 0xB006;
    public const ushort DataSetDoesNotMatchSopClassWarning = 0xB007;
    public const ushort SuboperationsCompleteWithFailures = 0xB000;
#pragma warning restore CS1591

    private static readonly FrozenDictionary<ushort, StatusMeaning> s_general = Table(
        new(Success, StatusCategory.Success, "Success"),
        new(Warning, StatusCategory.Warning, "Warning"),
        new(0x0105, StatusCategory.Failure, "No such attribute"),
        new(InvalidAttributeValue, StatusCategory.Failure, "Invalid attribute value"),
        new(0x0107, StatusCategory.Warning, "Attribute list error"),
        new(ProcessingFailure, StatusCategory.Failure, "Processing failure"),
        new(DuplicateSopInstance, StatusCategory.Failure, "Duplicate SOP Instance"),
        new(NoSuchSopInstance, StatusCategory.Failure, "No such SOP Instance"),
        new(0x0113, StatusCategory.Failure, "No such event type"),
        new(0x0114, StatusCategory.Failure, "No such argument"),
        new(InvalidArgumentValue, StatusCategory.Failure, "Invalid argument value"),
        new(0x0116, StatusCategory.Warning, "Attribute value out of range"),
        new(InvalidObjectInstance, StatusCategory.Failure, "Invalid SOP Instance"),
        new(NoSuchSopClass, StatusCategory.Failure, "No such SOP Class"),
        new(ClassInstanceConflict, StatusCategory.Failure, "Class-Instance conflict"),
        new(MissingAttribute, StatusCategory.Failure, "Missing attribute"),
        new(MissingAttributeValue, StatusCategory.Failure, "Missing attribute value"),
        new(SopClassNotSupported, StatusCategory.Failure, "SOP Class not supported"),
        new(0x0123, StatusCategory.Failure, "No such action type"),
        new(NotAuthorized, StatusCategory.Failure, "Not authorized"),
        new(DuplicateInvocation, StatusCategory.Failure, "Duplicate invocation"),
        new(UnrecognizedOperation, StatusCategory.Failure, "Unrecognized operation"),
        new(MistypedArgument, StatusCategory.Failure, "Mistyped argument"),
        new(ResourceLimitation, StatusCategory.Failure, "Resource limitation"),
        new(Cancel, StatusCategory.Cancel, "Cancel"),
        new(Pending, StatusCategory.Pending, "Pending"));

    private static readonly FrozenDictionary<ushort, StatusMeaning> s_storage = Table(
        new(OutOfResources, StatusCategory.Failure, "Refused: Out of resources"),
        new(DataSetDoesNotMatchSopClass, StatusCategory.Failure, "Error: Data Set does not match SOP Class"),
        new(CannotUnderstand, StatusCategory.Failure, "Error: Cannot understand"),
        new(CoercionOfDataElements, StatusCategory.Warning, "Coercion of data elements"),
        new(ElementsDiscarded, StatusCategory.Warning, "Elements discarded"),
        new(DataSetDoesNotMatchSopClassWarning, StatusCategory.Warning, "Data Set does not match SOP Class"));

    private static readonly FrozenDictionary<ushort, StatusMeaning> s_find = Table(
        new(OutOfResources, StatusCategory.Failure, "Refused: Out of resources"),
        new(DataSetDoesNotMatchSopClass, StatusCategory.Failure, "Error: Data Set does not match SOP Class"),
        new(CannotUnderstand, StatusCategory.Failure, "Failed: Unable to process"),
        new(Cancel, StatusCategory.Cancel, "Matching terminated due to Cancel request"),
        new(Pending, StatusCategory.Pending, "Matches are continuing"),
        new(PendingOptionalKeysUnsupported, StatusCategory.Pending, "Matches are continuing, optional keys not supported"));

    private static readonly FrozenDictionary<ushort, StatusMeaning> s_retrieve = Table(
        new(UnableToCalculateMatches, StatusCategory.Failure, "Refused: Out of resources, unable to calculate number of matches"),
        new(UnableToPerformSuboperations, StatusCategory.Failure, "Refused: Out of resources, unable to perform sub-operations"),
        new(MoveDestinationUnknown, StatusCategory.Failure, "Refused: Move Destination unknown"),
        new(DataSetDoesNotMatchSopClass, StatusCategory.Failure, "Error: Data Set does not match SOP Class"),
        new(0xAA00, StatusCategory.Failure, "None of the frames requested were found"),
        new(0xAA01, StatusCategory.Failure, "Unable to create new object for this SOP class"),
        new(0xAA02, StatusCategory.Failure, "Unable to extract frames"),
        new(0xAA03, StatusCategory.Failure, "Time-based request received for a non-time-based SOP Instance"),
        new(0xAA04, StatusCategory.Failure, "Invalid request"),
        new(CannotUnderstand, StatusCategory.Failure, "Failed: Unable to process"),
        new(SuboperationsCompleteWithFailures, StatusCategory.Warning, "Sub-operations complete, one or more failures or warnings"),
        new(Cancel, StatusCategory.Cancel, "Sub-operations terminated due to Cancel indication"),
        new(Pending, StatusCategory.Pending, "Sub-operations are continuing"));

    /// <summary>What a code means to a service; for a code that no table has, the category that PS3.7 annex C gives its range.</summary>
    public static StatusMeaning Explain(DimseService service, ushort code)
    {
        FrozenDictionary<ushort, StatusMeaning>? table = service switch
        {
            DimseService.Storage => s_storage,
            DimseService.Find => s_find,
            DimseService.Move or DimseService.Get => s_retrieve,
            _ => null,
        };
        if (table is not null)
        {
            if (table.TryGetValue(code, out StatusMeaning meaning)) return meaning;
            // A7xx, A9xx and Cxxx are ranges whose last digits the implementation chooses.
            if (table.TryGetValue((ushort)(code & 0xFF00), out meaning) && code is >= 0xA000 and < 0xB000) return meaning with { Code = code };
            if ((code & 0xF000) == 0xC000) return table[CannotUnderstand] with { Code = code };
        }
        return s_general.TryGetValue(code, out StatusMeaning general) ? general : new StatusMeaning(code, Categorize(code), "Unknown status");
    }

    /// <summary>The category of a code by its range alone (PS3.7 annex C).</summary>
    public static StatusCategory Categorize(ushort code) => code switch
    {
        Success => StatusCategory.Success,
        Pending or PendingOptionalKeysUnsupported => StatusCategory.Pending,
        Cancel => StatusCategory.Cancel,
        Warning or 0x0107 or 0x0116 => StatusCategory.Warning,
        _ => (code & 0xF000) == 0xB000 ? StatusCategory.Warning : StatusCategory.Failure,
    };

    private static FrozenDictionary<ushort, StatusMeaning> Table(params StatusMeaning[] rows) => rows.ToFrozenDictionary(row => row.Code);
}
