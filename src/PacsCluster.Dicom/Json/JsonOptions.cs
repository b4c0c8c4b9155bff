using System.Globalization;
using System.Text;

namespace PacsCluster.Dicom;

/// <summary>Where a value stands in a data set: the sequences and items around it, outermost first.</summary>
/// <remarks>Made once per data set and changed in the walk: use it in the callback that gets it, keep its text.</remarks>
public sealed class JsonPath
{
    private readonly List<(Tag Sequence, int Item)> _levels = [];

    internal int Depth => _levels.Count;

    internal void Enter(Tag sequence) => _levels.Add((sequence, -1));

    internal void NextItem() => _levels[^1] = (_levels[^1].Sequence, _levels[^1].Item + 1);

    internal void Leave() => _levels.RemoveAt(_levels.Count - 1);

    /// <summary>Path of an element at this place, e.g. <c>00081115/0/00081199</c>; items count from 0.</summary>
    public string At(Tag tag)
    {
        if (_levels.Count == 0) return tag.ToHex();
        var text = new StringBuilder();
        foreach ((Tag sequence, int item) in _levels) text.Append(CultureInfo.InvariantCulture, $"{sequence.ToHex()}/{item}/");
        return text.Append(tag.ToHex()).ToString();
    }
}

/// <summary>A value that may go by URI.</summary>
/// <param name="Around">Where it stands; valid during the call only.</param>
/// <param name="Tag">Its tag.</param>
/// <param name="VR">Its VR.</param>
/// <param name="Length">Its length in bytes; -1 for encapsulated pixel data read from a data set.</param>
/// <param name="Source">Its place in the encoded data set when it was given by <see cref="JsonWriteOptions.LeftOut"/>.</param>
public readonly record struct JsonBulkValue(JsonPath Around, Tag Tag, VR VR, long Length, BulkValue? Source = null)
{
    /// <summary>E.g. <c>00081115/0/00081199</c>.</summary>
    public string Path => Around.At(Tag);
}

/// <summary>How <see cref="JsonModel.Write"/> writes.</summary>
public sealed record JsonWriteOptions
{
    internal static readonly JsonWriteOptions Default = new();

    /// <summary>Says the URI of a bulk value, or null to write it inline. Asked for every value of OB OD OF OL OV OW UN, and for those of DS FL FD IS LT ST SL
    /// SS SV UC UL US UT UV that are as long as <see cref="BulkMinimumBytes"/>. Null (default): all inline.</summary>
    public Func<JsonBulkValue, string?>? BulkDataUri { get; init; }

    /// <summary>See <see cref="BulkDataUri"/>. Default 4096 bytes, 0 to any.</summary>
    public int BulkMinimumBytes { get; init; } = 4096;

    /// <summary>Values that the data set lacks because a <see cref="PushReader"/> left them out; those whose tag the data set does not have are written in
    /// their place at the top level, by URI. Default none.</summary>
    public IReadOnlyList<BulkValue> LeftOut { get; init; } = [];

    internal bool MayGoByUri(VR vr, int length) => vr.IsBulk()
        || length >= BulkMinimumBytes && vr is VR.DS or VR.FL or VR.FD or VR.IS or VR.LT or VR.ST or VR.SL or VR.SS or VR.SV or VR.UC or VR.UL or VR.US or VR.UT or VR.UV;
}

/// <summary>How <see cref="JsonModel.Read(ReadOnlySpan{byte}, JsonReadOptions?)"/> reads.</summary>
public sealed record JsonReadOptions
{
    internal static readonly JsonReadOptions Default = new();

    /// <summary>Gives the bytes behind a BulkDataURI, little endian; null leaves the element out. Null (default): all such elements are left out.</summary>
    public Func<JsonBulkReference, byte[]?>? ReadBulk { get; init; }

    /// <summary>Nested sequences, in levels; deeper is a DicomFormatException. Default 64, 1 to 300.</summary>
    public int DepthMax { get; init; } = 64;
}

/// <summary>A value that stands elsewhere.</summary>
/// <param name="Around">Where it stands; valid during the call only.</param>
/// <param name="Tag">Its tag.</param>
/// <param name="VR">Its VR.</param>
/// <param name="Uri">The BulkDataURI as it stood in the JSON; not checked.</param>
public readonly record struct JsonBulkReference(JsonPath Around, Tag Tag, VR VR, string Uri)
{
    /// <summary>E.g. <c>00081115/0/00081199</c>.</summary>
    public string Path => Around.At(Tag);
}
