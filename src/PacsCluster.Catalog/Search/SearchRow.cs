using System.Text.Json;
using PacsCluster.Dicom;

namespace PacsCluster.Catalog;

/// <summary>One answer.</summary>
public sealed class SearchRow
{
    private static readonly Tag s_specificCharacterSet = new(0x0008_0005);
    private static readonly Tag s_retrieveUrl = new(0x0008_1190);

    private readonly SearchRequest _request;
    private readonly string?[] _values;

    /// <summary>Made by catalogs.</summary>
    /// <param name="request">What was asked.</param>
    /// <param name="key">Surrogate key.</param>
    /// <param name="values">A text for each column of each return key, in order.</param>
    /// <param name="header">The instance's header, where a return key needs it.</param>
    internal SearchRow(SearchRequest request, long key, string?[] values, DataSet? header)
    {
        _request = request;
        Key = key;
        _values = values;
        Header = header;
    }

    /// <summary>Its level.</summary>
    public QueryLevel Level => _request.Level;

    /// <summary>Surrogate key of the entity, for <see cref="SearchRequest.AfterKey"/>.</summary>
    public long Key { get; }

    /// <summary>The instance's header, where the answer has keys that no column has (IMAGE level); else null.</summary>
    internal DataSet? Header { get; }

    /// <summary>Among its texts are characters (U+FFFD) that stand for bytes which mean nothing in their character set.</summary>
    public bool HasReplacements => Array.Exists(_values, value => value is not null && value.Contains('\uFFFD', StringComparison.Ordinal));

    /// <summary>Text of a key that was asked for, derived ones included; several values are joined by backslashes. Null when it has none, is a sequence,
    /// or was not asked for.</summary>
    public string? this[Tag tag]
    {
        get
        {
            int at = 0;
            foreach (ReturnKey key in _request.Returns)
            {
                if (key.Tag == tag && key.VR != VR.SQ)
                {
                    if (key.Keys.Count == 1) return _values[at];
                    return key.IsInHeader && Header!.GetStrings(tag) is { Length: > 0 } values ? string.Join('\\', values) : null;
                }
                at += key.Keys.Count;
            }
            return null;
        }
    }

    /// <summary>The answer as an identifier: every key asked for, with value or empty, sequences with their items, the level (0008,0052),
    /// and Specific Character Set where any text needs one.</summary>
    /// <param name="preferred">The requester's character set, used where it can say everything; else UTF-8 (PS3.4 C.4.1.1.3.2).</param>
    /// <param name="encoding">Transfer syntax of the answer.</param>
    public DataSet ToDataSet(CharacterSet preferred, TransferSyntax encoding)
    {
        var answer = new DataSet(encoding);
        if (ChooseCharacterSet(preferred) is { } characterSet) answer.Set(s_specificCharacterSet, string.Join('\\', characterSet.Terms), VR.CS);
        answer.Set(MatchingKeys.QueryRetrieveLevel, LevelName(Level), VR.CS);
        int at = 0;
        foreach (ReturnKey key in _request.Returns)
        {
            if (key.IsInHeader) SetFromHeader(answer, key);
            else if (key.VR == VR.SQ) answer.SetItems(key.Tag, Items(answer, key, at));
            else answer.Set(key.Tag, key.Keys.Count == 1 ? _values[at] : null, key.Keys.Count == 1 ? key.Keys[0].VR : key.VR);
            at += key.Keys.Count;
        }
        return answer;
    }

    /// <summary>The answer as an object of the DICOM JSON Model (PS3.18 10.6.3.3, annex F), keys ascending, straight from the row: every key asked for, sequences with their
    /// items, the instance's header where the search is <see cref="SearchRequest.WithHeader"/> (without bulk values), Specific Character Set and Retrieve URL.</summary>
    /// <param name="writer">Made with <see cref="JsonModel.WriterOptions"/>.</param>
    /// <param name="retrieveUrl">(0008,1190); null for none.</param>
    /// <param name="keepEmpty">Which keys are written also when they have no value; others are left out then.</param>
    public void WriteJson(Utf8JsonWriter writer, string? retrieveUrl, IReadOnlySet<Tag> keepEmpty)
    {
        ArgumentNullException.ThrowIfNull(writer);
        ArgumentNullException.ThrowIfNull(keepEmpty);
        writer.WriteStartObject();
        JsonModel.WriteElement(writer, s_specificCharacterSet, VR.CS, "ISO_IR 192");
        using IEnumerator<DataElement>? header = _request.WithHeader ? Header!.GetEnumerator() : null;
        bool hasHeader = header?.MoveNext() ?? false, hasUrl = retrieveUrl is not null;
        int at = 0;
        foreach (ReturnKey key in _request.Returns)
        {
            WriteUpTo(key.Tag);
            if (hasHeader && header!.Current.Tag == key.Tag) hasHeader = header.MoveNext();
            WriteKey(writer, key, at, keepEmpty);
            at += key.Keys.Count;
        }
        WriteUpTo(new Tag(uint.MaxValue));
        writer.WriteEndObject();

        void WriteUpTo(Tag end)
        {
            while (hasHeader && header!.Current.Tag < end)
            {
                DataElement element = header.Current;
                if (hasUrl && s_retrieveUrl < element.Tag) WriteUrl();
                if (element.Tag != s_specificCharacterSet && !element.Tag.IsGroupLength && !element.EffectiveVR.IsBulk()) JsonModel.WriteElement(writer, Header!, element.Tag);
                hasHeader = header.MoveNext();
            }
            if (hasUrl && s_retrieveUrl <= end) WriteUrl();
        }

        void WriteUrl()
        {
            hasUrl = false;
            JsonModel.WriteElement(writer, s_retrieveUrl, VR.UR, retrieveUrl);
        }
    }

