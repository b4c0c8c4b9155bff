using PacsCluster.Dicom;

namespace PacsCluster.Catalog;

/// <summary>Reads the rows of <see cref="SearchSql"/>: looks again where that must be, and takes the return keys.</summary>
internal sealed class SearchReader(SearchRequest request)
{
    private readonly int _columns = request.Returns.Sum(r => r.Keys.Count);
    private readonly int _checks = RowCheck.Columns(request).Count();
    private readonly bool _needsHeader = request.NeedsHeader;

    /// <summary>The answer of a row; null when it does not match after all.</summary>
    public SearchRow? Read(IRow row)
    {
        if (_checks > 0 && !RowCheck.Matches(request, i => row.TextOrNull(1 + _columns + i))) return null;
        var values = new string?[_columns];
        for (int i = 0; i < values.Length; i++) values[i] = row.TextOrNull(1 + i) is { Length: > 0 } text ? text : null;
        return new SearchRow(request, row.Int64(0), values, _needsHeader ? ReadHeader(row, 1 + _columns + _checks) : null);
    }

    private static DataSet ReadHeader(IRow row, int at) => row.IsNull(at)
        ? new DataSet(TransferSyntax.ExplicitVRLittleEndian)
        : new HeaderRow(0, (HeaderEncoding)row.Int32(at), row.Bytes(at + 1)).ToDataSet(row.Text(at + 2));
}
