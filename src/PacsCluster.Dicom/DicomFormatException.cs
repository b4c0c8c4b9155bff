namespace PacsCluster.Dicom;

/// <summary>The bytes are not DICOM as PS3.5, PS3.7, PS3.8 or PS3.10 define it, beyond what leniency covers. The message is one line for a
/// person and never holds a value of the data set.</summary>
public sealed class DicomFormatException : Exception
{
    /// <summary>Says what is wrong, and where.</summary>
    /// <param name="message">One line, without values.</param>
    /// <param name="offset">Byte offset from the start of what was read, or -1.</param>
    /// <param name="tag">The element at fault, or null.</param>
    public DicomFormatException(string message, long offset = -1, Tag? tag = null) : base(Compose(message, offset, tag))
    {
        Offset = offset;
        Tag = tag;
    }

    /// <summary>Byte offset from the start of what was read, or -1 where there is none.</summary>
    public long Offset { get; }

    /// <summary>The element at fault, or null.</summary>
    public Tag? Tag { get; }

    private static string Compose(string message, long offset, Tag? tag)
    {
        if (tag is { } t) message += $" at {t}";
        return offset >= 0 ? $"{message}, byte {offset}" : message;
    }
}
