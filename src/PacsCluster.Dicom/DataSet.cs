using System.Collections;

namespace PacsCluster.Dicom;

/// <summary>A Data Set (PS3.5 section 7): elements in order of their tags, at most one a tag.</summary>
public sealed class DataSet : IEnumerable<DataElement>
{
    /// <summary>An empty data set.</summary>
    public DataSet(TransferSyntax? encoding = null) => throw new NotImplementedException();
    /// <summary>Indexes the elements that <paramref name="bytes"/> hold, without copying or decoding; the caller must not change them after.</summary>
    public static DataSet Read(ReadOnlyMemory<byte> bytes, TransferSyntax encoding, ReadOptions? options = null) => throw new NotImplementedException();
    /// <summary>Encoding of RawValue bytes.</summary>
    public TransferSyntax Encoding => throw new NotImplementedException();
    /// <summary>Specific Character Set in force, own or inherited.</summary>
    public CharacterSet CharacterSet => throw new NotImplementedException();
    /// <summary>Number of elements at this level.</summary>
    public int Count => throw new NotImplementedException();
    /// <summary>Whether the element is present, with or without value.</summary>
    public bool Contains(Tag tag) => throw new NotImplementedException();
    /// <summary>The element.</summary>
    public bool TryGet(Tag tag, out DataElement element) => throw new NotImplementedException();
    /// <summary>First value as trimmed text; null when absent or empty.</summary>
    public string? GetString(Tag tag) => throw new NotImplementedException();
    /// <summary>All values as trimmed text; empty array when absent or empty.</summary>
    public string[] GetStrings(Tag tag) => throw new NotImplementedException();
    /// <summary>First value as a number, from IS, US, SS, UL, SL, UV, SV; null when absent, empty or not a number.</summary>
    public long? GetInt64(Tag tag) => throw new NotImplementedException();
    /// <summary>As GetInt64, null also out of range.</summary>
    public int? GetInt32(Tag tag) => throw new NotImplementedException();
    /// <summary>First value as a number, from DS, FL, FD or an integer VR.</summary>
    public double? GetDouble(Tag tag) => throw new NotImplementedException();
    /// <summary>Items of a sequence; empty when absent. Also UN that is a sequence.</summary>
    public IReadOnlyList<DataSet> GetItems(Tag tag) => throw new NotImplementedException();
    /// <summary>Sets text values (joined by backslash), encoded in this data set's character set. VR from the dictionary when None.</summary>
    public void Set(Tag tag, string? value, VR vr = VR.None) => throw new NotImplementedException();
    /// <summary>Sets a number for any numeric or IS/DS VR.</summary>
    public void Set(Tag tag, long value, VR vr = VR.None) => throw new NotImplementedException();
    /// <summary>Sets raw bytes, already in <see cref="Encoding"/>.</summary>
    public void SetRaw(Tag tag, VR vr, ReadOnlyMemory<byte> value) => throw new NotImplementedException();
    /// <summary>Sets a sequence.</summary>
    public void SetItems(Tag tag, IReadOnlyList<DataSet> items) => throw new NotImplementedException();
    /// <summary>Takes the element out; false when it was not there.</summary>
    public bool Remove(Tag tag) => throw new NotImplementedException();
    /// <summary>Encodes (without File Meta Information). Unchanged elements keep their bytes when the encoding is the same.</summary>
    public byte[] ToArray(TransferSyntax? encoding = null) => throw new NotImplementedException();
    /// <inheritdoc/>
    public IEnumerator<DataElement> GetEnumerator() => throw new NotImplementedException();
    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}

/// <summary>One element, a view on its data set.</summary>
public readonly struct DataElement
{
    /// <summary>Tag.</summary>
    public Tag Tag => throw new NotImplementedException();
    /// <summary>VR; in implicit VR from the dictionary, UN when unknown.</summary>
    public VR VR => throw new NotImplementedException();
    /// <summary>Value bytes in the data set's encoding; for a sequence or encapsulated pixel data the bytes of its items.</summary>
    public ReadOnlyMemory<byte> RawValue => throw new NotImplementedException();
    /// <summary>Zero length.</summary>
    public bool IsEmpty => throw new NotImplementedException();
    /// <summary>All values as trimmed text (numbers formatted, AT as 8 hex digits).</summary>
    public string[] GetStrings() => throw new NotImplementedException();
    /// <summary>Items.</summary>
    public IReadOnlyList<DataSet> Items => throw new NotImplementedException();
}

/// <summary>Limits of reading.</summary>
public sealed record ReadOptions
{
    /// <summary>Nested sequences, in levels; deeper is a DicomFormatException. Default 64, 1 to 1000.</summary>
    public int DepthMax { get; init; } = 64;
}
