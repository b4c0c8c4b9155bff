using PacsCluster.Dicom;

namespace PacsCluster.Catalog;

/// <summary>One answer.</summary>
public sealed class SearchRow
{
    private static readonly Tag s_specificCharacterSet = new(0x0008_0005);

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
