using System.Buffers;
using System.Globalization;
using System.Text;
using PacsCluster.Catalog;
using PacsCluster.Dicom;

namespace PacsCluster.Web;

/// <summary>Results of a search as CSV (RFC 4180, UTF-8; C-95), an extension of ours for spreadsheets: a line of keywords, then a line for each result; values of one attribute stay joined by backslashes, names are as DICOM
/// writes them. Sequences are left out, and so is what only <c>includefield=all</c> asks for: the columns are known before the rows.</summary>
internal sealed class CsvRows
{
    private static readonly Tag s_specificCharacterSet = new(0x0008_0005), s_retrieveUrl = new(0x0008_1190);

    private static readonly SearchValues<char> s_quoted = SearchValues.Create(",\"\r\n");

    private readonly Tag[] _columns;
    private readonly StringBuilder _line = new();

    public CsvRows(IReadOnlyList<Tag> returnKeys) =>
        _columns = [.. returnKeys.Where(tag => tag != s_specificCharacterSet && tag != s_retrieveUrl && DataDictionary.GetVR(tag) != VR.SQ)];

    /// <summary>Writes the first line.</summary>
    /// <param name="to">UTF-8 goes here.</param>
    /// <param name="hasUrl">The rows have a Retrieve URL, as the last column.</param>
    public void WriteHeader(IBufferWriter<byte> to, bool hasUrl)
    {
        foreach (Tag tag in _columns) Append(DataDictionary.TryGet(tag, out DictionaryEntry entry) ? entry.Keyword : tag.ToHex());
        if (hasUrl) Append("RetrieveURL");
        End(to);
    }

    /// <summary>Writes one result.</summary>
    public void Write(IBufferWriter<byte> to, SearchRow row, string? retrieveUrl)
    {
        foreach (Tag tag in _columns) Append(row[tag] ?? "");
        if (retrieveUrl is not null) Append(retrieveUrl);
        End(to);
    }

    private void Append(string value)
    {
        if (_line.Length > 0) _line.Append(',');
        // A spreadsheet takes what begins so for a formula and runs it; the values came from outside. Numbers are none.
        if (value.Length > 0 && value[0] is '=' or '+' or '-' or '@' or '\t' or '\r' && !double.TryParse(value, NumberStyles.Float, CultureInfo.InvariantCulture, out _)) value = "'" + value;
        if (value.AsSpan().ContainsAny(s_quoted) || _line.Length == 0 && value.Length == 0) _line.Append('"').Append(value.Replace("\"", "\"\"", StringComparison.Ordinal)).Append('"');
        else _line.Append(value);
    }

    private void End(IBufferWriter<byte> to)
    {
        Encoding.UTF8.GetBytes(_line.Append("\r\n").ToString(), to);
        _line.Clear();
    }
}