    private void WriteKey(Utf8JsonWriter writer, ReturnKey key, int at, IReadOnlySet<Tag> keepEmpty)
    {
        if (key.Tag == s_retrieveUrl) return;
        if (key.IsInHeader && Header!.Contains(key.Tag))
        {
            JsonModel.WriteElement(writer, Header, key.Tag);
        }
        else if (key.VR == VR.SQ && ItemCount(key, at) is > 0 and int items)
        {
            JsonModel.WriteStartSequence(writer, key.Tag);
            for (int item = 0; item < items; item++)
            {
                writer.WriteStartObject();
                for (int c = 0; c < key.Keys.Count; c++)
                {
                    if (ValueOfItem(_values[at + c], item) is { Length: > 0 } value) JsonModel.WriteElement(writer, key.Keys[c].Tag, key.Keys[c].VR, value);
                }
                writer.WriteEndObject();
            }
            JsonModel.WriteEndSequence(writer);
        }
        else if (key.VR != VR.SQ && key.Keys.Count == 1 && _values[at] is { } text)
        {
            JsonModel.WriteElement(writer, key.Tag, key.Keys[0].VR, text);
        }
        else if (keepEmpty.Contains(key.Tag))
        {
            JsonModel.WriteElement(writer, key.Tag, key.VR, null);
        }
    }

    private int ItemCount(ReturnKey key, int at)
    {
        int items = 0;
        for (int c = 0; c < key.Keys.Count; c++)
        {
            if (_values[at + c] is { } joined) items = Math.Max(items, joined.AsSpan().Count('\\') + 1);
        }
        return items;
    }

    /// <summary>Columns hold one value an item.</summary>
    private static string? ValueOfItem(string? joined, int item)
    {
        if (joined is null) return null;
        foreach (Range range in joined.AsSpan().Split('\\'))
        {
            if (item-- == 0) return joined[range];
        }
        return null;
    }

    /// <summary>The word of (0008,0052).</summary>
    internal static string LevelName(QueryLevel level) => level switch
    {
        QueryLevel.Patient => "PATIENT",
        QueryLevel.Study => "STUDY",
        QueryLevel.Series => "SERIES",
        _ => "IMAGE",
    };

    /// <summary>Null when all is plain ASCII.</summary>
    private CharacterSet? ChooseCharacterSet(CharacterSet preferred)
    {
        bool needed = false;
        foreach ((string text, VR vr) in Texts())
        {
            if (System.Text.Ascii.IsValid(text)) continue;
            needed = true;
            if (!preferred.TryEncode(text, vr, out _)) return CharacterSet.Utf8;
        }
        return needed ? preferred : null;
    }

    private IEnumerable<(string Text, VR VR)> Texts()
    {
        int at = 0;
        foreach (ReturnKey key in _request.Returns)
        {
            foreach (SearchKey column in key.Keys)
            {
                if (_values[at++] is { } text) yield return (text, column.VR);
            }
            if (key.IsInHeader && key.VR != VR.SQ && Header!.TryGet(key.Tag, out DataElement element) && element.VR.UsesSpecificCharacterSet())
            {
                yield return (string.Join('\\', element.GetStrings()), element.VR);
            }
        }
    }

    /// <summary>Puts a sequence's items together again: the columns hold one value an item.</summary>
    private List<DataSet> Items(DataSet answer, ReturnKey key, int at)
    {
        List<DataSet> items = [];
        for (int c = 0; c < key.Keys.Count; c++)
        {
            if (_values[at + c] is not { } joined) continue;
            string[] values = joined.Split('\\');
            while (items.Count < values.Length) items.Add(answer.NewItem());
            for (int i = 0; i < values.Length; i++) items[i].Set(key.Keys[c].Tag, values[i], key.Keys[c].VR);
        }
        return items;
    }

    private void SetFromHeader(DataSet answer, ReturnKey key)
    {
        if (!Header!.TryGet(key.Tag, out DataElement element))
        {
            if (key.VR == VR.SQ) answer.SetItems(key.Tag, []);
            else answer.Set(key.Tag, null, key.VR);
        }
        else if (element.VR == VR.SQ)
        {
            // The items' text stays in the header's character set, so each says which that is.
            foreach (DataSet item in element.Items)
            {
                if (Header.CharacterSet.Terms.Count > 0 && !item.Contains(s_specificCharacterSet)) item.Set(s_specificCharacterSet, string.Join('\\', Header.CharacterSet.Terms), VR.CS);
            }
            answer.SetItems(key.Tag, element.Items);
        }
        else if (element.VR.IsBulk()) answer.SetRaw(key.Tag, element.VR, Header.Encoding.IsBigEndian == answer.Encoding.IsBigEndian ? element.RawValue : default);
        else answer.Set(key.Tag, string.Join('\\', element.GetStrings()), element.VR);
    }
}
