namespace PacsCluster.Dicom;

/// <summary>Specific Character Set (0008,0005), PS3.3 section C.12.1.1.2 and PS3.5 section 6.1.</summary>
public sealed class CharacterSet
{
    /// <summary>The default repertoire (ISO-IR 6).</summary>
    public static CharacterSet Default => throw new NotImplementedException();
    /// <summary>ISO_IR 192, UTF-8.</summary>
    public static CharacterSet Utf8 => throw new NotImplementedException();
    /// <summary>From the values of (0008,0005); misspellings are understood, unknown terms fall back and set IsUnderstood to false. Never throws.</summary>
    public static CharacterSet FromTerms(IReadOnlyList<string> definedTerms) => throw new NotImplementedException();
    /// <summary>The values to write into (0008,0005).</summary>
    public IReadOnlyList<string> Terms => throw new NotImplementedException();
    /// <summary>All terms were known ones.</summary>
    public bool IsUnderstood => throw new NotImplementedException();
    /// <summary>Decodes a whole value field (all values, separators included). Never throws; undecodable bytes become U+FFFD.</summary>
    public string Decode(ReadOnlySpan<byte> value, VR vr) => throw new NotImplementedException();
    /// <summary>Encodes; false when some character is not in the repertoire.</summary>
    public bool TryEncode(string text, VR vr, out byte[] bytes) => throw new NotImplementedException();
}
